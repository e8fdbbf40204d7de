//! `ids`: documents by their names.

use serde::{Deserialize, Serialize};

/// Documents with one of these `_id`s; the score is the boost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdsQuery {
    /// The ids.
    pub values: Vec<String>,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl IdsQuery {
    /// A query with all defaults.
    pub fn new(values: Vec<String>) -> Self {
        IdsQuery {
            values,
            boost: 1.0,
            name: None,
        }
    }
}
