//! `_source` with `includes` and `excludes`: what of a document is stored.

use super::json::{JsonObject, JsonValue, write_name};
use crate::schema::{join, simple_match};

/// The document's JSON with only the paths that are included and not excluded.
pub(super) fn filter_source(
    tree: &JsonValue<'_>,
    includes: &[String],
    excludes: &[String],
) -> Vec<u8> {
    let filter = Filter { includes, excludes };
    let mut out = Vec::new();
    match tree {
        JsonValue::Object(entries) => {
            filter.object(entries, "", includes.is_empty(), &mut out);
        }
        other => other.write(&mut out),
    }
    out
}

struct Filter<'a> {
    includes: &'a [String],
    excludes: &'a [String],
}

impl Filter<'_> {
    /// Writes what of an object is kept; tells whether it is anything.
    ///
    /// * `inside`: an ancestor is included as a whole.
    fn object(
        &self,
        entries: &JsonObject<'_>,
        path: &str,
        inside: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        let mut any = false;
        out.push(b'{');
        for (name, value) in entries {
            let child = join(path, name);
            let matched = |patterns: &[String]| patterns.iter().any(|p| simple_match(p, &child));
            if matched(self.excludes) {
                continue;
            }
            let inside = inside || matched(self.includes);
            let before = out.len();
            if any {
                out.push(b',');
            }
            write_name(name, out);
            if self.value(value, &child, inside, out) {
                any = true;
            } else {
                out.truncate(before);
            }
        }
        out.push(b'}');
        any
    }

    /// Writes what of a value is kept; false when it is not kept at all.
    fn value(&self, value: &JsonValue<'_>, path: &str, inside: bool, out: &mut Vec<u8>) -> bool {
        match value {
            JsonValue::Object(entries) => self.object(entries, path, inside, out) || inside,
            JsonValue::Array(items) => {
                let mut any = false;
                out.push(b'[');
                for item in items {
                    let before = out.len();
                    if any {
                        out.push(b',');
                    }
                    if self.value(item, path, inside, out) {
                        any = true;
                    } else {
                        out.truncate(before);
                    }
                }
                out.push(b']');
                any || inside
            }
            scalar => {
                scalar.write(out);
                inside
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str, includes: &[&str], excludes: &[&str]) -> String {
        let tree = super::super::json_reader::read(text.as_bytes()).unwrap();
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
