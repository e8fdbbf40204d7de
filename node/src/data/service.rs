//! What coordination may ask of a shard, wherever it is. One process asks [`super::local`]; a cluster asks
//! [`super::routed`], which goes over the wire for the shards of other nodes.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use quidditch_engine::shard::{SegmentSummary, ShardStats};

/// One shard of one index.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShardTarget {
    /// Name of the concrete index.
    pub index: String,
    /// Its uuid: a deleted index of the same name is another one.
    pub index_uuid: String,
    /// Number of the shard, from 0.
    pub shard: u32,
}

/// One operation on one document.
#[derive(Clone, Debug, PartialEq)]
pub enum WriteOp {
    /// Stores a document, new or in place of what has its id.
    Index {
        /// `_id`
        id: String,
        /// `_routing`, if the user gave one.
        routing: Option<String>,
        /// The document, as JSON text.
        source: Bytes,
        /// What must hold for the write to happen.
        version: VersionRule,
        /// A document of that id must not exist.
        create_only: bool,
    },
    /// Removes a document.
    Delete {
        /// `_id`
        id: String,
        /// What must hold for the write to happen.
        version: VersionRule,
    },
    /// Changes parts of a document, where the document is.
    Update(UpdateOp),
}

impl WriteOp {
    /// `_id` of the document.
    pub fn id(&self) -> &str {
        match self {
            WriteOp::Index { id, .. } | WriteOp::Delete { id, .. } => id,
            WriteOp::Update(update) => &update.id,
        }
    }
}

/// A partial change: the stored document is read, merged with the part, and stored again.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateOp {
    /// `_id`
    pub id: String,
    /// `_routing`, if the user gave one.
    pub routing: Option<String>,
    /// What to merge into the stored document, as JSON text; `None` with an upsert alone.
    pub doc: Option<Bytes>,
    /// What to store if there is no document, as JSON text.
    pub upsert: Option<Bytes>,
    /// Language of the script that was to change the document. No language is there: a document that exists is refused
    /// the change, one that doesn't takes the upsert.
    pub script_lang: Option<String>,
    /// The script was to make the new document from the upsert, too.
    pub scripted_upsert: bool,
    /// A merge that changes nothing writes nothing.
    pub detect_noop: bool,
    /// How often to try again when somebody else changed the document meanwhile.
    pub retry_on_conflict: u32,
    /// What must hold for the write to happen.
    pub version: VersionRule,
    /// Bring the new source along in the outcome.
    pub return_source: bool,
}

/// What must hold for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum VersionRule {
    /// Nothing; the version counts up.
    #[default]
    Any,
    /// The document's last change is this one.
    IfSeqNo {
        /// `if_seq_no`
        seq_no: i64,
        /// `if_primary_term`
        primary_term: u64,
    },
    /// The caller's version must be higher than the stored one, and is stored.
    External(u64),
    /// The caller's version must be as high or higher, and is stored.
    ExternalGte(u64),
}

/// When a write must be visible to searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RefreshPolicy {
    /// Some time: at the next scheduled refresh.
    #[default]
    None,
    /// Before the answer, by refreshing now.
    Immediate,
    /// Before the answer, by waiting for the scheduled refresh.
    WaitFor,
}

/// What became of a document by a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WriteKind {
    /// It is new.
    Created,
    /// It stands in place of an older one.
    Updated,
    /// It is gone.
    Deleted,
    /// There was nothing to delete.
    NotFound,
    /// Nothing: it was so already.
    Noop,
}

impl WriteKind {
    /// `result` of answers.
    pub fn name(self) -> &'static str {
        match self {
            WriteKind::Created => "created",
            WriteKind::Updated => "updated",
            WriteKind::Deleted => "deleted",
            WriteKind::NotFound => "not_found",
            WriteKind::Noop => "noop",
        }
    }
}

/// What a write did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteOutcome {
    /// Place in the order of the shard.
    pub seq_no: i64,
    /// Reign in which it was done.
    pub primary_term: u64,
    /// `_version` of the document after it.
    pub version: u64,
    /// What became of the document.
    pub result: WriteKind,
    /// The new source, for updates that asked for it.
    pub source: Option<Bytes>,
    /// A refresh was made for this write, because of [`RefreshPolicy::Immediate`] or too many waiters.
    pub forced_refresh: bool,
    /// Copies that have it, the primary among them.
    pub copies: u32,
    /// Copies that did not take it, and do not count any more.
    pub failures: Vec<CopyFailure>,
}

/// A copy that did not take a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyFailure {
    /// Id of the node it is on.
    pub node: String,
    /// What it failed with.
    pub reason: String,
}

/// Reads one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetOp {
    /// `_id`
    pub id: String,
    /// See writes that no refresh has made searchable yet.
    pub realtime: bool,
    /// Refresh before reading.
    pub refresh: bool,
    /// Names of stored fields to bring along.
    pub stored_fields: Vec<String>,
}

/// A document as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDocument {
    /// `_id`
    pub id: String,
    /// `_routing`
    pub routing: Option<String>,
    /// `_version`
    pub version: u64,
    /// `_seq_no`
    pub seq_no: i64,
    /// `_primary_term`
    pub primary_term: u64,
    /// `_source`, as JSON text.
    pub source: Bytes,
    /// Stored fields that were asked for and exist, each with its values.
    pub fields: Vec<(String, Vec<Value>)>,
}

/// Caches of a shard that are to be emptied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CachesToClear {
    /// Fielddata of the fields that one of the patterns chooses; without patterns, of all.
    pub fielddata: Option<Vec<String>>,
    /// What filters found.
    pub filters: bool,
}

/// Why a shard did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ShardError {
    /// The shard is not on this node, or not open.
    #[error("no such shard [{index}][{shard}]")]
    NotFound {
        /// Name of the index.
        index: String,
        /// Number of the shard.
        shard: u32,
    },
    /// The copy that was asked is not the primary that the caller took it for: look at a newer state, then ask again.
    #[error("[{index}][{shard}] {reason}")]
    NotPrimary {
        /// Name of the index.
        index: String,
        /// Number of the shard.
        shard: u32,
        /// What it is.
        reason: String,
    },
    /// The node that has the shard could not be asked, or went away before it answered.
    #[error("[{node}] {reason}")]
    Unreachable {
        /// Id of the node.
        node: String,
        /// What happened.
        reason: String,
        /// The call may have been carried out. Else it never began, and may be sent again.
        maybe_done: bool,
    },
    /// The primary did the operations, and was replaced before every copy had them. Its successor has them or not: see
    /// [`ShardService::confirm`].
    #[error("the primary was replaced before every copy had the operations")]
    Unconfirmed {
        /// What they will have done, if the successor has them.
        outcomes: Vec<Result<WriteOutcome, ShardError>>,
    },
    /// The document is not at the version that the caller named.
    #[error("{reason}")]
    VersionConflict {
        /// OpenSearch's words: `[id]: version conflict, …`.
        reason: String,
    },
    /// An update of a document that is not there.
    #[error("[{id}]: document missing")]
    DocumentMissing {
        /// `_id`
        id: String,
    },
    /// The document has fields that the mapping does not know yet: apply this update, then ask again.
    #[error("mapping update needed")]
    MappingUpdate(Value),
    /// Not done, since an operation before it needs a mapping update: ask again after that one.
    #[error("an operation before this one needs a mapping update")]
    Behind,
    /// Too much is in flight: ask later.
    #[error("{reason}")]
    Rejected {
        /// Which limit was reached.
        reason: String,
    },
    /// Anything else, in OpenSearch's terms.
    #[error("{kind}: {reason}")]
    Other {
        /// HTTP status that suits it.
        status: u16,
        /// `type` of the error envelope.
        kind: String,
        /// `reason` of the error envelope.
        reason: String,
        /// The error beneath.
        caused_by: Option<Box<ShardError>>,
    },
}

impl ShardError {
    /// An error that only the log can help with.
    pub fn internal(reason: impl Into<String>) -> ShardError {
        ShardError::Other {
            status: 500,
            kind: "exception".to_owned(),
            reason: reason.into(),
            caused_by: None,
        }
    }

    /// Whether nothing was done, since the shard is not where it was looked for: a newer state may say where it is.
    pub fn is_misplaced(&self) -> bool {
        match self {
            ShardError::NotFound { .. } | ShardError::NotPrimary { .. } => true,
            ShardError::Unreachable { maybe_done, .. } => !maybe_done,
            _ => false,
        }
    }
}

/// How a shard came up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoverySummary {
    /// `EMPTY_STORE`, `EXISTING_STORE`, `LOCAL_SHARDS` or `PEER`.
    pub kind: String,
    /// `init`, `index`, `translog`, `finalize` or `done`.
    pub stage: String,
    /// Id of the node that its data comes from, if it is another one.
    pub source_node: Option<String>,
    /// When it began, in ms since the epoch.
    pub began_ms: i64,
    /// How long it took, in ms.
    pub took_ms: u64,
    /// Files of its segments.
    pub files: u64,
    /// Of them, those that had to be copied here.
    pub files_lacking: u64,
    /// And of those, the ones that were.
    pub files_recovered: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes that had to be copied here, and were.
    pub bytes_recovered: u64,
    /// Bytes that were here already.
    pub bytes_reused: u64,
    /// How long it waited for its share of `indices.recovery.max_bytes_per_sec`, in ms.
    pub throttled_ms: u64,
    /// Operations of the translog that were done again.
    pub operations: u64,
}

impl RecoverySummary {
    /// When it ended, in ms since the epoch.
    pub fn ended_ms(&self) -> i64 {
        let took = i64::try_from(self.took_ms).unwrap_or(i64::MAX);
        self.began_ms.saturating_add(took)
    }

    /// How much of what had to be copied here has come: files, then bytes. All of it, if nothing had to be.
    pub fn percents(&self) -> (String, String) {
        let lacking = self.bytes.saturating_sub(self.bytes_reused);
        (
            percent(self.files_recovered, self.files_lacking, self.files),
            percent(self.bytes_recovered, lacking, self.bytes),
        )
    }

    /// Files that were here already.
    pub fn files_reused(&self) -> u64 {
        self.files.saturating_sub(self.files_lacking)
    }

    /// Whether it is over.
    pub fn is_done(&self) -> bool {
        self.stage == "done"
    }
}

/// As OpenSearch shows it: of nothing at all it is none, of nothing to do it is all.
fn percent(done: u64, of: u64, all: u64) -> String {
    match (of, all) {
        (_, 0) => "0.0%".to_owned(),
        (0, _) => "100.0%".to_owned(),
        _ => format!("{:.1}%", 100.0 * done as f64 / of as f64),
    }
}

/// The shards of a cluster.
///
/// Every call names its shard; a call for a shard that is not there is [`ShardError::NotFound`].
#[async_trait]
pub trait ShardService: Send + Sync {
    /// Does operations in their order and returns when they are as durable as the index wants them to be.
    ///
    /// Operations on different documents may be done side by side. The results stand at the places of their operations;
    /// one that failed does not stop the others, except for [`ShardError::MappingUpdate`]: later operations on the same
    /// document, and perhaps on others, are [`ShardError::Behind`] then, so that their order holds when they are sent again.
    /// `refresh` is left to the call that sends them.
    async fn write(
        &self,
        target: &ShardTarget,
        ops: Vec<WriteOp>,
        refresh: RefreshPolicy,
    ) -> Result<Vec<Result<WriteOutcome, ShardError>>, ShardError>;

    /// Tells, for each (sequence number, primary term), whether the primary has that operation; those that it has are on
    /// every in-sync copy when this returns.
    async fn confirm(
        &self,
        target: &ShardTarget,
        operations: Vec<(i64, u64)>,
    ) -> Result<Vec<bool>, ShardError>;

    /// Reads one document; `None` if there is none of that id.
    async fn get(
        &self,
        target: &ShardTarget,
        op: GetOp,
    ) -> Result<Option<StoredDocument>, ShardError>;

    /// Makes everything written so far searchable.
    async fn refresh(&self, target: &ShardTarget) -> Result<(), ShardError>;

    /// Writes segments to disk, makes a commit point, trims the translog.
    ///
    /// `force`: even if nothing changed. `wait_if_ongoing`: wait for a running flush in place of refusing.
    async fn flush(
        &self,
        target: &ShardTarget,
        force: bool,
        wait_if_ongoing: bool,
    ) -> Result<(), ShardError>;

    /// Merges down to at most so many segments, or only those with deleted documents.
    async fn force_merge(
        &self,
        target: &ShardTarget,
        max_segments: Option<usize>,
        only_expunge_deletes: bool,
    ) -> Result<(), ShardError>;

    /// Forgets what caches hold.
    async fn clear_caches(
        &self,
        target: &ShardTarget,
        caches: CachesToClear,
    ) -> Result<(), ShardError>;

    /// Counters of a shard.
    async fn stats(&self, target: &ShardTarget) -> Result<ShardStats, ShardError>;

    /// How a shard that is open came up.
    async fn recovery(&self, target: &ShardTarget) -> Result<RecoverySummary, ShardError>;

    /// What a shard of a closed index holds on disk.
    async fn closed_stats(&self, target: &ShardTarget) -> Result<ShardStats, ShardError>;

    /// The segments of a shard, oldest first.
    async fn segments(&self, target: &ShardTarget) -> Result<Vec<SegmentSummary>, ShardError>;
}
