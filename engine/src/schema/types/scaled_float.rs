//! `scaled_float`: a fraction kept as a whole number of `1 / scaling_factor`.

use std::ops::Bound;

use super::super::ScalingFactor;
use super::super::params::{Param, ParamKind, Params, fixed, free};
use super::boolean::numeric_spec;
use super::float::read_double;
use super::whole::refuse_text;
use super::{FieldType, numbers, scalar};
use crate::document::{FieldBuilder, FieldSpec, Scalar, StoredValue};
use crate::schema::{
    FieldKind, FieldMapping, NumericKind, RangeMatch, RangeOptions, SchemaError, ValueError,
};
use crate::value::Value;

/// The type.
#[derive(Debug)]
pub(super) struct ScaledFloat;

fn factor(params: &Params) -> f64 {
    params
        .get("scaling_factor")
        .and_then(serde_json::Value::as_f64)
        .unwrap_or(0.0)
}

/// Java's `Math.round`: halves go up. Adding a half first would round twice.
fn round(n: f64) -> i64 {
    let below = n.floor();
    let up = n - below >= 0.5;
    (if up { below + 1.0 } else { below }) as i64
}

fn read(field: &FieldMapping, value: Scalar<'_>) -> Result<f64, ValueError> {
    let n = read_double(value)?;
    if !n.is_finite() {
        return Err(ValueError::illegal(format!(
            "[scaled_float] only supports finite values, but got [{}]",
            crate::document::java_double(n)
        )));
    }
    Ok(n * factor(&field.params))
}

impl FieldType for ScaledFloat {
    fn name(&self) -> &'static str {
        "scaled_float"
    }

    fn kind(&self) -> FieldKind {
        FieldKind::ScaledFloat
    }

    fn params(&self) -> &'static [Param] {
        const PARAMS: &[Param] = &[
            fixed("index", ParamKind::Bool(true)),
            fixed("doc_values", ParamKind::Bool(true)),
            fixed("store", ParamKind::Bool(false)),
            free("ignore_malformed", ParamKind::Explicit(false)),
            fixed("scaling_factor", ParamKind::Float),
            free("coerce", ParamKind::Explicit(true)),
            fixed("null_value", ParamKind::Any),
            free("boost", ParamKind::Boost),
            free("meta", ParamKind::Meta),
        ];
        PARAMS
    }

    fn spec(&self, params: &Params) -> FieldSpec {
        numeric_spec(params)
    }

    fn numeric(&self, params: &Params) -> Option<NumericKind> {
        Some(NumericKind::Scaled(ScalingFactor(factor(params))))
    }

    fn validate(&self, field: &FieldMapping) -> Result<(), SchemaError> {
        let Some(given) = field.params.get("scaling_factor") else {
            return Err(SchemaError::illegal(format!(
                "Field [{}] misses required parameter [scaling_factor]",
                field.path()
            )));
        };
        let factor = given.as_f64().unwrap_or(f64::NAN);
        if !factor.is_finite() || factor <= 0.0 {
            return Err(SchemaError::illegal(format!(
                "[scaling_factor] must be a positive number, got [{given}]"
            )));
        }
        Ok(())
    }

    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        match value {
            Scalar::Str("") if field.coerce => return Ok(()),
            Scalar::Str(_) if !field.coerce => return Err(refuse_text("Double")),
            _ => {}
        }
        let number = round(read(field, value)?);
        out.add_number(
            field,
            number,
            StoredValue::F64(number as f64 / factor(&field.params)),
        );
        Ok(())
    }

    fn encode_number(
        &self,
        field: &FieldMapping,
        value: &Value,
        _options: &RangeOptions,
    ) -> Result<Option<i64>, ValueError> {
        match scalar(value) {
            None => Ok(None),
            Some(value) => Ok(Some(round(read(field, value)?))),
        }
    }

    fn encode_range(
        &self,
        field: &FieldMapping,
        lower: Bound<&Value>,
        upper: Bound<&Value>,
        _options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        let read = |value: &Value| scalar(value).map(|value| read(field, value)).transpose();
        let lo = match lower {
            Bound::Unbounded => None,
            Bound::Included(value) => read(value)?,
            Bound::Excluded(value) => read(value)?.map(f64::next_up),
        };
        let hi = match upper {
            Bound::Unbounded => None,
            Bound::Included(value) => read(value)?,
            Bound::Excluded(value) => read(value)?.map(f64::next_down),
        };
        Ok(numbers(
            Some(lo.map_or(i64::MIN, |n| n.ceil() as i64)),
            Some(hi.map_or(i64::MAX, |n| n.floor() as i64)),
        ))
    }
}
