//! The `cjk_width` and `cjk_bigram` filters: Chinese, Japanese and Korean text as pairs of characters.

use super::super::definition::Definition;
use super::super::token::{Token, TokenBatch};
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

/// Full-width Latin letters to plain ones, half-width kana to full-width ones.
#[derive(Debug)]
pub(crate) struct CjkWidth;

/// Neighbouring characters as pairs.
#[derive(Debug)]
pub(crate) struct CjkBigram {
    /// Token types that are paired.
    kinds: Vec<&'static str>,
    /// Single characters stay beside the pairs.
    unigrams: bool,
}

const SCRIPTS: &[(&str, &str)] = &[
    ("han", "<IDEOGRAPHIC>"),
    ("hiragana", "<HIRAGANA>"),
    ("katakana", "<KATAKANA>"),
    ("hangul", "<HANGUL>"),
];

/// What the half-width forms U+FF65 to U+FF9F stand for.
const KANA: &str = "・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u{3099}\u{309A}";

impl CjkBigram {
    /// Pairs of all scripts.
    pub fn new() -> CjkBigram {
        CjkBigram {
            kinds: SCRIPTS.iter().map(|(_, kind)| *kind).collect(),
            unigrams: false,
        }
    }
}

/// Has no parameters.
pub(super) fn width(_: &Definition, _: &dyn Parts) -> Result<Box<dyn TokenFilter>, SchemaError> {
    Ok(Box::new(CjkWidth))
}

/// Reads `ignored_scripts`, `output_unigrams`.
pub(super) fn bigram(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    let mut filter = CjkBigram::new();
    filter.unigrams = definition.flag("output_unigrams", false)?;
    for script in definition.list("ignored_scripts").unwrap_or_default() {
        if let Some((_, kind)) = SCRIPTS
            .iter()
            .find(|(name, _)| *name == script.to_lowercase())
        {
            filter.kinds.retain(|known| known != kind);
        }
    }
    Ok(Box::new(filter))
}

/// A kana with a voicing mark, where there is one character for both.
fn voiced(kana: char, mark: char) -> Option<char> {
    let next = |by: u32| char::from_u32(kana as u32 + by);
    match (mark, kana) {
        ('\u{3099}', 'ウ') => Some('ヴ'),
        ('\u{3099}', 'ヲ') => Some('ヺ'),
        ('\u{3099}', 'ワ') => Some('ヷ'),
        ('\u{3099}', 'カ'..='ト') if "カキクケコサシスセソタチツテト".contains(kana) => {
            next(1)
        }
        ('\u{3099}', _) if "ハヒフヘホ".contains(kana) => next(1),
        ('\u{309A}', _) if "ハヒフヘホ".contains(kana) => next(2),
        _ => None,
    }
}

fn widened(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{FF01}'..='\u{FF5E}' => out.extend(char::from_u32(c as u32 - 0xFEE0)),
            '\u{FF65}'..='\u{FF9F}' => {
                let kana = KANA.chars().nth((c as u32 - 0xFF65) as usize).unwrap_or(c);
                let pair = out.chars().last().and_then(|last| voiced(last, kana));
                match pair {
                    Some(pair) => {
                        out.pop();
                        out.push(pair);
                    }
                    None => out.push(kana),
                }
            }
            other => out.push(other),
        }
    }
    out
}

impl TokenFilter for CjkWidth {
    fn apply(&self, batch: &mut TokenBatch) {
        batch.map_text(|text, _| {
            text.chars()
                .any(|c| ('\u{FF01}'..='\u{FF9F}').contains(&c))
                .then(|| widened(text))
        });
    }
}

/// One character of a run of neighbours.
#[derive(Clone)]
struct Unit {
    text: String,
    start: u32,
    end: u32,
    increment: u32,
    token: Token,
}

impl CjkBigram {
    /// Adds the pairs of a run of neighbouring characters.
    fn flush(&self, run: &mut Vec<Unit>, batch: &mut TokenBatch, out: &mut Vec<Token>) {
        let mut push = |text: &str, first: &Unit, end: u32, increment, length, kind| {
            let (start, stop) = batch.write(text);
            out.push(Token {
                start,
                end: stop,
                increment,
                length,
                start_offset: first.start,
                end_offset: end,
                kind,
                keyword: first.token.keyword,
            });
        };
        for (n, unit) in run.iter().enumerate() {
            let next = run.get(n + 1);
            if self.unigrams || run.len() == 1 {
                push(&unit.text, unit, unit.end, unit.increment, 1, "<SINGLE>");
            }
            if let Some(next) = next {
                let (increment, length) = match self.unigrams {
                    true => (0, 2),
                    false => (unit.increment, 1),
                };
                let pair = format!("{}{}", unit.text, next.text);
                push(&pair, unit, next.end, increment, length, "<DOUBLE>");
            }
        }
        run.clear();
    }
}

impl TokenFilter for CjkBigram {
    fn apply(&self, batch: &mut TokenBatch) {
        let tokens = std::mem::take(&mut batch.tokens);
        let mut out = Vec::with_capacity(tokens.len());
        let mut run: Vec<Unit> = Vec::new();
        for token in tokens {
            if !self.kinds.contains(&token.kind) {
                self.flush(&mut run, batch, &mut out);
                out.push(token);
                continue;
            }
            if run
                .last()
                .is_some_and(|last| last.end != token.start_offset)
            {
                self.flush(&mut run, batch, &mut out);
            }
            let text = batch.text(&token).to_owned();
            // Offsets count units of UTF-16; where a filter changed the length, all characters share the token's.
            let units = text.encode_utf16().count() as u32;
            let exact = token.end_offset.saturating_sub(token.start_offset) == units;
            let mut at = token.start_offset;
            for (n, c) in text.chars().enumerate() {
                let end = at + c.len_utf16() as u32;
                run.push(Unit {
                    text: c.to_string(),
                    start: if exact { at } else { token.start_offset },
                    end: if exact { end } else { token.end_offset },
                    increment: if n == 0 { token.increment } else { 1 },
                    token,
                });
                at = end;
            }
        }
        self.flush(&mut run, batch, &mut out);
        batch.tokens = out;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_made_alike() {
        assert_eq!(widened("Ｔｅｓｔ１"), "Test1");
        assert_eq!(widened("ｶﾀｶﾅｶﾞﾊﾟ"), "カタカナガパ");
    }
}
