//! The `ngram` and `edge_ngram` tokenizers: pieces of the text, each on a position of its own.

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::Tokenizer;
use super::char_runs::{CharKind, read_kinds};
use crate::schema::SchemaError;

#[derive(Debug)]
struct Grams {
    min: usize,
    max: usize,
    edge: bool,
    /// Kinds of characters that belong to tokens; all when empty.
    kinds: Vec<CharKind>,
    custom: String,
}

fn build(definition: &Definition, edge: bool) -> Result<Box<dyn Tokenizer>, SchemaError> {
    let min = definition.size("min_gram", 1, 1)?;
    let max = definition.size("max_gram", 2, 1)?;
    if min > max {
        return Err(SchemaError::illegal(
            "minGram must not be greater than maxGram",
        ));
    }
    Ok(Box::new(Grams {
        min,
        max,
        edge,
        kinds: read_kinds(definition.list("token_chars").unwrap_or_default())?,
        custom: definition.text("custom_token_chars").unwrap_or_default(),
    }))
}

/// Reads `min_gram`, `max_gram`, `token_chars`, `custom_token_chars`.
pub(super) fn ngram(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    build(definition, false)
}

/// Reads the same.
pub(super) fn edge_ngram(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    build(definition, true)
}

impl Grams {
    fn keeps(&self, c: char) -> bool {
        self.kinds.is_empty()
            || self.kinds.iter().any(|kind| match kind {
                CharKind::Custom => self.custom.contains(c),
                kind => kind.holds(c),
            })
    }

    /// Grams of one run of kept characters, given by their bounds in bytes.
    fn run(&self, bounds: &[usize], out: &mut TokenBatch) {
        let count = bounds.len() - 1;
        let last_start = if self.edge { 0 } else { count };
        for start in 0..=last_start {
            for length in self.min..=self.max {
                if start + length > count {
                    break;
                }
                out.push_slice(bounds[start], bounds[start + length], "word");
            }
        }
    }
}

impl Tokenizer for Grams {
    fn tokenize(&self, text: &str, out: &mut TokenBatch) {
        let mut bounds = Vec::new();
        for (at, c) in text.char_indices() {
            if self.keeps(c) {
                bounds.push(at);
            } else if !bounds.is_empty() {
                bounds.push(at);
                self.run(&bounds, out);
                bounds.clear();
            }
        }
        if !bounds.is_empty() {
            bounds.push(text.len());
            self.run(&bounds, out);
        }
    }
}
