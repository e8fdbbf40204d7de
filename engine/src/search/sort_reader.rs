//! What documents of one segment are sorted by.

use std::sync::Arc;

use super::{
    SearchContext, SearchError, SortKey, SortMissing, SortMode, SortOrder, SortSource, SortValue,
};
use crate::ids::DocId;
use crate::schema::{FieldKind, FieldMapping, NumericKind};
use crate::segment::{NumericColumn, OrdinalColumn, SegmentReader};
use crate::shard::ShardReader;
use crate::value::Value;

/// A sort key prepared for a shard: what its values are, whatever the segment.
pub(super) struct PlannedKey {
    /// As asked.
    pub key: SortKey,
    what: What,
}

enum What {
    Score,
    Doc,
    ShardDoc,
    Id,
    Number {
        path: String,
        kind: NumericKind,
        shown_as: NumberShape,
        missing: SortValue,
        field: Option<Arc<FieldMapping>>,
    },
    Term {
        path: String,
        field: Option<Arc<FieldMapping>>,
        missing: SortValue,
    },
}

/// Which numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NumberShape {
    I64,
    U64,
    F64,
    /// Milliseconds made of nanoseconds.
    NanosToMillis,
    /// Nanoseconds made of milliseconds.
    MillisToNanos,
}

/// A key's values in one segment.
pub(super) struct SegmentKey<'a> {
    planned: &'a PlannedKey,
    numbers: Option<NumericColumn>,
    ordinals: Option<OrdinalColumn>,
    segment: &'a SegmentReader,
    /// Documents of the shard before this segment.
    first_doc: i64,
    shard: u32,
    values: Vec<i64>,
    ords: Vec<u64>,
    /// The last ordinal turned into a value.
    last: Option<(u64, SortValue)>,
}

impl PlannedKey {
    /// Checks a key against the mapping.
    pub fn new(
        key: &SortKey,
        shard: &ShardReader,
        context: &SearchContext<'_>,
    ) -> Result<PlannedKey, SearchError> {
        let what = match &key.source {
            SortSource::Score => What::Score,
            SortSource::Doc => What::Doc,
            SortSource::ShardDoc => What::ShardDoc,
            SortSource::Field(path) => field_key(key, path, shard, context)?,
        };
        Ok(PlannedKey {
            key: key.clone(),
            what,
        })
    }

    /// Whether scores are compared.
    pub fn is_score(&self) -> bool {
        matches!(self.what, What::Score)
    }

    /// Whether documents are compared by their place, first ones first.
    pub fn is_doc_ascending(&self) -> bool {
        matches!(self.what, What::Doc | What::ShardDoc) && self.key.order == SortOrder::Asc
    }

    /// A value of `search_after` as one of this key's.
    pub fn after(&self, value: &Value, now_ms: i64) -> Result<SortValue, SearchError> {
        let wrong = || {
            SearchError::illegal(format!(
                "Failed to parse search_after value for field [{}].",
                self.name()
            ))
        };
        if *value == Value::Null {
            return Ok(SortValue::Missing);
        }
        match &self.what {
            What::Score => number(value).map(SortValue::F64).ok_or_else(wrong),
            What::Doc | What::ShardDoc => match value {
                Value::I64(n) => Ok(SortValue::I64(*n)),
                Value::Str(text) => text.trim().parse().map(SortValue::I64).map_err(|_| wrong()),
                _ => Err(wrong()),
            },
            What::Id => match value {
                Value::Str(text) => Ok(text_term(text)),
                _ => Err(wrong()),
            },
            What::Term { field, .. } => term_value(field.as_deref(), value),
            What::Number {
                shown_as, field, ..
            } => {
                if let Value::Str(text) = value
                    && let Some(field) = field
                    && field.kind().is_date()
                    && text.parse::<i64>().is_err()
                {
                    let stored = field.encode_number(value, now_ms)?.ok_or_else(wrong)?;
                    return Ok(SortValue::I64(match shown_as {
                        NumberShape::NanosToMillis => stored.div_euclid(1_000_000),
                        NumberShape::MillisToNanos => stored.saturating_mul(1_000_000),
                        _ => stored,
                    }));
                }
                plain_number(value, *shown_as).ok_or_else(wrong)
            }
        }
    }

    /// The smallest and the greatest value among the documents of a shard that have one, dead ones included; `None` where no
    /// column tells, or no document has one. What is shown for a term is left out.
    pub fn bounds(
        &self,
        shard: &ShardReader,
    ) -> Result<Option<(SortValue, SortValue)>, SearchError> {
        let mut known: Option<(SortValue, SortValue)> = None;
        for segment in &shard.segments {
            let ends = match &self.what {
                What::Number {
                    path,
                    kind,
                    shown_as,
                    ..
                } => {
                    let Some(column) = segment.reader.numeric(path)? else {
                        continue;
                    };
                    if !self.is_one_of_several() && !column.is_single_valued() {
                        return Ok(None);
                    }
                    let value = |stored| single(stored, *kind, *shown_as);
                    (column.doc_count() > 0).then(|| (value(column.min()), value(column.max())))
                }
                What::Term {
                    path,
                    field: Some(field),
                    ..
                } if field.has_doc_values() => {
                    let Some(column) = segment.reader.ordinals(path)? else {
                        continue;
                    };
                    let numbers = column.numbers();
                    match numbers.doc_count() {
                        0 => None,
                        _ => Some((
                            term_at(&column, numbers.min())?,
                            term_at(&column, numbers.max())?,
                        )),
                    }
                }
                What::Term { .. } | What::Score | What::Doc | What::ShardDoc | What::Id => {
                    return Ok(None);
                }
            };
            let Some((min, max)) = ends else { continue };
            known = Some(match known {
                None => (min, max),
                Some(sofar) => (
                    std::cmp::min_by(sofar.0, min, SortValue::natural_order),
                    std::cmp::max_by(sofar.1, max, SortValue::natural_order),
                ),
            });
        }
        Ok(known)
    }

    /// Whether one of several values of a document counts, and no number made of them.
    fn is_one_of_several(&self) -> bool {
        matches!(self.mode(), SortMode::Min | SortMode::Max)
    }

    fn mode(&self) -> SortMode {
        self.key.mode.unwrap_or(match self.key.order {
            SortOrder::Asc => SortMode::Min,
            SortOrder::Desc => SortMode::Max,
        })
    }

    fn name(&self) -> &str {
        match &self.key.source {
            SortSource::Score => "_score",
            SortSource::Doc => "_doc",
            SortSource::ShardDoc => "_shard_doc",
            SortSource::Field(path) => path,
        }
    }

    /// The key's values in a segment; `first_doc` counts the documents of the segments before.
    pub fn in_segment<'a>(
        &'a self,
        segment: &'a SegmentReader,
        first_doc: u64,
        shard: u32,
    ) -> Result<SegmentKey<'a>, SearchError> {
        let (mut numbers, mut ordinals) = (None, None);
        match &self.what {
            What::Number { path, .. } => numbers = segment.numeric(path)?,
            What::Term { path, .. } => ordinals = segment.fielddata(path)?,
            What::Score | What::Doc | What::ShardDoc | What::Id => {}
        }
        Ok(SegmentKey {
            planned: self,
            numbers,
            ordinals,
            segment,
            first_doc: i64::try_from(first_doc).unwrap_or(i64::MAX),
            shard,
            values: Vec::new(),
            ords: Vec::new(),
            last: None,
        })
    }
}

fn field_key(
    key: &SortKey,
    path: &str,
    shard: &ShardReader,
    context: &SearchContext<'_>,
) -> Result<What, SearchError> {
    match path {
        "_id" => return Ok(What::Id),
        "_seq_no" | "_version" | "_primary_term" => {
            return Ok(What::Number {
                path: path.to_owned(),
                kind: NumericKind::I64,
                shown_as: NumberShape::I64,
                missing: outermost(NumberShape::I64, key),
                field: None,
            });
        }
        _ => {}
    }
    let Some(field) = shard.schema.mapping.field(path) else {
        let Some(unmapped) = &key.unmapped_type else {
            return Err(SearchError::query_shard(format!(
                "No mapping found for [{path}] in order to sort on"
            )));
        };
        let shape = match unmapped.as_str() {
            "long" | "integer" | "short" | "byte" | "date" | "date_nanos" | "boolean" => {
                NumberShape::I64
            }
            "unsigned_long" => NumberShape::U64,
            "double" | "float" | "half_float" | "scaled_float" => NumberShape::F64,
            _ => {
                return Ok(What::Term {
                    path: path.to_owned(),
                    field: None,
                    missing: SortValue::Missing,
                });
            }
        };
        return Ok(What::Number {
            path: path.to_owned(),
            kind: NumericKind::I64,
            shown_as: shape,
            missing: numeric_missing(key, shape, None, context)?,
            field: None,
        });
    };
    check_sortable(field)?;
    if field.kind() == FieldKind::GeoPoint {
        return Err(SearchError::illegal(
            "can't sort on geo_point field without using specific sorting feature, like geo_distance",
        ));
    }
    if field.kind() == FieldKind::Range {
        return Err(SearchError::illegal(format!(
            "can't sort on field [{}] of type [{}]",
            field.path(),
            field.type_name()
        )));
    }
    let Some(kind) = field.numeric() else {
        if matches!(
            key.mode,
            Some(SortMode::Sum | SortMode::Avg | SortMode::Median)
        ) {
            return Err(SearchError::query_shard(
                "we only support AVG, MEDIAN and SUM on number based fields",
            ));
        }
        let missing = match &key.missing {
            SortMissing::First | SortMissing::Last => SortValue::Missing,
            SortMissing::Value(value) => term_value(Some(field), value)?,
        };
        return Ok(What::Term {
            path: field.path().to_owned(),
            field: Some(field.clone()),
            missing,
        });
    };
    let shape = shape_of(kind, key)?;
    Ok(What::Number {
        path: field.path().to_owned(),
        kind,
        shown_as: shape,
        missing: numeric_missing(key, shape, Some(field), context)?,
        field: Some(field.clone()),
    })
}

/// Refuses fields without a column.
pub(super) fn check_sortable(field: &FieldMapping) -> Result<(), SearchError> {
    if field.has_doc_values() || field.fielddata() {
        return Ok(());
    }
    let path = field.path();
    Err(SearchError::illegal(match field.kind() {
        FieldKind::Text => format!(
            "Text fields are not optimised for operations that require per-document field data like aggregations and \
             sorting, so these operations are disabled by default. Please use a keyword field instead. Alternatively, \
             set fielddata=true on [{path}] in order to load field data by uninverting the inverted index. Note that \
             this can use significant memory."
        ),
        _ => format!(
            "Can't load fielddata on [{path}] because fielddata is unsupported on fields of type [{}]. Use doc values instead.",
            field.type_name()
        ),
    }))
}

fn shape_of(kind: NumericKind, key: &SortKey) -> Result<NumberShape, SearchError> {
    let natural = match kind {
        NumericKind::U64 => NumberShape::U64,
        NumericKind::F64 | NumericKind::Scaled(_) => NumberShape::F64,
        NumericKind::I64 | NumericKind::DateMillis | NumericKind::DateNanos | NumericKind::Bool => {
            NumberShape::I64
        }
    };
    match key.numeric_type.as_deref() {
        None => Ok(natural),
        Some("long") => Ok(NumberShape::I64),
        Some("double") => Ok(NumberShape::F64),
        Some("date") => Ok(match kind {
            NumericKind::DateNanos => NumberShape::NanosToMillis,
            _ => NumberShape::I64,
        }),
        Some("date_nanos") => Ok(match kind {
            NumericKind::DateMillis => NumberShape::MillisToNanos,
            _ => NumberShape::I64,
        }),
        Some(other) => Err(SearchError::illegal(format!(
            "invalid value for [numeric_type], must be [long, double, date, date_nanos], got {other}"
        ))),
    }
}

/// What stands in for a missing number at the end or the start: the type's outermost value.
fn outermost(shape: NumberShape, key: &SortKey) -> SortValue {
    let greatest = (key.missing == SortMissing::First) == (key.order == SortOrder::Desc);
    match (shape, greatest) {
        (NumberShape::U64, true) => SortValue::U64(u64::MAX),
        (NumberShape::U64, false) => SortValue::U64(0),
        (NumberShape::F64, true) => SortValue::F64(f64::INFINITY),
        (NumberShape::F64, false) => SortValue::F64(f64::NEG_INFINITY),
        (_, true) => SortValue::I64(i64::MAX),
        (_, false) => SortValue::I64(i64::MIN),
    }
}

fn numeric_missing(
    key: &SortKey,
    shape: NumberShape,
    field: Option<&Arc<FieldMapping>>,
    context: &SearchContext<'_>,
) -> Result<SortValue, SearchError> {
    let SortMissing::Value(value) = &key.missing else {
        return Ok(outermost(shape, key));
    };
    if let (Value::Str(text), Some(field)) = (value, field)
        && field.kind().is_date()
        && text.parse::<f64>().is_err()
    {
        let stored = field.encode_number(value, context.now_ms)?;
        return Ok(SortValue::I64(stored.unwrap_or(i64::MAX)));
    }
    plain_number(value, shape).ok_or_else(|| {
        let text = match value {
            Value::Str(text) => text.clone(),
            other => format!("{other:?}"),
        };
        SearchError::refused(
            "number_format_exception",
            format!("For input string: \"{text}\""),
        )
    })
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::I64(n) => Some(*n as f64),
        Value::U64(n) => Some(*n as f64),
        Value::F64(n) => Some(*n),
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        Value::Str(text) => text.trim().parse().ok(),
        Value::Null => None,
    }
}

fn plain_number(value: &Value, shape: NumberShape) -> Option<SortValue> {
    match shape {
        NumberShape::F64 => number(value).map(SortValue::F64),
        NumberShape::U64 => match value {
            Value::U64(n) => Some(SortValue::U64(*n)),
            Value::I64(n) => u64::try_from(*n).ok().map(SortValue::U64),
            Value::Str(text) => text.trim().parse().ok().map(SortValue::U64),
            other => number(other).map(|n| SortValue::U64(n as u64)),
        },
        NumberShape::I64 | NumberShape::NanosToMillis | NumberShape::MillisToNanos => match value {
            Value::I64(n) => Some(SortValue::I64(*n)),
            Value::Bool(b) => Some(SortValue::I64(i64::from(*b))),
            Value::Str(text) if text == "true" => Some(SortValue::I64(1)),
            Value::Str(text) if text == "false" => Some(SortValue::I64(0)),
            Value::Str(text) => match text.trim().parse::<i64>() {
                Ok(n) => Some(SortValue::I64(n)),
                Err(_) => text
                    .trim()
                    .parse::<f64>()
                    .ok()
                    .map(|n| SortValue::I64(n as i64)),
            },
            other => number(other).map(|n| SortValue::I64(n as i64)),
        },
    }
}

fn text_term(text: &str) -> SortValue {
    SortValue::Term {
        bytes: text.as_bytes().to_vec(),
        shown: Value::Str(text.to_owned()),
    }
}

fn term_value(field: Option<&FieldMapping>, value: &Value) -> Result<SortValue, SearchError> {
    let text = match value {
        Value::Str(text) => text.clone(),
        Value::I64(n) => n.to_string(),
        Value::U64(n) => n.to_string(),
        Value::F64(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Null => return Ok(SortValue::Missing),
    };
    match field {
        Some(field) if field.kind() == FieldKind::Ip => Ok(SortValue::Term {
            bytes: field.encode_term(value)?,
            shown: Value::Str(text),
        }),
        _ => Ok(text_term(&text)),
    }
}

impl SegmentKey<'_> {
    /// The value of a document.
    pub fn value(&mut self, doc: u32, score: f32) -> Result<SortValue, SearchError> {
        match &self.planned.what {
            What::Score => Ok(SortValue::F64(f64::from(score))),
            What::Doc => Ok(SortValue::I64(self.first_doc + i64::from(doc))),
            What::ShardDoc => Ok(SortValue::I64(
                (i64::from(self.shard) << 32) | (self.first_doc + i64::from(doc)),
            )),
            What::Id => Ok(text_term(&self.segment.stored(DocId(doc))?.id)),
            What::Number {
                kind,
                shown_as,
                missing,
                ..
            } => {
                let Some(column) = &self.numbers else {
                    return Ok(missing.clone());
                };
                if column.is_single_valued() {
                    return Ok(match column.first(DocId(doc)) {
                        Some(stored) => single(stored, *kind, *shown_as),
                        None => missing.clone(),
                    });
                }
                column.values(DocId(doc), &mut self.values);
                if self.values.is_empty() {
                    return Ok(missing.clone());
                }
                Ok(several(&self.values, *kind, *shown_as, self.mode()))
            }
            What::Term { missing, field, .. } => {
                let Some(column) = &self.ordinals else {
                    return Ok(missing.clone());
                };
                column.ords(DocId(doc), &mut self.ords);
                let ord = match self.mode() {
                    SortMode::Max => self.ords.last(),
                    _ => self.ords.first(),
                };
                let Some(&ord) = ord else {
                    return Ok(missing.clone());
                };
                if let Some((last, value)) = &self.last
                    && *last == ord
                {
                    return Ok(value.clone());
                }
                let mut bytes = Vec::new();
                column.term(ord, &mut bytes)?;
                let shown = match field {
                    Some(field) => field.format_term(&bytes, None)?,
                    None => Value::Str(String::from_utf8_lossy(&bytes).into_owned()),
                };
                let value = SortValue::Term { bytes, shown };
                self.last = Some((ord, value.clone()));
                Ok(value)
            }
        }
    }

    /// The column and what stands for a missing value, where documents compare by a number as the column stores it:
    /// of several the smallest or the greatest.
    pub fn plain_numbers(&self) -> Option<(&NumericColumn, &SortValue)> {
        let What::Number {
            kind,
            shown_as,
            missing,
            ..
        } = &self.planned.what
        else {
            return None;
        };
        let as_stored = match shown_as {
            NumberShape::I64 => !matches!(
                kind,
                NumericKind::F64 | NumericKind::Scaled(_) | NumericKind::U64
            ),
            NumberShape::U64 => *kind == NumericKind::U64,
            NumberShape::F64 => *kind == NumericKind::F64,
            NumberShape::NanosToMillis | NumberShape::MillisToNanos => false,
        };
        let column = self.numbers.as_ref().filter(|_| as_stored)?;
        let one_of_them = self.planned.is_one_of_several();
        (one_of_them || column.is_single_valued()).then_some((column, missing))
    }

    fn mode(&self) -> SortMode {
        self.planned.mode()
    }
}

/// The term of an ordinal, without what is shown for it.
fn term_at(column: &OrdinalColumn, ord: i64) -> Result<SortValue, SearchError> {
    let mut bytes = Vec::new();
    column.term(u64::try_from(ord).unwrap_or_default(), &mut bytes)?;
    let shown = Value::Null;
    Ok(SortValue::Term { bytes, shown })
}

fn single(stored: i64, kind: NumericKind, shape: NumberShape) -> SortValue {
    match shape {
        NumberShape::F64 => SortValue::F64(kind.to_f64(stored)),
        NumberShape::U64 => SortValue::U64((stored as u64) ^ (1 << 63)),
        NumberShape::I64 => match kind {
            NumericKind::F64 | NumericKind::Scaled(_) | NumericKind::U64 => {
                SortValue::I64(kind.to_f64(stored) as i64)
            }
            _ => SortValue::I64(stored),
        },
        NumberShape::NanosToMillis => SortValue::I64(stored.div_euclid(1_000_000)),
        NumberShape::MillisToNanos => SortValue::I64(stored.saturating_mul(1_000_000)),
    }
}

/// One value made of several, which are ascending and at least one.
fn several(stored: &[i64], kind: NumericKind, shape: NumberShape, mode: SortMode) -> SortValue {
    let count = stored.len();
    let (first, last) = (stored[0], stored[count - 1]);
    let middle = (stored[(count - 1) / 2], stored[count / 2]);
    match mode {
        SortMode::Min => return single(first, kind, shape),
        SortMode::Max => return single(last, kind, shape),
        SortMode::Median if middle.0 == middle.1 => return single(middle.0, kind, shape),
        SortMode::Median | SortMode::Sum | SortMode::Avg => {}
    }
    if shape == NumberShape::F64 {
        let sum: f64 = stored.iter().map(|value| kind.to_f64(*value)).sum();
        return SortValue::F64(match mode {
            SortMode::Sum => sum,
            SortMode::Avg => sum / count as f64,
            _ => (kind.to_f64(middle.0) + kind.to_f64(middle.1)) / 2.0,
        });
    }
    if shape == NumberShape::U64 {
        return SortValue::U64(several_unsigned(stored, middle, mode));
    }
    let plain = |value: i64| match single(value, kind, shape) {
        SortValue::I64(n) => i128::from(n),
        _ => 0,
    };
    let sum: i128 = stored.iter().map(|value| plain(*value)).sum();
    let result = match mode {
        SortMode::Sum => sum,
        // rounded to the nearest, halves up
        SortMode::Avg => (sum as f64 / count as f64 + 0.5).floor() as i128,
        _ => ((plain(middle.0) + plain(middle.1)) as f64 / 2.0 + 0.5).floor() as i128,
    };
    let outermost = if result < 0 { i64::MIN } else { i64::MAX };
    SortValue::I64(i64::try_from(result).unwrap_or(outermost))
}

/// The same of unsigned numbers, whose sums start again at 0 beyond 64 bits, as the reference's do.
fn several_unsigned(stored: &[i64], middle: (i64, i64), mode: SortMode) -> u64 {
    let sum_of = |stored: &[i64]| {
        let numbers = stored.iter().map(|value| (*value as u64) ^ (1 << 63));
        numbers.fold(0u64, u64::wrapping_add)
    };
    // to the nearest, halves up
    let part = |sum: u64, count: usize| {
        let (sum, count) = (u128::from(sum), count as u128);
        ((2 * sum + count) / (2 * count)) as u64
    };
    match mode {
        SortMode::Avg => part(sum_of(stored), stored.len()),
        SortMode::Median => part(sum_of(&[middle.0, middle.1]), 2),
        _ => sum_of(stored),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_of_several_values() {
        let check = |mode, expected| {
            let value = several(&[1, 2, 4, 10], NumericKind::I64, NumberShape::I64, mode);
            assert_eq!(value, SortValue::I64(expected), "{mode:?}");
        };
        check(SortMode::Min, 1);
        check(SortMode::Max, 10);
        check(SortMode::Sum, 17);
        check(SortMode::Avg, 4);
        check(SortMode::Median, 3);
    }

    #[test]
    fn modes_of_several_unsigned_values() {
        let flip = |number: u64| (number ^ (1 << 63)) as i64;
        let check = |values: [u64; 4], mode, expected| {
            let value = several(&values.map(flip), NumericKind::U64, NumberShape::U64, mode);
            assert_eq!(value, SortValue::U64(expected), "{mode:?}");
        };
        let small = [1, 2, 5, 10];
        check(small, SortMode::Sum, 18);
        check(small, SortMode::Avg, 5);
        check(small, SortMode::Median, 4);
        // a double would not tell these numbers apart
        let large = [3, 4, 13_835_058_055_282_163_720, 13_835_058_055_282_163_721];
        check(large, SortMode::Max, 13_835_058_055_282_163_721);
        check(large, SortMode::Sum, 9_223_372_036_854_775_832);
        check(large, SortMode::Avg, 2_305_843_009_213_693_958);
        check(large, SortMode::Median, 6_917_529_027_641_081_862);
    }

    #[test]
    fn missing_numbers_stand_outermost() {
        for (order, missing, expected) in [
            (SortOrder::Asc, SortMissing::Last, i64::MAX),
            (SortOrder::Desc, SortMissing::Last, i64::MIN),
            (SortOrder::Asc, SortMissing::First, i64::MIN),
            (SortOrder::Desc, SortMissing::First, i64::MAX),
        ] {
            let key = SortKey {
                missing,
                ..SortKey::field("n", order)
            };
            assert_eq!(
                outermost(NumberShape::I64, &key),
                SortValue::I64(expected),
                "{key:?}"
            );
        }
    }
}
