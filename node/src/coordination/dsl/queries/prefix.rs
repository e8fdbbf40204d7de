//! `{"colour": "re"}`: documents that hold a term with this beginning.

use quidditch_engine::query::{PrefixQuery, Query};

use super::pattern;
use crate::coordination::dsl::{Json, ParseError};

/// `prefix`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    let pattern = pattern::parse("prefix", body, |_, _| Ok(false))?;
    Ok(Query::Prefix(PrefixQuery {
        case_insensitive: pattern.case_insensitive,
        rewrite: pattern.rewrite,
        boost: pattern.boost,
        name: pattern.name,
        ..PrefixQuery::new(pattern.field, pattern.value)
    }))
}
