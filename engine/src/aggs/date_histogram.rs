//! `date_histogram`: buckets by calendar units or fixed intervals of time, in a time zone.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::bucket_map::BucketMap;
use super::bucket_table::BucketTable;
use super::collector::{AggContext, Aggregator, Batch, Children, Held};
use super::counting::count_each;
use super::error::AggError;
use super::format::ValueFormat;
use super::histogram::take_buckets;
use super::histogram_partial::{Finish, HistogramPartial};
use super::order::BucketOrder;
use super::partial::{Finisher, Partial};
use super::range_histogram::{Ends, RangeHistogram, RangeKeys, range_field};
use super::request::{AggRequest, FieldSource, ValueType};
use super::result::{Key, ResultBody};
use super::rounding::{Interval, Rounding, parse_zone};
use super::source::{NumericSource, Source, Values, unsupported_field};
use super::steps::Steps;
use crate::schema::{FieldKind, NumericKind};
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;
use crate::value::Value;

/// Buckets of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DateHistogramAgg {
    /// Where the values come from; with the time zone.
    pub source: FieldSource,
    /// Width of the buckets.
    pub interval: Interval,
    /// What every start is moved by, in milliseconds.
    pub offset_ms: i64,
    /// Buckets with fewer documents are not shown; 0 shows the empty ones between.
    pub min_doc_count: u64,
    /// Times between which empty buckets are shown too.
    pub extended_bounds: Option<DateBounds>,
    /// Times outside which nothing is counted.
    pub hard_bounds: Option<DateBounds>,
    /// An object instead of a list.
    pub keyed: bool,
    /// Order of the buckets.
    pub order: Vec<BucketOrder>,
}

/// Both inclusive, as the user wrote them: read on the shard, by the field's format.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DateBounds {
    /// Lower end.
    pub min: Option<Value>,
    /// Upper end.
    pub max: Option<Value>,
}

impl DateBounds {
    fn read(
        &self,
        format: &ValueFormat,
        now_ms: i64,
    ) -> Result<(Option<i64>, Option<i64>), SearchError> {
        let end = |end: &Option<Value>| match end {
            None => Ok(None),
            Some(value) => format.parse_date(value, now_ms).map(Some),
        };
        Ok((end(&self.min)?, end(&self.max)?))
    }
}

impl DateHistogramAgg {
    fn rounding(&self) -> Rounding {
        let zone = self.source.time_zone.as_deref().and_then(parse_zone);
        Rounding::new(self.interval, zone.unwrap_or(TimeZone::UTC), self.offset_ms)
    }

    fn default_format(&self) -> Result<ValueFormat, SearchError> {
        ValueFormat::date(
            self.source.format.as_deref(),
            self.source.time_zone.as_deref(),
        )
    }

    /// The hard bounds, or those of all times.
    fn hard(&self, format: &ValueFormat, now_ms: i64) -> Result<(i64, i64), SearchError> {
        let (low, high) = match &self.hard_bounds {
            Some(bounds) => bounds.read(format, now_ms)?,
            None => (None, None),
        };
        Ok((low.unwrap_or(i64::MIN), high.unwrap_or(i64::MAX)))
    }

    fn nothing(&self, format: ValueFormat, now_ms: i64) -> Result<HistogramPartial, SearchError> {
        let mut extended = None;
        if let Some(bounds) = &self.extended_bounds {
            let (min, max) = bounds.read(&format, now_ms)?;
            if let (Some(low), Some(high)) = (min, max)
                && low > high
            {
                return Err(SearchError::illegal(format!(
                    "[extended_bounds.min][{low}] cannot be greater than [extended_bounds.max][{high}]"
                )));
            }
            let rounding = self.rounding();
            extended = Some((
                min.map(|ms| rounding.round(ms)),
                max.map(|ms| rounding.round(ms)),
            ));
        }
        Ok(HistogramPartial {
            buckets: Vec::new(),
            format,
            extended,
        })
    }
}

impl Aggregation for DateHistogramAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let schema = &ctx.reader.schema;
        let dates = &[FieldKind::Date];
        if let Some(field) = range_field(&self.source, schema, "date_histogram", dates)? {
            let format = ValueFormat::of_field(
                field,
                self.source.format.as_deref(),
                self.source.time_zone.as_deref(),
            )?;
            let hard = self.hard(&format, ctx.search.now_ms)?;
            let nothing = self.nothing(format, ctx.search.now_ms)?;
            let keys = Intervals {
                rounding: self.rounding(),
                hard,
            };
            return RangeHistogram::boxed(field, keys, nothing, request, ctx);
        }
        let source = match Source::resolve(&self.source, schema, ctx.search, Some(ValueType::Date))?
        {
            // numbers are taken for milliseconds, as OpenSearch takes them
            Source::Numeric(source) => match source.domain() {
                NumericKind::DateMillis | NumericKind::I64 | NumericKind::Bool => Some(source),
                _ => {
                    return Err(unsupported_field(
                        schema,
                        &self.source.field,
                        "date_histogram",
                    ));
                }
            },
            Source::Terms(_) => {
                return Err(unsupported_field(
                    schema,
                    &self.source.field,
                    "date_histogram",
                ));
            }
            Source::Unmapped => None,
        };
        let format = match &source {
            Some(source) => source.format.clone(),
            None => self.default_format()?,
        };
        let (low, high) = self.hard(&format, ctx.search.now_ms)?;
        let nothing = self.nothing(format, ctx.search.now_ms)?;
        Ok(Box::new(Collector {
            source,
            nothing,
            rounding: self.rounding(),
            low,
            high,
            steps: None,
            table: BucketTable::default(),
            places: Vec::new(),
            buckets: BucketMap::new(),
            children: Children::new(&request.sub, ctx)?,
            held: Held::new(ctx.search),
        }))
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        // bounds that need `now` come from the shards
        let format = self.default_format().unwrap_or_default();
        Partial::Histogram(self.nothing(format, 0).unwrap_or_default())
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
        let rounding = self.rounding();
        let body = Finish {
            request,
            min_doc_count: self.min_doc_count,
            order: &self.order,
            keyed: self.keyed,
            show: &|key: i64, format: &ValueFormat| (Key::I64(key), format.whole(key)),
            next: &|key: i64| rounding.next(key),
        }
        .run(partial, finisher)?;
        Ok(("date_histogram", body))
    }
}

/// The intervals of time that a range reaches into.
struct Intervals {
    rounding: Rounding,
    /// Both included.
    hard: (i64, i64),
}

impl Intervals {
    fn starts(&self, (low, high): Ends) -> impl Iterator<Item = i64> {
        let (low, high) = (low.max(self.hard.0), high.min(self.hard.1));
        let first = (low <= high).then(|| self.rounding.round(low));
        std::iter::successors(first, move |start| {
            let next = self.rounding.next(*start);
            // at the end of times there is no later one
            (next > *start && next <= high).then_some(next)
        })
    }
}

impl RangeKeys for Intervals {
    fn count(&self, ends: Ends, most: u64) -> u64 {
        let beyond = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        self.starts(ends).take(beyond).count() as u64
    }

    fn keys(&self, ends: Ends, _count: u64, key: &mut dyn FnMut(i64)) {
        self.starts(ends).for_each(key);
    }
}

struct Collector<'a> {
    source: Option<NumericSource>,
    nothing: HistogramPartial,
    rounding: Rounding,
    low: i64,
    high: i64,
    /// The intervals of the segment, unless they are too many or bounds leave some out.
    steps: Option<Steps>,
    table: BucketTable,
    places: Vec<u32>,
    buckets: BucketMap<i64>,
    children: Children<'a>,
    held: Held<'a>,
}

impl Collector<'_> {
    /// Takes the documents of a batch where each has one date; whether it did.
    fn collect_each(&mut self, batch: &Batch<'_>) -> Result<bool, SearchError> {
        let (Some(source), Some(steps)) = (&mut self.source, &self.steps) else {
            return Ok(false);
        };
        let owners = batch.owner_count();
        if !self.table.fits(owners) {
            return Ok(false);
        }
        let in_one = source.whole_window(batch.docs).and_then(|zone| {
            let step = steps.number_of(zone.min);
            (step == steps.number_of(zone.max)).then_some(step)
        });
        self.places.clear();
        match in_one {
            Some(step) => self.places.resize(batch.docs.list.len(), step),
            None => {
                let loaded = source.load(batch.docs);
                if !loaded.each {
                    return Ok(false);
                }
                steps.number(loaded.values, &mut self.places);
            }
        }
        let key = |step| steps.start(step);
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
            self.steps = None;
            if let Some((min, max)) = source.bounds() {
                self.rounding.prepare(min, max);
                if self.low <= min && max <= self.high {
                    self.steps = Steps::between(&self.rounding, min, max);
                }
                self.table
                    .reset(self.steps.as_ref().map_or(0, Steps::count));
            }
        }
        self.children.begin_segment(ord, segment)
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        if self.collect_each(batch)? {
            return Ok(());
        }
        let Some(source) = &mut self.source else {
            return Ok(());
        };
        let Values { rows, values, .. } = source.load(batch.docs);
        // neighbours are often in the same bucket, and two values of a document in one bucket count once
        let mut before: Option<(u32, u32, i64, u32)> = None;
        for (&row, &value) in rows.iter().zip(values) {
            if value < self.low || value > self.high {
                continue;
            }
            let start = self.rounding.round(value);
            let owner = batch.owner(row as usize);
            let bucket = match before {
                Some((last_row, last_owner, last_start, bucket))
                    if last_start == start && last_owner == owner =>
                {
                    if last_row == row {
                        continue;
                    }
                    bucket
                }
                _ => self.buckets.bucket(owner, &start, 0, |key| *key),
            };
            before = Some((row, owner, start, bucket));
            self.buckets.counts[bucket as usize] += 1;
            self.children.push(batch, row as usize, bucket);
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
