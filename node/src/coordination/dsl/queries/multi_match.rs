//! `{"query": "red hat", "fields": ["title^2", "body"]}`: a text looked for in several fields.

use quidditch_engine::query::{MultiMatchQuery, MultiMatchType, Query};
use quidditch_engine::value::Value;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `multi_match`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "multi_match";
    let mut query = MultiMatchQuery::new(Value::Null, Vec::new());
    let mut slop_given = false;
    for (key, value) in body.members() {
        if key == "fields" {
            query.fields = clause::field_boosts(NAME, &value)?;
            continue;
        }
        if !value.is_scalar() && !value.is_null() {
            return Err(clause::unknown_token(NAME, &value));
        }
        match key {
            "query" => query.text = value.scalar()?,
            "type" => query.kind = kind_of(&value)?,
            "operator" => query.operator = clause::operator(&value)?,
            "minimum_should_match" => {
                query.minimum_should_match = clause::minimum_should_match(&value)?
            }
            "fuzziness" => query.fuzziness = Some(clause::fuzziness(&value)?),
            "prefix_length" => query.prefix_length = clause::count(NAME, &value)?,
            "max_expansions" => query.max_expansions = clause::max_expansions(NAME, &value)?,
            "fuzzy_transpositions" => query.fuzzy_transpositions = value.bool()?,
            "fuzzy_rewrite" => query.fuzzy_rewrite = clause::rewrite(&value)?,
            "slop" => {
                slop_given = true;
                query.slop = clause::count(NAME, &value)?;
            }
            "tie_breaker" => query.tie_breaker = Some(value.f32()?),
            "lenient" => query.lenient = Some(value.bool()?),
            "zero_terms_query" => query.zero_terms = clause::zero_terms(&value)?,
            "analyzer" => query.analyzer = Some(value.text()?),
            "auto_generate_synonyms_phrase_query" => {
                query.auto_generate_synonyms_phrase_query = value.bool()?
            }
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            // gone from the engine, but users of one type are told that they never could
            "cutoff_frequency"
                if body
                    .get("type")
                    .is_some_and(|kind| kind.value() == "bool_prefix") =>
            {
                return Err(value.parsing("[cutoff_frequency] not allowed for type [bool_prefix]"));
            }
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    if query.text == Value::Null {
        return Err(body.parsing("No text specified for multi_match query"));
    }
    let phrase = matches!(
        query.kind,
        MultiMatchType::CrossFields | MultiMatchType::Phrase | MultiMatchType::PhrasePrefix
    );
    if query.fuzziness.is_some() && phrase {
        return Err(body.parsing(format!(
            "Fuzziness not allowed for type [{}]",
            name_of(query.kind)
        )));
    }
    if slop_given && query.slop != 0 && query.kind == MultiMatchType::BoolPrefix {
        return Err(body.parsing("[slop] not allowed for type [bool_prefix]"));
    }
    Ok(Query::MultiMatch(query))
}

/// `type`.
pub(super) fn kind_of(value: &Json<'_>) -> Result<MultiMatchType, ParseError> {
    let text = value.text()?;
    match text.to_ascii_lowercase().as_str() {
        "best_fields" | "boolean" => Ok(MultiMatchType::BestFields),
        "most_fields" => Ok(MultiMatchType::MostFields),
        "cross_fields" => Ok(MultiMatchType::CrossFields),
        "phrase" => Ok(MultiMatchType::Phrase),
        "phrase_prefix" => Ok(MultiMatchType::PhrasePrefix),
        "bool_prefix" => Ok(MultiMatchType::BoolPrefix),
        _ => Err(value.error(
            "parse_exception",
            format!("failed to parse [multi_match] query type [{text}]. unknown type."),
        )),
    }
}

fn name_of(kind: MultiMatchType) -> &'static str {
    match kind {
        MultiMatchType::BestFields => "best_fields",
        MultiMatchType::MostFields => "most_fields",
        MultiMatchType::CrossFields => "cross_fields",
        MultiMatchType::Phrase => "phrase",
        MultiMatchType::PhrasePrefix => "phrase_prefix",
        MultiMatchType::BoolPrefix => "bool_prefix",
    }
}
