//! Filters that give letters with several spellings one: `arabic_normalization`, `hindi_normalization`,
//! `persian_normalization`, `serbian_normalization`, `sorani_normalization`.

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter};
use crate::schema::SchemaError;

type Built = Result<Box<dyn TokenFilter>, SchemaError>;

#[derive(Debug)]
struct Normalization(fn(&str) -> String);

/// Alefs to the bare one, dotless yeh to yeh, teh marbuta to heh; without short vowels and tatweel.
pub(super) fn arabic(_: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Normalization(of_arabic)))
}

/// Signs of one sound to one, long vowels to short ones; without viramas, nuktas and joiners.
pub(super) fn hindi(_: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Normalization(of_hindi)))
}

/// Persian letters to the Arabic ones that look alike.
pub(super) fn persian(_: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Normalization(of_persian)))
}

/// Cyrillic, and Latin with diacritics, to plain Latin; expects lower case.
pub(super) fn serbian(_: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Normalization(of_serbian)))
}

/// The letters of Kurdish in Arabic script, whatever keyboard wrote them.
pub(super) fn sorani(_: &Definition, _: &dyn Parts) -> Built {
    Ok(Box::new(Normalization(of_sorani)))
}

impl TokenFilter for Normalization {
    fn apply(&self, batch: &mut TokenBatch) {
        batch.map_text(|text, _| (!text.is_ascii()).then(|| (self.0)(text)));
    }
}

fn of_arabic(text: &str) -> String {
    let letter = |c| match c {
        '\u{622}' | '\u{623}' | '\u{625}' => Some('\u{627}'),
        '\u{649}' => Some('\u{64a}'),
        '\u{629}' => Some('\u{647}'),
        '\u{640}' | '\u{64b}'..='\u{652}' => None,
        other => Some(other),
    };
    text.chars().filter_map(letter).collect()
}

fn of_persian(text: &str) -> String {
    let letter = |c| match c {
        '\u{6cc}' | '\u{6d2}' => Some('\u{64a}'),
        '\u{6a9}' => Some('\u{643}'),
        '\u{6c0}' | '\u{6c1}' => Some('\u{647}'),
        '\u{654}' => None,
        other => Some(other),
    };
    text.chars().filter_map(letter).collect()
}

fn of_hindi(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{928}' && chars.peek() == Some(&'\u{94d}') {
            chars.next();
            out.push('\u{902}');
            continue;
        }
        out.push(match c {
            '\u{93c}' | '\u{94d}' | '\u{200c}' | '\u{200d}' => continue,
            '\u{901}' => '\u{902}',
            '\u{929}' => '\u{928}',
            '\u{931}' => '\u{930}',
            '\u{934}' => '\u{933}',
            '\u{958}' => '\u{915}',
            '\u{959}' => '\u{916}',
            '\u{95a}' => '\u{917}',
            '\u{95b}' => '\u{91c}',
            '\u{95c}' => '\u{921}',
            '\u{95d}' => '\u{922}',
            '\u{95e}' => '\u{92b}',
            '\u{95f}' => '\u{92f}',
            '\u{945}' | '\u{946}' | '\u{948}' => '\u{947}',
            '\u{949}' | '\u{94a}' | '\u{94c}' => '\u{94b}',
            '\u{90d}' | '\u{90e}' | '\u{910}' => '\u{90f}',
            '\u{911}' | '\u{912}' | '\u{914}' => '\u{913}',
            '\u{972}' | '\u{906}' => '\u{905}',
            '\u{908}' => '\u{907}',
            '\u{90a}' => '\u{909}',
            '\u{960}' => '\u{90b}',
            '\u{961}' => '\u{90c}',
            '\u{940}' => '\u{93f}',
            '\u{942}' => '\u{941}',
            '\u{944}' => '\u{943}',
            '\u{963}' => '\u{962}',
            other => other,
        });
    }
    out
}

fn of_serbian(text: &str) -> String {
    const CYRILLIC: &[(char, &str)] = &[
        ('а', "a"),
        ('б', "b"),
        ('в', "v"),
        ('г', "g"),
        ('д', "d"),
        ('ђ', "dj"),
        ('е', "e"),
        ('ж', "z"),
        ('з', "z"),
        ('и', "i"),
        ('ј', "j"),
        ('к', "k"),
        ('л', "l"),
        ('љ', "lj"),
        ('м', "m"),
        ('н', "n"),
        ('њ', "nj"),
        ('о', "o"),
        ('п', "p"),
        ('р', "r"),
        ('с', "s"),
        ('т', "t"),
        ('ћ', "c"),
        ('у', "u"),
        ('ф', "f"),
        ('х', "h"),
        ('ц', "c"),
        ('ч', "c"),
        ('џ', "dz"),
        ('ш', "s"),
        ('č', "c"),
        ('ć', "c"),
        ('ž', "z"),
        ('š', "s"),
        ('đ', "dj"),
    ];
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match CYRILLIC.iter().find(|(letter, _)| *letter == c) {
            Some((_, latin)) => out.push_str(latin),
            None => out.push(c),
        }
    }
    out
}

fn of_sorani(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (at, c) in chars.iter().enumerate() {
        out.push(match c {
            '\u{64a}' | '\u{649}' => '\u{6cc}',
            '\u{643}' => '\u{6a9}',
            // Heh at the end of a word, or before a non-joiner, is a vowel.
            '\u{647}' if at + 1 == chars.len() || chars[at + 1] == '\u{200c}' => '\u{6d5}',
            '\u{629}' => '\u{6d5}',
            '\u{6be}' => '\u{647}',
            '\u{631}' if at == 0 => '\u{695}',
            '\u{692}' => '\u{695}',
            '\u{640}' | '\u{64b}'..='\u{652}' => continue,
            // Signs that only steer the shape of letters.
            '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{206f}'
            | '\u{feff}' => continue,
            other => *other,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_become_one() {
        for (normalize, text, expected) in [
            (of_arabic as fn(&str) -> String, "آجن", "اجن"),
            (of_arabic, "أحمد", "احمد"),
            (of_arabic, "بنى", "بني"),
            (of_arabic, "فاطمة", "فاطمه"),
            (of_arabic, "روبرـــــت", "روبرت"),
            (of_arabic, "مَبنا", "مبنا"),
            (of_persian, "های", "هاي"),
            (of_persian, "کشاندن", "كشاندن"),
            (of_persian, "كتابۀ", "كتابه"),
            (of_hindi, "अँगरेज़ी", "अंगरेजि"),
            (of_hindi, "अन्गरेजी", "अंगरेजि"),
            (of_hindi, "क़िताब", "किताब"),
            (of_serbian, "ђура", "djura"),
            (of_serbian, "đačić", "djacic"),
            (of_serbian, "џеп њива", "dzep njiva"),
            (of_sorani, "\u{64a}", "\u{6cc}"),
            (of_sorani, "\u{647}\u{200c}", "\u{6d5}"),
            (of_sorani, "\u{631}\u{631}", "\u{695}\u{631}"),
            (of_sorani, "\u{6be}", "\u{647}"),
        ] {
            assert_eq!(normalize(text), expected, "{text}");
        }
    }
}
