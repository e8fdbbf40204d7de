//! What a shard needs to be opened, and why that can fail.

use std::io;
use std::sync::Arc;

use super::{Clock, CopyRole};
use crate::directory::Directory;
use crate::ids::PrimaryTerm;
use crate::schema::IndexSchema;
use crate::segment::{OpenSegmentError, ReadError};
use crate::translog::JournalError;

/// The world of a shard.
#[derive(Clone, Debug)]
pub struct ShardParts {
    /// Segments and commit points.
    pub directory: Arc<dyn Directory>,
    /// The translog; may be the same folder's neighbour, never the same folder.
    pub translog: Arc<dyn Directory>,
    /// Mapping, analysis, settings.
    pub schema: Arc<IndexSchema>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The reign in which this copy is opened; operations of earlier ones are refused.
    pub primary_term: PrimaryTerm,
    /// Primary or replica.
    pub role: CopyRole,
    /// No other copy is in sync: what a primary has durable is the global checkpoint.
    pub alone: bool,
    /// Knobs that no index setting names.
    pub options: ShardOptions,
    /// Identity of this copy's data.
    pub allocation_id: String,
    /// Make the shard: true for a new one, false for one that must exist.
    pub create: bool,
}

/// Knobs for the node and for tests.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    /// Memory that documents may take before a refresh that searches do not see, in bytes.
    pub buffer_bytes_max: usize,
    /// Memory that segments not yet written may take before a flush, in bytes.
    pub memory_segments_bytes_max: u64,
    /// Buffers that can be filled side by side.
    pub buffer_count: usize,
    /// Merge on a thread of its own whenever the policy finds a merge.
    pub background_merges: bool,
    /// A merge of fewer documents keeps their order, whatever `index.reorder` says: it will be merged again soon.
    pub reorder_docs_min: u64,
    /// Bytes a second that a background merge may write.
    pub merge_bytes_per_second: u64,
    /// Bytes of translog kept for other copies to catch up from, after a flush no longer needs them.
    pub translog_retention_bytes: u64,
}

impl Default for ShardOptions {
    fn default() -> Self {
        ShardOptions {
            buffer_bytes_max: 64 << 20,
            memory_segments_bytes_max: 64 << 20,
            buffer_count: std::thread::available_parallelism().map_or(2, usize::from),
            background_merges: true,
            reorder_docs_min: 50_000,
            merge_bytes_per_second: 40 << 20,
            translog_retention_bytes: 32 << 20,
        }
    }
}

/// Why a shard cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenShardError {
    /// There is none, and none was to be made.
    #[error("no commit point found: this copy's data is missing")]
    Missing,
    /// There is one already.
    #[error("cannot create the shard: a commit point exists already")]
    Exists,
    /// The file system refused.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A replica that is to be the primary still shows operations that were rolled back.
    #[error(
        "operations that were rolled back are still in the segments: recover this shard from another copy"
    )]
    NeedsSegments,
    /// A file is not what was written.
    #[error("{file}: {reason}; the file is damaged, recover this shard from another copy")]
    Corrupt {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A segment or its live docs are not what was written.
    #[error("{file}: {source}")]
    Segment {
        /// The file.
        file: String,
        /// What is wrong.
        source: OpenSegmentError,
    },
    /// A segment could not be read while the translog was replayed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The translog is damaged or cannot be read.
    #[error("translog: {0}")]
    Translog(#[from] JournalError),
    /// An operation of the translog cannot be applied.
    #[error("translog operation [{seq_no}] on [{id}] cannot be replayed: {reason}")]
    Replay {
        /// Its number.
        seq_no: i64,
        /// Its document.
        id: String,
        /// What is wrong.
        reason: String,
    },
}

impl OpenShardError {
    /// Whether opening the shard again may help: true for what the system refused, false for data that is damaged
    /// or missing.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            OpenShardError::Io { .. }
                | OpenShardError::Translog(JournalError::Io { .. } | JournalError::Failed { .. })
        )
    }
}

/// Why a refresh, flush, merge or check failed.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The shard was closed.
    #[error("the shard is closed")]
    Closed,
    /// An earlier error made the shard give up.
    #[error("the shard failed: {reason}")]
    Failed {
        /// The first error.
        reason: String,
    },
    /// The file system refused.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what was written.
    #[error("{file}: {reason}; the file is damaged, recover this shard from another copy")]
    Corrupt {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// What was asked comes from a reign that is over.
    #[error("primary term [{found}] is too old (current [{current}])")]
    StaleTerm {
        /// The one asked for.
        found: u64,
        /// The copy's.
        current: u64,
    },
    /// Only a primary does this.
    #[error("this copy of the shard is not the primary")]
    NotPrimary,
    /// Only a replica does this.
    #[error("this copy of the shard is not a replica")]
    NotReplica,
    /// Operations that were rolled back are still in the segments.
    #[error(
        "operations that were rolled back are still in the segments: a list of the primary must be installed first"
    )]
    NeedsSegments,
    /// An operation could not be done again.
    #[error("operation [{seq_no}] on [{id}] cannot be done again: {reason}")]
    Replay {
        /// Its number.
        seq_no: i64,
        /// Its document.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// A segment cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The translog.
    #[error("translog: {0}")]
    Translog(#[from] JournalError),
}

impl From<OpenShardError> for ShardError {
    fn from(error: OpenShardError) -> ShardError {
        match error {
            OpenShardError::Io { file, source } => ShardError::Io { file, source },
            OpenShardError::Corrupt { file, reason } => ShardError::Corrupt { file, reason },
            OpenShardError::Segment { file, source } => ShardError::Corrupt {
                file,
                reason: source.to_string(),
            },
            OpenShardError::Read(error) => ShardError::Read(error),
            OpenShardError::Translog(error) => ShardError::Translog(error),
            OpenShardError::Replay { seq_no, id, reason } => {
                ShardError::Replay { seq_no, id, reason }
            }
            OpenShardError::NeedsSegments => ShardError::NeedsSegments,
            OpenShardError::Missing | OpenShardError::Exists => ShardError::Failed {
                reason: error.to_string(),
            },
        }
    }
}

impl ShardError {
    /// Whether bytes on disk are not what was written: opening the shard again cannot help.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            ShardError::Corrupt { .. }
                | ShardError::Read(_)
                | ShardError::Translog(JournalError::Corrupt { .. })
        )
    }

    pub(crate) fn io(file: &str) -> impl FnOnce(io::Error) -> ShardError + '_ {
        move |source| ShardError::Io {
            file: file.to_owned(),
            source,
        }
    }
}
