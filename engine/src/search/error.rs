//! Why a search failed on a shard.

use serde::{Deserialize, Serialize};

use crate::document::DocumentError;
use crate::schema::{SchemaError, ValueError};
use crate::segment::{FielddataError, ReadError};

/// A failed search.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum SearchError {
    /// The request makes no sense for this index; `status` 400 unless said otherwise.
    #[error("{reason}")]
    Refused {
        /// OpenSearch's name of the error, such as `query_shard_exception`.
        kind: String,
        /// What is wrong, for the user.
        reason: String,
        /// HTTP status.
        status: u16,
        /// The error below it, shown as `caused_by`.
        cause: Option<Box<SearchError>>,
    },
    /// The search would hold more memory than is allowed.
    #[error("{reason}")]
    TooMuchMemory {
        /// What was asked, by whom, of how much.
        reason: String,
        /// Bytes that would have been held.
        wanted_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// Somebody gave up on the answer.
    #[error("The search was cancelled")]
    Cancelled,
    /// Bytes of a segment are damaged.
    #[error("{0}")]
    Damaged(String),
}

impl SearchError {
    /// A refusal with status 400.
    pub fn refused(kind: &str, reason: impl Into<String>) -> SearchError {
        SearchError::Refused {
            kind: kind.to_owned(),
            reason: reason.into(),
            status: 400,
            cause: None,
        }
    }

    /// An `illegal_argument_exception`.
    pub fn illegal(reason: impl Into<String>) -> SearchError {
        SearchError::refused("illegal_argument_exception", reason)
    }

    /// A `query_shard_exception`.
    pub fn query_shard(reason: impl Into<String>) -> SearchError {
        SearchError::refused("query_shard_exception", reason)
    }

    /// Adds the error below a refusal.
    pub fn caused_by(mut self, below: SearchError) -> SearchError {
        if let SearchError::Refused { cause, .. } = &mut self {
            *cause = Some(Box::new(below));
        }
        self
    }

    /// Wraps what a field or an analyzer refused, the way a shard reports it: `failed to create query: <reason>`.
    /// What is no refusal, or already wrapped, stays.
    pub fn while_creating_query(self) -> SearchError {
        match &self {
            SearchError::Refused { kind, .. }
                if !matches!(
                    kind.as_str(),
                    "query_shard_exception" | "parsing_exception" | "too_many_nested_clauses"
                ) =>
            {
                SearchError::query_shard(format!("failed to create query: {self}")).caused_by(self)
            }
            _ => self,
        }
    }

    /// The error's `type` on the REST face.
    pub fn kind(&self) -> &str {
        match self {
            SearchError::Refused { kind, .. } => kind,
            SearchError::TooMuchMemory { .. } => "circuit_breaking_exception",
            SearchError::Cancelled => "task_cancelled_exception",
            SearchError::Damaged(_) => "corrupt_index_exception",
        }
    }

    /// What is wrong, for the user.
    pub fn reason(&self) -> String {
        self.to_string()
    }

    /// The error below it.
    pub fn cause(&self) -> Option<&SearchError> {
        match self {
            SearchError::Refused { cause, .. } => cause.as_deref(),
            _ => None,
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> u16 {
        match self {
            SearchError::Refused { status, .. } => *status,
            SearchError::TooMuchMemory { .. } => 429,
            SearchError::Cancelled | SearchError::Damaged(_) => 500,
        }
    }
}

impl From<ReadError> for SearchError {
    fn from(error: ReadError) -> Self {
        SearchError::Damaged(error.to_string())
    }
}

impl From<FielddataError> for SearchError {
    fn from(error: FielddataError) -> Self {
        match error {
            FielddataError::Read(error) => error.into(),
            FielddataError::TooLarge { wanted, limit, .. } => SearchError::TooMuchMemory {
                reason: error.to_string(),
                wanted_bytes: wanted,
                limit_bytes: limit,
            },
        }
    }
}

impl From<ValueError> for SearchError {
    fn from(error: ValueError) -> Self {
        let refused = SearchError::refused(error.kind, error.reason);
        match error.caused_by {
            Some(below) => refused.caused_by(SearchError::from(*below)),
            None => refused,
        }
    }
}

impl From<SchemaError> for SearchError {
    fn from(error: SchemaError) -> Self {
        let refused = SearchError::refused(error.kind, error.reason);
        match error.caused_by {
            Some(below) => refused.caused_by(SearchError::from(*below)),
            None => refused,
        }
    }
}

impl From<DocumentError> for SearchError {
    fn from(error: DocumentError) -> Self {
        let refused = SearchError::refused(error.kind, error.reason);
        match error.caused_by {
            Some(below) => refused.caused_by(SearchError::from(*below)),
            None => refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_value_is_wrapped_once() {
        let error = SearchError::from(ValueError::number_format("abc")).while_creating_query();
        assert_eq!(error.kind(), "query_shard_exception");
        assert_eq!(
            error.reason(),
            "failed to create query: For input string: \"abc\""
        );
        assert_eq!(error.cause().unwrap().kind(), "number_format_exception");
        assert_eq!(error.clone().while_creating_query(), error);
    }
}
