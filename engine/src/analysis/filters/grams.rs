//! The `ngram` and `edge_ngram` filters: pieces of each token, on its position.

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

#[derive(Debug)]
struct Grams {
    min: usize,
    max: usize,
    edge: bool,
    preserve_original: bool,
}

fn build(definition: &Definition, edge: bool) -> Result<Box<dyn TokenFilter>, SchemaError> {
    let min = definition.size("min_gram", 1, 1)?;
    let max = definition.size("max_gram", 2, 1)?;
    if min > max {
        return Err(SchemaError::illegal(
            "minGram must not be greater than maxGram",
        ));
    }
    if let Some(side) = definition.text("side")
        && side != "front"
    {
        return Err(SchemaError::illegal(format!(
            "[side] supports [front] only, got [{side}]; use the reverse filter before and after"
        )));
    }
    Ok(Box::new(Grams {
        min,
        max,
        edge,
        preserve_original: definition.flag("preserve_original", false)?,
    }))
}

/// Reads `min_gram`, `max_gram`, `preserve_original`.
pub(super) fn ngram(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    build(definition, false)
}

/// Reads the same.
pub(super) fn edge_ngram(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    build(definition, true)
}

impl TokenFilter for Grams {
    fn apply(&self, batch: &mut TokenBatch) {
        let tokens = std::mem::take(&mut batch.tokens);
        let mut pending = 0;
        for token in tokens {
            let text = batch.text(&token);
            let mut bounds: Vec<u32> = text.char_indices().map(|(at, _)| at as u32).collect();
            bounds.push(text.len() as u32);
            let count = bounds.len() - 1;
            let mut increment = token.increment + pending;
            pending = 0;
            let mut made = 0;
            let last_start = if self.edge { 0 } else { count };
            for start in 0..=last_start {
                for length in self.min..=self.max {
                    if start + length > count {
                        break;
                    }
                    let mut gram = token;
                    gram.start = token.start + bounds[start];
                    gram.end = token.start + bounds[start + length];
                    gram.increment = std::mem::take(&mut increment);
                    batch.tokens.push(gram);
                    made += 1;
                }
            }
            let whole_made = count >= self.min && count <= self.max;
            if self.preserve_original && !whole_made {
                let mut original = token;
                original.increment = std::mem::take(&mut increment);
                batch.tokens.push(original);
                made += 1;
            }
            if made == 0 {
                pending = increment;
            }
        }
        batch.end_increment += pending;
    }
}
