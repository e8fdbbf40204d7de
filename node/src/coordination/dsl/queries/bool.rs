//! `{"must": …, "filter": …, "should": …, "must_not": …}`: clauses combined.

use quidditch_engine::query::{BoolQuery, Query};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

const PARTS: &[&str] = &[
    "must",
    "should",
    "must_not",
    "filter",
    "adjust_pure_negative",
    "minimum_should_match",
    "_name",
    "boost",
];

/// `bool`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "bool";
    let mut query = BoolQuery::default();
    for (key, value) in body.members() {
        match key {
            "must" => clauses(&value, &mut query.must)?,
            "filter" => clauses(&value, &mut query.filter)?,
            "should" => clauses(&value, &mut query.should)?,
            "must_not" | "mustNot" => clauses(&value, &mut query.must_not)?,
            "minimum_should_match" | "minimumShouldMatch" => {
                super::require_value(NAME, &value)?;
                query.minimum_should_match = clause::minimum_should_match(&value)?;
            }
            "adjust_pure_negative" => {
                super::require_value(NAME, &value)?;
                query.adjust_pure_negative = value.bool()?;
            }
            "boost" => {
                super::require_value(NAME, &value)?;
                query.boost = clause::boost(NAME, &value)?;
            }
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(super::unknown_field(NAME, &value, PARTS)),
        }
    }
    Ok(Query::Bool(query))
}

/// One clause, a list of them, or `null` for none.
fn clauses(value: &Json<'_>, into: &mut Vec<Query>) -> Result<(), ParseError> {
    if value.is_null() {
        return Ok(());
    }
    if value.is_scalar() {
        return Err(super::wrong_type("bool", value, value));
    }
    for item in value.items_or_self() {
        match super::parse_clause(&item) {
            Ok(query) => into.push(query),
            Err(error) => return Err(super::failed_field("bool", value, error)),
        }
    }
    Ok(())
}
