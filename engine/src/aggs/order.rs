//! The order of buckets.

use serde::{Deserialize, Serialize};

/// One criterion; several are compared one after the other, and equal buckets by key, ascending.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketOrder {
    /// What is compared.
    pub by: OrderKey,
    /// Smallest first.
    pub ascending: bool,
}

/// What buckets are compared by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OrderKey {
    /// `_count`.
    Count,
    /// `_key`.
    Key,
    /// A metric below the bucket: `avg_price`, `stats.avg`, `only_red>price.max`.
    Metric {
        /// Names of the aggregations on the way, outermost first.
        path: Vec<String>,
        /// The value of the last one, `value` if it has one only.
        property: Option<String>,
    },
}

impl BucketOrder {
    /// By key.
    pub fn key(ascending: bool) -> BucketOrder {
        BucketOrder {
            by: OrderKey::Key,
            ascending,
        }
    }

    /// By document count.
    pub fn count(ascending: bool) -> BucketOrder {
        BucketOrder {
            by: OrderKey::Count,
            ascending,
        }
    }
}
