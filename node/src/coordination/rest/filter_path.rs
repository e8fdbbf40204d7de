//! `filter_path`: keeps or drops parts of an answer by their path.
//!
//! A filter is a path of keys with dots between; `*` inside a key stands for any text, `**` for any number of keys;
//! a leading `-` turns it into an exclusion. Arrays are transparent.

use quidditch_engine::schema::simple_match;
use serde_json::value::RawValue;

use crate::raw_json::Entries;

/// Nesting beyond which an answer is passed on as it is.
const DEPTH_MAX: usize = 500;

/// The parsed filters of one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FilterPath {
    includes: Vec<Vec<String>>,
    excludes: Vec<Vec<String>>,
}

impl FilterPath {
    /// Reads the parameter; `None` if it holds no filter.
    pub fn parse(text: &str) -> Option<FilterPath> {
        let mut filter = FilterPath::default();
        for part in text.split(',').map(str::trim) {
            let (into, path) = match part.strip_prefix('-') {
                Some(path) => (&mut filter.excludes, path),
                None => (&mut filter.includes, part),
            };
            if !path.is_empty() {
                into.push(split_path(path));
            }
        }
        let any = !filter.includes.is_empty() || !filter.excludes.is_empty();
        any.then_some(filter)
    }

    /// The parts of a JSON text that pass; an empty object if none does.
    pub fn apply(&self, json: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
        let raw: &RawValue = serde_json::from_slice(json)?;
        let mut out = Vec::with_capacity(json.len());
        let includes: Vec<&[String]> = self.includes.iter().map(Vec::as_slice).collect();
        let excludes: Vec<&[String]> = self.excludes.iter().map(Vec::as_slice).collect();
        let all = includes.is_empty();
        if !filter_value(raw.get(), all, &includes, &excludes, 0, &mut out)? {
            return Ok(b"{}".to_vec());
        }
        Ok(out)
    }
}

/// Cuts at dots; `\.` is a dot that belongs to a key.
fn split_path(path: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = path.chars().peekable();
    while let Some(char) = chars.next() {
        let last = parts.len() - 1;
        match char {
            '\\' if chars.peek() == Some(&'.') => {
                chars.next();
                parts[last].push('.');
            }
            '.' => parts.push(String::new()),
            other => parts[last].push(other),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Writes what passes of one value; `false` if nothing was written.
///
/// `all`: an include matched already. `includes`, `excludes`: what is left of the paths that still fit.
fn filter_value(
    text: &str,
    all: bool,
    includes: &[&[String]],
    excludes: &[&[String]],
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<bool, serde_json::Error> {
    let first = text.as_bytes().first().copied().unwrap_or(b'n');
    if (all && excludes.is_empty()) || depth > DEPTH_MAX {
        out.extend_from_slice(text.as_bytes());
        return Ok(true);
    }
    match first {
        b'{' => filter_object(text, all, includes, excludes, depth, out),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            let start = out.len();
            out.push(b'[');
            let mut any = false;
            for item in &items {
                let before = out.len();
                if any {
                    out.push(b',');
                }
                if filter_value(item.get(), all, includes, excludes, depth + 1, out)? {
                    any = true;
                } else {
                    out.truncate(before);
                }
            }
            // an array that was empty from the start is a value like any other
            if !(any || all && items.is_empty()) {
                out.truncate(start);
                return Ok(false);
            }
            out.push(b']');
            Ok(true)
        }
        _ => {
            if all {
                out.extend_from_slice(text.as_bytes());
            }
            Ok(all)
        }
    }
}

fn filter_object(
    text: &str,
    all: bool,
    includes: &[&[String]],
    excludes: &[&[String]],
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<bool, serde_json::Error> {
    let entries: Entries<'_> = serde_json::from_str(text)?;
    let start = out.len();
    out.push(b'{');
    let mut any = false;
    for (key, value) in &entries.0 {
        let (dropped, rest_excludes) = descend(excludes, key);
        if dropped {
            continue;
        }
        let (kept, rest_includes) = descend(includes, key);
        let all_below = all || kept;
        if !all_below && rest_includes.is_empty() {
            continue;
        }
        let before = out.len();
        if any {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, key)?;
        out.push(b':');
        if filter_value(
            value.get(),
            all_below,
            &rest_includes,
            &rest_excludes,
            depth + 1,
            out,
        )? {
            any = true;
        } else {
            out.truncate(before);
        }
    }
    if !(any || all && entries.0.is_empty()) {
        out.truncate(start);
        return Ok(false);
    }
    out.push(b'}');
    Ok(true)
}

/// Steps below a key: whether some path ends here, and what is left of the others that fit.
fn descend<'p>(paths: &[&'p [String]], key: &str) -> (bool, Vec<&'p [String]>) {
    let mut ends = false;
    let mut rest = Vec::new();
    for path in paths {
        step(path, key, &mut ends, &mut rest);
    }
    (ends, rest)
}

fn step<'p>(path: &'p [String], key: &str, ends: &mut bool, rest: &mut Vec<&'p [String]>) {
    let Some((head, tail)) = path.split_first() else {
        return;
    };
    if head == "**" {
        // any number of keys: this one is swallowed, or the wildcard is over
        if !rest.contains(&path) {
            rest.push(path);
        }
        if tail.is_empty() {
            *ends = true;
        } else {
            step(tail, key, ends, rest);
        }
    } else if simple_match(head, key) {
        if tail.is_empty() || tail == ["**"] {
            *ends = true;
        } else if !rest.contains(&tail) {
            rest.push(tail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filter: &str, json: &str, expected: &str) {
        let filter = FilterPath::parse(filter).unwrap();
        let got = String::from_utf8(filter.apply(json.as_bytes()).unwrap()).unwrap();
        assert_eq!(got, expected);
    }

    const JSON: &str = r#"{"took":1,"hits":{"total":2,"hits":[{"_id":"1","_source":{"a":1.10,"b":[]}},{"_id":"2"}]},"x.y":{}}"#;

    #[test]
    fn includes() {
        check("took", JSON, r#"{"took":1}"#);
        check(
            "hits.hits._id",
            JSON,
            r#"{"hits":{"hits":[{"_id":"1"},{"_id":"2"}]}}"#,
        );
        check("hits.t*", JSON, r#"{"hits":{"total":2}}"#);
        check(
            "**._id,took",
            JSON,
            r#"{"took":1,"hits":{"hits":[{"_id":"1"},{"_id":"2"}]}}"#,
        );
        check(
            "hits.hits._source",
            JSON,
            r#"{"hits":{"hits":[{"_source":{"a":1.10,"b":[]}}]}}"#,
        );
        check("x\\.y", JSON, r#"{"x.y":{}}"#);
        check("nothing", JSON, "{}");
    }

    #[test]
    fn excludes() {
        check("-hits,-x*", JSON, r#"{"took":1}"#);
        check("hits,-hits.hits", JSON, r#"{"hits":{"total":2}}"#);
        check(
            "-**._source,-x*",
            JSON,
            r#"{"took":1,"hits":{"total":2,"hits":[{"_id":"1"},{"_id":"2"}]}}"#,
        );
    }

    #[test]
    fn wildcards() {
        assert!(simple_match("a*c", "abbc"));
        assert!(simple_match("*", ""));
        assert!(!simple_match("a*c", "abbd"));
        assert!(simple_match("*a*a", "aa"));
    }
}
