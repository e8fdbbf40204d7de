//! One shard: its segments, buffer and translog behind one door.

mod reader;

pub use reader::{SegmentSnapshot, ShardReader};
