//! Aggregations: numbers and buckets over the documents that a query finds.
//!
//! A request is a tree of [`AggRequest`]. On a shard, [`collector`] turns it into an [`AggCollector`], which takes
//! windows of matching documents and ends as [`AggPartials`]: what one shard knows, mergeable in any order and any
//! grouping. The coordinator merges the partials of all shards and calls [`AggPartials::finish`], which gives the
//! final [`AggResult`]s and runs the pipeline aggregations.
//!
//! To add one: a file here with the request's struct and its `Aggregation`, a variant of [`AggKind`], and a row in the
//! parser's table.

pub mod adjacency_matrix;
mod aggregation;
pub mod auto_date_histogram;
pub mod avg;
mod bucket_map;
mod bucket_table;
pub mod cardinality;
mod collector;
pub mod composite;
mod composite_partial;
mod counting;
pub mod date_histogram;
pub mod date_range;
mod decimal_format;
mod deferred;
mod digest_partial;
mod error;
pub mod extended_stats;
pub mod filter;
pub mod filters;
mod format;
pub mod geo_distance;
pub mod geo_extent;
pub mod geo_grid;
pub mod geo_source;
pub mod global;
mod hdr;
pub mod histogram;
mod histogram_partial;
mod hyperloglog;
pub mod include_exclude;
pub mod ip_range;
mod key_reader;
#[cfg(test)]
mod laws;
mod loaded;
pub mod max;
pub mod median_absolute_deviation;
mod metric_partial;
pub mod min;
pub mod missing;
mod moments;
pub mod multi_terms;
mod murmur;
mod order;
mod partial;
pub mod percentile_ranks;
pub mod percentiles;
pub mod pipeline;
pub mod range;
mod range_histogram;
mod range_partial;
pub mod rare_terms;
mod request;
mod result;
mod rounding;
pub mod significance;
pub mod significant_terms;
mod single_bucket;
mod source;
pub mod stats;
mod steps;
pub mod sum;
mod tdigest;
mod tdigest_merge;
pub mod terms;
mod terms_partial;
mod terms_tally;
pub mod top_hits;
mod top_hits_sort;
pub mod value_count;
pub mod weighted_avg;

pub use collector::{AggCollector, collector};
pub(crate) use decimal_format::DecimalFormat;
pub use digest_partial::DigestMethod;
pub use error::AggError;
pub use format::{ValueFormat, java_double};
pub use order::{BucketOrder, OrderKey};
pub use partial::AggPartials;
pub use request::{AggKind, AggRequest, FieldSource, ValueType};
pub use result::{
    AggResult, Bucket, BucketKeys, Buckets, ExtendedStatsResult, Key, PercentileEntry, ResultBody,
    StatsResult,
};
pub use rounding::{CalendarUnit, Interval};

/// Whether a time zone is known: an IANA name or an offset.
pub fn is_time_zone(text: &str) -> bool {
    rounding::parse_zone(text).is_some()
}

/// Buckets that one request may make when nobody set `search.max_buckets`.
pub const MAX_BUCKETS_DEFAULT: u64 = 65_535;
