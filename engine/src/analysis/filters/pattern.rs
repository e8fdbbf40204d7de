//! The `pattern_replace` and `pattern_capture` filters: regular expressions on tokens.

use regex_automata::meta::Regex;

use super::super::definition::Definition;
use super::super::java_regex;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

#[derive(Debug)]
struct Replace {
    pattern: Regex,
    replacement: String,
    all: bool,
}

#[derive(Debug)]
struct Capture {
    patterns: Vec<Regex>,
    preserve_original: bool,
}

/// Reads `pattern`, `replacement`, `flags`, `all`.
pub(super) fn replace(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    let Some(pattern) = definition.text("pattern") else {
        return Err(SchemaError::illegal(
            "pattern is missing for [pattern_replace] token filter of type 'pattern_replace'",
        ));
    };
    Ok(Box::new(Replace {
        pattern: java_regex::compile(&pattern, definition.text("flags").as_deref())?,
        replacement: definition.text("replacement").unwrap_or_default(),
        all: definition.flag("all", true)?,
    }))
}

/// Reads `patterns`, `preserve_original`.
pub(super) fn capture(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    let patterns: Vec<String> = definition
        .items("patterns")
        .iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect();
    if patterns.is_empty() {
        return Err(SchemaError::illegal(
            "required setting 'patterns' is missing for token filter [pattern_capture]",
        ));
    }
    let patterns = patterns
        .iter()
        .map(|pattern| java_regex::compile(pattern, None))
        .collect::<Result<_, _>>()?;
    Ok(Box::new(Capture {
        patterns,
        preserve_original: definition.flag("preserve_original", true)?,
    }))
}

impl TokenFilter for Replace {
    fn apply(&self, batch: &mut TokenBatch) {
        batch.map_text(|text, _| {
            java_regex::replace(&self.pattern, text, &self.replacement, self.all)
                .map(|replaced| replaced.text)
        });
    }
}

impl TokenFilter for Capture {
    fn apply(&self, batch: &mut TokenBatch) {
        let tokens = std::mem::take(&mut batch.tokens);
        for token in tokens {
            let text = batch.text(&token).to_owned();
            let mut found: Vec<(usize, usize)> = Vec::new();
            for pattern in &self.patterns {
                for captures in pattern.captures_iter(text.as_str()) {
                    for group in 1..captures.group_len() {
                        if let Some(span) = captures.get_group(group)
                            && span.start < span.end
                        {
                            found.push((span.start, span.end));
                        }
                    }
                }
            }
            found.sort_unstable();
            let whole = (0, text.len());
            if self.preserve_original || found.is_empty() {
                found.retain(|span| *span != whole);
                found.insert(0, whole);
            }
            let mut increment = token.increment;
            for (from, to) in found {
                let mut piece = token;
                piece.start = token.start + from as u32;
                piece.end = token.start + to as u32;
                piece.increment = std::mem::take(&mut increment);
                batch.tokens.push(piece);
            }
        }
    }
}
