//! `geo_bounds` and `geo_centroid`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::geo_extent::{GeoBoundsAgg, GeoCentroidAgg};

use super::params::{AggBody, SourceParams};
use crate::coordination::dsl::ParseError;

/// `{"field": "place", "wrap_longitude": true}`
pub(super) fn bounds(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut wrap_longitude = true;
    for (key, value) in body.json.members() {
        match key {
            "wrap_longitude" => wrap_longitude = value.bool()?,
            "field" | "missing" if source.read(key, &value)? => {}
            _ => return Err(body.unknown(key, &value, &["field", "missing", "wrap_longitude"])),
        }
    }
    Ok(AggKind::GeoBounds(GeoBoundsAgg {
        source: source.finish(false)?,
        wrap_longitude,
    }))
}

/// `{"field": "place"}`
pub(super) fn centroid(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    for (key, value) in body.json.members() {
        match key {
            "field" | "missing" if source.read(key, &value)? => {}
            _ => return Err(body.unknown(key, &value, &["field", "missing"])),
        }
    }
    Ok(AggKind::GeoCentroid(GeoCentroidAgg {
        source: source.finish(false)?,
    }))
}
