//! `derivative`, `cumulative_sum`, `serial_diff`.

use quidditch_engine::aggs::pipeline::{PipelineAgg, SeriesAgg, SeriesKind};
use quidditch_engine::aggs::{AggKind, CalendarUnit};

use super::bucket_metrics::PipelineParams;
use super::params::{AggBody, duration_ms};
use crate::coordination::dsl::{Json, ParseError};

/// `{"buckets_path": "sales"}`
pub(super) fn derivative(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    parse(body, SeriesKind::Derivative)
}

/// `{"buckets_path": "sales"}`
pub(super) fn cumulative_sum(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    parse(body, SeriesKind::CumulativeSum)
}

/// `{"buckets_path": "sales", "lag": 7}`
pub(super) fn serial_diff(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    parse(body, SeriesKind::SerialDiff(1))
}

fn parse(body: &AggBody<'_>, mut kind: SeriesKind) -> Result<AggKind, ParseError> {
    let mut common = PipelineParams::default();
    let mut unit_ms = None;
    for (key, value) in body.json.members() {
        if common.read(key, &value)? {
            continue;
        }
        match (key, &mut kind) {
            ("unit", SeriesKind::Derivative) => unit_ms = Some(unit(&value)?),
            ("lag", SeriesKind::SerialDiff(lag)) => {
                let wanted = value.i64()?;
                if wanted <= 0 {
                    return Err(value
                        .parsing("Lag must be a positive, non-zero integer. Value supplied was"));
                }
                *lag = wanted as usize;
            }
            _ => {
                return Err(body.unknown(
                    key,
                    &value,
                    &["buckets_path", "format", "gap_policy", "lag", "unit"],
                ));
            }
        }
    }
    Ok(AggKind::Pipeline(PipelineAgg::Series(SeriesAgg {
        kind,
        path: common.path(body)?,
        gaps: common.gaps,
        format: common.format,
        unit_ms,
    })))
}

/// Milliseconds of a unit: the name of one of the calendar, at its usual length, or a length of time.
fn unit(value: &Json<'_>) -> Result<f64, ParseError> {
    let text = value.text()?;
    let ms = match CalendarUnit::parse(&text) {
        Some(unit) => Some(unit.typical_ms()),
        None => duration_ms(&text),
    };
    match ms {
        Some(ms) if ms > 0 => Ok(ms as f64),
        _ => Err(value.parsing(format!(
            "failed to parse setting [derivative.unit] with value [{text}] as a time value: unit is missing or \
             unrecognized"
        ))),
    }
}
