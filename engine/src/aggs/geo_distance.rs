//! `geo_distance`: rings around a point.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator};
use super::error::AggError;
use super::geo_source::{GeoSource, Measure};
use super::partial::{Finisher, Partial};
use super::range::RangeAgg;
use super::range_partial::RangePartial;
use super::request::AggRequest;
use super::result::{BucketKeys, ResultBody};
use super::source::Source;
use crate::search::SearchError;

/// Buckets by the distance from a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeoDistanceAgg {
    /// Where the places come from, and the distances.
    pub ranges: RangeAgg,
    /// How distances are measured.
    pub measure: Measure,
}

impl Aggregation for GeoDistanceAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let places = GeoSource::resolve(&self.ranges.source, &ctx.reader.schema, "geo_distance")?;
        let source = match places {
            Some(places) => Source::Numeric(places.distances(self.measure)),
            None => Source::Unmapped,
        };
        self.ranges.collector(source, request, ctx)
    }

    fn empty(&self, request: &AggRequest) -> Partial {
        self.ranges.empty(request)
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let keyed = self.ranges.keyed;
        let body = RangePartial::finish(request, partial, finisher, keyed, BucketKeys::InLists)?;
        Ok(("geo_distance", body))
    }
}
