//! `avg`, `max`, `min`, `stats`, `sum`, `value_count`: what the values of a field come to.

use quidditch_engine::aggs::AggKind;
use quidditch_engine::aggs::avg::AvgAgg;
use quidditch_engine::aggs::max::MaxAgg;
use quidditch_engine::aggs::min::MinAgg;
use quidditch_engine::aggs::stats::StatsAgg;
use quidditch_engine::aggs::sum::SumAgg;
use quidditch_engine::aggs::value_count::ValueCountAgg;

use super::params::AggBody;
use crate::coordination::dsl::ParseError;

/// `{"field": "price"}`
pub(super) fn avg(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let source = body.field_only()?;
    Ok(AggKind::Avg(AvgAgg { source }))
}

/// `{"field": "price"}`
pub(super) fn max(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let source = body.field_only()?;
    Ok(AggKind::Max(MaxAgg { source }))
}

/// `{"field": "price"}`
pub(super) fn min(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let source = body.field_only()?;
    Ok(AggKind::Min(MinAgg { source }))
}

/// `{"field": "price"}`
pub(super) fn stats(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let source = body.field_only()?;
    Ok(AggKind::Stats(StatsAgg { source }))
}

/// `{"field": "price"}`
pub(super) fn sum(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let source = body.field_only()?;
    Ok(AggKind::Sum(SumAgg { source }))
}

/// `{"field": "price"}`
pub(super) fn value_count(body: &AggBody<'_>) -> Result<AggKind, ParseError> {
    let source = body.field_only()?;
    Ok(AggKind::ValueCount(ValueCountAgg { source }))
}
