//! `{"query": "red hat", "fields": ["title^2", "body"]}`: several text fields searched as if they were one.

use quidditch_engine::query::{CombinedFieldsQuery, Query};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `combined_fields`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "combined_fields";
    let mut text = None;
    let mut query = CombinedFieldsQuery::new("", Vec::new());
    for (key, value) in body.members() {
        match key {
            "query" => text = Some(value.text()?),
            "fields" => query.fields = clause::field_boosts(NAME, &value)?,
            "operator" => query.operator = clause::operator(&value)?,
            "minimum_should_match" => {
                query.minimum_should_match = clause::minimum_should_match(&value)?
            }
            "zero_terms_query" => query.zero_terms = clause::zero_terms(&value)?,
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    query.query = text.ok_or_else(|| body.illegal("Required [query]"))?;
    if query.fields.is_empty() {
        return Err(body.illegal("[combined_fields] requires at least one field name"));
    }
    Ok(Query::CombinedFields(query))
}
