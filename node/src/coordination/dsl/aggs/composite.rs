//! `composite`.

use quidditch_engine::aggs::composite::{CompositeAgg, CompositeKind, CompositeSource};
use quidditch_engine::aggs::{AggKind, FieldSource};
use quidditch_engine::value::Value;

use super::date_histogram::{offset, read_interval};
use super::params::{AggBody, SourceParams};
use crate::coordination::dsl::{Json, ParseError};

/// `{"size": 100, "sources": [{"colour": {"terms": {"field": "colour"}}}], "after": {"colour": "red"}}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut sources: Vec<CompositeSource> = Vec::new();
    let mut size = 10;
    let mut after = None;
    for (key, value) in body.json.members() {
        match key {
            "sources" => {
                for item in value.items_or_self() {
                    sources.push(parse_source(body, &item)?);
                }
            }
            "size" => size = body.at_least(&value, 1, "size")? as usize,
            "after" if value.is_object() => after = Some(value),
            _ => return Err(body.unknown(key, &value, &["after", "size", "sources"])),
        }
    }
    if sources.is_empty() {
        return Err(body
            .json
            .illegal("Composite [sources] cannot be null or empty"));
    }
    let mut twice: Vec<&str> = Vec::new();
    for (at, source) in sources.iter().enumerate() {
        let known = sources[..at].iter().any(|other| other.name == source.name);
        if known && !twice.contains(&source.name.as_str()) {
            twice.push(&source.name);
        }
    }
    if !twice.is_empty() {
        return Err(body.json.illegal(format!(
            "Composite source names must be unique, found duplicates: [{}]",
            twice.join(",")
        )));
    }
    let after = match after {
        None => None,
        Some(after) => Some(after_values(&after, &sources)?),
    };
    Ok(AggKind::Composite(CompositeAgg {
        sources,
        size,
        after,
    }))
}

fn after_values(after: &Json<'_>, sources: &[CompositeSource]) -> Result<Vec<Value>, ParseError> {
    let given = after.members().count();
    if given != sources.len() {
        return Err(after.illegal(format!(
            "[after] has {given} value(s) but [sources] has {}",
            sources.len()
        )));
    }
    let mut values = Vec::with_capacity(sources.len());
    for source in sources {
        let Some(value) = after.get(&source.name) else {
            return Err(after.illegal(format!("Missing value for [after.{}]", source.name)));
        };
        values.push(if value.is_null() {
            Value::Null
        } else {
            value.scalar()?
        });
    }
    Ok(values)
}

/// `{"colour": {"terms": {"field": "colour", "order": "desc"}}}`
fn parse_source(body: &AggBody<'_>, item: &Json<'_>) -> Result<CompositeSource, ParseError> {
    let (name, definition) = one_member(item)?;
    let (kind_name, inner) = one_member(&definition)?;
    let inner = AggBody {
        json: inner,
        agg: body.agg,
        kind: body.kind,
    };
    let mut kind = match kind_name {
        "terms" => CompositeKind::Terms,
        "histogram" => CompositeKind::Histogram(0.0),
        "date_histogram" => CompositeKind::DateHistogram {
            interval: quidditch_engine::aggs::Interval::Fixed(0),
            offset_ms: 0,
        },
        _ => {
            return Err(inner
                .json
                .parsing(format!("invalid source type: {kind_name}")));
        }
    };
    let is_time = kind_name == "date_histogram";
    let mut params = SourceParams::new(&inner);
    if is_time {
        params = params.zoned();
    }
    let mut source = CompositeSource {
        name: name.to_owned(),
        source: FieldSource::default(),
        kind: CompositeKind::Terms,
        descending: false,
        missing_bucket: false,
        missing_last: None,
    };
    let mut has_interval = false;
    for (key, value) in inner.json.members() {
        match (key, &mut kind) {
            ("order", _) => source.descending = is_descending(&value)?,
            ("missing_bucket", _) => source.missing_bucket = value.bool()?,
            ("missing_order", _) => source.missing_last = missing_last(&value)?,
            ("interval", CompositeKind::Histogram(width)) => {
                *width = value.f64()?;
                if *width <= 0.0 {
                    return Err(
                        value.illegal("[interval] must be greater than 0 for [histogram] source")
                    );
                }
                has_interval = true;
            }
            (
                "calendar_interval" | "fixed_interval" | "interval",
                CompositeKind::DateHistogram { interval, .. },
            ) => {
                if has_interval {
                    return Err(value.illegal(format!(
                        "Cannot use [{key}] with another interval of the source"
                    )));
                }
                *interval = read_interval(key, &value)?;
                has_interval = true;
            }
            ("offset", CompositeKind::DateHistogram { offset_ms, .. }) => {
                *offset_ms = offset(&value)?;
            }
            ("missing", _) => {
                return Err(inner.unknown(key, &value, &["missing_bucket", "missing_order"]));
            }
            _ if params.read(key, &value)? => {}
            _ => {
                let known = [
                    "field",
                    "format",
                    "missing_bucket",
                    "missing_order",
                    "order",
                ];
                return Err(inner.unknown(key, &value, &known));
            }
        }
    }
    if kind != CompositeKind::Terms && !has_interval {
        return Err(inner
            .json
            .illegal("Invalid interval specified, must be non-null and non-empty"));
    }
    if source.missing_last.is_some() && !source.missing_bucket {
        return Err(inner
            .json
            .illegal("missing_order must be used with missing_bucket [true]"));
    }
    source.kind = kind;
    source.source = params.finish(true)?;
    Ok(source)
}

fn one_member<'a>(value: &Json<'a>) -> Result<(&'a str, Json<'a>), ParseError> {
    let mut members = value.members();
    match (members.next(), members.next()) {
        (Some(member), None) => Ok(member),
        _ => Err(value.parsing(format!(
            "expected one field in a source of [composite], got {}",
            value.members().count()
        ))),
    }
}

fn is_descending(value: &Json<'_>) -> Result<bool, ParseError> {
    let text = value.text()?;
    match text.to_ascii_lowercase().as_str() {
        "asc" => Ok(false),
        "desc" => Ok(true),
        _ => Err(value.illegal(format!("Unknown sort order [{text}], use asc or desc"))),
    }
}

fn missing_last(value: &Json<'_>) -> Result<Option<bool>, ParseError> {
    let text = value.text()?;
    match text.to_ascii_lowercase().as_str() {
        "default" => Ok(None),
        "first" => Ok(Some(false)),
        "last" => Ok(Some(true)),
        _ => Err(value.illegal(format!(
            "Unknown missing order [{text}], use default, first or last"
        ))),
    }
}
