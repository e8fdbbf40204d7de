//! `{"title": "red hat"}`: documents in which the terms of a text stand next to each other.

use quidditch_engine::query::{MatchPhraseQuery, Query};
use quidditch_engine::value::Value;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `match_phrase`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "match_phrase";
    let mut query = MatchPhraseQuery::new("", Value::Null);
    let (field, text) = clause::field_and_text(NAME, body, |key, value| {
        match key {
            "slop" => query.slop = clause::count(NAME, value)?,
            "analyzer" => query.analyzer = Some(value.text()?),
            "zero_terms_query" => query.zero_terms = clause::zero_terms(value)?,
            "boost" => query.boost = clause::boost(NAME, value)?,
            "_name" => query.name = clause::name(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    query.field = field.to_owned();
    query.text = text;
    Ok(Query::MatchPhrase(query))
}
