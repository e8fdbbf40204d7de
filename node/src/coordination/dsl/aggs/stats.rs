//! `stats`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::stats::StatsAgg;

use super::params::AggBody;
use crate::coordination::dsl::ParseError;

/// `{"field": "price"}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let source = body.field_only()?;
    Ok(AggKind::Stats(StatsAgg { source }))
}
