//! Tokenizers that keep runs of one kind of character: `whitespace`, `letter`, `lowercase`, `char_group`.

use std::cell::RefCell;

use super::super::definition::Definition;
use super::super::filters::lower_char;
use super::super::token::TokenBatch;
use super::{Slice, Tokenizer, push_split, split};
use crate::schema::SchemaError;
use crate::simd::{self, TEXT_BLOCK};

#[derive(Debug)]
struct Runs {
    keep: fn(char) -> bool,
    /// Whether the runs are those between white space.
    between_spaces: bool,
    lower: bool,
    max_token_length: usize,
}

fn runs(
    definition: &Definition,
    keep: fn(char) -> bool,
    between_spaces: bool,
    lower: bool,
) -> Result<Box<dyn Tokenizer>, SchemaError> {
    Ok(Box::new(Runs {
        keep,
        between_spaces,
        lower,
        max_token_length: definition.size("max_token_length", 255, 1)?,
    }))
}

/// Runs of characters that are not Java white space.
pub(super) fn whitespace(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    runs(definition, |c| !is_java_whitespace(c), true, false)
}

/// Runs of letters.
pub(super) fn letter(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    runs(definition, is_letter, false, false)
}

/// Runs of letters, in lower case.
pub(super) fn lowercase(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    runs(definition, is_letter, false, true)
}

/// Kinds of characters, as `token_chars` and `tokenize_on_chars` name them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum CharKind {
    Letter,
    Digit,
    Whitespace,
    Punctuation,
    Symbol,
    Custom,
}

impl CharKind {
    /// Whether a character is of this kind.
    pub fn holds(self, c: char) -> bool {
        match self {
            CharKind::Letter => is_letter(c),
            CharKind::Digit => c.is_numeric() && (c.is_ascii_digit() || !c.is_ascii()),
            CharKind::Whitespace => is_java_whitespace(c),
            CharKind::Symbol => is_symbol(c),
            CharKind::Punctuation => {
                if c.is_ascii() {
                    c.is_ascii_punctuation() && !is_symbol(c)
                } else {
                    !c.is_alphanumeric() && !c.is_whitespace() && !c.is_control() && !is_symbol(c)
                }
            }
            CharKind::Custom => false,
        }
    }
}

/// Unicode's symbols: mathematics, currency, modifiers, the rest.
fn is_symbol(c: char) -> bool {
    matches!(c,
        '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~'
        | '\u{A2}'..='\u{A6}' | '\u{A8}' | '\u{A9}' | '\u{AC}' | '\u{AE}'..='\u{B1}' | '\u{B4}' | '\u{B8}'
        | '\u{D7}' | '\u{F7}' | '\u{20A0}'..='\u{20CF}' | '\u{2100}'..='\u{214F}' | '\u{2190}'..='\u{2307}'
        | '\u{230C}'..='\u{2767}' | '\u{2794}'..='\u{27C4}' | '\u{2900}'..='\u{2982}' | '\u{2A00}'..='\u{2BFF}'
        | '\u{1F000}'..='\u{1FAFF}')
}

/// Reads names of kinds.
pub(super) fn read_kinds(names: Vec<String>) -> Result<Vec<CharKind>, SchemaError> {
    names
        .iter()
        .map(|name| match name.to_ascii_lowercase().trim() {
            "letter" => Ok(CharKind::Letter),
            "digit" => Ok(CharKind::Digit),
            "whitespace" => Ok(CharKind::Whitespace),
            "punctuation" => Ok(CharKind::Punctuation),
            "symbol" => Ok(CharKind::Symbol),
            "custom" => Ok(CharKind::Custom),
            other => Err(SchemaError::illegal(format!(
                "Unknown token type: '{other}', must be one of [letter, digit, whitespace, punctuation, symbol, custom]"
            ))),
        })
        .collect()
}

#[derive(Debug)]
struct CharGroup {
    kinds: Vec<CharKind>,
    chars: Vec<char>,
    max_token_length: usize,
}

/// Reads `tokenize_on_chars`: kinds of characters, single ones, and escapes such as `\\n`.
pub(super) fn char_group(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    let mut group = CharGroup {
        kinds: Vec::new(),
        chars: Vec::new(),
        max_token_length: definition.size("max_token_length", 255, 1)?,
    };
    for item in definition.items("tokenize_on_chars") {
        let Some(text) = item.as_str() else { continue };
        let mut chars = text.chars();
        match (chars.next(), chars.next(), chars.next()) {
            (Some(c), None, None) => group.chars.push(c),
            (Some('\\'), Some(escape), None) => group.chars.push(match escape {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{C}',
                '\\' => '\\',
                other => {
                    return Err(SchemaError::illegal(format!(
                        "Invalid escaped char [\\{other}]"
                    )));
                }
            }),
            _ => match read_kinds(vec![text.to_owned()]) {
                Ok(kinds) => group.kinds.extend(kinds),
                Err(_) => {
                    return Err(SchemaError::illegal(format!(
                        "Invalid escaped char in [{text}]"
                    )));
                }
            },
        }
    }
    Ok(Box::new(group))
}

impl Tokenizer for CharGroup {
    fn tokenize(&self, text: &str, out: &mut TokenBatch) {
        let mut start = None;
        for (at, c) in text.char_indices() {
            if !(self.chars.contains(&c) || self.kinds.iter().any(|kind| kind.holds(c))) {
                start.get_or_insert(at);
            } else if let Some(first) = start.take() {
                push_split(text, first, at, self.max_token_length, "word", out);
            }
        }
        if let Some(first) = start {
            push_split(text, first, text.len(), self.max_token_length, "word", out);
        }
    }
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

impl Runs {
    fn for_each(&self, text: &str, mut out: impl FnMut(usize, usize)) {
        let mut start = None;
        for (at, c) in text.char_indices() {
            if (self.keep)(c) {
                start.get_or_insert(at);
            } else if let Some(first) = start.take() {
                split(text, first, at, self.max_token_length, &mut out);
            }
        }
        if let Some(first) = start {
            split(text, first, text.len(), self.max_token_length, &mut out);
        }
    }
}

thread_local! {
    static SPACES: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Runs {
    /// The same for white space in a text of ASCII alone.
    fn for_each_between_spaces(&self, text: &str, mut out: impl FnMut(usize, usize)) {
        let mut spaces = SPACES.take();
        spaces.resize(text.len().div_ceil(TEXT_BLOCK), 0);
        (simd::kernels().space_bits)(text.as_bytes(), &mut spaces);
        let mut start = 0;
        let mut piece = |start, end| {
            if start < end {
                split(text, start, end, self.max_token_length, &mut out);
            }
        };
        for (block, bits) in spaces.iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                let space = block * TEXT_BLOCK + bits.trailing_zeros() as usize;
                piece(start, space);
                start = space + 1;
                bits &= bits - 1;
            }
        }
        piece(start, text.len());
        SPACES.replace(spaces);
    }
}

impl Tokenizer for Runs {
    fn cut(&self, text: &str, out: &mut Vec<Slice>) -> bool {
        if self.lower {
            return false;
        }
        let push = |start, end| out.push((start as u32, end as u32));
        if self.between_spaces && text.is_ascii() {
            self.for_each_between_spaces(text, push);
        } else {
            self.for_each(text, push);
        }
        true
    }

    fn tokenize(&self, text: &str, out: &mut TokenBatch) {
        self.for_each(text, |start, end| out.push_slice(start, end, "word"));
        if self.lower {
            out.map_text(|text, _| Some(text.chars().map(lower_char).collect()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn a_cut_gives_the_same_tokens(text in "[a-c \t\n\u{1c}\u{1f}.é\u{a0}\u{2003}]{0,200}", max in 1usize..40) {
            let mut length = serde_json::Map::new();
            length.insert("max_token_length".to_owned(), max.to_string().into());
            for tokenizer in [whitespace, letter] {
                let definition = Definition::from_json(&length);
                let tokenizer = tokenizer(&definition).unwrap();
                let mut cut = Vec::new();
                prop_assert!(tokenizer.cut(&text, &mut cut));
                let cut = cut.iter().map(|(start, end)| &text[*start as usize..*end as usize]);
                prop_assert_eq!(cut.collect::<Vec<_>>(), texts(&*tokenizer, &text));
            }
        }
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
