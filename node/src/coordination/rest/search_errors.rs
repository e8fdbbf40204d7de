//! Errors of parsing, searching and aggregating in the REST envelope.

use quidditch_engine::aggs::AggError;
use quidditch_engine::search::SearchError;

use super::RestError;
use crate::coordination::dsl::ParseError;

impl From<ParseError> for RestError {
    fn from(error: ParseError) -> RestError {
        let roots = root_of(&error);
        let mut rest = without_roots(error);
        if let Some(root) = roots {
            rest.root_cause = vec![root];
        }
        rest
    }
}

/// The innermost parsing error, which OpenSearch takes for the root cause when a wrapper stands around it.
fn root_of(error: &ParseError) -> Option<RestError> {
    let mut root = error;
    while root.kind == "x_content_parse_exception" {
        match root.caused_by.as_deref() {
            Some(cause) if is_parsing(cause.kind) => root = cause,
            _ => break,
        }
    }
    (!std::ptr::eq(root, error)).then(|| without_roots(root.clone()))
}

fn is_parsing(kind: &str) -> bool {
    matches!(
        kind,
        "x_content_parse_exception" | "parsing_exception" | "parse_exception"
    )
}

fn without_roots(error: ParseError) -> RestError {
    let mut rest = RestError::new(400, error.kind, error.full_reason());
    if let Some((line, col)) = error.location
        && error.kind == "parsing_exception"
    {
        rest = rest.with("line", line).with("col", col);
    }
    if let Some(cause) = error.caused_by {
        rest = rest.with_cause(without_roots(*cause));
    }
    rest
}

impl From<SearchError> for RestError {
    fn from(error: SearchError) -> RestError {
        let mut rest = RestError::new(error.status(), error.kind(), error.reason());
        if let SearchError::TooMuchMemory {
            wanted_bytes,
            limit_bytes,
            ..
        } = &error
        {
            rest = rest
                .with("bytes_wanted", *wanted_bytes)
                .with("bytes_limit", *limit_bytes)
                .with("durability", "TRANSIENT");
        }
        if let Some(cause) = error.cause() {
            rest = rest.with_cause(RestError::from(cause.clone()));
        }
        rest
    }
}

impl From<AggError> for RestError {
    fn from(error: AggError) -> RestError {
        let rest = RestError::new(error.status(), error.kind(), error.to_string());
        match error {
            AggError::TooManyBuckets { limit, .. } => rest.with("max_buckets", limit),
            _ => rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordination::dsl::parse_query;

    #[test]
    fn parse_errors_carry_their_place_and_root() {
        let text = br#"{"bool":{"must":{"mtch":{}}}}"#;
        let body = serde_json::from_slice(text).unwrap();
        let error = RestError::from(parse_query(&body).unwrap_err().locate(text));
        assert_eq!(error.kind, "x_content_parse_exception");
        assert_eq!(error.reason, "[1:17] [bool] failed to parse field [must]");
        let root = &error.root_cause[0];
        assert_eq!(root.reason, "unknown query [mtch] did you mean [match]?");
        assert_eq!(
            (
                root.metadata["line"].as_u64(),
                root.metadata["col"].as_u64()
            ),
            (Some(1), Some(25))
        );
    }
}
