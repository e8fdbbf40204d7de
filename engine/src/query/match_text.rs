//! `match`: the terms of an analysed text.

use serde::{Deserialize, Serialize};

use super::{Fuzziness, MinimumShouldMatch};
use crate::value::Value;

/// Documents that hold some (or all) of the terms which the field's search analyzer finds in a text.
///
/// On numbers, dates and the like it is a [`TermQuery`](super::TermQuery).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchQuery {
    /// Path of the field; an unmapped one matches nothing.
    pub field: String,
    /// What to look for; numbers and booleans stand for their text.
    pub text: Value,
    /// Whether one term is enough.
    pub operator: Operator,
    /// How many terms must match, of those that are optional.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// Edits allowed per term; `None`: exact.
    pub fuzziness: Option<Fuzziness>,
    /// Characters at the start of a term that must not change.
    pub prefix_length: u32,
    /// Most terms that one fuzzy term stands for.
    pub max_expansions: u32,
    /// Whether swapping two neighbours counts as one edit.
    pub fuzzy_transpositions: bool,
    /// How fuzzy terms score; `None`: by frequency, blended.
    pub fuzzy_rewrite: Option<super::TermsRewrite>,
    /// What an empty analysis matches.
    pub zero_terms: ZeroTerms,
    /// Whether a text that does not fit the field's type matches nothing instead of failing.
    pub lenient: bool,
    /// Name of the analyzer to use in place of the field's.
    pub analyzer: Option<String>,
    /// Whether a synonym of several words is searched as a phrase.
    pub auto_generate_synonyms_phrase_query: bool,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl MatchQuery {
    /// A query with all defaults.
    pub fn new(field: impl Into<String>, text: Value) -> Self {
        MatchQuery {
            field: field.into(),
            text,
            operator: Operator::Or,
            minimum_should_match: None,
            fuzziness: None,
            prefix_length: 0,
            max_expansions: 50,
            fuzzy_transpositions: true,
            fuzzy_rewrite: None,
            zero_terms: ZeroTerms::None,
            lenient: false,
            analyzer: None,
            auto_generate_synonyms_phrase_query: true,
            boost: 1.0,
            name: None,
        }
    }
}

/// How the terms of a text combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// One is enough.
    Or,
    /// All are needed.
    And,
}

/// What a text without terms matches (one of stop words only, for example).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZeroTerms {
    /// Nothing.
    None,
    /// Every document.
    All,
    /// The clause is as if not written. Only the parsers of whole query strings ask for it.
    Null,
}
