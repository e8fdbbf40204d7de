//! `long`, `integer`, `short`, `byte`: signed whole numbers.

use std::ops::Bound;

use super::super::params::{Param, ParamKind, Params, fixed, free};
use super::boolean::numeric_spec;
use super::{FieldType, numbers, scalar};
use crate::document::{FieldBuilder, FieldSpec, Scalar, StoredValue, java_double};
use crate::schema::{FieldKind, FieldMapping, NumericKind, RangeMatch, RangeOptions, ValueError};
use crate::value::Value;

/// Parameters of all number types.
pub(super) const NUMBER_PARAMS: &[Param] = &[
    fixed("index", ParamKind::Bool(true)),
    fixed("doc_values", ParamKind::Bool(true)),
    fixed("store", ParamKind::Bool(false)),
    free("ignore_malformed", ParamKind::Explicit(false)),
    free("coerce", ParamKind::Explicit(true)),
    fixed("null_value", ParamKind::Any),
    // Points and columns both stay; the hint only says which to skip, and none is skipped.
    free("skip_list", ParamKind::Bool(false)),
    free("boost", ParamKind::Boost),
    free("meta", ParamKind::Meta),
];

/// A signed whole number of some width.
#[derive(Debug)]
pub(super) struct Whole {
    name: &'static str,
    kind: FieldKind,
    min: i64,
    max: i64,
    /// As errors call it.
    article: &'static str,
    class: &'static str,
}

impl Whole {
    pub const LONG: Whole = Whole {
        name: "long",
        kind: FieldKind::Long,
        min: i64::MIN,
        max: i64::MAX,
        article: "a long",
        class: "Long",
    };
    pub const INTEGER: Whole = Whole {
        name: "integer",
        kind: FieldKind::Integer,
        min: i32::MIN as i64,
        max: i32::MAX as i64,
        article: "an integer",
        class: "Integer",
    };
    pub const SHORT: Whole = Whole {
        name: "short",
        kind: FieldKind::Short,
        min: i16::MIN as i64,
        max: i16::MAX as i64,
        article: "a short",
        class: "Short",
    };
    pub const BYTE: Whole = Whole {
        name: "byte",
        kind: FieldKind::Byte,
        min: i8::MIN as i64,
        max: i8::MAX as i64,
        article: "a byte",
        class: "Integer",
    };

    fn check(&self, n: i64, shown: &str) -> Result<i64, ValueError> {
        if n < self.min || n > self.max {
            return Err(self.out_of_range(shown));
        }
        Ok(n)
    }

    fn out_of_range(&self, shown: &str) -> ValueError {
        ValueError::illegal(format!(
            "Value [{shown}] is out of range for {}",
            self.article
        ))
    }

    /// A value as this number, decimals cut off; and whether any were.
    fn read(&self, value: Scalar<'_>) -> Result<(i64, bool), ValueError> {
        match value {
            Scalar::I64(n) => Ok((self.check(n, &n.to_string())?, false)),
            Scalar::U64(n) => Err(self.out_of_range(&n.to_string())),
            Scalar::Big(text) => Err(self.out_of_range(text)),
            Scalar::F64(n, _) => self.read_float(n, &java_double(n)),
            Scalar::Bool(_) => Err(ValueError::number_format(&value.text())),
            Scalar::Str(text) => match text.parse::<i64>() {
                Ok(n) => Ok((self.check(n, text)?, false)),
                Err(_) => {
                    let trimmed = text.trim();
                    match trimmed.parse::<f64>() {
                        Ok(n) if is_java_number(trimmed) => self.read_float(n, text),
                        _ if self.kind == FieldKind::Long => {
                            Err(ValueError::illegal(format!("For input string: \"{text}\"")))
                        }
                        _ => Err(ValueError::number_format(text)),
                    }
                }
            },
        }
    }

    fn read_float(&self, n: f64, shown: &str) -> Result<(i64, bool), ValueError> {
        // 2^63 is the first float beyond i64.
        if !n.is_finite() || n < self.min as f64 || n >= 9_223_372_036_854_775_808.0 {
            return Err(self.out_of_range(shown));
        }
        let whole = n.trunc() as i64;
        Ok((self.check(whole, shown)?, n.fract() != 0.0))
    }
}

/// Whether a text that Rust reads as a number is one to Java's `Double.parseDouble` of plain numbers.
pub(super) fn is_java_number(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'))
}

/// The error of a text where `coerce` is off.
pub(super) fn refuse_text(class: &str) -> ValueError {
    ValueError::illegal(format!("{class} value passed as String"))
}

impl FieldType for Whole {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> FieldKind {
        self.kind
    }

    fn params(&self) -> &'static [Param] {
        NUMBER_PARAMS
    }

    fn spec(&self, params: &Params) -> FieldSpec {
        numeric_spec(params)
    }

    fn numeric(&self, _params: &Params) -> Option<NumericKind> {
        Some(NumericKind::I64)
    }

    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        match value {
            // An empty text is no value when texts are read as numbers.
            Scalar::Str("") if field.coerce => return Ok(()),
            Scalar::Str(_) if !field.coerce => return Err(refuse_text(self.class)),
            Scalar::U64(_) | Scalar::Big(_) if self.kind == FieldKind::Long => {
                return Err(ValueError::new(
                    "input_coercion_exception",
                    format!(
                        "Numeric value ({}) out of range of long ({} - {})",
                        value.text(),
                        i64::MIN,
                        i64::MAX
                    ),
                ));
            }
            _ => {}
        }
        let (number, cut) = self.read(value)?;
        if cut && !field.coerce {
            return Err(ValueError::illegal(format!(
                "{} cannot be converted to {} without data loss",
                value.text(),
                self.class
            )));
        }
        out.add_number(field, number, StoredValue::I64(number));
        Ok(())
    }

    fn encode_number(
        &self,
        _field: &FieldMapping,
        value: &Value,
        _options: &RangeOptions,
    ) -> Result<Option<i64>, ValueError> {
        let Some(value) = scalar(value) else {
            return Ok(None);
        };
        let (number, cut) = self.read(value)?;
        Ok((!cut).then_some(number))
    }

    fn encode_range(
        &self,
        _field: &FieldMapping,
        lower: Bound<&Value>,
        upper: Bound<&Value>,
        _options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        // Short and byte compare as integers, whose range their bounds must keep to.
        let ops = match self.kind {
            FieldKind::Short | FieldKind::Byte => &Whole::INTEGER,
            _ => self,
        };
        let read = |value: &Value| scalar(value).map(|value| ops.read(value)).transpose();
        let lo = match lower {
            Bound::Unbounded => Some(i64::MIN),
            Bound::Included(value) | Bound::Excluded(value) => match read(value)? {
                None => Some(i64::MIN),
                Some((n, cut)) => {
                    let next = if cut {
                        is_positive(value)
                    } else {
                        matches!(lower, Bound::Excluded(_))
                    };
                    if next { n.checked_add(1) } else { Some(n) }
                }
            },
        };
        let hi = match upper {
            Bound::Unbounded => Some(i64::MAX),
            Bound::Included(value) | Bound::Excluded(value) => match read(value)? {
                None => Some(i64::MAX),
                Some((n, cut)) => {
                    let previous = if cut {
                        !is_positive(value)
                    } else {
                        matches!(upper, Bound::Excluded(_))
                    };
                    if previous { n.checked_sub(1) } else { Some(n) }
                }
            },
        };
        Ok(numbers(lo, hi))
    }
}

/// Whether a value that has decimals is above zero.
pub(super) fn is_positive(value: &Value) -> bool {
    match value {
        Value::F64(n) => *n > 0.0,
        Value::Str(text) => !text.trim_start().starts_with('-'),
        Value::I64(n) => *n > 0,
        _ => true,
    }
}
