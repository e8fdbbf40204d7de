//! The data role: shards on this node's disk, behind a service that coordination asks.

pub mod contexts;
pub mod failed;
pub mod lifecycle;
pub mod loans;
pub mod local;
pub mod local_search;
pub mod pool;
mod resize;
pub mod scheduler;
pub mod search;
pub mod search_counters;
pub mod service;
pub mod update;
mod writes;
