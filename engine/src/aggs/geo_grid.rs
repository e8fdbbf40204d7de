//! `geohash_grid` and `geotile_grid`: a bucket per cell of a grid over the globe.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::bucket_map::BucketMap;
use super::collector::{AggContext, Aggregator, Batch, Children, Held};
use super::error::AggError;
use super::geo_source::GeoSource;
use super::partial::{Finisher, Partial};
use super::request::AggRequest;
use super::result::{Buckets, Key, ResultBody};
use super::terms::TermsAgg;
use super::terms_partial::{TermKey, TermsKind, TermsPartial};
use crate::geo::GeoPoint;
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

/// A bucket per cell that has places, fullest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeoGridAgg {
    /// Where the places come from, and sizes; always in order of the counts.
    pub terms: TermsAgg,
    /// The grid.
    pub grid: GeoGrid,
}

/// A way to divide the globe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GeoGrid {
    /// Geohashes of so many digits, 1 to 12.
    Geohash(u32),
    /// Map tiles of a zoom level, 0 to 29.
    Geotile(u32),
}

/// The largest latitude that map tiles reach.
const TILE_LATITUDE_MAX: f64 = 85.051_128_779_806_6;

impl GeoGrid {
    /// The cell of a place, in a form that sorts as cells do.
    pub(crate) fn cell(self, place: GeoPoint) -> TermKey {
        match self {
            GeoGrid::Geohash(digits) => TermKey::Text(place.geohash(digits).into_bytes()),
            GeoGrid::Geotile(zoom) => {
                let tiles = (1_u64 << zoom.min(29)) as f64;
                let clamp = |tile: f64| (tile.floor().clamp(0.0, tiles - 1.0)) as i64;
                let x = clamp((place.lon + 180.0) / 360.0 * tiles);
                let lat = place.lat.clamp(-TILE_LATITUDE_MAX, TILE_LATITUDE_MAX);
                let sin = lat.to_radians().sin();
                let north = ((1.0 + sin) / (1.0 - sin)).ln() / (4.0 * std::f64::consts::PI);
                let y = clamp((0.5 - north) * tiles);
                TermKey::Long(x << 29 | y)
            }
        }
    }

    /// The name of a cell.
    pub(crate) fn name(self, cell: &TermKey) -> String {
        match (self, cell) {
            (GeoGrid::Geotile(zoom), TermKey::Long(tile)) => {
                format!("{zoom}/{}/{}", tile >> 29, tile & ((1 << 29) - 1))
            }
            (_, TermKey::Text(hash)) => String::from_utf8_lossy(hash).into_owned(),
            _ => String::new(),
        }
    }

    fn name_of_agg(self) -> &'static str {
        match self {
            GeoGrid::Geohash(_) => "geohash_grid",
            GeoGrid::Geotile(_) => "geotile_grid",
        }
    }
}

impl Aggregation for GeoGridAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let schema = &ctx.reader.schema;
        Ok(Box::new(Collector {
            agg: self,
            request,
            source: GeoSource::resolve(&self.terms.source, schema, self.grid.name_of_agg())?,
            buckets: BucketMap::new(),
            children: Children::new(&request.sub, ctx)?,
            held: Held::new(ctx.search),
        }))
    }

    fn empty(&self, request: &AggRequest) -> Partial {
        self.terms.empty(request)
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let (_, body) = self.terms.finish(request, partial, finisher)?;
        let ResultBody::Buckets(mut found) = body else {
            return Ok((self.grid.name_of_agg(), body));
        };
        for bucket in &mut found.buckets {
            bucket.key = match &bucket.key {
                Key::I64(tile) => Key::Str(self.grid.name(&TermKey::Long(*tile))),
                key => key.clone(),
            };
        }
        let body = ResultBody::Buckets(Buckets {
            buckets: found.buckets,
            ..Buckets::default()
        });
        Ok((self.grid.name_of_agg(), body))
    }
}

struct Collector<'a> {
    agg: &'a GeoGridAgg,
    request: &'a AggRequest,
    source: Option<GeoSource>,
    buckets: BucketMap<TermKey>,
    children: Children<'a>,
    held: Held<'a>,
}

impl Aggregator for Collector<'_> {
    fn needs_scores(&self) -> bool {
        self.children.needs_scores()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        if let Some(source) = &mut self.source {
            source.begin_segment(segment)?;
        }
        self.children.begin_segment(ord, segment)
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        let Some(source) = &mut self.source else {
            return Ok(());
        };
        let (rows, places) = source.load(batch.docs);
        // buckets of the document at hand: several of its places may be in one cell
        let mut of_row: Vec<u32> = Vec::new();
        let mut last_row = None;
        for (&row, &place) in rows.iter().zip(places) {
            if last_row != Some(row) {
                last_row = Some(row);
                of_row.clear();
            }
            let owner = batch.owner(row as usize);
            let cell = self.agg.grid.cell(GeoPoint::from_column(place));
            let bytes = cell.heap_bytes();
            let bucket = self.buckets.bucket(owner, &cell, bytes, TermKey::clone);
            if !of_row.contains(&bucket) {
                of_row.push(bucket);
                self.buckets.counts[bucket as usize] += 1;
                self.children.push(batch, row as usize, bucket);
            }
        }
        self.buckets.account(&mut self.held)?;
        self.children.flush()
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let mut found = Vec::new();
        for (bucket, key) in self.buckets.take_owner(owner) {
            found.push((self.buckets.counts[bucket as usize], key, bucket));
        }
        let mut partial = TermsPartial {
            kind: match self.agg.grid {
                GeoGrid::Geohash(_) => TermsKind::Text,
                GeoGrid::Geotile(_) => TermsKind::Long,
            },
            shards: 1,
            error: Some(0),
            ..TermsPartial::default()
        };
        let terms = &self.agg.terms;
        terms.fill(self.request, &mut partial, found, &mut self.children)?;
        Ok(Partial::Terms(partial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_their_known_names() {
        let aarhus = GeoPoint {
            lat: 57.64911,
            lon: 10.40744,
        };
        let name = |grid: GeoGrid, place| grid.name(&grid.cell(place));
        assert_eq!(name(GeoGrid::Geohash(11), aarhus), "u4pruydqqvj");
        let amsterdam = GeoPoint {
            lat: 52.374_081,
            lon: 4.912_350,
        };
        assert_eq!(name(GeoGrid::Geotile(8), amsterdam), "8/131/84");
        let pole = GeoPoint {
            lat: 90.0,
            lon: 180.0,
        };
        assert_eq!(name(GeoGrid::Geotile(1), pole), "1/1/0");
    }
}
