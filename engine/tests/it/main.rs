//! The engine through its public door.

mod columns;
mod copies;
mod corruption;
mod crash;
mod fielddata;
mod filter_cache;
mod golden;
mod golden_postings;
mod query;
mod ranked;
mod replica;
mod replica_model;
mod segment;
mod shard_concurrency;
mod shard_faults;
mod shard_history;
mod shard_maintain;
mod shard_model;
mod shards;
mod sorting;
