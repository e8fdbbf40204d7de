//! Masters as a group that agrees by raft.

mod log_store;
mod snapshot_file;
mod state_machine;
pub mod types;
#[cfg(test)]
mod storage_tests;
