//! Source filtering: keeps the parts of a document that `_source`, `_source_includes` and `_source_excludes` ask for.
//!
//! A pattern is a path with dots, `*` stands for any text, dots included; it means the value at its path and everything
//! below. Works on JSON text, so that numbers stay as they were written.

use bytes::Bytes;
use quidditch_engine::schema::simple_match;
use serde_json::value::RawValue;

use super::dsl::source::FetchSource;
use super::rest::{Params, RestError};
use crate::raw_json::Entries;

/// Nesting beyond which a value is kept or dropped as a whole.
const DEPTH_MAX: usize = 500;

/// Reads `_source`, `_source_includes` and `_source_excludes`; `None` if none was sent.
pub fn from_params(params: &Params) -> Result<Option<FetchSource>, RestError> {
    let mut source = FetchSource::ALL;
    let mut any = false;
    match params.get("_source") {
        None => {}
        Some("" | "true") => any = true,
        Some("false") => {
            any = true;
            source.enabled = false;
        }
        Some(_) => {
            any = true;
            source.includes = params.list("_source");
        }
    }
    if params.has("_source_includes") {
        any = true;
        source.includes = params.list("_source_includes");
    }
    if params.has("_source_excludes") {
        any = true;
        source.excludes = params.list("_source_excludes");
    }
    Ok(any.then_some(source))
}

/// What an answer shows of a source; `None`: nothing at all.
pub fn apply(source: &Bytes, filter: &FetchSource) -> Result<Option<Bytes>, RestError> {
    if !filter.enabled || source.is_empty() {
        return Ok(None);
    }
    if filter.includes.is_empty() && filter.excludes.is_empty() {
        return Ok(Some(source.clone()));
    }
    let damaged = |error: serde_json::Error| {
        RestError::internal(format!("the source of a document is damaged: {error}"))
    };
    let raw: &RawValue = serde_json::from_slice(source).map_err(damaged)?;
    if !raw.get().starts_with('{') {
        return Ok(Some(source.clone()));
    }
    let mut out = Vec::with_capacity(source.len());
    let included = filter.includes.is_empty();
    let mut walk = Walk {
        filter,
        path: String::new(),
        out: &mut out,
    };
    walk.object(raw.get(), included, 0).map_err(damaged)?;
    Ok(Some(Bytes::from(out)))
}

struct Walk<'a> {
    filter: &'a FetchSource,
    path: String,
    out: &'a mut Vec<u8>,
}

impl Walk<'_> {
    /// Writes an object's entries that pass; tells whether there was any.
    fn object(
        &mut self,
        text: &str,
        included: bool,
        depth: usize,
    ) -> Result<bool, serde_json::Error> {
        let entries: Entries<'_> = serde_json::from_str(text)?;
        let mut any = false;
        self.out.push(b'{');
        let parent = self.path.len();
        for (key, value) in &entries.0 {
            if parent > 0 {
                self.path.push('.');
            }
            self.path.push_str(key);
            let before = self.out.len();
            if any {
                self.out.push(b',');
            }
            serde_json::to_writer(&mut *self.out, key)?;
            self.out.push(b':');
            if self.entry(value.get(), included, depth)? {
                any = true;
            } else {
                self.out.truncate(before);
            }
            self.path.truncate(parent);
        }
        self.out.push(b'}');
        Ok(any)
    }

    /// Writes the value at the current path if it passes.
    fn entry(
        &mut self,
        text: &str,
        included: bool,
        depth: usize,
    ) -> Result<bool, serde_json::Error> {
        if matches_any(&self.filter.excludes, &self.path) {
            return Ok(false);
        }
        let included = included || matches_any(&self.filter.includes, &self.path);
        if !included && !leads_to_any(&self.filter.includes, &self.path) {
            return Ok(false);
        }
        self.value(text, included, depth)
    }

    fn value(
        &mut self,
        text: &str,
        included: bool,
        depth: usize,
    ) -> Result<bool, serde_json::Error> {
        let untouched = included && !leads_to_any(&self.filter.excludes, &self.path);
        if untouched || depth > DEPTH_MAX {
            self.out.extend_from_slice(text.as_bytes());
            return Ok(true);
        }
        match text.as_bytes().first() {
            Some(b'{') => Ok(self.object(text, included, depth + 1)? || included),
            Some(b'[') => self.array(text, included, depth),
            _ => {
                if included {
                    self.out.extend_from_slice(text.as_bytes());
                }
                Ok(included)
            }
        }
    }

    fn array(
        &mut self,
        text: &str,
        included: bool,
        depth: usize,
    ) -> Result<bool, serde_json::Error> {
        let items: Vec<&RawValue> = serde_json::from_str(text)?;
        let mut any = false;
        self.out.push(b'[');
        for item in items {
            let before = self.out.len();
            if any {
                self.out.push(b',');
            }
            if self.value(item.get(), included, depth + 1)? {
                any = true;
            } else {
                self.out.truncate(before);
            }
        }
        self.out.push(b']');
        Ok(any || included)
    }
}

/// Whether a pattern means this path, or something above it.
fn matches_any(patterns: &[String], path: &str) -> bool {
    patterns.iter().any(|pattern| {
        simple_match(pattern, path)
            || path
                .match_indices('.')
                .any(|(dot, _)| simple_match(pattern, &path[..dot]))
    })
}

/// Whether a pattern may mean something below this path.
fn leads_to_any(patterns: &[String], path: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.find('*') {
        None => {
            pattern.len() > path.len()
                && pattern.starts_with(path)
                && pattern.as_bytes()[path.len()] == b'.'
        }
        Some(star) => {
            let fixed = &pattern.as_bytes()[..star];
            let shared = fixed.len().min(path.len());
            fixed[..shared] == path.as_bytes()[..shared]
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"{"a":{"b":1.10,"c":[{"d":1,"e":2},{"e":3}]},"f.g":4,"h":[],"i":{}}"#;

    #[track_caller]
    fn check(includes: &[&str], excludes: &[&str], expected: &str) {
        let filter = FetchSource {
            enabled: true,
            includes: includes
                .iter()
                .map(|pattern| (*pattern).to_owned())
                .collect(),
            excludes: excludes
                .iter()
                .map(|pattern| (*pattern).to_owned())
                .collect(),
        };
        let kept = apply(&Bytes::from(SOURCE), &filter).unwrap().unwrap();
        assert_eq!(std::str::from_utf8(&kept).unwrap(), expected);
    }

    #[test]
    fn includes() {
        check(&["a.b"], &[], r#"{"a":{"b":1.10}}"#);
        check(
            &["a"],
            &[],
            r#"{"a":{"b":1.10,"c":[{"d":1,"e":2},{"e":3}]}}"#,
        );
        check(&["a.c.d"], &[], r#"{"a":{"c":[{"d":1}]}}"#);
        check(&["*.d", "h"], &[], r#"{"a":{"c":[{"d":1}]},"h":[]}"#);
        check(&["f.g"], &[], r#"{"f.g":4}"#);
        check(&["f"], &[], r#"{"f.g":4}"#);
        check(&["nothing"], &[], "{}");
    }

    #[test]
    fn excludes() {
        check(&[], &["a.c", "f.g"], r#"{"a":{"b":1.10},"h":[],"i":{}}"#);
        check(&["a"], &["*.e"], r#"{"a":{"b":1.10,"c":[{"d":1},{}]}}"#);
        check(&[], &["*"], "{}");
    }

    #[test]
    fn reads_the_parameters() {
        let read = |query| from_params(&Params::parse(query).unwrap()).unwrap();
        assert_eq!(read("x=1"), None);
        assert_eq!(read("_source=false"), Some(FetchSource::NONE));
        assert_eq!(read("_source=a,b").unwrap().includes, ["a", "b"]);
        assert_eq!(read("_source_excludes=c").unwrap().excludes, ["c"]);
    }
}
