//! `range`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::range::{NumberRange, RangeAgg};

use super::params::{AggBody, SourceParams};
use crate::coordination::dsl::{Json, ParseError};

/// `{"field": "price", "ranges": [{"to": 10}, {"from": 10, "key": "dear"}]}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut ranges = Vec::new();
    let mut keyed = false;
    for (key, value) in body.json.members() {
        match key {
            "ranges" => {
                for item in items_of(body, &value)? {
                    ranges.push(parse_range(body, &item)?);
                }
            }
            "keyed" => keyed = value.bool()?,
            _ if source.read(key, &value)? => {}
            _ => {
                return Err(body.unknown(
                    key,
                    &value,
                    &["field", "format", "keyed", "missing", "ranges"],
                ));
            }
        }
    }
    check_some(body, ranges.len())?;
    let source = source.finish(true)?;
    Ok(AggKind::Range(RangeAgg {
        source,
        ranges,
        keyed,
    }))
}

pub(super) fn parse_range(body: &AggBody<'_>, range: &Json<'_>) -> Result<NumberRange, ParseError> {
    let mut parsed = NumberRange::default();
    for (key, value) in range.members() {
        match key {
            "key" => parsed.key = value.text_or_null()?,
            "from" => parsed.from = value.f64_or_null()?,
            "to" => parsed.to = value.f64_or_null()?,
            _ => return Err(body.unknown(key, &value, &["from", "key", "to"])),
        }
    }
    Ok(parsed)
}

/// The objects of the list under `ranges`.
pub(super) fn items_of<'a>(
    body: &AggBody<'_>,
    value: &Json<'a>,
) -> Result<Vec<Json<'a>>, ParseError> {
    let wrong = |value: &Json<'_>| {
        value.content(format!(
            "[{}] ranges doesn't support values of type: {}",
            body.kind,
            value.token()
        ))
    };
    if !value.is_array() {
        return Err(wrong(value));
    }
    let items: Vec<Json<'a>> = value.items().collect();
    if let Some(item) = items.iter().find(|item| !item.is_object()) {
        return Err(wrong(item));
    }
    Ok(items)
}

/// Refuses to make no bucket at all.
pub(super) fn check_some(body: &AggBody<'_>, ranges: usize) -> Result<(), ParseError> {
    if ranges == 0 {
        return Err(body.json.illegal(format!(
            "No [ranges] specified for the [{}] aggregation",
            body.agg
        )));
    }
    Ok(())
}
