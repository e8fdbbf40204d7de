//! `match_phrase`: the terms of an analysed text, one behind the other.

use serde::{Deserialize, Serialize};

use super::ZeroTerms;
use crate::value::Value;

/// Documents in which the terms of a text stand at the distances that they have there, give or take `slop` moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchPhraseQuery {
    /// Path of the field.
    pub field: String,
    /// The phrase.
    pub text: Value,
    /// Moves of one position that may be needed to line the terms up.
    pub slop: u32,
    /// Name of the analyzer to use in place of the field's.
    pub analyzer: Option<String>,
    /// What an empty analysis matches.
    pub zero_terms: ZeroTerms,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl MatchPhraseQuery {
    /// A query with all defaults.
    pub fn new(field: impl Into<String>, text: Value) -> Self {
        MatchPhraseQuery {
            field: field.into(),
            text,
            slop: 0,
            analyzer: None,
            zero_terms: ZeroTerms::None,
            boost: 1.0,
            name: None,
        }
    }
}
