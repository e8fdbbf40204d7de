//! `exists`: a field has a value.

use serde::{Deserialize, Serialize};

/// Documents that have a value in a field, or in a field below an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExistsQuery {
    /// Path of the field or object; may hold `*`.
    pub field: String,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl ExistsQuery {
    /// A query with all defaults.
    pub fn new(field: impl Into<String>) -> Self {
        ExistsQuery {
            field: field.into(),
            boost: 1.0,
            name: None,
        }
    }
}
