//! Settings between JSON and flat text.
//!
//! Inside, settings are flat: `index.analysis.filter.f.stopwords.0 = "a"`. Lists have one key per element; one without
//! elements is the text `[]` under its own key.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The value of a list without elements.
pub const EMPTY_LIST: &str = "[]";

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
        // no element has a key that would say so
        Value::Array(values) if values.is_empty() => {
            flat.insert(key.to_owned(), Some(EMPTY_LIST.to_owned()));
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
        insert(&mut root, key, value, DEPTH_MAX);
    }
    lists(Value::Object(root))
}

/// Settings as one flat JSON object: values are strings or lists of strings.
pub fn show_flat(flat: &BTreeMap<String, String>) -> Value {
    let mut shown: Map<String, Value> = Map::new();
    let mut lists: BTreeMap<&str, BTreeMap<usize, &str>> = BTreeMap::new();
    for (key, value) in flat {
        if let Some((list, number)) = key.rsplit_once('.')
            && let Ok(number) = number.parse()
            && flat.contains_key(&format!("{list}.0"))
        {
            // keys come as texts do: 0, 1, 10, 2
            lists.entry(list).or_default().insert(number, value);
            shown.insert(list.to_owned(), Value::Null);
            continue;
        }
        shown.insert(key.clone(), show_value(value));
    }
    for (list, values) in lists {
        shown.insert(list.to_owned(), values.into_values().collect());
    }
    Value::Object(shown)
}

fn show_value(value: &str) -> Value {
    match value {
        EMPTY_LIST => Value::Array(Vec::new()),
        text => Value::String(text.to_owned()),
    }
}

/// Parts that a key may have, and levels that settings are shown in.
pub const DEPTH_MAX: usize = 50;

/// Puts `a.b.c` into nested objects, at most `levels` of them. A path through a value (`a` and `a.b` both set) stays
/// dotted.
fn insert(object: &mut Map<String, Value>, key: &str, value: &str, levels: usize) {
    if let Some((head, rest)) = key.split_once('.').filter(|_| levels > 0) {
        let inner = object
            .entry(head.to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(inner) = inner {
            insert(inner, rest, value, levels - 1);
            return;
        }
    }
    object.insert(key.to_owned(), show_value(value));
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

    fn flat_of(settings: Value) -> BTreeMap<String, String> {
        let flat = flatten(settings.as_object().unwrap(), "");
        flat.into_iter()
            .map(|(key, value)| (key, value.unwrap()))
            .collect()
    }

    #[test]
    fn lists_keep_their_order_and_their_emptiness() {
        let numbers: Vec<String> = (0..12).map(|n| n.to_string()).collect();
        let flat = flat_of(json!({"a": {"long": numbers, "none": []}}));
        assert_eq!(nest(&flat), json!({"a": {"long": numbers, "none": []}}));
        assert_eq!(show_flat(&flat), json!({"a.long": numbers, "a.none": []}));
    }

    #[test]
    fn keys_of_many_parts_are_shown_in_a_few_levels() {
        let key = "a.".repeat(100_000) + "b";
        let shown = nest(&BTreeMap::from([(key, "x".to_owned())]));
        let text = shown.to_string();
        assert_eq!(text.matches('{').count(), DEPTH_MAX + 1);
    }
}
