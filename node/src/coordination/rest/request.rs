//! A request as handlers see it: path variables decoded, parameters checked, the body as bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::Value;

use super::content::{self, MediaType};
use super::{Params, RestError};

/// One request, after routing.
#[derive(Debug)]
pub struct RestRequest {
    /// The HTTP method.
    pub method: Method,
    /// The raw path, as sent, without the query string.
    pub path: String,
    /// Variables of the path, percent-decoded.
    pub vars: BTreeMap<&'static str, String>,
    /// The query string; only parameters that the endpoint knows.
    pub params: Params,
    /// What the body is; `None` when there was no `Content-Type`.
    pub content_type: Option<MediaType>,
    /// The whole body, already unzipped; with `?source=` that text.
    pub body: Bytes,
    /// All headers.
    pub headers: HeaderMap,
}

impl RestRequest {
    /// A variable of the path; `None` if this route has none of that name.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str)
    }

    /// A variable that the routes of the endpoint guarantee.
    pub fn required_var(&self, name: &str) -> Result<&str, RestError> {
        self.var(name).ok_or_else(|| {
            RestError::illegal_argument(format!("[{name}] is missing from the path"))
        })
    }

    /// A variable that holds names separated by commas; empty when the route has none.
    pub fn list_var(&self, name: &str) -> Vec<String> {
        match self.var(name) {
            None => Vec::new(),
            Some(text) => text
                .split(',')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }

    /// The body as a JSON value, whatever format it was sent in; `None` when it is empty.
    ///
    /// A body that cannot be read is a 400 with the place of the mistake.
    pub fn json(&self) -> Result<Option<Value>, RestError> {
        if self.body.is_empty() {
            return Ok(None);
        }
        content::parse_value(&self.body, self.content_type.unwrap_or(MediaType::Json)).map(Some)
    }

    /// Like [`RestRequest::json`], where the operation makes no sense without a body.
    pub fn required_json(&self) -> Result<Value, RestError> {
        self.json()?
            .ok_or_else(|| RestError::new(400, "parse_exception", "request body is required"))
    }

    /// The body as JSON text; YAML, CBOR and SMILE are translated. JSON is passed on unread.
    pub fn json_bytes(&self) -> Result<Bytes, RestError> {
        content::to_json_bytes(&self.body, self.content_type.unwrap_or(MediaType::Json))
    }
}
