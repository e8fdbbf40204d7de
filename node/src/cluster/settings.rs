//! Settings between JSON and flat text.
//!
//! Inside, settings are flat: `index.analysis.filter.f.stopwords.0 = "a"`. Lists have one key per element.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Flattens settings as users write them (nested, dotted or mixed). `null` becomes `None`.
///
/// * `prefix`: put before keys that do not begin with it, e.g. `index.`; empty for cluster settings.
pub fn flatten(settings: &Map<String, Value>, prefix: &str) -> BTreeMap<String, Option<String>> {
    let mut flat = BTreeMap::new();
    for (key, value) in settings {
        flatten_value(key, value, &mut flat);
    }
    if prefix.is_empty() {
        return flat;
    }
    let mut prefixed = BTreeMap::new();
    for (key, value) in flat {
        if key.starts_with(prefix) || key == "*" {
            prefixed.insert(key, value);
        } else {
            prefixed.insert(format!("{prefix}{key}"), value);
        }
    }
    prefixed
}

fn flatten_value(key: &str, value: &Value, flat: &mut BTreeMap<String, Option<String>>) {
    match value {
        Value::Null => {
            flat.insert(key.to_owned(), None);
        }
        Value::Bool(value) => {
            flat.insert(key.to_owned(), Some(value.to_string()));
        }
        Value::Number(value) => {
            flat.insert(key.to_owned(), Some(value.to_string()));
        }
        Value::String(value) => {
            flat.insert(key.to_owned(), Some(value.clone()));
        }
        Value::Array(values) => {
            for (i, value) in values.iter().enumerate() {
                flatten_value(&format!("{key}.{i}"), value, flat);
            }
        }
        Value::Object(object) => {
            for (inner, value) in object {
                flatten_value(&format!("{key}.{inner}"), value, flat);
            }
        }
    }
}

/// Settings as nested JSON: values are strings, runs of keys `0`, `1`, … are lists.
pub fn nest(flat: &BTreeMap<String, String>) -> Value {
    let mut root = Map::new();
    for (key, value) in flat {
        insert(&mut root, key, value);
    }
    lists(Value::Object(root))
}

/// Settings as one flat JSON object: values are strings or lists of strings.
pub fn show_flat(flat: &BTreeMap<String, String>) -> Value {
    let mut shown: Map<String, Value> = Map::new();
    for (key, value) in flat {
        if let Some((list, number)) = key.rsplit_once('.')
            && number.parse::<usize>().is_ok()
            && flat.contains_key(&format!("{list}.0"))
        {
            let entry = shown
                .entry(list.to_owned())
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(values) = entry {
                values.push(Value::String(value.clone()));
                continue;
            }
        }
        shown.insert(key.clone(), Value::String(value.clone()));
    }
    Value::Object(shown)
}

/// Puts `a.b.c` into nested objects. A path through a value (`a` and `a.b` both set) stays dotted.
fn insert(object: &mut Map<String, Value>, key: &str, value: &str) {
    if let Some((head, rest)) = key.split_once('.') {
        let inner = object
            .entry(head.to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(inner) = inner {
            insert(inner, rest, value);
            return;
        }
    }
    object.insert(key.to_owned(), Value::String(value.to_owned()));
}

fn lists(value: Value) -> Value {
    let Value::Object(object) = value else {
        return value;
    };
    let is_list =
        !object.is_empty() && (0..object.len()).all(|i| object.contains_key(&i.to_string()));
    if is_list {
        let mut values = Vec::with_capacity(object.len());
        for i in 0..object.len() {
            values.push(lists(object[&i.to_string()].clone()));
        }
        return Value::Array(values);
    }
    Value::Object(
        object
            .into_iter()
            .map(|(key, value)| (key, lists(value)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_dotted_and_mixed_settings_are_the_same() {
        for settings in [
            json!({"index": {"number_of_shards": 2, "a": {"b": ["x", "y"]}}}),
            json!({"number_of_shards": "2", "index.a.b": ["x", "y"]}),
            json!({"index.number_of_shards": 2, "a": {"b": ["x", "y"]}}),
        ] {
            let flat = flatten(settings.as_object().unwrap(), "index.");
            let flat: BTreeMap<String, String> = flat
                .into_iter()
                .map(|(key, value)| (key, value.unwrap()))
                .collect();
            assert_eq!(
                nest(&flat),
                json!({"index": {"a": {"b": ["x", "y"]}, "number_of_shards": "2"}})
            );
            assert_eq!(
                show_flat(&flat),
                json!({"index.a.b": ["x", "y"], "index.number_of_shards": "2"})
            );
        }
    }
}
