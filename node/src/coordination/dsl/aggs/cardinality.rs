//! `cardinality`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::cardinality::{CardinalityAgg, PRECISION_THRESHOLD_DEFAULT};

use super::params::{AggBody, SourceParams};
use crate::coordination::dsl::ParseError;

/// `{"field": "colour", "precision_threshold": 100}`. `execution_hint` is read and has no effect: there is one way to
/// collect.
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    let mut precision_threshold = PRECISION_THRESHOLD_DEFAULT;
    for (key, value) in body.json.members() {
        match key {
            "precision_threshold" => {
                precision_threshold = body.at_least(&value, 0, "precisionThreshold")?
            }
            "execution_hint" => {
                let hint = value.text()?;
                if !["ordinals", "direct"].contains(&hint.as_str()) {
                    return Err(value.illegal(format!("Invalid execution mode: [{hint}]")));
                }
            }
            "rehash" => {
                value.bool()?;
            }
            _ if source.read(key, &value)? => {}
            _ => {
                return Err(body.unknown(
                    key,
                    &value,
                    &["field", "missing", "precision_threshold"],
                ));
            }
        }
    }
    let source = source.finish(true)?;
    Ok(AggKind::Cardinality(CardinalityAgg {
        source,
        precision_threshold,
    }))
}
