//! `terms`: one of several exact values.

use crate::value::Value;
use serde::{Deserialize, Serialize};

/// Documents whose field holds at least one of these values; the score is the boost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsQuery {
    /// Path of the field.
    pub field: String,
    /// The values, at most `index.max_terms_count`.
    pub values: Vec<Value>,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl TermsQuery {
    /// A query with all defaults.
    pub fn new(field: impl Into<String>, values: Vec<Value>) -> Self {
        TermsQuery {
            field: field.into(),
            values,
            boost: 1.0,
            name: None,
        }
    }
}
