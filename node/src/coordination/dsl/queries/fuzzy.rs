//! `{"colour": "rde"}`: documents that hold a term a few edits away from this one.

use quidditch_engine::query::{FuzzyQuery, Query};
use quidditch_engine::value::Value;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `fuzzy`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "fuzzy";
    let (field, inner) = clause::single_field(NAME, body)?;
    let mut query = FuzzyQuery::new(field, Value::Null);
    if !inner.is_object() {
        query.value = clause::search_value(NAME, &inner)?;
    }
    for (key, value) in inner.members() {
        if value.is_array() || value.is_object() {
            return Err(value.parsing(format!(
                "[fuzzy] unexpected token [{}] after [{key}]",
                value.token()
            )));
        }
        match key {
            "value" | "term" => query.value = value.scalar()?,
            "fuzziness" => query.fuzziness = clause::fuzziness(&value)?,
            "prefix_length" => query.prefix_length = clause::count(NAME, &value)?,
            "max_expansions" => query.max_expansions = clause::count(NAME, &value)?,
            "transpositions" => query.transpositions = value.bool()?,
            "rewrite" => query.rewrite = clause::rewrite(&value)?,
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    if query.value == Value::Null {
        return Err(inner.illegal("query value cannot be null"));
    }
    Ok(Query::Fuzzy(query))
}
