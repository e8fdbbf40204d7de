//! `wildcard`: terms by pattern.

use serde::{Deserialize, Serialize};

use super::TermsRewrite;

/// Documents that hold a term of this pattern: `*` any text, `?` one character, `\\` takes the next one as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WildcardQuery {
    /// Path of the field.
    pub field: String,
    /// The pattern.
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

impl WildcardQuery {
    /// A query with all defaults.
    pub fn new(field: impl Into<String>, value: impl Into<String>) -> Self {
        WildcardQuery {
            field: field.into(),
            value: value.into(),
            case_insensitive: false,
            rewrite: TermsRewrite::ConstantScore,
            boost: 1.0,
            name: None,
        }
    }
}
