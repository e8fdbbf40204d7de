//! `percentile_ranks`: the percentages of a field's values that lie below given values.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator};
use super::digest_partial::{DigestAggregator, DigestMethod, DigestPartial};
use super::error::AggError;
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::{PercentileEntry, ResultBody};
use crate::search::SearchError;

/// Percents by value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PercentileRanksAgg {
    /// Where the values come from.
    pub source: FieldSource,
    /// The values to rank, ascending.
    pub values: Vec<f64>,
    /// An object instead of a list.
    pub keyed: bool,
    /// How the distribution is kept.
    pub method: DigestMethod,
}

impl Aggregation for PercentileRanksAgg {
    fn aggregator<'a>(
        &'a self,
        _request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        DigestAggregator::boxed(&self.source, ctx, "percentile_ranks", self.method)
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
        let mut values = Vec::with_capacity(self.values.len());
        for &key in &self.values {
            let value = partial.sketch.rank(key);
            values.push(PercentileEntry {
                key,
                value,
                text: value.and_then(|value| partial.format.number(value)),
            });
        }
        let type_name = match self.method {
            DigestMethod::TDigest { .. } => "tdigest_percentile_ranks",
            DigestMethod::Hdr { .. } => "hdr_percentile_ranks",
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
