//! `date` and `date_nanos`.

use std::ops::Bound;

use super::super::dates::{DateFormat, Instant};
use super::super::params::{Param, ParamKind, Params, fixed, free};
use super::boolean::numeric_spec;
use super::{FieldType, numbers, value_text};
use crate::document::{FieldBuilder, FieldSpec, Scalar, StoredValue};
use crate::schema::{
    FieldKind, FieldMapping, NumericKind, RangeMatch, RangeOptions, SchemaError, ValueError,
};
use crate::value::Value;

/// A point in time.
#[derive(Debug)]
pub(super) struct Date {
    name: &'static str,
    kind: FieldKind,
}

impl Date {
    pub const MILLIS: Date = Date {
        name: "date",
        kind: FieldKind::Date,
    };
    pub const NANOS: Date = Date {
        name: "date_nanos",
        kind: FieldKind::DateNanos,
    };

    fn column(&self, instant: Instant, shown: &str) -> Result<i64, ValueError> {
        if self.kind == FieldKind::Date {
            return Ok(instant.millis());
        }
        match instant.nanos_since_epoch() {
            Some(nanos) if nanos >= 0 => Ok(nanos),
            Some(_) => Err(ValueError::illegal(format!(
                "date[{shown}] is before the epoch in 1970 and cannot be stored in nanosecond resolution"
            ))),
            None if instant.seconds < 0 => Err(ValueError::illegal(format!(
                "date[{shown}] is before the epoch in 1970 and cannot be stored in nanosecond resolution"
            ))),
            None => Err(ValueError::illegal(format!(
                "date[{shown}] is after 2262-04-11T23:47:16.854775807 and cannot be stored in nanosecond resolution"
            ))),
        }
    }

    fn format_of(
        &self,
        field: &FieldMapping,
        given: Option<&str>,
    ) -> Result<DateFormat, ValueError> {
        match (given.filter(|f| *f != "use_field_mapping"), &field.format) {
            (Some(given), _) => DateFormat::parse(given),
            (None, Some(own)) => Ok(own.clone()),
            (None, None) => DateFormat::parse(super::super::dates::DEFAULT_FORMAT),
        }
    }

    /// A bound: what it leaves out is filled up or down.
    fn bound(
        &self,
        format: &DateFormat,
        value: &Value,
        round_up: bool,
        options: &RangeOptions,
    ) -> Result<Option<i64>, ValueError> {
        if *value == Value::Null {
            return Ok(None);
        }
        let text = value_text(value);
        let instant = format.parse_math_instant(
            &text,
            options.now_ms,
            round_up,
            options.time_zone.as_deref(),
        )?;
        if self.kind == FieldKind::Date {
            return Ok(Some(instant.millis()));
        }
        // Beyond what nanoseconds can say a bound is as good as the end of time.
        Ok(Some(instant.nanos_since_epoch().unwrap_or(
            if instant.seconds < 0 {
                i64::MIN
            } else {
                i64::MAX
            },
        )))
    }
}

impl FieldType for Date {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> FieldKind {
        self.kind
    }

    fn params(&self) -> &'static [Param] {
        const PARAMS: &[Param] = &[
            fixed("index", ParamKind::Bool(true)),
            fixed("doc_values", ParamKind::Bool(true)),
            fixed("store", ParamKind::Bool(false)),
            fixed("format", ParamKind::Text),
            fixed("print_format", ParamKind::Text),
            fixed("locale", ParamKind::Text),
            fixed("null_value", ParamKind::Any),
            free("ignore_malformed", ParamKind::Explicit(false)),
            free("boost", ParamKind::Boost),
            free("meta", ParamKind::Meta),
        ];
        PARAMS
    }

    fn spec(&self, params: &Params) -> FieldSpec {
        numeric_spec(params)
    }

    fn numeric(&self, _params: &Params) -> Option<NumericKind> {
        Some(match self.kind {
            FieldKind::DateNanos => NumericKind::DateNanos,
            _ => NumericKind::DateMillis,
        })
    }

    fn validate(&self, field: &FieldMapping) -> Result<(), SchemaError> {
        // Names of months and days are known in English only.
        if let Some(locale) = field.params.text("locale")
            && !(locale.is_empty() || locale == "ROOT" || locale.starts_with("en"))
        {
            return Err(SchemaError::mapper(format!(
                "[locale] of field [{}] supports English and ROOT only, got [{locale}]",
                field.path()
            )));
        }
        if let Some(value) = field.null_value() {
            let text = super::super::params::text_value(value);
            let format = self
                .format_of(field, None)
                .map_err(|error| SchemaError::mapper(error.reason))?;
            format.parse_instant(&text, false, None).map_err(|error| {
                SchemaError::mapper(format!(
                    "Error parsing [null_value] on field [{}]: {}",
                    field.path(),
                    error.reason
                ))
            })?;
        }
        Ok(())
    }

    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        let text = value.text();
        let instant = match &field.format {
            Some(format) => format.parse_instant(&text, false, None)?,
            None => {
                return Err(ValueError::illegal(format!(
                    "field [{}] has no format",
                    field.path()
                )));
            }
        };
        let number = self.column(instant, &text)?;
        out.add_number(field, number, StoredValue::I64(number));
        Ok(())
    }

    fn encode_number(
        &self,
        field: &FieldMapping,
        value: &Value,
        options: &RangeOptions,
    ) -> Result<Option<i64>, ValueError> {
        let format = self.format_of(field, options.format.as_deref())?;
        self.bound(&format, value, false, options)
    }

    fn encode_equal(
        &self,
        field: &FieldMapping,
        value: &Value,
        options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        self.encode_range(
            field,
            Bound::Included(value),
            Bound::Included(value),
            options,
        )
    }

    fn encode_range(
        &self,
        field: &FieldMapping,
        lower: Bound<&Value>,
        upper: Bound<&Value>,
        options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        let format = self.format_of(field, options.format.as_deref())?;
        let lo = match lower {
            Bound::Unbounded => Some(i64::MIN),
            Bound::Included(value) => Some(
                self.bound(&format, value, false, options)?
                    .unwrap_or(i64::MIN),
            ),
            Bound::Excluded(value) => match self.bound(&format, value, true, options)? {
                Some(n) => n.checked_add(1),
                None => Some(i64::MIN),
            },
        };
        let hi = match upper {
            Bound::Unbounded => Some(i64::MAX),
            Bound::Included(value) => Some(
                self.bound(&format, value, true, options)?
                    .unwrap_or(i64::MAX),
            ),
            Bound::Excluded(value) => match self.bound(&format, value, false, options)? {
                Some(n) => n.checked_sub(1),
                None => Some(i64::MAX),
            },
        };
        Ok(numbers(lo, hi))
    }

    fn format_number(
        &self,
        field: &FieldMapping,
        stored: i64,
        format: Option<&str>,
        time_zone: Option<&str>,
    ) -> Result<Value, ValueError> {
        let instant = match self.kind {
            FieldKind::DateNanos => Instant::from_nanos(stored),
            _ => Instant::from_millis(stored),
        };
        let given = format
            .filter(|f| *f != "use_field_mapping")
            .or(field.params.text("print_format"));
        let text = match (given, &field.format) {
            (Some(given), _) => DateFormat::parse(given)?.format_instant(instant, time_zone)?,
            (None, Some(own)) => {
                // The default format of date_nanos prints all digits.
                if self.kind == FieldKind::DateNanos && field.params.text("format").is_none() {
                    DateFormat::parse("strict_date_optional_time_nanos")?
                        .format_instant(instant, time_zone)?
                } else {
                    own.format_instant(instant, time_zone)?
                }
            }
            (None, None) => return Ok(Value::I64(stored)),
        };
        Ok(Value::Str(text))
    }
}
