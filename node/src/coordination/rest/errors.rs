//! The REST face of every error: status, type, reason and metadata in OpenSearch's envelope.

use serde_json::{Map, Value, json};

/// An error as the client sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct RestError {
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// `type` of the envelope, in snake_case, such as `index_not_found_exception`.
    pub kind: String,
    /// `reason` of the envelope.
    pub reason: String,
    /// Further keys beside `reason`: `index`, `index_uuid`, `shard`, `resource.type`, `phase`, `failed_shards`, …
    pub metadata: Box<Map<String, Value>>,
    /// What stands in `root_cause`; empty means: this very error.
    pub root_cause: Vec<RestError>,
    /// `caused_by` of the envelope.
    pub caused_by: Option<Box<RestError>>,
    /// Response headers that go with the error.
    pub headers: Vec<(&'static str, String)>,
    /// The envelope is `{"error": "<reason>"}`, as for paths that nobody serves.
    pub plain: bool,
}

impl RestError {
    /// An error of any kind.
    pub fn new(status: u16, kind: impl Into<String>, reason: impl Into<String>) -> RestError {
        RestError {
            status,
            kind: kind.into(),
            reason: reason.into(),
            metadata: Box::default(),
            root_cause: Vec::new(),
            caused_by: None,
            headers: Vec::new(),
            plain: false,
        }
    }

    /// 400 `illegal_argument_exception`.
    pub fn illegal_argument(reason: impl Into<String>) -> RestError {
        RestError::new(400, "illegal_argument_exception", reason)
    }

    /// 400 `action_request_validation_exception`: every mistake, numbered.
    pub fn validation(mistakes: &[String]) -> RestError {
        let mut reason = "Validation Failed: ".to_owned();
        for (at, mistake) in mistakes.iter().enumerate() {
            reason.push_str(&format!("{}: {mistake};", at + 1));
        }
        RestError::new(400, "action_request_validation_exception", reason)
    }

    /// 404 `index_not_found_exception`.
    pub fn index_not_found(index: &str) -> RestError {
        RestError::new(
            404,
            "index_not_found_exception",
            format!("no such index [{index}]"),
        )
        .with("resource.type", "index_or_alias")
        .with("resource.id", index)
        .with_index(index, "_na_")
    }

    /// 500: something that must not happen; the reason goes to the log as well.
    pub fn internal(reason: impl Into<String>) -> RestError {
        RestError::new(500, "exception", reason)
    }

    /// Adds a key beside `reason`.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> RestError {
        self.metadata.insert(key.to_owned(), value.into());
        self
    }

    /// Adds `index` and `index_uuid`.
    pub fn with_index(self, index: &str, uuid: &str) -> RestError {
        self.with("index", index).with("index_uuid", uuid)
    }

    /// Says the same in other words.
    pub fn reworded(mut self, reason: impl Into<String>) -> RestError {
        self.reason = reason.into();
        self
    }

    /// Sets `caused_by`.
    pub fn with_cause(mut self, cause: RestError) -> RestError {
        self.caused_by = Some(Box::new(cause));
        self
    }

    /// Sets what stands in `root_cause` in place of this error.
    pub fn with_root_causes(mut self, causes: Vec<RestError>) -> RestError {
        self.root_cause = causes;
        self
    }

    /// Adds a response header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> RestError {
        self.headers.push((name, value.into()));
        self
    }

    /// Makes the envelope `{"error": "<reason>"}`.
    pub fn as_plain(mut self) -> RestError {
        self.plain = true;
        self
    }

    /// `{"type", "reason", …}`: what stands in bulk items, shard failures and `caused_by`.
    pub fn cause_json(&self, trace: bool) -> Value {
        let mut object = Map::new();
        self.write_into(&mut object, trace);
        Value::Object(object)
    }

    /// The whole envelope: `{"error": {"root_cause": […], "type", "reason", …}, "status": N}`.
    pub fn envelope(&self, trace: bool) -> Value {
        if self.plain {
            return match self.status {
                400 => json!({ "error": self.reason }),
                status => json!({ "error": self.reason, "status": status }),
            };
        }
        let mut error = Map::new();
        let roots: Vec<Value> = match self.root_cause.as_slice() {
            [] => {
                let mut root = self.clone();
                root.caused_by = None;
                for key in ["phase", "grouped", "failed_shards"] {
                    root.metadata.remove(key);
                }
                vec![root.cause_json(trace)]
            }
            causes => causes
                .iter()
                .map(|cause| {
                    let mut root = cause.clone();
                    root.caused_by = None;
                    root.cause_json(trace)
                })
                .collect(),
        };
        error.insert("root_cause".to_owned(), Value::Array(roots));
        self.write_into(&mut error, trace);
        json!({ "error": error, "status": self.status })
    }

    fn write_into(&self, object: &mut Map<String, Value>, trace: bool) {
        object.insert("type".to_owned(), Value::from(self.kind.as_str()));
        object.insert("reason".to_owned(), Value::from(self.reason.as_str()));
        for (key, value) in self.metadata.iter() {
            object.insert(key.clone(), value.clone());
        }
        if let Some(cause) = &self.caused_by {
            object.insert("caused_by".to_owned(), cause.cause_json(trace));
        }
        if trace {
            object.insert("stack_trace".to_owned(), Value::from(self.trace_text()));
        }
    }

    /// The chain, outermost first: `[hats] IndexNotFoundException[no such index [hats]]; nested: …`.
    fn trace_text(&self) -> String {
        let mut text = String::new();
        if let Some(Value::String(index)) = self.metadata.get("index") {
            text.push_str(&format!("[{index}] "));
        }
        text.push_str(&format!("{}[{}]", class_name(&self.kind), self.reason));
        let mut cause = self.caused_by.as_deref();
        while let Some(inner) = cause {
            text.push_str(&format!(
                "; nested: {}[{}]",
                class_name(&inner.kind),
                inner.reason
            ));
            cause = inner.caused_by.as_deref();
        }
        text
    }
}

/// `index_not_found_exception` as `IndexNotFoundException`, which people look for in traces.
fn class_name(kind: &str) -> String {
    let mut name = String::with_capacity(kind.len());
    for part in kind.split('_') {
        let mut letters = part.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

impl std::fmt::Display for RestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status, self.kind, self.reason)
    }
}

impl std::error::Error for RestError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_envelope() {
        let error = RestError::index_not_found("hats");
        assert_eq!(
            error.envelope(false),
            json!({"error": {
                "root_cause": [{
                    "type": "index_not_found_exception", "reason": "no such index [hats]",
                    "resource.type": "index_or_alias", "resource.id": "hats", "index": "hats", "index_uuid": "_na_"}],
                "type": "index_not_found_exception", "reason": "no such index [hats]",
                "resource.type": "index_or_alias", "resource.id": "hats", "index": "hats", "index_uuid": "_na_"},
                "status": 404})
        );
    }

    #[test]
    fn the_cause_stands_outside_of_the_root_cause() {
        let error = RestError::illegal_argument("outer").with_cause(RestError::internal("inner"));
        let envelope = error.envelope(true);
        assert_eq!(envelope["error"]["caused_by"]["reason"], "inner");
        assert!(
            envelope["error"]["root_cause"][0]
                .get("caused_by")
                .is_none()
        );
        assert_eq!(
            envelope["error"]["stack_trace"],
            "IllegalArgumentException[outer]; nested: Exception[inner]"
        );
    }
}
