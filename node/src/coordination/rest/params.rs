//! Query parameters: decoded once, read by type, with the mistakes that OpenSearch reports.

use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::RestError;
use super::units;

/// The parameters of one request, in the order in which they were sent; of repeated ones the last counts.
#[derive(Clone, Debug, Default)]
pub struct Params {
    entries: Vec<(String, String)>,
}

impl Params {
    /// Reads a query string; `+` is a blank, a key without `=` has the empty value.
    pub fn parse(query: &str) -> Result<Params, RestError> {
        let mut params = Params::default();
        for pair in query.split(['&', ';']) {
            if pair.is_empty() {
                continue;
            }
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            params.set(decode(key)?, decode(value)?);
        }
        Ok(params)
    }

    /// Adds a parameter, or replaces it.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let key = key.into();
        self.entries.retain(|(known, _)| *known != key);
        self.entries.push((key, value.into()));
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        let at = self.entries.iter().position(|(known, _)| known == key)?;
        Some(self.entries.remove(at).1)
    }

    /// The names that were sent.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(key, _)| key.as_str())
    }

    /// The text of a parameter; `None` if it was not sent.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the parameter was sent at all.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// `true` or `false`; the bare parameter (`?refresh`) means `true`.
    pub fn bool(&self, key: &str, default: bool) -> Result<bool, RestError> {
        Ok(self.opt_bool(key)?.unwrap_or(default))
    }

    /// Like [`Params::bool`], keeping apart "not sent".
    pub fn opt_bool(&self, key: &str) -> Result<Option<bool>, RestError> {
        match self.get(key) {
            None => Ok(None),
            Some("" | "true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(RestError::illegal_argument(format!(
                "Failed to parse value [{other}] as only [true] or [false] are allowed."
            ))),
        }
    }

    /// A whole number of 32 bits.
    pub fn int(&self, key: &str, default: i32) -> Result<i32, RestError> {
        Ok(self.opt_int(key)?.unwrap_or(default))
    }

    /// Like [`Params::int`], keeping apart "not sent".
    pub fn opt_int(&self, key: &str) -> Result<Option<i32>, RestError> {
        self.number(key, "int")
    }

    /// A whole number of 64 bits.
    pub fn opt_long(&self, key: &str) -> Result<Option<i64>, RestError> {
        self.number(key, "long")
    }

    /// A floating-point number.
    pub fn opt_float(&self, key: &str) -> Result<Option<f32>, RestError> {
        self.number(key, "float")
    }

    fn number<T: std::str::FromStr>(&self, key: &str, kind: &str) -> Result<Option<T>, RestError> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(RestError::illegal_argument(format!(
                "Failed to parse {kind} parameter [{key}] with value [{text}]"
            ))
            .with_cause(RestError::new(
                400,
                "number_format_exception",
                format!("For input string: \"{text}\""),
            ))),
        }
    }

    /// A time value such as `30s`; `-1` (no limit) is `None` inside.
    pub fn duration(&self, key: &str, default: Duration) -> Result<Option<Duration>, RestError> {
        match self.get(key) {
            None => Ok(Some(default)),
            Some(text) => units::parse_time_value(text, key),
        }
    }

    /// Like [`Params::duration`], where `Ok(None)` means "not sent" (or `-1`).
    pub fn opt_duration(&self, key: &str) -> Result<Option<Duration>, RestError> {
        match self.get(key) {
            None => Ok(None),
            Some(text) => units::parse_time_value(text, key),
        }
    }

    /// Names separated by commas; empty when not sent.
    pub fn list(&self, key: &str) -> Vec<String> {
        match self.get(key) {
            None => Vec::new(),
            Some(text) => text
                .split(',')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }
}

fn decode(text: &str) -> Result<String, RestError> {
    let spaced = text.replace('+', " ");
    if let Some(bad) = broken_escape(&spaced) {
        return Err(RestError::illegal_argument(format!(
            "unterminated escape sequence at end of string: {bad}"
        )));
    }
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(RestError::illegal_argument(format!(
            "the parameter [{text}] is not valid UTF-8 once decoded"
        ))),
    }
}

/// The text itself, if a `%` in it is not followed by two hexadecimal digits.
pub(super) fn broken_escape(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'%' {
            let digits = bytes.get(at + 1..at + 3);
            if !digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)) {
                return Some(text);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_escapes_and_keeps_the_last_of_repeated_names() {
        let params = Params::parse("q=a+b%26c&size=1&size=2&v").unwrap();
        assert_eq!(params.get("q"), Some("a b&c"));
        assert_eq!(params.int("size", 10).unwrap(), 2);
        assert!(params.bool("v", false).unwrap());
        assert!(Params::parse("q=%zz").is_err());
        assert!(Params::parse("q=%ff").is_err());
    }

    #[test]
    fn says_which_parameter_is_not_a_number() {
        let params = Params::parse("size=x").unwrap();
        let error = params.int("size", 10).unwrap_err();
        assert_eq!(
            error.reason,
            "Failed to parse int parameter [size] with value [x]"
        );
        assert_eq!(error.caused_by.unwrap().reason, "For input string: \"x\"");
    }
}
