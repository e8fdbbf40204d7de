//! `{"distance": "12km", "location": [13.4, 52.5]}`: documents with a place near a point.

use quidditch_engine::query::{GeoClause, GeoQuery, GeoShape, PlaceRule, Query};

use super::clause;
use crate::coordination::dsl::geo::{ValidationMethod, metres, point, unit};
use crate::coordination::dsl::{Json, ParseError};

/// `geo_distance`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "geo_distance";
    let (mut field, mut centre, mut distance) = (None, None, None);
    let (mut lat, mut lon) = (None, None);
    let (mut unit_metres, mut plane, mut ignore_unmapped) = (1.0, false, false);
    let mut validation = ValidationMethod::Strict;
    let (mut boost, mut name) = (1.0, None);
    for (key, value) in body.members() {
        match key {
            "distance" => distance = Some(value),
            "unit" => unit_metres = unit(&value)?,
            "distance_type" => {
                let text = value.text()?;
                plane = match text.to_ascii_lowercase().as_str() {
                    "plane" => true,
                    "arc" => false,
                    _ => {
                        return Err(value.illegal(format!("No geo distance for [{text}]")));
                    }
                };
            }
            "validation_method" => validation = ValidationMethod::parse(&value)?,
            "ignore_unmapped" => ignore_unmapped = value.bool()?,
            "boost" => boost = clause::boost(NAME, &value)?,
            "_name" => name = clause::name(&value)?,
            _ if key.ends_with(".lat") && value.is_scalar() => {
                lat = Some((key.trim_end_matches(".lat"), value.f64()?));
            }
            _ if key.ends_with(".lon") && value.is_scalar() => {
                lon = Some((key.trim_end_matches(".lon"), value.f64()?));
            }
            _ if value.is_object() || value.is_array() || value.is_string() => {
                if let Some(first) = field {
                    return Err(value.parsing(format!(
                        "[geo_distance] query doesn't support multiple fields, found [{first}] and [{key}]"
                    )));
                }
                field = Some(key);
                centre = Some(point(&value)?);
            }
            _ => {
                return Err(value.parsing(format!("[geo_distance] query does not support [{key}]")));
            }
        }
    }
    if let (Some((path, lat)), Some((_, lon))) = (lat, lon) {
        field = Some(path);
        centre = Some(quidditch_engine::geo::GeoPoint { lat, lon });
    }
    let (Some(field), Some(centre)) = (field, centre) else {
        return Err(body.illegal("fieldName must not be null or empty"));
    };
    let Some(distance) = distance else {
        return Err(body.parsing("geo_distance requires 'distance' to be specified"));
    };
    let radius = metres(&distance, unit_metres)?;
    if radius <= 0.0 {
        return Err(distance.illegal("distance must be greater than zero"));
    }
    Ok(Query::Geo(GeoQuery {
        field: field.to_owned(),
        shape: GeoShape::Circle {
            centre: validation.apply(centre, NAME, body)?,
            radius,
            plane,
        },
        rule: PlaceRule::Any,
        ignore_unmapped,
        written_as: GeoClause::Distance,
        boost,
        name,
    }))
}
