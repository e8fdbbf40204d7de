//! `value_count`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::value_count::ValueCountAgg;

use super::params::AggBody;
use crate::coordination::dsl::ParseError;

/// `{"field": "price"}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let source = body.field_only()?;
    Ok(AggKind::ValueCount(ValueCountAgg { source }))
}
