//! A cursor over a request body that knows its own path, and the error every parser of the query language returns.
//!
//! Scalars are read as leniently as OpenSearch reads them: a number may be written as text, text as a number.

use std::rc::Rc;

use quidditch_engine::value::Value as Scalar;
use serde_json::{Map, Value};

/// Why a body cannot be read, in OpenSearch's words.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{reason}")]
pub struct ParseError {
    /// OpenSearch's name for the error, such as `parsing_exception`.
    pub kind: &'static str,
    /// The sentence for the user, without the position.
    pub reason: String,
    /// JSON pointer of the value that is at fault; empty for the whole body.
    pub path: String,
    /// Line and column of that value, from 1; known once [`ParseError::locate`] has seen the body's text.
    pub location: Option<(usize, usize)>,
    /// What lies beneath.
    pub caused_by: Option<Box<ParseError>>,
}

impl ParseError {
    /// Makes an error of the given kind that has no place in a body (a URL parameter, say).
    pub fn new(kind: &'static str, reason: impl Into<String>) -> ParseError {
        ParseError {
            kind,
            reason: reason.into(),
            path: String::new(),
            location: None,
            caused_by: None,
        }
    }

    /// Makes an `illegal_argument_exception` that has no place in a body.
    pub fn illegal_argument(reason: impl Into<String>) -> ParseError {
        ParseError::new("illegal_argument_exception", reason)
    }

    /// Adds the error beneath.
    pub fn with_cause(mut self, cause: ParseError) -> ParseError {
        self.caused_by = Some(Box::new(cause));
        self
    }

    /// Prefixes the path: the value parsed stood at `pointer` of a larger body.
    pub fn inside(mut self, pointer: &str) -> ParseError {
        self.path = format!("{pointer}{}", self.path);
        if let Some(cause) = self.caused_by.take() {
            self.caused_by = Some(Box::new(cause.inside(pointer)));
        }
        self
    }

    /// Finds line and column in the JSON text the body was read from. Errors about no place in it stay without.
    pub fn locate(mut self, text: &[u8]) -> ParseError {
        if self.location.is_none() && self.has_location() {
            self.location = super::json_text::position_of(text, &self.path);
        }
        if let Some(cause) = self.caused_by.take() {
            self.caused_by = Some(Box::new(cause.locate(text)));
        }
        self
    }

    /// Tells whether OpenSearch gives a position with this kind of error.
    fn has_location(&self) -> bool {
        self.shows_location_in_reason() || self.kind == "parsing_exception"
    }

    /// Tells whether the position is part of the reason (`[1:13] unknown field [x]`) instead of `line` and `col`.
    pub fn shows_location_in_reason(&self) -> bool {
        matches!(
            self.kind,
            "x_content_parse_exception" | "named_object_not_found_exception"
        )
    }

    /// The reason as OpenSearch prints it, with the position in front where that is its custom.
    pub fn full_reason(&self) -> String {
        match self.location {
            Some((line, col)) if self.shows_location_in_reason() => {
                format!("[{line}:{col}] {}", self.reason)
            }
            _ => self.reason.clone(),
        }
    }
}

/// One step from a body's root to a value.
#[derive(Debug)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

#[derive(Debug)]
struct Place<'a> {
    step: Step<'a>,
    parent: Option<Rc<Place<'a>>>,
}

/// A value inside a body, with the way that led to it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Json<'a> {
    value: &'a Value,
    place: Option<Rc<Place<'a>>>,
}

impl<'a> Json<'a> {
    /// Stands on the root of a body.
    pub fn root(value: &'a Value) -> Json<'a> {
        Json { value, place: None }
    }

    /// The value itself.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// JSON pointer from the body's root: `/query/bool/must/0`.
    pub fn path(&self) -> String {
        let mut steps = Vec::new();
        let mut at = self.place.as_ref();
        while let Some(place) = at {
            steps.push(match &place.step {
                Step::Key(key) => key.replace('~', "~0").replace('/', "~1"),
                Step::Index(index) => index.to_string(),
            });
            at = place.parent.as_ref();
        }
        let mut path = String::new();
        for step in steps.iter().rev() {
            path.push('/');
            path.push_str(step);
        }
        path
    }

    /// The last key on the way here, or the empty text at the root and inside arrays.
    pub fn key(&self) -> &'a str {
        match self.place.as_ref().map(|place| &place.step) {
            Some(Step::Key(key)) => key,
            _ => "",
        }
    }

    /// Makes an error about this value.
    pub fn error(&self, kind: &'static str, reason: impl Into<String>) -> ParseError {
        ParseError {
            path: self.path(),
            ..ParseError::new(kind, reason)
        }
    }

    /// Makes a `parsing_exception` about this value.
    pub fn parsing(&self, reason: impl Into<String>) -> ParseError {
        self.error("parsing_exception", reason)
    }

    /// Makes an `illegal_argument_exception` about this value.
    pub fn illegal(&self, reason: impl Into<String>) -> ParseError {
        self.error("illegal_argument_exception", reason)
    }

    /// Makes an `x_content_parse_exception` about this value.
    pub fn content(&self, reason: impl Into<String>) -> ParseError {
        self.error("x_content_parse_exception", reason)
    }

    fn child(&self, step: Step<'a>, value: &'a Value) -> Json<'a> {
        Json {
            value,
            place: Some(Rc::new(Place {
                step,
                parent: self.place.clone(),
            })),
        }
    }

    /// OpenSearch's name for the token this value begins with; used in its messages.
    pub fn token(&self) -> &'static str {
        token_of(self.value)
    }

    /// Tells whether this is `null`.
    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// Tells whether this is an object.
    pub fn is_object(&self) -> bool {
        self.value.is_object()
    }

    /// Tells whether this is an array.
    pub fn is_array(&self) -> bool {
        self.value.is_array()
    }

    /// Tells whether this is text.
    pub fn is_string(&self) -> bool {
        self.value.is_string()
    }

    /// Tells whether this is a number, text, `true`, `false` (not `null`).
    pub fn is_scalar(&self) -> bool {
        !matches!(self.value, Value::Null | Value::Object(_) | Value::Array(_))
    }

    /// The member of that name, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<Json<'a>> {
        let (key, value) = self.value.as_object()?.get_key_value(key)?;
        Some(self.child(Step::Key(key), value))
    }

    /// The members of an object in the order written; nothing for any other value.
    pub fn members(&self) -> impl Iterator<Item = (&'a str, Json<'a>)> + use<'a> {
        let here = self.clone();
        let members: Option<&'a Map<String, Value>> = self.value.as_object();
        members
            .into_iter()
            .flatten()
            .map(move |(key, value)| (key.as_str(), here.child(Step::Key(key), value)))
    }

    /// The items of an array; nothing for any other value.
    pub fn items(&self) -> impl Iterator<Item = Json<'a>> + use<'a> {
        let here = self.clone();
        let items: Option<&'a Vec<Value>> = self.value.as_array();
        items
            .into_iter()
            .flatten()
            .enumerate()
            .map(move |(index, value)| here.child(Step::Index(index), value))
    }

    /// The items of an array, or this value alone when it is none.
    pub fn items_or_self(&self) -> Vec<Json<'a>> {
        if self.is_array() {
            self.items().collect()
        } else {
            vec![self.clone()]
        }
    }

    /// The members of an object, or an error that names the clause `[what]`.
    pub fn object(&self, what: &str) -> Result<Vec<(&'a str, Json<'a>)>, ParseError> {
        if !self.is_object() {
            return Err(self.parsing(format!(
                "[{what}] query malformed, no start_object after query name"
            )));
        }
        Ok(self.members().collect())
    }

    /// A scalar as text: numbers and booleans as they would be printed.
    pub fn text(&self) -> Result<String, ParseError> {
        match self.value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            _ => Err(self.illegal(format!(
                "Can't get text on a {} at {}",
                self.token(),
                self.shown_path()
            ))),
        }
    }

    /// A scalar as text, `None` for `null`.
    pub fn text_or_null(&self) -> Result<Option<String>, ParseError> {
        if self.is_null() {
            Ok(None)
        } else {
            self.text().map(Some)
        }
    }

    /// `true`, `false`, or either as text.
    pub fn bool(&self) -> Result<bool, ParseError> {
        match self.value {
            Value::Bool(flag) => Ok(*flag),
            Value::String(text) => match text.as_str() {
                "true" => Ok(true),
                "false" | "" => Ok(false),
                _ => Err(self.illegal(format!(
                    "Failed to parse value [{text}] as only [true] or [false] are allowed."
                ))),
            },
            _ => Err(self.wrong_token("boolean")),
        }
    }

    /// A whole number, also as text or with a fraction that is cut off.
    pub fn i64(&self) -> Result<i64, ParseError> {
        match self.value {
            Value::Number(number) => {
                if let Some(whole) = number.as_i64() {
                    return Ok(whole);
                }
                self.whole_of(number.as_f64().unwrap_or(f64::NAN), &number.to_string())
            }
            Value::String(text) => match text.trim().parse::<i64>() {
                Ok(whole) => Ok(whole),
                Err(_) => match text.trim().parse::<f64>() {
                    Ok(number) => self.whole_of(number, text),
                    Err(_) => Err(self.error(
                        "number_format_exception",
                        format!("For input string: \"{text}\""),
                    )),
                },
            },
            _ => Err(self.wrong_token("long")),
        }
    }

    fn whole_of(&self, number: f64, shown: &str) -> Result<i64, ParseError> {
        if !number.is_finite() || number.abs() >= 9.2e18 {
            return Err(self.illegal(format!("Value [{shown}] is out of range for a long")));
        }
        if number.fract() != 0.0 {
            return Err(self.illegal(format!(
                "{shown} cannot be converted to Long without data loss"
            )));
        }
        Ok(number as i64)
    }

    /// A whole number of 32 bits.
    pub fn i32(&self) -> Result<i32, ParseError> {
        let whole = self.i64()?;
        i32::try_from(whole).map_err(|_| {
            self.error(
                "input_coercion_exception",
                format!(
                    "Numeric value ({whole}) out of range of int ({} - {})",
                    i32::MIN,
                    i32::MAX
                ),
            )
        })
    }

    /// A number, also as text.
    pub fn f64(&self) -> Result<f64, ParseError> {
        match self.value {
            Value::Number(number) => Ok(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => text.trim().parse::<f64>().map_err(|_| {
                self.error(
                    "number_format_exception",
                    format!("For input string: \"{text}\""),
                )
            }),
            _ => Err(self.wrong_token("double")),
        }
    }

    /// A number, also as text; `None` for `null`.
    pub fn f64_or_null(&self) -> Result<Option<f64>, ParseError> {
        match self.is_null() {
            true => Ok(None),
            false => self.f64().map(Some),
        }
    }

    /// A scalar; `None` for `null`.
    pub fn scalar_or_null(&self) -> Result<Option<Scalar>, ParseError> {
        match self.is_null() {
            true => Ok(None),
            false => self.scalar().map(Some),
        }
    }

    /// A number of 32 bits, also as text.
    pub fn f32(&self) -> Result<f32, ParseError> {
        self.f64().map(|number| number as f32)
    }

    /// A scalar in the engine's form; objects and arrays are refused.
    pub fn scalar(&self) -> Result<Scalar, ParseError> {
        to_scalar(self.value).ok_or_else(|| {
            self.illegal(format!(
                "unknown value: expected a scalar but found [{}] at {}",
                self.token(),
                self.shown_path()
            ))
        })
    }

    /// The texts of an array, or the one text this is.
    pub fn texts(&self) -> Result<Vec<String>, ParseError> {
        self.items_or_self().iter().map(Json::text).collect()
    }

    fn wrong_token(&self, wanted: &str) -> ParseError {
        self.parsing(format!(
            "Current token ({}) cannot be read as a {wanted} at {}",
            self.token(),
            self.shown_path()
        ))
    }

    fn shown_path(&self) -> String {
        let path = self.path();
        if path.is_empty() {
            "the body".to_string()
        } else {
            format!("[{path}]")
        }
    }
}

/// OpenSearch's name for the token a value begins with.
pub fn token_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(_) => "VALUE_BOOLEAN",
        Value::Number(_) => "VALUE_NUMBER",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}

/// The engine's form of a JSON scalar; `None` for objects and arrays.
pub fn to_scalar(value: &Value) -> Option<Scalar> {
    Some(match value {
        Value::Null => Scalar::Null,
        Value::Bool(flag) => Scalar::Bool(*flag),
        Value::Number(number) => {
            if let Some(whole) = number.as_i64() {
                Scalar::I64(whole)
            } else if let Some(whole) = number.as_u64() {
                Scalar::U64(whole)
            } else {
                Scalar::F64(number.as_f64()?)
            }
        }
        Value::String(text) => Scalar::Str(text.clone()),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

/// JSON form of one of the engine's scalars; numbers JSON has no form for (NaN, infinities) become text.
pub fn from_scalar(value: &Scalar) -> Value {
    match value {
        Scalar::Null => Value::Null,
        Scalar::Bool(flag) => Value::Bool(*flag),
        Scalar::I64(whole) => Value::from(*whole),
        Scalar::U64(whole) => Value::from(*whole),
        Scalar::F64(number) => match serde_json::Number::from_f64(*number) {
            Some(number) => Value::Number(number),
            None if number.is_nan() => Value::from("NaN"),
            None => Value::from(if *number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            }),
        },
        Scalar::Str(text) => Value::String(text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn knows_the_path_of_every_value() {
        let body = json!({"query": {"bool": {"must": [{"a/b": 1}]}}});
        let root = Json::root(&body);
        let must = root
            .get("query")
            .and_then(|q| q.get("bool"))
            .and_then(|b| b.get("must"))
            .unwrap();
        let first = must.items().next().unwrap();
        let (key, value) = first.members().next().unwrap();
        assert_eq!(
            (key, value.path().as_str()),
            ("a/b", "/query/bool/must/0/a~1b")
        );
    }

    #[test]
    fn reads_numbers_written_as_text() {
        assert_eq!(Json::root(&json!("10")).i32().unwrap(), 10);
        assert_eq!(Json::root(&json!(3.0)).i64().unwrap(), 3);
        assert_eq!(Json::root(&json!("1.5")).f64().unwrap(), 1.5);
        assert_eq!(
            Json::root(&json!("x")).i64().unwrap_err().kind,
            "number_format_exception"
        );
    }

    #[test]
    fn errors_are_located_in_the_text() {
        let text = br#"{"query":{"mtch":{}}}"#;
        let body: Value = serde_json::from_slice(text).unwrap();
        let inner = Json::root(&body).get("query").unwrap().get("mtch").unwrap();
        let error = inner
            .parsing("unknown query [mtch]")
            .with_cause(inner.error("named_object_not_found_exception", "unknown field [mtch]"));
        let error = error.locate(text);
        assert_eq!(error.location, Some((1, 18)));
        assert_eq!(
            error.caused_by.unwrap().full_reason(),
            "[1:18] unknown field [mtch]"
        );
    }
}
