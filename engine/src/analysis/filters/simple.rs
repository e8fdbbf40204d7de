//! Filters that look at one token at a time and need a line or two each: `trim`, `reverse`, `truncate`, `length`,
//! `limit`, `apostrophe`, `decimal_digit`, `unique`, `remove_duplicates`, `keyword_repeat`.

use std::collections::HashSet;

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

type Built = Result<Box<dyn TokenFilter>, SchemaError>;

#[derive(Debug)]
enum Simple {
    Trim,
    Reverse,
    Truncate(usize),
    Length(usize, usize),
    Limit(usize),
    Apostrophe,
    DecimalDigit,
    Unique { same_position: bool },
    KeywordRepeat,
}

/// White space at both ends goes.
pub(super) fn trim(_: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Simple::Trim))
}

/// Characters in reverse.
pub(super) fn reverse(_: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Simple::Reverse))
}

/// At most `length` characters.
pub(super) fn truncate(definition: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Simple::Truncate(
        definition.size("length", 10, 1)?,
    )))
}

/// Tokens of `min` to `max` characters stay.
pub(super) fn length(definition: &Definition, _: &dyn Parts) -> Built {
    let min = definition.size("min", 0, 0)?;
    let max = definition.size("max", i32::MAX as usize, 0)?;
    if min > max {
        return Err(SchemaError::illegal(
            "minimum length must not be greater than maximum length",
        ));
    }
    Ok(Box::new(Simple::Length(min, max)))
}

/// The first `max_token_count` tokens stay.
pub(super) fn limit(definition: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Simple::Limit(definition.size(
        "max_token_count",
        1,
        0,
    )?)))
}

/// What follows an apostrophe goes, and the apostrophe.
pub(super) fn apostrophe(_: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Simple::Apostrophe))
}

/// Digits of all scripts to 0 to 9.
pub(super) fn decimal_digit(_: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Simple::DecimalDigit))
}

/// The first of equal tokens stays; with `only_on_same_position` of those on one position.
pub(super) fn unique(definition: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Simple::Unique {
        same_position: definition.flag("only_on_same_position", false)?,
    }))
}

/// Equal tokens on one position become one.
pub(super) fn remove_duplicates(_: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Simple::Unique {
        same_position: true,
    }))
}

/// Each token twice: once for stemmers, once as a keyword.
pub(super) fn keyword_repeat(_: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Simple::KeywordRepeat))
}

/// A digit of any script as its value; scripts keep their ten digits in a row.
fn digit_value(c: char) -> Option<char> {
    const ZEROS: &[u32] = &[
        0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6,
        0xE50, 0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90,
        0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0,
        0xFF10,
    ];
    let zero = ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&(c as u32)))?;
    char::from_digit(c as u32 - zero, 10)
}

impl TokenFilter for Simple {
    fn apply(&self, batch: &mut TokenBatch) {
        match self {
            Simple::Trim => batch.map_text(|text, _| Some(text.trim().to_owned())),
            Simple::Reverse => batch.map_text(|text, _| Some(text.chars().rev().collect())),
            Simple::Truncate(length) => batch.map_text(|text, token| {
                let at = text.char_indices().nth(*length)?.0;
                (!token.keyword).then(|| text[..at].to_owned())
            }),
            Simple::Length(min, max) => batch.retain(|text, _| {
                let length = text.encode_utf16().count();
                (*min..=*max).contains(&length)
            }),
            Simple::Limit(count) => batch.tokens.truncate(*count),
            Simple::Apostrophe => batch.map_text(|text, _| {
                let at = text.find(['\'', '\u{2019}'])?;
                Some(text[..at].to_owned())
            }),
            Simple::DecimalDigit => batch.map_text(|text, _| {
                (!text.is_ascii())
                    .then(|| text.chars().map(|c| digit_value(c).unwrap_or(c)).collect())
            }),
            Simple::Unique { same_position } => {
                let mut seen: HashSet<String> = HashSet::new();
                batch.retain(|text, token| {
                    if *same_position && token.increment > 0 {
                        seen.clear();
                    }
                    seen.insert(text.to_owned())
                });
            }
            Simple::KeywordRepeat => {
                let tokens = std::mem::take(&mut batch.tokens);
                for token in tokens {
                    let mut keyword = token;
                    keyword.keyword = true;
                    let mut plain = token;
                    plain.increment = 0;
                    batch.tokens.extend([keyword, plain]);
                }
            }
        }
    }
}
