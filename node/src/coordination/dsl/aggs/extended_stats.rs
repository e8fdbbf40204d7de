//! `extended_stats`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::extended_stats::ExtendedStatsAgg;

use super::params::{AggBody, SourceParams};
use crate::coordination::dsl::ParseError;

/// `{"field": "price", "sigma": 3}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut sigma = 2.0;
    for (key, value) in body.json.members() {
        match key {
            "sigma" => {
                sigma = value.f64()?;
                if sigma.is_nan() || sigma < 0.0 {
                    return Err(value.illegal(format!(
                        "[sigma] must be greater than or equal to 0. Found [{sigma:?}] in [{}]",
                        body.agg
                    )));
                }
            }
            _ if source.read(key, &value)? => {}
            _ => return Err(body.unknown(key, &value, &["field", "format", "missing", "sigma"])),
        }
    }
    let source = source.finish(true)?;
    Ok(AggKind::ExtendedStats(ExtendedStatsAgg { source, sigma }))
}
