//! Index names with dates in them: `<logs-{now/d{yyyy.MM.dd|+01:00}}>`.

use super::error::StateError;

/// The name that an expression means at `now_ms`; what is not in angle brackets means itself.
#[allow(clippy::todo)]
pub fn expand(expression: &str, now_ms: i64) -> Result<String, StateError> {
    let _ = now_ms;
    if !(expression.starts_with('<') && expression.ends_with('>')) {
        return Ok(expression.to_owned());
    }
    todo!()
}
