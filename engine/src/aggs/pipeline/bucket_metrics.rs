//! `avg_bucket`, `sum_bucket`, `min_bucket`, `max_bucket`, `stats_bucket`, `extended_stats_bucket`,
//! `percentiles_bucket`: one answer of the numbers in a sibling's buckets.

use serde::{Deserialize, Serialize};

use super::buckets_path::{BucketsPath, GapPolicy};
use crate::aggs::error::AggError;
use crate::aggs::format::ValueFormat;
use crate::aggs::metric_partial::MetricPartial;
use crate::aggs::request::AggRequest;
use crate::aggs::result::{
    AggResult, Bucket, ExtendedStatsResult, PercentileEntry, ResultBody, StatsResult,
};

/// One answer of all buckets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketMetricsAgg {
    /// Which.
    pub metric: BucketMetric,
    /// Way to the buckets and the number in them.
    pub path: BucketsPath,
    /// What is done about buckets without a number.
    pub gaps: GapPolicy,
    /// How numbers are shown.
    pub format: Option<String>,
}

/// What is made of the numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum BucketMetric {
    Avg,
    Sum,
    Min,
    Max,
    Stats,
    ExtendedStats { sigma: f64 },
    Percentiles { percents: Vec<f64>, keyed: bool },
}

impl BucketMetricsAgg {
    pub(super) fn run(
        &self,
        request: &AggRequest,
        siblings: &[AggResult],
    ) -> Result<(&'static str, ResultBody), AggError> {
        let buckets = self.buckets(request, siblings)?;
        let mut partial = MetricPartial {
            format: ValueFormat::decimal(self.format.as_deref()).unwrap_or_default(),
            ..MetricPartial::default()
        };
        let mut numbers = Vec::with_capacity(buckets.len());
        for (bucket, depth) in buckets {
            if let Some(value) = self.path.number(bucket, depth, self.gaps)? {
                let moments = &mut partial.moments;
                moments.count += 1;
                moments.sum.add(value);
                moments.squares.add(value * value);
                moments.min = moments.min.min(value);
                moments.max = moments.max.max(value);
                numbers.push((value, bucket));
            }
        }
        let moments = &partial.moments;
        Ok(match &self.metric {
            BucketMetric::Avg => ("simple_value", partial.shown(moments.avg())),
            BucketMetric::Sum => ("simple_value", partial.shown(Some(moments.sum.value()))),
            BucketMetric::Min => (
                "bucket_metric_value",
                best(&partial, moments.min(), &numbers),
            ),
            BucketMetric::Max => (
                "bucket_metric_value",
                best(&partial, moments.max(), &numbers),
            ),
            BucketMetric::Stats => ("stats_bucket", ResultBody::Stats(StatsResult::of(&partial))),
            BucketMetric::ExtendedStats { sigma } => (
                "extended_stats_bucket",
                ResultBody::ExtendedStats(ExtendedStatsResult::of(&partial, *sigma)),
            ),
            BucketMetric::Percentiles { percents, keyed } => {
                let mut sorted: Vec<f64> = numbers.iter().map(|(value, _)| *value).collect();
                sorted.sort_by(f64::total_cmp);
                let mut values = Vec::with_capacity(percents.len());
                for &key in percents {
                    let value = nearest_rank(&sorted, key);
                    let text = value.and_then(|value| partial.format.number(value));
                    values.push(PercentileEntry { key, value, text });
                }
                (
                    "percentiles_bucket",
                    ResultBody::Percentiles {
                        keyed: *keyed,
                        values,
                    },
                )
            }
        })
    }

    /// The buckets at the path's beginning, with how many of its names led there.
    fn buckets<'r>(
        &self,
        request: &AggRequest,
        siblings: &'r [AggResult],
    ) -> Result<Vec<(&'r Bucket, usize)>, AggError> {
        let mut level = siblings;
        for (depth, name) in self.path.names.iter().enumerate() {
            let Some(agg) = level.iter().find(|agg| agg.name == *name) else {
                break;
            };
            match &agg.body {
                ResultBody::Buckets(buckets) => {
                    return Ok(buckets
                        .buckets
                        .iter()
                        .map(|bucket| (bucket, depth + 1))
                        .collect());
                }
                ResultBody::Single { aggs, .. } => level = aggs,
                _ => break,
            }
        }
        let first = self.path.names.first().map_or("", String::as_str);
        Err(AggError::IllegalArgument(format!(
            "The first aggregation in the buckets path of [{}] must be a multi-bucket aggregation beside it, but \
             [{first}] is none",
            request.name
        )))
    }
}

fn best(partial: &MetricPartial, value: Option<f64>, numbers: &[(f64, &Bucket)]) -> ResultBody {
    let mut keys = Vec::new();
    for (number, bucket) in numbers {
        if Some(*number) == value {
            keys.push(bucket.name());
        }
    }
    ResultBody::BucketValue {
        value,
        text: value.and_then(|value| partial.format.number(value)),
        keys,
    }
}

/// The number at a percentage of a sorted list, without interpolation.
fn nearest_rank(sorted: &[f64], percent: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let index = ((percent / 100.0) * last as f64).round() as usize;
    Some(sorted[index.min(last)])
}
