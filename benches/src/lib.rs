//! Shared parts of the measurements.

pub mod aggs;
pub mod game;
pub mod growth;
pub mod http;
pub mod process;
pub mod random;
pub mod record;
pub mod shard_folder;
pub mod threads;
