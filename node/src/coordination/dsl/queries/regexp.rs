//! `{"colour": "re[dt]"}`: documents that hold a term which the expression matches as a whole.

use quidditch_engine::query::{Query, RegexpFlags, RegexpQuery, TermsRewrite};

use super::clause;
use crate::coordination::dsl::{Json, ParseError};

/// `regexp`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "regexp";
    let (field, inner) = clause::single_field(NAME, body)?;
    let mut query = RegexpQuery::new(field, "");
    let mut text = None;
    if !inner.is_object() {
        clause::require_scalar(NAME, &inner)?;
        text = inner.text_or_null()?;
    }
    for (key, value) in inner.members() {
        clause::require_scalar(NAME, &value)?;
        match key {
            "value" => text = value.text_or_null()?,
            "flags" => query.flags = flags(&value)?,
            "flags_value" => {
                let bits = value.i32()?;
                query.flags = RegexpFlags(u8::try_from(bits & 31).unwrap_or(0));
            }
            "case_insensitive" => query.case_insensitive = value.bool()?,
            "max_determinized_states" => {
                query.max_determinized_states = clause::count(NAME, &value)?
            }
            "rewrite" => {
                query.rewrite = clause::rewrite(&value)?.unwrap_or(TermsRewrite::ConstantScore)
            }
            "boost" => query.boost = clause::boost(NAME, &value)?,
            "_name" => query.name = clause::name(&value)?,
            _ => return Err(clause::unsupported(NAME, &value)),
        }
    }
    query.value = text.ok_or_else(|| inner.illegal("value cannot be null"))?;
    Ok(Query::Regexp(query))
}

/// `null` and the empty text mean all operators.
fn flags(value: &Json<'_>) -> Result<RegexpFlags, ParseError> {
    match value.text_or_null()?.as_deref() {
        None | Some("") => Ok(RegexpFlags::ALL),
        Some(text) => RegexpFlags::parse(text)
            .map_err(|wrong| value.illegal(format!("Unknown regexp flag [{wrong}]"))),
    }
}
