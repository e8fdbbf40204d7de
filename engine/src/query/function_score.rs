//! `function_score`: scores changed by field values, distance, chance or constants.

use serde::{Deserialize, Serialize};

use super::Query;
use crate::value::Value;

/// The documents of a query with their scores changed by functions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionScoreQuery {
    /// Finds and scores.
    pub query: Box<Query>,
    /// What changes scores.
    pub functions: Vec<ScoreFunction>,
    /// How several functions make one number.
    pub score_mode: ScoreMode,
    /// How that number and the query's score make the final one.
    pub boost_mode: BoostMode,
    /// Upper bound of the functions' number.
    pub max_boost: f32,
    /// Documents that score less are no matches.
    pub min_score: Option<f32>,
    /// Factor of the score.
    pub boost: f32,
    /// Name reported by hits that this clause matched.
    pub name: Option<String>,
}

impl FunctionScoreQuery {
    /// A query with all defaults.
    pub fn new(query: Query, functions: Vec<ScoreFunction>) -> Self {
        FunctionScoreQuery {
            query: Box::new(query),
            functions,
            score_mode: ScoreMode::Multiply,
            boost_mode: BoostMode::Multiply,
            max_boost: f32::MAX,
            min_score: None,
            boost: 1.0,
            name: None,
        }
    }
}

/// One function, and the documents that it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreFunction {
    /// `None`: all documents.
    pub filter: Option<Query>,
    /// Factor of the function's value.
    pub weight: Option<f32>,
    /// What is computed.
    pub kind: ScoreFunctionKind,
}

/// What a function computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ScoreFunctionKind {
    /// 1.0: the weight alone counts.
    Weight,
    /// A field's value.
    FieldValueFactor(FieldFactor),
    /// A number from 0 to 1 by chance.
    Random(RandomScore),
    /// Less with distance from an origin.
    Decay(Decay),
}

/// `field_value_factor`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldFactor {
    /// A numeric field.
    pub field: String,
    /// Multiplied with the value first.
    pub factor: f32,
    /// Applied then.
    pub modifier: FieldModifier,
    /// Value of documents without one; `None`: those fail the search.
    pub missing: Option<f64>,
}

/// What `field_value_factor` does to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the formulas
pub enum FieldModifier {
    None,
    Log,
    Log1p,
    Log2p,
    Ln,
    Ln1p,
    Ln2p,
    Square,
    Sqrt,
    Reciprocal,
}

/// `random_score`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomScore {
    /// Same seed, same numbers.
    pub seed: i32,
    /// Field whose value tells documents apart; `None`: by chance, as nobody asked for the same numbers again.
    pub field: Option<String>,
}

impl RandomScore {
    /// The seed that a text stands for: Java's `String.hashCode()`.
    pub fn seed_of(text: &str) -> i32 {
        text.encode_utf16().fold(0i32, |hash, unit| {
            hash.wrapping_mul(31).wrapping_add(i32::from(unit))
        })
    }
}

/// `gauss`, `exp` and `linear`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decay {
    /// Curve.
    pub shape: DecayShape,
    /// A numeric or date field.
    pub field: String,
    /// Where the value is 1; dates default to now.
    pub origin: Option<Value>,
    /// Distance from origin plus offset at which the value is `decay`.
    pub scale: Value,
    /// Distance up to which the value stays 1.
    pub offset: Option<Value>,
    /// Between 0 and 1.
    pub decay: f64,
    /// Which of several distances counts.
    pub multi_value_mode: MultiValueMode,
}

/// Curve of a [`Decay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum DecayShape {
    Gauss,
    Exp,
    Linear,
}

/// Which of several values counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum MultiValueMode {
    Min,
    Max,
    Avg,
    Sum,
}

/// How several functions make one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum ScoreMode {
    Multiply,
    Sum,
    Avg,
    First,
    Max,
    Min,
}

/// How the functions' number and the query's score make the final score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum BoostMode {
    Multiply,
    Replace,
    Sum,
    Avg,
    Max,
    Min,
}
