//! `geo_point`: places on the globe, one column value each; see [`geo`](crate::geo).

use serde_json::Value as Json;

use super::super::params::{Param, ParamKind, Params, fixed, free};
use super::FieldType;
use crate::document::{ColumnKind, FieldBuilder, FieldSpec, IndexOptions, Scalar, StoredValue};
use crate::geo::GeoPoint;
use crate::schema::{FieldKind, FieldMapping, SchemaError, ValueError};
use crate::value::Value;

/// The type.
#[derive(Debug)]
pub(super) struct Geo;

/// Whether points beyond a range of degrees are refused, and whether a third coordinate is.
struct Strictness {
    ignore_z: bool,
}

/// Reads one point in any of its forms: text, `[lon, lat]`, `{"lat", "lon"}`, `{"geohash"}`, GeoJSON.
pub fn read_geo_point(json: &Json) -> Result<GeoPoint, ValueError> {
    read(json, &Strictness { ignore_z: true })
}

fn wrong(reason: impl Into<String>) -> ValueError {
    ValueError::new("parse_exception", reason)
}

fn read(json: &Json, strictness: &Strictness) -> Result<GeoPoint, ValueError> {
    match json {
        Json::String(text) => GeoPoint::parse(text).map_err(wrong),
        Json::Array(items) => coordinates(items, strictness),
        Json::Object(members) => object(members, strictness),
        _ => Err(wrong("geo_point expected")),
    }
}

fn coordinates(items: &[Json], strictness: &Strictness) -> Result<GeoPoint, ValueError> {
    if items.len() > 3 {
        return Err(wrong(
            "[geo_point] field type does not accept more than 3 values",
        ));
    }
    let mut numbers = Vec::with_capacity(3);
    for item in items {
        numbers.push(
            item.as_f64()
                .ok_or_else(|| wrong("numeric value expected"))?,
        );
    }
    match numbers.as_slice() {
        [lon, lat] => Ok(GeoPoint {
            lat: *lat,
            lon: *lon,
        }),
        [lon, lat, _] if strictness.ignore_z => Ok(GeoPoint {
            lat: *lat,
            lon: *lon,
        }),
        [_, _, height] => Err(wrong(format!(
            "Exception parsing coordinates: found Z value [{}] but [ignore_z_value] parameter is [false]",
            crate::document::java_double(*height)
        ))),
        _ => Err(wrong(
            "[geo_point] field type should have at least two dimensions",
        )),
    }
}

fn object(
    members: &serde_json::Map<String, Json>,
    strictness: &Strictness,
) -> Result<GeoPoint, ValueError> {
    let degrees = |name: &str, what: &str| -> Result<f64, ValueError> {
        match members.get(name) {
            None => Err(wrong(format!("field [{name}] missing"))),
            Some(Json::Number(n)) => Ok(n.as_f64().unwrap_or(f64::NAN)),
            Some(Json::String(text)) => text
                .trim()
                .parse()
                .map_err(|_| wrong(format!("[{what}] must be a valid double value"))),
            Some(_) => Err(wrong(format!("{what} must be a number"))),
        }
    };
    if let Some(unknown) = members.keys().find(|key| {
        !matches!(
            key.as_str(),
            "lat" | "lon" | "z" | "geohash" | "type" | "coordinates"
        )
    }) {
        return Err(wrong(format!(
            "field must be either [lat], [lon], [geohash], or GeoJSON [type] and [coordinates], got [{unknown}]"
        )));
    }
    if let Some(coordinates_given) = members.get("coordinates") {
        match members.get("type") {
            Some(Json::String(kind)) if kind.eq_ignore_ascii_case("point") => {}
            _ => return Err(wrong("[type] for geo_point can only be 'Point'")),
        }
        let Json::Array(items) = coordinates_given else {
            return Err(wrong("[coordinates] must be an array"));
        };
        return coordinates(items, strictness);
    }
    if let Some(hash) = members.get("geohash") {
        if members.contains_key("lat") || members.contains_key("lon") {
            return Err(wrong("field must be either lat/lon or geohash"));
        }
        return match hash {
            Json::String(hash) => crate::geo::GeoBox::of_geohash(hash)
                .map(|area| GeoPoint {
                    lat: area.bottom,
                    lon: area.left,
                })
                .map_err(wrong),
            _ => Err(wrong("[geohash] must be a string")),
        };
    }
    if !strictness.ignore_z && members.contains_key("z") {
        return Err(wrong(
            "found Z value but [ignore_z_value] parameter is [false]",
        ));
    }
    Ok(GeoPoint {
        lat: degrees("lat", "latitude")?,
        lon: degrees("lon", "longitude")?,
    })
}

fn no_exact_search(field: &FieldMapping) -> ValueError {
    ValueError::new(
        "query_shard_exception",
        format!(
            "Geometry fields do not support exact searching, use dedicated geometry queries instead: [{}]",
            field.path()
        ),
    )
}

impl FieldType for Geo {
    fn name(&self) -> &'static str {
        "geo_point"
    }

    fn kind(&self) -> FieldKind {
        FieldKind::GeoPoint
    }

    fn params(&self) -> &'static [Param] {
        const PARAMS: &[Param] = &[
            fixed("index", ParamKind::Bool(true)),
            fixed("doc_values", ParamKind::Bool(true)),
            fixed("store", ParamKind::Bool(false)),
            free("ignore_malformed", ParamKind::Explicit(false)),
            free("ignore_z_value", ParamKind::Explicit(true)),
            fixed("null_value", ParamKind::Tree),
            free("meta", ParamKind::Meta),
        ];
        PARAMS
    }

    fn spec(&self, params: &Params) -> FieldSpec {
        // The column is also what queries look at, so that either use needs it.
        let column = params.flag("index", true) || params.flag("doc_values", true);
        FieldSpec {
            index: IndexOptions::None,
            norms: false,
            column: match column {
                true => ColumnKind::Numeric,
                false => ColumnKind::None,
            },
            points: false,
            stored: params.flag("store", false),
        }
    }

    fn validate(&self, field: &FieldMapping) -> Result<(), SchemaError> {
        // Other fields take texts and numbers, which a point is not.
        let unsupported = match (field.copy_to.is_empty(), field.multi_fields().is_empty()) {
            (false, _) => Some("copy_to"),
            (_, false) => Some("fields"),
            _ => None,
        };
        if let Some(param) = unsupported {
            return Err(SchemaError::mapper(format!(
                "[{param}] is not supported on field [{}] of type [geo_point]",
                field.path()
            )));
        }
        let Some(null) = field.null_value() else {
            return Ok(());
        };
        let checked = read_geo_point(null).and_then(|point| point.check().map_err(wrong));
        match checked {
            Ok(_) => Ok(()),
            Err(error) => Err(SchemaError::mapper(format!(
                "Error parsing [null_value] on field [{}]: {}",
                field.path(),
                error.reason
            ))),
        }
    }

    fn reads_trees(&self) -> bool {
        true
    }

    fn parse_tree(
        &self,
        field: &FieldMapping,
        value: &Json,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        let strictness = Strictness {
            ignore_z: field.params.flag("ignore_z_value", true),
        };
        // An array that starts with a number is one point; any other is a list of points.
        if let Json::Array(items) = value
            && !items.first().is_some_and(Json::is_number)
        {
            for item in items {
                if !item.is_null() {
                    self.parse_tree(field, item, out)?;
                }
            }
            return Ok(());
        }
        let mut point = read(value, &strictness)?;
        if field.ignore_malformed {
            if !point.lat.is_finite() || !point.lon.is_finite() {
                return Err(wrong("geo_point is not finite"));
            }
            point = point.normalized();
        } else {
            point = point
                .check()
                .map_err(|reason| ValueError::illegal(format!("{reason} for {}", field.path())))?;
        }
        out.add_number(
            field,
            point.to_column(),
            StoredValue::Str(point.to_string()),
        );
        Ok(())
    }

    fn show_tree(
        &self,
        _field: &FieldMapping,
        value: &Json,
        shown: &mut Vec<Json>,
    ) -> Result<(), ValueError> {
        show_points(value, shown)
    }

    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        self.parse_tree(field, &Json::String(value.text().into_owned()), out)
    }

    fn encode_term(&self, field: &FieldMapping, _value: &Value) -> Result<Vec<u8>, ValueError> {
        Err(no_exact_search(field))
    }

    fn format_number(
        &self,
        field: &FieldMapping,
        stored: i64,
        format: Option<&str>,
        time_zone: Option<&str>,
    ) -> Result<Value, ValueError> {
        super::refuse_format(field, format, time_zone)?;
        Ok(Value::Str(GeoPoint::from_column(stored).to_string()))
    }
}

/// Each point as GeoJSON; arrays of points one by one.
fn show_points(value: &Json, shown: &mut Vec<Json>) -> Result<(), ValueError> {
    match value {
        Json::Null => {}
        Json::Array(items) if !items.first().is_some_and(Json::is_number) => {
            for item in items {
                show_points(item, shown)?;
            }
        }
        value => {
            let point = read_geo_point(value)?;
            shown.push(serde_json::json!({
                "type": "Point",
                "coordinates": [point.lon, point.lat],
            }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn points_in_all_forms() {
        let wanted = GeoPoint {
            lat: 4.9,
            lon: 52.3,
        };
        for form in [
            json!("4.9,52.3"),
            json!([52.3, 4.9]),
            json!({"lat": 4.9, "lon": "52.3"}),
            json!({"type": "Point", "coordinates": [52.3, 4.9, 7]}),
            json!("POINT (52.3 4.9)"),
        ] {
            assert_eq!(read_geo_point(&form), Ok(wanted), "{form}");
        }
        for form in [
            json!([1]),
            json!({"lat": 1}),
            json!(true),
            json!({"lat": 1, "lon": 2, "x": 3}),
        ] {
            assert!(read_geo_point(&form).is_err(), "{form}");
        }
    }
}
