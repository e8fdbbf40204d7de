//! What a handler answers, before formatting.

use bytes::Bytes;
use serde::Serialize;

/// The body of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ResponseBody {
    /// Nothing.
    Empty,
    /// Plain text, sent as it is: `_cat`.
    Text(String),
    /// Compact JSON; `pretty`, `filter_path` and `format` are applied to it on the way out.
    Json(Bytes),
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct RestResponse {
    /// HTTP status.
    pub status: u16,
    /// What is sent.
    pub body: ResponseBody,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

impl RestResponse {
    /// An answer in JSON. A value that cannot be written (there is none among ours) becomes a 500.
    pub fn json(status: u16, value: &impl Serialize) -> RestResponse {
        match serde_json::to_vec(value) {
            Ok(text) => RestResponse::raw_json(status, text),
            Err(error) => RestResponse::raw_json(
                500,
                super::RestError::internal(error.to_string())
                    .envelope(false)
                    .to_string(),
            ),
        }
    }

    /// 200 in JSON.
    pub fn ok(value: &impl Serialize) -> RestResponse {
        RestResponse::json(200, value)
    }

    /// 200 `{"acknowledged": …}`: whether every node follows a change.
    pub fn acknowledged(acknowledged: bool) -> RestResponse {
        RestResponse::raw_json(200, format!(r#"{{"acknowledged":{acknowledged}}}"#))
    }

    /// An answer that is compact JSON already.
    pub fn raw_json(status: u16, text: impl Into<Bytes>) -> RestResponse {
        RestResponse {
            status,
            body: ResponseBody::Json(text.into()),
            headers: Vec::new(),
        }
    }

    /// Plain text.
    pub fn text(status: u16, text: impl Into<String>) -> RestResponse {
        RestResponse {
            status,
            body: ResponseBody::Text(text.into()),
            headers: Vec::new(),
        }
    }

    /// No body: what `HEAD` answers.
    pub fn empty(status: u16) -> RestResponse {
        RestResponse {
            status,
            body: ResponseBody::Empty,
            headers: Vec::new(),
        }
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> RestResponse {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds a deprecation notice as a `Warning: 299` header.
    pub fn with_deprecation(self, notice: &str) -> RestResponse {
        let escaped = notice.replace('\\', "\\\\").replace('"', "\\\"");
        let warning = format!(
            "299 OpenSearch-{} \"{escaped}\"",
            super::root::OPENSEARCH_WARNING_AGENT
        );
        self.with_header("warning", warning)
    }
}
