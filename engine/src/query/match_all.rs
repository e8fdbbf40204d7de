//! `match_all` and `match_none`.

use serde::{Deserialize, Serialize};

/// Every document; the score is the boost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchAllQuery {
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl Default for MatchAllQuery {
    fn default() -> Self {
        MatchAllQuery {
            boost: 1.0,
            name: None,
        }
    }
}

/// No document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchNoneQuery {
    /// Has no effect; kept so that the query reads back as written.
    pub boost: f32,
    /// Never reported.
    pub name: Option<String>,
}

impl Default for MatchNoneQuery {
    fn default() -> Self {
        MatchNoneQuery {
            boost: 1.0,
            name: None,
        }
    }
}
