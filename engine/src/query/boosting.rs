//! `boosting`: lowers what also matches another query.

use serde::{Deserialize, Serialize};

use super::Query;

/// The documents of `positive`; those that also match `negative` have their score multiplied by `negative_boost`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoostingQuery {
    /// Finds.
    pub positive: Box<Query>,
    /// Lowers.
    pub negative: Box<Query>,
    /// Factor, 0 or more.
    pub negative_boost: f32,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl BoostingQuery {
    /// A query with all defaults.
    pub fn new(positive: Query, negative: Query, negative_boost: f32) -> Self {
        BoostingQuery {
            positive: Box::new(positive),
            negative: Box::new(negative),
            negative_boost,
            boost: 1.0,
            name: None,
        }
    }
}
