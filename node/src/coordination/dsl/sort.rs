//! `sort`: the order of hits.

use quidditch_engine::search::{SortKey, SortMissing, SortMode, SortOrder, SortSource};
use quidditch_engine::value::Value;

use super::suggest::did_you_mean;
use super::{Json, ParseError};

/// A key with all defaults: `_score` descending, all others ascending.
pub fn sort_key(field: &str) -> SortKey {
    match field {
        "_score" => SortKey::score(),
        "_doc" => SortKey {
            source: SortSource::Doc,
            ..SortKey::field("", SortOrder::Asc)
        },
        "_shard_doc" => SortKey {
            source: SortSource::ShardDoc,
            ..SortKey::field("", SortOrder::Asc)
        },
        _ => SortKey::field(field, SortOrder::Asc),
    }
}

/// Reads `sort` in any of its forms: a name, an object, a list of both.
pub fn parse_sort(value: &Json<'_>) -> Result<Vec<SortKey>, ParseError> {
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
pub fn parse_sort_param(text: &str) -> Result<SortKey, ParseError> {
    let Some((field, order)) = text.rsplit_once(':') else {
        return Ok(sort_key(text));
    };
    let mut key = sort_key(field);
    key.order = match order.to_ascii_lowercase().as_str() {
        "asc" => SortOrder::Asc,
        "desc" => SortOrder::Desc,
        "reverse" if key.order == SortOrder::Asc => SortOrder::Desc,
        "reverse" => SortOrder::Asc,
        _ => {
            return Err(ParseError::illegal_argument(format!(
                "Unknown sort order [{order}]"
            )));
        }
    };
    Ok(key)
}

fn named(field: &str, at: &Json<'_>) -> Result<SortKey, ParseError> {
    match field {
        "_geo_distance" | "_script" => {
            Err(at.illegal(format!("sorting by [{field}] is not supported")))
        }
        _ => Ok(sort_key(field)),
    }
}

const KNOWN: &[&str] = &[
    "missing",
    "unmapped_type",
    "order",
    "mode",
    "nested",
    "numeric_type",
    "nested_path",
    "nested_filter",
];

/// One member of a sort object: `"field": "desc"` or `"field": {"order": "desc", …}`.
fn parse_key(field: &str, value: &Json<'_>) -> Result<SortKey, ParseError> {
    let mut key = named(field, value)?;
    if !value.is_object() {
        key.order = order(value)?;
        return Ok(key);
    }
    let (what, known): (&str, &[&str]) = match field {
        "_score" => ("_score", &["order"]),
        _ => ("field_sort", KNOWN),
    };
    for (name, inner) in value.members() {
        let refused = |reason: String| Err(inner.content(format!("[{what}] {reason}")));
        match name {
            "order" => key.order = order(&inner)?,
            _ if !known.contains(&name) => {
                let hint = did_you_mean(name, known.iter().copied());
                return refused(format!("unknown field [{name}]{hint}"));
            }
            "missing" => key.missing = missing(&inner)?,
            "unmapped_type" => key.unmapped_type = inner.text_or_null()?,
            "numeric_type" => key.numeric_type = Some(numeric_type(&inner)?),
            "mode" => key.mode = Some(mode(&inner)?),
            _ => return refused(format!("[{name}] is not supported")),
        }
    }
    Ok(key)
}

fn missing(value: &Json<'_>) -> Result<SortMissing, ParseError> {
    Ok(match value.scalar()? {
        Value::Null => SortMissing::Last,
        Value::Str(text) if text == "_last" => SortMissing::Last,
        Value::Str(text) if text == "_first" => SortMissing::First,
        stand_in => SortMissing::Value(stand_in),
    })
}

fn order(value: &Json<'_>) -> Result<SortOrder, ParseError> {
    let text = value.text()?;
    match text.to_ascii_lowercase().as_str() {
        "asc" => Ok(SortOrder::Asc),
        "desc" => Ok(SortOrder::Desc),
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

    fn parse(body: serde_json::Value) -> Result<Vec<SortKey>, ParseError> {
        parse_sort(&Json::root(&body))
    }

    #[test]
    fn reads_every_form() {
        let keys = parse(json!(["a", {"b": "desc"}, {"c": {"order": "desc", "missing": "_first", "mode": "max"}}, "_score"])).unwrap();
        assert_eq!(keys[0], SortKey::field("a", SortOrder::Asc));
        assert_eq!(keys[1], SortKey::field("b", SortOrder::Desc));
        assert_eq!(
            (keys[2].missing.clone(), keys[2].mode),
            (SortMissing::First, Some(SortMode::Max))
        );
        assert_eq!(keys[3], SortKey::score());
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
        assert_eq!(
            parse_sort_param("a:desc").unwrap(),
            SortKey::field("a", SortOrder::Desc)
        );
        assert_eq!(
            parse_sort_param("a").unwrap(),
            SortKey::field("a", SortOrder::Asc)
        );
        assert!(parse_sort_param("a:x").is_err());
    }
}
