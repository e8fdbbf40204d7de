//! A document's JSON as a tree that borrows from the bytes.

use std::borrow::Cow;
use std::io::Write;

/// The entries of an object, in order.
pub(crate) type JsonObject<'a> = Vec<(Cow<'a, str>, JsonValue<'a>)>;

/// A value of the document.
#[derive(Debug)]
pub(crate) enum JsonValue<'a> {
    Null,
    Bool(bool),
    I64(i64),
    /// Above `i64::MAX`.
    U64(u64),
    /// A whole number that no 64 bits hold, as it was written.
    Big(&'a str),
    /// Any other number, and how it was written, if it was.
    F64(f64, Option<&'a str>),
    Str(Cow<'a, str>),
    Array(Vec<JsonValue<'a>>),
    Object(JsonObject<'a>),
}

/// A value that is neither null, array nor object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Bool(bool),
    I64(i64),
    /// Above `i64::MAX`.
    U64(u64),
    /// A whole number that no 64 bits hold, as it was written.
    Big(&'a str),
    /// Any other number, and how it was written, if it was.
    F64(f64, Option<&'a str>),
    Str(&'a str),
}

impl<'a> Scalar<'a> {
    /// As text.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Scalar::Str(text) => Cow::Borrowed(text),
            Scalar::Bool(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
            Scalar::I64(n) => Cow::Owned(n.to_string()),
            Scalar::U64(n) => Cow::Owned(n.to_string()),
            Scalar::Big(text) | Scalar::F64(_, Some(text)) => Cow::Borrowed(text),
            Scalar::F64(n, None) => Cow::Owned(java_double(n)),
        }
    }

    /// A scalar of a mapping's JSON.
    pub fn of(json: &'a serde_json::Value) -> Option<Scalar<'a>> {
        match json {
            serde_json::Value::Bool(flag) => Some(Scalar::Bool(*flag)),
            serde_json::Value::String(text) => Some(Scalar::Str(text)),
            serde_json::Value::Number(n) => n
                .as_i64()
                .map(Scalar::I64)
                .or_else(|| n.as_u64().map(Scalar::U64))
                .or_else(|| n.as_f64().map(|n| Scalar::F64(n, None))),
            _ => None,
        }
    }
}

/// A double as Java prints it: always with a fraction, `1.0E10` from ten million on.
pub(crate) fn java_double(n: f64) -> String {
    if n.is_nan() {
        return "NaN".to_owned();
    }
    if n.is_infinite() {
        return if n > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = n.abs();
    if n == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{n:?}");
    }
    let text = format!("{n:E}");
    match text.split_once('E') {
        Some((digits, _)) if digits.contains('.') => text,
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => text,
    }
}

impl<'a> JsonValue<'a> {
    /// The value as a scalar.
    pub fn scalar(&self) -> Option<Scalar<'_>> {
        Some(match self {
            JsonValue::Bool(flag) => Scalar::Bool(*flag),
            JsonValue::I64(n) => Scalar::I64(*n),
            JsonValue::U64(n) => Scalar::U64(*n),
            JsonValue::Big(text) => Scalar::Big(text),
            JsonValue::F64(n, text) => Scalar::F64(*n, *text),
            JsonValue::Str(text) => Scalar::Str(text),
            JsonValue::Null | JsonValue::Array(_) | JsonValue::Object(_) => return None,
        })
    }

    /// The value as an owned tree; numbers that no tree holds become the nearest ones that it does.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            JsonValue::Null => Json::Null,
            JsonValue::Bool(flag) => Json::Bool(*flag),
            JsonValue::I64(n) => Json::from(*n),
            JsonValue::U64(n) => Json::from(*n),
            JsonValue::Big(text) => Json::from(text.parse::<f64>().unwrap_or(f64::MAX)),
            JsonValue::F64(n, _) => Json::from(n.clamp(f64::MIN, f64::MAX)),
            JsonValue::Str(text) => Json::String(text.to_string()),
            JsonValue::Array(items) => items.iter().map(JsonValue::to_json).collect(),
            JsonValue::Object(entries) => entries
                .iter()
                .map(|(key, value)| (key.to_string(), value.to_json()))
                .collect(),
        }
    }

    /// Writes the value as JSON text; numbers as they were written.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            JsonValue::Null => out.extend_from_slice(b"null"),
            JsonValue::Array(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            JsonValue::Object(entries) => {
                out.push(b'{');
                for (index, (name, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_name(name, out);
                    value.write(out);
                }
                out.push(b'}');
            }
            JsonValue::Str(text) => write_text(text, out),
            other => {
                let text = other.scalar().map(Scalar::text).unwrap_or_default();
                out.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// The value as Java prints a map, for the preview in error messages.
    pub fn preview(&self) -> String {
        match self {
            JsonValue::Null => "null".to_owned(),
            JsonValue::Array(items) => {
                let items: Vec<String> = items.iter().map(JsonValue::preview).collect();
                format!("[{}]", items.join(", "))
            }
            JsonValue::Object(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{key}={}", value.preview()))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
            other => other
                .scalar()
                .map_or_else(String::new, |s| s.text().into_owned()),
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out.by_ref(), text).expect("a vector takes all bytes");
}

/// Writes a name and its colon.
pub(super) fn write_name(name: &str, out: &mut Vec<u8>) {
    write_text(name, out);
    out.push(b':');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_in_java() {
        assert_eq!(java_double(1.0), "1.0");
        assert_eq!(java_double(1.5e10), "1.5E10");
        assert_eq!(java_double(1e7), "1.0E7");
        assert_eq!(java_double(0.0001), "1.0E-4");
    }
}
