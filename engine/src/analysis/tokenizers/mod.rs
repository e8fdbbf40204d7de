//! Tokenizers: text to tokens. One file each; the table says what users can name.

mod char_runs;
mod grams;
mod keyword;
mod path_hierarchy;
mod pattern;
mod standard;
mod unicode;

use std::fmt::Debug;

use super::definition::Definition;
use super::token::TokenBatch;
use crate::schema::SchemaError;

pub(crate) use keyword::Keyword;
pub(crate) use pattern::split as split_by_pattern;

/// Start and end of a token, in bytes of the text it was cut from.
pub(crate) type Slice = (u32, u32);

/// Cuts text into tokens.
pub(crate) trait Tokenizer: Debug + Send + Sync {
    /// Adds the tokens of `text`, which `out` already holds as its arena; offsets are bytes.
    fn tokenize(&self, text: &str, out: &mut TokenBatch);

    /// Whether every text is one token, whole.
    fn is_whole_text(&self) -> bool {
        false
    }

    /// Gives the tokens that [`tokenize`](Self::tokenize) would, as ranges of the text's bytes, for those who need
    /// nothing else. `false`: it cannot, and did nothing.
    fn cut(&self, _text: &str, _out: &mut Vec<Slice>) -> bool {
        false
    }
}

/// A row of the table: what a `type` builds.
pub(crate) struct TokenizerType {
    /// As users write it.
    pub name: &'static str,
    /// Reads the parameters.
    pub build: fn(&Definition) -> Result<Box<dyn Tokenizer>, SchemaError>,
}

/// All tokenizers. Each is also usable by its name alone, with defaults.
pub(crate) const TOKENIZERS: &[TokenizerType] = &[
    TokenizerType {
        name: "char_group",
        build: char_runs::char_group,
    },
    TokenizerType {
        name: "edge_ngram",
        build: grams::edge_ngram,
    },
    TokenizerType {
        name: "keyword",
        build: keyword::build,
    },
    TokenizerType {
        name: "letter",
        build: char_runs::letter,
    },
    TokenizerType {
        name: "lowercase",
        build: char_runs::lowercase,
    },
    TokenizerType {
        name: "ngram",
        build: grams::ngram,
    },
    TokenizerType {
        name: "path_hierarchy",
        build: path_hierarchy::build,
    },
    TokenizerType {
        name: "pattern",
        build: pattern::pattern,
    },
    TokenizerType {
        name: "simple_pattern",
        build: pattern::simple_pattern,
    },
    TokenizerType {
        name: "simple_pattern_split",
        build: pattern::simple_pattern_split,
    },
    TokenizerType {
        name: "standard",
        build: standard::build,
    },
    TokenizerType {
        name: "whitespace",
        build: char_runs::whitespace,
    },
];

/// The row of a name; the older camel-case names of the n-gram ones count.
pub(crate) fn find(name: &str) -> Option<&'static TokenizerType> {
    let name = match name {
        "nGram" => "ngram",
        "edgeNGram" => "edge_ngram",
        "PathHierarchy" => "path_hierarchy",
        other => other,
    };
    TOKENIZERS.iter().find(|row| row.name == name)
}

/// Adds `text[start..end]` cut into pieces of at most `max` UTF-16 units.
fn push_split(
    text: &str,
    start: usize,
    end: usize,
    max: usize,
    kind: &'static str,
    out: &mut TokenBatch,
) {
    split(text, start, end, max, |start, end| {
        out.push_slice(start, end, kind);
    });
}

/// Calls back with the pieces of `text[start..end]`, each of at most `max` UTF-16 units.
fn split(text: &str, start: usize, end: usize, max: usize, mut out: impl FnMut(usize, usize)) {
    if end - start <= max {
        return out(start, end);
    }
    let mut piece = start;
    let mut units = 0;
    for (at, c) in text[start..end].char_indices() {
        if units + c.len_utf16() > max && units > 0 {
            out(piece, start + at);
            piece = start + at;
            units = 0;
        }
        units += c.len_utf16();
    }
    out(piece, end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_build_with_defaults() {
        assert!(TOKENIZERS.is_sorted_by_key(|row| row.name));
        for row in TOKENIZERS {
            if !matches!(
                row.name,
                "simple_pattern" | "simple_pattern_split" | "char_group"
            ) {
                assert!((row.build)(&Definition::default()).is_ok(), "{}", row.name);
            }
        }
    }
}
