//! `dis_max`: the best of several clauses.

use serde::{Deserialize, Serialize};

use super::Query;

/// Documents that match any clause; the score is the best clause's plus `tie_breaker` times the others'.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisMaxQuery {
    /// The clauses.
    pub queries: Vec<Query>,
    /// From 0.0, only the best, to 1.0, the sum.
    pub tie_breaker: f32,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl DisMaxQuery {
    /// A query with all defaults.
    pub fn new(queries: Vec<Query>) -> Self {
        DisMaxQuery {
            queries,
            tie_breaker: 0.0,
            boost: 1.0,
            name: None,
        }
    }
}
