//! `{"price": {"gte": 10, "lt": 20}}`: documents whose field holds a value between two bounds.

use std::ops::Bound;

use quidditch_engine::query::{Query, RangeQuery, RangeRelation};
use quidditch_engine::schema::dates::{DateFormat, parse_time_zone};
use quidditch_engine::value::Value;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `range`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "range";
    let mut field: Option<&str> = None;
    let mut query = RangeQuery::new("", Bound::Unbounded, Bound::Unbounded);
    for (key, value) in body.members() {
        if value.is_object() {
            if let Some(first) = field {
                return Err(value.parsing(format!(
                    "[range] query doesn't support multiple fields, found [{first}] and [{key}]"
                )));
            }
            field = Some(key);
            bounds(&value, &mut query)?;
        } else if key == "_name" {
            query.name = clause::name(&value)?;
        } else {
            return Err(clause::unsupported(NAME, &value));
        }
    }
    match field {
        None | Some("") => Err(body.illegal("field name is null or empty")),
        Some(field) => {
            query.field = field.to_owned();
            Ok(Query::Range(query))
        }
    }
}

fn bounds(inner: &Json<'_>, query: &mut RangeQuery) -> Result<(), ParseError> {
    const NAME: &str = "range";
    let (mut lower, mut upper) = (Value::Null, Value::Null);
    let (mut include_lower, mut include_upper) = (true, true);
    for (key, value) in inner.members() {
        if value.is_array() || value.is_object() {
            return Err(clause::unsupported(NAME, &value));
        }
        match key {
            "from" => lower = value.scalar()?,
            "to" => upper = value.scalar()?,
            "include_lower" | "includeLower" => include_lower = value.bool()?,
            "include_upper" | "includeUpper" => include_upper = value.bool()?,
            "gt" => (lower, include_lower) = (value.scalar()?, false),
            "gte" | "ge" => (lower, include_lower) = (value.scalar()?, true),
            "lt" => (upper, include_upper) = (value.scalar()?, false),
            "lte" | "le" => (upper, include_upper) = (value.scalar()?, true),
            "format" => query.format = format(&value)?,
            "time_zone" => query.time_zone = time_zone(&value)?,
            "relation" => query.relation = Some(relation(&value)?),
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    query.lower = bound(lower, include_lower);
    query.upper = bound(upper, include_upper);
    Ok(())
}

/// A format of dates, also where the field turns out to hold none.
fn format(value: &Json<'_>) -> Result<Option<String>, ParseError> {
    let format = value.text_or_null()?;
    if let Some(text) = &format {
        DateFormat::parse(text).map_err(|error| value.error(error.kind, error.reason))?;
    }
    Ok(format)
}

/// A time zone that is known; what is wrong with it is told in the words of the class that OpenSearch reads it with.
fn time_zone(value: &Json<'_>) -> Result<Option<String>, ParseError> {
    let zone = value.text_or_null()?;
    if let Some(text) = &zone {
        parse_time_zone(text).map_err(|error| {
            let class = match error.kind {
                "zone_rules_exception" => "java.time.zone.ZoneRulesException",
                _ => "java.time.DateTimeException",
            };
            value
                .illegal(format!("{class}: {}", error.reason))
                .with_cause(value.error(error.kind, error.reason))
        })?;
    }
    Ok(zone)
}

/// A bound that is `null` is none.
fn bound(value: Value, inclusive: bool) -> Bound<Value> {
    match value {
        Value::Null => Bound::Unbounded,
        value if inclusive => Bound::Included(value),
        value => Bound::Excluded(value),
    }
}

fn relation(value: &Json<'_>) -> Result<RangeRelation, ParseError> {
    let text = value.text()?;
    match text.to_ascii_lowercase().as_str() {
        "intersects" => Ok(RangeRelation::Intersects),
        "contains" => Ok(RangeRelation::Contains),
        "within" => Ok(RangeRelation::Within),
        "disjoint" => Err(value.illegal("[range] query does not support relation [disjoint]")),
        _ => Err(value.illegal(format!("{text} is not a valid relation"))),
    }
}
