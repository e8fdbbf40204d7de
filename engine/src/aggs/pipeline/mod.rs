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
    for agg in in_order(sub)? {
        match &agg.kind {
            AggKind::Pipeline(PipelineAgg::Series(series)) => series.run(agg, buckets)?,
            AggKind::Pipeline(PipelineAgg::BucketSort(sort)) => sort.run(agg, buckets)?,
            _ => {}
        }
    }
    Ok(())
}

/// The pipelines of a list, each after those that it reads.
pub fn in_order(aggs: &[AggRequest]) -> Result<Vec<&AggRequest>, AggError> {
    let mut waiting: Vec<(&AggRequest, &PipelineAgg)> = Vec::new();
    for agg in aggs {
        if let AggKind::Pipeline(pipeline) = &agg.kind {
            waiting.push((agg, pipeline));
        }
    }
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|(_, pipeline)| {
            let reads = pipeline.reads();
            !waiting
                .iter()
                .any(|(other, _)| reads.contains(&other.name.as_str()))
        });
        let Some(ready) = ready else {
            return Err(AggError::IllegalArgument(format!(
                "Cyclical dependency found with pipeline aggregator [{}]",
                waiting[0].0.name
            )));
        };
        ordered.push(waiting.remove(ready).0);
    }
    Ok(ordered)
}

impl PipelineAgg {
    /// Names of the aggregations, beside it, that it reads first.
    fn reads(&self) -> Vec<&str> {
        let paths: Vec<&BucketsPath> = match self {
            PipelineAgg::BucketMetrics(agg) => vec![&agg.path],
            PipelineAgg::Series(agg) => vec![&agg.path],
            PipelineAgg::BucketSort(agg) => agg.sort.iter().map(|key| &key.path).collect(),
        };
        let names = paths.into_iter().filter_map(|path| path.names.first());
        names.map(String::as_str).collect()
    }
}

/// Runs what looks at aggregations beside it.
pub(crate) fn run_siblings(
    aggs: &[AggRequest],
    results: &mut Vec<AggResult>,
) -> Result<(), AggError> {
    for agg in in_order(aggs)? {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(name: &str, path: &str) -> AggRequest {
        let series = SeriesAgg {
            kind: SeriesKind::CumulativeSum,
            path: BucketsPath::parse(path),
            gaps: GapPolicy::Skip,
            format: None,
            unit_ms: None,
        };
        AggRequest::new(name, AggKind::Pipeline(PipelineAgg::Series(series)))
    }

    #[test]
    fn pipelines_run_after_what_they_read() {
        let aggs = [sums("c", "b"), sums("b", "a.value"), sums("a", "price")];
        let names: Vec<&str> = in_order(&aggs)
            .unwrap()
            .iter()
            .map(|agg| agg.name.as_str())
            .collect();
        assert_eq!(names, ["a", "b", "c"]);
        let circle = [sums("a", "b"), sums("b", "a")];
        let error = in_order(&circle).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Cyclical dependency found with pipeline aggregator [a]"
        );
    }
}
