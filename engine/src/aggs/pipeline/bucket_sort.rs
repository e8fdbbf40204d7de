//! `bucket_sort`: sorts the buckets that it stands in, and cuts pages out of them.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::buckets_path::{BucketsPath, GapPolicy};
use crate::aggs::error::AggError;
use crate::aggs::order::compare_metrics;
use crate::aggs::request::AggRequest;
use crate::aggs::result::{Bucket, Buckets};

/// The order of the parent's buckets, and which of them stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketSortAgg {
    /// One after the other; empty: only cut.
    pub sort: Vec<BucketSortKey>,
    /// Buckets to skip.
    pub from: usize,
    /// Buckets to keep; `None`: all.
    pub size: Option<usize>,
    /// What is done about buckets without a number.
    pub gaps: GapPolicy,
}

/// One criterion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketSortKey {
    /// Way to the number inside a bucket, or `_key`.
    pub path: BucketsPath,
    /// Smallest first.
    pub ascending: bool,
}

impl BucketSortAgg {
    pub(super) fn run(&self, _request: &AggRequest, buckets: &mut Buckets) -> Result<(), AggError> {
        let mut keyed: Vec<(Vec<f64>, Bucket)> = Vec::with_capacity(buckets.buckets.len());
        for bucket in std::mem::take(&mut buckets.buckets) {
            let mut values = Vec::with_capacity(self.sort.len());
            for key in &self.sort {
                values.push(key.path.number(&bucket, 0, self.gaps)?.unwrap_or(f64::NAN));
            }
            // a bucket without any of the numbers goes
            if self.sort.is_empty() || self.has_value(&values) {
                keyed.push((values, bucket));
            }
        }
        keyed.sort_by(|a, b| self.compare(a, b));
        let kept = keyed
            .into_iter()
            .skip(self.from)
            .take(self.size.unwrap_or(usize::MAX));
        buckets.buckets = kept.map(|(_, bucket)| bucket).collect();
        Ok(())
    }

    fn has_value(&self, values: &[f64]) -> bool {
        let textual = self.sort.iter().any(BucketSortKey::is_key);
        textual || values.iter().any(|value| !value.is_nan())
    }

    fn compare(&self, a: &(Vec<f64>, Bucket), b: &(Vec<f64>, Bucket)) -> Ordering {
        for (i, key) in self.sort.iter().enumerate() {
            let found = if key.is_key() && a.1.key.to_f64().is_none() {
                let order = a.1.key.to_text().cmp(&b.1.key.to_text());
                if key.ascending {
                    order
                } else {
                    order.reverse()
                }
            } else {
                compare_metrics(a.0[i], b.0[i], key.ascending)
            };
            if found != Ordering::Equal {
                return found;
            }
        }
        Ordering::Equal
    }
}

impl BucketSortKey {
    fn is_key(&self) -> bool {
        self.path.names == ["_key"]
    }
}
