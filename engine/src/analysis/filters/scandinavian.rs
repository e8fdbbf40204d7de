//! The `scandinavian_normalization` and `scandinavian_folding` filters: `räksmörgås`, `ræksmørgås` and `raksmorgas`.

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

#[derive(Debug)]
struct Scandinavian {
    /// To plain `a` and `o`, in place of `å`, `æ` and `ø`.
    fold: bool,
}

/// `ä` and `ae` are `æ`, `ö`, `oe` and `oo` are `ø`, `aa` and `ao` are `å`.
pub(super) fn normalization(
    _: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    Ok(Box::new(Scandinavian { fold: false }))
}

/// All of them are `a` and `o`.
pub(super) fn folding(_: &Definition, _: &dyn Parts) -> Result<Box<dyn TokenFilter>, SchemaError> {
    Ok(Box::new(Scandinavian { fold: true }))
}

/// The Scandinavian letter of two that stand for one.
fn of_pair(first: char, second: char) -> Option<char> {
    let second = second.to_ascii_lowercase();
    Some(match (first, second) {
        ('a', 'a' | 'o') => 'å',
        ('A', 'a' | 'o') => 'Å',
        ('a', 'e') => 'æ',
        ('A', 'e') => 'Æ',
        ('o', 'e' | 'o') => 'ø',
        ('O', 'e' | 'o') => 'Ø',
        _ => return None,
    })
}

fn of_one(c: char) -> char {
    match c {
        'ä' => 'æ',
        'Ä' => 'Æ',
        'ö' => 'ø',
        'Ö' => 'Ø',
        other => other,
    }
}

fn folded(c: char) -> char {
    match c {
        'å' | 'æ' => 'a',
        'Å' | 'Æ' => 'A',
        'ø' => 'o',
        'Ø' => 'O',
        other => other,
    }
}

impl Scandinavian {
    fn of(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let pair = chars.peek().and_then(|next| of_pair(c, *next));
            if pair.is_some() {
                chars.next();
            }
            let letter = pair.unwrap_or_else(|| of_one(c));
            out.push(if self.fold { folded(letter) } else { letter });
        }
        out
    }
}

impl TokenFilter for Scandinavian {
    fn apply(&self, batch: &mut TokenBatch) {
        batch.map_text(|text, token| (!token.keyword).then(|| self.of(text)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_word_become_one() {
        let (plain, folding) = (Scandinavian { fold: false }, Scandinavian { fold: true });
        for text in ["räksmörgås", "ræksmørgås", "raeksmoergaas", "ræksmoorgaos"] {
            assert_eq!(plain.of(text), "ræksmørgås", "{text}");
            assert_eq!(folding.of(text), "raksmorgas", "{text}");
        }
        assert_eq!(plain.of("blåbærsyltetøj"), "blåbærsyltetøj");
        assert_eq!(folding.of("Ärta AArhus"), "Arta Arhus");
    }
}
