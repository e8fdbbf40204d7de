//! Pipeline aggregations: numbers made of the answers of other aggregations, after all shards were merged.
//!
//! Siblings look at the buckets of an aggregation beside them (`avg_bucket`); the others add to each bucket of the
//! aggregation that they stand in (`derivative`), or sort and cut its buckets (`bucket_sort`).

mod bucket_metrics;
mod bucket_sort;
mod buckets_path;
mod moving;

use serde::{Deserialize, Serialize};

pub use bucket_metrics::{BucketMetric, BucketMetricsAgg};
pub use bucket_sort::{BucketSortAgg, BucketSortKey};
pub use buckets_path::{BucketsPath, GapPolicy};
pub use moving::{SeriesAgg, SeriesKind};

use super::error::AggError;
use super::request::{AggKind, AggRequest};
use super::result::{AggResult, ResultBody};

/// Every pipeline aggregation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PipelineAgg {
    /// `avg_bucket`, `sum_bucket`, …: one answer of all buckets of a sibling.
    BucketMetrics(BucketMetricsAgg),
    /// `derivative`, `cumulative_sum`, `serial_diff`: one value in each bucket of the parent.
    Series(SeriesAgg),
    /// `bucket_sort`: the order of the parent's buckets.
    BucketSort(BucketSortAgg),
}

/// Runs what stands in the buckets of an answer and works on all of them.
pub(crate) fn run_in_buckets(sub: &[AggRequest], body: &mut ResultBody) -> Result<(), AggError> {
    let ResultBody::Buckets(buckets) = body else {
        return Ok(());
    };
    for agg in sub {
        match &agg.kind {
            AggKind::Pipeline(PipelineAgg::Series(series)) => series.run(agg, buckets)?,
            AggKind::Pipeline(PipelineAgg::BucketSort(sort)) => sort.run(agg, buckets)?,
            _ => {}
        }
    }
    Ok(())
}

/// Runs what looks at aggregations beside it.
pub(crate) fn run_siblings(
    aggs: &[AggRequest],
    results: &mut Vec<AggResult>,
) -> Result<(), AggError> {
    for agg in aggs {
        if let AggKind::Pipeline(PipelineAgg::BucketMetrics(metrics)) = &agg.kind {
            let (type_name, body) = metrics.run(agg, results)?;
            results.push(AggResult {
                name: agg.name.clone(),
                type_name,
                meta: agg.meta.clone(),
                body,
            });
        }
    }
    Ok(())
}
