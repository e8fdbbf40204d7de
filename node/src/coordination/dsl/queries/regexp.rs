//! `{"colour": "re[dt]"}`: documents that hold a term which the expression matches as a whole.

use quidditch_engine::query::{Query, RegexpFlags, RegexpQuery};

use super::{clause, pattern};
use crate::coordination::dsl::{Json, ParseError};

/// `regexp`.
pub(super) fn parse(body: &Json<'_>) -> Result<Query, ParseError> {
    const NAME: &str = "regexp";
    let mut query = RegexpQuery::new("", "");
    let pattern = pattern::parse(NAME, body, |key, value| {
        match key {
            "flags" => query.flags = flags(value)?,
            "flags_value" => {
                let bits = value.i32()?;
                query.flags = RegexpFlags(u8::try_from(bits & 31).unwrap_or(0));
            }
            "max_determinized_states" => {
                query.max_determinized_states = clause::count(NAME, value)?
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Query::Regexp(RegexpQuery {
        field: pattern.field,
        value: pattern.value,
        case_insensitive: pattern.case_insensitive,
        rewrite: pattern.rewrite,
        boost: pattern.boost,
        name: pattern.name,
        ..query
    }))
}

/// `null` and the empty text mean all operators.
fn flags(value: &Json<'_>) -> Result<RegexpFlags, ParseError> {
    match value.text_or_null()?.as_deref() {
        None | Some("") => Ok(RegexpFlags::ALL),
        Some(text) => RegexpFlags::parse(text)
            .map_err(|wrong| value.illegal(format!("Unknown regexp flag [{wrong}]"))),
    }
}
