//! Places, distances and what to do with impossible degrees, as queries and sorts write them.

use quidditch_engine::geo::GeoPoint;
use quidditch_engine::schema::read_geo_point;

use super::{Json, ParseError};

/// Units of length by all their names, in metres.
const UNITS: &[(&[&str], f64)] = &[
    (&["in", "inch"], 0.0254),
    (&["yd", "yards"], 0.9144),
    (&["ft", "feet"], 0.3048),
    (&["km", "kilometers"], 1000.0),
    (&["NM", "nmi", "nauticalmiles"], 1852.0),
    (&["mm", "millimeters"], 0.001),
    (&["cm", "centimeters"], 0.01),
    (&["mi", "miles"], 1609.344),
    (&["m", "meters"], 1.0),
];

/// What to do with degrees out of their range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidationMethod {
    /// They are an error.
    Strict,
    /// They are brought into range.
    Coerce,
    /// They stay as they are.
    IgnoreMalformed,
}

impl ValidationMethod {
    /// Reads `validation_method`.
    pub fn parse(value: &Json<'_>) -> Result<ValidationMethod, ParseError> {
        let text = value.text()?;
        match text.to_ascii_lowercase().as_str() {
            "strict" => Ok(ValidationMethod::Strict),
            "coerce" => Ok(ValidationMethod::Coerce),
            "ignore_malformed" => Ok(ValidationMethod::IgnoreMalformed),
            _ => Err(value.illegal(format!(
                "operator needs to be one of [IGNORE_MALFORMED, COERCE, STRICT], but not [{text}]"
            ))),
        }
    }

    /// The point to work with; `query` is named in the error.
    pub fn apply(
        self,
        point: GeoPoint,
        query: &str,
        at: &Json<'_>,
    ) -> Result<GeoPoint, ParseError> {
        match self {
            ValidationMethod::Strict => point
                .check()
                .map_err(|reason| at.parsing(format!("{reason} for [{query}]"))),
            ValidationMethod::Coerce => Ok(point.normalized()),
            ValidationMethod::IgnoreMalformed => Ok(point),
        }
    }
}

/// Reads a point in any of its forms.
pub fn point(value: &Json<'_>) -> Result<GeoPoint, ParseError> {
    read_geo_point(value.value()).map_err(|error| value.error(error.kind, error.reason))
}

/// Metres in a unit of that name.
pub fn unit(value: &Json<'_>) -> Result<f64, ParseError> {
    let text = value.text()?;
    let found = UNITS
        .iter()
        .find(|(names, _)| names.contains(&text.as_str()));
    match found {
        Some((_, metres)) => Ok(*metres),
        None => Err(value.illegal(format!("No distance unit match [{text}]"))),
    }
}

/// Metres of a length like `12km`; a bare number is in `unit` (metres).
pub fn metres(value: &Json<'_>, unit: f64) -> Result<f64, ParseError> {
    let text = value.text()?;
    let text = text.trim();
    let mut found = (text, unit);
    for (names, factor) in UNITS {
        for name in *names {
            if let Some(number) = text.strip_suffix(name)
                && number
                    .trim_end()
                    .ends_with(|c: char| c.is_ascii_digit() || c == '.')
            {
                found = (number.trim_end(), *factor);
            }
        }
    }
    match found.0.parse::<f64>() {
        Ok(number) => Ok(number * found.1),
        Err(_) => Err(value.error(
            "number_format_exception",
            format!("For input string: \"{}\"", found.0),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lengths_in_all_units() {
        for (text, wanted) in [
            (json!("12km"), 12_000.0),
            (json!(12), 12.0),
            (json!("1.5 mi"), 1609.344 * 1.5),
            (json!("3in"), 0.0762),
            (json!("2nmi"), 3704.0),
            (json!("7m"), 7.0),
        ] {
            let found = metres(&Json::root(&text), 1.0).unwrap();
            assert!((found - wanted).abs() < 1e-9, "{text}: {found}");
        }
        assert!(metres(&Json::root(&json!("far")), 1.0).is_err());
        assert!(unit(&Json::root(&json!("leagues"))).is_err());
    }
}
