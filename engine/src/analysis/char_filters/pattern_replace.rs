//! The `pattern_replace` char filter: matches of a regular expression to a text.

use regex_automata::meta::Regex;

use super::super::definition::Definition;
use super::super::java_regex;
use super::{CharFilter, FilteredText};
use crate::schema::SchemaError;

#[derive(Debug)]
struct PatternReplace {
    pattern: Regex,
    replacement: String,
}

/// Reads `pattern`, `replacement`, `flags`.
pub(super) fn build(definition: &Definition) -> Result<Box<dyn CharFilter>, SchemaError> {
    let Some(pattern) = definition.text("pattern") else {
        return Err(SchemaError::illegal(
            "pattern is missing for [pattern_replace] char filter of type 'pattern_replace'",
        ));
    };
    Ok(Box::new(PatternReplace {
        pattern: java_regex::compile(&pattern, definition.text("flags").as_deref())?,
        replacement: definition.text("replacement").unwrap_or_default(),
    }))
}

impl CharFilter for PatternReplace {
    fn apply(&self, text: &str) -> FilteredText {
        let Some(replaced) = java_regex::replace(&self.pattern, text, &self.replacement, true)
        else {
            return FilteredText::new(text);
        };
        let mut out = FilteredText::default();
        let mut copied = 0;
        for (taken, at, put) in replaced.edits {
            out.text.push_str(&text[copied..at]);
            let start = out.text.len();
            out.replace(taken, &replaced.text[start..start + put]);
            copied = at + taken;
        }
        out.text.push_str(&text[copied..]);
        out
    }
}
