//! `{"title": "red hat"}`: documents in which the terms of a text stand next to each other.

use quidditch_engine::query::{MatchPhraseQuery, Query};
use quidditch_engine::value::Value;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `match_phrase`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "match_phrase";
    let (field, inner) = clause::single_field(NAME, body)?;
    let mut query = MatchPhraseQuery::new(field, Value::Null);
    if !inner.is_object() {
        query.text = clause::search_value(NAME, &inner)?;
    }
    for (key, value) in inner.members() {
        clause::require_scalar(NAME, &value)?;
        match key {
            "query" => query.text = value.scalar()?,
            "slop" => query.slop = clause::count(NAME, &value)?,
            "analyzer" => query.analyzer = Some(value.text()?),
            "zero_terms_query" => query.zero_terms = clause::zero_terms(&value)?,
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    if query.text == Value::Null {
        return Err(inner.illegal("[match_phrase] requires query value"));
    }
    Ok(Query::MatchPhrase(query))
}
