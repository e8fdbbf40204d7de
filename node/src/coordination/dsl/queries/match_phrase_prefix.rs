//! `{"title": "red ha"}`: like `match_phrase`, the last term being a beginning.

use quidditch_engine::query::{MatchPhrasePrefixQuery, Query};
use quidditch_engine::value::Value;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `match_phrase_prefix`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "match_phrase_prefix";
    let mut query = MatchPhrasePrefixQuery::new("", Value::Null);
    let (field, text) = clause::field_and_text(NAME, body, |key, value| {
        match key {
            "slop" => query.slop = clause::count(NAME, value)?,
            "max_expansions" => query.max_expansions = clause::max_expansions(NAME, value)?,
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
    Ok(Query::MatchPhrasePrefix(query))
}
