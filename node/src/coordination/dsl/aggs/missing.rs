//! `missing`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::missing::MissingAgg;

use super::params::{AggBody, SourceParams};
use crate::coordination::dsl::ParseError;

/// `{"field": "price"}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let mut source = SourceParams::new(body);
    for (key, value) in body.json.members() {
        if !source.read(key, &value)? {
            return Err(body.unknown(key, &value, SourceParams::NAMES));
        }
    }
    let source = source.finish(false)?;
    Ok(AggKind::Missing(MissingAgg { source }))
}
