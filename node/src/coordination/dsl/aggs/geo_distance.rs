//! `geo_distance`.

use quidditch_engine::aggs::geo_distance::GeoDistanceAgg;
use quidditch_engine::aggs::geo_source::Measure;
use quidditch_engine::aggs::range::RangeAgg;
use quidditch_engine::aggs::{AggKind, FieldSource};

use super::params::{AggBody, SourceParams};
use super::range::{check_some, items_of, parse_range};
use crate::coordination::dsl::ParseError;
use crate::coordination::dsl::geo;

/// `{"field": "place", "origin": "52.37, 4.89", "unit": "km", "ranges": [{"to": 100}, {"from": 100}]}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut origin = None;
    let mut unit = 1.0;
    let mut plane = false;
    let mut ranges = RangeAgg {
        source: FieldSource::default(),
        ranges: Vec::new(),
        keyed: false,
    };
    for (key, value) in body.json.members() {
        match key {
            "origin" | "center" | "point" | "por" => origin = Some(geo::point(&value)?),
            "unit" => unit = geo::unit(&value)?,
            "distance_type" => {
                let text = value.text()?;
                plane = match text.to_ascii_lowercase().as_str() {
                    "plane" => true,
                    "arc" => false,
                    _ => return Err(value.illegal(format!("No geo distance for [{text}]"))),
                };
            }
            "ranges" => {
                for item in items_of(body, &value)? {
                    ranges.ranges.push(parse_range(body, &item)?);
                }
            }
            "keyed" => ranges.keyed = value.bool()?,
            "field" | "missing" if source.read(key, &value)? => {}
            _ => {
                let known = [
                    "distance_type",
                    "field",
                    "keyed",
                    "missing",
                    "origin",
                    "ranges",
                    "unit",
                ];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    check_some(body, ranges.ranges.len())?;
    let Some(origin) = origin else {
        return Err(body
            .json
            .illegal("Aggregation [".to_owned() + body.agg + "] must define an [origin]."));
    };
    ranges.source = source.finish(false)?;
    Ok(AggKind::GeoDistance(GeoDistanceAgg {
        ranges,
        measure: Measure {
            origin,
            unit,
            plane,
        },
    }))
}
