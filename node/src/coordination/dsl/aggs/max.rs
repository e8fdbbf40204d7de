//! `max`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::max::MaxAgg;

use super::params::AggBody;
use crate::coordination::dsl::ParseError;

/// `{"field": "price"}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let source = body.field_only()?;
    Ok(AggKind::Max(MaxAgg { source }))
}
