//! `stats`: count, smallest, largest, mean and sum of a field's values.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator};
use super::error::AggError;
use super::metric_partial::{MetricAggregator, MetricPartial, Needs};
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::{ResultBody, StatsResult};
use crate::search::SearchError;

/// count, smallest, largest, mean and sum of a field's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatsAgg {
    /// Where the values come from.
    pub source: FieldSource,
}

impl Aggregation for StatsAgg {
    fn aggregator<'a>(
        &'a self,
        _request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        MetricAggregator::boxed(&self.source, ctx, "stats", Needs::Stats)
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
        Ok(("stats", ResultBody::Stats(StatsResult::of(&partial))))
    }
}

impl StatsResult {
    pub(crate) fn of(partial: &MetricPartial) -> StatsResult {
        let moments = &partial.moments;
        let (min, max, avg) = (moments.min(), moments.max(), moments.avg());
        let sum = moments.sum.value();
        let show = |value: Option<f64>| partial.format.number(value?);
        let text = match (show(min), show(max), show(avg), show(Some(sum))) {
            (Some(min), Some(max), Some(avg), Some(sum)) => Some([min, max, avg, sum]),
            _ => None,
        };
        StatsResult {
            count: moments.count,
            min,
            max,
            avg,
            sum,
            text,
        }
    }
}
