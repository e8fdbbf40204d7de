//! `prefix`: terms that begin alike.

use serde::{Deserialize, Serialize};

use super::TermsRewrite;

/// Documents that hold a term with this beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrefixQuery {
    /// Path of the field.
    pub field: String,
    /// The beginning.
    pub value: String,
    /// Whether letters match in both cases.
    pub case_insensitive: bool,
    /// How the terms score.
    pub rewrite: TermsRewrite,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl PrefixQuery {
    /// A query with all defaults.
    pub fn new(field: impl Into<String>, value: impl Into<String>) -> Self {
        PrefixQuery {
            field: field.into(),
            value: value.into(),
            case_insensitive: false,
            rewrite: TermsRewrite::ConstantScore,
            boost: 1.0,
            name: None,
        }
    }
}
