//! The order of hits.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// One criterion; several are compared one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SortKey {
    /// What is compared.
    pub source: SortSource,
    /// Which end comes first.
    pub order: SortOrder,
    /// Where documents without a value stand.
    pub missing: SortMissing,
    /// Which of several values counts; `None`: the smallest when ascending, the greatest when descending.
    pub mode: Option<SortMode>,
    /// Type to take an unmapped field for; `None`: an unmapped field is an error.
    pub unmapped_type: Option<String>,
    /// Numbers to compare as: `long`, `double`, `date`, `date_nanos`.
    pub numeric_type: Option<String>,
    /// Format of dates in the hits' sort values; `None`: numbers.
    pub format: Option<String>,
}

impl SortKey {
    /// By score, highest first.
    pub fn score() -> SortKey {
        SortKey::new(SortSource::Score, SortOrder::Desc)
    }

    /// By the values of a field.
    pub fn field(path: impl Into<String>, order: SortOrder) -> SortKey {
        SortKey::new(SortSource::Field(path.into()), order)
    }

    fn new(source: SortSource, order: SortOrder) -> SortKey {
        SortKey {
            source,
            order,
            missing: SortMissing::Last,
            mode: None,
            unmapped_type: None,
            numeric_type: None,
            format: None,
        }
    }

    /// Compares the values of two hits, from whichever shards: less comes first.
    pub fn compare(&self, a: &SortValue, b: &SortValue) -> Ordering {
        let missing_first = self.missing == SortMissing::First;
        match (a, b) {
            (SortValue::Missing, SortValue::Missing) => Ordering::Equal,
            (SortValue::Missing, _) if missing_first => Ordering::Less,
            (SortValue::Missing, _) => Ordering::Greater,
            (_, SortValue::Missing) if missing_first => Ordering::Greater,
            (_, SortValue::Missing) => Ordering::Less,
            _ => match self.order {
                SortOrder::Asc => a.natural_order(b),
                SortOrder::Desc => b.natural_order(a),
            },
        }
    }
}

/// What hits are compared by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortSource {
    /// `_score`.
    Score,
    /// `_doc`: the order of the index.
    Doc,
    /// `_shard_doc`: number of the shard in the high 32 bits, place of the document in the low ones.
    ShardDoc,
    /// A field's doc values.
    Field(String),
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortOrder {
    /// Smallest first.
    Asc,
    /// Greatest first.
    Desc,
}

/// Where documents without a value stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SortMissing {
    /// After all others, in both orders.
    Last,
    /// Before all others, in both orders.
    First,
    /// As if they had this one.
    Value(Value),
}

/// Which of several values counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum SortMode {
    Min,
    Max,
    Sum,
    Avg,
    Median,
}

/// What one hit is compared by. Values of one key are of one kind on all shards where the field's type is the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SortValue {
    /// No value. Numeric fields never give it: they stand in with their type's outermost number.
    Missing,
    /// Whole number; dates too.
    I64(i64),
    /// Whole number of an `unsigned_long`.
    U64(u64),
    /// Any other number; scores.
    F64(f64),
    /// A term, and what is shown for it.
    Term {
        /// Compared.
        bytes: Vec<u8>,
        /// Shown.
        shown: Value,
    },
}

impl SortValue {
    /// The order of the values themselves, smallest first; numbers of several kinds compare as numbers.
    pub(super) fn natural_order(&self, other: &SortValue) -> Ordering {
        match (self, other) {
            (SortValue::I64(a), SortValue::I64(b)) => a.cmp(b),
            (SortValue::U64(a), SortValue::U64(b)) => a.cmp(b),
            (SortValue::Term { bytes: a, .. }, SortValue::Term { bytes: b, .. }) => a.cmp(b),
            (SortValue::Term { .. }, _) => Ordering::Greater,
            (_, SortValue::Term { .. }) => Ordering::Less,
            (SortValue::I64(a), SortValue::U64(b)) => i128::from(*a).cmp(&i128::from(*b)),
            (SortValue::U64(a), SortValue::I64(b)) => i128::from(*a).cmp(&i128::from(*b)),
            _ => self.as_f64().total_cmp(&other.as_f64()),
        }
    }

    fn as_f64(&self) -> f64 {
        match self {
            SortValue::I64(n) => *n as f64,
            SortValue::U64(n) => *n as f64,
            SortValue::F64(n) => *n,
            SortValue::Missing | SortValue::Term { .. } => f64::NAN,
        }
    }

    /// What a hit shows in `sort`.
    pub fn to_value(&self) -> Value {
        match self {
            SortValue::Missing => Value::Null,
            SortValue::I64(n) => Value::I64(*n),
            SortValue::U64(n) => Value::U64(*n),
            SortValue::F64(n) => Value::F64(*n),
            SortValue::Term { shown, .. } => shown.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(text: &str) -> SortValue {
        SortValue::Term {
            bytes: text.as_bytes().to_vec(),
            shown: Value::Str(text.to_owned()),
        }
    }

    #[test]
    fn missing_values_keep_their_place_in_both_orders() {
        for order in [SortOrder::Asc, SortOrder::Desc] {
            let mut key = SortKey::field("f", order);
            assert_eq!(
                key.compare(&SortValue::Missing, &term("a")),
                Ordering::Greater
            );
            key.missing = SortMissing::First;
            assert_eq!(key.compare(&SortValue::Missing, &term("a")), Ordering::Less);
        }
    }

    #[test]
    fn numbers_of_several_kinds_compare_as_numbers() {
        let key = SortKey::field("f", SortOrder::Asc);
        let less = |a, b| assert_eq!(key.compare(&a, &b), Ordering::Less);
        less(SortValue::I64(-1), SortValue::U64(0));
        less(SortValue::I64(1), SortValue::F64(1.5));
        less(SortValue::F64(1.5), SortValue::U64(2));
    }
}
