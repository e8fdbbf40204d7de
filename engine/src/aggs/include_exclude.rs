//! Which terms become buckets: by pattern, by list, or by partition.

use std::collections::HashSet;

use regex_automata::meta::Regex;
use serde::{Deserialize, Serialize};

use super::hyperloglog::mix64;
use crate::search::SearchError;
use crate::value::Value;

/// Seed of the hash that divides terms into partitions.
const PARTITION_SEED: u32 = 31;

/// What is let in, and what of that is kept out again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IncludeExclude {
    /// Only these; `None`: all.
    pub include: Option<TermSet>,
    /// Not these.
    pub exclude: Option<TermSet>,
    /// Only the terms of one of several parts of equal size.
    pub partition: Option<Partition>,
}

/// Some terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TermSet {
    /// Those that a regular expression matches as a whole.
    Pattern(String),
    /// Those of a list.
    Values(Vec<Value>),
}

/// One of `count` parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// From 0.
    pub number: u32,
    /// At least 1.
    pub count: u32,
}

impl IncludeExclude {
    /// Whether a pattern is used, which only text can be matched with.
    pub fn has_pattern(&self) -> bool {
        let pattern = |set: &Option<TermSet>| matches!(set, Some(TermSet::Pattern(_)));
        pattern(&self.include) || pattern(&self.exclude)
    }
}

/// The same, ready for terms.
pub(crate) struct TermFilter {
    include: Option<Matcher<Vec<u8>>>,
    exclude: Option<Matcher<Vec<u8>>>,
    partition: Option<Partition>,
}

/// The same, ready for column values.
pub(crate) struct NumberFilter {
    include: Option<HashSet<i64>>,
    exclude: Option<HashSet<i64>>,
    partition: Option<Partition>,
}

enum Matcher<T> {
    Pattern(Box<Regex>),
    Values(HashSet<T>),
}

impl Matcher<Vec<u8>> {
    fn new(
        set: &TermSet,
        encode: &dyn Fn(&Value) -> Result<Vec<u8>, SearchError>,
    ) -> Result<Matcher<Vec<u8>>, SearchError> {
        match set {
            TermSet::Pattern(pattern) => Ok(Matcher::Pattern(Box::new(compile(pattern)?))),
            TermSet::Values(values) => {
                let mut terms = HashSet::with_capacity(values.len());
                for value in values {
                    terms.insert(encode(value)?);
                }
                Ok(Matcher::Values(terms))
            }
        }
    }

    fn matches(&self, term: &[u8]) -> bool {
        match self {
            Matcher::Pattern(regex) => regex.is_match(term),
            Matcher::Values(terms) => terms.contains(term),
        }
    }
}

/// A pattern in the syntax of Lucene's regular expressions, anchored at both ends. Its operators that ordinary
/// regular expressions do not have (`~ & @ # < >`) are refused where they are not escaped.
fn compile(pattern: &str) -> Result<Regex, SearchError> {
    let mut translated = String::with_capacity(pattern.len() + 8);
    translated.push_str("(?s)^(?:");
    let mut chars = pattern.chars();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                // Lucene knows the classes \d \s \w; any other escaped character is itself
                Some(class @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => {
                    translated.push('\\');
                    translated.push(class);
                }
                Some(escaped) => push_literal(&mut translated, escaped),
                None => {
                    return Err(SearchError::illegal(format!(
                        "unexpected end of pattern after [\\] in regular expression [{pattern}]"
                    )));
                }
            },
            '"' if !in_class => loop {
                match chars.next() {
                    Some('"') => break,
                    Some(quoted) => push_literal(&mut translated, quoted),
                    None => {
                        return Err(SearchError::illegal(format!(
                            "expected '\"' at position {} in regular expression [{pattern}]",
                            pattern.chars().count()
                        )));
                    }
                }
            },
            '~' | '&' | '@' | '#' | '<' | '>' if !in_class => {
                return Err(SearchError::illegal(format!(
                    "the operator [{c}] is not supported in include/exclude patterns; escape it to match it as a \
                     character: [{pattern}]"
                )));
            }
            '[' if in_class => push_literal(&mut translated, c),
            '&' | '~' | '-' if in_class && translated.ends_with(c) => {
                push_literal(&mut translated, c)
            }
            '^' | '$' if !in_class => push_literal(&mut translated, c),
            _ => {
                if c == '[' {
                    in_class = true;
                } else if c == ']' {
                    in_class = false;
                }
                translated.push(c);
            }
        }
    }
    translated.push_str(")$");
    let config = Regex::config().nfa_size_limit(Some(10 << 20));
    Regex::builder()
        .configure(config)
        .build(&translated)
        .map_err(|error| {
            SearchError::illegal(format!("invalid regular expression [{pattern}]: {error}"))
        })
}

fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(c);
}

impl TermFilter {
    /// `None` when everything is let in. `encode` turns a value of a list into a term.
    pub fn new(
        spec: &IncludeExclude,
        encode: &dyn Fn(&Value) -> Result<Vec<u8>, SearchError>,
    ) -> Result<Option<TermFilter>, SearchError> {
        if *spec == IncludeExclude::default() {
            return Ok(None);
        }
        let matcher = |set: &Option<TermSet>| match set {
            Some(set) => Matcher::new(set, encode).map(Some),
            None => Ok(None),
        };
        Ok(Some(TermFilter {
            include: matcher(&spec.include)?,
            exclude: matcher(&spec.exclude)?,
            partition: spec.partition,
        }))
    }

    pub fn accepts(&self, term: &[u8]) -> bool {
        if let Some(partition) = self.partition {
            let mut reader = term;
            // reading from a slice cannot fail
            let hash = murmur3::murmur3_32(&mut reader, PARTITION_SEED).unwrap_or(0) as i32;
            if i64::from(hash).rem_euclid(i64::from(partition.count)) != i64::from(partition.number)
            {
                return false;
            }
        }
        self.include
            .as_ref()
            .is_none_or(|include| include.matches(term))
            && !self
                .exclude
                .as_ref()
                .is_some_and(|exclude| exclude.matches(term))
    }
}

impl NumberFilter {
    /// `None` when everything is let in. `encode` turns a value of a list into a column value; patterns were refused
    /// before.
    pub fn new(
        spec: &IncludeExclude,
        encode: &dyn Fn(&Value) -> Result<Option<i64>, SearchError>,
    ) -> Result<Option<NumberFilter>, SearchError> {
        if *spec == IncludeExclude::default() {
            return Ok(None);
        }
        let numbers = |set: &Option<TermSet>| {
            let Some(TermSet::Values(values)) = set else {
                return Ok(None);
            };
            let mut numbers = HashSet::with_capacity(values.len());
            for value in values {
                if let Some(number) = encode(value)? {
                    numbers.insert(number);
                }
            }
            Ok::<_, SearchError>(Some(numbers))
        };
        Ok(Some(NumberFilter {
            include: numbers(&spec.include)?,
            exclude: numbers(&spec.exclude)?,
            partition: spec.partition,
        }))
    }

    /// `raw` is the column value, `bits` what its partition is computed from.
    pub fn accepts(&self, raw: i64, bits: u64) -> bool {
        if let Some(partition) = self.partition
            && (mix64(bits) as i64).rem_euclid(i64::from(partition.count))
                != i64::from(partition.number)
        {
            return false;
        }
        self.include
            .as_ref()
            .is_none_or(|include| include.contains(&raw))
            && !self
                .exclude
                .as_ref()
                .is_some_and(|exclude| exclude.contains(&raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &str) -> TermFilter {
        let spec = IncludeExclude {
            include: Some(TermSet::Pattern(include.to_owned())),
            ..IncludeExclude::default()
        };
        TermFilter::new(&spec, &|_| Ok(Vec::new()))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn patterns_match_whole_terms() {
        assert!(filter("ab.*").accepts(b"abc"));
        assert!(!filter("b").accepts(b"abc"));
        assert!(filter("a|\"b.\"").accepts(b"b."));
        assert!(!filter("\"b.\"").accepts(b"bc"));
        assert!(filter("[a-c]+\\.x").accepts(b"abc.x"));
        assert!(compile("a~b").is_err());
    }

    #[test]
    fn partitions_divide_terms_as_opensearch_does() {
        let part = |number, term: &[u8]| {
            let spec = IncludeExclude {
                partition: Some(Partition { number, count: 2 }),
                ..IncludeExclude::default()
            };
            TermFilter::new(&spec, &|_| Ok(Vec::new()))
                .unwrap()
                .unwrap()
                .accepts(term)
        };
        assert!(part(0, b"bcd") && part(1, b"abc"));
        let part = |number, value: i64| {
            let spec = IncludeExclude {
                partition: Some(Partition { number, count: 2 }),
                ..IncludeExclude::default()
            };
            NumberFilter::new(&spec, &|_| Ok(None))
                .unwrap()
                .unwrap()
                .accepts(value, value as u64)
        };
        assert!(part(0, 5678) && part(1, 1234));
    }
}
