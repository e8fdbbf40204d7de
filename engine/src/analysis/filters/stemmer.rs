//! The `stemmer` and `snowball` filters: stems by language.

use std::fmt;

use rust_stemmers::{Algorithm, Stemmer as Snowball};

use super::super::definition::Definition;
use super::super::token::TokenBatch;
use super::{Parts, TokenFilter, light_stem, porter};
use crate::schema::SchemaError;

enum Stemmer {
    Porter,
    MinimalEnglish,
    PossessiveEnglish,
    Snowball(Snowball),
    Light(fn(&mut Vec<char>)),
}

impl fmt::Debug for Stemmer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stemmer::Porter => "Porter",
            Stemmer::MinimalEnglish => "MinimalEnglish",
            Stemmer::PossessiveEnglish => "PossessiveEnglish",
            Stemmer::Snowball(_) => "Snowball",
            Stemmer::Light(_) => "Light",
        })
    }
}

#[derive(Debug)]
struct StemmerFilter(Stemmer);

/// Snowball algorithms by language.
const SNOWBALL: &[(&str, Algorithm)] = &[
    ("danish", Algorithm::Danish),
    ("dutch", Algorithm::Dutch),
    ("english", Algorithm::English),
    ("finnish", Algorithm::Finnish),
    ("french", Algorithm::French),
    ("german", Algorithm::German),
    ("hungarian", Algorithm::Hungarian),
    ("italian", Algorithm::Italian),
    ("norwegian", Algorithm::Norwegian),
    ("portuguese", Algorithm::Portuguese),
    ("romanian", Algorithm::Romanian),
    ("russian", Algorithm::Russian),
    ("spanish", Algorithm::Spanish),
    ("swedish", Algorithm::Swedish),
    ("turkish", Algorithm::Turkish),
];

fn find_snowball(language: &str) -> Option<Stemmer> {
    SNOWBALL
        .iter()
        .find(|(name, _)| *name == language)
        .map(|(_, algorithm)| Stemmer::Snowball(Snowball::create(*algorithm)))
}

/// Reads `language` (or `name`).
pub(super) fn stemmer(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    let language = definition
        .text("language")
        .or_else(|| definition.text("name"))
        .unwrap_or_else(|| "porter".to_owned())
        .to_lowercase();
    let stemmer = match language.as_str() {
        "english" | "porter" => Some(Stemmer::Porter),
        "porter2" => find_snowball("english"),
        "minimal_english" | "minimalenglish" => Some(Stemmer::MinimalEnglish),
        "possessive_english" | "possessiveenglish" => Some(Stemmer::PossessiveEnglish),
        other => find_light(other).or_else(|| find_snowball(other)),
    };
    match stemmer {
        Some(stemmer) => Ok(Box::new(StemmerFilter(stemmer))),
        None => Err(SchemaError::illegal(format!(
            "stemmer language [{language}] is not supported"
        ))),
    }
}

fn find_light(language: &str) -> Option<Stemmer> {
    Some(Stemmer::Light(match language {
        "light_french" | "lightfrench" => light_stem::french,
        "light_german" | "lightgerman" => light_stem::german,
        "light_italian" | "lightitalian" => light_stem::italian,
        "light_portuguese" | "lightportuguese" => light_stem::portuguese,
        "light_spanish" | "lightspanish" => light_stem::spanish,
        _ => return None,
    }))
}

/// The stemmer of a name that the `stemmer` filter takes for `language`.
pub(crate) fn by_language(language: &str) -> Option<Box<dyn TokenFilter>> {
    let stemmer = match language {
        "porter" => Some(Stemmer::Porter),
        other => find_light(other).or_else(|| find_snowball(other)),
    };
    stemmer.map(|stemmer| Box::new(StemmerFilter(stemmer)) as Box<dyn TokenFilter>)
}

#[derive(Debug)]
struct GermanNormalization;

impl TokenFilter for GermanNormalization {
    fn apply(&self, batch: &mut TokenBatch) {
        batch.map_text(|text, _| Some(light_stem::german_normalized(text)));
    }
}

/// Has no parameters.
pub(super) fn german_normalization(
    _: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    Ok(german_normalized())
}

/// The `german_normalization` filter.
pub(crate) fn german_normalized() -> Box<dyn TokenFilter> {
    Box::new(GermanNormalization)
}

/// Reads `language`, an algorithm of Snowball.
pub(super) fn snowball(
    definition: &Definition,
    _: &dyn Parts,
) -> Result<Box<dyn TokenFilter>, SchemaError> {
    let language = definition
        .text("language")
        .or_else(|| definition.text("name"))
        .unwrap_or_else(|| "English".to_owned());
    let stemmer = match language.to_lowercase().as_str() {
        "porter" => Some(Stemmer::Porter),
        other => find_snowball(other),
    };
    match stemmer {
        Some(stemmer) => Ok(Box::new(StemmerFilter(stemmer))),
        None => Err(SchemaError::illegal(format!(
            "Invalid stemmer class specified: {language}"
        ))),
    }
}

/// The possessive filter of the English analyzer.
pub(crate) fn possessive() -> Box<dyn TokenFilter> {
    Box::new(StemmerFilter(Stemmer::PossessiveEnglish))
}

impl TokenFilter for StemmerFilter {
    fn apply(&self, batch: &mut TokenBatch) {
        batch.map_text(|text, token| match &self.0 {
            Stemmer::PossessiveEnglish => drop_possessive(text).map(str::to_owned),
            _ if token.keyword => None,
            Stemmer::Porter => porter::stem(text),
            Stemmer::MinimalEnglish => minimal(text),
            Stemmer::Light(stem) => {
                let mut letters: Vec<char> = text.chars().collect();
                stem(&mut letters);
                Some(letters.into_iter().collect())
            }
            Stemmer::Snowball(snowball) => Some(snowball.stem(text).into_owned()),
        });
    }
}

/// The text without a final `'s`.
fn drop_possessive(text: &str) -> Option<&str> {
    let bare = text.strip_suffix(['s', 'S'])?;
    bare.strip_suffix(['\'', '\u{2019}', '\u{FF07}'])
}

/// The "S" stemmer: plurals only (D. Harman, "How effective is suffixing?", 1991).
fn minimal(text: &str) -> Option<String> {
    let letters: Vec<char> = text.chars().collect();
    let n = letters.len();
    if n < 3 || letters[n - 1] != 's' {
        return None;
    }
    let cut = |count: usize, add: &str| {
        let mut stem: String = letters[..n - count].iter().collect();
        stem.push_str(add);
        Some(stem)
    };
    match letters[n - 2] {
        'u' | 's' => None,
        'e' => {
            if n > 3 && letters[n - 3] == 'i' && !matches!(letters[n - 4], 'a' | 'e') {
                return cut(3, "y");
            }
            if matches!(letters[n - 3], 'i' | 'a' | 'o' | 'e') {
                return None;
            }
            cut(1, "")
        }
        _ => cut(1, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn possessives_and_plurals() {
        assert_eq!(drop_possessive("dog's"), Some("dog"));
        assert_eq!(drop_possessive("dogs"), None);
        assert_eq!(minimal("ponies").as_deref(), Some("pony"));
        assert_eq!(minimal("cats").as_deref(), Some("cat"));
        assert_eq!(minimal("glass"), None);
    }
}
