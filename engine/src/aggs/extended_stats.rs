//! `extended_stats`: [`stats`](super::stats) with sum of squares, variance and deviation.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator};
use super::error::AggError;
use super::metric_partial::{MetricAggregator, MetricPartial, Needs};
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::{ExtendedStatsResult, ResultBody, StatsResult};
use crate::search::SearchError;

/// Count, extremes, mean, sum and how far the values spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtendedStatsAgg {
    /// Where the values come from.
    pub source: FieldSource,
    /// How many deviations the bounds lie from the mean; not negative. 2 unless said otherwise.
    pub sigma: f64,
}

impl Aggregation for ExtendedStatsAgg {
    fn aggregator<'a>(
        &'a self,
        _request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        MetricAggregator::boxed(&self.source, ctx, "extended_stats", Needs::Everything)
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
        Ok((
            "extended_stats",
            ResultBody::ExtendedStats(ExtendedStatsResult::of(&partial, self.sigma)),
        ))
    }
}

impl ExtendedStatsResult {
    pub(crate) fn of(partial: &MetricPartial, sigma: f64) -> ExtendedStatsResult {
        let moments = &partial.moments;
        ExtendedStatsResult {
            stats: StatsResult::of(partial),
            sum_of_squares: (moments.count > 0).then(|| moments.squares.value()),
            variance_population: moments.variance_population(),
            variance_sampling: moments.variance_sampling(),
            sigma,
            format: (!partial.format.is_raw()).then(|| partial.format.clone()),
        }
    }

    /// `std_deviation_population`, which `std_deviation` repeats.
    pub fn deviation_population(&self) -> Option<f64> {
        self.variance_population.map(f64::sqrt)
    }

    /// `std_deviation_sampling`.
    pub fn deviation_sampling(&self) -> Option<f64> {
        self.variance_sampling.map(f64::sqrt)
    }

    /// Mean plus `side` times sigma deviations: 1 is the upper bound, -1 the lower.
    pub fn bound(&self, deviation: Option<f64>, side: f64) -> Option<f64> {
        Some(self.stats.avg? + side * self.sigma * deviation?)
    }
}
