//! Tokenizers that keep runs of one kind of character: `whitespace`, `letter`, `lowercase`, `char_group`.

use super::super::definition::Definition;
use super::super::filters::lower_char;
use super::super::token::TokenBatch;
use super::{Tokenizer, push_split};
use crate::schema::SchemaError;

#[derive(Debug)]
struct Runs {
    keep: fn(char) -> bool,
    lower: bool,
    max_token_length: usize,
}

fn runs(
    definition: &Definition,
    keep: fn(char) -> bool,
    lower: bool,
) -> Result<Box<dyn Tokenizer>, SchemaError> {
    Ok(Box::new(Runs {
        keep,
        lower,
        max_token_length: definition.size("max_token_length", 255, 1)?,
    }))
}

/// Runs of characters that are not Java white space.
pub(super) fn whitespace(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    runs(definition, |c| !is_java_whitespace(c), false)
}

/// Runs of letters.
pub(super) fn letter(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    runs(definition, is_letter, false)
}

/// Runs of letters, in lower case.
pub(super) fn lowercase(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    runs(definition, is_letter, true)
}

/// Java's `Character.isLetter`: general category L.
pub(in super::super) fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    // `is_alphabetic` also takes letter numbers and combining vowel signs.
    c.is_alphabetic() && !c.is_numeric() && !unicode_normalization::char::is_combining_mark(c)
}

/// Java's `Character.isWhitespace`: no no-break spaces.
pub(in super::super) fn is_java_whitespace(c: char) -> bool {
    match c {
        '\u{1C}'..='\u{1F}' => true,
        '\u{A0}' | '\u{2007}' | '\u{202F}' | '\u{85}' => false,
        _ => c.is_whitespace(),
    }
}

impl Tokenizer for Runs {
    fn tokenize(&self, text: &str, out: &mut TokenBatch) {
        let mut start = None;
        for (at, c) in text.char_indices() {
            if (self.keep)(c) {
                start.get_or_insert(at);
            } else if let Some(first) = start.take() {
                push_split(text, first, at, self.max_token_length, "word", out);
            }
        }
        if let Some(first) = start {
            push_split(text, first, text.len(), self.max_token_length, "word", out);
        }
        if self.lower {
            out.map_text(|text, _| Some(text.chars().map(lower_char).collect()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(tokenizer: &dyn Tokenizer, text: &str) -> Vec<String> {
        let mut batch = TokenBatch::default();
        batch.reset(text);
        tokenizer.tokenize(text, &mut batch);
        batch
            .tokens
            .iter()
            .map(|t| batch.text(t).to_owned())
            .collect()
    }

    #[test]
    fn each_keeps_its_runs() {
        let text = "You're the 1st runner-Up!";
        let plain = Definition::default();
        assert_eq!(
            texts(&*whitespace(&plain).unwrap(), text),
            ["You're", "the", "1st", "runner-Up!"]
        );
        assert_eq!(
            texts(&*letter(&plain).unwrap(), text),
            ["You", "re", "the", "st", "runner", "Up"]
        );
        assert_eq!(
            texts(&*lowercase(&plain).unwrap(), text),
            ["you", "re", "the", "st", "runner", "up"]
        );
    }
}
