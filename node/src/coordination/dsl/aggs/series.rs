//! `derivative`, `cumulative_sum`, `serial_diff`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::pipeline::{PipelineAgg, SeriesAgg, SeriesKind};

use super::bucket_metrics::PipelineParams;
use super::params::AggBody;
use crate::coordination::dsl::ParseError;

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
    for (key, value) in body.json.members() {
        if common.read(key, &value)? {
            continue;
        }
        match (key, &mut kind) {
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
                    &["buckets_path", "format", "gap_policy", "lag"],
                ));
            }
        }
    }
    Ok(AggKind::Pipeline(PipelineAgg::Series(SeriesAgg {
        kind,
        path: common.path(body)?,
        gaps: common.gaps,
        format: common.format,
    })))
}
