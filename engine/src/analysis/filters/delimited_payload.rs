//! The `delimited_payload` filter: what follows a sign is no part of the term. Nothing that is served reads payloads,
//! so they are not kept.

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

#[derive(Debug)]
struct DelimitedPayload {
    delimiter: char,
}

/// Reads `delimiter`, `encoding`.
pub(super) fn build(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    if let Some(encoding) = definition.text("encoding")
        && !matches!(encoding.as_str(), "float" | "int" | "identity")
    {
        return Err(SchemaError::illegal(format!(
            "[encoding] of delimited_payload is float, int or identity, not [{encoding}]"
        )));
    }
    let delimiter = definition
        .text("delimiter")
        .unwrap_or_else(|| "|".to_owned());
    let mut chars = delimiter.chars();
    match (chars.next(), chars.next()) {
        (Some(delimiter), None) => Ok(Box::new(DelimitedPayload { delimiter })),
        _ => Err(SchemaError::illegal(format!(
            "[delimiter] must be one character, not [{delimiter}]"
        ))),
    }
}

impl TokenFilter for DelimitedPayload {
    fn apply(&self, batch: &mut TokenBatch) {
        batch.map_text(|text, _| Some(text.split_once(self.delimiter)?.0.to_owned()));
    }
}
