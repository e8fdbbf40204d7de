//! The `pattern`, `simple_pattern` and `simple_pattern_split` tokenizers: regular expressions find tokens or what
//! stands between them.

use regex_automata::meta::Regex;

use super::super::definition::Definition;
use super::super::java_regex;
use super::super::token::TokenBatch;
use super::Tokenizer;
use crate::schema::SchemaError;

/// Cuts at matches, or takes a group of each match.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    /// `None`: matches separate tokens.
    group: Option<usize>,
}

/// Cuts at the matches of a pattern.
pub(crate) fn split(pattern: &str, flags: Option<&str>) -> Result<Pattern, SchemaError> {
    Ok(Pattern {
        regex: java_regex::compile(pattern, flags)?,
        group: None,
    })
}

/// Reads `pattern`, `flags`, `group`.
pub(super) fn pattern(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    let pattern = definition
        .text("pattern")
        .unwrap_or_else(|| "\\W+".to_owned());
    let group = definition.int("group", -1)?;
    Ok(Box::new(Pattern {
        regex: java_regex::compile(&pattern, definition.text("flags").as_deref())?,
        group: usize::try_from(group).ok(),
    }))
}

/// Reads `pattern`: what a token looks like.
pub(super) fn simple_pattern(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    Ok(Box::new(Pattern {
        regex: java_regex::compile(&definition.text("pattern").unwrap_or_default(), None)?,
        group: Some(0),
    }))
}

/// Reads `pattern`: what separates tokens.
pub(super) fn simple_pattern_split(
    definition: &Definition,
) -> Result<Box<dyn Tokenizer>, SchemaError> {
    let pattern = definition.text("pattern").unwrap_or_default();
    Ok(Box::new(split(&pattern, None)?))
}

impl Tokenizer for Pattern {
    fn tokenize(&self, text: &str, out: &mut TokenBatch) {
        if let Some(group) = self.group {
            for captures in self.regex.captures_iter(text) {
                if let Some(span) = captures.get_group(group)
                    && span.start < span.end
                {
                    out.push_slice(span.start, span.end, "word");
                }
            }
            return;
        }
        let mut start = 0;
        for found in self.regex.find_iter(text) {
            if start < found.start() {
                out.push_slice(start, found.start(), "word");
            }
            start = found.end();
        }
        if start < text.len() {
            out.push_slice(start, text.len(), "word");
        }
    }
}
