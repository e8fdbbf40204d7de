//! Coordination: reads requests, asks the shards that hold the data, merges their answers.

pub mod dsl;
pub mod rest;
