//! Why partial results could not become an answer.

use crate::search::SearchError;

/// What can go wrong while partials are merged and finished.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AggError {
    /// `too_many_buckets_exception`, status 503: more buckets than `search.max_buckets`.
    #[error(
        "Trying to create too many buckets. Must be less than or equal to: [{limit}] but was [{found}]. \
         This limit can be set by changing the [search.max_buckets] cluster level setting."
    )]
    TooManyBuckets {
        /// `search.max_buckets`.
        limit: u64,
        /// How many there were when counting stopped.
        found: u64,
    },
    /// `illegal_argument_exception`, status 400.
    #[error("{0}")]
    IllegalArgument(String),
    /// `aggregation_execution_exception`, status 500.
    #[error("{0}")]
    Execution(String),
}

impl AggError {
    /// The error's `type` on the REST face.
    pub fn kind(&self) -> &'static str {
        match self {
            AggError::TooManyBuckets { .. } => "too_many_buckets_exception",
            AggError::IllegalArgument(_) => "illegal_argument_exception",
            AggError::Execution(_) => "aggregation_execution_exception",
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> u16 {
        match self {
            AggError::TooManyBuckets { .. } => 503,
            AggError::IllegalArgument(_) => 400,
            AggError::Execution(_) => 500,
        }
    }

    /// The same as the refusal of a shard.
    pub(crate) fn refuse(self) -> SearchError {
        SearchError::Refused {
            kind: self.kind().to_owned(),
            reason: self.to_string(),
            status: self.status(),
            cause: None,
        }
    }
}
