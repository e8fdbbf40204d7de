//! What `range`, `date_range`, `ip_range` and `filters` share: buckets that are known from the request.

use serde::{Deserialize, Serialize};

use super::collector::{AggContext, Aggregator, Batch, Children, Held};
use super::counting::count_each;
use super::error::AggError;
use super::format::{ValueFormat, java_double};
use super::partial::{Finisher, Partial, empty_list, merge_lists};
use super::request::AggRequest;
use super::result::{Bucket, BucketKeys, Buckets, Key, ResultBody};
use super::source::Source;
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;
use crate::simd::columns::kernels;

/// Buckets in the order of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RangePartial {
    pub buckets: Vec<RangeBucket>,
    /// Whether the shard knew the field: its texts are better then.
    pub mapped: bool,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RangeBucket {
    pub key: String,
    pub from: Option<RangeEnd>,
    pub to: Option<RangeEnd>,
    pub doc_count: u64,
    pub sub: Vec<Partial>,
}

/// A bound as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum RangeEnd {
    /// With its `from_as_string` or `to_as_string`.
    Number(f64, Option<String>),
    Text(String),
}

impl RangeEnd {
    fn shown(self) -> (Key, Option<String>) {
        match self {
            RangeEnd::Number(value, text) => (Key::F64(value), text),
            RangeEnd::Text(text) => (Key::Str(text), None),
        }
    }
}

impl RangeBucket {
    /// An empty bucket between two numbers; the key is made of them if there is none.
    pub fn of_numbers(
        key: Option<&str>,
        from: Option<f64>,
        to: Option<f64>,
        format: &ValueFormat,
        request: &AggRequest,
    ) -> RangeBucket {
        let text = |end: Option<f64>| match end {
            None => "*".to_owned(),
            Some(value) => format.number(value).unwrap_or_else(|| java_double(value)),
        };
        RangeBucket {
            key: key.map_or_else(|| format!("{}-{}", text(from), text(to)), str::to_owned),
            from: from.map(|value| RangeEnd::Number(value, format.number(value))),
            to: to.map(|value| RangeEnd::Number(value, format.number(value))),
            doc_count: 0,
            sub: empty_list(&request.sub),
        }
    }
}

impl RangePartial {
    pub fn merge(&mut self, mut other: RangePartial) -> Result<(), AggError> {
        if self.buckets.len() != other.buckets.len() {
            return Err(AggError::Execution(format!(
                "shards answered {} and {} buckets of the same ranges",
                self.buckets.len(),
                other.buckets.len()
            )));
        }
        if other.mapped && !self.mapped {
            std::mem::swap(self, &mut other);
        }
        for (own, other) in self.buckets.iter_mut().zip(other.buckets) {
            own.doc_count += other.doc_count;
            merge_lists(&mut own.sub, other.sub)?;
        }
        Ok(())
    }

    /// The answer of ranges.
    pub fn finish(
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
        keyed: bool,
        keys: BucketKeys,
    ) -> Result<ResultBody, AggError> {
        let Partial::Ranges(partial) = partial else {
            return Err(partial.mismatch(request));
        };
        let mut buckets = Vec::with_capacity(partial.buckets.len());
        for bucket in partial.buckets {
            finisher.count_bucket()?;
            let aggs = finisher.list(&request.sub, bucket.sub)?;
            buckets.push(Bucket {
                from: bucket.from.map(RangeEnd::shown),
                to: bucket.to.map(RangeEnd::shown),
                ..Bucket::new(Key::Str(bucket.key), None, bucket.doc_count, aggs)
            });
        }
        Ok(ResultBody::Buckets(Buckets {
            keyed,
            keys,
            buckets,
            ..Buckets::default()
        }))
    }
}

/// What a range holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Limits {
    /// From the first, inclusive, to the second, exclusive.
    Numbers(f64, f64),
    /// The same for terms; `None` is open.
    Terms(Option<Vec<u8>>, Option<Vec<u8>>),
}

impl Limits {
    fn holds_term(&self, term: &[u8]) -> bool {
        match self {
            Limits::Numbers(..) => false,
            Limits::Terms(from, to) => {
                from.as_deref().is_none_or(|from| from <= term)
                    && to.as_deref().is_none_or(|to| term < to)
            }
        }
    }
}

/// Collects ranges of one field.
pub(crate) struct RangeAggregator<'a> {
    source: Source,
    limits: Vec<Limits>,
    empty: RangePartial,
    /// The limits as numbers: of values, or of the segment's ordinals.
    bounds: Vec<(f64, f64)>,
    /// Counts by owner and range.
    counts: Vec<u64>,
    /// The ranges between each two neighbouring bounds, where no two ranges overlap.
    regions: Option<Regions>,
    places: Vec<u32>,
    /// Row and round in which each range last took a document, so that it counts once per document.
    taken: Vec<u64>,
    children: Children<'a>,
    held: Held<'a>,
}

impl<'a> RangeAggregator<'a> {
    /// `limits` and the buckets of `empty` go together, one by one.
    pub fn boxed(
        source: Source,
        limits: Vec<Limits>,
        empty: RangePartial,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        Ok(Box::new(RangeAggregator {
            source,
            bounds: Vec::with_capacity(limits.len()),
            regions: Regions::of(&limits),
            places: Vec::new(),
            taken: vec![u64::MAX; limits.len()],
            limits,
            empty,
            counts: Vec::new(),
            children: Children::new(&request.sub, ctx)?,
            held: Held::new(ctx.search),
        }))
    }
}

/// Bounds in order, and which range lies behind each.
struct Regions {
    bounds: Vec<f64>,
    /// One more than bounds; [`NO_RANGE`] where there is none.
    ranges: Vec<u32>,
}

const NO_RANGE: u32 = u32::MAX;
/// Bounds up to which comparing with each is faster than a search.
const BOUNDS_MAX: usize = 32;

impl Regions {
    /// The regions of ranges of numbers that ascend without overlapping.
    fn of(limits: &[Limits]) -> Option<Regions> {
        let mut regions = Regions {
            bounds: Vec::new(),
            ranges: vec![NO_RANGE],
        };
        let mut end = f64::NEG_INFINITY;
        for (range, limits) in limits.iter().enumerate() {
            let Limits::Numbers(from, to) = *limits else {
                return None;
            };
            if from.is_nan() || to.is_nan() || from < end || to <= from {
                return None;
            }
            if range > 0 && from == end {
                regions.ranges.pop();
            } else {
                regions.bounds.push(from);
            }
            regions.bounds.push(to);
            regions.ranges.extend([range as u32, NO_RANGE]);
            end = to;
        }
        (regions.bounds.len() <= BOUNDS_MAX).then_some(regions)
    }
}

impl RangeAggregator<'_> {
    /// Takes the documents of a batch where each has one number; whether it did.
    fn collect_each(&mut self, batch: &Batch<'_>) -> Result<bool, SearchError> {
        let (Some(regions), Source::Numeric(source)) = (&self.regions, &mut self.source) else {
            return Ok(false);
        };
        let loaded = source.load_f64(batch.docs);
        if !loaded.each {
            return Ok(false);
        }
        self.places.resize(loaded.values.len(), 0);
        (kernels().rank)(loaded.values, &regions.bounds, &mut self.places);
        let ranges = self.limits.len() as u32;
        let mut all_inside = true;
        for (row, place) in self.places.iter_mut().enumerate() {
            let range = regions.ranges[*place as usize];
            all_inside &= range != NO_RANGE;
            *place = match range {
                NO_RANGE => NO_RANGE,
                _ => batch.owner(row) * ranges + range,
            };
        }
        if all_inside {
            count_each(&self.places, &mut self.counts);
            if !self.children.is_empty() {
                self.children.pass_in(batch, &self.places)?;
            }
            return Ok(true);
        }
        for (row, &place) in self.places.iter().enumerate() {
            if place != NO_RANGE {
                self.counts[place as usize] += 1;
                self.children.push(batch, row, place);
            }
        }
        self.children.flush()?;
        Ok(true)
    }
}

impl Aggregator for RangeAggregator<'_> {
    fn needs_scores(&self) -> bool {
        self.children.needs_scores()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.bounds.clear();
        match &mut self.source {
            Source::Numeric(source) => source.begin_segment(segment)?,
            Source::Terms(source) => source.begin_segment(segment)?,
            Source::Unmapped => {}
        }
        for limits in &self.limits {
            self.bounds.push(match (limits, &self.source) {
                (Limits::Numbers(from, to), _) => (*from, *to),
                (Limits::Terms(from, to), Source::Terms(source)) => {
                    let Some(column) = source.column() else {
                        self.bounds.push((0.0, 0.0));
                        continue;
                    };
                    let mut ends = [0.0, column.value_count() as f64];
                    for (end, term) in ends.iter_mut().zip([from, to]) {
                        if let Some(term) = term {
                            *end = match column.ord_of(term)? {
                                Ok(ord) | Err(ord) => ord as f64,
                            };
                        }
                    }
                    (ends[0], ends[1])
                }
                (Limits::Terms(..), _) => (0.0, 0.0),
            });
        }
        self.children.begin_segment(ord, segment)
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        let ranges = self.limits.len();
        let size = batch.owner_count() * ranges;
        if self.counts.len() < size {
            self.counts.resize(size, 0);
            self.held.set(self.counts.capacity() * size_of::<u64>())?;
        }
        if self.collect_each(batch)? {
            return Ok(());
        }
        let mut missing_limits = None;
        let mut as_numbers = Vec::new();
        let (rows, values): (&[u32], &[f64]) = match &mut self.source {
            Source::Unmapped => return Ok(()),
            Source::Numeric(source) => source.load_f64(batch.docs).parts(),
            Source::Terms(source) => {
                missing_limits = source.missing.clone();
                let (rows, ords) = source.load(batch.docs).parts();
                as_numbers.extend(ords.iter().map(|ord| *ord as f64));
                (rows, &as_numbers)
            }
        };
        self.taken.fill(u64::MAX);
        let missing_ord = super::source::TermSource::MISSING_ORD as f64;
        for (&row, &value) in rows.iter().zip(values) {
            // the same document may stand in several buckets of the parent, each with rows of its own
            let first = batch.owner(row as usize) as usize * ranges;
            for (range, &(from, to)) in self.bounds.iter().enumerate() {
                let holds = match &missing_limits {
                    Some(term) if value == missing_ord => self.limits[range].holds_term(term),
                    _ => from <= value && value < to,
                };
                if holds && self.taken[range] != u64::from(row) {
                    self.taken[range] = u64::from(row);
                    self.counts[first + range] += 1;
                    self.children
                        .push(batch, row as usize, (first + range) as u32);
                }
            }
        }
        self.children.flush()
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let mut partial = self.empty.clone();
        let first = owner as usize * self.limits.len();
        for (range, bucket) in partial.buckets.iter_mut().enumerate() {
            bucket.doc_count = self.counts.get(first + range).copied().unwrap_or(0);
            if bucket.doc_count > 0 {
                bucket.sub = self.children.take((first + range) as u32)?;
            }
        }
        Ok(Partial::Ranges(partial))
    }
}
