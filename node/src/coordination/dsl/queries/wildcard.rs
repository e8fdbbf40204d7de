//! `{"colour": "r?d*"}`: documents that hold a term of this pattern.

use quidditch_engine::query::{Query, TermsRewrite, WildcardQuery};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `wildcard`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "wildcard";
    let (field, inner) = clause::single_field(NAME, body)?;
    let mut query = WildcardQuery::new(field, "");
    let mut text = None;
    if !inner.is_object() {
        clause::require_scalar(NAME, &inner)?;
        text = inner.text_or_null()?;
    }
    for (key, value) in inner.members() {
        clause::require_scalar(NAME, &value)?;
        match key {
            "value" | "wildcard" => text = value.text_or_null()?,
            "case_insensitive" => query.case_insensitive = value.bool()?,
            "rewrite" => {
                query.rewrite = clause::rewrite(&value)?.unwrap_or(TermsRewrite::ConstantScore)
            }
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    query.value = text.ok_or_else(|| inner.illegal("value cannot be null"))?;
    Ok(Query::Wildcard(query))
}
