//! `max`: the largest of a field's values; `null` of none.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator};
use super::error::AggError;
use super::metric_partial::{MetricAggregator, MetricPartial, Needs};
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::ResultBody;
use crate::search::SearchError;

/// the largest of a field's values; `null` of none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaxAgg {
    /// Where the values come from.
    pub source: FieldSource,
}

impl Aggregation for MaxAgg {
    fn aggregator<'a>(
        &'a self,
        _request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        MetricAggregator::boxed(&self.source, ctx, "max", Needs::Extremes)
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        Partial::Metric(MetricPartial::default())
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        _finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Metric(partial) = partial else {
            return Err(partial.mismatch(request));
        };
        Ok(("max", partial.shown(partial.moments.max())))
    }
}
