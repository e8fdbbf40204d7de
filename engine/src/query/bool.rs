//! `bool`: clauses that must, should or must not match.

use serde::{Deserialize, Serialize};

use super::{MinimumShouldMatch, Query};

/// Clauses combined. The score is the sum of the matching `must` and `should` clauses' scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoolQuery {
    /// Needed, scored.
    pub must: Vec<Query>,
    /// Needed, not scored.
    pub filter: Vec<Query>,
    /// Scored; how many are needed says `minimum_should_match`.
    pub should: Vec<Query>,
    /// Excluded.
    pub must_not: Vec<Query>,
    /// `None`: 1 when there is neither `must` nor `filter`, else 0.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// Whether a query of `must_not` alone starts from all documents.
    pub adjust_pure_negative: bool,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl Default for BoolQuery {
    fn default() -> Self {
        BoolQuery {
            must: Vec::new(),
            filter: Vec::new(),
            should: Vec::new(),
            must_not: Vec::new(),
            minimum_should_match: None,
            adjust_pure_negative: true,
            boost: 1.0,
            name: None,
        }
    }
}
