//! `sort`: the order of hits.

use quidditch_engine::value::Value;

use super::suggest::did_you_mean;
use super::{Json, ParseError};

/// One key of the order, as the user wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct SortSpec {
    /// A field, or `_score`, `_doc`, `_shard_doc`.
    pub field: String,
    /// Highest first.
    pub descending: bool,
    /// Where documents without a value go: `_first`, `_last`, or as if they had this value.
    pub missing: Option<Value>,
    /// Which of several values counts.
    pub mode: Option<SortMode>,
    /// Type to assume where the field is not mapped.
    pub unmapped_type: Option<String>,
    /// Type to compare numbers as: `long`, `double`, `date`, `date_nanos`.
    pub numeric_type: Option<String>,
    /// How dates are written in the answer.
    pub format: Option<String>,
}

/// Which of several values of a document counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SortMode {
    Min,
    Max,
    Sum,
    Avg,
    Median,
}

impl SortSpec {
    /// A key with all defaults: `_score` descending, all others ascending.
    pub fn new(field: &str) -> SortSpec {
        SortSpec {
            field: field.to_owned(),
            descending: field == "_score",
            missing: None,
            mode: None,
            unmapped_type: None,
            numeric_type: None,
            format: None,
        }
    }
}

/// Reads `sort` in any of its forms: a name, an object, a list of both.
pub fn parse_sort(value: &Json<'_>) -> Result<Vec<SortSpec>, ParseError> {
    if !value.is_array() && !value.is_object() && !value.is_scalar() {
        return Err(value.illegal(
            "malformed sort format, either start with array, object, or an actual string",
        ));
    }
    let mut keys = Vec::new();
    for item in value.items_or_self() {
        if item.is_object() {
            for (field, inner) in item.members() {
                keys.push(parse_key(field, &inner)?);
            }
        } else if item.is_string() {
            keys.push(named(&item.text()?, &item)?);
        } else {
            return Err(item.illegal(
                "malformed sort format, within the sort array, an object, or an actual string are allowed",
            ));
        }
    }
    Ok(keys)
}

/// Reads the URL parameter `sort`: `field`, `field:asc`, `field:desc`.
pub fn parse_sort_param(text: &str) -> Result<SortSpec, ParseError> {
    let Some((field, order)) = text.rsplit_once(':') else {
        return Ok(SortSpec::new(text));
    };
    let mut key = SortSpec::new(field);
    key.descending = match order.to_ascii_lowercase().as_str() {
        "asc" => false,
        "desc" => true,
        "reverse" => !key.descending,
        _ => {
            return Err(ParseError::illegal_argument(format!(
                "Unknown sort order [{order}]"
            )));
        }
    };
    Ok(key)
}

fn named(field: &str, at: &Json<'_>) -> Result<SortSpec, ParseError> {
    match field {
        "_geo_distance" | "_script" => {
            Err(at.illegal(format!("sorting by [{field}] is not supported")))
        }
        _ => Ok(SortSpec::new(field)),
    }
}

const KNOWN: &[&str] = &[
    "missing",
    "unmapped_type",
    "order",
    "mode",
    "nested",
    "numeric_type",
    "format",
    "nested_path",
    "nested_filter",
];

/// One member of a sort object: `"field": "desc"` or `"field": {"order": "desc", …}`.
fn parse_key(field: &str, value: &Json<'_>) -> Result<SortSpec, ParseError> {
    let mut key = named(field, value)?;
    if !value.is_object() {
        key.descending = descending(value)?;
        return Ok(key);
    }
    let (what, known): (&str, &[&str]) = match field {
        "_score" => ("_score", &["order"]),
        _ => ("field_sort", KNOWN),
    };
    for (name, inner) in value.members() {
        let refused = |reason: String| Err(inner.content(format!("[{what}] {reason}")));
        match name {
            "order" => key.descending = descending(&inner)?,
            _ if !known.contains(&name) => {
                let hint = did_you_mean(name, known.iter().copied());
                return refused(format!("unknown field [{name}]{hint}"));
            }
            "missing" => key.missing = Some(inner.scalar()?).filter(|value| *value != Value::Null),
            "unmapped_type" => key.unmapped_type = inner.text_or_null()?,
            "numeric_type" => key.numeric_type = Some(numeric_type(&inner)?),
            "format" => key.format = inner.text_or_null()?,
            "mode" => key.mode = Some(mode(&inner)?),
            _ => return refused(format!("[{name}] is not supported")),
        }
    }
    Ok(key)
}

fn descending(value: &Json<'_>) -> Result<bool, ParseError> {
    let text = value.text()?;
    match text.to_ascii_lowercase().as_str() {
        "asc" => Ok(false),
        "desc" => Ok(true),
        _ => Err(value.illegal(format!(
            "No enum constant org.opensearch.search.sort.SortOrder.{}",
            text.to_uppercase()
        ))),
    }
}

fn mode(value: &Json<'_>) -> Result<SortMode, ParseError> {
    let text = value.text()?;
    match text.to_ascii_lowercase().as_str() {
        "min" => Ok(SortMode::Min),
        "max" => Ok(SortMode::Max),
        "sum" => Ok(SortMode::Sum),
        "avg" => Ok(SortMode::Avg),
        "median" => Ok(SortMode::Median),
        _ => Err(value.illegal(format!("Unknown SortMode [{text}]"))),
    }
}

fn numeric_type(value: &Json<'_>) -> Result<String, ParseError> {
    let text = value.text()?;
    match text.as_str() {
        "long" | "double" | "date" | "date_nanos" | "unsigned_long" => Ok(text),
        _ => Err(value.illegal(format!(
            "invalid value for [numeric_type], must be [long, unsigned_long, double, date, date_nanos], got {text}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(body: serde_json::Value) -> Result<Vec<SortSpec>, ParseError> {
        parse_sort(&Json::root(&body))
    }

    #[test]
    fn reads_every_form() {
        let keys = parse(json!(["a", {"b": "desc"}, {"c": {"order": "desc", "missing": "_first", "mode": "max"}}, "_score"])).unwrap();
        let shown: Vec<_> = keys
            .iter()
            .map(|key| (key.field.as_str(), key.descending))
            .collect();
        assert_eq!(
            shown,
            [("a", false), ("b", true), ("c", true), ("_score", true)]
        );
        assert_eq!(keys[2].missing, Some(Value::Str("_first".into())));
        assert_eq!(parse(json!("a")).unwrap().len(), 1);
        assert_eq!(parse(json!({"a": "asc", "b": {}})).unwrap().len(), 2);
    }

    #[test]
    fn names_what_it_refuses() {
        let error = parse(json!([{"a": {"ordr": "desc"}}])).unwrap_err();
        assert_eq!(
            error.reason,
            "[field_sort] unknown field [ordr] did you mean [order]?"
        );
        assert!(
            parse(json!([{"_geo_distance": {"a": [0, 0]}}]))
                .unwrap_err()
                .reason
                .contains("_geo_distance")
        );
        assert!(parse(json!([1])).is_err());
    }

    #[test]
    fn the_parameter_has_its_own_form() {
        assert!(parse_sort_param("a:desc").unwrap().descending);
        assert!(!parse_sort_param("a").unwrap().descending);
        assert!(parse_sort_param("a:x").is_err());
    }
}
