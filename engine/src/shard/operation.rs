//! What a shard can be asked to do to a document, and what it answers.

use std::sync::Arc;

use bytes::Bytes;

use super::ShardError;
use crate::document::{DocumentError, MappingUpdate, StoredValue};
use crate::ids::{PrimaryTerm, SeqNo};
use crate::segment::ReadError;
use crate::translog::{JournalError, Location};

/// What must hold for the document as it stands before the operation is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VersionCheck {
    /// Nothing; the version grows by one.
    #[default]
    Internal,
    /// The last operation on the document has this number in this reign.
    IfSeqNo {
        /// `if_seq_no`.
        seq_no: SeqNo,
        /// `if_primary_term`.
        primary_term: PrimaryTerm,
    },
    /// `version_type=external`: this version is higher than the current one; it becomes the version.
    External(u64),
    /// `version_type=external_gte`: this version is not lower than the current one; it becomes the version.
    ExternalGte(u64),
}

/// Where an operation comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// A client, through this copy, which is the primary: it decides number and version.
    #[default]
    Primary,
    /// The primary copy decided.
    Replica {
        /// Its number.
        seq_no: SeqNo,
        /// The reign in which it was given.
        primary_term: PrimaryTerm,
        /// The version it results in.
        version: u64,
    },
    /// This copy's own translog; it is not written there again.
    Replay {
        /// Its number.
        seq_no: SeqNo,
        /// The reign in which it was given.
        primary_term: PrimaryTerm,
        /// The version it results in.
        version: u64,
    },
}

/// Puts a document, in place of the one with the same `_id` if there is one.
#[derive(Clone, Debug)]
pub struct IndexOp {
    /// The document's `_id`.
    pub id: String,
    /// Its custom routing.
    pub routing: Option<String>,
    /// Its body.
    pub source: Bytes,
    /// Condition on the present document.
    pub version: VersionCheck,
    /// Refuse when the document exists (`op_type=create`).
    pub create_only: bool,
    /// Who asks.
    pub origin: Origin,
}

/// Removes a document.
#[derive(Clone, Debug)]
pub struct DeleteOp {
    /// The document's `_id`.
    pub id: String,
    /// Condition on the present document.
    pub version: VersionCheck,
    /// Who asks.
    pub origin: Origin,
}

/// What an operation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteResult {
    /// Its number.
    pub seq_no: SeqNo,
    /// The reign it was done in.
    pub primary_term: PrimaryTerm,
    /// The document's version now.
    pub version: u64,
    /// Index: no document with this `_id` existed.
    pub created: bool,
    /// Delete: a document with this `_id` existed.
    pub found: bool,
    /// Where it stands in the translog; `None` for what came from there.
    pub location: Option<Location>,
}

/// Why an operation was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// The condition does not hold.
    #[error("{reason}")]
    VersionConflict {
        /// OpenSearch's words.
        reason: String,
    },
    /// The document brings fields that the mapping lacks: have them added, then ask again.
    #[error("the mapping must be updated first")]
    MappingUpdate(MappingUpdate),
    /// The mapping refuses the document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The operation itself makes no sense.
    #[error("{reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
    /// The operation comes from a reign that is over.
    #[error("operation primary term [{found}] is too old (current [{current}])")]
    StaleTerm {
        /// The operation's.
        found: u64,
        /// The copy's.
        current: u64,
    },
    /// A client's operation came to a copy that is not the primary.
    #[error("this copy of the shard is not the primary")]
    NotPrimary,
    /// A primary's operation came to a copy that is no replica.
    #[error("this copy of the shard is not a replica")]
    NotReplica,
    /// The shard was closed.
    #[error("the shard is closed")]
    Closed,
    /// An earlier error made the shard give up; reads go on, writes need it to be opened anew.
    #[error("the shard failed and takes no more writes: {reason}")]
    Failed {
        /// The first error.
        reason: String,
    },
    /// The translog could not take it.
    #[error("translog: {0}")]
    Translog(#[from] JournalError),
    /// The present document could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<ShardError> for WriteError {
    fn from(error: ShardError) -> WriteError {
        match error {
            ShardError::Closed => WriteError::Closed,
            ShardError::Failed { reason } => WriteError::Failed { reason },
            ShardError::NotPrimary => WriteError::NotPrimary,
            ShardError::NotReplica => WriteError::NotReplica,
            ShardError::StaleTerm { found, current } => WriteError::StaleTerm { found, current },
            ShardError::Translog(error) => WriteError::Translog(error),
            ShardError::Read(error) => WriteError::Read(error),
            other => WriteError::Failed {
                reason: other.to_string(),
            },
        }
    }
}

/// How a document is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetOptions {
    /// See operations that were not refreshed yet.
    pub realtime: bool,
    /// Also give the values of fields with `store: true`.
    pub stored_fields: bool,
}

impl Default for GetOptions {
    fn default() -> Self {
        GetOptions {
            realtime: true,
            stored_fields: false,
        }
    }
}

/// A document found by its `_id`.
#[derive(Clone, Debug, PartialEq)]
pub struct GetResult {
    /// The `_id`.
    pub id: String,
    /// Its custom routing.
    pub routing: Option<String>,
    /// Its version.
    pub version: u64,
    /// The operation that put it.
    pub seq_no: SeqNo,
    /// The reign of that operation.
    pub primary_term: PrimaryTerm,
    /// Its body; empty when the mapping stores none.
    pub source: Bytes,
    /// Stored values by path, when asked for.
    pub fields: Vec<(Arc<str>, Vec<StoredValue>)>,
}
