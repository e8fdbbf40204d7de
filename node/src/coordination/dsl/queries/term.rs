//! `{"colour": "red"}`: documents whose field holds exactly this value; text is not analysed.

use quidditch_engine::query::{Query, TermQuery};
use quidditch_engine::value::Value;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `term`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "term";
    let (field, inner) = clause::single_field(NAME, body)?;
    if inner.is_array() {
        return Err(inner.parsing("[term] query does not support array of values"));
    }
    let mut query = TermQuery::new(field, Value::Null);
    if !inner.is_object() {
        query.value = inner.scalar()?;
    }
    for (key, value) in inner.members() {
        match key {
            "term" | "value" => {
                if value.is_array() || value.is_object() {
                    return Err(value.parsing("[term] query does not support array of values"));
                }
                query.value = value.scalar()?;
            }
            "case_insensitive" => query.case_insensitive = value.bool()?,
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    if query.value == Value::Null {
        return Err(inner.illegal("value cannot be null"));
    }
    Ok(Query::Term(query))
}
