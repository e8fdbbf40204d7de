//! The data role: shards on this node's disk, behind a service that coordination asks.

pub mod channels;
pub mod contexts;
pub mod copies;
pub mod failed;
pub mod grpc;
mod identity;
mod keeping;
pub mod lifecycle;
pub mod loans;
pub mod local;
pub mod local_search;
mod opening;
pub mod pool;
pub mod ranks;
pub mod recovery;
pub mod remote;
pub mod replication;
#[cfg(test)]
pub(crate) mod replication_testing;
mod resize;
pub mod routed;
#[cfg(test)]
mod routed_tests;
pub mod router;
pub mod scheduler;
pub mod search;
pub mod search_counters;
pub mod service;
#[cfg(test)]
pub(crate) mod testing;
pub mod update;
mod writes;
