//! JSON text: reads it into a value, refusing duplicate keys, and finds where in it a value stands.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::json::ParseError;

/// Reads a whole JSON text. Duplicate keys and anything after the value are errors, as is an empty text.
pub fn read(text: &[u8]) -> Result<Value, ParseError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| {
        let shown = error.to_string();
        let sentence = shown
            .split(" at line ")
            .next()
            .unwrap_or(&shown)
            .to_string();
        let mut reason = sentence;
        if error.line() > 0 {
            reason = format!(
                "{reason}\n at [line: {}, column: {}]",
                error.line(),
                error.column()
            );
        }
        ParseError::new("json_parse_exception", reason)
    })
}

/// Reads a value and refuses an object that has one key twice.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Value, E> {
        Ok(Value::from(whole))
    }

    fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Value, E> {
        Ok(Value::from(whole))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(de::Error::custom(format!("Duplicate field '{key}'")));
            }
            let value = members.next_value_seed(Strict)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// Line and column, from 1, of the value at a JSON pointer; `None` if the text has none there.
///
/// The text must be valid JSON, as it is once [`read`] took it; any other text gives `None` or some place.
pub fn position_of(text: &[u8], pointer: &str) -> Option<(usize, usize)> {
    let mut scan = Scan { text, at: 0 };
    scan.skip_space();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        match scan.peek()? {
            b'{' => scan.enter_member(&step)?,
            b'[' => scan.enter_item(step.parse().ok()?)?,
            _ => return None,
        }
    }
    let before = text.get(..scan.at)?;
    let line_start = before
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    Some((line, scan.at - line_start + 1))
}

/// Walks over JSON text without building anything.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Steps over `wanted` and the space behind it.
    fn take(&mut self, wanted: u8) -> Option<()> {
        if self.peek()? != wanted {
            return None;
        }
        self.at += 1;
        self.skip_space();
        Some(())
    }

    /// From `{` to the value of the member called `name`.
    fn enter_member(&mut self, name: &str) -> Option<()> {
        self.take(b'{')?;
        loop {
            let start = self.at;
            self.skip_string()?;
            let key: String = serde_json::from_slice(self.text.get(start..self.at)?).ok()?;
            self.skip_space();
            self.take(b':')?;
            if key == name {
                return Some(());
            }
            self.skip_value()?;
            self.skip_space();
            self.take(b',')?;
        }
    }

    /// From `[` to the item of that number.
    fn enter_item(&mut self, index: usize) -> Option<()> {
        self.take(b'[')?;
        for _ in 0..index {
            self.skip_value()?;
            self.skip_space();
            self.take(b',')?;
        }
        Some(())
    }

    fn skip_string(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    /// Steps over a whole value, counting brackets instead of recursing.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                byte if byte.is_ascii_whitespace() || byte == b',' || byte == b':' => {
                    self.at += 1;
                    continue;
                }
                _ => {
                    while self
                        .peek()
                        .is_some_and(|byte| !b",]}: \t\r\n".contains(&byte))
                    {
                        self.at += 1;
                    }
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn duplicate_keys_are_refused_at_any_depth() {
        let error = read(br#"{"a":{"b":1,"b":2}}"#).unwrap_err();
        assert!(
            error.reason.starts_with("Duplicate field 'b'"),
            "{}",
            error.reason
        );
        assert_eq!(
            read(br#"{"a":{"b":1},"c":[1.5,null,"x"]}"#).unwrap(),
            json!({"a":{"b":1},"c":[1.5,null,"x"]})
        );
        assert!(read(b"{} {}").is_err());
        assert!(read(b"").is_err());
    }

    #[test]
    fn positions_count_lines_and_columns() {
        let text = b"{\n  \"a\": [1, {\"x\\\"\": \"]\"}, {\"y\": 7}],\n \"b/c\": 2}";
        assert_eq!(position_of(text, "/a/2/y"), Some((2, 32)));
        assert_eq!(position_of(text, "/b~1c"), Some((3, 9)));
        assert_eq!(position_of(text, ""), Some((1, 1)));
        assert_eq!(position_of(text, "/a/7"), None);
        assert_eq!(position_of(b"{\"a\"", "/a"), None);
    }
}
