//! `filter`.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::filter::FilterAgg;

use super::params::AggBody;
use crate::coordination::dsl::{ParseError, parse_clause};

/// A query: `{"term": {"colour": "red"}}`
pub(super) fn parse(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let query = parse_clause(&body.json)?;
    Ok(AggKind::Filter(FilterAgg { query }))
}
