//! What `histogram` and `date_histogram` share: buckets by a number that values are rounded down to.

use serde::{Deserialize, Serialize};

use super::error::AggError;
use super::format::ValueFormat;
use super::order::{BucketOrder, sort_buckets};
use super::partial::{Finisher, Partial, empty_list, merge_lists};
use super::request::AggRequest;
use super::result::{Bucket, BucketKeys, Buckets, Key, ResultBody};

/// Buckets ascending by key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HistogramPartial {
    pub buckets: Vec<HistogramBucket>,
    pub format: ValueFormat,
    /// Where buckets are wanted although they may be empty: keys of the first and the last.
    pub extended: Option<(Option<i64>, Option<i64>)>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HistogramBucket {
    /// Milliseconds of a date; of a number the bits in order, see [`f64_to_sortable`](crate::schema::f64_to_sortable).
    pub key: i64,
    pub doc_count: u64,
    pub sub: Vec<Partial>,
}

impl HistogramPartial {
    pub fn merge(&mut self, other: HistogramPartial) -> Result<(), AggError> {
        if self.format.is_raw() {
            self.format = other.format;
        }
        self.extended = match (self.extended, other.extended) {
            (Some(own), Some(other)) => Some((min_of(own.0, other.0), max_of(own.1, other.1))),
            (own, other) => own.or(other),
        };
        let mut merged: Vec<HistogramBucket> =
            Vec::with_capacity(self.buckets.len().max(other.buckets.len()));
        let mut theirs = other.buckets.into_iter().peekable();
        for mut bucket in std::mem::take(&mut self.buckets) {
            while let Some(before) = theirs.next_if(|their| their.key < bucket.key) {
                merged.push(before);
            }
            while let Some(same) = theirs.next_if(|their| their.key == bucket.key) {
                bucket.doc_count += same.doc_count;
                merge_lists(&mut bucket.sub, same.sub)?;
            }
            merged.push(bucket);
        }
        merged.extend(theirs);
        self.buckets = merged;
        Ok(())
    }
}

fn min_of(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.into_iter().chain(b).min()
}

fn max_of(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.into_iter().chain(b).max()
}

/// Shows a key: as it is, and as text.
pub(crate) type ShowKey = dyn Fn(i64, &ValueFormat) -> (Key, Option<String>);

/// How the answer is made.
pub(crate) struct Finish<'f> {
    pub request: &'f AggRequest,
    pub min_doc_count: u64,
    pub order: &'f [BucketOrder],
    pub keyed: bool,
    /// The key as shown, with its text.
    pub show: &'f ShowKey,
    /// The key after a key; later, or the last one again at the end of numbers.
    pub next: &'f dyn Fn(i64) -> i64,
}

impl Finish<'_> {
    pub fn run(
        &self,
        partial: HistogramPartial,
        finisher: &mut Finisher,
    ) -> Result<ResultBody, AggError> {
        let format = partial.format;
        let mut buckets = Vec::with_capacity(partial.buckets.len());
        let mut next_wanted = None;
        let mut last_wanted = None;
        if self.min_doc_count == 0 {
            let (first, last) = partial.extended.unwrap_or((None, None));
            next_wanted = first;
            last_wanted = last;
            if let Some(last) = last
                && partial.buckets.is_empty()
                && first.is_none()
            {
                next_wanted = Some(last);
            }
        }
        for bucket in partial.buckets {
            if self.min_doc_count == 0 {
                self.fill(&mut buckets, next_wanted, bucket.key, &format, finisher)?;
                next_wanted = Some((self.next)(bucket.key));
            }
            if bucket.doc_count >= self.min_doc_count {
                finisher.count_bucket()?;
                let aggs = finisher.list(&self.request.sub, bucket.sub)?;
                let (key, text) = (self.show)(bucket.key, &format);
                buckets.push(Bucket::new(key, text, bucket.doc_count, aggs));
            }
        }
        if let Some(last) = last_wanted {
            self.fill(
                &mut buckets,
                next_wanted,
                last.saturating_add(1),
                &format,
                finisher,
            )?;
        }
        sort_buckets(&mut buckets, self.order);
        Ok(ResultBody::Buckets(Buckets {
            keyed: self.keyed,
            keys: BucketKeys::Shown,
            buckets,
            ..Buckets::default()
        }))
    }

    /// Adds empty buckets from a key up to, not including, another.
    fn fill(
        &self,
        buckets: &mut Vec<Bucket>,
        from: Option<i64>,
        to: i64,
        format: &ValueFormat,
        finisher: &mut Finisher,
    ) -> Result<(), AggError> {
        let Some(mut key) = from else {
            return Ok(());
        };
        while key < to {
            finisher.count_bucket()?;
            let aggs = finisher.list(&self.request.sub, empty_list(&self.request.sub))?;
            let (shown, text) = (self.show)(key, format);
            buckets.push(Bucket::new(shown, text, 0, aggs));
            let next = (self.next)(key);
            if next <= key {
                break;
            }
            key = next;
        }
        Ok(())
    }
}
