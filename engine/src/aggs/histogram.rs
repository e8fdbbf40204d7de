//! `histogram`: buckets of equal width over numbers.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::bucket_map::BucketMap;
use super::bucket_table::BucketTable;
use super::collector::{AggContext, Aggregator, Batch, Children, Held};
use super::counting::count_each;
use super::error::AggError;
use super::format::ValueFormat;
use super::histogram_partial::{Finish, HistogramBucket, HistogramPartial};
use super::order::BucketOrder;
use super::partial::{Finisher, Partial};
use super::range_histogram::{Ends, RangeHistogram, RangeKeys, range_field};
use super::request::{AggRequest, FieldSource};
use super::result::{Key, ResultBody};
use super::source::{NumericSource, Source, Values};
use crate::schema::{FieldKind, f64_from_sortable, f64_to_sortable};
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;
use crate::simd::columns::{Stepping, kernels};

/// Buckets of equal width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistogramAgg {
    /// Where the values come from.
    pub source: FieldSource,
    /// Width, above 0.
    pub interval: f64,
    /// Where a bucket starts; 0 to the interval.
    pub offset: f64,
    /// Buckets with fewer documents are not shown; 0 shows the empty ones between.
    pub min_doc_count: u64,
    /// Values between which empty buckets are shown too.
    pub extended_bounds: Option<NumberBounds>,
    /// Values outside which nothing is counted.
    pub hard_bounds: Option<NumberBounds>,
    /// An object instead of a list.
    pub keyed: bool,
    /// Order of the buckets.
    pub order: Vec<BucketOrder>,
}

/// Both inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NumberBounds {
    /// Lower end.
    pub min: Option<f64>,
    /// Upper end.
    pub max: Option<f64>,
}

impl HistogramAgg {
    /// The start of the bucket that holds a value.
    fn round(&self, value: f64) -> f64 {
        self.start(self.step(value))
    }

    fn step(&self, value: f64) -> f64 {
        ((value - self.offset) / self.interval).floor()
    }

    fn start(&self, step: f64) -> f64 {
        // zero has one sign, so that it has one bucket
        step * self.interval + self.offset + 0.0
    }

    fn extended(&self) -> Option<(Option<i64>, Option<i64>)> {
        let bounds = self.extended_bounds?;
        let key = |end: Option<f64>| end.map(|value| f64_to_sortable(self.round(value)));
        Some((key(bounds.min), key(bounds.max)))
    }

    fn nothing(&self, format: ValueFormat) -> HistogramPartial {
        HistogramPartial {
            buckets: Vec::new(),
            format,
            extended: self.extended(),
        }
    }
}

impl Aggregation for HistogramAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let schema = &ctx.reader.schema;
        if let Some(field) = range_field(&self.source, schema, "histogram", RANGES)? {
            let format = ValueFormat::of_field(
                field,
                self.source.format.as_deref(),
                self.source.time_zone.as_deref(),
            )?;
            let floats = matches!(
                field.range_ends(),
                Some(FieldKind::Float | FieldKind::Double)
            );
            let keys = Steps { agg: self, floats };
            return RangeHistogram::boxed(field, keys, self.nothing(format), request, ctx);
        }
        Ok(Box::new(Collector {
            agg: self,
            source: Source::numeric(&self.source, &ctx.reader.schema, ctx.search, "histogram")?,
            first_step: 0.0,
            table: BucketTable::default(),
            places: Vec::new(),
            buckets: BucketMap::new(),
            children: Children::new(&request.sub, ctx)?,
            held: Held::new(ctx.search),
        }))
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        let format = ValueFormat::decimal(self.source.format.as_deref()).unwrap_or_default();
        Partial::Histogram(self.nothing(format))
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Histogram(partial) = partial else {
            return Err(partial.mismatch(request));
        };
        let show = |key: i64, format: &ValueFormat| {
            let value = f64_from_sortable(key);
            (Key::F64(value), format.number(value))
        };
        let next = |key: i64| {
            // from the middle of the next bucket, so that no rounding error leads back
            let value = f64_from_sortable(key);
            f64_to_sortable(self.round(value + 1.5 * self.interval))
        };
        let body = Finish {
            request,
            min_doc_count: self.min_doc_count,
            order: &self.order,
            keyed: self.keyed,
            show: &show,
            next: &next,
        }
        .run(partial, finisher)?;
        Ok(("histogram", body))
    }
}

/// Ranges that have buckets of numbers.
const RANGES: &[FieldKind] = &[
    FieldKind::Integer,
    FieldKind::Long,
    FieldKind::Float,
    FieldKind::Double,
];

/// The buckets of equal width that a range reaches into.
struct Steps<'a> {
    agg: &'a HistogramAgg,
    floats: bool,
}

impl Steps<'_> {
    /// The steps of both ends, within hard bounds.
    fn ends(&self, (low, high): Ends) -> (f64, f64) {
        let number = |end: i64| match self.floats {
            true => f64_from_sortable(end),
            false => end as f64,
        };
        let bounds = self.agg.hard_bounds.unwrap_or_default();
        let low = number(low).max(bounds.min.unwrap_or(f64::NEG_INFINITY));
        let high = number(high).min(bounds.max.unwrap_or(f64::INFINITY));
        (self.agg.step(low), self.agg.step(high))
    }
}

impl RangeKeys for Steps<'_> {
    fn count(&self, ends: Ends, _most: u64) -> u64 {
        let (first, last) = self.ends(ends);
        // too many for 64 bits become the most that these hold
        (last - first + 1.0).max(0.0) as u64
    }

    fn keys(&self, ends: Ends, count: u64, key: &mut dyn FnMut(i64)) {
        let (first, _) = self.ends(ends);
        for step in 0..count {
            key(f64_to_sortable(self.agg.start(first + step as f64)));
        }
    }
}

struct Collector<'a> {
    agg: &'a HistogramAgg,
    source: Option<NumericSource>,
    /// The first of the steps that values of the segment may lie in, where these are few enough for `table`.
    first_step: f64,
    table: BucketTable,
    places: Vec<u32>,
    buckets: BucketMap<i64>,
    children: Children<'a>,
    held: Held<'a>,
}

/// Steps that buckets are looked up for in an array.
const STEPS_MAX: f64 = 65_536.0;

impl Collector<'_> {
    /// Makes room for all steps of the segment, if they are not too many and bounds leave none out.
    fn prepare(&mut self) {
        self.table.reset(0);
        let Some(source) = self
            .source
            .as_ref()
            .filter(|_| self.agg.hard_bounds.is_none())
        else {
            return;
        };
        let Some((min, max)) = source.bounds() else {
            return;
        };
        let step = |raw| self.agg.step(source.domain().to_f64(raw));
        let (first, last) = (step(min), step(max));
        // up to here fractions count in ones
        let exact = first.abs() < 1e15 && last.abs() < 1e15;
        if exact && last - first < STEPS_MAX {
            self.first_step = first;
            self.table.reset((last - first) as usize + 1);
        }
    }

    /// Takes the documents of a batch where each has one number; whether it did.
    fn collect_each(&mut self, batch: &Batch<'_>) -> Result<bool, SearchError> {
        let Some(source) = &mut self.source else {
            return Ok(false);
        };
        if !self.table.is_ready() || !self.table.fits(batch.owner_count()) {
            return Ok(false);
        }
        let loaded = source.load_f64(batch.docs);
        if !loaded.each {
            return Ok(false);
        }
        let (agg, first) = (self.agg, self.first_step);
        let how = Stepping {
            offset: agg.offset,
            interval: agg.interval,
            first,
        };
        self.places.resize(loaded.values.len(), 0);
        (kernels().steps)(loaded.values, how, &mut self.places);
        let key = |place| f64_to_sortable(agg.start(first + f64::from(place)));
        self.table
            .number(batch.owners, &mut self.places, &mut self.buckets, key);
        count_each(&self.places, &mut self.buckets.counts);
        self.held.set(self.buckets.bytes() + self.table.bytes())?;
        if !self.children.is_empty() {
            self.children.pass_in(batch, &self.places)?;
        }
        Ok(true)
    }
}

impl Aggregator for Collector<'_> {
    fn needs_scores(&self) -> bool {
        self.children.needs_scores()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        if let Some(source) = &mut self.source {
            source.begin_segment(segment)?;
        }
        self.prepare();
        self.children.begin_segment(ord, segment)
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        if self.collect_each(batch)? {
            return Ok(());
        }
        let Some(source) = &mut self.source else {
            return Ok(());
        };
        let Values { rows, values, .. } = source.load_f64(batch.docs);
        let bounds = self.agg.hard_bounds.unwrap_or_default();
        let (low, high) = (
            bounds.min.unwrap_or(f64::NEG_INFINITY),
            bounds.max.unwrap_or(f64::INFINITY),
        );
        // (row, key) before: two values of a document in one bucket count once, and neighbours are often alike
        let mut before: Option<(u32, u32, f64, u32)> = None;
        for (&row, &value) in rows.iter().zip(values) {
            let step = self.agg.step(value);
            let owner = batch.owner(row as usize);
            let bucket = match before {
                Some((last_row, last_owner, last_step, bucket))
                    if last_step == step && last_owner == owner =>
                {
                    if last_row == row {
                        continue;
                    }
                    bucket
                }
                _ => {
                    let start = self.agg.start(step);
                    if start < low && value < low || start > high || value > high {
                        continue;
                    }
                    self.buckets
                        .bucket(owner, &f64_to_sortable(start), 0, |key| *key)
                }
            };
            before = Some((row, owner, step, bucket));
            self.buckets.counts[bucket as usize] += 1;
            self.children.push(batch, row as usize, bucket);
        }
        self.buckets.account(&mut self.held)?;
        self.children.flush()
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let format = match &self.source {
            Some(source) => source.format.clone(),
            None => ValueFormat::decimal(self.agg.source.format.as_deref())?,
        };
        let mut partial = self.agg.nothing(format);
        partial.buckets = take_buckets(&mut self.buckets, &mut self.children, owner)?;
        Ok(Partial::Histogram(partial))
    }
}

/// The buckets of one owner, ascending by key.
pub(super) fn take_buckets(
    map: &mut BucketMap<i64>,
    children: &mut Children<'_>,
    owner: u32,
) -> Result<Vec<HistogramBucket>, SearchError> {
    let mut keys = map.take_owner(owner);
    keys.sort_unstable_by_key(|(_, key)| *key);
    let mut buckets = Vec::with_capacity(keys.len());
    for (bucket, key) in keys {
        buckets.push(HistogramBucket {
            key,
            doc_count: map.counts[bucket as usize],
            sub: children.take(bucket)?,
        });
    }
    Ok(buckets)
}
