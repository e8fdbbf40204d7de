//! How queries run: planned against a shard, then executed segment by segment in windows of 4096 documents.

mod explanation;

pub use explanation::Explanation;
