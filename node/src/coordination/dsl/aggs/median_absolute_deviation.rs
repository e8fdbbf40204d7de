//! `median_absolute_deviation`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::median_absolute_deviation::MedianAbsoluteDeviationAgg;

use super::params::{AggBody, SourceParams};
use crate::coordination::dsl::ParseError;

/// `{"field": "price", "compression": 1000}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut compression = 1000.0;
    for (key, value) in body.json.members() {
        match key {
            "compression" => {
                compression = value.f64()?;
                if compression.is_nan() || compression <= 0.0 {
                    return Err(value.illegal(format!(
                        "[compression] must be greater than 0. Found [{compression:?}] in [{}]",
                        body.agg
                    )));
                }
                // memory follows compression
                compression = compression.min(10_000.0);
            }
            _ if source.read(key, &value)? => {}
            _ => {
                return Err(body.unknown(
                    key,
                    &value,
                    &["compression", "field", "format", "missing"],
                ));
            }
        }
    }
    let source = source.finish(true)?;
    Ok(AggKind::MedianAbsoluteDeviation(
        MedianAbsoluteDeviationAgg {
            source,
            compression,
        },
    ))
}
