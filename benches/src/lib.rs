//! Shared parts of the measurements.

pub mod aggs;
pub mod game;
pub mod http;
pub mod random;
pub mod record;
pub mod shard_folder;
