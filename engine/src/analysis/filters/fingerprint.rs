//! The `fingerprint` filter: all tokens, sorted and without duplicates, as one.

use std::collections::BTreeSet;

use super::super::definition::Definition;
use super::super::token::{Token, TokenBatch};
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

/// One token of all.
#[derive(Debug)]
pub(crate) struct Fingerprint {
    separator: String,
    max_size: usize,
}

/// Reads `separator`, `max_output_size`.
pub(crate) fn read(definition: &Definition) -> Result<Fingerprint, SchemaError> {
    let separator = definition
        .text("separator")
        .unwrap_or_else(|| " ".to_owned());
    if separator.chars().count() > 1 {
        return Err(SchemaError::illegal(format!(
            "Setting [separator] must be a single, non-null character. [{separator}] was provided."
        )));
    }
    Ok(Fingerprint {
        separator,
        max_size: definition.size("max_output_size", 255, 1)?,
    })
}

/// See [`read`].
pub(super) fn build(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    Ok(Box::new(read(definition)?))
}

impl TokenFilter for Fingerprint {
    fn apply(&self, batch: &mut TokenBatch) {
        let (Some(first), Some(last)) = (batch.tokens.first(), batch.tokens.last()) else {
            return;
        };
        let (start_offset, end_offset) = (first.start_offset, last.end_offset);
        let terms: BTreeSet<&str> = batch.tokens.iter().map(|t| batch.text(t)).collect();
        let terms: Vec<&str> = terms.into_iter().collect();
        let text = terms.join(&self.separator);
        batch.tokens.clear();
        if text.encode_utf16().count() > self.max_size {
            return;
        }
        let (start, end) = batch.write(&text);
        batch.tokens.push(Token {
            start,
            end,
            increment: 1,
            length: 1,
            start_offset,
            end_offset,
            kind: "fingerprint",
            keyword: false,
        });
    }
}
