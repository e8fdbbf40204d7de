//! `{"field": "colour"}`: documents that have a value in a field.

use quidditch_engine::query::{ExistsQuery, Query};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `exists`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "exists";
    let mut field = None;
    let mut query = ExistsQuery::new("");
    for (key, value) in body.members() {
        clause::require_scalar(NAME, &value)?;
        match key {
            "field" => field = value.text_or_null()?,
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    match field {
        None => Err(body.parsing("[exists] must be provided with a [field]")),
        Some(field) if field.is_empty() => Err(body.illegal("field name is null or empty")),
        Some(field) => Ok(Query::Exists(ExistsQuery { field, ..query })),
    }
}
