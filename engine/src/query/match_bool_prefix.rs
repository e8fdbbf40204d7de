//! `match_bool_prefix`: terms in any order, the last one a prefix.

use serde::{Deserialize, Serialize};

use super::{Fuzziness, MinimumShouldMatch, Operator};
use crate::value::Value;

/// Like [`MatchQuery`](super::MatchQuery), the last term standing for the terms that begin with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchBoolPrefixQuery {
    /// Path of the field.
    pub field: String,
    /// What to look for.
    pub text: Value,
    /// Whether one term is enough.
    pub operator: Operator,
    /// How many terms must match.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// Edits allowed per term but the last.
    pub fuzziness: Option<Fuzziness>,
    /// Characters at the start of a term that must not change.
    pub prefix_length: u32,
    /// Most terms that one fuzzy term stands for.
    pub max_expansions: u32,
    /// Whether swapping two neighbours counts as one edit.
    pub fuzzy_transpositions: bool,
    /// How fuzzy terms score.
    pub fuzzy_rewrite: Option<super::TermsRewrite>,
    /// Name of the analyzer to use in place of the field's.
    pub analyzer: Option<String>,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl MatchBoolPrefixQuery {
    /// A query with all defaults.
    pub fn new(field: impl Into<String>, text: Value) -> Self {
        MatchBoolPrefixQuery {
            field: field.into(),
            text,
            operator: Operator::Or,
            minimum_should_match: None,
            fuzziness: None,
            prefix_length: 0,
            max_expansions: 50,
            fuzzy_transpositions: true,
            fuzzy_rewrite: None,
            analyzer: None,
            boost: 1.0,
            name: None,
        }
    }
}
