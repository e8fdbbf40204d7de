//! `percentiles`, and what it shares with `percentile_ranks`.

use quidditch_engine::aggs::percentiles::{PERCENTS_DEFAULT, PercentilesAgg};
use quidditch_engine::aggs::{AggKind, DigestMethod};

use super::params::{AggBody, SourceParams};
use crate::coordination::dsl::{Json, ParseError};

/// `{"field": "price", "percents": [50, 99], "tdigest": {"compression": 200}}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut percents = PERCENTS_DEFAULT.to_vec();
    let mut keyed = true;
    let mut method = DigestMethod::DEFAULT;
    for (key, value) in body.json.members() {
        match key {
            "percents" => {
                percents = numbers(body, &value, "percents")?;
                for percent in &percents {
                    if !(0.0..=100.0).contains(percent) {
                        return Err(value.illegal(format!(
                            "percent must be in [0,100], got [{percent:?}]: [{}]",
                            body.agg
                        )));
                    }
                }
            }
            "keyed" => keyed = value.bool()?,
            _ if read_method(body, key, &value, &mut method)? => {}
            _ if source.read(key, &value)? => {}
            _ => {
                let known = [
                    "field", "format", "hdr", "keyed", "missing", "percents", "tdigest",
                ];
                return Err(body.unknown(key, &value, &known));
            }
        }
    }
    percents.sort_by(f64::total_cmp);
    let source = source.finish(true)?;
    Ok(AggKind::Percentiles(PercentilesAgg {
        source,
        percents,
        keyed,
        method,
    }))
}

/// A list of at least one number.
pub(super) fn numbers(
    body: &AggBody<'_>,
    value: &Json<'_>,
    shown: &str,
) -> Result<Vec<f64>, ParseError> {
    if !value.is_array() {
        return Err(value.content(format!(
            "[{}] {shown} doesn't support values of type: {}",
            body.kind,
            value.token()
        )));
    }
    let mut numbers = Vec::new();
    for item in value.items() {
        numbers.push(item.f64()?);
    }
    if numbers.is_empty() {
        return Err(value.illegal(format!("[{shown}] must not be empty: [{}]", body.agg)));
    }
    Ok(numbers)
}

/// Reads `tdigest` and `hdr`.
pub(super) fn read_method(
    body: &AggBody<'_>,
    key: &str,
    value: &Json<'_>,
    method: &mut DigestMethod,
) -> Result<bool, ParseError> {
    match key {
        "tdigest" if value.is_object() => {
            *method = DigestMethod::DEFAULT;
            for (key, value) in value.members() {
                match key {
                    "compression" => {
                        let compression = value.f64()?;
                        if compression.is_nan() || compression < 0.0 {
                            return Err(value.illegal(format!(
                                "[compression] must be greater than or equal to 0. Found [{compression:?}]"
                            )));
                        }
                        // memory follows compression
                        *method = DigestMethod::TDigest {
                            compression: compression.min(10_000.0),
                        };
                    }
                    "execution_hint" => {
                        value.text()?;
                    }
                    _ => return Err(value.content(format!("[tdigest] unknown field [{key}]"))),
                }
            }
        }
        "hdr" if value.is_object() => {
            let mut digits = 3;
            for (key, value) in value.members() {
                match key {
                    "number_of_significant_value_digits" => {
                        digits = value.i64()?;
                        if !(0..=5).contains(&digits) {
                            return Err(value.illegal(
                                "[numberOfSignificantValueDigits] must be between 0 and 5",
                            ));
                        }
                    }
                    _ => return Err(value.content(format!("[hdr] unknown field [{key}]"))),
                }
            }
            *method = DigestMethod::Hdr {
                digits: digits as u8,
            };
        }
        "tdigest" | "hdr" => {
            return Err(value.content(format!(
                "[{}] {key} doesn't support values of type: {}",
                body.kind,
                value.token()
            )));
        }
        _ => return Ok(false),
    }
    Ok(true)
}
