//! `match_phrase_prefix`: a phrase whose last word is still being typed.

use serde::{Deserialize, Serialize};

use super::ZeroTerms;
use crate::value::Value;

/// Like [`MatchPhraseQuery`](super::MatchPhraseQuery), the last term standing for the terms that begin with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchPhrasePrefixQuery {
    /// Path of the field.
    pub field: String,
    /// The phrase.
    pub text: Value,
    /// Moves of one position that may be needed to line the terms up.
    pub slop: u32,
    /// Most terms that the last one stands for, first in the order of the dictionary.
    pub max_expansions: u32,
    /// Name of the analyzer to use in place of the field's.
    pub analyzer: Option<String>,
    /// What an empty analysis matches.
    pub zero_terms: ZeroTerms,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl MatchPhrasePrefixQuery {
    /// A query with all defaults.
    pub fn new(field: impl Into<String>, text: Value) -> Self {
        MatchPhrasePrefixQuery {
            field: field.into(),
            text,
            slop: 0,
            max_expansions: 50,
            analyzer: None,
            zero_terms: ZeroTerms::None,
            boost: 1.0,
            name: None,
        }
    }
}
