//! `date_range`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::date_range::{DateRangeAgg, ScalarRange};

use super::params::{AggBody, SourceParams};
use super::range::{check_some, items_of};
use crate::coordination::dsl::{Json, ParseError};

/// `{"field": "sold", "format": "yyyy-MM", "ranges": [{"from": "now-10M/M"}]}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body).zoned();
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
                let known = ["field", "format", "keyed", "missing", "ranges", "time_zone"];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    check_some(body, ranges.len())?;
    let source = source.finish(true)?;
    Ok(AggKind::DateRange(DateRangeAgg {
        source,
        ranges,
        keyed,
    }))
}

fn parse_range(body: &AggBody<'_>, range: &Json<'_>) -> Result<ScalarRange, ParseError> {
    let mut parsed = ScalarRange::default();
    for (key, value) in range.members() {
        match key {
            "key" => parsed.key = value.text_or_null()?,
            "from" => parsed.from = value.scalar_or_null()?,
            "to" => parsed.to = value.scalar_or_null()?,
            _ => return Err(body.unknown(key, &value, &["from", "key", "to"])),
        }
    }
    Ok(parsed)
}
