//! `{"title": "red hat"}`: documents that hold some or all terms of a text.

use quidditch_engine::query::{MatchQuery, Query};
use quidditch_engine::value::Value;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `match`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "match";
    let mut query = MatchQuery::new("", Value::Null);
    let (field, text) = clause::field_and_text(NAME, body, |key, value| {
        match key {
            "operator" => query.operator = clause::operator(value)?,
            "minimum_should_match" => {
                query.minimum_should_match = clause::minimum_should_match(value)?
            }
            "fuzziness" => query.fuzziness = Some(clause::fuzziness(value)?),
            "prefix_length" => query.prefix_length = clause::count(NAME, value)?,
            "max_expansions" => query.max_expansions = clause::max_expansions(NAME, value)?,
            "fuzzy_transpositions" => query.fuzzy_transpositions = value.bool()?,
            "fuzzy_rewrite" => query.fuzzy_rewrite = clause::rewrite(value)?,
            "zero_terms_query" => query.zero_terms = clause::zero_terms(value)?,
            "lenient" => query.lenient = value.bool()?,
            "analyzer" => query.analyzer = Some(value.text()?),
            "auto_generate_synonyms_phrase_query" => {
                query.auto_generate_synonyms_phrase_query = value.bool()?
            }
            "boost" => query.boost = clause::boost(NAME, value)?,
            "_name" => query.name = clause::name(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    query.field = field.to_owned();
    query.text = text;
    Ok(Query::Match(query))
}
