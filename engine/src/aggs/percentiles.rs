//! `percentiles`: the values below which given percentages of a field's values lie.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator};
use super::digest_partial::{DigestAggregator, DigestMethod, DigestPartial};
use super::error::AggError;
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::{PercentileEntry, ResultBody};
use crate::search::SearchError;

/// The percents of whoever names none.
pub const PERCENTS_DEFAULT: [f64; 7] = [1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0];

/// Values by percent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PercentilesAgg {
    /// Where the values come from.
    pub source: FieldSource,
    /// 0 to 100, ascending.
    pub percents: Vec<f64>,
    /// An object instead of a list.
    pub keyed: bool,
    /// How the distribution is kept.
    pub method: DigestMethod,
}

impl Aggregation for PercentilesAgg {
    fn aggregator<'a>(
        &'a self,
        _request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        DigestAggregator::boxed(&self.source, ctx, "percentiles", self.method)
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        Partial::Digest(DigestPartial::empty(self.method))
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        _finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Digest(mut partial) = partial else {
            return Err(partial.mismatch(request));
        };
        partial.sketch.settle();
        let mut values = Vec::with_capacity(self.percents.len());
        for &key in &self.percents {
            let value = partial.sketch.percentile(key);
            values.push(PercentileEntry {
                key,
                value,
                text: value.and_then(|value| partial.format.number(value)),
            });
        }
        let type_name = match self.method {
            DigestMethod::TDigest { .. } => "tdigest_percentiles",
            DigestMethod::Hdr { .. } => "hdr_percentiles",
        };
        Ok((
            type_name,
            ResultBody::Percentiles {
                keyed: self.keyed,
                values,
            },
        ))
    }
}
