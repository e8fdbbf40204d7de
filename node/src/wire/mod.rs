//! Conversions between protocol messages and the types of this crate; they live nowhere else.

pub mod batch;
pub mod data;
pub mod nodes;
pub mod raft;
pub mod state_record;
pub(crate) mod status;
pub mod tree;
