//! What the parsers of aggregations share: the body with its names, and the field it reads.

use quidditch_engine::aggs::{FieldSource, ValueType, is_time_zone};

use crate::coordination::dsl::suggest::did_you_mean;
use crate::coordination::dsl::{Json, ParseError};

/// The body of one aggregation.
pub struct AggBody<'a> {
    /// The object under the type's name.
    pub json: Json<'a>,
    /// The aggregation's name.
    pub agg: &'a str,
    /// Its type.
    pub kind: &'static str,
}

impl AggBody<'_> {
    /// The error for a parameter that the aggregation does not have.
    pub fn unknown(&self, key: &str, value: &Json<'_>, known: &[&'static str]) -> ParseError {
        let hint = did_you_mean(key, known.iter().copied());
        value.content(format!("[{}] unknown field [{key}]{hint}", self.kind))
    }

    /// A whole number of at least `min`; `shown` is the parameter's name in the message.
    pub fn at_least(&self, value: &Json<'_>, min: i64, shown: &str) -> Result<u64, ParseError> {
        let number = value.i64()?;
        if number < min {
            let bound = if min > 0 {
                format!("greater than {}", min - 1)
            } else {
                "greater than or equal to 0".to_owned()
            };
            return Err(value.illegal(format!(
                "[{shown}] must be {bound}. Found [{number}] in [{}]",
                self.agg
            )));
        }
        Ok(number as u64)
    }

    /// The members of a parameter that has to be an object.
    pub fn object<'v>(
        &self,
        value: &Json<'v>,
        shown: &str,
    ) -> Result<impl Iterator<Item = (&'v str, Json<'v>)> + use<'v>, ParseError> {
        match value.is_object() {
            true => Ok(value.members()),
            false => Err(value.content(format!(
                "[{}] {shown} doesn't support values of type: {}",
                self.kind,
                value.token()
            ))),
        }
    }

    /// Reads a body that has nothing but a field.
    pub fn field_only(&self) -> Result<FieldSource, ParseError> {
        let mut source = SourceParams::new(self);
        for (key, value) in self.json.members() {
            if !source.read(key, &value)? {
                return Err(self.unknown(key, &value, SourceParams::NAMES));
            }
        }
        source.finish(true)
    }
}

/// Collects `field`, `missing`, `format`, `value_type` and, where allowed, `time_zone`.
pub(crate) struct SourceParams<'b, 'a> {
    body: &'b AggBody<'a>,
    source: FieldSource,
    zoned: bool,
}

impl<'b, 'a> SourceParams<'b, 'a> {
    /// Names that are read.
    pub const NAMES: &'static [&'static str] =
        &["field", "format", "missing", "script", "value_type"];

    pub fn new(body: &'b AggBody<'a>) -> Self {
        SourceParams {
            body,
            source: FieldSource::default(),
            zoned: false,
        }
    }

    /// Reads `time_zone` too.
    pub fn zoned(mut self) -> Self {
        self.zoned = true;
        self
    }

    /// Whether the parameter was one of those read here.
    pub fn read(&mut self, key: &str, value: &Json<'_>) -> Result<bool, ParseError> {
        match key {
            "field" => self.source.field = value.text()?,
            "missing" => self.source.missing = Some(value.scalar()?),
            "format" => self.source.format = value.text_or_null()?,
            "value_type" | "valueType" => self.source.value_type = Some(value_type(value)?),
            "time_zone" if self.zoned => {
                let zone = match value.value() {
                    serde_json::Value::Number(hours) => {
                        let hours = hours.as_i64().unwrap_or(99);
                        format!("{}{:02}:00", if hours < 0 { '-' } else { '+' }, hours.abs())
                    }
                    _ => value.text()?,
                };
                if !is_time_zone(&zone) {
                    return Err(value.illegal(format!("Unknown time-zone ID: {zone}")));
                }
                self.source.time_zone = Some(zone);
            }
            "script" => {
                return Err(value.illegal(format!(
                    "[script] is not supported in aggregation [{}] of type [{}]",
                    self.body.agg, self.body.kind
                )));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The source, if a field was named; `scriptable` is for the message.
    pub fn finish(self, scriptable: bool) -> Result<FieldSource, ParseError> {
        if self.source.field.is_empty() {
            let names = if scriptable { "field, script" } else { "field" };
            return Err(self.body.json.illegal(format!(
                "Required one of fields [{names}], but none were specified. "
            )));
        }
        Ok(self.source)
    }
}

fn value_type(value: &Json<'_>) -> Result<ValueType, ParseError> {
    let text = value.text()?;
    Ok(match text.as_str() {
        "string" => ValueType::String,
        "byte" | "short" | "integer" | "long" => ValueType::Long,
        "unsigned_long" => ValueType::UnsignedLong,
        "float" | "double" | "number" | "numeric" => ValueType::Double,
        "date" => ValueType::Date,
        "ip" => ValueType::Ip,
        "boolean" => ValueType::Boolean,
        _ => return Err(value.illegal(format!("Unknown value type [{text}]"))),
    })
}

/// Milliseconds of a length of time like `30m` or `-6h`; `None` if it is none.
pub(crate) fn duration_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = digits.split_at(end);
    let scale = match unit.trim() {
        "nanos" => return number.parse::<i64>().ok().map(|nanos| nanos / 1_000_000),
        "micros" => return number.parse::<i64>().ok().map(|micros| micros / 1000),
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let ms = number.parse::<i64>().ok()?.checked_mul(scale)?;
    Some(if negative { -ms } else { ms })
}
