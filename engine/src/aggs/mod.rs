//! Aggregations: numbers and buckets over the documents that a query finds.
//!
//! A request is a tree of [`AggRequest`]. On a shard, a collector takes windows of matching documents and ends as
//! [`AggPartials`]: what one shard knows, mergeable in any order and any grouping. The coordinator merges the
//! partials of all shards and calls [`AggPartials::finish`], which gives the final [`AggResult`]s and runs the
//! pipeline aggregations.

mod error;
mod order;

pub use error::AggError;
pub use order::{BucketOrder, OrderKey};
use serde::{Deserialize, Serialize};

/// Buckets that one request may make when nobody set `search.max_buckets`.
pub const MAX_BUCKETS_DEFAULT: u64 = 65_535;

/// One aggregation with its sub-aggregations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AggRequest {
    /// The name under which the answer stands.
    pub name: String,
    /// Which aggregation, with its parameters.
    pub kind: AggKind,
    /// What is computed in each of its buckets.
    pub sub: Vec<AggRequest>,
    /// `meta`, as JSON text, given back as it came.
    pub meta: Option<String>,
}

/// Every aggregation there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AggKind {}

/// What shards know: one partial per request of the list it was collected for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AggPartials(Vec<()>);

/// What one aggregation answers.
#[derive(Clone, Debug, PartialEq)]
pub struct AggResult {
    /// The name its author gave.
    pub name: String,
}

#[allow(clippy::todo)]
impl AggPartials {
    /// What shards know that found nothing.
    pub fn empty(_aggs: &[AggRequest]) -> AggPartials {
        todo!()
    }

    /// Joins what two groups of shards know.
    pub fn merge(self, _other: AggPartials) -> Result<AggPartials, AggError> {
        todo!()
    }

    /// The final answers; `max_buckets` is the cluster setting `search.max_buckets`.
    pub fn finish(
        self,
        _aggs: &[AggRequest],
        _max_buckets: u64,
    ) -> Result<Vec<AggResult>, AggError> {
        todo!()
    }
}
