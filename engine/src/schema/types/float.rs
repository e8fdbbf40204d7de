//! `double`, `float`, `half_float`.

use std::ops::Bound;

use super::super::params::{Param, Params};
use super::boolean::numeric_spec;
use super::whole::{NUMBER_PARAMS, is_java_number, refuse_text};
use super::{FieldType, numbers, scalar};
use crate::document::{FieldBuilder, FieldSpec, Scalar, StoredValue};
use crate::schema::{
    FieldKind, FieldMapping, NumericKind, RangeMatch, RangeOptions, ValueError, f64_to_sortable,
};
use crate::value::Value;

/// A binary float of some width; the column holds it widened to 64 bits.
#[derive(Debug)]
pub(super) struct Float {
    name: &'static str,
    kind: FieldKind,
}

impl Float {
    pub const DOUBLE: Float = Float {
        name: "double",
        kind: FieldKind::Double,
    };
    pub const SINGLE: Float = Float {
        name: "float",
        kind: FieldKind::Float,
    };
    pub const HALF: Float = Float {
        name: "half_float",
        kind: FieldKind::HalfFloat,
    };

    /// Rounds to the width.
    fn round(&self, n: f64) -> Result<f64, ValueError> {
        let rounded = match self.kind {
            FieldKind::Float => f64::from(n as f32),
            FieldKind::HalfFloat => f64::from(half_round(n as f32)),
            _ => n,
        };
        if rounded.is_finite() {
            return Ok(rounded);
        }
        let shown = crate::document::java_double(if self.kind == FieldKind::HalfFloat {
            n
        } else {
            rounded
        });
        Err(ValueError::illegal(format!(
            "[{}] supports only finite values, but got [{shown}]",
            self.name
        )))
    }

    fn read(&self, value: Scalar<'_>) -> Result<f64, ValueError> {
        self.round(read_double(value)?)
    }

    /// The next value of this width above `n`, or below.
    fn step(&self, n: f64, up: bool) -> f64 {
        match self.kind {
            FieldKind::Float => {
                let n = n as f32;
                f64::from(if up { n.next_up() } else { n.next_down() })
            }
            FieldKind::HalfFloat => {
                // Between a half float and its neighbour lie many doubles: the next one excludes `n` just as well.
                if up { n.next_up() } else { n.next_down() }
            }
            _ => {
                if up {
                    n.next_up()
                } else {
                    n.next_down()
                }
            }
        }
    }
}

/// A value as a double.
pub(super) fn read_double(value: Scalar<'_>) -> Result<f64, ValueError> {
    match value {
        Scalar::I64(n) => Ok(n as f64),
        Scalar::U64(n) => Ok(n as f64),
        Scalar::F64(n, _) => Ok(n),
        Scalar::Big(text) => text.parse().map_err(|_| ValueError::number_format(text)),
        Scalar::Bool(_) => Err(ValueError::number_format(&value.text())),
        Scalar::Str(text) => {
            let trimmed = text.trim();
            match trimmed {
                "NaN" => return Ok(f64::NAN),
                "Infinity" | "+Infinity" => return Ok(f64::INFINITY),
                "-Infinity" => return Ok(f64::NEG_INFINITY),
                _ => {}
            }
            match trimmed.parse::<f64>() {
                Ok(n) if is_java_number(trimmed) => Ok(n),
                _ => Err(ValueError::number_format(text)),
            }
        }
    }
}

/// The nearest float with 11 significant bits and a half float's exponents; ties to even.
fn half_round(n: f32) -> f32 {
    let magnitude = n.abs();
    // Half of the last step above the largest, 65504, becomes infinite.
    if magnitude >= 65_520.0 {
        return if n > 0.0 {
            f32::INFINITY
        } else {
            f32::NEG_INFINITY
        };
    }
    if magnitude < 6.103_515_6e-5 {
        // Subnormal: a multiple of 2^-24.
        let scale = 16_777_216.0f32;
        return ((magnitude * scale).round_ties_even() / scale).copysign(n);
    }
    let bits = n.to_bits();
    let kept = bits >> 13;
    let rest = bits & 0x1FFF;
    let up = rest > 0x1000 || (rest == 0x1000 && kept & 1 == 1);
    f32::from_bits((kept + u32::from(up)) << 13)
}

impl FieldType for Float {
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
        Some(NumericKind::F64)
    }

    fn parse(
        &self,
        field: &FieldMapping,
        value: Scalar<'_>,
        out: &mut FieldBuilder,
    ) -> Result<(), ValueError> {
        match value {
            Scalar::Str("") if field.coerce => return Ok(()),
            Scalar::Str(_) if !field.coerce => {
                return Err(refuse_text(match self.kind {
                    FieldKind::Double => "Double",
                    _ => "Float",
                }));
            }
            _ => {}
        }
        let number = self.read(value)?;
        out.add_number(field, f64_to_sortable(number), StoredValue::F64(number));
        Ok(())
    }

    fn encode_number(
        &self,
        _field: &FieldMapping,
        value: &Value,
        _options: &RangeOptions,
    ) -> Result<Option<i64>, ValueError> {
        match scalar(value) {
            None => Ok(None),
            Some(value) => Ok(Some(f64_to_sortable(self.read(value)?))),
        }
    }

    fn encode_range(
        &self,
        _field: &FieldMapping,
        lower: Bound<&Value>,
        upper: Bound<&Value>,
        _options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        let read = |value: &Value| scalar(value).map(|value| self.read(value)).transpose();
        let lo = match lower {
            Bound::Unbounded => f64::NEG_INFINITY,
            Bound::Included(value) => read(value)?.unwrap_or(f64::NEG_INFINITY),
            Bound::Excluded(value) => {
                read(value)?.map_or(f64::NEG_INFINITY, |n| self.step(n, true))
            }
        };
        let hi = match upper {
            Bound::Unbounded => f64::INFINITY,
            Bound::Included(value) => read(value)?.unwrap_or(f64::INFINITY),
            Bound::Excluded(value) => read(value)?.map_or(f64::INFINITY, |n| self.step(n, false)),
        };
        Ok(numbers(
            Some(f64_to_sortable(lo)),
            Some(f64_to_sortable(hi)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_to_even() {
        assert_eq!(half_round(1.0), 1.0);
        assert_eq!(half_round(0.1), 0.099_975_586);
        assert_eq!(half_round(65_504.0), 65_504.0);
        assert_eq!(half_round(65_519.0), 65_504.0);
        assert!(half_round(65_520.0).is_infinite());
        assert_eq!(half_round(-2049.0), -2048.0);
        assert_eq!(half_round(2051.0), 2052.0);
    }
}
