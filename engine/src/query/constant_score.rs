//! `constant_score`: matches without scoring.

use serde::{Deserialize, Serialize};

use super::Query;

/// The documents of a filter, each with the boost as its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConstantScoreQuery {
    /// The filter.
    pub filter: Box<Query>,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl ConstantScoreQuery {
    /// A query with all defaults.
    pub fn new(filter: Query) -> Self {
        ConstantScoreQuery {
            filter: Box::new(filter),
            boost: 1.0,
            name: None,
        }
    }
}
