//! The `asciifolding` filter: letters, digits and marks to their ASCII likeness.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

/// Folds to ASCII.
#[derive(Debug)]
pub(crate) struct AsciiFolding {
    preserve_original: bool,
}

impl AsciiFolding {
    /// Folds and forgets the original.
    pub fn new() -> AsciiFolding {
        AsciiFolding {
            preserve_original: false,
        }
    }
}

/// Reads `preserve_original`.
pub(super) fn build(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    Ok(Box::new(AsciiFolding {
        preserve_original: definition.flag("preserve_original", false)?,
    }))
}

/// Letters and signs that Unicode does not take apart.
const SPECIAL: &[(char, &str)] = &[
    ('«', "\""),
    ('»', "\""),
    ('Æ', "AE"),
    ('Ð', "D"),
    ('×', "×"),
    ('Ø', "O"),
    ('Þ', "TH"),
    ('ß', "ss"),
    ('æ', "ae"),
    ('ð', "d"),
    ('ø', "o"),
    ('þ', "th"),
    ('Đ', "D"),
    ('đ', "d"),
    ('Ħ', "H"),
    ('ħ', "h"),
    ('ı', "i"),
    ('Ĳ', "IJ"),
    ('ĳ', "ij"),
    ('ĸ', "q"),
    ('Ŀ', "L"),
    ('ŀ', "l"),
    ('Ł', "L"),
    ('ł', "l"),
    ('ŉ', "n"),
    ('Ŋ', "N"),
    ('ŋ', "n"),
    ('Œ', "OE"),
    ('œ', "oe"),
    ('Ŧ', "T"),
    ('ŧ', "t"),
    ('ſ', "s"),
    ('ƀ', "b"),
    ('Ɓ', "B"),
    ('Ƃ', "B"),
    ('ƃ', "b"),
    ('Ɔ', "O"),
    ('Ƈ', "C"),
    ('ƈ', "c"),
    ('Ɖ', "D"),
    ('Ɗ', "D"),
    ('Ƌ', "D"),
    ('ƌ', "d"),
    ('Ǝ', "E"),
    ('Ə', "A"),
    ('Ɛ', "E"),
    ('Ƒ', "F"),
    ('ƒ', "f"),
    ('Ɠ', "G"),
    ('ƕ', "hv"),
    ('Ɩ', "I"),
    ('Ɨ', "I"),
    ('Ƙ', "K"),
    ('ƙ', "k"),
    ('ƚ', "l"),
    ('Ɯ', "M"),
    ('Ɲ', "N"),
    ('ƞ', "n"),
    ('Ɵ', "O"),
    ('Ƥ', "P"),
    ('ƥ', "p"),
    ('ƫ', "t"),
    ('Ƭ', "T"),
    ('ƭ', "t"),
    ('Ʈ', "T"),
    ('Ʋ', "V"),
    ('Ƴ', "Y"),
    ('ƴ', "y"),
    ('Ƶ', "Z"),
    ('ƶ', "z"),
    ('Ǥ', "G"),
    ('ǥ', "g"),
    ('Ȝ', "Z"),
    ('ȝ', "z"),
    ('Ȣ', "OU"),
    ('ȣ', "ou"),
    ('Ȥ', "Z"),
    ('ȥ', "z"),
    ('Ⱥ', "A"),
    ('Ȼ', "C"),
    ('ȼ', "c"),
    ('Ƚ', "L"),
    ('Ⱦ', "T"),
    ('ȿ', "s"),
    ('ɀ', "z"),
    ('Ƀ', "B"),
    ('Ʉ', "U"),
    ('Ʌ', "V"),
    ('Ɇ', "E"),
    ('ɇ', "e"),
    ('Ɉ', "J"),
    ('ɉ', "j"),
    ('Ɋ', "Q"),
    ('ɋ', "q"),
    ('Ɍ', "R"),
    ('ɍ', "r"),
    ('Ɏ', "Y"),
    ('ɏ', "y"),
    ('ɐ', "a"),
    ('ɓ', "b"),
    ('ɔ', "o"),
    ('ɕ', "c"),
    ('ɖ', "d"),
    ('ɗ', "d"),
    ('ə', "a"),
    ('ɛ', "e"),
    ('ɠ', "g"),
    ('ɡ', "g"),
    ('ɦ', "h"),
    ('ɨ', "i"),
    ('ɪ', "i"),
    ('ɫ', "l"),
    ('ɱ', "m"),
    ('ɲ', "n"),
    ('ɵ', "o"),
    ('ɹ', "r"),
    ('ʀ', "r"),
    ('ʂ', "s"),
    ('ʈ', "t"),
    ('ʉ', "u"),
    ('ʋ', "v"),
    ('ʌ', "v"),
    ('ʏ', "y"),
    ('ʐ', "z"),
    ('ẞ', "SS"),
    ('‐', "-"),
    ('‑', "-"),
    ('‒', "-"),
    ('–', "-"),
    ('—', "-"),
    ('‘', "'"),
    ('’', "'"),
    ('‚', "'"),
    ('‛', "'"),
    ('“', "\""),
    ('”', "\""),
    ('„', "\""),
    ('′', "'"),
    ('″', "\""),
    ('‵', "'"),
    ('‶', "\""),
    ('‹', "'"),
    ('›', "'"),
    ('‸', "^"),
    ('⁄', "/"),
    ('⁅', "["),
    ('⁆', "]"),
    ('⁎', "*"),
    ('⁏', ";"),
    ('⁒', "%"),
    ('⁓', "~"),
    ('‼', "!!"),
    ('⁇', "??"),
    ('⁈', "?!"),
    ('⁉', "!?"),
];

/// Whether a character belongs to the blocks whose letters and digits are folded by taking them apart.
fn is_foldable(c: char) -> bool {
    matches!(c,
        '\u{AA}'..='\u{24F}' | '\u{1D00}'..='\u{1DBF}' | '\u{1E00}'..='\u{1EFF}'
        | '\u{2070}'..='\u{209C}' | '\u{2460}'..='\u{24FF}' | '\u{2776}'..='\u{2793}'
        | '\u{2C60}'..='\u{2C7F}' | '\u{A722}'..='\u{A7FF}' | '\u{FB00}'..='\u{FB06}'
        | '\u{FF01}'..='\u{FF5E}')
        && !matches!(c, '¨' | '¯' | '´' | '¸')
}

/// The text in ASCII as far as it goes; `None` when nothing changes.
pub(super) fn fold(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        if let Some((_, folded)) = SPECIAL.iter().find(|(special, _)| *special == c) {
            out.push_str(folded);
            continue;
        }
        let start = out.len();
        if is_foldable(c) {
            out.extend(
                std::iter::once(c)
                    .nfkd()
                    .filter(|part| !is_combining_mark(*part)),
            );
        }
        if out.len() == start || !out[start..].is_ascii() {
            out.truncate(start);
            out.push(c);
        }
    }
    (out != text).then_some(out)
}

impl TokenFilter for AsciiFolding {
    fn apply(&self, batch: &mut TokenBatch) {
        if !self.preserve_original {
            batch.map_text(|text, _| fold(text));
            return;
        }
        let tokens = std::mem::take(&mut batch.tokens);
        for token in tokens {
            match fold(batch.text(&token)) {
                None => batch.tokens.push(token),
                Some(folded) => {
                    let (start, end) = batch.write(&folded);
                    let mut new = token;
                    (new.start, new.end) = (start, end);
                    let mut original = token;
                    original.increment = 0;
                    batch.tokens.push(new);
                    batch.tokens.push(original);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn folds_letters_and_leaves_other_scripts() {
        for (text, folded) in [
            ("açaí à la carte", Some("acai a la carte")),
            ("Straße", Some("Strasse")),
            ("Ærøskøbing", Some("AEroskobing")),
            ("Łódź", Some("Lodz")),
            ("ﬁn", Some("fin")),
            ("ＡＢＣ１", Some("ABC1")),
            ("x²", Some("x2")),
            ("“q”", Some("\"q\"")),
            ("日本", None),
            ("Привет", None),
            ("plain", None),
        ] {
            assert_eq!(fold(text).as_deref(), folded, "{text}");
        }
    }
}
