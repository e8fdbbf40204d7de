//! `{"title": "red ha"}`: like `match_phrase`, the last term being a beginning.

use quidditch_engine::query::{MatchPhrasePrefixQuery, Query};
use quidditch_engine::value::Value;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `match_phrase_prefix`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "match_phrase_prefix";
    let (field, inner) = clause::single_field(NAME, body)?;
    let mut query = MatchPhrasePrefixQuery::new(field, Value::Null);
    if !inner.is_object() {
        query.text = clause::search_value(NAME, &inner)?;
    }
    for (key, value) in inner.members() {
        clause::require_scalar(NAME, &value)?;
        match key {
            "query" => query.text = value.scalar()?,
            "slop" => query.slop = clause::count(NAME, &value)?,
            "max_expansions" => query.max_expansions = clause::max_expansions(NAME, &value)?,
            "analyzer" => query.analyzer = Some(value.text()?),
            "zero_terms_query" => query.zero_terms = clause::zero_terms(&value)?,
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    if query.text == Value::Null {
        return Err(inner.illegal("[match_phrase_prefix] requires query value"));
    }
    Ok(Query::MatchPhrasePrefix(query))
}
