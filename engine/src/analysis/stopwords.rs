//! Stop word lists by name.

use std::collections::HashSet;

use super::definition::Definition;
use crate::schema::SchemaError;

/// The list that Lucene's English analyzer uses.
const ENGLISH: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with",
];

/// The list of the `cjk` analyzer.
const CJK: &[&str] = &[
    "a", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no",
    "not", "of", "on", "or", "s", "such", "t", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with", "www",
];

/// Languages whose lists come with the Snowball stemmers, by name and ISO code.
const SNOWBALL: &[(&str, &str)] = &[
    ("_danish_", "da"),
    ("_dutch_", "nl"),
    ("_finnish_", "fi"),
    ("_french_", "fr"),
    ("_german_", "de"),
    ("_hungarian_", "hu"),
    ("_italian_", "it"),
    ("_norwegian_", "no"),
    ("_portuguese_", "pt"),
    ("_russian_", "ru"),
    ("_spanish_", "es"),
    ("_swedish_", "sv"),
];

/// The words of a named list.
fn named(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "_english_" => Some(ENGLISH),
        "_cjk_" => Some(CJK),
        "_none_" => Some(&[]),
        _ => {
            let (_, code) = SNOWBALL.iter().find(|(known, _)| *known == name)?;
            stop_words::lookup(code)
        }
    }
}

/// Reads a list parameter: words, or the name of a list such as `_english_`.
pub(super) fn read(
    definition: &Definition,
    param: &str,
    default: &str,
) -> Result<HashSet<String>, SchemaError> {
    let given = definition
        .list(param)
        .unwrap_or_else(|| vec![default.to_owned()]);
    let mut words = HashSet::new();
    for word in given {
        if word.len() > 2 && word.starts_with('_') && word.ends_with('_') {
            let Some(list) = named(&word) else {
                return Err(SchemaError::illegal(format!(
                    "stop word list [{word}] is not supported; give the words inline"
                )));
            };
            words.extend(list.iter().map(|w| (*w).to_owned()));
        } else {
            words.insert(word);
        }
    }
    Ok(words)
}

/// English stop words.
pub(super) fn english() -> HashSet<String> {
    ENGLISH.iter().map(|w| (*w).to_owned()).collect()
}
