//! How many shards a node takes: by index, by cluster setting, and by what the node itself says (`max_shards`).

use super::{CopyAt, Decision, NodeInfo, Table, set_cluster, set_index};

pub(super) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    decide(table, at, node, 0)
}

/// The copy itself is among those counted.
pub(super) fn can_remain(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    decide(table, at, node, 1)
}

fn decide(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo, own: usize) -> Decision {
    let load = table.load(&node.id);
    let index = &at.index.name;
    let of_index = load.of_index(index);
    const OF_INDEX: &str = "index.routing.allocation.total_shards_per_node";
    const OF_INDEX_PRIMARIES: &str = "index.routing.allocation.total_primary_shards_per_node";
    const OF_CLUSTER: &str = "cluster.routing.allocation.total_shards_per_node";
    const OF_CLUSTER_PRIMARIES: &str = "cluster.routing.allocation.total_primary_shards_per_node";
    let over = |count: usize, limit: Option<usize>| {
        limit.filter(|limit| count.saturating_sub(own) >= *limit)
    };
    let per_index = |key: &str| {
        usize::try_from(at.index.number(key, -1))
            .ok()
            .filter(|n| *n > 0)
    };
    if let Some(limit) = over(of_index, per_index(OF_INDEX)) {
        return table
            .no(|| format!("too many shards [{of_index}] allocated to this node for index [{index}], index setting [{OF_INDEX}={limit}]"))
            .helped_by(|| set_index(index, OF_INDEX, &(limit + 1).to_string()));
    }
    if at.counts_as_primary() {
        if let Some(limit) = per_index(OF_INDEX_PRIMARIES) {
            let primaries = table.primaries_of(&node.id, index);
            if over(primaries, Some(limit)).is_some() {
                return table
                    .no(|| format!("too many primary shards [{primaries}] allocated to this node for index [{index}], index setting [{OF_INDEX_PRIMARIES}={limit}]"))
                    .helped_by(|| set_index(index, OF_INDEX_PRIMARIES, &(limit + 1).to_string()));
            }
        }
        if let Some(limit) = over(load.primaries, table.limits.primaries_per_node) {
            return table
                .no(|| format!("too many primary shards [{}] allocated to this node, cluster setting [{OF_CLUSTER_PRIMARIES}={limit}]", load.primaries))
                .helped_by(|| set_cluster(OF_CLUSTER_PRIMARIES, &(limit + 1).to_string()));
        }
    }
    if let Some(limit) = over(load.shards, table.limits.shards_per_node) {
        return table
            .no(|| format!("too many shards [{}] allocated to this node, cluster setting [{OF_CLUSTER}={limit}]", load.shards))
            .helped_by(|| set_cluster(OF_CLUSTER, &(limit + 1).to_string()));
    }
    let says = node
        .attributes
        .get("max_shards")
        .and_then(|text| text.parse().ok());
    if let Some(limit) = over(load.shards, says) {
        return table
            .no(|| format!("too many shards [{}] allocated to this node, node attribute [max_shards={limit}]", load.shards))
            .helped_by(|| format!("restart the node [{}] with a higher MAX_SHARDS, or add a node", node.name));
    }
    table.yes(|| format!("the shard count [{}] for this node is under the index limit, the cluster level node limit and the node's own", load.shards))
}
