//! `{"query": "red + hat", "fields": ["title"]}`: a query written as text in which nothing is a mistake.

use quidditch_engine::query::{Query, SimpleFlags, SimpleQueryStringQuery};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `simple_query_string`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "simple_query_string";
    let mut text = None;
    let mut query = SimpleQueryStringQuery::new("");
    for (key, value) in body.members() {
        if key == "fields" {
            query.fields = clause::field_boosts(NAME, &value)?;
            continue;
        }
        if value.is_array() || value.is_object() {
            return Err(value.parsing(format!(
                "[simple_query_string] query does not support [{key}]"
            )));
        }
        match key {
            "query" => text = value.text_or_null()?,
            "flags" => query.flags = flags(&value)?,
            "default_operator" => query.default_operator = clause::operator(&value)?,
            "analyzer" => query.analyzer = value.text_or_null()?,
            "analyze_wildcard" => query.analyze_wildcard = value.bool()?,
            "fuzzy_max_expansions" => query.fuzzy_max_expansions = clause::count(NAME, &value)?,
            "fuzzy_prefix_length" => query.fuzzy_prefix_length = clause::count(NAME, &value)?,
            "fuzzy_transpositions" => query.fuzzy_transpositions = value.bool()?,
            "lenient" => query.lenient = Some(value.bool()?),
            "minimum_should_match" => {
                query.minimum_should_match = clause::minimum_should_match(&value)?
            }
            "quote_field_suffix" => query.quote_field_suffix = value.text_or_null()?,
            "auto_generate_synonyms_phrase_query" => {
                query.auto_generate_synonyms_phrase_query = value.bool()?
            }
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    query.query = text.ok_or_else(|| body.parsing("[simple_query_string] query text missing"))?;
    Ok(Query::SimpleQueryString(query))
}

/// Names joined by `|`, or the number that stands for a set; a negative number means all.
fn flags(value: &Json<'_>) -> Result<SimpleFlags, ParseError> {
    if value.token() == "VALUE_NUMBER" {
        let bits = value.i32()?;
        return Ok(match u16::try_from(bits) {
            Ok(bits) => SimpleFlags(bits & SimpleFlags::ALL.0),
            Err(_) => SimpleFlags::ALL,
        });
    }
    let text = value.text()?;
    if text.is_empty() {
        return Ok(SimpleFlags::ALL);
    }
    SimpleFlags::parse(&text)
        .map_err(|wrong| value.illegal(format!("Unknown simple_query_string flag [{wrong}]")))
}
