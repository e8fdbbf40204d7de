//! `weighted_avg`: the mean of a field, each document weighted by another field.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator, Batch, Held};
use super::error::AggError;
use super::format::ValueFormat;
use super::moments::CompensatedSum;
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::ResultBody;
use super::source::{NumericSource, Source, Values};
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

/// The weighted mean of a field's values. A document without value or weight is left out; several values share the
/// document's one weight; several weights are an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightedAvgAgg {
    /// Where the values come from.
    pub value: FieldSource,
    /// Where the weights come from.
    pub weight: FieldSource,
    /// How the mean is shown.
    pub format: Option<String>,
}

/// Sums of one bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct WeightedPartial {
    sum: CompensatedSum,
    weight: CompensatedSum,
    format: ValueFormat,
}

impl WeightedPartial {
    pub fn merge(&mut self, other: WeightedPartial) -> Result<(), AggError> {
        self.sum.merge(other.sum);
        self.weight.merge(other.weight);
        if self.format.is_raw() {
            self.format = other.format;
        }
        Ok(())
    }
}

impl Aggregation for WeightedAvgAgg {
    fn aggregator<'a>(
        &'a self,
        _request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let schema = &ctx.reader.schema;
        let value = Source::numeric(&self.value, schema, ctx.search, "weighted_avg")?;
        let weight = Source::numeric(&self.weight, schema, ctx.search, "weighted_avg")?;
        let format = match &self.format {
            Some(pattern) => ValueFormat::decimal(Some(pattern))?,
            None => value
                .as_ref()
                .map_or(ValueFormat::Raw, |value| value.format.clone()),
        };
        Ok(Box::new(Collector {
            sources: value.zip(weight),
            format,
            buckets: Vec::new(),
            held: Held::new(ctx.search),
        }))
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        Partial::Weighted(WeightedPartial::default())
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        _finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Weighted(partial) = partial else {
            return Err(partial.mismatch(request));
        };
        let weight = partial.weight.value();
        let value = (weight != 0.0).then(|| partial.sum.value() / weight);
        let text = value.and_then(|value| partial.format.number(value));
        Ok(("weighted_avg", ResultBody::Value { value, text }))
    }
}

struct Collector<'a> {
    sources: Option<(NumericSource, NumericSource)>,
    format: ValueFormat,
    buckets: Vec<WeightedPartial>,
    held: Held<'a>,
}

impl Aggregator for Collector<'_> {
    fn begin_segment(&mut self, _ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        if let Some((value, weight)) = &mut self.sources {
            value.begin_segment(segment)?;
            weight.begin_segment(segment)?;
        }
        Ok(())
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        let owners = batch.owner_count();
        if self.buckets.len() < owners {
            self.buckets.resize(owners, WeightedPartial::default());
            self.held
                .set(self.buckets.capacity() * size_of::<WeightedPartial>())?;
        }
        let Some((value, weight)) = &mut self.sources else {
            return Ok(());
        };
        let Values {
            rows: value_rows,
            values,
            ..
        } = value.load_f64(batch.docs);
        let weights = weight.load_f64(batch.docs);
        let (weight_rows, weights) = (weights.rows, weights.values);
        let mut at = 0;
        for (row, value) in value_rows.iter().zip(values) {
            while at < weight_rows.len() && weight_rows[at] < *row {
                at += 1;
            }
            if weight_rows.get(at) != Some(row) {
                continue;
            }
            if weight_rows.get(at + 1) == Some(row) {
                return Err(SearchError::refused(
                    "aggregation_execution_exception",
                    "Encountered more than one weight for a single document. Use a script to combine multiple \
                     weights-per-doc into a single value.",
                ));
            }
            let bucket = &mut self.buckets[batch.owner(*row as usize) as usize];
            bucket.sum.add(value * weights[at]);
            // each value counts with the document's weight
            bucket.weight.add(weights[at]);
        }
        Ok(())
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let mut partial = match self.buckets.get_mut(owner as usize) {
            Some(bucket) => std::mem::take(bucket),
            None => WeightedPartial::default(),
        };
        partial.format = self.format.clone();
        Ok(Partial::Weighted(partial))
    }
}
