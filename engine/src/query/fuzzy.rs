//! `fuzzy`: terms a few edits away.

use serde::{Deserialize, Serialize};

use super::{Fuzziness, TermsRewrite};
use crate::value::Value;

/// Documents that hold a term at most some edits away from this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FuzzyQuery {
    /// Path of the field.
    pub field: String,
    /// The term; not analysed.
    pub value: Value,
    /// How many edits.
    pub fuzziness: Fuzziness,
    /// Characters at the start that must not change.
    pub prefix_length: u32,
    /// Most terms that it stands for; the nearest are kept.
    pub max_expansions: u32,
    /// Whether swapping two neighbours counts as one edit.
    pub transpositions: bool,
    /// How the terms score; `None`: by blended frequency, less for each edit.
    pub rewrite: Option<TermsRewrite>,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl FuzzyQuery {
    /// A query with all defaults.
    pub fn new(field: impl Into<String>, value: Value) -> Self {
        FuzzyQuery {
            field: field.into(),
            value,
            fuzziness: Fuzziness::AUTO,
            prefix_length: 0,
            max_expansions: 50,
            transpositions: true,
            rewrite: None,
            boost: 1.0,
            name: None,
        }
    }
}
