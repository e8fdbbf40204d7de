//! `constant_keyword`: the same value in every document, kept in the mapping alone.

use super::super::params::{Param, ParamKind, Params, fixed, free};
use super::{FieldType, value_text};
use crate::document::{ColumnKind, FieldBuilder, FieldSpec, IndexOptions, Scalar};
use crate::schema::{FieldKind, FieldMapping, SchemaError, ValueError};
use crate::value::Value;

/// The type.
#[derive(Debug)]
pub(super) struct ConstantKeyword;

impl FieldType for ConstantKeyword {
    fn name(&self) -> &'static str {
        "constant_keyword"
    }

    fn kind(&self) -> FieldKind {
        FieldKind::ConstantKeyword
    }

    fn params(&self) -> &'static [Param] {
        const PARAMS: &[Param] = &[
            fixed("value", ParamKind::Text),
            free("meta", ParamKind::Meta),
        ];
        PARAMS
    }

    fn spec(&self, _params: &Params) -> FieldSpec {
        FieldSpec {
            index: IndexOptions::None,
            norms: false,
            column: ColumnKind::None,
            points: false,
            stored: false,
        }
    }

    fn validate(&self, field: &FieldMapping) -> Result<(), SchemaError> {
        match field.params.text("value") {
            Some(_) => Ok(()),
            None => Err(SchemaError::mapper(format!(
                "Field [{}] is missing required parameter [value]",
                field.path()
            ))),
        }
    }

    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        _out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        let expected = field.constant().unwrap_or_default();
        let text = value.text();
        if text == expected {
            return Ok(());
        }
        Err(ValueError::illegal(format!(
            "constant keyword field [{}] must have a value of [{expected}]",
            field.path()
        )))
    }

    fn encode_term(&self, _field: &FieldMapping, value: &Value) -> Result<Vec<u8>, ValueError> {
        Ok(value_text(value).into_bytes())
    }
}
