//! What shards know of terms: their best buckets, and how much may be missing from them.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::error::AggError;
use super::format::ValueFormat;
use super::hyperloglog::mix64;
use super::murmur::hash_bytes;
use super::order::{BucketOrder, OrderKey, compare_metrics, metric_of_partials};
use super::partial::{Finisher, Partial, merge_lists};
use super::request::AggRequest;
use super::result::{Bucket, BucketKeys, Buckets, Key, ResultBody};
use crate::schema::{f64_from_sortable, f64_to_sortable};

/// Buckets by term, ascending by key, all keys of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TermsPartial {
    pub kind: TermsKind,
    pub format: ValueFormat,
    pub buckets: Vec<TermBucket>,
    /// Documents of buckets that were left out.
    pub other: u64,
    /// How many documents a term may have more than is known, over all shards; `None` is unknown.
    pub error: Option<u64>,
    /// Shards that had the field.
    pub shards: u32,
    /// How the parts of [`TermKey::List`] are shown.
    pub formats: Vec<ValueFormat>,
    /// For `rare_terms`: hashes of terms that are not rare, ascending.
    pub common: Vec<u64>,
}

/// What kind of keys there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TermsKind {
    /// No shard had the field.
    #[default]
    Unmapped,
    Text,
    Long,
    Unsigned,
    Double,
    List,
}

/// A key that sorts as its values do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum TermKey {
    Text(Vec<u8>),
    Long(i64),
    Unsigned(u64),
    /// See [`f64_to_sortable`].
    Double(i64),
    /// The keys of `multi_terms`.
    List(Vec<TermKey>),
}

impl TermKey {
    fn as_double(&self) -> TermKey {
        TermKey::Double(match self {
            TermKey::Long(n) => f64_to_sortable(*n as f64),
            TermKey::Unsigned(n) => f64_to_sortable(*n as f64),
            TermKey::Double(bits) => *bits,
            TermKey::Text(_) | TermKey::List(_) => 0,
        })
    }

    /// A hash that is the same on every shard.
    pub fn hash64(&self) -> u64 {
        match self {
            TermKey::Text(bytes) => hash_bytes(bytes),
            TermKey::Long(n) | TermKey::Double(n) => mix64(*n as u64),
            TermKey::Unsigned(n) => mix64(*n),
            TermKey::List(keys) => keys.iter().fold(0, |hash, key| mix64(hash ^ key.hash64())),
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        match self {
            TermKey::Text(bytes) => bytes.len(),
            TermKey::Long(_) | TermKey::Unsigned(_) | TermKey::Double(_) => 0,
            TermKey::List(keys) => {
                let inner: usize = keys.iter().map(TermKey::heap_bytes).sum();
                inner + keys.len() * size_of::<TermKey>()
            }
        }
    }

    /// The key where there is no place for a text beside it: formatted where there is a format.
    pub fn formatted(&self, format: &ValueFormat) -> Key {
        match (self, format) {
            (TermKey::Long(n), ValueFormat::Boolean) => Key::Bool(*n != 0),
            _ => match self.shown(format) {
                (_, Some(text)) => Key::Str(text),
                (key, None) => key,
            },
        }
    }

    /// The key of `multi_terms` as shown, with its text.
    fn shown_parts(&self, formats: &[ValueFormat]) -> (Key, Option<String>) {
        let TermKey::List(parts) = self else {
            return self.shown(&ValueFormat::Raw);
        };
        let mut shown = Vec::with_capacity(parts.len());
        for (at, part) in parts.iter().enumerate() {
            shown.push(part.formatted(formats.get(at).unwrap_or(&ValueFormat::Raw)));
        }
        let key = Key::List(shown);
        let text = key.to_text();
        (key, Some(text))
    }

    /// The key as shown, with its text.
    pub fn shown(&self, format: &ValueFormat) -> (Key, Option<String>) {
        match self {
            TermKey::Text(bytes) => (Key::Str(format.term(bytes)), None),
            TermKey::Long(n) => (Key::I64(*n), format.whole(*n)),
            TermKey::Unsigned(n) => (Key::U64(*n), format.number(*n as f64)),
            TermKey::Double(bits) => {
                let value = f64_from_sortable(*bits);
                (Key::F64(value), format.number(value))
            }
            TermKey::List(_) => self.shown_parts(&[]),
        }
    }
}

/// One bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TermBucket {
    pub key: TermKey,
    pub doc_count: u64,
    /// The errors of those shards that gave this bucket: their part of the count is exact.
    pub exact: u64,
    pub sub: Vec<Partial>,
}

impl TermsPartial {
    pub fn merge(&mut self, mut other: TermsPartial) -> Result<(), AggError> {
        if other.kind == TermsKind::Unmapped {
            return Ok(());
        }
        if self.kind == TermsKind::Unmapped {
            *self = other;
            return Ok(());
        }
        let kind = common_kind(self.kind, other.kind)?;
        self.convert(kind);
        other.convert(kind);
        if self.format.is_raw() {
            self.format = other.format;
        }
        for (own, other) in self.formats.iter_mut().zip(other.formats) {
            if own.is_raw() {
                *own = other;
            }
        }
        self.common.extend(other.common);
        self.common.sort_unstable();
        self.common.dedup();
        self.other += other.other;
        self.shards += other.shards;
        self.error = self.error.zip(other.error).map(|(own, other)| own + other);
        let mut merged: Vec<TermBucket> =
            Vec::with_capacity(self.buckets.len().max(other.buckets.len()));
        let mut theirs = other.buckets.into_iter().peekable();
        for mut bucket in std::mem::take(&mut self.buckets) {
            while let Some(before) = theirs.next_if(|their| their.key < bucket.key) {
                merged.push(before);
            }
            while let Some(same) = theirs.next_if(|their| their.key == bucket.key) {
                bucket.doc_count += same.doc_count;
                bucket.exact += same.exact;
                merge_lists(&mut bucket.sub, same.sub)?;
            }
            merged.push(bucket);
        }
        merged.extend(theirs);
        self.buckets = merged;
        Ok(())
    }

    fn convert(&mut self, kind: TermsKind) {
        if self.kind == kind {
            return;
        }
        self.kind = kind;
        for bucket in &mut self.buckets {
            bucket.key = match (&bucket.key, kind) {
                (TermKey::Long(n), TermsKind::Unsigned) if *n >= 0 => TermKey::Unsigned(*n as u64),
                (key, TermsKind::Double) => key.as_double(),
                (key, _) => key.clone(),
            };
        }
        self.buckets.sort_by(|a, b| a.key.cmp(&b.key));
    }
}

fn common_kind(a: TermsKind, b: TermsKind) -> Result<TermsKind, AggError> {
    use TermsKind::{Double, List, Text, Unmapped};
    match (a, b) {
        (a, b) if a == b => Ok(a),
        (Unmapped, kind) | (kind, Unmapped) => Ok(kind),
        (Text | List, _) | (_, Text | List) => Err(AggError::Execution(
            "Merging/Reducing the aggregations failed when computing the aggregation because the field you gave in \
             the aggregation query existed as two different types in two different indices"
                .to_owned(),
        )),
        // negative longs have no unsigned form: meet as doubles
        _ => Ok(Double),
    }
}

/// The sort values of a bucket, or none where count and key are enough.
fn metrics_of(order: &[BucketOrder], request: &AggRequest, sub: &[Partial]) -> Vec<f64> {
    let mut values = Vec::new();
    for order in order {
        if let OrderKey::Metric { path, property } = &order.by {
            values.push(metric_of_partials(
                &request.sub,
                sub,
                path,
                property.as_deref(),
            ));
        }
    }
    values
}

/// Compares by the criteria, then by key ascending.
pub(crate) fn compare_buckets<K: Ord>(
    order: &[BucketOrder],
    a: (u64, &K, &[f64]),
    b: (u64, &K, &[f64]),
) -> Ordering {
    let mut metric = 0;
    for criterion in order {
        let found = match &criterion.by {
            OrderKey::Count if criterion.ascending => a.0.cmp(&b.0),
            OrderKey::Count => b.0.cmp(&a.0),
            OrderKey::Key if criterion.ascending => a.1.cmp(b.1),
            OrderKey::Key => b.1.cmp(a.1),
            OrderKey::Metric { .. } => {
                metric += 1;
                let value = |values: &[f64]| values.get(metric - 1).copied().unwrap_or(f64::NAN);
                compare_metrics(value(a.2), value(b.2), criterion.ascending)
            }
        };
        if found != Ordering::Equal {
            return found;
        }
    }
    a.1.cmp(b.1)
}

/// Whether sorting needs what the sub-aggregations know.
pub(crate) fn sorts_by_metric(order: &[BucketOrder]) -> bool {
    order
        .iter()
        .any(|order| matches!(order.by, OrderKey::Metric { .. }))
}

/// Leaves the first `size` buckets in the given order; adds the documents of the others to `other`. Whether there
/// were more than `size` is the answer.
pub(crate) fn keep_best(
    buckets: Vec<TermBucket>,
    size: usize,
    order: &[BucketOrder],
    request: &AggRequest,
    other: &mut u64,
) -> (Vec<TermBucket>, bool) {
    let by_metric = sorts_by_metric(order);
    let mut sortable: Vec<(Vec<f64>, TermBucket)> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        let metrics = if by_metric {
            metrics_of(order, request, &bucket.sub)
        } else {
            Vec::new()
        };
        sortable.push((metrics, bucket));
    }
    let compare = |a: &(Vec<f64>, TermBucket), b: &(Vec<f64>, TermBucket)| {
        compare_buckets(
            order,
            (a.1.doc_count, &a.1.key, &a.0),
            (b.1.doc_count, &b.1.key, &b.0),
        )
    };
    let cut = sortable.len() > size;
    if cut && size > 0 {
        sortable.select_nth_unstable_by(size - 1, compare);
    }
    for (_, dropped) in sortable.drain(size.min(sortable.len())..) {
        *other += dropped.doc_count;
    }
    sortable.sort_by(compare);
    (
        sortable.into_iter().map(|(_, bucket)| bucket).collect(),
        cut,
    )
}

/// How the answer is made.
pub(crate) struct Finish<'f> {
    pub request: &'f AggRequest,
    pub size: usize,
    pub min_doc_count: u64,
    pub order: &'f [BucketOrder],
    pub show_error: bool,
}

impl Finish<'_> {
    pub fn run(
        &self,
        partial: TermsPartial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let type_name = match partial.kind {
            TermsKind::Unmapped => "umterms",
            TermsKind::Text => "sterms",
            TermsKind::Long => "lterms",
            TermsKind::Unsigned => "ulterms",
            TermsKind::Double => "dterms",
            TermsKind::List => "multi_terms",
        };
        let mut other = partial.other;
        let mut buckets = partial.buckets;
        buckets.retain(|bucket| bucket.doc_count >= self.min_doc_count);
        let (buckets, _) = keep_best(buckets, self.size, self.order, self.request, &mut other);
        // one shard knows all there is to know
        let error = if partial.shards <= 1 {
            Some(0)
        } else {
            partial.error
        };
        let mut shown = Vec::with_capacity(buckets.len());
        for bucket in buckets {
            finisher.count_bucket()?;
            let aggs = finisher.list(&self.request.sub, bucket.sub)?;
            let (key, text) = match partial.kind {
                TermsKind::List => bucket.key.shown_parts(&partial.formats),
                _ => bucket.key.shown(&partial.format),
            };
            let mut result = Bucket::new(key, text, bucket.doc_count, aggs);
            if self.show_error {
                result.doc_count_error = Some(match error {
                    None => -1,
                    Some(error) => error.saturating_sub(bucket.exact) as i64,
                });
            }
            shown.push(result);
        }
        let body = ResultBody::Buckets(Buckets {
            keys: BucketKeys::Shown,
            doc_count_error_upper_bound: Some(error.map_or(-1, |error| error as i64)),
            sum_other_doc_count: Some(other),
            buckets: shown,
            ..Buckets::default()
        });
        Ok((type_name, body))
    }
}
