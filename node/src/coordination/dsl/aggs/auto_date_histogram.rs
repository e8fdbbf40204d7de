//! `auto_date_histogram`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::MAX_BUCKETS_DEFAULT;
use quidditch_engine::aggs::auto_date_histogram::{AutoDateHistogramAgg, MULTIPLE_MAX, STEPS};

use super::params::{AggBody, SourceParams};
use crate::coordination::dsl::ParseError;

/// `{"field": "sold", "buckets": 5, "minimum_interval": "day"}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body).zoned();
    let mut buckets = 10;
    let mut first_step = 0;
    for (key, value) in body.json.members() {
        match key {
            "buckets" => {
                let wanted = value.i64()?;
                if wanted <= 0 {
                    return Err(
                        value.illegal(format!("buckets must be greater than 0 for [{}]", body.agg))
                    );
                }
                let limit = MAX_BUCKETS_DEFAULT as i64 / MULTIPLE_MAX as i64;
                if wanted > limit {
                    return Err(value.illegal(format!("buckets must be less than {limit}")));
                }
                buckets = wanted as usize;
            }
            "minimum_interval" => {
                let name = value.text()?;
                let Some(step) = STEPS.iter().position(|step| step.name == name) else {
                    return Err(value.illegal(format!(
                        "minimum_interval must be one of [year, month, day, hour, minute, second] but was [{name}]"
                    )));
                };
                first_step = step;
            }
            _ if source.read(key, &value)? => {}
            _ => {
                let known = [
                    "buckets",
                    "field",
                    "format",
                    "minimum_interval",
                    "missing",
                    "time_zone",
                ];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    Ok(AggKind::AutoDateHistogram(AutoDateHistogramAgg {
        source: source.finish(true)?,
        buckets,
        first_step,
    }))
}
