//! The data role: shards on this node's disk, behind a service that coordination asks.

pub mod service;
