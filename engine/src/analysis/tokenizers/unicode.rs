//! Character classes of the standard tokenizer: Unicode's word break property and a few scripts.

use std::sync::OnceLock;

use regex_syntax::hir::{Class, HirKind};

/// Class of a character in the tokenizer's grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum WordClass {
    Other,
    Letter,
    Hangul,
    Hebrew,
    Numeric,
    Katakana,
    MidLetter,
    MidNum,
    MidNumLet,
    SingleQuote,
    DoubleQuote,
    ExtendNumLet,
    /// Extend, Format and zero width joiner: they belong to what stands before them.
    Extend,
    RegionalIndicator,
    Han,
    Hiragana,
    SouthEastAsian,
    /// Of those scripts, but like `Extend` behind a character of others.
    SouthEastAsianMark,
    Emoji,
    EmojiModifier,
}

/// Which characters belong to a class; later rows win.
///
/// Lucene 10's tokenizer was made from Unicode 12.1 (emoji: 14), and an index must find what it holds: characters
/// assigned later are nothing, and those that changed sides since are listed with the side they were on.
const CLASSES: &[(&str, WordClass)] = &[
    (r"[[\p{Han}&&\p{age=12.1}]--\x{16FE2}]", WordClass::Han),
    (r"[\p{Hiragana}&&\p{age=12.1}]", WordClass::Hiragana),
    (
        r"[\p{Extended_Pictographic}\x{2388}\x{2600}-\x{2605}\x{2607}-\x{2612}\x{2614}-\x{2685}\x{2690}-\x{2705}\x{2708}-\x{2712}\x{2763}-\x{2767}\x{1FB00}-\x{1FBFF}]",
        WordClass::Emoji,
    ),
    (
        r"[[\p{wb=ALetter}&&\p{age=12.1}]--[\x{2E5}-\x{2EB}\x{55A}\x{58A}\x{70F}\x{A708}-\x{A716}]]",
        WordClass::Letter,
    ),
    (r"[\p{Hangul}&&\p{wb=ALetter}]", WordClass::Hangul),
    (r"\p{wb=Hebrew_Letter}", WordClass::Hebrew),
    (
        r"[[\p{wb=Numeric}[[\x{FF00}-\x{FFEF}]&&\p{Nd}]]&&\p{age=12.1}&&[^\p{Cf}]]",
        WordClass::Numeric,
    ),
    (r"[\p{wb=Katakana}&&\p{age=12.1}]", WordClass::Katakana),
    (r"[[\p{wb=MidLetter}:]--\x{55F}]", WordClass::MidLetter),
    (r"[\p{wb=MidNum}\x{FE10}\x{FE14}]", WordClass::MidNum),
    (r"\p{wb=MidNumLet}", WordClass::MidNumLet),
    (r"'", WordClass::SingleQuote),
    ("\"", WordClass::DoubleQuote),
    (r"\p{wb=ExtendNumLet}", WordClass::ExtendNumLet),
    (
        r"[[\p{wb=Extend}\p{wb=Format}\p{wb=ZWJ}[\p{wb=Numeric}&&\p{Cf}]\x{70F}]&&\p{age=12.1}]",
        WordClass::Extend,
    ),
    // Line_Break=Complex_Context: these scripts without their digits and punctuation, and some signs.
    (
        r"[[\p{Thai}\p{Lao}\p{Myanmar}\p{Khmer}\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}\p{Tai_Viet}\p{Ahom}]&&\p{M}&&\p{age=12.1}--\x{1A7F}]",
        WordClass::SouthEastAsianMark,
    ),
    (
        r"[[\p{Thai}\p{Lao}\p{Myanmar}\p{Khmer}\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}\p{Tai_Viet}\p{Ahom}]&&\p{L}&&\p{age=12.1}]",
        WordClass::SouthEastAsian,
    ),
    (
        r"[\x{109E}\x{109F}\x{19DA}\x{19DE}\x{19DF}\x{1AA0}-\x{1AAD}\x{AA77}-\x{AA79}\x{AADE}\x{AADF}\x{1173A}\x{1173B}\x{1173F}]",
        WordClass::SouthEastAsian,
    ),
    (r"\p{Emoji_Modifier}", WordClass::EmojiModifier),
    (r"\p{wb=Regional_Indicator}", WordClass::RegionalIndicator),
];

/// Letters that are emoji too when they stand alone.
pub(super) fn is_emoji_letter(c: char) -> bool {
    matches!(c, 'ℹ' | 'Ⓜ' | '🅰' | '🅱' | '🅾' | '🅿')
}

/// Classes of all characters below U+20000, then ranges for the rest.
struct Table {
    low: Vec<WordClass>,
    high: Vec<(u32, u32, WordClass)>,
}

const LOW_END: u32 = 0x2_0000;

static TABLE: OnceLock<Table> = OnceLock::new();

/// The class of a character.
pub(super) fn word_class(c: char) -> WordClass {
    let table = TABLE.get_or_init(build);
    let code = c as u32;
    if code < LOW_END {
        return table.low[code as usize];
    }
    for (first, last, class) in table.high.iter().rev() {
        if (*first..=*last).contains(&code) {
            return *class;
        }
    }
    WordClass::Other
}

fn build() -> Table {
    let mut table = Table {
        low: vec![WordClass::Other; LOW_END as usize],
        high: Vec::new(),
    };
    for (pattern, class) in CLASSES {
        for (first, last) in ranges(pattern) {
            for code in first..=last.min(LOW_END - 1) {
                table.low[code as usize] = *class;
            }
            if last >= LOW_END {
                table.high.push((first.max(LOW_END), last, *class));
            }
        }
    }
    table
}

/// The code points of a character class written as a regular expression.
fn ranges(pattern: &str) -> Vec<(u32, u32)> {
    let hir = regex_syntax::parse(pattern).expect("the patterns are constants that a test parses");
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => class
            .iter()
            .map(|r| (r.start() as u32, r.end() as u32))
            .collect(),
        HirKind::Class(Class::Bytes(class)) => class
            .iter()
            .map(|r| (u32::from(r.start()), u32::from(r.end())))
            .collect(),
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0)
            .unwrap_or("")
            .chars()
            .map(|c| (c as u32, c as u32))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_members() {
        for (pattern, class) in CLASSES {
            assert!(!ranges(pattern).is_empty(), "{class:?}");
        }
    }

    #[test]
    fn classes_of_known_characters() {
        for (c, class) in [
            ('a', WordClass::Letter),
            ('é', WordClass::Letter),
            ('7', WordClass::Numeric),
            ('_', WordClass::ExtendNumLet),
            (':', WordClass::MidLetter),
            ('.', WordClass::MidNumLet),
            (',', WordClass::MidNum),
            ('漢', WordClass::Han),
            ('あ', WordClass::Hiragana),
            ('ア', WordClass::Katakana),
            ('한', WordClass::Hangul),
            ('א', WordClass::Hebrew),
            ('ก', WordClass::SouthEastAsian),
            ('\u{301}', WordClass::Extend),
            ('😀', WordClass::Emoji),
            ('™', WordClass::Emoji),
            ('★', WordClass::Emoji),
            ('♯', WordClass::Emoji),
            ('\u{0E31}', WordClass::SouthEastAsianMark),
            ('\u{A7C0}', WordClass::Other),
            ('𠀋', WordClass::Han),
            ('-', WordClass::Other),
        ] {
            assert_eq!(word_class(c), class, "{c}");
        }
    }
}
