//! `unsigned_long`: whole numbers from 0 to 2^64 - 1.

use std::ops::Bound;

use super::super::params::{Param, Params};
use super::boolean::numeric_spec;
use super::whole::{NUMBER_PARAMS, is_java_number, is_positive, refuse_text};
use super::{FieldType, numbers, scalar};
use crate::document::{FieldBuilder, FieldSpec, Scalar, StoredValue};
use crate::schema::{FieldKind, FieldMapping, NumericKind, RangeMatch, RangeOptions, ValueError};
use crate::value::Value;

/// The type.
#[derive(Debug)]
pub(super) struct UnsignedLong;

/// The column value: the top bit flipped, so that order is kept.
fn encode(n: u64) -> i64 {
    (n ^ (1 << 63)) as i64
}

/// A value as this number, decimals cut off; and whether any were.
fn read(value: Scalar<'_>) -> Result<(u64, bool), ValueError> {
    let shown = value.text();
    let out = || {
        ValueError::illegal(format!(
            "Value [{shown}] is out of range for an unsigned long"
        ))
    };
    let from_float = |n: f64| {
        if !n.is_finite() || n <= -1.0 || n >= 18_446_744_073_709_551_616.0 {
            return Err(out());
        }
        Ok((n.trunc() as u64, n.fract() != 0.0))
    };
    match value {
        Scalar::I64(n) => Ok((u64::try_from(n).map_err(|_| out())?, false)),
        Scalar::U64(n) => Ok((n, false)),
        Scalar::F64(n, _) => from_float(n),
        Scalar::Big(_) => Err(out()),
        Scalar::Bool(_) => Err(ValueError::number_format(&shown)),
        Scalar::Str(text) => match text.parse::<u64>() {
            Ok(n) => Ok((n, false)),
            Err(_) => match text.trim().parse::<f64>() {
                Ok(n) if is_java_number(text.trim()) => from_float(n),
                _ => Err(ValueError::illegal(format!("For input string: \"{text}\""))),
            },
        },
    }
}

impl FieldType for UnsignedLong {
    fn name(&self) -> &'static str {
        "unsigned_long"
    }

    fn kind(&self) -> FieldKind {
        FieldKind::UnsignedLong
    }

    fn params(&self) -> &'static [Param] {
        NUMBER_PARAMS
    }

    fn spec(&self, params: &Params) -> FieldSpec {
        numeric_spec(params)
    }

    fn numeric(&self, _params: &Params) -> Option<NumericKind> {
        Some(NumericKind::U64)
    }

    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        match value {
            Scalar::Str("") if field.coerce => return Ok(()),
            Scalar::Str(_) if !field.coerce => return Err(refuse_text("BigInteger")),
            _ => {}
        }
        let (number, cut) = read(value)?;
        if cut && !field.coerce {
            return Err(ValueError::illegal(format!(
                "Value [{}] has a decimal part",
                value.text()
            )));
        }
        out.add_number(field, encode(number), StoredValue::U64(number));
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
        let (number, cut) = read(value)?;
        Ok((!cut).then_some(encode(number)))
    }

    fn encode_range(
        &self,
        _field: &FieldMapping,
        lower: Bound<&Value>,
        upper: Bound<&Value>,
        _options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        let read = |value: &Value| scalar(value).map(read).transpose();
        let lo = match lower {
            Bound::Unbounded => Some(0),
            Bound::Included(value) | Bound::Excluded(value) => match read(value)? {
                None => Some(0),
                Some((n, true)) if is_positive(value) => n.checked_add(1),
                Some((n, false)) if matches!(lower, Bound::Excluded(_)) => n.checked_add(1),
                Some((n, _)) => Some(n),
            },
        };
        let hi = match upper {
            Bound::Unbounded => Some(u64::MAX),
            Bound::Included(value) | Bound::Excluded(value) => match read(value)? {
                None => Some(u64::MAX),
                Some((_, true)) if !is_positive(value) => None,
                Some((n, false)) if matches!(upper, Bound::Excluded(_)) => n.checked_sub(1),
                Some((n, _)) => Some(n),
            },
        };
        Ok(numbers(lo.map(encode), hi.map(encode)))
    }
}
