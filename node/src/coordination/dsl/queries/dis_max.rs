//! `{"queries": […], "tie_breaker": 0.3}`: the best of several clauses.

use quidditch_engine::query::{DisMaxQuery, Query};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `dis_max`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "dis_max";
    let mut query = DisMaxQuery::new(Vec::new());
    for (key, value) in body.members() {
        match key {
            "queries" if value.is_object() || value.is_array() => {
                for item in value.items_or_self() {
                    query.queries.push(super::parse_clause(&item)?);
                }
            }
            "tie_breaker" => query.tie_breaker = value.f32()?,
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    if query.queries.is_empty() {
        return Err(body.parsing("[dis_max] requires 'queries' field with at least one clause"));
    }
    Ok(Query::DisMax(query))
}
