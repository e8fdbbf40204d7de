//! `integer_range`, `long_range`, `float_range`, `double_range`, `date_range`, `ip_range`: values that are ranges themselves.
//!
//! A range is one term: its two ends, both included, in an encoding that sorts as the values do. A query looks at each
//! distinct range once.

use std::ops::Bound;

use serde_json::Value as Json;

use super::super::dates::{DateFormat, Instant};
use super::super::params::{Param, ParamKind, Params, fixed, free};
use super::date::Date;
use super::float::Float;
use super::ip::Ip;
use super::whole::Whole;
use super::{FieldType, unsupported};
use crate::document::{ColumnKind, FieldBuilder, FieldSpec, IndexOptions, Scalar};
use crate::schema::{FieldKind, FieldMapping, RangeMatch, RangeOptions, SchemaError, ValueError};
use crate::value::Value;

/// A type of ranges.
#[derive(Debug)]
pub(super) struct Ranges {
    name: &'static str,
    /// The type of the ends.
    ends: &'static dyn FieldType,
    params: &'static [Param],
}

const PLAIN: &[Param] = &[
    fixed("index", ParamKind::Bool(true)),
    fixed("doc_values", ParamKind::Bool(true)),
    free("coerce", ParamKind::Explicit(true)),
    free("boost", ParamKind::Boost),
    free("meta", ParamKind::Meta),
    free("ignore_malformed", ParamKind::Explicit(false)),
];

const DATES: &[Param] = &[
    fixed("index", ParamKind::Bool(true)),
    fixed("doc_values", ParamKind::Bool(true)),
    free("coerce", ParamKind::Explicit(true)),
    fixed("format", ParamKind::Text),
    free("boost", ParamKind::Boost),
    free("meta", ParamKind::Meta),
    free("ignore_malformed", ParamKind::Explicit(false)),
];

impl Ranges {
    pub const INTEGER: Ranges = Ranges::new("integer_range", &Whole::INTEGER, PLAIN);
    pub const LONG: Ranges = Ranges::new("long_range", &Whole::LONG, PLAIN);
    pub const FLOAT: Ranges = Ranges::new("float_range", &Float::SINGLE, PLAIN);
    pub const DOUBLE: Ranges = Ranges::new("double_range", &Float::DOUBLE, PLAIN);
    pub const DATE: Ranges = Ranges::new("date_range", &Date::MILLIS, DATES);
    pub const IP: Ranges = Ranges::new("ip_range", &Ip, PLAIN);

    const fn new(
        name: &'static str,
        ends: &'static dyn FieldType,
        params: &'static [Param],
    ) -> Ranges {
        Ranges { name, ends, params }
    }

    /// Bytes of one end.
    fn width(&self) -> usize {
        match self.ends.kind() {
            FieldKind::Ip => 16,
            _ => 8,
        }
    }

    /// Both ends as bytes, or `None` when nothing is between them.
    fn ends_of(&self, found: RangeMatch) -> Option<(Vec<u8>, Vec<u8>)> {
        match found {
            RangeMatch::Nothing => None,
            RangeMatch::Numbers { lo, hi } => Some((number_bytes(lo), number_bytes(hi))),
            RangeMatch::Terms { lower, upper } => {
                let low = match lower {
                    Bound::Unbounded => vec![0; self.width()],
                    Bound::Included(bytes) => bytes,
                    Bound::Excluded(bytes) => neighbour(bytes, true)?,
                };
                let high = match upper {
                    Bound::Unbounded => vec![u8::MAX; self.width()],
                    Bound::Included(bytes) => bytes,
                    Bound::Excluded(bytes) => neighbour(bytes, false)?,
                };
                Some((low, high))
            }
        }
    }

    /// Reads one end of a document's range.
    fn end(
        &self,
        field: &FieldMapping,
        value: &Json,
        included: bool,
        is_lower: bool,
    ) -> Result<Vec<u8>, ValueError> {
        let scalar = Scalar::of(value).ok_or_else(|| {
            ValueError::illegal(format!(
                "a range of field [{}] ends in no value",
                field.path()
            ))
        })?;
        if let (FieldKind::Date, Some(format)) = (self.ends.kind(), &field.format) {
            let millis = date_end(format, &scalar.text())?.millis();
            let moved = match (included, is_lower) {
                (true, _) => Some(millis),
                (false, true) => millis.checked_add(1),
                (false, false) => millis.checked_sub(1),
            };
            return Ok(number_bytes(moved.ok_or_else(|| out_of_range(&scalar))?));
        }
        let value = match scalar {
            Scalar::Str(_) if !field.coerce && self.ends.kind() != FieldKind::Ip => {
                return Err(ValueError::illegal(format!(
                    "{} value passed as String",
                    self.ends.name()
                )));
            }
            Scalar::F64(n, _)
                if matches!(self.ends.kind(), FieldKind::Integer | FieldKind::Long)
                    && n.fract() != 0.0 =>
            {
                if !field.coerce {
                    return Err(ValueError::illegal(format!(
                        "{} cannot be converted to {} without data loss",
                        scalar.text(),
                        self.ends.name()
                    )));
                }
                Value::F64(n.trunc())
            }
            Scalar::Bool(flag) => Value::Bool(flag),
            Scalar::I64(n) => Value::I64(n),
            Scalar::U64(n) => Value::U64(n),
            Scalar::Big(_) => return Err(out_of_range(&scalar)),
            Scalar::F64(n, _) => Value::F64(n),
            Scalar::Str(text) => Value::Str(text.to_owned()),
        };
        let bound = match included {
            true => Bound::Included(&value),
            false => Bound::Excluded(&value),
        };
        let (lower, upper) = match is_lower {
            true => (bound, Bound::Unbounded),
            false => (Bound::Unbounded, bound),
        };
        let found = self
            .ends
            .encode_range(field, lower, upper, &RangeOptions::default())?;
        match self.ends_of(found) {
            Some((low, high)) => Ok(if is_lower { low } else { high }),
            None => Err(out_of_range(&scalar)),
        }
    }

    /// One end as users see it: texts of numbers as numbers, dates in the field's format.
    fn shown_end(&self, field: &FieldMapping, end: &Json) -> Result<Json, ValueError> {
        let Some(scalar) = Scalar::of(end) else {
            return Ok(Json::Null);
        };
        if self.ends.kind() == FieldKind::Ip {
            return Ok(end.clone());
        }
        if let (FieldKind::Date, Some(format)) = (self.ends.kind(), &field.format) {
            let instant = date_end(format, &scalar.text())?;
            return Ok(Json::String(format.format_instant(instant, None)?));
        }
        let number = super::float::read_double(scalar)?;
        Ok(match self.ends.kind() {
            FieldKind::Integer | FieldKind::Long => match end.as_i64() {
                Some(whole) => Json::from(whole),
                None => Json::from(number.trunc() as i64),
            },
            _ => Json::from(number),
        })
    }

    /// The ends of a field without bounds.
    fn widest(&self, is_lower: bool) -> Vec<u8> {
        let (lo, hi) = match self.ends.kind() {
            FieldKind::Ip => return vec![if is_lower { 0 } else { u8::MAX }; 16],
            FieldKind::Integer => (i64::from(i32::MIN), i64::from(i32::MAX)),
            FieldKind::Float | FieldKind::Double => (
                crate::schema::f64_to_sortable(f64::NEG_INFINITY),
                crate::schema::f64_to_sortable(f64::INFINITY),
            ),
            _ => (i64::MIN, i64::MAX),
        };
        number_bytes(if is_lower { lo } else { hi })
    }
}

/// An end that is a date; date math may move it, but not from the time at which it is indexed.
fn date_end(format: &DateFormat, text: &str) -> Result<Instant, ValueError> {
    if text.starts_with("now") {
        return Err(ValueError::illegal("now is not used at indexing time"));
    }
    format.parse_math_instant(text, 0, false, None)
}

fn out_of_range(value: &Scalar<'_>) -> ValueError {
    ValueError::illegal(format!("Value [{}] is out of range", value.text()))
}

/// Eight bytes that sort as the numbers do.
fn number_bytes(number: i64) -> Vec<u8> {
    let flipped = (number as u64) ^ (1 << 63);
    (0..8).rev().map(|at| (flipped >> (at * 8)) as u8).collect()
}

/// Both ends of the term of a range of numbers or dates, included; of floats as
/// [`f64_to_sortable`](crate::schema::f64_to_sortable) has them. `None` for what is no such term.
pub(crate) fn range_ends(term: &[u8]) -> Option<(i64, i64)> {
    let (low, high) = term.split_at_checked(8)?;
    let number = |bytes: &[u8]| {
        let bits = bytes
            .iter()
            .fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        (bits ^ (1 << 63)) as i64
    };
    (high.len() == 8).then(|| (number(low), number(high)))
}

/// The next or the previous of all texts of bytes of one length.
fn neighbour(mut bytes: Vec<u8>, next: bool) -> Option<Vec<u8>> {
    for byte in bytes.iter_mut().rev() {
        let (moved, carried) = match next {
            true => byte.overflowing_add(1),
            false => byte.overflowing_sub(1),
        };
        *byte = moved;
        if !carried {
            return Some(bytes);
        }
    }
    None
}

impl FieldType for Ranges {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> FieldKind {
        FieldKind::Range
    }

    fn params(&self) -> &'static [Param] {
        self.params
    }

    fn ends(&self) -> Option<FieldKind> {
        Some(self.ends.kind())
    }

    fn spec(&self, params: &Params) -> FieldSpec {
        FieldSpec {
            index: match params.flag("index", true) {
                true => IndexOptions::Docs,
                false => IndexOptions::None,
            },
            norms: false,
            column: match params.flag("doc_values", true) {
                true => ColumnKind::Ordinals,
                false => ColumnKind::None,
            },
            points: false,
            stored: false,
        }
    }

    fn validate(&self, field: &FieldMapping) -> Result<(), SchemaError> {
        let unsupported = match (field.copy_to.is_empty(), field.multi_fields().is_empty()) {
            (false, _) => Some("copy_to"),
            (_, false) => Some("fields"),
            _ => None,
        };
        match unsupported {
            Some(param) => Err(SchemaError::mapper(format!(
                "[{param}] is not supported on field [{}] of type [{}]",
                field.path(),
                self.name
            ))),
            None => Ok(()),
        }
    }

    fn reads_trees(&self) -> bool {
        true
    }

    fn parse_tree(
        &self,
        field: &FieldMapping,
        value: &Json,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        let (mut low, mut high) = (self.widest(true), self.widest(false));
        match value {
            Json::Null => return Ok(()),
            Json::Array(items) => {
                for item in items {
                    self.parse_tree(field, item, out)?;
                }
                return Ok(());
            }
            Json::String(block) if self.ends.kind() == FieldKind::Ip => {
                let (first, last) = super::ip::parse_cidr(block)?;
                (low, high) = (first.to_vec(), last.to_vec());
            }
            Json::Object(members) => {
                for (key, end) in members {
                    let (included, is_lower) = match key.as_str() {
                        "gt" => (false, true),
                        "gte" => (true, true),
                        "lt" => (false, false),
                        "lte" => (true, false),
                        other => {
                            return Err(ValueError::new(
                                "mapper_parsing_exception",
                                format!(
                                    "error parsing field [{}], with unknown parameter [{other}]",
                                    field.path()
                                ),
                            ));
                        }
                    };
                    if !end.is_null() {
                        let bytes = self.end(field, end, included, is_lower)?;
                        *(if is_lower { &mut low } else { &mut high }) = bytes;
                    }
                }
            }
            _ => {
                return Err(ValueError::new(
                    "mapper_parsing_exception",
                    format!(
                        "error parsing field [{}], expected an object but got {}",
                        field.path(),
                        value
                    ),
                ));
            }
        }
        if low > high {
            return Err(ValueError::illegal(format!(
                "the smallest value of a range of field [{}] is greater than its greatest",
                field.path()
            )));
        }
        low.extend(high);
        out.add_term(&low);
        Ok(())
    }

    fn show_tree(
        &self,
        field: &FieldMapping,
        value: &Json,
        shown: &mut Vec<Json>,
    ) -> Result<(), ValueError> {
        match value {
            Json::Array(items) => {
                for item in items {
                    self.show_tree(field, item, shown)?;
                }
            }
            Json::Object(members) => {
                let mut range = serde_json::Map::new();
                for (key, end) in members {
                    range.insert(key.clone(), self.shown_end(field, end)?);
                }
                shown.push(Json::Object(range));
            }
            Json::String(block) => shown.push(Json::String(block.clone())),
            _ => {}
        }
        Ok(())
    }

    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        self.parse_tree(field, &Json::String(value.text().into_owned()), out)
    }

    fn encode_range(
        &self,
        field: &FieldMapping,
        lower: Bound<&Value>,
        upper: Bound<&Value>,
        options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        let found = self.ends.encode_range(field, lower, upper, options)?;
        Ok(match self.ends_of(found) {
            Some((low, high)) => RangeMatch::Terms {
                lower: Bound::Included(low),
                upper: Bound::Included(high),
            },
            None => RangeMatch::Nothing,
        })
    }

    fn format_term(
        &self,
        field: &FieldMapping,
        _term: &[u8],
        _format: Option<&str>,
    ) -> Result<Value, ValueError> {
        Err(unsupported(field, "doc values"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_sort_as_their_numbers() {
        let numbers = [i64::MIN, -5, -1, 0, 7, i64::MAX];
        for pair in numbers.windows(2) {
            assert!(number_bytes(pair[0]) < number_bytes(pair[1]));
        }
        for number in numbers {
            let term = [number_bytes(number), number_bytes(7)].concat();
            assert_eq!(range_ends(&term), Some((number, 7)));
        }
        assert_eq!(range_ends(&[0; 15]), None);
        assert_eq!(range_ends(&[0; 32]), None);
        assert_eq!(neighbour(vec![1, 255], true), Some(vec![2, 0]));
        assert_eq!(neighbour(vec![1, 0], false), Some(vec![0, 255]));
        assert_eq!(neighbour(vec![255, 255], true), None);
    }
}
