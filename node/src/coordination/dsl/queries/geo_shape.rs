//! `{"location": {"shape": {"type": "envelope", "coordinates": [[13, 53], [14, 52]]}}}`: documents with places in a box.
//!
//! Boxes are the only shapes so far; any other is refused by its name.

use quidditch_engine::geo::{GeoBox, GeoPoint};
use quidditch_engine::query::{GeoClause, GeoQuery, GeoShape, PlaceRule, Query};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

const NAME: &str = "geo_shape";

/// `geo_shape`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    let mut found: Option<(&str, GeoBox, PlaceRule)> = None;
    let mut ignore_unmapped = false;
    let (mut boost, mut name) = (1.0, None);
    for (key, value) in body.members() {
        match key {
            _ if value.is_object() => {
                if let Some((first, ..)) = found {
                    return Err(value.parsing(format!(
                        "[{NAME}] query doesn't support multiple fields, found [{first}] and [{key}]"
                    )));
                }
                let (area, rule) = field_body(&value)?;
                found = Some((key, area, rule));
            }
            "ignore_unmapped" => ignore_unmapped = value.bool()?,
            "boost" => boost = clause::boost(NAME, &value)?,
            "_name" => name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    let Some((field, area, rule)) = found else {
        return Err(body.illegal("fieldName is required"));
    };
    Ok(Query::Geo(GeoQuery {
        field: field.to_owned(),
        shape: GeoShape::Box(area),
        rule,
        ignore_unmapped,
        written_as: GeoClause::Shape,
        boost,
        name,
    }))
}

fn field_body(body: &Json<'_>) -> Result<(GeoBox, PlaceRule), ParseError> {
    let mut area = None;
    let mut rule = PlaceRule::Any;
    for (key, value) in body.members() {
        match key {
            "shape" => area = Some(shape(&value)?),
            "relation" => {
                let text = value.text()?;
                rule = match text.to_ascii_lowercase().as_str() {
                    "intersects" => PlaceRule::Any,
                    "within" => PlaceRule::All,
                    "disjoint" => PlaceRule::None,
                    "contains" => {
                        return Err(
                            value.illegal("[geo_shape] relation [contains] is not supported")
                        );
                    }
                    _ => return Err(value.illegal(format!("Unknown shape operation [{text}]"))),
                };
            }
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    match area {
        Some(area) => Ok((area, rule)),
        None => Err(body.illegal("No Shape defined")),
    }
}

fn shape(value: &Json<'_>) -> Result<GeoBox, ParseError> {
    if value.is_string() {
        let text = value.text()?;
        return GeoBox::parse_wkt(&text)
            .map_err(|_| value.illegal(format!("[geo_shape] supports boxes alone, not [{text}]")));
    }
    let (mut kind, mut corners) = (None, None);
    for (key, member) in value.members() {
        match key {
            "type" => kind = Some(member),
            "coordinates" => corners = Some(member),
            _ => return Err(clause::unsupported(NAME, &member)),
        }
    }
    let Some(kind) = kind else {
        return Err(value.error("parse_exception", "shape type not included"));
    };
    let text = kind.text()?;
    if !matches!(text.to_ascii_lowercase().as_str(), "envelope" | "bbox") {
        return Err(kind.illegal(format!("[geo_shape] shape type [{text}] is not supported")));
    }
    let mut points = Vec::new();
    for item in corners.iter().flat_map(Json::items) {
        let numbers: Vec<f64> = item.items().map(|n| n.f64()).collect::<Result<_, _>>()?;
        let [lon, lat] = numbers.as_slice() else {
            return Err(item.error("parse_exception", "a corner of an envelope is [lon, lat]"));
        };
        let point = GeoPoint {
            lat: *lat,
            lon: *lon,
        };
        points.push(point.check().map_err(|reason| item.illegal(reason))?);
    }
    let [a, b] = points.as_slice() else {
        return Err(value.error(
            "parse_exception",
            format!(
                "invalid number of points [{}] provided for geo_shape [envelope] when expecting an array of 2 coordinates",
                points.len()
            ),
        ));
    };
    // Corners may come in any order of latitude; the first is the western one.
    Ok(GeoBox {
        top: a.lat.max(b.lat),
        left: a.lon,
        bottom: a.lat.min(b.lat),
        right: b.lon,
    })
}
