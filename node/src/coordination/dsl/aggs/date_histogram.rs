//! `date_histogram`.

use quidditch_engine::aggs::date_histogram::{DateBounds, DateHistogramAgg};
use quidditch_engine::aggs::{AggKind, BucketOrder, CalendarUnit, FieldSource, Interval};

use super::histogram::min_doc_count;
use super::order;
use super::params::{AggBody, SourceParams, duration_ms};
use crate::coordination::dsl::{Json, ParseError};

/// `{"field": "sold", "calendar_interval": "1M", "time_zone": "Europe/Paris"}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body).zoned();
    let mut interval: Option<(&str, Interval)> = None;
    let mut agg = DateHistogramAgg {
        source: FieldSource::default(),
        interval: Interval::Calendar(CalendarUnit::Day),
        offset_ms: 0,
        min_doc_count: 0,
        extended_bounds: None,
        hard_bounds: None,
        keyed: false,
        order: vec![BucketOrder::key(true)],
    };
    for (key, value) in body.json.members() {
        match key {
            "calendar_interval" | "fixed_interval" | "interval" => {
                if let Some((first, _)) = interval {
                    return Err(value.illegal(format!(
                        "Cannot use [{key}] with [{first}] configuration option."
                    )));
                }
                interval = Some((key, read_interval(key, &value)?));
            }
            "offset" => agg.offset_ms = offset(&value)?,
            "min_doc_count" => agg.min_doc_count = min_doc_count(body, &value)?,
            "extended_bounds" => agg.extended_bounds = Some(bounds(body, &value)?),
            "hard_bounds" => agg.hard_bounds = Some(bounds(body, &value)?),
            "keyed" => agg.keyed = value.bool()?,
            "order" => agg.order = order::parse(&value)?,
            _ if source.read(key, &value)? => {}
            _ => {
                let known = [
                    "calendar_interval",
                    "extended_bounds",
                    "field",
                    "fixed_interval",
                    "format",
                    "hard_bounds",
                    "interval",
                    "keyed",
                    "min_doc_count",
                    "missing",
                    "offset",
                    "order",
                    "time_zone",
                ];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    let Some((_, interval)) = interval else {
        return Err(body
            .json
            .illegal("Invalid interval specified, must be non-null and non-empty"));
    };
    agg.interval = interval;
    agg.source = source.finish(true)?;
    Ok(AggKind::DateHistogram(agg))
}

pub(super) fn read_interval(key: &str, value: &Json<'_>) -> Result<Interval, ParseError> {
    let text = value.text()?;
    let unit = CalendarUnit::parse(&text);
    match (key, unit) {
        ("calendar_interval" | "interval", Some(unit)) => return Ok(Interval::Calendar(unit)),
        ("calendar_interval", None) => {
            return Err(value.illegal(format!(
                "The supplied interval [{text}] could not be parsed as a calendar interval."
            )));
        }
        _ => {}
    }
    // the old parameter takes bare milliseconds too
    let ms = match (key, text.parse::<i64>()) {
        ("interval", Ok(ms)) => Some(ms),
        _ => duration_ms(&text),
    };
    match ms {
        Some(ms) if ms > 0 => Ok(Interval::Fixed(ms)),
        Some(_) => Err(value.illegal("Zero or negative time interval not supported")),
        None => Err(value.illegal(format!(
            "failed to parse setting [date_histogram.fixedInterval] with value [{text}] as a time value: unit is \
             missing or unrecognized"
        ))),
    }
}

pub(super) fn offset(value: &Json<'_>) -> Result<i64, ParseError> {
    if !value.is_string() {
        return value.i64();
    }
    let text = value.text()?;
    duration_ms(&text).ok_or_else(|| {
        value.illegal(format!(
            "failed to parse setting [DateHistogramAggregationBuilder.parseOffset] with value [{text}] as a time \
             value: unit is missing or unrecognized"
        ))
    })
}

fn bounds(body: &AggBody<'_>, value: &Json<'_>) -> Result<DateBounds, ParseError> {
    let mut bounds = DateBounds::default();
    for (key, value) in body.object(value, value.key())? {
        match key {
            "min" => bounds.min = value.scalar_or_null()?,
            "max" => bounds.max = value.scalar_or_null()?,
            _ => return Err(body.unknown(key, &value, &["max", "min"])),
        }
    }
    Ok(bounds)
}
