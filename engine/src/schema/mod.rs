//! Field types and mappings: what a field is, how its values become terms and column values, and back.
//!
//! | kind | inverted terms | column |
//! |---|---|---|
//! | text | tokens with freqs, positions, norms | none |
//! | keyword, ip | one term per value, no freqs | ordinals into the same terms |
//! | numbers, dates, boolean | none; [`points`](crate::segment::PointsReader) | numeric: order-preserving `i64` |
//! | binary | none | bytes as ordinals, only if asked for |

mod context;
mod dynamic;
mod error;
mod field;
mod field_build;
mod field_kind;
mod index_schema;
mod mapping;
mod mapping_merge;
mod mapping_parse;
mod params;
mod pattern;
mod range;
mod settings;
mod types;

pub mod dates;

pub use error::{SchemaError, ValueError};
pub use field::{FieldMapping, Similarity};
pub use field_kind::FieldKind;
pub use index_schema::{IndexSchema, UpdateReason};
pub use mapping::Mapping;
pub use pattern::simple_match;
pub use range::{RangeMatch, RangeOptions};
pub use settings::{Durability, IndexSettings, Reorder, SettingError};
pub use types::field_type_names;

pub(crate) use dynamic::{Dynamic, ValueKind};
pub(crate) use mapping::{Node, ObjectNode, join};
pub(crate) use mapping_parse::{check_depth, parse_node};
pub use types::read_geo_point;
pub(crate) use types::{immense_term, range_ends};

use crate::value::Value;

/// How the `i64` of a numeric column reads. All keep order: `a < b` as values if and only if as `i64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum NumericKind {
    /// The integer itself: long, integer, short, byte; boolean as 0 and 1.
    I64,
    /// `unsigned_long`: the value with its top bit flipped.
    U64,
    /// float, half_float, double: the bits of the `f64`, all bits but the sign flipped when negative.
    F64,
    /// `scaled_float`: value times the scaling factor, rounded.
    Scaled(ScalingFactor),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    DateMillis,
    /// Nanoseconds since the same.
    DateNanos,
    /// 0 and 1.
    Bool,
}

/// `scaling_factor` of a `scaled_float`: a positive finite number.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ScalingFactor(pub f64);

impl Eq for ScalingFactor {}

impl NumericKind {
    /// The column value as a plain number: what metrics and histograms compute with.
    pub fn to_f64(self, stored: i64) -> f64 {
        match self {
            NumericKind::I64
            | NumericKind::DateMillis
            | NumericKind::DateNanos
            | NumericKind::Bool => stored as f64,
            NumericKind::U64 => ((stored as u64) ^ (1 << 63)) as f64,
            NumericKind::F64 => f64_from_sortable(stored),
            NumericKind::Scaled(factor) => stored as f64 / factor.0,
        }
    }

    /// The column value as a user would write it; dates stay numbers.
    pub fn to_value(self, stored: i64) -> Value {
        match self {
            NumericKind::I64 | NumericKind::DateMillis | NumericKind::DateNanos => {
                Value::I64(stored)
            }
            NumericKind::Bool => Value::Bool(stored != 0),
            NumericKind::U64 => Value::U64((stored as u64) ^ (1 << 63)),
            NumericKind::F64 | NumericKind::Scaled(_) => Value::F64(self.to_f64(stored)),
        }
    }
}

/// Bits of an `f64` as an `i64` of the same order (-0.0 before 0.0; NaN has no place).
pub fn f64_to_sortable(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ ((bits >> 63) & i64::MAX)
}

/// The inverse of [`f64_to_sortable`].
pub fn f64_from_sortable(stored: i64) -> f64 {
    f64::from_bits((stored ^ ((stored >> 63) & i64::MAX)) as u64)
}

#[cfg(test)]
mod tests;
