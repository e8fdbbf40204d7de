//! The data role: shards on this node's disk, behind a service that coordination asks.

pub mod contexts;
pub mod local_search;
pub mod search;
pub mod service;
