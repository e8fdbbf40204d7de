//! `_source`: whether and which parts of the document's source an answer shows.

use super::{Json, ParseError};

/// What `_source` asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchSource {
    /// Whether the source is shown at all.
    pub enabled: bool,
    /// Patterns of paths to keep; empty means all.
    pub includes: Vec<String>,
    /// Patterns of paths to drop.
    pub excludes: Vec<String>,
}

impl FetchSource {
    /// The whole source.
    pub const ALL: FetchSource = FetchSource {
        enabled: true,
        includes: Vec::new(),
        excludes: Vec::new(),
    };
    /// No source.
    pub const NONE: FetchSource = FetchSource {
        enabled: false,
        includes: Vec::new(),
        excludes: Vec::new(),
    };

    /// Reads `true`, `false`, a pattern, a list of patterns, or `{"includes": …, "excludes": …}`.
    pub fn parse(value: &Json<'_>) -> Result<FetchSource, ParseError> {
        if value.token() == "VALUE_BOOLEAN" {
            return Ok(if value.bool()? {
                FetchSource::ALL
            } else {
                FetchSource::NONE
            });
        }
        let mut source = FetchSource::ALL;
        if value.is_object() {
            for (key, inner) in value.members() {
                match key {
                    "includes" | "include" => source.includes = patterns(&inner)?,
                    "excludes" | "exclude" => source.excludes = patterns(&inner)?,
                    _ => {
                        return Err(inner
                            .parsing(format!("Unknown key for a {} in [{key}].", inner.token())));
                    }
                }
            }
            return Ok(source);
        }
        if value.is_null() || value.token() == "VALUE_NUMBER" {
            return Err(value.parsing(format!(
                "Expected one of [VALUE_BOOLEAN, START_OBJECT] but found [{}]",
                value.token()
            )));
        }
        source.includes = patterns(value)?;
        Ok(source)
    }
}

fn patterns(value: &Json<'_>) -> Result<Vec<String>, ParseError> {
    let mut list = Vec::new();
    for item in value.items_or_self() {
        if !item.is_string() {
            return Err(item.parsing(format!(
                "Unknown key for a {} in [{}].",
                item.token(),
                value.key()
            )));
        }
        list.push(item.text()?);
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(body: Value) -> Result<FetchSource, ParseError> {
        FetchSource::parse(&Json::root(&body))
    }

    #[test]
    fn reads_every_form() {
        assert_eq!(parse(json!(false)).unwrap(), FetchSource::NONE);
        assert_eq!(parse(json!("a.*")).unwrap().includes, ["a.*"]);
        assert_eq!(parse(json!(["a", "b"])).unwrap().includes, ["a", "b"]);
        let both = parse(json!({"includes": "a", "excludes": ["b"]})).unwrap();
        assert_eq!(
            (both.includes, both.excludes),
            (vec!["a".to_owned()], vec!["b".to_owned()])
        );
        assert!(parse(json!({"x": 1})).is_err());
        assert!(parse(json!(1)).is_err());
    }
}
