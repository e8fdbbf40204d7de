//! `combined_fields`: several text fields searched as if they were one.

use super::{FieldBoost, MinimumShouldMatch, Operator, ZeroTerms};
use serde::{Deserialize, Serialize};

/// A text whose terms may each be in any of the fields, scored as if all were one field (BM25F).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CombinedFieldsQuery {
    /// The text.
    pub query: String,
    /// Text fields with the same search analyzer; their factors are at least 1.
    pub fields: Vec<FieldBoost>,
    /// Whether one term is enough.
    pub operator: Operator,
    /// How many terms must match.
    pub minimum_should_match: Option<MinimumShouldMatch>,
    /// What a text without terms matches.
    pub zero_terms: ZeroTerms,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl CombinedFieldsQuery {
    /// A query with all defaults.
    pub fn new(query: impl Into<String>, fields: Vec<FieldBoost>) -> Self {
        CombinedFieldsQuery {
            query: query.into(),
            fields,
            operator: Operator::Or,
            minimum_should_match: None,
            zero_terms: ZeroTerms::None,
            boost: 1.0,
            name: None,
        }
    }
}
