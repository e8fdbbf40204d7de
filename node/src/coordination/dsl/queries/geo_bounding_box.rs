//! `{"location": {"top_left": [13, 53], "bottom_right": [14, 52]}}`: documents with a place in a box.

use quidditch_engine::geo::{GeoBox, GeoPoint};
use quidditch_engine::query::{GeoClause, GeoQuery, GeoShape, PlaceRule, Query};

use super::clause;
use crate::coordination::dsl::geo::{ValidationMethod, point};
use crate::coordination::dsl::{Json, ParseError};

const NAME: &str = "geo_bounding_box";

/// `geo_bounding_box`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    let mut found: Option<(&str, GeoBox)> = None;
    let mut validation = ValidationMethod::Strict;
    let mut ignore_unmapped = false;
    let (mut boost, mut name) = (1.0, None);
    for (key, value) in body.members() {
        match key {
            _ if value.is_object() => {
                if let Some((first, _)) = found {
                    return Err(value.parsing(format!(
                        "[{NAME}] query doesn't support multiple fields, found [{first}] and [{key}]"
                    )));
                }
                found = Some((key, read_box(&value)?));
            }
            "validation_method" => validation = ValidationMethod::parse(&value)?,
            "ignore_unmapped" => ignore_unmapped = value.bool()?,
            // How the reference once evaluated boxes; both ways find the same documents.
            "type" => {
                let text = value.text()?;
                if !matches!(text.to_ascii_lowercase().as_str(), "memory" | "indexed") {
                    return Err(value.illegal(format!(
                        "cannot parse type value [{text}], expected [memory] or [indexed]"
                    )));
                }
            }
            "boost" => boost = clause::boost(NAME, &value)?,
            "_name" => name = clause::name(&value)?,
            _ => {
                return Err(value.parsing(format!(
                    "failed to parse [{NAME}] query. unexpected field [{key}]"
                )));
            }
        }
    }
    let Some((field, area)) = found else {
        return Err(body.parsing(format!(
            "failed to parse [{NAME}] query. bounding box not provided"
        )));
    };
    Ok(Query::Geo(GeoQuery {
        field: field.to_owned(),
        shape: GeoShape::Box(checked(area, validation, body)?),
        rule: PlaceRule::Any,
        ignore_unmapped,
        written_as: GeoClause::BoundingBox,
        boost,
        name,
    }))
}

fn checked(
    mut area: GeoBox,
    validation: ValidationMethod,
    at: &Json<'_>,
) -> Result<GeoBox, ParseError> {
    if validation == ValidationMethod::IgnoreMalformed {
        return Ok(area);
    }
    // All around the globe stays so, however it is counted.
    let whole = validation == ValidationMethod::Coerce
        && (area.right - area.left).abs() > 0.0
        && (area.right - area.left) % 360.0 == 0.0;
    let corner = |lat: f64, lon: f64| validation.apply(GeoPoint { lat, lon }, NAME, at);
    let (upper, lower) = (
        corner(area.top, area.left)?,
        corner(area.bottom, area.right)?,
    );
    if upper.lat < lower.lat {
        return Err(at.illegal(format!(
            "top is below bottom corner: {:?} vs. {:?}",
            area.top, area.bottom
        )));
    }
    (area.top, area.left, area.bottom, area.right) = (upper.lat, upper.lon, lower.lat, lower.lon);
    if whole {
        (area.left, area.right) = (-180.0, 180.0);
    }
    Ok(area)
}

fn read_box(body: &Json<'_>) -> Result<GeoBox, ParseError> {
    let (mut top, mut left, mut bottom, mut right) = (f64::NAN, f64::NAN, f64::NAN, f64::NAN);
    let (mut corners, mut edges, mut text_box) = (false, false, None);
    for (key, value) in body.members() {
        match key {
            "wkt" => {
                let text = value.text()?;
                let area = GeoBox::parse_wkt(&text)
                    .map_err(|reason| value.error("parse_exception", reason))?;
                text_box = Some(area);
            }
            "top" => (top, edges) = (value.f64()?, true),
            "bottom" => (bottom, edges) = (value.f64()?, true),
            "left" => (left, edges) = (value.f64()?, true),
            "right" => (right, edges) = (value.f64()?, true),
            "top_left" | "topLeft" | "bottom_right" | "bottomRight" | "top_right" | "topRight"
            | "bottom_left" | "bottomLeft" => {
                corners = true;
                let upper = key.starts_with("top");
                let west = key.to_ascii_lowercase().ends_with("left");
                let (lat, lon) = corner(&value, upper, west)?;
                *(if upper { &mut top } else { &mut bottom }) = lat;
                *(if west { &mut left } else { &mut right }) = lon;
            }
            _ => {
                return Err(value.error(
                    "parse_exception",
                    format!("failed to parse bounding box. unexpected field [{key}]"),
                ));
            }
        }
    }
    if let Some(area) = text_box {
        if edges || corners {
            return Err(body.error(
                "parse_exception",
                "failed to parse bounding box. Conflicting definition found using well-known text and explicit corners.",
            ));
        }
        return Ok(area);
    }
    if [top, left, bottom, right].iter().any(|edge| edge.is_nan()) {
        return Err(body.error(
            "parse_exception",
            "failed to parse bounding box. top, bottom, left and right must be specified",
        ));
    }
    Ok(GeoBox {
        top,
        left,
        bottom,
        right,
    })
}

/// A corner; a geohash stands for the corner of its cell.
fn corner(value: &Json<'_>, upper: bool, west: bool) -> Result<(f64, f64), ParseError> {
    if value.is_string() {
        let text = value.text()?;
        if !text.contains(',')
            && let Ok(cell) = GeoBox::of_geohash(&text)
        {
            return Ok((
                if upper { cell.top } else { cell.bottom },
                if west { cell.left } else { cell.right },
            ));
        }
    }
    let point = point(value)?;
    Ok((point.lat, point.lon))
}
