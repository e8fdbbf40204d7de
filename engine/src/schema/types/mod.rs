//! Field types: one file each (the whole numbers share one), one row each in [`FIELD_TYPES`].

mod binary;
mod boolean;
mod constant_keyword;
mod date;
mod float;
mod geo_point;
mod ip;
mod keyword;
mod ranges;
mod scaled_float;
mod text;
mod token_count;
mod unsigned_long;
mod whole;

pub use geo_point::read_geo_point;
pub(crate) use keyword::immense as immense_term;
pub(crate) use ranges::range_ends;

use std::fmt::Debug;
use std::ops::Bound;

use super::params::{Param, Params};
use super::{
    FieldKind, FieldMapping, NumericKind, RangeMatch, RangeOptions, SchemaError, ValueError,
};
use crate::document::{FieldBuilder, FieldSpec, Scalar};
use crate::value::Value;

/// What a field type does.
pub(crate) trait FieldType: Debug + Sync {
    /// As users write it.
    fn name(&self) -> &'static str;
    /// What it is to queries.
    fn kind(&self) -> FieldKind;
    /// Parameters it accepts, in the order in which they are shown.
    fn params(&self) -> &'static [Param];
    /// What a segment builds.
    fn spec(&self, params: &Params) -> FieldSpec;

    /// How the column reads.
    fn numeric(&self, _params: &Params) -> Option<NumericKind> {
        None
    }

    /// What the ends of its values are, if they are ranges.
    fn ends(&self) -> Option<FieldKind> {
        None
    }

    /// Refuses parameters that contradict each other.
    fn validate(&self, _field: &FieldMapping) -> Result<(), SchemaError> {
        Ok(())
    }

    /// Adds one value of a document.
    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError>;

    /// Whether a value may be an object, or an array with a meaning of its own: then [`parse_tree`](Self::parse_tree)
    /// gets all that stands under the field's name.
    fn reads_trees(&self) -> bool {
        false
    }

    /// Adds a value that is not null, of a type that [reads trees](Self::reads_trees).
    fn parse_tree(
        &self,
        field: &FieldMapping,
        _value: &serde_json::Value,
        _out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        Err(unsupported(field, "trees"))
    }

    /// Adds the values of a tree as the `fields` of a search show them.
    fn show_tree(
        &self,
        field: &FieldMapping,
        _value: &serde_json::Value,
        _shown: &mut Vec<serde_json::Value>,
    ) -> Result<(), ValueError> {
        Err(unsupported(field, "trees"))
    }

    /// See [`FieldMapping::encode_term`].
    fn encode_term(&self, field: &FieldMapping, _value: &Value) -> Result<Vec<u8>, ValueError> {
        Err(unsupported(field, "terms"))
    }

    /// See [`FieldMapping::encode_number`].
    fn encode_number(
        &self,
        field: &FieldMapping,
        _value: &Value,
        _options: &RangeOptions,
    ) -> Result<Option<i64>, ValueError> {
        Err(unsupported(field, "numbers"))
    }

    /// See [`FieldMapping::encode_equal`].
    fn encode_equal(
        &self,
        field: &FieldMapping,
        value: &Value,
        options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        if self.kind().is_numeric_column() {
            return Ok(match self.encode_number(field, value, options)? {
                Some(number) => RangeMatch::Numbers {
                    lo: number,
                    hi: number,
                },
                None => RangeMatch::Nothing,
            });
        }
        let term = self.encode_term(field, value)?;
        Ok(RangeMatch::Terms {
            lower: Bound::Included(term.clone()),
            upper: Bound::Included(term),
        })
    }

    /// See [`FieldMapping::encode_range`].
    fn encode_range(
        &self,
        field: &FieldMapping,
        _lower: Bound<&Value>,
        _upper: Bound<&Value>,
        _options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        Err(ValueError::illegal(format!(
            "Field [{}] of type [{}] does not support range queries",
            field.path(),
            self.name()
        )))
    }

    /// See [`FieldMapping::format_number`].
    fn format_number(
        &self,
        field: &FieldMapping,
        stored: i64,
        format: Option<&str>,
        time_zone: Option<&str>,
    ) -> Result<Value, ValueError> {
        refuse_format(field, format, time_zone)?;
        Ok(field
            .numeric()
            .map_or(Value::I64(stored), |kind| kind.to_value(stored)))
    }

    /// See [`FieldMapping::format_term`].
    fn format_term(
        &self,
        field: &FieldMapping,
        term: &[u8],
        format: Option<&str>,
    ) -> Result<Value, ValueError> {
        refuse_format(field, format, None)?;
        Ok(Value::Str(String::from_utf8_lossy(term).into_owned()))
    }
}

/// All field types that hold values. Objects and aliases are the mapping's own.
pub(crate) const FIELD_TYPES: &[&dyn FieldType] = &[
    &binary::Binary,
    &boolean::Boolean,
    &whole::Whole::BYTE,
    &constant_keyword::ConstantKeyword,
    &date::Date::MILLIS,
    &date::Date::NANOS,
    &float::Float::DOUBLE,
    &float::Float::SINGLE,
    &float::Float::HALF,
    &geo_point::Geo,
    &whole::Whole::INTEGER,
    &ip::Ip,
    &keyword::Keyword::KEYWORD,
    &whole::Whole::LONG,
    &text::Text::MATCH_ONLY,
    &scaled_float::ScaledFloat,
    &whole::Whole::SHORT,
    &text::Text::TEXT,
    &token_count::TokenCount,
    &unsigned_long::UnsignedLong,
    &keyword::Keyword::WILDCARD,
    &ranges::Ranges::DATE,
    &ranges::Ranges::DOUBLE,
    &ranges::Ranges::FLOAT,
    &ranges::Ranges::INTEGER,
    &ranges::Ranges::IP,
    &ranges::Ranges::LONG,
];

/// What `type` may be in a mapping, without order: the table's types, and the two that are the mapping's own.
pub fn field_type_names() -> impl Iterator<Item = &'static str> {
    let own = ["alias", "object"];
    FIELD_TYPES.iter().map(|row| row.name()).chain(own)
}

/// The type of that name.
pub(crate) fn find(name: &str) -> Option<&'static dyn FieldType> {
    FIELD_TYPES.iter().find(|row| row.name() == name).copied()
}

fn unsupported(field: &FieldMapping, what: &str) -> ValueError {
    ValueError::illegal(format!(
        "Field [{}] of type [{}] has no {what} to compare with",
        field.path(),
        field.type_name()
    ))
}

fn refuse_format(
    field: &FieldMapping,
    format: Option<&str>,
    time_zone: Option<&str>,
) -> Result<(), ValueError> {
    if format.is_some_and(|format| format != "use_field_mapping") {
        return Err(ValueError::illegal(format!(
            "Field [{}] of type [{}] does not support custom formats",
            field.path(),
            field.type_name()
        )));
    }
    if time_zone.is_some() {
        return Err(ValueError::illegal(format!(
            "Field [{}] of type [{}] does not support custom time zones",
            field.path(),
            field.type_name()
        )));
    }
    Ok(())
}

/// A query value as text, as Java prints it.
fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::I64(n) => n.to_string(),
        Value::U64(n) => n.to_string(),
        Value::F64(n) => crate::document::java_double(*n),
        Value::Str(text) => text.clone(),
    }
}

/// A query value as a document value; `None` for null.
fn scalar(value: &Value) -> Option<Scalar<'_>> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => Scalar::Bool(*flag),
        Value::I64(n) => Scalar::I64(*n),
        Value::U64(n) => Scalar::U64(*n),
        Value::F64(n) => Scalar::F64(*n, None),
        Value::Str(text) => Scalar::Str(text),
    })
}

/// Both ends of a range of numbers, or nothing when it is empty.
fn numbers(lo: Option<i64>, hi: Option<i64>) -> RangeMatch {
    match (lo, hi) {
        (Some(lo), Some(hi)) if lo <= hi => RangeMatch::Numbers { lo, hi },
        _ => RangeMatch::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_params_too() {
        for (index, row) in FIELD_TYPES.iter().enumerate() {
            assert!(
                FIELD_TYPES[..index]
                    .iter()
                    .all(|other| other.name() != row.name())
            );
            let params = row.params();
            for (at, param) in params.iter().enumerate() {
                assert!(params[..at].iter().all(|other| other.name != param.name));
            }
        }
    }
}
