//! `{}`: every document, or none.

use quidditch_engine::query::{MatchAllQuery, MatchNoneQuery, Query};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `match_all`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    let (boost, name) = common("match_all", body)?;
    Ok(Query::MatchAll(MatchAllQuery { boost, name }))
}

/// `match_none`.
pub(super) fn parse_none(body: &Json<'_>) -> Result<Query, ParseError> {
    let (boost, name) = common("match_none", body)?;
    Ok(Query::MatchNone(MatchNoneQuery { boost, name }))
}

fn common(query: &str, body: &Json<'_>) -> Result<(f32, Option<String>), ParseError> {
    let (mut boost, mut name) = (1.0, None);
    for (key, value) in body.members() {
        match key {
            "boost" => boost = clause::boost(query, &value)?,
            "_name" => name = clause::name(&value)?,
            _ => return Err(super::unknown_field(query, &value, &["boost", "_name"])),
        }
    }
    Ok((boost, name))
}
