//! The `standard` tokenizer: words by Unicode's text segmentation (UAX #29) with the token types of Lucene's.

use std::cell::RefCell;

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::unicode::{WordClass, is_emoji_letter, word_class};
use super::{Slice, Tokenizer, push_split, split};
use crate::schema::SchemaError;
use crate::simd::{self, TEXT_BLOCK};

/// Words, numbers, single ideographs, runs of South East Asian scripts, emoji.
#[derive(Debug)]
pub(crate) struct Standard {
    max_token_length: usize,
}

impl Standard {
    /// The default: tokens of at most 255 UTF-16 units.
    pub fn new(max_token_length: usize) -> Standard {
        Standard { max_token_length }
    }
}

/// Reads `max_token_length`.
pub(super) fn build(definition: &Definition) -> Result<Box<dyn Tokenizer>, SchemaError> {
    let max = definition.size("max_token_length", 255, 1)?;
    Ok(Box::new(Standard::new(max)))
}

impl Tokenizer for Standard {
    fn tokenize(&self, text: &str, out: &mut TokenBatch) {
        let mut at = 0;
        while at < text.len() {
            let token = token_at(text, at);
            if let Some(kind) = token.kind {
                push_split(text, at, token.end, self.max_token_length, kind, out);
            }
            at = token.end;
        }
    }

    fn cut(&self, text: &str, out: &mut Vec<Slice>) -> bool {
        let mut bits = BITS.take();
        bits.read(text.as_bytes());
        self.cut_by_bits(text, &bits, out);
        BITS.replace(bits);
        true
    }
}

thread_local! {
    static BITS: RefCell<WordBits> = RefCell::new(WordBits::default());
}

/// Where words of ASCII are in a text.
#[derive(Default)]
struct WordBits {
    /// Letters and digits.
    words: Vec<u64>,
    /// Characters that may join words, and all beyond ASCII.
    specials: Vec<u64>,
}

impl WordBits {
    fn read(&mut self, text: &[u8]) {
        let len = text.len().div_ceil(TEXT_BLOCK);
        self.words.resize(len, 0);
        self.specials.resize(len, 0);
        (simd::kernels().word_bits)(text, &mut self.words, &mut self.specials);
    }

    /// The first place from `at` on with a letter, a digit or a special.
    #[inline]
    fn next_start(&self, at: usize) -> Option<usize> {
        let mut block = at / TEXT_BLOCK;
        let mut bits =
            (self.words.get(block)? | self.specials.get(block)?) & !0 << (at % TEXT_BLOCK);
        while bits == 0 {
            block += 1;
            bits = self.words.get(block)? | self.specials.get(block)?;
        }
        Some(block * TEXT_BLOCK + bits.trailing_zeros() as usize)
    }

    /// The first place from `at` on without a letter or digit; at most the end of the last block.
    #[inline]
    fn next_end(&self, at: usize) -> usize {
        let mut block = at / TEXT_BLOCK;
        let mut bits = !self.words.get(block).unwrap_or(&0) & !0 << (at % TEXT_BLOCK);
        while bits == 0 {
            block += 1;
            bits = !self.words.get(block).unwrap_or(&0);
        }
        block * TEXT_BLOCK + bits.trailing_zeros() as usize
    }

    #[inline]
    fn is_word(&self, at: usize) -> bool {
        self.words
            .get(at / TEXT_BLOCK)
            .is_some_and(|bits| bits >> (at % TEXT_BLOCK) & 1 != 0)
    }

    #[inline]
    fn is_special(&self, at: usize) -> bool {
        self.specials
            .get(at / TEXT_BLOCK)
            .is_some_and(|bits| bits >> (at % TEXT_BLOCK) & 1 != 0)
    }
}

impl Standard {
    /// Runs of letters and digits between plain separators are tokens; the grammar decides about all else.
    fn cut_by_bits(&self, text: &str, bits: &WordBits, out: &mut Vec<Slice>) {
        let bytes = text.as_bytes();
        let mut push = |start, end| {
            split(text, start, end, self.max_token_length, |start, end| {
                out.push((start as u32, end as u32));
            });
        };
        let mut at = 0;
        while let Some(start) = bits.next_start(at) {
            if bits.is_word(start) {
                let end = bits.next_end(start).min(bytes.len());
                if !bits.is_special(end) {
                    push(start, end);
                    at = end + 1;
                    continue;
                }
                let beyond = bytes[end] >= 0x80 || bytes[end] == b'_';
                let joins = |next: &u8| next.is_ascii_alphanumeric() || *next >= 0x80;
                if !beyond && !bytes.get(end + 1).is_some_and(joins) {
                    push(start, end);
                    at = end + 1;
                    continue;
                }
            }
            let token = token_at(text, start);
            if token.kind.is_some() {
                push(start, token.end);
            }
            at = token.end;
        }
    }
}

/// What stands at a place.
fn token_at(text: &str, at: usize) -> Found {
    let bytes = text.as_bytes();
    if bytes[at] >= 0x80 {
        return next_token(text, at);
    }
    match ASCII[bytes[at] as usize] {
        WordClass::Other => Found {
            end: at + 1,
            kind: None,
        },
        _ => ascii_word(bytes, at).unwrap_or_else(|| next_token(text, at)),
    }
}

/// What stands at a place: a token, or (without kind) characters to skip.
struct Found {
    end: usize,
    kind: Option<&'static str>,
}

/// Classes of the ASCII characters.
const ASCII: [WordClass; 128] = {
    let mut table = [WordClass::Other; 128];
    let mut c = 0;
    while c < 128 {
        let b = c as u8;
        table[c] = if b.is_ascii_alphabetic() {
            WordClass::Letter
        } else if b.is_ascii_digit() {
            WordClass::Numeric
        } else {
            match b {
                b'_' => WordClass::ExtendNumLet,
                b':' => WordClass::MidLetter,
                b'.' => WordClass::MidNumLet,
                b',' | b';' => WordClass::MidNum,
                b'\'' => WordClass::SingleQuote,
                b'"' => WordClass::DoubleQuote,
                _ => WordClass::Other,
            }
        };
        c += 1;
    }
    table
};

/// A word of ASCII alone; `None` when a character beyond ASCII touches it, so that the full grammar must decide.
fn ascii_word(bytes: &[u8], start: usize) -> Option<Found> {
    let mut at = start;
    let mut last = WordClass::Other;
    let mut letters = false;
    let mut digits = false;
    loop {
        let class = match bytes.get(at) {
            None => break,
            Some(b) if *b >= 0x80 => return None,
            Some(b) => ASCII[*b as usize],
        };
        match class {
            WordClass::Letter => letters = true,
            WordClass::Numeric => digits = true,
            WordClass::ExtendNumLet => {}
            WordClass::MidLetter
            | WordClass::MidNum
            | WordClass::MidNumLet
            | WordClass::SingleQuote => {
                let next = match bytes.get(at + 1) {
                    None => break,
                    Some(b) if *b >= 0x80 => return None,
                    Some(b) => ASCII[*b as usize],
                };
                let joins = match (last, next) {
                    (WordClass::Letter, WordClass::Letter) => class != WordClass::MidNum,
                    (WordClass::Numeric, WordClass::Numeric) => class != WordClass::MidLetter,
                    _ => false,
                };
                if !joins {
                    break;
                }
            }
            _ => break,
        }
        last = class;
        at += 1;
    }
    if at == start {
        return Some(Found {
            end: start + 1,
            kind: None,
        });
    }
    let kind = match (letters, digits) {
        (true, _) => Some("<ALPHANUM>"),
        (false, true) => Some("<NUM>"),
        (false, false) => None,
    };
    Some(Found { end: at, kind })
}

/// The full grammar.
fn next_token(text: &str, start: usize) -> Found {
    let word = word(text, start);
    let emoji_end = emoji(text, start);
    if emoji_end > start && emoji_end >= word.end_if_token(start) {
        return Found {
            end: emoji_end,
            kind: Some("<EMOJI>"),
        };
    }
    if word.kind.is_some() {
        return word;
    }
    let (first, class, next) = char_at(text, start).expect("the caller stands on a character");
    let single = |kind| Found {
        end: skip_extend(text, next),
        kind: Some(kind),
    };
    match class {
        WordClass::Han => single("<IDEOGRAPHIC>"),
        WordClass::Hiragana => single("<HIRAGANA>"),
        WordClass::SouthEastAsian | WordClass::SouthEastAsianMark => {
            let mut end = next;
            while let Some((_, class, after)) = char_at(text, end)
                && (class == WordClass::SouthEastAsian || is_mark(class))
            {
                end = after;
            }
            Found {
                end,
                kind: Some("<SOUTHEAST_ASIAN>"),
            }
        }
        _ => Found {
            end: start + first.len_utf8(),
            kind: None,
        },
    }
}

impl Found {
    fn end_if_token(&self, start: usize) -> usize {
        if self.kind.is_some() { self.end } else { start }
    }
}

fn char_at(text: &str, at: usize) -> Option<(char, WordClass, usize)> {
    let c = text.get(at..)?.chars().next()?;
    Some((c, word_class(c), at + c.len_utf8()))
}

/// Whether characters of a class belong to what stands before them.
fn is_mark(class: WordClass) -> bool {
    use WordClass::{EmojiModifier, Extend, SouthEastAsianMark};
    matches!(class, Extend | SouthEastAsianMark | EmojiModifier)
}

/// Past the marks that belong to the character before.
fn skip_extend(text: &str, mut at: usize) -> usize {
    while let Some((_, class, next)) = char_at(text, at)
        && is_mark(class)
    {
        at = next;
    }
    at
}

/// Letters, digits and Katakana, joined as UAX #29 says.
fn word(text: &str, start: usize) -> Found {
    use WordClass::*;
    let mut at = start;
    let mut last = Other;
    let (mut letters, mut digits, mut katakana, mut others) = (false, false, false, false);
    let mut all_hangul = true;
    while let Some((_, class, next)) = char_at(text, at) {
        let after = skip_extend(text, next);
        match class {
            Letter | Hangul | Hebrew => {
                if last == Katakana {
                    break;
                }
                letters = true;
                all_hangul &= class == Hangul;
            }
            Numeric => {
                if last == Katakana {
                    break;
                }
                digits = true;
            }
            Katakana => {
                if !matches!(last, Other | Katakana | ExtendNumLet) {
                    break;
                }
                katakana = true;
            }
            ExtendNumLet => others = true,
            MidLetter | MidNum | MidNumLet | SingleQuote | DoubleQuote => {
                let follower = char_at(text, after).map_or(Other, |(_, class, _)| class);
                let is_letter = |c| matches!(c, Letter | Hangul | Hebrew);
                let joins = match class {
                    DoubleQuote => last == Hebrew && follower == Hebrew,
                    SingleQuote if last == Hebrew => true,
                    MidLetter => is_letter(last) && is_letter(follower),
                    MidNum => last == Numeric && follower == Numeric,
                    _ => {
                        (is_letter(last) && is_letter(follower))
                            || (last == Numeric && follower == Numeric)
                    }
                };
                if !joins {
                    break;
                }
                others = true;
            }
            _ => break,
        }
        last = class;
        at = after;
    }
    let kind = match (letters, digits, katakana) {
        (false, false, false) => None,
        (false, true, false) => Some("<NUM>"),
        (true, false, false) if all_hangul && !others => Some("<HANGUL>"),
        (false, false, true) if !others => Some("<KATAKANA>"),
        _ => Some("<ALPHANUM>"),
    };
    let end = if at > start {
        at
    } else {
        start + text[start..].chars().next().map_or(1, char::len_utf8)
    };
    Found { end, kind }
}

/// End of an emoji sequence (key caps, flags, modifiers, joined sequences), or `start`.
fn emoji(text: &str, start: usize) -> usize {
    let Some((first, class, next)) = char_at(text, start) else {
        return start;
    };
    if matches!(first, '0'..='9' | '#' | '*') {
        let mut at = next;
        while let Some((c, WordClass::Extend, after)) = char_at(text, at) {
            at = after;
            if c == '\u{20E3}' {
                return skip_extend(text, at);
            }
        }
        return start;
    }
    match class {
        WordClass::RegionalIndicator => {
            let after = skip_extend(text, next);
            match char_at(text, after) {
                Some((_, WordClass::RegionalIndicator, end)) => skip_extend(text, end),
                _ => start,
            }
        }
        WordClass::Letter if !is_emoji_letter(first) => start,
        WordClass::Emoji | WordClass::EmojiModifier | WordClass::Letter => {
            let mut at = next;
            loop {
                let mut joined = false;
                while let Some((c, class, after)) = char_at(text, at)
                    && matches!(class, WordClass::Extend | WordClass::SouthEastAsianMark)
                {
                    // what asks for the look of plain text belongs to no emoji
                    if c == '\u{FE0E}' {
                        return at;
                    }
                    joined = c == '\u{200D}';
                    at = after;
                }
                match char_at(text, at) {
                    Some((_, WordClass::EmojiModifier, after)) => at = after,
                    Some((_, WordClass::Emoji, after)) if joined => at = after,
                    _ => return at,
                }
            }
        }
        _ => start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check_cut(text: &str, max_token_length: usize) {
        let tokenizer = Standard::new(max_token_length);
        let mut batch = TokenBatch::default();
        batch.reset(text);
        tokenizer.tokenize(text, &mut batch);
        let tokens: Vec<Slice> = batch.tokens.iter().map(|t| (t.start, t.end)).collect();
        let mut cut = Vec::new();
        assert!(tokenizer.cut(text, &mut cut));
        assert_eq!(cut, tokens, "{text:?}");
    }

    proptest! {
        #[test]
        fn a_cut_gives_the_same_tokens(
            pieces in proptest::collection::vec(
                prop_oneof![
                    "[a-cX0-9]{1,12}", "[ .,;:_'\"#*-]{1,2}", "[éß\u{301}漢かカ한א\u{20E3}\u{200D}👍]", any::<char>().prop_map(String::from),
                ],
                0..60,
            ),
            max in 1usize..30,
        ) {
            let text = pieces.concat();
            check_cut(&text, 255);
            check_cut(&text, max);
        }

        #[test]
        fn a_cut_of_ascii_gives_the_same_tokens(text in "[a-c0-1 .,;:_'\"-]{0,200}") {
            check_cut(&text, 255);
        }
    }

    fn tokens(text: &str) -> Vec<(String, &'static str)> {
        let mut batch = TokenBatch::default();
        batch.reset(text);
        Standard::new(255).tokenize(text, &mut batch);
        batch
            .tokens
            .iter()
            .map(|t| (batch.text(t).to_owned(), t.kind))
            .collect()
    }

    fn texts(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|(t, _)| t).collect()
    }

    #[test]
    fn joins_inside_words_and_numbers() {
        assert_eq!(
            texts("The 2 QUICK Brown-Foxes jumped over the lazy dog's bone."),
            [
                "The", "2", "QUICK", "Brown", "Foxes", "jumped", "over", "the", "lazy", "dog's",
                "bone"
            ]
        );
        assert_eq!(
            texts("3.14,15 a.b a,b 1:2 x:y"),
            ["3.14,15", "a.b", "a", "b", "1", "2", "x:y"]
        );
        assert_eq!(texts("_foo_ __ a_1 'quoted'"), ["_foo_", "a_1", "quoted"]);
        assert_eq!(
            texts("O'Neil's rock'n'roll e.g. U.S.A."),
            ["O'Neil's", "rock'n'roll", "e.g", "U.S.A"]
        );
    }

    #[test]
    fn scripts_have_their_types() {
        assert_eq!(
            tokens("漢字 ひら カタカナ 한국어 12 สวัสดี"),
            [
                ("漢".to_owned(), "<IDEOGRAPHIC>"),
                ("字".to_owned(), "<IDEOGRAPHIC>"),
                ("ひ".to_owned(), "<HIRAGANA>"),
                ("ら".to_owned(), "<HIRAGANA>"),
                ("カタカナ".to_owned(), "<KATAKANA>"),
                ("한국어".to_owned(), "<HANGUL>"),
                ("12".to_owned(), "<NUM>"),
                ("สวัสดี".to_owned(), "<SOUTHEAST_ASIAN>"),
            ]
        );
    }

    #[test]
    fn emoji_are_tokens() {
        assert_eq!(
            tokens("👍🏽 👩‍👩‍👧 1️⃣ 🇫🇷 x"),
            [
                ("👍🏽".to_owned(), "<EMOJI>"),
                ("👩‍👩‍👧".to_owned(), "<EMOJI>"),
                ("1️⃣".to_owned(), "<EMOJI>"),
                ("🇫🇷".to_owned(), "<EMOJI>"),
                ("x".to_owned(), "<ALPHANUM>"),
            ]
        );
    }

    #[test]
    fn pictures_in_text_are_emoji() {
        assert_eq!(
            tokens("Hat© 5™ ✔️ aⓂb Ⓜ"),
            [
                ("Hat".to_owned(), "<ALPHANUM>"),
                ("©".to_owned(), "<EMOJI>"),
                ("5".to_owned(), "<NUM>"),
                ("™".to_owned(), "<EMOJI>"),
                ("✔️".to_owned(), "<EMOJI>"),
                ("aⓂb".to_owned(), "<ALPHANUM>"),
                ("Ⓜ".to_owned(), "<EMOJI>"),
            ]
        );
    }

    #[test]
    fn marks_stay_with_their_letters() {
        assert_eq!(texts("cafe\u{301}s naïve"), ["cafe\u{301}s", "naïve"]);
    }

    #[test]
    fn long_tokens_are_cut() {
        let text = "a".repeat(300);
        let lengths: Vec<usize> = texts(&text).iter().map(String::len).collect();
        assert_eq!(lengths, [255, 45]);
    }
}
