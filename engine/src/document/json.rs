//! A document's JSON as a tree that borrows from the bytes and refuses duplicate keys.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value of the document.
#[derive(Debug)]
pub(crate) enum JsonValue<'a> {
    Null,
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    Str(Cow<'a, str>),
    Array(Vec<JsonValue<'a>>),
    Object(Vec<(Cow<'a, str>, JsonValue<'a>)>),
}

/// A value that is neither null, array nor object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
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
            Scalar::F64(n) => Cow::Owned(java_double(n)),
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
                .or_else(|| n.as_f64().map(Scalar::F64)),
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
            JsonValue::F64(n) => Scalar::F64(*n),
            JsonValue::Str(text) => Scalar::Str(text),
            JsonValue::Null | JsonValue::Array(_) | JsonValue::Object(_) => return None,
        })
    }

    /// The value as an owned tree.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            JsonValue::Null => Json::Null,
            JsonValue::Bool(flag) => Json::Bool(*flag),
            JsonValue::I64(n) => Json::from(*n),
            JsonValue::U64(n) => Json::from(*n),
            JsonValue::F64(n) => Json::from(*n),
            JsonValue::Str(text) => Json::String(text.to_string()),
            JsonValue::Array(items) => items.iter().map(JsonValue::to_json).collect(),
            JsonValue::Object(entries) => entries
                .iter()
                .map(|(key, value)| (key.to_string(), value.to_json()))
                .collect(),
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

impl<'de: 'a, 'a> Deserialize<'de> for JsonValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = JsonValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(JsonValue::Null)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(JsonValue::Bool(flag))
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<Self::Value, E> {
        Ok(JsonValue::I64(n))
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<Self::Value, E> {
        Ok(match i64::try_from(n) {
            Ok(n) => JsonValue::I64(n),
            Err(_) => JsonValue::U64(n),
        })
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> Result<Self::Value, E> {
        Ok(JsonValue::F64(n))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(JsonValue::Str(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(JsonValue::Str(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(JsonValue::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries: Vec<(Cow<'de, str>, JsonValue<'de>)> = Vec::new();
        // Small objects are scanned; large ones get a set.
        let mut seen: HashSet<String> = HashSet::new();
        while let Some(Key(key)) = map.next_key()? {
            let duplicate = if entries.len() < 16 {
                entries.iter().any(|(other, _)| *other == key)
            } else {
                if seen.is_empty() {
                    seen.extend(entries.iter().map(|(key, _)| key.to_string()));
                }
                !seen.insert(key.to_string())
            };
            if duplicate {
                return Err(de::Error::custom(format!("Duplicate field '{key}'")));
            }
            entries.push((key, map.next_value()?));
        }
        Ok(JsonValue::Object(entries))
    }
}

/// An object's key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_refused() {
        assert!(serde_json::from_str::<JsonValue>(r#"{"a":1,"b":{"a":2}}"#).is_ok());
        assert!(serde_json::from_str::<JsonValue>(r#"{"a":1,"a":2}"#).is_err());
        let many: Vec<String> = (0..40).map(|n| format!("\"k{}\":1", n % 39)).collect();
        assert!(serde_json::from_str::<JsonValue>(&format!("{{{}}}", many.join(","))).is_err());
    }

    #[test]
    fn doubles_print_as_in_java() {
        assert_eq!(java_double(1.0), "1.0");
        assert_eq!(java_double(1.5e10), "1.5E10");
        assert_eq!(java_double(1e7), "1.0E7");
        assert_eq!(java_double(0.0001), "1.0E-4");
    }
}
