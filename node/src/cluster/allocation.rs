//! Which node takes a shard copy. One node takes every primary; a replica needs another node.

use super::index_metadata::IndexMetadata;
use super::node::NodeId;
use super::routing::{ShardCopy, ShardState, UnassignedInfo};

/// The copies of an index's shards at birth, or after a restart: primaries open on `node`, replicas wait.
///
/// * `reason`: why they were not there before, e.g. `INDEX_CREATED`.
pub fn route_index(
    index: &IndexMetadata,
    node: &NodeId,
    reason: &str,
    now_ms: i64,
) -> Vec<Vec<ShardCopy>> {
    let mut shards = Vec::with_capacity(index.number_of_shards as usize);
    for in_sync in &index.in_sync {
        let mut copies = vec![ShardCopy {
            primary: true,
            state: ShardState::Initializing,
            node: Some(node.clone()),
            allocation_id: in_sync.first().cloned(),
            unassigned: None,
        }];
        fill_replicas(&mut copies, index.number_of_replicas, reason, now_ms);
        shards.push(copies);
    }
    shards
}

/// Makes the replicas of one shard as many as wanted.
pub fn fill_replicas(copies: &mut Vec<ShardCopy>, replicas: u32, reason: &str, now_ms: i64) {
    // Beyond this no cluster has nodes for them; the metadata keeps the wanted number.
    const REPLICAS_LISTED_MAX: usize = 100;
    let wanted = 1 + (replicas as usize).min(REPLICAS_LISTED_MAX);
    copies.truncate(wanted);
    while copies.len() < wanted {
        copies.push(ShardCopy {
            primary: false,
            state: ShardState::Unassigned,
            node: None,
            allocation_id: None,
            unassigned: Some(UnassignedInfo {
                reason: reason.to_owned(),
                at_ms: now_ms,
                details: None,
            }),
        });
    }
}

/// The replicas that `index.auto_expand_replicas` gives with so many data nodes; `None` when it is off.
pub fn auto_expanded(setting: &str, data_nodes: usize) -> Option<u32> {
    let (min, max) = setting.split_once('-')?;
    let min: u32 = min.parse().ok()?;
    let others = u32::try_from(data_nodes.saturating_sub(1)).unwrap_or(u32::MAX);
    let max = if max == "all" {
        others.max(min)
    } else {
        max.parse().ok()?
    };
    Some(others.clamp(min, max.max(min)))
}
