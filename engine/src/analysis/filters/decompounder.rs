//! The `dictionary_decompounder` filter: words of a list found inside longer ones.

use std::collections::HashSet;

use super::super::definition::Definition;
use super::super::token::{Token, TokenBatch};
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

#[derive(Debug)]
struct Decompounder {
    words: HashSet<String>,
    word_min: usize,
    subword_min: usize,
    subword_max: usize,
    only_longest: bool,
}

/// Reads `word_list`, `min_word_size`, `min_subword_size`, `max_subword_size`, `only_longest_match`.
pub(super) fn build(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    definition.refuse_path("word_list_path")?;
    let words = definition.list("word_list").ok_or_else(|| {
        SchemaError::illegal("word_list must be provided for [dictionary_decompounder], either as a path to a file, or directly")
    })?;
    Ok(Box::new(Decompounder {
        words: words.into_iter().collect(),
        word_min: definition.size("min_word_size", 5, 0)?,
        subword_min: definition.size("min_subword_size", 2, 1)?,
        subword_max: definition.size("max_subword_size", 15, 1)?,
        only_longest: definition.flag("only_longest_match", false)?,
    }))
}

impl Decompounder {
    /// The words inside a text, by where they begin, the shorter first.
    fn found<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        ends.push(text.len());
        let mut found = Vec::new();
        for from in 0..ends.len() - 1 {
            let before = found.len();
            for length in self.subword_min..=self.subword_max {
                let Some(end) = ends.get(from + length) else {
                    break;
                };
                let part = &text[ends[from]..*end];
                if self.words.contains(part) {
                    if self.only_longest {
                        found.truncate(before);
                    }
                    found.push(part);
                }
            }
        }
        found
    }
}

impl TokenFilter for Decompounder {
    fn apply(&self, batch: &mut TokenBatch) {
        let tokens = std::mem::take(&mut batch.tokens);
        for token in tokens {
            batch.tokens.push(token);
            let text = batch.text(&token).to_owned();
            if text.chars().count() < self.word_min {
                continue;
            }
            for part in self.found(&text) {
                let (start, end) = batch.write(part);
                batch.tokens.push(Token {
                    start,
                    end,
                    increment: 0,
                    ..token
                });
            }
        }
    }
}
