//! `token_count`: how many tokens a text has, as a whole number.

use std::ops::Bound;

use super::super::params::{Param, ParamKind, Params, fixed, free};
use super::FieldType;
use super::boolean::numeric_spec;
use super::whole::Whole;
use crate::analysis::TokenBatch;
use crate::document::{FieldBuilder, FieldSpec, Scalar, StoredValue};
use crate::schema::{
    FieldKind, FieldMapping, NumericKind, RangeMatch, RangeOptions, SchemaError, ValueError,
};
use crate::value::Value;

/// The type.
#[derive(Debug)]
pub(super) struct TokenCount;

/// Tokens of a text: the positions they take, gaps included, or the tokens that take one.
fn count(field: &FieldMapping, text: &str) -> i64 {
    let mut batch = TokenBatch::default();
    field.index_analyzer.run(text, &mut batch, false);
    if !field.params.flag("enable_position_increments", true) {
        let own = batch.tokens.iter().filter(|token| token.increment > 0);
        return own.count() as i64;
    }
    let taken: i64 = batch.tokens.iter().map(|t| i64::from(t.increment)).sum();
    taken + i64::from(batch.end_increment)
}

impl FieldType for TokenCount {
    fn name(&self) -> &'static str {
        "token_count"
    }

    fn kind(&self) -> FieldKind {
        FieldKind::Integer
    }

    fn params(&self) -> &'static [Param] {
        const PARAMS: &[Param] = &[
            fixed("index", ParamKind::Bool(true)),
            fixed("doc_values", ParamKind::Bool(true)),
            fixed("store", ParamKind::Bool(false)),
            free("analyzer", ParamKind::Text),
            free("enable_position_increments", ParamKind::Bool(true)),
            free("boost", ParamKind::Boost),
            free("meta", ParamKind::Meta),
        ];
        PARAMS
    }

    fn spec(&self, params: &Params) -> FieldSpec {
        numeric_spec(params)
    }

    fn numeric(&self, _params: &Params) -> Option<NumericKind> {
        Some(NumericKind::I64)
    }

    fn validate(&self, field: &FieldMapping) -> Result<(), SchemaError> {
        if field.params.get("analyzer").is_none() {
            let name = field.path().rsplit('.').next().unwrap_or(field.path());
            return Err(SchemaError::mapper(format!(
                "Analyzer must be set for field [{name}] but wasn't."
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
        let number = count(field, &value.text());
        out.add_number(field, number, StoredValue::I64(number));
        Ok(())
    }

    fn encode_number(
        &self,
        field: &FieldMapping,
        value: &Value,
        options: &RangeOptions,
    ) -> Result<Option<i64>, ValueError> {
        Whole::INTEGER.encode_number(field, value, options)
    }

    fn encode_range(
        &self,
        field: &FieldMapping,
        lower: Bound<&Value>,
        upper: Bound<&Value>,
        options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        Whole::INTEGER.encode_range(field, lower, upper, options)
    }
}
