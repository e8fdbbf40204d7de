//! `{"title": "red ha"}`: like `match`, the last term being a beginning.

use quidditch_engine::query::{MatchBoolPrefixQuery, Query};
use quidditch_engine::value::Value;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `match_bool_prefix`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "match_bool_prefix";
    let mut query = MatchBoolPrefixQuery::new("", Value::Null);
    let (field, text) = clause::field_and_text(NAME, body, |key, value| {
        match key {
            "operator" => query.operator = clause::operator(value)?,
            "minimum_should_match" => {
                query.minimum_should_match = clause::minimum_should_match(value)?
            }
            "fuzziness" => query.fuzziness = Some(clause::fuzziness(value)?),
            "prefix_length" => query.prefix_length = clause::count(NAME, value)?,
            "max_expansions" => query.max_expansions = clause::count(NAME, value)?,
            "fuzzy_transpositions" => query.fuzzy_transpositions = value.bool()?,
            "fuzzy_rewrite" => query.fuzzy_rewrite = clause::rewrite(value)?,
            "analyzer" => query.analyzer = Some(value.text()?),
            "boost" => query.boost = clause::boost(NAME, value)?,
            "_name" => query.name = clause::name(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    query.field = field.to_owned();
    query.text = text;
    Ok(Query::MatchBoolPrefix(query))
}
