//! What shards know for the plain metrics, and the collector that they share.

use serde::{Deserialize, Serialize};

use super::collector::{AggContext, Aggregator, Batch, Held};
use super::error::AggError;
use super::format::ValueFormat;
use super::moments::{CompensatedSum, Moments};
use super::partial::Partial;
use super::request::FieldSource;
use super::source::{NumericSource, Source, Values};
use crate::schema::NumericKind;
use crate::search::SearchError;
use crate::segment::ZoneMap;
use crate::shard::SegmentSnapshot;
use crate::simd::columns::{WholeMoments, kernels};

/// Count, sums and extremes of a field in one bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MetricPartial {
    pub moments: Moments,
    pub format: ValueFormat,
}

impl MetricPartial {
    pub fn merge(&mut self, other: MetricPartial) -> Result<(), AggError> {
        self.moments.merge(&other.moments);
        // a shard that does not know the field does not know its format either
        if self.format.is_raw() {
            self.format = other.format;
        }
        Ok(())
    }

    /// A value of the answer with its text.
    pub fn shown(&self, value: Option<f64>) -> super::ResultBody {
        super::ResultBody::Value {
            value,
            text: value.and_then(|value| self.format.number(value)),
        }
    }
}

/// Which of the moments a metric needs; the others may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// How many.
    Count,
    /// Smallest and largest.
    Extremes,
    /// Sum and count.
    Sum,
    /// All but the squares.
    Stats,
    /// All.
    Everything,
}

enum Reads {
    Numbers(NumericSource),
    /// Counts values of any field.
    Terms(super::source::TermSource),
    Nothing,
}

/// Collects the moments of a field.
pub(crate) struct MetricAggregator<'a> {
    reads: Reads,
    needs: Needs,
    buckets: Vec<Moments>,
    /// Sums of whole numbers, by bucket, which are in no moments yet; empty where fractions come.
    wholes: Vec<i128>,
    squares: Vec<f64>,
    held: Held<'a>,
}

/// Owners up to which each gets a pass over the values of its own, without looking where they belong.
const PASSES_MAX: usize = 8;

impl<'a> MetricAggregator<'a> {
    /// `agg` is the name of the aggregation's type, for the error.
    pub fn boxed(
        source: &FieldSource,
        ctx: &AggContext<'a>,
        agg: &str,
        needs: Needs,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let schema = &ctx.reader.schema;
        let reads = if needs == Needs::Count {
            match Source::resolve(source, schema, ctx.search, None)? {
                Source::Numeric(numeric) => Reads::Numbers(numeric),
                Source::Terms(terms) => Reads::Terms(terms),
                Source::Unmapped => Reads::Nothing,
            }
        } else {
            match Source::numeric(source, schema, ctx.search, agg)? {
                Some(numeric) => Reads::Numbers(numeric),
                None => Reads::Nothing,
            }
        };
        Ok(Box::new(MetricAggregator {
            reads,
            needs,
            buckets: Vec::new(),
            wholes: Vec::new(),
            squares: Vec::new(),
            held: Held::new(ctx.search),
        }))
    }

    fn make_room(&mut self, owners: usize) -> Result<(), SearchError> {
        if self.buckets.len() >= owners {
            return Ok(());
        }
        self.buckets.resize(owners, Moments::default());
        self.wholes.resize(owners, 0);
        let each = size_of::<Moments>() + size_of::<i128>();
        self.held.set(self.buckets.capacity() * each)
    }
}

impl Aggregator for MetricAggregator<'_> {
    fn begin_segment(&mut self, _ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        match &mut self.reads {
            Reads::Numbers(source) => source.begin_segment(segment),
            Reads::Terms(source) => source.begin_segment(segment),
            Reads::Nothing => Ok(()),
        }
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        self.make_room(batch.owner_count())?;
        let source = match &mut self.reads {
            Reads::Nothing => return Ok(()),
            Reads::Terms(source) => {
                count_rows(source.load(batch.docs).rows, batch, &mut self.buckets);
                return Ok(());
            }
            Reads::Numbers(source) => source,
        };
        if let Some(owner) = batch.one_owner()
            && let Some(zone) = source.whole_window(batch.docs)
            && self
                .needs
                .add_zone(zone, source, &mut self.buckets[owner as usize])
        {
            return Ok(());
        }
        if self.needs == Needs::Count {
            count_rows(source.load(batch.docs).rows, batch, &mut self.buckets);
        } else if self.needs != Needs::Everything && source.is_whole() {
            let loaded = source.load(batch.docs);
            add_wholes(
                loaded,
                batch,
                self.needs,
                &mut self.buckets,
                &mut self.wholes,
            );
        } else {
            let loaded = source.load_f64(batch.docs);
            let squares = (self.needs == Needs::Everything).then_some(&mut self.squares);
            add_fractions(loaded, batch, self.needs, &mut self.buckets, squares);
        }
        Ok(())
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let at = owner as usize;
        let mut moments = self.buckets.get(at).copied().unwrap_or_default();
        moments
            .sum
            .add_whole(self.wholes.get(at).copied().unwrap_or(0));
        let format = match &self.reads {
            Reads::Numbers(source) => source.format.clone(),
            Reads::Terms(_) | Reads::Nothing => ValueFormat::Raw,
        };
        Ok(Partial::Metric(MetricPartial { moments, format }))
    }
}

impl Needs {
    fn extremes(self) -> bool {
        matches!(self, Needs::Extremes | Needs::Stats | Needs::Everything)
    }

    /// Adds what a zone map knows of values, if that is all that is needed; whether it is.
    fn add_zone(self, zone: ZoneMap, source: &NumericSource, moments: &mut Moments) -> bool {
        match self {
            Needs::Count => {}
            Needs::Extremes => {
                let kind = source.domain();
                moments.min = moments.min.min(kind.to_f64(zone.min));
                moments.max = moments.max.max(kind.to_f64(zone.max));
            }
            Needs::Sum | Needs::Stats => {
                let kind = source.domain();
                match (zone.sum, zone.fraction_sum) {
                    (Some(sum), _) if source.is_whole() => moments.sum.add_whole(sum.into()),
                    (_, Some(sum)) if kind == NumericKind::F64 => {
                        moments.sum.merge(CompensatedSum::of_parts(sum.0, sum.1));
                    }
                    _ => return false,
                }
                moments.min = moments.min.min(kind.to_f64(zone.min));
                moments.max = moments.max.max(kind.to_f64(zone.max));
            }
            Needs::Everything => return false,
        }
        moments.count += u64::from(zone.value_count);
        true
    }
}

fn count_rows(rows: &[u32], batch: &Batch<'_>, buckets: &mut [Moments]) {
    match batch.one_owner() {
        Some(owner) => buckets[owner as usize].count += rows.len() as u64,
        None => {
            for row in rows {
                buckets[batch.owners[*row as usize] as usize].count += 1;
            }
        }
    }
}

fn add_wholes(
    loaded: Values<'_, i64>,
    batch: &Batch<'_>,
    needs: Needs,
    buckets: &mut [Moments],
    wholes: &mut [i128],
) {
    let mut add = |owner: usize, all: WholeMoments| {
        let moments = &mut buckets[owner];
        moments.count += all.count;
        wholes[owner] += i128::from(all.sum);
        if needs.extremes() && all.count > 0 {
            moments.min = moments.min.min(all.min as f64);
            moments.max = moments.max.max(all.max as f64);
        }
    };
    let values = loaded.values;
    if let Some(owner) = batch.one_owner() {
        return add(owner as usize, (kernels().whole)(values));
    }
    let owners = batch.owner_count();
    if loaded.each && owners <= PASSES_MAX {
        for owner in 0..owners {
            add(
                owner,
                (kernels().whole_of)(values, batch.owners, owner as u32),
            );
        }
        return;
    }
    for (row, value) in loaded.iter() {
        let owner = batch.owners[row as usize] as usize;
        let moments = &mut buckets[owner];
        moments.count += 1;
        wholes[owner] += i128::from(value);
        if needs.extremes() {
            moments.min = moments.min.min(value as f64);
            moments.max = moments.max.max(value as f64);
        }
    }
}

fn add_fractions(
    loaded: Values<'_, f64>,
    batch: &Batch<'_>,
    needs: Needs,
    buckets: &mut [Moments],
    squares: Option<&mut Vec<f64>>,
) {
    let values = loaded.values;
    if let Some(owner) = batch.one_owner() {
        let moments = &mut buckets[owner as usize];
        moments.add_fractions((kernels().fractions)(values));
        if let Some(squares) = squares {
            squares.clear();
            squares.extend(values.iter().map(|value| value * value));
            let all = (kernels().fractions)(squares);
            moments.squares.merge(CompensatedSum::of(all));
        }
        return;
    }
    let owners = batch.owner_count();
    if loaded.each && squares.is_none() && owners <= PASSES_MAX {
        for (owner, moments) in buckets.iter_mut().enumerate().take(owners) {
            let of_owner = kernels().fractions_of;
            moments.add_fractions(of_owner(values, batch.owners, owner as u32));
        }
        return;
    }
    for (row, value) in loaded.iter() {
        let moments = &mut buckets[batch.owners[row as usize] as usize];
        moments.count += 1;
        if needs != Needs::Extremes {
            moments.sum.add(value);
        }
        if needs.extremes() {
            moments.min = moments.min.min(value);
            moments.max = moments.max.max(value);
        }
        if squares.is_some() {
            moments.squares.add(value * value);
        }
    }
}
