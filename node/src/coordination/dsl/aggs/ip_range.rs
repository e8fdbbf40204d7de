//! `ip_range`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::ip_range::{IpRange, IpRangeAgg, parse_address};

use super::params::{AggBody, SourceParams};
use super::range::{check_some, items_of};
use crate::coordination::dsl::{Json, ParseError};

/// `{"field": "client", "ranges": [{"to": "10.0.0.5"}, {"mask": "10.0.0.0/25"}]}`
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
            _ => return Err(body.unknown(key, &value, &["field", "keyed", "missing", "ranges"])),
        }
    }
    check_some(body, ranges.len())?;
    let source = source.finish(false)?;
    Ok(AggKind::IpRange(IpRangeAgg {
        source,
        ranges,
        keyed,
    }))
}

fn parse_range(body: &AggBody<'_>, range: &Json<'_>) -> Result<IpRange, ParseError> {
    let mut parsed = IpRange::default();
    let mut name = None;
    let mut network = false;
    for (key, value) in range.members() {
        let end = |value: &Json<'_>| {
            let Some(text) = value.text_or_null()? else {
                return Ok(None);
            };
            let bytes = parse_address(&text)
                .ok_or_else(|| value.illegal(format!("'{text}' is not an IP string literal.")))?;
            Ok::<_, ParseError>(Some(bytes))
        };
        match key {
            "key" => name = value.text_or_null()?,
            "from" => parsed.from = end(&value)?,
            "to" => parsed.to = end(&value)?,
            "mask" => {
                let text = value.text()?;
                network = true;
                parsed = IpRange::of_network(&text).ok_or_else(|| {
                    value.illegal(format!("Expected [ip/prefix] but was [{text}]"))
                })?;
            }
            _ => return Err(body.unknown(key, &value, &["from", "key", "mask", "to"])),
        }
    }
    if !network && parsed.from.is_none() && parsed.to.is_none() && name.is_none() {
        return Err(range.illegal("At least [from], [to] or [mask] of a range must be specified"));
    }
    if name.is_some() {
        parsed.key = name;
    }
    Ok(parsed)
}
