//! The engine: one shard's index on one disk.
//!
//! No network, no async runtime. JSON is known in two rooms only: [`document`], where a `_source` becomes
//! fields, and [`schema`], where a mapping is read and shown.

pub mod aggs;
pub mod analysis;
#[doc(hidden)]
pub mod bench_api;
pub mod buffer;
pub mod directory;
pub mod document;
pub mod exec;
mod format;
pub mod geo;
pub mod ids;
pub mod inspect;
mod lent;
pub mod query;
pub mod random;
pub mod schema;
pub mod search;
pub mod segment;
pub mod shard;
pub mod simd;
pub mod translog;
pub mod value;
pub mod writer;
