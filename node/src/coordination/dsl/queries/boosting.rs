//! `{"positive": …, "negative": …, "negative_boost": 0.5}`: lowers what also matches another query.

use quidditch_engine::query::{BoostingQuery, Query};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `boosting`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "boosting";
    let (mut positive, mut negative, mut negative_boost) = (None, None, -1.0);
    let (mut boost, mut name) = (1.0, None);
    for (key, value) in body.members() {
        match key {
            "positive" if value.is_object() => positive = Some(super::parse_clause(&value)?),
            "negative" if value.is_object() => negative = Some(super::parse_clause(&value)?),
            "negative_boost" if value.is_scalar() => negative_boost = value.f32()?,
            "boost" if value.is_scalar() => boost = clause::boost(NAME, &value)?,
            "_name" if value.is_scalar() => name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    let Some(positive) = positive else {
        return Err(body.parsing("[boosting] query requires 'positive' query to be set'"));
    };
    let Some(negative) = negative else {
        return Err(body.parsing("[boosting] query requires 'negative' query to be set'"));
    };
    if negative_boost < 0.0 {
        return Err(body.parsing(
            "[boosting] query requires 'negative_boost' to be set to be a positive value'",
        ));
    }
    let mut query = BoostingQuery::new(positive, negative, negative_boost);
    (query.boost, query.name) = (boost, name);
    Ok(Query::Boosting(query))
}
