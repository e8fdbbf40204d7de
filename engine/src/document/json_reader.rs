//! Reads JSON text, with the rules and the limits that OpenSearch's reader has.
//!
//! A general reader does not fit: half a surrogate pair (`\ud800`) is taken and becomes U+FFFD, as it does in a Lucene
//! index; numbers keep the text in which they were written, of any size; nesting is bounded by [`DEPTH_MAX`], not by
//! the stack, since open arrays and objects wait in a list.

use std::borrow::Cow;
use std::collections::HashSet;

use super::json::JsonValue;
use super::{DocumentError, JsonObject};

/// Deepest nesting of arrays and objects.
const DEPTH_MAX: usize = 1000;
/// Longest name, in UTF-16 units; bytes are at least as many.
const NAME_MAX: usize = 50_000;
/// Longest string.
const STRING_MAX: usize = 50_000_000;
/// Longest number, in characters.
const NUMBER_MAX: usize = 1000;
/// Objects of up to so many names are searched for duplicates name by name; larger ones get a set.
const SCANNED_NAMES: usize = 16;

/// Reads a whole text; the error is the cause of "failed to parse".
pub(super) fn read(source: &[u8]) -> Result<JsonValue<'_>, DocumentError> {
    let text = std::str::from_utf8(source).map_err(|error| {
        let at = error.valid_up_to();
        mistake(
            source,
            at,
            format!("Invalid UTF-8 byte 0x{:02x}", source[at]),
        )
    })?;
    let mut reader = Reader {
        text,
        bytes: source,
        at: 0,
    };
    let value = reader.value()?;
    reader.blanks();
    match reader.peek() {
        None => Ok(value),
        Some(byte) => Err(reader.extra(byte)),
    }
}

fn mistake(source: &[u8], at: usize, reason: impl std::fmt::Display) -> DocumentError {
    located(source, at, "json_parse_exception", reason)
}

/// An error with its line and column, both from 1.
fn located(
    source: &[u8],
    at: usize,
    kind: &'static str,
    reason: impl std::fmt::Display,
) -> DocumentError {
    let before = &source[..at.min(source.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n');
    let column = before.len() - start.map_or(0, |newline| newline + 1) + 1;
    DocumentError::new(
        kind,
        format!("{reason}\n at [line: {line}, column: {column}]"),
    )
}

/// An array or object whose end is not reached.
enum Open<'a> {
    Array(Vec<JsonValue<'a>>),
    Object(Members<'a>),
}

#[derive(Default)]
struct Members<'a> {
    entries: JsonObject<'a>,
    /// All names, once there are many.
    names: HashSet<String>,
    /// The name whose value is being read.
    name: Cow<'a, str>,
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn mistake(&self, reason: impl std::fmt::Display) -> DocumentError {
        mistake(self.bytes, self.at, reason)
    }

    fn limit(&self, reason: String) -> DocumentError {
        located(self.bytes, self.at, "stream_constraints_exception", reason)
    }

    /// What stands here is not `wanted`.
    fn unexpected(&self, wanted: &str) -> DocumentError {
        match self
            .text
            .get(self.at..)
            .and_then(|rest| rest.chars().next())
        {
            Some(found) => self.mistake(format!(
                "Unexpected character ('{found}' (code {})): expected {wanted}",
                u32::from(found)
            )),
            None => located(
                self.bytes,
                self.at,
                "json_e_o_f_exception",
                format!("Unexpected end-of-input: expected {wanted}"),
            ),
        }
    }

    /// Something follows the value.
    fn extra(&self, byte: u8) -> DocumentError {
        let token = match byte {
            b'{' => "START_OBJECT",
            b'[' => "START_ARRAY",
            b'"' => "VALUE_STRING",
            b'0'..=b'9' | b'-' => "VALUE_NUMBER",
            b't' | b'f' => "VALUE_BOOLEAN",
            b'n' => "VALUE_NULL",
            _ => return self.unexpected("the end"),
        };
        DocumentError::new(
            "illegal_argument_exception",
            format!("Malformed content, found extra data after parsing: {token}"),
        )
    }

    fn value(&mut self) -> Result<JsonValue<'a>, DocumentError> {
        let mut open: Vec<Open<'a>> = Vec::new();
        loop {
            self.blanks();
            let begun = match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    self.blanks();
                    let mut members = Members::default();
                    if self.take(b'}') {
                        JsonValue::Object(members.entries)
                    } else {
                        self.name(&mut members)?;
                        self.open(&mut open, Open::Object(members))?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    self.blanks();
                    if self.take(b']') {
                        JsonValue::Array(Vec::new())
                    } else {
                        self.open(&mut open, Open::Array(Vec::new()))?;
                        continue;
                    }
                }
                _ => self.scalar()?,
            };
            if let Some(whole) = self.close(&mut open, begun)? {
                return Ok(whole);
            }
        }
    }

    fn open(&self, open: &mut Vec<Open<'a>>, begun: Open<'a>) -> Result<(), DocumentError> {
        open.push(begun);
        if open.len() > DEPTH_MAX {
            return Err(self.limit(format!(
                "Document nesting depth ({}) exceeds the maximum allowed ({DEPTH_MAX}, from \
                 `StreamReadConstraints.getMaxNestingDepth()`)",
                open.len()
            )));
        }
        Ok(())
    }

    /// Puts a value that ended where it belongs, and ends what ends with it; the outermost value is the answer.
    fn close(
        &mut self,
        open: &mut Vec<Open<'a>>,
        mut value: JsonValue<'a>,
    ) -> Result<Option<JsonValue<'a>>, DocumentError> {
        loop {
            match open.pop() {
                None => return Ok(Some(value)),
                Some(Open::Array(mut items)) => {
                    items.push(value);
                    self.blanks();
                    if self.take(b',') {
                        open.push(Open::Array(items));
                        return Ok(None);
                    }
                    if !self.take(b']') {
                        return Err(self.unexpected("',' or ']'"));
                    }
                    value = JsonValue::Array(items);
                }
                Some(Open::Object(mut members)) => {
                    let name = std::mem::take(&mut members.name);
                    members.entries.push((name, value));
                    self.blanks();
                    if self.take(b',') {
                        self.blanks();
                        self.name(&mut members)?;
                        open.push(Open::Object(members));
                        return Ok(None);
                    }
                    if !self.take(b'}') {
                        return Err(self.unexpected("',' or '}'"));
                    }
                    value = JsonValue::Object(members.entries);
                }
            }
        }
    }

    /// A name and its colon.
    fn name(&mut self, members: &mut Members<'a>) -> Result<(), DocumentError> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a field name in double quotes"));
        }
        let (name, halves) = self.string()?;
        if halves {
            return Err(self.mistake("A field name holds half a surrogate pair"));
        }
        if name.len() > NAME_MAX {
            return Err(self.limit(format!(
                "Name length ({}) exceeds the maximum allowed ({NAME_MAX}, from \
                 `StreamReadConstraints.getMaxNameLength()`)",
                name.len()
            )));
        }
        let known = &members.entries;
        let duplicate = if known.len() < SCANNED_NAMES {
            known.iter().any(|(other, _)| *other == name)
        } else {
            if members.names.is_empty() {
                let names = known.iter().map(|(name, _)| name.to_string());
                members.names.extend(names);
            }
            !members.names.insert(name.to_string())
        };
        if duplicate {
            return Err(self.mistake(format!("Duplicate field '{name}'")));
        }
        self.blanks();
        if !self.take(b':') {
            return Err(self.unexpected("':'"));
        }
        members.name = name;
        Ok(())
    }

    fn scalar(&mut self) -> Result<JsonValue<'a>, DocumentError> {
        match self.peek() {
            Some(b'"') => Ok(JsonValue::Str(self.string()?.0)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", JsonValue::Bool(true)),
            Some(b'f') => self.word("false", JsonValue::Bool(false)),
            Some(b'n') => self.word("null", JsonValue::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn word(&mut self, word: &str, value: JsonValue<'a>) -> Result<JsonValue<'a>, DocumentError> {
        let rest = &self.bytes[self.at..];
        let ends = |byte: &u8| !(byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80);
        if rest.starts_with(word.as_bytes()) && rest.get(word.len()).is_none_or(ends) {
            self.at += word.len();
            return Ok(value);
        }
        let len = rest.iter().position(ends).unwrap_or(rest.len());
        let token = String::from_utf8_lossy(&rest[..len.min(60)]);
        Err(self.mistake(format!(
            "Unrecognized token '{token}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' \
             or 'false')"
        )))
    }

    fn digits(&mut self) -> Result<(), DocumentError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match self.at > start {
            true => Ok(()),
            false => Err(self.unexpected("a digit")),
        }
    }

    fn number(&mut self) -> Result<JsonValue<'a>, DocumentError> {
        let start = self.at;
        self.take(b'-');
        let leading_zero = self.peek() == Some(b'0');
        let whole_start = self.at;
        self.digits()?;
        if leading_zero && self.at > whole_start + 1 {
            self.at = whole_start;
            return Err(self.mistake("Invalid numeric value: Leading zeroes not allowed"));
        }
        let mut whole = true;
        if self.take(b'.') {
            whole = false;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        if let Some(byte) = self.peek()
            && (byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_')
        {
            return Err(self.unexpected("the end of the number"));
        }
        let text = &self.text[start..self.at];
        if text.len() > NUMBER_MAX {
            return Err(self.limit(format!(
                "Number value length ({}) exceeds the maximum allowed ({NUMBER_MAX}, from \
                 `StreamReadConstraints.getMaxNumberLength()`)",
                text.len()
            )));
        }
        if !whole {
            let number = text.parse();
            return match number {
                Ok(number) => Ok(JsonValue::F64(number, Some(text))),
                Err(_) => Err(self.mistake(format!("[{text}] is no number"))),
            };
        }
        Ok(match (text.parse(), text.parse()) {
            (Ok(number), _) => JsonValue::I64(number),
            (_, Ok(number)) => JsonValue::U64(number),
            _ => JsonValue::Big(text),
        })
    }

    /// A string, and whether it held half a surrogate pair.
    fn string(&mut self) -> Result<(Cow<'a, str>, bool), DocumentError> {
        self.at += 1;
        let start = self.at;
        self.plain()?;
        if self.take(b'"') {
            let text = &self.text[start..self.at - 1];
            self.check_length(text.len())?;
            return Ok((Cow::Borrowed(text), false));
        }
        let mut text = self.text[start..self.at].to_owned();
        let mut halves = false;
        while !self.take(b'"') {
            // plain() stops at a quote or a backslash only
            self.at += 1;
            halves |= self.escape(&mut text)?;
            let from = self.at;
            self.plain()?;
            text.push_str(&self.text[from..self.at]);
        }
        self.check_length(text.len())?;
        Ok((Cow::Owned(text), halves))
    }

    fn check_length(&self, len: usize) -> Result<(), DocumentError> {
        if len > STRING_MAX {
            return Err(self.limit(format!(
                "String value length ({len}) exceeds the maximum allowed ({STRING_MAX}, from \
                 `StreamReadConstraints.getMaxStringLength()`)"
            )));
        }
        Ok(())
    }

    /// Goes to the next quote or backslash.
    fn plain(&mut self) -> Result<(), DocumentError> {
        let rest = &self.bytes[self.at..];
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let Some(len) = rest.iter().position(special) else {
            self.at = self.bytes.len();
            return Err(self.unexpected("the closing quote of a string"));
        };
        self.at += len;
        if rest[len] < 0x20 {
            return Err(self.mistake(format!(
                "Illegal unquoted character ((CTRL-CHAR, code {})): has to be escaped using backslash to be included \
                 in string value",
                rest[len]
            )));
        }
        Ok(())
    }

    /// What follows a backslash; true for half a surrogate pair.
    fn escape(&mut self, text: &mut String) -> Result<bool, DocumentError> {
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode(text);
            }
            _ => return Err(self.unexpected("an escape: one of \" \\ / b f n r t u")),
        };
        self.at += 1;
        text.push(plain);
        Ok(false)
    }

    fn unicode(&mut self, text: &mut String) -> Result<bool, DocumentError> {
        let unit = self.hex()?;
        if let Some(c) = char::from_u32(unit) {
            text.push(c);
            return Ok(false);
        }
        let after = self.at;
        if unit < 0xdc00 && self.take(b'\\') && self.take(b'u') {
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                let pair = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                text.extend(char::from_u32(pair));
                return Ok(false);
            }
        }
        // What follows is read on its own.
        self.at = after;
        text.push(char::REPLACEMENT_CHARACTER);
        Ok(true)
    }

    fn hex(&mut self) -> Result<u32, DocumentError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.unexpected("a hex-digit for character escape sequence"));
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        let mut out = Vec::new();
        read(text.as_bytes()).unwrap().write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn refuse(text: &[u8], kind: &str, part: &str) {
        let error = read(text).unwrap_err();
        assert!(error.reason.contains(part), "{}", error.reason);
        assert_eq!(error.kind, kind, "{}", error.reason);
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        let text = r#"[0,-1,1.50,1e3,18446744073709551615,18446744073709551616,-9223372036854775809,1E400]"#;
        assert_eq!(shown(text), text);
    }

    #[test]
    fn half_a_surrogate_pair_becomes_the_replacement_character() {
        assert_eq!(shown(r#"["\ud83d\ude00"]"#), "[\"😀\"]");
        assert_eq!(shown(r#"["a\ud800b"]"#), "[\"a\u{fffd}b\"]");
        assert_eq!(shown(r#"["\ud800\ud83d\ude00"]"#), "[\"\u{fffd}😀\"]");
        assert_eq!(
            shown(r#"["\udc00\n\ud800\\"]"#),
            "[\"\u{fffd}\\n\u{fffd}\\\\\"]"
        );
        refuse(
            br#"{"\ud800":1}"#,
            "json_parse_exception",
            "half a surrogate",
        );
    }

    #[test]
    fn a_thousand_levels_are_read_and_no_more() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(shown(&nested(1000)), nested(1000));
        refuse(
            nested(1001).as_bytes(),
            "stream_constraints_exception",
            "Document nesting depth (1001) exceeds the maximum allowed (1000",
        );
        refuse(&[b'['; 1_000_000], "stream_constraints_exception", "depth");
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let syntax = "json_parse_exception";
        refuse(b"{\"a\":\n x}", syntax, "at [line: 2, column: 2]");
        refuse(
            br#"{"a":1,"b":{"c":1,"c":2}}"#,
            syntax,
            "Duplicate field 'c'",
        );
        let many: Vec<String> = (0..40).map(|n| format!("\"k{}\":1", n % 39)).collect();
        let many = format!("{{{}}}", many.join(","));
        refuse(many.as_bytes(), syntax, "Duplicate field 'k0'");
        refuse(b"{\"a\": \"x\ny\"}", syntax, "CTRL-CHAR, code 10");
        refuse(b"{\"a\": \"\xff\"}", syntax, "Invalid UTF-8 byte 0xff");
        refuse(br#"{"a": nul}"#, syntax, "Unrecognized token 'nul'");
        for wrong in [
            "01",
            "+1",
            ".5",
            "1.x",
            "-x",
            "1e,",
            "NaN",
            "[1 2]",
            "{a:1}",
            "{\"a\" 1}",
            "[1,]",
            "\"\\x\"",
        ] {
            refuse(wrong.as_bytes(), syntax, "at [line: 1, column: ");
        }
        let end = "json_e_o_f_exception";
        for short in [
            "", "{", "[1", "{\"a\"", "\"a", "\"a\\", "\"\\u12", "-", "1.", "1e",
        ] {
            refuse(short.as_bytes(), end, "Unexpected end-of-input");
        }
        let extra = "found extra data after parsing: START_OBJECT";
        refuse(b"{} {}", "illegal_argument_exception", extra);
        refuse(
            &[b'1'; 1001],
            "stream_constraints_exception",
            "Number value length (1001)",
        );
    }

    #[test]
    fn a_whole_number_of_nothing_has_no_sign() {
        assert_eq!(read(b"-0").unwrap().to_json(), serde_json::json!(0));
        assert_eq!(read(b"-0.0").unwrap().to_json(), serde_json::json!(-0.0));
    }

    proptest! {
        #[test]
        fn what_a_strict_reader_takes_reads_the_same(text in r#"[\[\]{}:,"a0-9eE.\\u\-+ tfn]{0,24}"#) {
            // A whole number below nothing by its sign alone is nothing, as to Jackson; to serde_json it is a fraction.
            let is_more = |rest: &str| rest.starts_with(['.', 'e', 'E']);
            let zero = text.match_indices("-0").any(|(at, _)| !is_more(&text[at + 2..]));
            if let (Ok(expected), false) = (serde_json::from_str::<serde_json::Value>(&text), zero) {
                match read(text.as_bytes()) {
                    Ok(found) => prop_assert_eq!(found.to_json(), expected),
                    Err(error) => prop_assert!(error.reason.starts_with("Duplicate"), "{}", error.reason),
                }
            }
        }

        #[test]
        fn values_come_back(value in values()) {
            let text = value.to_string();
            prop_assert_eq!(read(text.as_bytes()).unwrap().to_json(), value);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<u64>().prop_map(serde_json::Value::from),
            (-1e300..1e300).prop_map(serde_json::Value::from),
            any::<String>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }
}
