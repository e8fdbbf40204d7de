//! What a range query on a field comes down to.

use std::ops::Bound;

/// How the bounds of a range are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RangeOptions {
    /// Date format of the bounds, in place of the field's.
    pub format: Option<String>,
    /// Time zone of bounds that name none: an offset or a zone name.
    pub time_zone: Option<String>,
    /// What `now` means, in milliseconds since the epoch.
    pub now_ms: i64,
}

/// A range in the field's own encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeMatch {
    /// Can match nothing.
    Nothing,
    /// Column values or points, both ends inclusive, `lo <= hi`.
    Numbers {
        /// Smallest value.
        lo: i64,
        /// Largest value.
        hi: i64,
    },
    /// Inverted terms.
    Terms {
        /// Lower end.
        lower: Bound<Vec<u8>>,
        /// Upper end.
        upper: Bound<Vec<u8>>,
    },
}
