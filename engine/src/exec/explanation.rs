//! How a score came about, as a tree.

use serde::{Deserialize, Serialize};

/// A number, what it is, and the numbers that it was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Whether the document matches this part; a part that does not match has value 0.
    pub matched: bool,
    /// The number.
    pub value: f64,
    /// What it is.
    pub description: String,
    /// What it was made of.
    pub details: Vec<Explanation>,
}

impl Explanation {
    /// A part that matches.
    pub fn matching(value: f64, description: impl Into<String>, details: Vec<Explanation>) -> Self {
        Explanation {
            matched: true,
            value,
            description: description.into(),
            details,
        }
    }

    /// A part that does not match.
    pub fn missing(description: impl Into<String>, details: Vec<Explanation>) -> Self {
        Explanation {
            matched: false,
            value: 0.0,
            description: description.into(),
            details,
        }
    }
}
