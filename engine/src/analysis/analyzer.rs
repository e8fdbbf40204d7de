//! An analyzer: the whole chain from text to tokens.

use super::TokenRef;

/// Char filters, a tokenizer and token filters under one name.
#[derive(Debug)]
pub struct Analyzer {
    pub(crate) name: String,
}

impl Analyzer {
    /// The name under which it was configured.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the tokens of a text, in order.
    #[allow(clippy::todo)]
    pub fn analyze(&self, _text: &str, _out: &mut dyn FnMut(TokenRef<'_>)) {
        todo!()
    }
}
