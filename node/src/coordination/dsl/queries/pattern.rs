//! What the queries for terms of a pattern share: `{"colour": "re"}`, `{"colour": {"value": "re", …}}`.

use quidditch_engine::query::TermsRewrite;

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// A pattern and what goes with it.
pub(super) struct Pattern {
    /// Path.
    pub field: String,
    /// The pattern itself.
    pub value: String,
    /// Letters match in either case.
    pub case_insensitive: bool,
    /// How the terms found are scored.
    pub rewrite: TermsRewrite,
    /// Factor of scores.
    pub boost: f32,
    /// `_name`
    pub name: Option<String>,
}

/// Reads a query of a pattern.
///
/// * `query`: its name, which also is an older name of `value`.
/// * `own`: reads a parameter that only this query has; false if it has none of that name.
pub(super) fn parse(
    query: &str,
    body: &Json<'_>,
    mut own: impl FnMut(&str, &Json<'_>) -> Result<bool, ParseError>,
) -> Result<Pattern, ParseError> {
    let (field, inner) = clause::single_field(query, body)?;
    let mut pattern = Pattern {
        field: field.to_owned(),
        value: String::new(),
        case_insensitive: false,
        rewrite: TermsRewrite::ConstantScore,
        boost: 1.0,
        name: None,
    };
    let mut text = None;
    if !inner.is_object() {
        clause::require_scalar(query, &inner)?;
        text = inner.text_or_null()?;
    }
    for (key, value) in inner.members() {
        clause::require_scalar(query, &value)?;
        match key {
            "value" => text = value.text_or_null()?,
            "case_insensitive" => pattern.case_insensitive = value.bool()?,
            "rewrite" => {
                pattern.rewrite = clause::rewrite(&value)?.unwrap_or(TermsRewrite::ConstantScore)
            }
            "boost" => pattern.boost = clause::boost(query, &value)?,
            "_name" => pattern.name = clause::name(&value)?,
            _ if own(key, &value)? => {}
            // an older way to write it, which `regexp` never had
            _ if key == query && query != "regexp" => text = value.text_or_null()?,
            _ => return Err(clause::unsupported(query, &value)),
        }
    }
    pattern.value = text.ok_or_else(|| inner.illegal("value cannot be null"))?;
    Ok(pattern)
}
