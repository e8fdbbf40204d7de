//! `_source` with `includes` and `excludes`: what of a document is stored.

use serde_json::{Map, Value as Json};

use super::json::JsonValue;
use crate::schema::{join, simple_match};

/// The document's JSON with only the paths that are included and not excluded.
pub(super) fn filter_source(
    tree: &JsonValue<'_>,
    includes: &[String],
    excludes: &[String],
) -> Vec<u8> {
    let filtered = match tree {
        JsonValue::Object(entries) => Json::Object(filter_object(
            entries,
            "",
            includes,
            excludes,
            includes.is_empty(),
        )),
        other => to_json(other),
    };
    filtered.to_string().into_bytes()
}

type Entries<'a> = [(std::borrow::Cow<'a, str>, JsonValue<'a>)];

/// * `inside`: an ancestor is included as a whole.
fn filter_object(
    entries: &Entries<'_>,
    path: &str,
    includes: &[String],
    excludes: &[String],
    inside: bool,
) -> Map<String, Json> {
    let mut out = Map::new();
    for (name, value) in entries {
        let child = join(path, name);
        let matched = |patterns: &[String]| patterns.iter().any(|p| simple_match(p, &child));
        if matched(excludes) {
            continue;
        }
        let inside = inside || matched(includes);
        if let Some(kept) = filter_value(value, &child, includes, excludes, inside) {
            out.insert(name.to_string(), kept);
        }
    }
    out
}

fn filter_value(
    value: &JsonValue<'_>,
    path: &str,
    includes: &[String],
    excludes: &[String],
    inside: bool,
) -> Option<Json> {
    match value {
        JsonValue::Object(entries) => {
            let kept = filter_object(entries, path, includes, excludes, inside);
            (inside || !kept.is_empty()).then_some(Json::Object(kept))
        }
        JsonValue::Array(items) => {
            let kept: Vec<Json> = items
                .iter()
                .filter_map(|item| filter_value(item, path, includes, excludes, inside))
                .collect();
            (inside || !kept.is_empty()).then_some(Json::Array(kept))
        }
        scalar => inside.then(|| to_json(scalar)),
    }
}

fn to_json(value: &JsonValue<'_>) -> Json {
    match value {
        JsonValue::Null => Json::Null,
        JsonValue::Bool(flag) => Json::from(*flag),
        JsonValue::I64(n) => Json::from(*n),
        JsonValue::U64(n) => Json::from(*n),
        JsonValue::F64(n) => Json::from(*n),
        JsonValue::Str(text) => Json::from(text.as_ref()),
        JsonValue::Array(items) => items.iter().map(to_json).collect(),
        JsonValue::Object(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, value)| (key.to_string(), to_json(value)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str, includes: &[&str], excludes: &[&str]) -> String {
        let tree: JsonValue<'_> = serde_json::from_str(text).unwrap();
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        String::from_utf8(filter_source(&tree, &own(includes), &own(excludes))).unwrap()
    }

    #[test]
    fn paths_are_kept_or_left_out() {
        let text = r#"{"a":{"b":1,"c":[{"d":2,"e":3}]},"f":"x"}"#;
        assert_eq!(
            filter(text, &["a.c"], &[]),
            r#"{"a":{"c":[{"d":2,"e":3}]}}"#
        );
        assert_eq!(
            filter(text, &[], &["a.c.e", "f"]),
            r#"{"a":{"b":1,"c":[{"d":2}]}}"#
        );
        assert_eq!(
            filter(text, &["a.*"], &["*.d"]),
            r#"{"a":{"b":1,"c":[{"e":3}]}}"#
        );
    }
}
