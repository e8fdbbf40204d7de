//! `{"filter": …, "boost": 2}`: documents of a filter, all with the same score.

use quidditch_engine::query::{ConstantScoreQuery, Query};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `constant_score`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "constant_score";
    let (mut filter, mut boost, mut name) = (None, 1.0, None);
    for (key, value) in body.members() {
        match key {
            "filter" if value.is_object() => filter = Some(super::parse_clause(&value)?),
            "boost" if value.is_scalar() => boost = clause::boost(NAME, &value)?,
            "_name" if value.is_scalar() => name = clause::name(&value)?,
            _ if value.is_array() => return Err(value.parsing("unexpected token [START_ARRAY]")),
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    let Some(filter) = filter else {
        return Err(body.parsing("[constant_score] requires a 'filter' element"));
    };
    let mut query = ConstantScoreQuery::new(filter);
    (query.boost, query.name) = (boost, name);
    Ok(Query::ConstantScore(query))
}
