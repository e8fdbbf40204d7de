//! Why a document was refused, in OpenSearch's words.

use thiserror::Error;

/// A document that the mapping refuses.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct DocumentError {
    /// OpenSearch's name of the error, like `mapper_parsing_exception`.
    pub kind: &'static str,
    /// What is wrong, for the user.
    pub reason: String,
    /// The error below it, shown as `caused_by`.
    pub caused_by: Option<Box<DocumentError>>,
}

impl DocumentError {
    /// An error of the given kind.
    pub fn new(kind: &'static str, reason: impl Into<String>) -> DocumentError {
        DocumentError {
            kind,
            reason: reason.into(),
            caused_by: None,
        }
    }

    /// A `mapper_parsing_exception`, what most refusals are.
    pub fn mapper_parsing(reason: impl Into<String>) -> DocumentError {
        DocumentError::new("mapper_parsing_exception", reason)
    }

    /// Adds the cause.
    pub fn caused_by(mut self, cause: DocumentError) -> DocumentError {
        self.caused_by = Some(Box::new(cause));
        self
    }
}
