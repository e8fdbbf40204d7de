//! `boolean`.

use std::ops::Bound;

use super::super::params::{Param, ParamKind, Params, fixed, free};
use super::{FieldType, numbers, value_text};
use crate::document::{ColumnKind, FieldBuilder, FieldSpec, IndexOptions, Scalar, StoredValue};
use crate::schema::{FieldKind, FieldMapping, NumericKind, RangeMatch, RangeOptions, ValueError};
use crate::value::Value;

/// The type.
#[derive(Debug)]
pub(super) struct Boolean;

impl FieldType for Boolean {
    fn name(&self) -> &'static str {
        "boolean"
    }

    fn kind(&self) -> FieldKind {
        FieldKind::Boolean
    }

    fn params(&self) -> &'static [Param] {
        const PARAMS: &[Param] = &[
            fixed("index", ParamKind::Bool(true)),
            fixed("doc_values", ParamKind::Bool(true)),
            fixed("store", ParamKind::Bool(false)),
            fixed("null_value", ParamKind::Bool(false)),
            free("boost", ParamKind::Boost),
            free("meta", ParamKind::Meta),
        ];
        PARAMS
    }

    fn spec(&self, params: &Params) -> FieldSpec {
        numeric_spec(params)
    }

    fn numeric(&self, _params: &Params) -> Option<NumericKind> {
        Some(NumericKind::Bool)
    }

    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        let flag = match value {
            Scalar::Bool(flag) => flag,
            Scalar::Str("true") => true,
            Scalar::Str("false" | "") => false,
            Scalar::Str(text) => {
                return Err(ValueError::illegal(format!(
                    "Failed to parse value [{text}] as only [true] or [false] are allowed."
                )));
            }
            other => {
                return Err(ValueError::new(
                    "json_parse_exception",
                    format!(
                        "Current token (VALUE_NUMBER) not of boolean type: {}",
                        other.text()
                    ),
                ));
            }
        };
        out.add_number(field, i64::from(flag), StoredValue::Bool(flag));
        Ok(())
    }

    fn encode_number(
        &self,
        _field: &FieldMapping,
        value: &Value,
        _options: &RangeOptions,
    ) -> Result<Option<i64>, ValueError> {
        Ok(Some(match value {
            Value::Bool(flag) => i64::from(*flag),
            other => match value_text(other).as_str() {
                "true" => 1,
                "false" | "" => 0,
                text => {
                    return Err(ValueError::illegal(format!(
                        "Can't parse boolean value [{text}], expected [true] or [false]"
                    )));
                }
            },
        }))
    }

    fn encode_range(
        &self,
        field: &FieldMapping,
        lower: Bound<&Value>,
        upper: Bound<&Value>,
        options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        let number = |value| self.encode_number(field, value, options);
        let lo = match lower {
            Bound::Included(value) if *value != Value::Null => number(value)?,
            Bound::Excluded(value) if *value != Value::Null => number(value)?.map(|n| n + 1),
            _ => Some(0),
        };
        let hi = match upper {
            Bound::Included(value) if *value != Value::Null => number(value)?,
            Bound::Excluded(value) if *value != Value::Null => number(value)?.map(|n| n - 1),
            _ => Some(1),
        };
        Ok(numbers(lo, hi))
    }
}

/// What numbers, dates and booleans build.
pub(super) fn numeric_spec(params: &Params) -> FieldSpec {
    FieldSpec {
        index: IndexOptions::None,
        norms: false,
        column: if params.flag("doc_values", true) {
            ColumnKind::Numeric
        } else {
            ColumnKind::None
        },
        points: params.flag("index", true),
        stored: params.flag("store", false),
    }
}
