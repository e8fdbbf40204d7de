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

/// Named lists.
const LISTS: &[(&str, &[&str])] = &[("_english_", ENGLISH), ("_none_", &[])];

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
            let Some((_, list)) = LISTS.iter().find(|(name, _)| *name == word) else {
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
