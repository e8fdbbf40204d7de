//! Values of a stored `_source` by path: what the `fields` option of a search shows.

use serde_json::Value as Json;

use super::{DocumentError, json_tree};
use crate::value::Value;

/// The scalars at each path, in order of appearance; arrays and objects in arrays are walked through.
///
/// A path may be written as nested objects, as a name with dots, or as a mixture of both.
pub fn source_values(source: &[u8], paths: &[&str]) -> Result<Vec<Vec<Value>>, DocumentError> {
    let document = json_tree(source)?;
    let mut found = Vec::with_capacity(paths.len());
    for path in paths {
        let mut values = Vec::new();
        walk(&document, path, &mut values);
        found.push(values);
    }
    Ok(found)
}

/// What stands at a path, objects and arrays whole.
pub(crate) fn source_trees(source: &[u8], path: &str) -> Result<Vec<Json>, DocumentError> {
    let document = json_tree(source)?;
    let mut found = Vec::new();
    walk_trees(&document, path, &mut found);
    Ok(found)
}

fn walk_trees(json: &Json, path: &str, found: &mut Vec<Json>) {
    match json {
        Json::Array(items) => {
            for item in items {
                walk_trees(item, path, found);
            }
        }
        Json::Object(object) => {
            for (name, inner) in object {
                if name == path {
                    found.push(inner.clone());
                } else if let Some(rest) = path.strip_prefix(name.as_str())
                    && let Some(rest) = rest.strip_prefix('.')
                {
                    walk_trees(inner, rest, found);
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn walk(json: &Json, path: &str, values: &mut Vec<Value>) {
    match json {
        Json::Array(items) => {
            for item in items {
                walk(item, path, values);
            }
        }
        Json::Object(object) => {
            for (name, inner) in object {
                if name == path {
                    collect(inner, values);
                } else if let Some(rest) = path.strip_prefix(name.as_str())
                    && let Some(rest) = rest.strip_prefix('.')
                {
                    walk(inner, rest, values);
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn collect(json: &Json, values: &mut Vec<Value>) {
    match json {
        Json::Array(items) => {
            for item in items {
                collect(item, values);
            }
        }
        Json::Null => values.push(Value::Null),
        Json::Bool(truth) => values.push(Value::Bool(*truth)),
        Json::String(text) => values.push(Value::Str(text.clone())),
        Json::Number(number) => values.push(if let Some(n) = number.as_i64() {
            Value::I64(n)
        } else if let Some(n) = number.as_u64() {
            Value::U64(n)
        } else {
            Value::F64(number.as_f64().unwrap_or(f64::NAN))
        }),
        Json::Object(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_objects_arrays_and_dotted_names() {
        let source = br#"{"a": [{"b": 1}, {"b": [2, null]}], "a.b": "x", "c": {"d.e": true}}"#;
        let found = source_values(source, &["a.b", "c.d.e", "c", "z"]).unwrap();
        assert_eq!(
            found[0],
            [
                Value::I64(1),
                Value::I64(2),
                Value::Null,
                Value::Str("x".into())
            ]
        );
        assert_eq!(found[1], [Value::Bool(true)]);
        assert!(found[2].is_empty() && found[3].is_empty());
    }
}
