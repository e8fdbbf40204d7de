//! What the parsers of several queries share: common parameters, and the messages for malformed ones.

use quidditch_engine::query::{
    FieldBoost, Fuzziness, MinimumShouldMatch, Operator, TermsRewrite, ZeroTerms,
};
use quidditch_engine::value::Value;

use crate::coordination::dsl::{Json, ParseError};

/// The error for a parameter that the query does not have.
pub(super) fn unsupported(query: &str, value: &Json<'_>) -> ParseError {
    value.parsing(format!(
        "[{query}] query does not support [{}]",
        value.key()
    ))
}

/// The error for an array or object where a scalar belongs.
pub(super) fn unknown_token(query: &str, value: &Json<'_>) -> ParseError {
    value.parsing(format!(
        "[{query}] unknown token [{}] after [{}]",
        value.token(),
        value.key()
    ))
}

/// Passes scalars and `null`; refuses arrays and objects.
pub(super) fn require_scalar(query: &str, value: &Json<'_>) -> Result<(), ParseError> {
    if value.is_object() || value.is_array() {
        return Err(unknown_token(query, value));
    }
    Ok(())
}

/// The only member of a query that is written `{"field": …}`.
pub(super) fn single_field<'a>(
    query: &str,
    body: &Json<'a>,
) -> Result<(&'a str, Json<'a>), ParseError> {
    let mut members = body.members();
    let Some((field, value)) = members.next() else {
        return Err(body.illegal(match query {
            "match" | "match_phrase" | "match_phrase_prefix" | "match_bool_prefix" => {
                format!("[{query}] requires fieldName")
            }
            _ => "field name is null or empty".to_owned(),
        }));
    };
    if let Some((second, other)) = members.next() {
        return Err(other.parsing(format!(
            "[{query}] query doesn't support multiple fields, found [{field}] and [{second}]"
        )));
    }
    if field.is_empty() && !query.starts_with("match") {
        return Err(body.illegal("field name is null or empty"));
    }
    Ok((field, value))
}

/// The field and the text of a query that is written `{"field": text}` or `{"field": {"query": text, …}}`.
///
/// * `read`: gets every other member; false when the query has no such parameter.
pub(super) fn field_and_text<'a>(
    query: &str,
    body: &Json<'a>,
    mut read: impl FnMut(&str, &Json<'a>) -> Result<bool, ParseError>,
) -> Result<(&'a str, Value), ParseError> {
    let (field, inner) = single_field(query, body)?;
    let mut text = Value::Null;
    if !inner.is_object() {
        text = search_value(query, &inner)?;
    }
    for (key, value) in inner.members() {
        require_scalar(query, &value)?;
        if key == "query" {
            text = value.scalar()?;
        } else if !read(key, &value)? {
            return Err(unsupported(query, &value));
        }
    }
    if text == Value::Null {
        return Err(inner.illegal(format!("[{query}] requires query value")));
    }
    Ok((field, text))
}

/// `boost`: any number but a negative one and one beyond a float.
pub(super) fn boost(query: &str, value: &Json<'_>) -> Result<f32, ParseError> {
    let boost = value.f32()?;
    if boost < 0.0 || boost.is_nan() {
        return Err(value.illegal(format!(
            "negative [boost] are not allowed in [{query}], use a value between 0 and 1 to deboost"
        )));
    }
    if boost.is_infinite() {
        return Err(value.illegal("boost must be a positive float, got Infinity"));
    }
    Ok(boost)
}

/// `_name`.
pub(super) fn name(value: &Json<'_>) -> Result<Option<String>, ParseError> {
    value.text_or_null()
}

/// A value to search for: a scalar that is not `null`.
pub(super) fn search_value(query: &str, value: &Json<'_>) -> Result<Value, ParseError> {
    require_scalar(query, value)?;
    value.scalar()
}

/// `operator`, `default_operator`.
pub(super) fn operator(value: &Json<'_>) -> Result<Operator, ParseError> {
    let text = value.text()?;
    match text.to_ascii_lowercase().as_str() {
        "or" => Ok(Operator::Or),
        "and" => Ok(Operator::And),
        _ => Err(value.illegal(format!(
            "No enum constant org.opensearch.index.query.Operator.{}",
            text.to_uppercase()
        ))),
    }
}

/// `fuzziness`.
pub(super) fn fuzziness(value: &Json<'_>) -> Result<Fuzziness, ParseError> {
    Fuzziness::parse(&value.text()?).map_err(|error| value.illegal(error.to_string()))
}

/// `minimum_should_match`; `null` is as if not written.
pub(super) fn minimum_should_match(
    value: &Json<'_>,
) -> Result<Option<MinimumShouldMatch>, ParseError> {
    let Some(text) = value.text_or_null()? else {
        return Ok(None);
    };
    match MinimumShouldMatch::parse(&text) {
        Ok(rule) => Ok(Some(rule)),
        Err(error) => Err(value.error("number_format_exception", error.to_string())),
    }
}

/// `zero_terms_query`.
pub(super) fn zero_terms(value: &Json<'_>) -> Result<ZeroTerms, ParseError> {
    let text = value.text()?;
    match text.to_ascii_lowercase().as_str() {
        "none" => Ok(ZeroTerms::None),
        "all" => Ok(ZeroTerms::All),
        _ => Err(value.parsing(format!("Unsupported zero_terms_query value [{text}]"))),
    }
}

/// `rewrite`, `fuzzy_rewrite`; `null` is as if not written.
pub(super) fn rewrite(value: &Json<'_>) -> Result<Option<TermsRewrite>, ParseError> {
    let Some(text) = value.text_or_null()? else {
        return Ok(None);
    };
    match TermsRewrite::parse(&text) {
        Some(method) => Ok(Some(method)),
        None => Err(value.illegal(format!("Failed to parse rewrite_method [{text}]"))),
    }
}

/// A whole number from 0.
pub(super) fn count(query: &str, value: &Json<'_>) -> Result<u32, ParseError> {
    let number = value.i32()?;
    let key = value.key();
    u32::try_from(number).map_err(|_| {
        value.illegal(match key {
            "slop" | "phrase_slop" => "No negative slop allowed.".to_owned(),
            "prefix_length" => format!("[{query}] requires prefix length to be non-negative."),
            "max_expansions" => format!("[{query}] requires maxExpansions to be positive."),
            _ => format!("[{query}] requires [{key}] to be non-negative, got [{number}]"),
        })
    })
}

/// `max_expansions` of a query that refuses 0.
pub(super) fn max_expansions(query: &str, value: &Json<'_>) -> Result<u32, ParseError> {
    match count(query, value)? {
        0 => Err(value.illegal(format!("[{query}] requires maxExpansions to be positive."))),
        most => Ok(most),
    }
}

/// `fields`: one field or a list, each `name` or `name^factor`.
pub(super) fn field_boosts(query: &str, value: &Json<'_>) -> Result<Vec<FieldBoost>, ParseError> {
    if value.is_object() {
        return Err(unsupported(query, value));
    }
    let mut fields = Vec::new();
    for item in value.items_or_self() {
        if item.is_null() {
            return Err(item.parsing(format!("[{query}] field name in [fields] cannot be null")));
        }
        let text = item.text()?;
        match FieldBoost::parse(&text) {
            Some(field) => fields.push(field),
            None => {
                let factor = text.rsplit_once('^').map_or("", |(_, factor)| factor);
                return Err(item.error(
                    "number_format_exception",
                    format!("For input string: \"{factor}\""),
                ));
            }
        }
    }
    Ok(fields)
}
