//! Where the copies of shards are and what they are doing. Rebuilt at start, never persisted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::node::NodeId;

/// All copies of all shards, by index name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoutingTable {
    /// `indices[name][shard]` lists the copies; the primary comes first.
    pub indices: BTreeMap<String, Vec<Vec<ShardCopy>>>,
}

/// One copy of a shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardCopy {
    /// Whether this copy is the primary.
    pub primary: bool,
    /// What it is doing.
    pub state: ShardState,
    /// Where it is; `None` while unassigned.
    pub node: Option<NodeId>,
    /// Identity of its data; `None` while unassigned.
    pub allocation_id: Option<String>,
    /// Why it has no node, when it has none.
    pub unassigned: Option<UnassignedInfo>,
}

/// Life of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShardState {
    /// No node holds it.
    Unassigned,
    /// A node is opening or recovering it.
    Initializing,
    /// It serves.
    Started,
    /// It moves to another node.
    Relocating,
}

impl ShardState {
    /// The name in `_cat/shards` and `_cluster/state`.
    pub fn name(self) -> &'static str {
        match self {
            ShardState::Unassigned => "UNASSIGNED",
            ShardState::Initializing => "INITIALIZING",
            ShardState::Started => "STARTED",
            ShardState::Relocating => "RELOCATING",
        }
    }
}

/// Why a copy has no node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnassignedInfo {
    /// `INDEX_CREATED`, `CLUSTER_RECOVERED`, `REPLICA_ADDED`, `ALLOCATION_FAILED`, `INDEX_REOPENED`.
    pub reason: String,
    /// Since when, in ms since the epoch.
    pub at_ms: i64,
    /// What failed, if something did.
    pub details: Option<String>,
}

impl RoutingTable {
    /// The copies of one shard.
    pub fn copies(&self, index: &str, shard: u32) -> &[ShardCopy] {
        self.indices
            .get(index)
            .and_then(|shards| shards.get(shard as usize))
            .map_or(&[], Vec::as_slice)
    }

    /// The primary of one shard.
    pub fn primary(&self, index: &str, shard: u32) -> Option<&ShardCopy> {
        self.copies(index, shard).iter().find(|copy| copy.primary)
    }

    /// How many copies of one index are in a state.
    pub fn count(&self, index: &str, state: ShardState) -> usize {
        let mut count = 0;
        for shard in self.indices.get(index).map_or(&[][..], Vec::as_slice) {
            count += shard.iter().filter(|copy| copy.state == state).count();
        }
        count
    }
}
