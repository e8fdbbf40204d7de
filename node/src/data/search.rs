//! What coordination may ask of a shard when it searches, wherever the shard is.
//!
//! A query that will be followed by a fetch leaves its reader open on the shard under a [`ContextId`]; scrolls and
//! points in time keep theirs for as long as they are asked to.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use quidditch_engine::search::{
    CanMatch, DocAddress, FetchRequest, FetchedHit, SearchError, SearchRequest, ShardQueryResult,
    TermStatistics,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::service::ShardTarget;
use crate::cluster::NodeId;

/// An open reader on the node that holds a shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextId {
    /// The node.
    pub node: NodeId,
    /// Drawn when the node started: after a restart no old id means anything.
    pub session: u64,
    /// Counts up.
    pub id: u64,
}

/// Which copies of a shard may be asked, and which of them first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CopyPreference {
    /// Any, those first that are likely to answer soonest.
    #[default]
    Any,
    /// Any, the one on the asking node first.
    Local,
    /// The one on the asking node.
    OnlyLocal,
    /// The primary.
    Primary,
    /// Any, the primary first.
    PrimaryFirst,
    /// Any but the primary.
    Replica,
    /// Any, the primary last.
    ReplicaFirst,
    /// Any, those on nodes of these ids first.
    PreferNodes(Vec<String>),
    /// Those on nodes that one of these filters chooses.
    OnlyNodes(Vec<String>),
    /// Any, in an order that is the same whenever the text is the same.
    Key(String),
}

/// Limits and names that go with every search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchLimits {
    /// Number of shards of the index.
    pub shard_count: u32,
    /// How long the shard may take before it answers with what it has; `None`: as long as it needs.
    pub timeout: Option<Duration>,
    /// When nobody waits for an answer any more; `None`: never. No part of the message: it is the time limit of the call.
    #[serde(skip)]
    pub cancel_by: Option<Instant>,
    /// `indices.query.bool.max_clause_count`
    pub max_clause_count: usize,
    /// `search.allow_expensive_queries`
    pub allow_expensive_queries: bool,
    /// `search.max_buckets`
    pub max_buckets: u64,
    /// `indices.breaker.request.limit`, as it was set: bytes or a part of the memory for searches
    pub request_memory: String,
    /// `indices.breaker.fielddata.limit`, in the same way
    pub fielddata_memory: String,
    /// Term statistics of all shards in place of the shard's own.
    pub statistics: Option<TermStatistics>,
    /// Groups under which the search is counted.
    pub groups: Vec<String>,
}

/// Why a reader stays open behind a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Its documents are fetched next.
    #[default]
    Fetch,
    /// A scroll reads on.
    Scroll,
    /// A point in time.
    PointInTime,
}

/// What was left with an open reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderNote {
    /// The note; never empty.
    pub note: Bytes,
    /// How long the reader lives without being used.
    pub keep_alive: Duration,
}

/// The query phase on one shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardQuery {
    /// What to find.
    pub request: SearchRequest,
    /// What goes with it.
    pub limits: SearchLimits,
    /// An open reader to search in place of the current one.
    pub context: Option<ContextId>,
    /// Which copies may be asked, where no reader says which one.
    pub preference: CopyPreference,
    /// How long the reader shall stay open. `None`: a new one is not needed again, one that was open stays as it is.
    pub keep_alive: Option<Duration>,
    /// Why a new reader stays open.
    pub purpose: Purpose,
    /// Hits to read at once, where no other shard can have better ones.
    pub fetch: Option<FetchAtOnce>,
}

/// A look at one shard before it is searched.
#[derive(Clone, Debug)]
pub struct ShardLook {
    /// The shard.
    pub target: ShardTarget,
    /// Which copy; `None`: whichever is there.
    pub allocation_id: Option<String>,
    /// The search that may follow.
    pub query: Arc<ShardQuery>,
}

/// A fetch phase that follows its query on the spot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchAtOnce {
    /// The best hits that are not shown.
    pub skip: usize,
    /// What to show of the others.
    pub request: FetchRequest,
}

/// The query phase's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ShardQueryReply {
    /// The node that answered; `None`: this one.
    pub node: Option<NodeId>,
    /// The reader, if it stays open.
    pub context: Option<ContextId>,
    /// What was found.
    pub result: ShardQueryResult,
    /// What was read of it, in its order, if that was asked for.
    pub fetched: Option<Vec<FetchedHit>>,
}

/// The fetch phase on one shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardFetch {
    /// The reader in which the documents were found.
    pub context: ContextId,
    /// The documents, in the order in which they shall come back.
    pub docs: Vec<DocAddress>,
    /// What to show of them.
    pub request: FetchRequest,
    /// What goes with it.
    pub limits: SearchLimits,
    /// What `now` meant in the query phase.
    pub now_ms: i64,
    /// Close the reader afterwards.
    pub release: bool,
}

/// Why a shard did not search.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ShardSearchError {
    /// The shard is not on this node, or not open.
    #[error("no such shard [{index}][{shard}]")]
    NoShard {
        /// Name of the index.
        index: String,
        /// Number of the shard.
        shard: u32,
    },
    /// The reader was closed, or timed out.
    #[error("No search context found for id [{}]", id.id)]
    ContextMissing {
        /// What was asked for.
        id: ContextId,
    },
    /// Too many searches wait already.
    #[error("{0}")]
    Rejected(String),
    /// The node that has the shard could not be asked, or went away before it answered.
    #[error("[{node}] {reason}")]
    Unreachable {
        /// Id of the node.
        node: NodeId,
        /// What happened.
        reason: String,
    },
    /// What another node said.
    #[error("{error}")]
    On {
        /// That node.
        node: NodeId,
        /// What it said.
        error: Box<ShardSearchError>,
    },
    /// The search itself failed.
    #[error(transparent)]
    Search(#[from] SearchError),
}

impl ShardSearchError {
    /// The node that said it, if it was another one, and what it said.
    pub fn split(self) -> (Option<NodeId>, ShardSearchError) {
        match self {
            ShardSearchError::On { node, error } => (Some(node), *error),
            ShardSearchError::Unreachable { ref node, .. } => (Some(node.clone()), self),
            own => (None, own),
        }
    }

    /// Whether an open reader is gone, with its node or alone: to open another one may help.
    pub fn is_reader_gone(&self) -> bool {
        match self {
            ShardSearchError::Unreachable { .. } | ShardSearchError::ContextMissing { .. } => true,
            ShardSearchError::On { error, .. } => error.is_reader_gone(),
            _ => false,
        }
    }
}

/// Shards that can be searched.
#[async_trait]
pub trait SearchService: Send + Sync {
    /// Looks at shards before they are searched, all of a node's at once; `None` at the places of those that cannot tell.
    async fn can_match(&self, looks: Vec<ShardLook>) -> Vec<Option<CanMatch>>;

    /// Finds documents. Dropping the future stops the work.
    async fn query(
        &self,
        target: &ShardTarget,
        query: ShardQuery,
    ) -> Result<ShardQueryReply, ShardSearchError>;

    /// The shard's own statistics of the terms that the request scores by.
    async fn term_statistics(
        &self,
        target: &ShardTarget,
        query: ShardQuery,
    ) -> Result<TermStatistics, ShardSearchError>;

    /// Reads what is shown of documents.
    async fn fetch(
        &self,
        target: &ShardTarget,
        fetch: ShardFetch,
    ) -> Result<Vec<FetchedHit>, ShardSearchError>;

    /// Keeps the current reader open, for a point in time.
    ///
    /// * `open_max`: readers of points in time that its node may have open.
    async fn open_context(
        &self,
        target: &ShardTarget,
        preference: &CopyPreference,
        keep_alive: Duration,
        open_max: usize,
    ) -> Result<ContextId, ShardSearchError>;

    /// Keeps an open reader for at least so long from now.
    async fn extend_context(
        &self,
        target: &ShardTarget,
        id: ContextId,
        keep_alive: Duration,
    ) -> Result<(), ShardSearchError>;

    /// Leaves a note with an open reader, in place of the one before.
    async fn write_note(
        &self,
        target: &ShardTarget,
        id: &ContextId,
        note: Bytes,
    ) -> Result<(), ShardSearchError>;

    /// The note that was left with an open reader; empty: none was.
    async fn read_note(
        &self,
        target: &ShardTarget,
        id: &ContextId,
    ) -> Result<Bytes, ShardSearchError>;

    /// The notes of the readers that are open for a purpose, on all nodes that answer; in no order.
    async fn read_notes(&self, purpose: Purpose) -> Vec<ReaderNote>;

    /// Closes all readers that are open for a purpose, on all nodes that answer; gives how many there were.
    async fn free_all(&self, purpose: Purpose) -> u64;

    /// Closes an open reader; false if it was closed already.
    async fn free_context(&self, target: &ShardTarget, id: ContextId) -> bool;

    /// Closes open readers without waiting for it; those that are closed already are fine.
    fn release_contexts(&self, contexts: Vec<(ShardTarget, ContextId)>);
}
