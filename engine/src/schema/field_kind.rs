//! The kinds of fields.

/// What a field is to queries, sorts and aggregations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldKind {
    /// `text`, `match_only_text`: analysed.
    Text,
    /// `keyword`, `wildcard`: one term per value.
    Keyword,
    /// `constant_keyword`: the same value in every document; it is in [`FieldMapping::constant`](super::FieldMapping::constant).
    ConstantKeyword,
    /// Signed 64 bits.
    Long,
    /// Signed 32 bits.
    Integer,
    /// Signed 16 bits.
    Short,
    /// Signed 8 bits.
    Byte,
    /// 64-bit float.
    Double,
    /// 32-bit float.
    Float,
    /// 16-bit float.
    HalfFloat,
    /// A fraction kept as a whole number of `1 / scaling_factor`.
    ScaledFloat,
    /// Unsigned 64 bits.
    UnsignedLong,
    /// `true` or `false`.
    Boolean,
    /// Milliseconds since the epoch.
    Date,
    /// Nanoseconds since the epoch.
    DateNanos,
    /// IPv4 or IPv6 address.
    Ip,
    /// A place on the globe.
    GeoPoint,
    /// A range of numbers, dates or addresses.
    Range,
    /// Base64 bytes, not searchable.
    Binary,
    /// Another name of a field; lookups resolve it, so no [`FieldMapping`](super::FieldMapping) has this kind.
    Alias,
}

impl FieldKind {
    /// Whether the column is numeric: numbers, dates and booleans.
    pub fn is_numeric_column(self) -> bool {
        use FieldKind::*;
        matches!(
            self,
            Long | Integer
                | Short
                | Byte
                | Double
                | Float
                | HalfFloat
                | ScaledFloat
                | UnsignedLong
                | Boolean
                | Date
                | DateNanos
        )
    }

    /// Whether it is a number to the user: neither date nor boolean.
    pub fn is_number(self) -> bool {
        use FieldKind::*;
        self.is_numeric_column() && !matches!(self, Boolean | Date | DateNanos)
    }

    /// Whether it is a `date` or `date_nanos`.
    pub fn is_date(self) -> bool {
        matches!(self, FieldKind::Date | FieldKind::DateNanos)
    }
}
