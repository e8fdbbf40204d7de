//! `geo_bounds` and `geo_centroid`: the box around places, and their middle.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator, Batch, Held};
use super::error::AggError;
use super::geo_source::GeoSource;
use super::moments::CompensatedSum;
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::ResultBody;
use crate::geo::{GeoBox, GeoPoint};
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

/// The smallest box around all places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeoBoundsAgg {
    /// Where the places come from.
    pub source: FieldSource,
    /// Whether the box may go across the 180th meridian when it is narrower so.
    pub wrap_longitude: bool,
}

/// The mean of all places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeoCentroidAgg {
    /// Where the places come from.
    pub source: FieldSource,
}

/// What is known of places.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExtentPartial {
    count: u64,
    lat_sum: CompensatedSum,
    lon_sum: CompensatedSum,
    lat: Option<(f64, f64)>,
    /// Longitudes below 0 and others, apart, for boxes across the 180th meridian.
    west: Option<(f64, f64)>,
    east: Option<(f64, f64)>,
}

fn widen(range: Option<(f64, f64)>, other: Option<(f64, f64)>) -> Option<(f64, f64)> {
    match (range, other) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

impl ExtentPartial {
    fn add(&mut self, place: GeoPoint) {
        self.count += 1;
        self.lat_sum.add(place.lat);
        self.lon_sum.add(place.lon);
        self.lat = widen(self.lat, Some((place.lat, place.lat)));
        let side = if place.lon < 0.0 {
            &mut self.west
        } else {
            &mut self.east
        };
        *side = widen(*side, Some((place.lon, place.lon)));
    }

    pub fn merge(&mut self, other: ExtentPartial) -> Result<(), AggError> {
        self.count += other.count;
        self.lat_sum.merge(other.lat_sum);
        self.lon_sum.merge(other.lon_sum);
        self.lat = widen(self.lat, other.lat);
        self.west = widen(self.west, other.west);
        self.east = widen(self.east, other.east);
        Ok(())
    }

    fn bounds(&self, wrap: bool) -> Option<GeoBox> {
        let (bottom, top) = self.lat?;
        let (left, right) = match (self.west, self.east) {
            (Some(west), Some(east)) => {
                let across = (180.0 - east.0) + (west.1 + 180.0);
                if wrap && across < east.1 - west.0 {
                    (east.0, west.1)
                } else {
                    (west.0, east.1)
                }
            }
            (one, other) => one.or(other)?,
        };
        Some(GeoBox {
            top,
            left,
            bottom,
            right,
        })
    }
}

impl Aggregation for GeoBoundsAgg {
    fn aggregator<'a>(
        &'a self,
        _request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        Collector::boxed(&self.source, ctx, "geo_bounds")
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        Partial::Extent(ExtentPartial::default())
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        _finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Extent(partial) = partial else {
            return Err(partial.mismatch(request));
        };
        let bounds = partial.bounds(self.wrap_longitude);
        Ok(("geo_bounds", ResultBody::GeoBounds(bounds)))
    }
}

impl Aggregation for GeoCentroidAgg {
    fn aggregator<'a>(
        &'a self,
        _request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        Collector::boxed(&self.source, ctx, "geo_centroid")
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        Partial::Extent(ExtentPartial::default())
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        _finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Extent(partial) = partial else {
            return Err(partial.mismatch(request));
        };
        let count = partial.count;
        let location = (count > 0).then(|| GeoPoint {
            lat: partial.lat_sum.value() / count as f64,
            lon: partial.lon_sum.value() / count as f64,
        });
        Ok(("geo_centroid", ResultBody::GeoCentroid { location, count }))
    }
}

struct Collector<'a> {
    source: Option<GeoSource>,
    buckets: Vec<ExtentPartial>,
    held: Held<'a>,
}

impl<'a> Collector<'a> {
    fn boxed(
        source: &FieldSource,
        ctx: &AggContext<'a>,
        agg: &str,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        Ok(Box::new(Collector {
            source: GeoSource::resolve(source, &ctx.reader.schema, agg)?,
            buckets: Vec::new(),
            held: Held::new(ctx.search),
        }))
    }
}

impl Aggregator for Collector<'_> {
    fn begin_segment(&mut self, _ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        match &mut self.source {
            Some(source) => source.begin_segment(segment),
            None => Ok(()),
        }
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        let owners = batch.owner_count();
        if self.buckets.len() < owners {
            self.buckets.resize(owners, ExtentPartial::default());
            self.held
                .set(self.buckets.capacity() * size_of::<ExtentPartial>())?;
        }
        let Some(source) = &mut self.source else {
            return Ok(());
        };
        let (rows, places) = source.load(batch.docs);
        for (&row, &place) in rows.iter().zip(places) {
            let owner = batch.owner(row as usize) as usize;
            self.buckets[owner].add(GeoPoint::from_column(place));
        }
        Ok(())
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let partial = self.buckets.get_mut(owner as usize).map(std::mem::take);
        Ok(Partial::Extent(partial.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_go_the_short_way_round() {
        let mut places = ExtentPartial::default();
        for (lat, lon) in [(10.0, 170.0), (-5.0, -175.0)] {
            places.add(GeoPoint { lat, lon });
        }
        let sides = |bounds: Option<GeoBox>| bounds.map(|area| (area.left, area.right));
        assert_eq!(sides(places.bounds(true)), Some((170.0, -175.0)));
        assert_eq!(sides(places.bounds(false)), Some((-175.0, 170.0)));
        assert_eq!(ExtentPartial::default().bounds(true), None);
    }
}
