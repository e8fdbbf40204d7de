//! What copies of a shard ask each other, and how it travels: over gRPC ([`super::grpc`]), or through a network that a
//! test makes up.
//!
//! Every call is one question and one answer, names the copy that is asked by its allocation id, and carries the primary
//! term under which the asker acts. A copy that knows a newer term refuses, and says so.

use async_trait::async_trait;
use bytes::Bytes;
use quidditch_engine::shard::{FileName, SegmentList};

use crate::cluster::NodeId;

/// One copy of one shard: whose data it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CopyId {
    /// Uuid of the index.
    pub index_uuid: String,
    /// Number of the shard.
    pub shard: u32,
    /// Which of its copies.
    pub allocation_id: String,
}

/// Operations of the primary for another copy.
#[derive(Clone, Debug, PartialEq)]
pub struct Replicate {
    /// Who is asked.
    pub to: CopyId,
    /// The primary's reign.
    pub primary_term: u64,
    /// What every in-sync copy has, as far as the primary knows; -1: nothing.
    pub global_checkpoint: i64,
    /// Encoded operations (`engine::translog::Operation`), in any order.
    pub operations: Vec<Bytes>,
    /// Answer only once they are on disk.
    pub sync: bool,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Every operation up to here is on its disk.
    pub persisted: i64,
    /// Every operation up to here is found by its searches.
    pub searchable: i64,
}

/// The primary shows new segments: have them too.
#[derive(Clone, Debug, PartialEq)]
pub struct CatchUp {
    /// Who is asked.
    pub to: CopyId,
    /// The primary's reign.
    pub primary_term: u64,
    /// What every in-sync copy has, as far as the primary knows.
    pub global_checkpoint: i64,
    /// Generation of the list that the primary shows.
    pub generation: u64,
}

/// A copy wants to become one that has everything.
#[derive(Clone, Debug, PartialEq)]
pub struct StartRecovery {
    /// The primary's copy, which is asked.
    pub to: CopyId,
    /// The copy that asks, of the same shard.
    pub target: String,
    /// The node it is on.
    pub node: NodeId,
    /// Version of the cluster state in which the asker found itself.
    pub state_version: u64,
    /// History of the data that it has already; `None`: it has none.
    pub history_uuid: Option<String>,
}

/// How a recovery goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum RecoveryPlan {
    /// What the target has belongs to another history: it has to begin with nothing.
    StartOver,
    /// Copy the segments, then ask for the operations that follow.
    Copy {
        /// Under which the source keeps what the target needs.
        session: u64,
        /// What every in-sync copy has.
        global_checkpoint: i64,
        /// The segments to have.
        list: Box<SegmentList>,
    },
}

/// Segments to copy.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenShipment {
    /// The primary's copy, which is asked.
    pub to: CopyId,
    /// The reign in which the asker follows it.
    pub primary_term: u64,
    /// Generation and reign of the list that the asker has.
    pub has: Option<(u64, u64)>,
}

/// The primary's list, if it is another one.
#[derive(Clone, Debug, PartialEq)]
pub enum Shipment {
    /// The asker has it already.
    Same,
    /// Read the files by its number, then close it.
    List {
        /// Under which the files are kept.
        session: u64,
        /// The segments.
        list: Box<SegmentList>,
    },
}

/// A part of a file of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFile {
    /// From [`RecoveryPlan`] or [`Shipment`].
    pub session: u64,
    /// A file of the list.
    pub file: FileName,
    /// First byte.
    pub offset: u64,
    /// How many, at most [`READ_BYTES_MAX`].
    pub len: u32,
}

/// Bytes of a file sent at once, at most.
pub const READ_BYTES_MAX: u32 = 1 << 20;

/// Operations of a recovery.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationBatch {
    /// Encoded operations, in ascending order of their numbers.
    pub operations: Vec<Bytes>,
    /// Those were the last ones that the source knows of.
    pub is_last: bool,
    /// What every in-sync copy has.
    pub global_checkpoint: i64,
}

/// The target has all that it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinishRecovery {
    /// Which recovery.
    pub session: u64,
    /// How far the target is.
    pub progress: Progress,
}

/// Whether a recovery is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// From here on the primary acknowledges nothing that the target does not have.
    InSync,
    /// Operations are missing still: ask for more.
    NotYet,
}

/// Why another copy did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The copy is not there: not yet, or no more.
    #[error("no such copy there: {0}")]
    NoCopy(String),
    /// It knows a newer primary.
    #[error("the primary term [{known}] has begun")]
    StaleTerm {
        /// That reign.
        known: u64,
    },
    /// The session ended, or was never there.
    #[error("the session is over")]
    NoSession,
    /// It is at it, and needs longer.
    #[error("{0}")]
    NotYet(String),
    /// It tried, and failed.
    #[error("{0}")]
    Failed(String),
    /// Nobody answered. Whether the question arrived is not known.
    #[error("no answer: {0}")]
    Unreachable(String),
}

impl PeerError {
    /// Whether asking again may bring another answer.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            PeerError::Unreachable(_) | PeerError::NoCopy(_) | PeerError::NotYet(_)
        )
    }
}

/// The other nodes, as copies of shards see them.
#[async_trait]
pub trait Peers: Send + Sync {
    /// Has a copy take operations.
    async fn replicate(&self, node: &NodeId, ask: Replicate) -> Result<Progress, PeerError>;

    /// Has a copy show what the primary shows; answers when it does.
    async fn catch_up(&self, node: &NodeId, ask: CatchUp) -> Result<Progress, PeerError>;

    /// Begins a recovery.
    async fn start_recovery(
        &self,
        node: &NodeId,
        ask: StartRecovery,
    ) -> Result<RecoveryPlan, PeerError>;

    /// Asks for the primary's segments.
    async fn open_shipment(&self, node: &NodeId, ask: OpenShipment) -> Result<Shipment, PeerError>;

    /// Reads a part of a file.
    async fn read_file(&self, node: &NodeId, ask: ReadFile) -> Result<Bytes, PeerError>;

    /// Reads the next operations of a recovery.
    async fn next_operations(
        &self,
        node: &NodeId,
        session: u64,
    ) -> Result<OperationBatch, PeerError>;

    /// Ends a recovery.
    async fn finish_recovery(
        &self,
        node: &NodeId,
        ask: FinishRecovery,
    ) -> Result<Finished, PeerError>;

    /// Lets go of a session; one that is over is fine.
    async fn close_session(&self, node: &NodeId, session: u64) -> Result<(), PeerError>;
}
