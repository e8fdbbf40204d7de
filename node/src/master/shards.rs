//! How shards follow the state: a node's shard service opens, changes and closes them and reports.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::cluster::ClusterState;

/// What carries a new state out on this node: opens the shards that the routing table gives it, applies new
/// mappings and settings, closes and removes what is gone.
#[async_trait]
pub trait StateApplier: Send + Sync {
    /// Makes the node's shards follow `state`; returns when they do.
    ///
    /// A copy `Initializing` on this node has to be opened (created, when its directory is empty) and reported once;
    /// closed indices (`IndexState::Close`) keep their files but no open shard. Indices that are no longer in
    /// the state lose their files. Must not call [`super::Masters::submit`], which waits for this.
    async fn apply(&self, state: &Arc<ClusterState>) -> AppliedState;
}

/// What came of applying a state.
#[derive(Clone, Debug, Default)]
pub struct AppliedState {
    /// Copies that were initializing and now either serve or failed.
    pub reports: Vec<ShardReport>,
}

/// What became of one copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardReport {
    /// Uuid of its index.
    pub index_uuid: String,
    /// Number of its shard.
    pub shard: u32,
    /// Identity of the copy.
    pub allocation_id: String,
    /// Reign as the primary that it was opened for: the identity stays when the same data is opened anew. `None`: it was
    /// opened as a replica, which has another identity each time, or it served.
    #[serde(default)]
    pub primary_term: Option<u64>,
    /// `None`: it serves; else why it cannot.
    pub failure: Option<String>,
}
