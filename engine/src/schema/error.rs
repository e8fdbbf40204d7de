//! Why a mapping, an analyzer or a query value was refused.

use thiserror::Error;

/// A mapping or analysis definition that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct SchemaError {
    /// OpenSearch's name of the error, like `mapper_parsing_exception`.
    pub kind: &'static str,
    /// What is wrong, for the user.
    pub reason: String,
    /// The error below it, shown as `caused_by`.
    pub caused_by: Option<Box<SchemaError>>,
}

impl SchemaError {
    /// An error of the given kind.
    pub fn new(kind: &'static str, reason: impl Into<String>) -> SchemaError {
        SchemaError {
            kind,
            reason: reason.into(),
            caused_by: None,
        }
    }

    /// A `mapper_parsing_exception`.
    pub fn mapper(reason: impl Into<String>) -> SchemaError {
        SchemaError::new("mapper_parsing_exception", reason)
    }

    /// An `illegal_argument_exception`.
    pub fn illegal(reason: impl Into<String>) -> SchemaError {
        SchemaError::new("illegal_argument_exception", reason)
    }

    /// Adds the cause.
    pub fn caused_by(mut self, cause: SchemaError) -> SchemaError {
        self.caused_by = Some(Box::new(cause));
        self
    }
}

/// A query value that the field cannot take.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct ValueError {
    /// OpenSearch's name of the error: `illegal_argument_exception`, `number_format_exception`, `parse_exception`.
    pub kind: &'static str,
    /// What is wrong, for the user.
    pub reason: String,
    /// The error below it, shown as `caused_by`.
    pub caused_by: Option<Box<ValueError>>,
}

impl ValueError {
    /// An error of the given kind.
    pub fn new(kind: &'static str, reason: impl Into<String>) -> ValueError {
        ValueError {
            kind,
            reason: reason.into(),
            caused_by: None,
        }
    }

    /// An `illegal_argument_exception`.
    pub fn illegal(reason: impl Into<String>) -> ValueError {
        ValueError::new("illegal_argument_exception", reason)
    }

    /// A `number_format_exception` in Java's words.
    pub fn number_format(text: &str) -> ValueError {
        let reason = if text.is_empty() {
            "empty String".to_owned()
        } else {
            format!("For input string: \"{text}\"")
        };
        ValueError::new("number_format_exception", reason)
    }

    /// Adds the cause.
    pub fn caused_by(mut self, cause: ValueError) -> ValueError {
        self.caused_by = Some(Box::new(cause));
        self
    }
}
