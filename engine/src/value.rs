//! A value as a user writes it in a query or reads it in an answer; the engine's JSON-free currency.

use serde::{Deserialize, Serialize};

/// One scalar. Numbers keep the kind in which they were written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Absent, or JSON's `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits.
    I64(i64),
    /// A whole number above `i64::MAX`.
    U64(u64),
    /// Any other number.
    F64(f64),
    /// Text.
    Str(String),
}
