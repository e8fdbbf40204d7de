//! `{"colour": "r?d*"}`: documents that hold a term of this pattern.

use quidditch_engine::query::{Query, WildcardQuery};

use super::pattern;
use crate::coordination::dsl::{Json, ParseError};

/// `wildcard`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    let pattern = pattern::parse("wildcard", body, |_, _| Ok(false))?;
    Ok(Query::Wildcard(WildcardQuery {
        case_insensitive: pattern.case_insensitive,
        rewrite: pattern.rewrite,
        boost: pattern.boost,
        name: pattern.name,
        ..WildcardQuery::new(pattern.field, pattern.value)
    }))
}
