//! `global`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::global::GlobalAgg;

use super::params::AggBody;
use crate::coordination::dsl::ParseError;

/// `{}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    if let Some((key, value)) = body.json.members().next() {
        return Err(body.unknown(key, &value, &[]));
    }
    Ok(AggKind::Global(GlobalAgg {}))
}
