//! Histograms over fields of ranges: a document counts in every bucket that one of its ranges reaches into.

use super::bucket_map::BucketMap;
use super::collector::{AggContext, Aggregator, Batch, Children, Held};
use super::error::AggError;
use super::histogram::take_buckets;
use super::histogram_partial::HistogramPartial;
use super::partial::Partial;
use super::request::{AggRequest, FieldSource};
use super::source::{TermSource, Values, unsupported_field};
use crate::schema::{FieldKind, FieldMapping, IndexSchema, range_ends};
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

/// Pushes to sub-aggregations between two looks at the memory account.
const PUSHES_MAX: usize = 1 << 16;

/// Both ends of a range, included.
pub(crate) type Ends = (i64, i64);

/// The buckets that a range reaches into.
pub(crate) trait RangeKeys {
    /// How many buckets there are from the one of the first end to the one of the last, or more than `most`.
    fn count(&self, ends: Ends, most: u64) -> u64;

    /// Their keys, ascending; of the first `count` of them.
    fn keys(&self, ends: Ends, count: u64, key: &mut dyn FnMut(i64));
}

/// The field of ranges that a histogram is asked for, if it is one; refuses what cannot go with it.
///
/// * `fits`: which ends the histogram has buckets for.
pub(crate) fn range_field<'s>(
    source: &FieldSource,
    schema: &'s IndexSchema,
    agg: &str,
    fits: &[FieldKind],
) -> Result<Option<&'s FieldMapping>, SearchError> {
    let Some(field) = schema.mapping.field(&source.field) else {
        return Ok(None);
    };
    let Some(ends) = field.range_ends() else {
        return Ok(None);
    };
    if !fits.contains(&ends) || !field.has_doc_values() {
        return Err(unsupported_field(schema, &source.field, agg));
    }
    if source.missing.is_some() {
        return Err(SearchError::illegal(format!(
            "[missing] is not supported on field [{}] of type [{}]",
            field.path(),
            field.type_name()
        )));
    }
    Ok(Some(field))
}

/// Collects a histogram over ranges.
pub(crate) struct RangeHistogram<'a, K> {
    source: TermSource,
    keys: K,
    nothing: HistogramPartial,
    buckets_max: u64,
    term: Vec<u8>,
    buckets: BucketMap<i64>,
    children: Children<'a>,
    held: Held<'a>,
}

impl<'a, K: RangeKeys + 'a> RangeHistogram<'a, K> {
    pub fn boxed(
        field: &FieldMapping,
        keys: K,
        nothing: HistogramPartial,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        Ok(Box::new(RangeHistogram {
            source: TermSource::of_ranges(field.path()),
            keys,
            nothing,
            buckets_max: ctx.search.max_buckets,
            term: Vec::new(),
            buckets: BucketMap::new(),
            children: Children::new(&request.sub, ctx)?,
            held: Held::new(ctx.search),
        }))
    }

    /// The ranges of a batch: rows, ascending, and ends.
    fn load(&mut self, batch: &Batch<'_>) -> Result<Vec<(u32, Ends)>, SearchError> {
        let Values { rows, values, .. } = self.source.load(batch.docs);
        let rows: Vec<(u32, u64)> = rows
            .iter()
            .zip(values)
            .map(|(row, ord)| (*row, *ord as u64))
            .collect();
        let mut ranges = Vec::with_capacity(rows.len());
        let mut last = None;
        for (row, ord) in rows {
            // neighbours are often alike
            let ends = match last {
                Some((known, ends)) if known == ord => ends,
                _ => {
                    self.source.term(ord, &mut self.term)?;
                    range_ends(&self.term).ok_or_else(|| {
                        SearchError::illegal("a range in the index has no two ends")
                    })?
                }
            };
            last = Some((ord, ends));
            ranges.push((row, ends));
        }
        Ok(ranges)
    }
}

impl<'a, K: RangeKeys + 'a> Aggregator for RangeHistogram<'a, K> {
    fn needs_scores(&self) -> bool {
        self.children.needs_scores()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.source.begin_segment(segment)?;
        self.children.begin_segment(ord, segment)
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        let mut pushes = 0;
        // of several ranges of a document, which come by their first end, a bucket counts once
        let mut before: Option<(u32, i64)> = None;
        for (row, ends) in self.load(batch)? {
            let count = self.keys.count(ends, self.buckets_max);
            if count > self.buckets_max {
                let (limit, found) = (self.buckets_max, count);
                return Err(AggError::TooManyBuckets { limit, found }.refuse());
            }
            let counted = before
                .filter(|(known, _)| *known == row)
                .map(|(_, key)| key);
            if before.is_some() && counted.is_none() && pushes > PUSHES_MAX {
                self.buckets.account(&mut self.held)?;
                self.children.flush()?;
                pushes = 0;
            }
            let owner = batch.owner(row as usize);
            let mut last = counted;
            let (buckets, children) = (&mut self.buckets, &mut self.children);
            self.keys.keys(ends, count, &mut |key| {
                if last.is_some_and(|last| key <= last) {
                    return;
                }
                let bucket = buckets.bucket(owner, &key, 0, |key| *key);
                buckets.counts[bucket as usize] += 1;
                children.push(batch, row as usize, bucket);
                last = Some(key);
            });
            pushes += count as usize;
            before = last.map(|key| (row, key)).or(before);
        }
        self.buckets.account(&mut self.held)?;
        self.children.flush()
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let mut partial = self.nothing.clone();
        partial.buckets = take_buckets(&mut self.buckets, &mut self.children, owner)?;
        Ok(Partial::Histogram(partial))
    }
}
