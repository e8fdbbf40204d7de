//! `range`: values between two bounds.

use std::ops::Bound;

use crate::value::Value;
use serde::{Deserialize, Serialize};

/// Documents whose field holds a value between two bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeQuery {
    /// Path of the field.
    pub field: String,
    /// `gt` or `gte`.
    pub lower: Bound<Value>,
    /// `lt` or `lte`.
    pub upper: Bound<Value>,
    /// For fields that hold ranges.
    pub relation: Option<RangeRelation>,
    /// How dates in the bounds are written; `None`: as the field says.
    pub format: Option<String>,
    /// Zone of dates that name none.
    pub time_zone: Option<String>,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl RangeQuery {
    /// A query with all defaults.
    pub fn new(field: impl Into<String>, lower: Bound<Value>, upper: Bound<Value>) -> Self {
        RangeQuery {
            field: field.into(),
            lower,
            upper,
            relation: None,
            format: None,
            time_zone: None,
            boost: 1.0,
            name: None,
        }
    }
}

/// How the asked range lies to a range that a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RangeRelation {
    /// They share a value; for fields of single values the only one with a meaning.
    Intersects,
    /// The field's range holds the asked one.
    Contains,
    /// The asked range holds the field's.
    Within,
}
