//! `terms_set`: as many of several values as the document itself says.

use crate::value::Value;
use serde::{Deserialize, Serialize};

/// Documents whose field holds at least so many of these values as a numeric field of the document says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsSetQuery {
    /// Path of the field.
    pub field: String,
    /// The values.
    pub values: Vec<Value>,
    /// Path of the field with the number needed; less than 1 counts as 1, documents without it do not match.
    pub needed_field: String,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl TermsSetQuery {
    /// A query with all defaults.
    pub fn new(
        field: impl Into<String>,
        values: Vec<Value>,
        needed_field: impl Into<String>,
    ) -> Self {
        TermsSetQuery {
            field: field.into(),
            values,
            needed_field: needed_field.into(),
            boost: 1.0,
            name: None,
        }
    }
}
