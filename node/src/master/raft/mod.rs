//! Masters as a group that agrees by raft.

pub mod log_store;
pub mod snapshot_file;
pub mod state_machine;
#[cfg(test)]
mod storage_tests;
pub mod types;
