//! `_source`: whether and which parts of the document's source an answer shows.

use quidditch_engine::schema::simple_match;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Json, ParseError};

/// What `_source` asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

    /// The part of a source to show. `None` if none is to be shown, or the text is no JSON.
    pub fn apply(&self, source: &[u8]) -> Option<Box<RawValue>> {
        if !self.enabled {
            return None;
        }
        if self.includes.is_empty() && self.excludes.is_empty() {
            let text = std::str::from_utf8(source).ok()?;
            return serde_json::from_str(text).ok();
        }
        let value = quidditch_engine::document::json_tree(source).ok()?;
        let Value::Object(members) = &value else {
            return None;
        };
        let filtered = self.filter(members, "", self.includes.is_empty());
        serde_json::value::to_raw_value(&filtered).ok()
    }

    /// Keeps members that are included and not excluded.
    ///
    /// * `path`: of the object, with a dot at its end unless it is the root.
    /// * `included`: whether the whole object is.
    fn filter(
        &self,
        members: &Map<String, Value>,
        path: &str,
        included: bool,
    ) -> Map<String, Value> {
        let mut kept = Map::new();
        for (key, value) in members {
            let here = format!("{path}{key}");
            if self
                .excludes
                .iter()
                .any(|pattern| simple_match(pattern, &here))
            {
                continue;
            }
            let included = included
                || self
                    .includes
                    .iter()
                    .any(|pattern| simple_match(pattern, &here));
            match value {
                Value::Object(inner) => {
                    let inner = self.filter(inner, &format!("{here}."), included);
                    if included || !inner.is_empty() {
                        kept.insert(key.clone(), Value::Object(inner));
                    }
                }
                Value::Array(items) => {
                    let items = self.filter_list(items, &here, included);
                    if included || !items.is_empty() {
                        kept.insert(key.clone(), Value::Array(items));
                    }
                }
                _ if included => {
                    kept.insert(key.clone(), value.clone());
                }
                _ => {}
            }
        }
        kept
    }

    fn filter_list(&self, items: &[Value], path: &str, included: bool) -> Vec<Value> {
        let mut kept = Vec::new();
        for item in items {
            match item {
                Value::Object(inner) => {
                    let inner = self.filter(inner, &format!("{path}."), included);
                    if included || !inner.is_empty() {
                        kept.push(Value::Object(inner));
                    }
                }
                Value::Array(inner) => {
                    let inner = self.filter_list(inner, path, included);
                    if included || !inner.is_empty() {
                        kept.push(Value::Array(inner));
                    }
                }
                _ if included => kept.push(item.clone()),
                _ => {}
            }
        }
        kept
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
    use serde_json::json;

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

    #[test]
    fn keeps_what_is_included_and_not_excluded() {
        let source =
            br#"{"include":{"field1":"v1","field2":"v2"},"count":1,"list":[{"a":1},{"b":2}]}"#;
        let check = |filter: Value, expected: Value| {
            let shown = parse(filter).unwrap().apply(source).unwrap();
            assert_eq!(
                serde_json::from_str::<Value>(shown.get()).unwrap(),
                expected
            );
        };
        check(
            json!("include.field1"),
            json!({"include": {"field1": "v1"}}),
        );
        check(
            json!({"includes": "include", "excludes": "*.field2"}),
            json!({"include": {"field1": "v1"}}),
        );
        check(
            json!({"excludes": ["include", "list"]}),
            json!({"count": 1}),
        );
        check(json!("list.a"), json!({"list": [{"a": 1}]}));
        check(json!("c*"), json!({"count": 1}));
    }
}
