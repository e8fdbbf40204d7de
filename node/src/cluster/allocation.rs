//! Which node takes a shard copy.
