//! `{"genres": {"terms": ["a", "b"], "minimum_should_match_field": "needed"}}`: as many values as the document says.

use quidditch_engine::query::{Query, TermsSetQuery};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `terms_set`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "terms_set";
    let (field, inner) = clause::single_field(NAME, body)?;
    if !inner.is_object() {
        return Err(inner.parsing(format!(
            "[terms_set] unknown token [{}] after [{field}]",
            inner.token()
        )));
    }
    let mut query = TermsSetQuery::new(field, Vec::new(), "");
    for (key, value) in inner.members() {
        match key {
            "terms" if value.is_array() => {
                for item in value.items() {
                    query.values.push(item.scalar()?);
                }
            }
            "minimum_should_match_field" => query.needed_field = value.text()?,
            "minimum_should_match_script" => {
                return Err(value.illegal(
                    "[terms_set] query does not support [minimum_should_match_script], use \
                     [minimum_should_match_field]",
                ));
            }
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    if query.needed_field.is_empty() {
        return Err(inner.illegal("No minimum should match has been specified"));
    }
    Ok(Query::TermsSet(query))
}
