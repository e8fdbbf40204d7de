//! `auto_date_histogram`: about as many buckets of time as wanted, at the finest interval that gives no more.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::bucket_map::BucketMap;
use super::collector::{AggContext, Aggregator, Batch, Children, Held};
use super::error::AggError;
use super::format::ValueFormat;
use super::histogram_partial::HistogramBucket;
use super::partial::{Finisher, Partial, empty_list, merge_lists};
use super::request::{AggRequest, FieldSource, ValueType};
use super::result::{Bucket, Buckets, Key, ResultBody};
use super::rounding::{CalendarUnit, Interval, Rounding, parse_zone};
use super::source::{NumericSource, Source, Values, unsupported_field};
use crate::schema::NumericKind;
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

/// Up to a number of buckets of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutoDateHistogramAgg {
    /// Where the values come from; with the time zone.
    pub source: FieldSource,
    /// The most buckets, at least 1.
    pub buckets: usize,
    /// The first step of [`STEPS`] that may be used.
    pub first_step: usize,
}

/// A calendar unit and how many of them make a bucket.
pub struct Step {
    /// The unit's name, as `minimum_interval` has it.
    pub name: &'static str,
    unit: CalendarUnit,
    /// What the answer's `interval` shows.
    letter: char,
    /// About how long one is.
    rough_ms: i64,
    multiples: &'static [usize],
}

const DAY_MS: i64 = 86_400_000;

/// The intervals that are tried, finest first.
pub const STEPS: [Step; 6] = [
    Step {
        name: "second",
        unit: CalendarUnit::Second,
        letter: 's',
        rough_ms: 1000,
        multiples: &[1, 5, 10, 30],
    },
    Step {
        name: "minute",
        unit: CalendarUnit::Minute,
        letter: 'm',
        rough_ms: 60_000,
        multiples: &[1, 5, 10, 30],
    },
    Step {
        name: "hour",
        unit: CalendarUnit::Hour,
        letter: 'h',
        rough_ms: 3_600_000,
        multiples: &[1, 3, 12],
    },
    Step {
        name: "day",
        unit: CalendarUnit::Day,
        letter: 'd',
        rough_ms: DAY_MS,
        multiples: &[1, 7],
    },
    Step {
        name: "month",
        unit: CalendarUnit::Month,
        letter: 'M',
        rough_ms: 30 * DAY_MS,
        multiples: &[1, 3],
    },
    Step {
        name: "year",
        unit: CalendarUnit::Year,
        letter: 'y',
        rough_ms: 365 * DAY_MS,
        multiples: &[1, 5, 10, 20, 50, 100],
    },
];

/// The largest number of units in a bucket of [`STEPS`].
pub const MULTIPLE_MAX: usize = 100;

impl Step {
    fn multiple_max(&self) -> usize {
        self.multiples.last().copied().unwrap_or(1)
    }
}

/// Buckets ascending by key, some of them rounded more finely than `step`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AutoDatePartial {
    pub step: usize,
    pub format: ValueFormat,
    pub buckets: Vec<HistogramBucket>,
}

impl AutoDatePartial {
    pub fn merge(&mut self, other: AutoDatePartial) -> Result<(), AggError> {
        if self.format.is_raw() {
            self.format = other.format;
        }
        self.step = self.step.max(other.step);
        self.buckets.extend(other.buckets);
        self.buckets.sort_by_key(|bucket| bucket.key);
        self.buckets = join(std::mem::take(&mut self.buckets), &|key| key)?;
        Ok(())
    }
}

/// Joins neighbours of the same rounded key.
fn join(
    buckets: Vec<HistogramBucket>,
    round: &dyn Fn(i64) -> i64,
) -> Result<Vec<HistogramBucket>, AggError> {
    let mut joined: Vec<HistogramBucket> = Vec::with_capacity(buckets.len());
    for mut bucket in buckets {
        bucket.key = round(bucket.key);
        match joined.last_mut() {
            Some(last) if last.key == bucket.key => {
                last.doc_count += bucket.doc_count;
                merge_lists(&mut last.sub, bucket.sub)?;
            }
            _ => joined.push(bucket),
        }
    }
    Ok(joined)
}

impl AutoDateHistogramAgg {
    fn rounding(&self, step: usize) -> Rounding {
        let zone = self.source.time_zone.as_deref().and_then(parse_zone);
        let unit = Interval::Calendar(STEPS[step].unit);
        Rounding::new(unit, zone.unwrap_or(TimeZone::UTC), 0)
    }

    /// Buckets of a step that can still be joined to as many as wanted.
    fn limit(&self, step: usize) -> usize {
        self.buckets.saturating_mul(STEPS[step].multiple_max())
    }

    /// The finest step, from `step` on, whose buckets from `first` to `last` are not too many.
    fn step_for(&self, step: usize, first: i64, last: i64) -> usize {
        let span = last.saturating_sub(first);
        let mut step = step;
        // a rough estimate first, so that there is little to count
        while step + 1 < STEPS.len()
            && (span / STEPS[step + 1].rough_ms) as usize >= self.limit(step + 1)
        {
            step += 1;
        }
        while step + 1 < STEPS.len() {
            let rounding = self.rounding(step);
            let (mut wanted, mut key) = (0, first);
            while key < last && wanted <= self.limit(step) {
                wanted += 1;
                key = rounding.next(key);
            }
            if wanted <= self.limit(step) {
                break;
            }
            step += 1;
        }
        step
    }
}

impl Aggregation for AutoDateHistogramAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let schema = &ctx.reader.schema;
        let refused = || unsupported_field(schema, &self.source.field, "auto_date_histogram");
        let source = match Source::resolve(&self.source, schema, ctx.search, Some(ValueType::Date))?
        {
            Source::Numeric(source) => match source.domain() {
                NumericKind::DateMillis | NumericKind::I64 | NumericKind::Bool => Some(source),
                _ => return Err(refused()),
            },
            Source::Terms(_) => return Err(refused()),
            Source::Unmapped => None,
        };
        Ok(Box::new(Collector {
            agg: self,
            source,
            roundings: (0..STEPS.len()).map(|step| self.rounding(step)).collect(),
            owners: Vec::new(),
            buckets: BucketMap::new(),
            children: Children::new(&request.sub, ctx)?,
            held: Held::new(ctx.search),
        }))
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        let format = ValueFormat::date(
            self.source.format.as_deref(),
            self.source.time_zone.as_deref(),
        );
        Partial::AutoDate(AutoDatePartial {
            step: self.first_step,
            format: format.unwrap_or_default(),
            buckets: Vec::new(),
        })
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::AutoDate(partial) = partial else {
            return Err(partial.mismatch(request));
        };
        let mut step = partial.step.min(STEPS.len() - 1);
        let mut buckets = partial.buckets;
        if let (Some(first), Some(last)) = (buckets.first(), buckets.last()) {
            let rounding = self.rounding(step);
            step = self.step_for(step, rounding.round(first.key), rounding.round(last.key));
            let rounding = self.rounding(step);
            buckets = join(buckets, &|key| rounding.round(key))?;
            buckets = fill(buckets, &rounding, request, finisher)?;
        }
        while buckets.len() > self.limit(step) && step + 1 < STEPS.len() {
            step += 1;
            let rounding = self.rounding(step);
            buckets = join(buckets, &|key| rounding.round(key))?;
        }
        let mut multiple = 1;
        if buckets.len() > self.buckets {
            let fits = |multiple: &&usize| buckets.len().div_ceil(**multiple) <= self.buckets;
            if let Some(found) = STEPS[step].multiples.iter().find(fits) {
                multiple = *found;
            }
        }
        let mut shown: Vec<Bucket> = Vec::new();
        for group in buckets.chunks_mut(multiple) {
            let key = group[0].key;
            for bucket in group.iter_mut() {
                bucket.key = key;
            }
            for bucket in join(group.to_vec(), &|key| key)? {
                finisher.count_bucket()?;
                let aggs = finisher.list(&request.sub, bucket.sub)?;
                let text = partial.format.whole(key);
                shown.push(Bucket::new(Key::I64(key), text, bucket.doc_count, aggs));
            }
        }
        Ok((
            "auto_date_histogram",
            ResultBody::Buckets(Buckets {
                interval: Some(format!("{multiple}{}", STEPS[step].letter)),
                buckets: shown,
                ..Buckets::default()
            }),
        ))
    }
}

/// Adds the empty buckets in between.
fn fill(
    buckets: Vec<HistogramBucket>,
    rounding: &Rounding,
    request: &AggRequest,
    finisher: &mut Finisher,
) -> Result<Vec<HistogramBucket>, AggError> {
    let mut filled: Vec<HistogramBucket> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        if let Some(last) = filled.last() {
            let mut key = rounding.next(last.key);
            while key < bucket.key {
                finisher.check_room(filled.len())?;
                filled.push(HistogramBucket {
                    key,
                    doc_count: 0,
                    sub: empty_list(&request.sub),
                });
                key = rounding.next(key);
            }
        }
        filled.push(bucket);
    }
    Ok(filled)
}

/// What is known of the buckets of one of the parent's buckets.
#[derive(Clone)]
struct Owner {
    step: usize,
    /// Buckets made since the step was last changed.
    made: usize,
    first: i64,
    last: i64,
}

struct Collector<'a> {
    agg: &'a AutoDateHistogramAgg,
    source: Option<NumericSource>,
    roundings: Vec<Rounding>,
    owners: Vec<Owner>,
    /// By rounded time; made at different steps, they are joined at the end.
    buckets: BucketMap<i64>,
    children: Children<'a>,
    held: Held<'a>,
}

impl Aggregator for Collector<'_> {
    fn needs_scores(&self) -> bool {
        self.children.needs_scores()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        if let Some(source) = &mut self.source {
            source.begin_segment(segment)?;
        }
        self.children.begin_segment(ord, segment)
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        let Some(source) = &mut self.source else {
            return Ok(());
        };
        let new = Owner {
            step: self.agg.first_step,
            made: 0,
            first: i64::MAX,
            last: i64::MIN,
        };
        let owners = batch.owner_count().max(self.owners.len());
        self.owners.resize(owners, new);
        let Values { rows, values, .. } = source.load(batch.docs);
        let mut before: Option<(u32, i64)> = None;
        for (&row, &value) in rows.iter().zip(values) {
            let id = batch.owner(row as usize);
            let owner = &mut self.owners[id as usize];
            let key = self.roundings[owner.step].round(value);
            // two values of a document in one bucket count once
            if before == Some((row, key)) {
                continue;
            }
            before = Some((row, key));
            let known = self.buckets.len();
            let bucket = self.buckets.bucket(id, &key, 0, |key| *key);
            self.buckets.counts[bucket as usize] += 1;
            self.children.push(batch, row as usize, bucket);
            if self.buckets.len() > known {
                owner.made += 1;
                owner.first = owner.first.min(key);
                owner.last = owner.last.max(key);
                let step = &STEPS[owner.step];
                let limit = self.agg.limit(owner.step);
                let span = owner.last.saturating_sub(owner.first);
                let span_max = step.rough_ms.saturating_mul(limit as i64);
                if owner.step + 1 < STEPS.len() && (owner.made > limit || span > span_max) {
                    owner.step += 1;
                    owner.made = 0;
                }
            }
        }
        self.buckets.account(&mut self.held)?;
        self.children.flush()
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let step = match self.owners.get(owner as usize) {
            Some(owner) => owner.step,
            None => self.agg.first_step,
        };
        let rounding = &self.roundings[step];
        let mut found = self.buckets.take_owner(owner);
        found.sort_by_key(|(_, key)| *key);
        let mut buckets = Vec::with_capacity(found.len());
        for (bucket, key) in found {
            buckets.push(HistogramBucket {
                key,
                doc_count: self.buckets.counts[bucket as usize],
                sub: self.children.take(bucket)?,
            });
        }
        let format = match &self.source {
            Some(source) => source.format.clone(),
            None => ValueFormat::date(
                self.agg.source.format.as_deref(),
                self.agg.source.time_zone.as_deref(),
            )?,
        };
        Ok(Partial::AutoDate(AutoDatePartial {
            step,
            format,
            buckets: join(buckets, &|key| rounding.round(key)).map_err(AggError::refuse)?,
        }))
    }
}
