//! How many copies an index shall have.

use crate::cluster::index_metadata::IndexMetadata;
use crate::cluster::routing::{ShardCopy, UnassignedInfo};

/// Beyond this no cluster has nodes for them; the metadata keeps the wanted number.
const REPLICAS_LISTED_MAX: usize = 100;

/// The copies of an index's shards at birth, or when nothing is known of them: nobody has them.
///
/// * `reason`: why they were not there before, e.g. `INDEX_CREATED`.
pub fn unassigned_index(index: &IndexMetadata, reason: &str, now_ms: i64) -> Vec<Vec<ShardCopy>> {
    let mut shards = Vec::with_capacity(index.number_of_shards as usize);
    for _ in 0..index.number_of_shards {
        let mut copies = vec![ShardCopy::unassigned(true, because(reason, now_ms))];
        fill_replicas(&mut copies, index.number_of_replicas, reason, now_ms);
        shards.push(copies);
    }
    shards
}

/// Makes the replicas of one shard as many as wanted. Those that go are first the ones that nobody has, then those that
/// do not serve yet.
pub fn fill_replicas(copies: &mut Vec<ShardCopy>, replicas: u32, reason: &str, now_ms: i64) {
    let wanted = 1 + (replicas as usize).min(REPLICAS_LISTED_MAX);
    // a move has two entries and is one copy
    let held = |copies: &[ShardCopy]| {
        copies
            .iter()
            .filter(|copy| !copy.is_relocation_target())
            .count()
    };
    while held(copies) > wanted {
        let last = (0..copies.len())
            .filter(|at| !copies[*at].primary && !copies[*at].is_relocation_target())
            .min_by_key(|at| (worth(&copies[*at]), std::cmp::Reverse(*at)));
        let Some(at) = last else { break };
        let gone = copies.remove(at);
        copies.retain(|copy| {
            !(copy.is_relocation_target()
                && gone.relocating_node.is_some()
                && copy.node == gone.relocating_node)
        });
    }
    for _ in held(copies)..wanted {
        copies.push(ShardCopy::unassigned(false, because(reason, now_ms)));
    }
}

fn worth(copy: &ShardCopy) -> u8 {
    use crate::cluster::routing::ShardState;
    match copy.state {
        ShardState::Unassigned => 0,
        ShardState::Initializing => 1,
        ShardState::Relocating => 2,
        ShardState::Started => 3,
    }
}

pub(crate) fn because(reason: &str, now_ms: i64) -> UnassignedInfo {
    UnassignedInfo {
        reason: reason.to_owned(),
        at_ms: now_ms,
        ..UnassignedInfo::default()
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
