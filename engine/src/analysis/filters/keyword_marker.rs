//! The `keyword_marker` filter: words that stemmers leave alone.

use std::collections::HashSet;

use regex_automata::meta::Regex;

use super::super::definition::Definition;
use super::super::java_regex;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

#[derive(Debug)]
pub(crate) struct KeywordMarker {
    words: HashSet<String>,
    ignore_case: bool,
    pattern: Option<Regex>,
}

impl KeywordMarker {
    /// Marks exactly these words.
    pub fn new(words: HashSet<String>) -> KeywordMarker {
        KeywordMarker {
            words,
            ignore_case: false,
            pattern: None,
        }
    }
}

/// Reads `keywords` or `keywords_pattern`, and `ignore_case`.
pub(super) fn build(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    definition.refuse_path("keywords_path")?;
    let ignore_case = definition.flag("ignore_case", false)?;
    let pattern = definition.text("keywords_pattern");
    if pattern.is_some() && definition.has("keywords") {
        return Err(SchemaError::illegal(
            "cannot specify both `keywords_pattern` and `keywords` or `keywords_path`",
        ));
    }
    let words: HashSet<String> = definition
        .list("keywords")
        .unwrap_or_default()
        .into_iter()
        .collect();
    if pattern.is_none() && words.is_empty() {
        return Err(SchemaError::illegal(
            "keyword filter requires either `keywords`, `keywords_path`, or `keywords_pattern` to be configured",
        ));
    }
    let pattern = match pattern {
        Some(pattern) => Some(java_regex::compile(&format!("^(?:{pattern})$"), None)?),
        None => None,
    };
    Ok(Box::new(KeywordMarker {
        words: if ignore_case {
            words.iter().map(|w| w.to_lowercase()).collect()
        } else {
            words
        },
        ignore_case,
        pattern,
    }))
}

impl TokenFilter for KeywordMarker {
    fn apply(&self, batch: &mut TokenBatch) {
        for index in 0..batch.tokens.len() {
            let text = batch.text(&batch.tokens[index]);
            let marked = match &self.pattern {
                Some(pattern) => pattern.is_match(text),
                None if self.ignore_case => self.words.contains(&text.to_lowercase()),
                None => self.words.contains(text),
            };
            if marked {
                batch.tokens[index].keyword = true;
            }
        }
    }
}
