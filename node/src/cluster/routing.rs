//! Where the copies of shards are and what they are doing.
//!
//! A lone node rebuilds the table at each start; in a cluster it is part of what the masters agree on.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::node::NodeId;

/// All copies of all shards, by index name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoutingTable {
    /// `indices[name][shard]` lists the copies; the primary comes first, the target of a move right behind its source.
    /// Shared between states: a change copies what it changes.
    pub indices: BTreeMap<String, Arc<Vec<Vec<ShardCopy>>>>,
}

/// One copy of a shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardCopy {
    /// Whether this copy is the primary. The target of a primary's move is none until it has started.
    pub primary: bool,
    /// What it is doing.
    pub state: ShardState,
    /// Where it is; `None` while unassigned.
    pub node: Option<NodeId>,
    /// Identity of its data; `None` while unassigned.
    pub allocation_id: Option<String>,
    /// The other end of a move: the target's node on a copy that leaves (`Relocating`), the source's on the copy that
    /// takes its place (`Initializing`).
    #[serde(default)]
    pub relocating_node: Option<NodeId>,
    /// Where an initializing copy gets its data from.
    #[serde(default)]
    pub recovery: Option<RecoverySource>,
    /// How often in a row moving it failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed_moves: u32,
    /// Why it had no node; kept until it has started.
    pub unassigned: Option<UnassignedInfo>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Where an initializing copy gets its data from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoverySource {
    /// Nowhere: a new shard. What lies on the node under another allocation id gives way.
    Empty,
    /// From the node's own disk: the data of this very allocation id.
    Existing,
    /// From the node's own disk, whatever allocation id the data there has: somebody accepted that writes are lost.
    /// The shard's history begins anew.
    Stale,
    /// From the open shards of the index that it was resized from.
    LocalShards,
    /// From the primary.
    Peer,
}

impl RecoverySource {
    /// The name in `_cat/shards` and `_cluster/state`.
    pub fn name(self) -> &'static str {
        match self {
            RecoverySource::Empty => "EMPTY_STORE",
            RecoverySource::Existing | RecoverySource::Stale => "EXISTING_STORE",
            RecoverySource::LocalShards => "LOCAL_SHARDS",
            RecoverySource::Peer => "PEER",
        }
    }
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
    /// Whether a copy in this state serves.
    pub fn is_active(self) -> bool {
        matches!(self, ShardState::Started | ShardState::Relocating)
    }

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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnassignedInfo {
    /// `INDEX_CREATED`, `CLUSTER_RECOVERED`, `REPLICA_ADDED`, `ALLOCATION_FAILED`, `INDEX_REOPENED`, `NODE_LEFT`,
    /// `NODE_RESTARTING`, `PRIMARY_FAILED`, `REROUTE_CANCELLED`, `FORCED_EMPTY_PRIMARY`.
    pub reason: String,
    /// Since when, in ms since the epoch.
    pub at_ms: i64,
    /// What failed, if something did.
    pub details: Option<String>,
    /// Identity of the data it had.
    #[serde(default)]
    pub last_allocation_id: Option<String>,
    /// Where it was.
    #[serde(default)]
    pub last_node: Option<NodeId>,
    /// How often in a row opening or recovering it failed.
    #[serde(default)]
    pub failed_allocations: u32,
    /// Until then only the node that had it gets it back; in ms since the epoch.
    #[serde(default)]
    pub delayed_until_ms: Option<i64>,
}

impl ShardCopy {
    /// A copy that no node has.
    pub fn unassigned(primary: bool, why: UnassignedInfo) -> ShardCopy {
        ShardCopy {
            unassigned: Some(why),
            ..ShardCopy::nowhere(primary)
        }
    }

    /// A copy that is not in the routing table, such as one of a closed index.
    pub fn nowhere(primary: bool) -> ShardCopy {
        ShardCopy {
            primary,
            state: ShardState::Unassigned,
            node: None,
            allocation_id: None,
            relocating_node: None,
            recovery: None,
            failed_moves: 0,
            unassigned: None,
        }
    }

    /// Whether it serves: started, also while it moves away.
    pub fn is_active(&self) -> bool {
        self.state.is_active()
    }

    /// Whether it is the new end of a move.
    pub fn is_relocation_target(&self) -> bool {
        self.state == ShardState::Initializing && self.relocating_node.is_some()
    }

    /// Whether it lies, or begins to lie, on a node.
    pub fn is_on(&self, node: &NodeId) -> bool {
        self.node.as_ref() == Some(node)
    }

    /// Whether it waits for its node to return at this time.
    pub fn is_delayed(&self, now_ms: i64) -> bool {
        self.state == ShardState::Unassigned
            && self
                .unassigned
                .as_ref()
                .and_then(|info| info.delayed_until_ms)
                .is_some_and(|until| until > now_ms)
    }
}

impl RoutingTable {
    /// The copies of one shard.
    pub fn copies(&self, index: &str, shard: u32) -> &[ShardCopy] {
        self.shards_of(index)
            .get(shard as usize)
            .map_or(&[], Vec::as_slice)
    }

    /// The copies of each shard of one index; none: there is no such index.
    pub fn shards_of(&self, index: &str) -> &[Vec<ShardCopy>] {
        self.indices
            .get(index)
            .map_or(&[], |shards| shards.as_slice())
    }

    /// The same, to be changed; `None`: there is no such index.
    pub fn shards_of_mut(&mut self, index: &str) -> Option<&mut Vec<Vec<ShardCopy>>> {
        self.indices.get_mut(index).map(Arc::make_mut)
    }

    /// The copies of each shard of all indices.
    pub fn shards(&self) -> impl Iterator<Item = &[ShardCopy]> {
        self.indices
            .values()
            .flat_map(|shards| shards.iter().map(Vec::as_slice))
    }

    /// The primary of one shard.
    pub fn primary(&self, index: &str, shard: u32) -> Option<&ShardCopy> {
        self.copies(index, shard).iter().find(|copy| copy.primary)
    }

    /// The copies of one shard as people count them: one that moves once, where it moves from.
    pub fn counted(&self, index: &str, shard: u32) -> impl Iterator<Item = &ShardCopy> {
        self.copies(index, shard)
            .iter()
            .filter(|copy| !copy.is_relocation_target())
    }

    /// All copies, with the names of their indices and the numbers of their shards.
    pub fn all(&self) -> impl Iterator<Item = (&str, u32, &ShardCopy)> {
        self.indices.iter().flat_map(|(index, shards)| {
            (0..).zip(shards.iter()).flat_map(move |(shard, copies)| {
                copies.iter().map(move |copy| (index.as_str(), shard, copy))
            })
        })
    }

    /// How many copies of one index are in a state.
    pub fn count(&self, index: &str, state: ShardState) -> usize {
        let mut count = 0;
        for shard in self.shards_of(index) {
            count += shard.iter().filter(|copy| copy.state == state).count();
        }
        count
    }
}
