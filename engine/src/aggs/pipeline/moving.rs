//! `derivative`, `cumulative_sum`, `serial_diff`: a value in each bucket, made of the buckets up to it.

use serde::{Deserialize, Serialize};

use super::buckets_path::{BucketsPath, GapPolicy};
use crate::aggs::error::AggError;
use crate::aggs::format::ValueFormat;
use crate::aggs::request::AggRequest;
use crate::aggs::result::{AggResult, Buckets, ResultBody};

/// A value in each bucket of the parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesAgg {
    /// Which.
    pub kind: SeriesKind,
    /// Way to the number inside a bucket.
    pub path: BucketsPath,
    /// What is done about buckets without a number.
    pub gaps: GapPolicy,
    /// How numbers are shown.
    pub format: Option<String>,
    /// Of a derivative of dates: milliseconds of the unit in which it is given too.
    pub unit_ms: Option<f64>,
}

/// What is made of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum SeriesKind {
    /// The difference to the bucket before.
    Derivative,
    /// The sum of all up to here.
    CumulativeSum,
    /// The difference to the bucket so many before, at least 1.
    SerialDiff(usize),
}

impl SeriesAgg {
    pub(super) fn run(&self, request: &AggRequest, buckets: &mut Buckets) -> Result<(), AggError> {
        let format = ValueFormat::decimal(self.format.as_deref()).unwrap_or_default();
        let mut seen: Vec<Option<f64>> = Vec::with_capacity(buckets.buckets.len());
        let mut sum = 0.0;
        let mut last: Option<f64> = None;
        let mut last_key: Option<f64> = None;
        for bucket in &mut buckets.buckets {
            let number = self.path.number(bucket, 0, self.gaps)?;
            let value = match self.kind {
                SeriesKind::CumulativeSum => {
                    sum += number.unwrap_or(0.0);
                    Some(sum)
                }
                SeriesKind::Derivative => number
                    .zip(last)
                    .map(|(number, last): (f64, f64)| number - last),
                SeriesKind::SerialDiff(lag) => {
                    let before = seen.len().checked_sub(lag).and_then(|at| seen[at]);
                    number.zip(before).map(|(number, before)| number - before)
                }
            };
            seen.push(number);
            last = number.or(last);
            let key = bucket.key.to_f64();
            let units = match (self.unit_ms, key, last_key) {
                (Some(unit), Some(key), Some(before)) => Some((key - before) / unit),
                _ => None,
            };
            last_key = key;
            if let Some(value) = value {
                bucket.aggs.push(AggResult {
                    name: request.name.clone(),
                    type_name: match self.kind {
                        SeriesKind::Derivative => "derivative",
                        SeriesKind::CumulativeSum | SeriesKind::SerialDiff(_) => "simple_value",
                    },
                    meta: request.meta.clone(),
                    body: ResultBody::Derivative {
                        value,
                        text: format.number(value),
                        normalized: units.map(|units| value / units),
                    },
                });
            }
        }
        Ok(())
    }
}
