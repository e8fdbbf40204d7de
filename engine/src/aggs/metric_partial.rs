//! What shards know for the plain metrics, and the collector that they share.

use serde::{Deserialize, Serialize};

use super::collector::{AggContext, Aggregator, Batch, Held};
use super::error::AggError;
use super::format::ValueFormat;
use super::moments::Moments;
use super::partial::Partial;
use super::request::FieldSource;
use super::source::{NumericSource, Source};
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

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

/// Which of the moments a metric needs; the others stay as they were.
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
    held: Held<'a>,
}

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
            held: Held::new(ctx.search),
        }))
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
        let owners = batch.owner_count();
        if self.buckets.len() < owners {
            self.buckets.resize(owners, Moments::default());
            self.held
                .set(self.buckets.capacity() * size_of::<Moments>())?;
        }
        let source = match &mut self.reads {
            Reads::Nothing => return Ok(()),
            Reads::Terms(source) => {
                for &row in source.load(batch.docs).0 {
                    self.buckets[batch.owner(row as usize) as usize].count += 1;
                }
                return Ok(());
            }
            Reads::Numbers(source) => source,
        };
        if self.needs == Needs::Count {
            for &row in source.load(batch.docs).0 {
                self.buckets[batch.owner(row as usize) as usize].count += 1;
            }
            return Ok(());
        }
        let (rows, numbers) = source.load_f64(batch.docs);
        if batch.owners.is_empty() {
            add_all(&mut self.buckets[0], numbers, self.needs);
            return Ok(());
        }
        for (row, value) in rows.iter().zip(numbers) {
            let moments = &mut self.buckets[batch.owners[*row as usize] as usize];
            add_all(moments, std::slice::from_ref(value), self.needs);
        }
        Ok(())
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let moments = self
            .buckets
            .get(owner as usize)
            .copied()
            .unwrap_or_default();
        let format = match &self.reads {
            Reads::Numbers(source) => source.format.clone(),
            Reads::Terms(_) | Reads::Nothing => ValueFormat::Raw,
        };
        Ok(Partial::Metric(MetricPartial { moments, format }))
    }
}

/// Adds values to one bucket; the loop over the needs is outside the loop over the values.
#[inline]
fn add_all(moments: &mut Moments, values: &[f64], needs: Needs) {
    if matches!(needs, Needs::Extremes | Needs::Stats | Needs::Everything) {
        for &value in values {
            moments.min = moments.min.min(value);
            moments.max = moments.max.max(value);
        }
    }
    if matches!(needs, Needs::Sum | Needs::Stats | Needs::Everything) {
        for &value in values {
            moments.sum.add(value);
        }
    }
    if needs == Needs::Everything {
        for &value in values {
            moments.squares.add(value * value);
        }
    }
    moments.count += values.len() as u64;
}
