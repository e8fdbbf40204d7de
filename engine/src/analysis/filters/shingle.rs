//! The `shingle` filter: runs of neighbouring tokens as one.

use super::super::definition::Definition;
use super::super::token::{Token, TokenBatch};
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

#[derive(Debug)]
struct Shingle {
    min: usize,
    max: usize,
    unigrams: bool,
    unigrams_if_none: bool,
    separator: String,
    filler: String,
}

/// Reads `min_shingle_size`, `max_shingle_size`, `output_unigrams`, `output_unigrams_if_no_shingles`,
/// `token_separator`, `filler_token`.
pub(super) fn build(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    let min = definition.size("min_shingle_size", 2, 2)?;
    let max = definition.size("max_shingle_size", 2, 2)?;
    if min > max {
        return Err(SchemaError::illegal(
            "Min shingle size must be <= max shingle size",
        ));
    }
    Ok(Box::new(Shingle {
        min,
        max,
        unigrams: definition.flag("output_unigrams", true)?,
        unigrams_if_none: definition.flag("output_unigrams_if_no_shingles", false)?,
        separator: definition
            .text("token_separator")
            .unwrap_or_else(|| " ".to_owned()),
        filler: definition
            .text("filler_token")
            .unwrap_or_else(|| "_".to_owned()),
    }))
}

impl TokenFilter for Shingle {
    fn apply(&self, batch: &mut TokenBatch) {
        let tokens = std::mem::take(&mut batch.tokens);
        // One slot per position; holes left by other filters are `None`.
        let mut slots: Vec<Option<Token>> = Vec::new();
        for token in &tokens {
            for _ in 1..token.increment.min(1 + self.max as u32) {
                slots.push(None);
            }
            slots.push(Some(*token));
        }
        for _ in 0..batch.end_increment.min(self.max as u32 - 1) {
            slots.push(None);
        }
        let shingles_possible = slots.len() >= self.min;
        let unigrams = self.unigrams || (self.unigrams_if_none && !shingles_possible);
        let mut pending = 0;
        for start in 0..slots.len() {
            let mut increment = 1 + pending;
            if let (true, Some(token)) = (unigrams, slots[start]) {
                let mut unigram = token;
                unigram.increment = std::mem::take(&mut increment);
                batch.tokens.push(unigram);
            }
            for size in self.min..=self.max {
                let Some(run) = slots.get(start..start + size) else {
                    break;
                };
                let Some(first) = run.iter().flatten().next().copied() else {
                    continue;
                };
                let last = run.iter().flatten().next_back().copied().unwrap_or(first);
                let parts: Vec<&str> = run
                    .iter()
                    .map(|slot| {
                        slot.as_ref()
                            .map_or(self.filler.as_str(), |t| batch.text(t))
                    })
                    .collect();
                let text = parts.join(&self.separator);
                let (from, to) = batch.write(&text);
                batch.tokens.push(Token {
                    start: from,
                    end: to,
                    increment: std::mem::take(&mut increment),
                    length: if unigrams { size as u32 } else { 1 },
                    start_offset: first.start_offset,
                    end_offset: last.end_offset,
                    kind: "shingle",
                    keyword: false,
                });
            }
            pending = increment;
        }
        batch.end_increment = pending;
    }
}
