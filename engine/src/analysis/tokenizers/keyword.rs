//! The `keyword` tokenizer: the whole text is one token.

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::Tokenizer;
use crate::schema::SchemaError;

/// The whole text as one token.
#[derive(Debug)]
pub(crate) struct Keyword;

/// Reads `buffer_size`, which bounds nothing here but must be a positive number.
pub(super) fn build(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    definition.size("buffer_size", 256, 1)?;
    Ok(Box::new(Keyword))
}

impl Tokenizer for Keyword {
    fn tokenize(&self, text: &str, out: &mut TokenBatch) {
        out.push_slice(0, text.len(), "word");
    }

    fn is_whole_text(&self) -> bool {
        true
    }
}
