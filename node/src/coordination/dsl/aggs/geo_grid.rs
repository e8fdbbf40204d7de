//! `geohash_grid` and `geotile_grid`.

use quidditch_engine::aggs::geo_grid::{GeoGrid, GeoGridAgg};
use quidditch_engine::aggs::terms::TermsAgg;
use quidditch_engine::aggs::{AggKind, FieldSource};

use super::params::{AggBody, SourceParams};
use crate::coordination::dsl::ParseError;

/// Buckets of a grid when nobody says how many.
const SIZE_DEFAULT: usize = 10_000;

/// `{"field": "place", "precision": 5}`
pub(super) fn geohash(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    parse(body, 5, 1, 12, GeoGrid::Geohash)
}

/// `{"field": "place", "precision": 7}`
pub(super) fn geotile(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    parse(body, 7, 0, 29, GeoGrid::Geotile)
}

fn parse(
    body: &AggBody<'_>,
    default: i64,
    min: i64,
    max: i64,
    grid: fn(u32) -> GeoGrid,
) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut terms = TermsAgg {
        size: SIZE_DEFAULT,
        ..TermsAgg::new(FieldSource::default())
    };
    let mut precision = default;
    for (key, value) in body.json.members() {
        match key {
            "precision" => {
                precision = value.i64()?;
                if !(min..=max).contains(&precision) {
                    return Err(value.illegal(format!(
                        "Invalid {} aggregation precision of {precision}. Must be between {min} and {max}.",
                        body.kind
                    )));
                }
            }
            "size" => terms.size = body.at_least(&value, 1, "size")? as usize,
            "shard_size" => {
                terms.shard_size = Some(body.at_least(&value, 1, "shard_size")? as usize);
            }
            "field" | "missing" if source.read(key, &value)? => {}
            _ => {
                let known = ["field", "missing", "precision", "shard_size", "size"];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    terms.source = source.finish(false)?;
    Ok(AggKind::GeoGrid(GeoGridAgg {
        terms,
        grid: grid(precision as u32),
    }))
}
