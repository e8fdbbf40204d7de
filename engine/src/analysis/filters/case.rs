//! The `lowercase` and `uppercase` filters: simple case mapping, one character for one.

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

/// Lower case.
#[derive(Debug)]
pub(crate) struct Lowercase;

#[derive(Debug)]
struct Uppercase;

/// Reads `language`; only the default one is known.
pub(super) fn lowercase(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    match definition.text("language") {
        None => Ok(Box::new(Lowercase)),
        Some(language) => Err(SchemaError::illegal(format!(
            "language [{language}] not support for lower case"
        ))),
    }
}

/// Has no parameters.
pub(super) fn uppercase(
    _: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    Ok(Box::new(Uppercase))
}

/// Lower case of a character by Unicode's simple mapping.
pub(crate) fn lower_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    c.to_lowercase().next().unwrap_or(c)
}

/// Upper case of a character by the simple mapping: characters that would become several stay.
fn upper_char(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

impl TokenFilter for Lowercase {
    fn is_lowercase(&self) -> bool {
        true
    }

    fn apply(&self, batch: &mut TokenBatch) {
        if batch.arena.is_ascii() {
            // Bytes between tokens change too, and nobody reads them.
            batch.arena.make_ascii_lowercase();
            return;
        }
        for index in 0..batch.tokens.len() {
            let token = batch.tokens[index];
            let text = batch.text(&token);
            if text.is_ascii() {
                if text.bytes().any(|b| b.is_ascii_uppercase())
                    && let Some(text) = batch
                        .arena
                        .get_mut(token.start as usize..token.end as usize)
                {
                    text.make_ascii_lowercase();
                }
            } else {
                let lower: String = text.chars().map(lower_char).collect();
                batch.set_text(index, &lower);
            }
        }
    }
}

impl TokenFilter for Uppercase {
    fn apply(&self, batch: &mut TokenBatch) {
        batch.map_text(|text, _| Some(text.chars().map(upper_char).collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_one_character_to_one() {
        let mut batch = TokenBatch::default();
        batch.reset("Éa ßB");
        batch.push_slice(0, 3, "word");
        batch.push_slice(4, 7, "word");
        Lowercase.apply(&mut batch);
        let texts: Vec<&str> = batch.tokens.iter().map(|t| batch.text(t)).collect();
        assert_eq!(texts, ["éa", "ßb"]);
        Uppercase.apply(&mut batch);
        let texts: Vec<&str> = batch.tokens.iter().map(|t| batch.text(t)).collect();
        assert_eq!(texts, ["ÉA", "ßB"]);
    }
}
