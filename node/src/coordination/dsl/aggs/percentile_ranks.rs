//! `percentile_ranks`.

use quidditch_engine::aggs::percentile_ranks::PercentileRanksAgg;
use quidditch_engine::aggs::{AggKind, DigestMethod};

use super::params::{AggBody, SourceParams};
use super::percentiles::{numbers, read_method};
use crate::coordination::dsl::ParseError;

/// `{"field": "price", "values": [10, 20]}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut values = Vec::new();
    let mut keyed = true;
    let mut method = DigestMethod::DEFAULT;
    for (key, value) in body.json.members() {
        match key {
            "values" => values = numbers(body, &value, "values")?,
            "keyed" => keyed = value.bool()?,
            _ if read_method(body, key, &value, &mut method)? => {}
            _ if source.read(key, &value)? => {}
            _ => {
                let known = [
                    "field", "format", "hdr", "keyed", "missing", "tdigest", "values",
                ];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    if values.is_empty() {
        return Err(body
            .json
            .illegal(format!("[values] must not be null: [{}]", body.agg)));
    }
    values.sort_by(f64::total_cmp);
    let source = source.finish(true)?;
    Ok(AggKind::PercentileRanks(PercentileRanksAgg {
        source,
        values,
        keyed,
        method,
    }))
}
