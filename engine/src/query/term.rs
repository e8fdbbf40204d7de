//! `term`: one exact value.

use crate::value::Value;
use serde::{Deserialize, Serialize};

/// Documents whose field holds exactly this value; text is not analysed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermQuery {
    /// Path of the field.
    pub field: String,
    /// The value.
    pub value: Value,
    /// Whether ASCII letters match in both cases.
    pub case_insensitive: bool,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl TermQuery {
    /// A query with all defaults.
    pub fn new(field: impl Into<String>, value: Value) -> Self {
        TermQuery {
            field: field.into(),
            value,
            case_insensitive: false,
            boost: 1.0,
            name: None,
        }
    }
}
