//! `{"query": "title:red AND hat~"}`: a whole query written as text.

use quidditch_engine::aggs::is_time_zone;
use quidditch_engine::query::{Query, QueryStringQuery};

use super::{clause, multi_match};
use crate::coordination::dsl::{Json, ParseError};

/// `query_string`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "query_string";
    let mut text = None;
    let mut query = QueryStringQuery::new("");
    for (key, value) in body.members() {
        if key == "fields" {
            query.fields = clause::field_boosts(NAME, &value)?;
            continue;
        }
        if value.is_array() || value.is_object() {
            return Err(value.parsing(format!("[query_string] query does not support [{key}]")));
        }
        match key {
            "query" => text = value.text_or_null()?,
            "default_field" => query.default_field = value.text_or_null()?,
            "type" => query.kind = multi_match::kind_of(&value)?,
            "default_operator" => query.default_operator = clause::operator(&value)?,
            "analyzer" => query.analyzer = value.text_or_null()?,
            "quote_analyzer" => query.quote_analyzer = value.text_or_null()?,
            "allow_leading_wildcard" => query.allow_leading_wildcard = value.bool()?,
            "analyze_wildcard" => query.analyze_wildcard = value.bool()?,
            "enable_position_increments" => query.enable_position_increments = value.bool()?,
            "fuzziness" => query.fuzziness = clause::fuzziness(&value)?,
            "fuzzy_max_expansions" => query.fuzzy_max_expansions = clause::count(NAME, &value)?,
            "fuzzy_prefix_length" => query.fuzzy_prefix_length = clause::count(NAME, &value)?,
            "fuzzy_transpositions" => query.fuzzy_transpositions = value.bool()?,
            "fuzzy_rewrite" => query.fuzzy_rewrite = clause::rewrite(&value)?,
            "rewrite" => query.rewrite = clause::rewrite(&value)?,
            "lenient" => query.lenient = Some(value.bool()?),
            "max_determinized_states" => {
                query.max_determinized_states = clause::count(NAME, &value)?
            }
            "minimum_should_match" => {
                query.minimum_should_match = clause::minimum_should_match(&value)?
            }
            "phrase_slop" => query.phrase_slop = clause::count(NAME, &value)?,
            "quote_field_suffix" => query.quote_field_suffix = value.text_or_null()?,
            "tie_breaker" => query.tie_breaker = Some(value.f32()?),
            "time_zone" => {
                query.time_zone = value.text_or_null()?;
                // read here, as lenient fields would pass over it
                if let Some(zone) = &query.time_zone
                    && !is_time_zone(zone)
                {
                    return Err(value.illegal(format!("Unknown time-zone ID: {zone}")));
                }
            }
            "auto_generate_synonyms_phrase_query" => {
                query.auto_generate_synonyms_phrase_query = value.bool()?
            }
            "escape" => query.escape = value.bool()?,
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    let Some(text) = text else {
        return Err(body.parsing("[query_string] must be provided with a [query]"));
    };
    query.query = text;
    Ok(Query::QueryString(query))
}
