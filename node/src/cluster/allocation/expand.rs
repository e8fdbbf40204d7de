//! Indices whose number of replicas follows the number of nodes.

use super::deciders::filter;
use super::table::Table;
use super::wanted::{auto_expanded, fill_replicas};

/// Sets the number of replicas of indices with `index.auto_expand_replicas`: as many as there are other nodes that the
/// filters let them have.
pub(super) fn follow_the_nodes(table: &mut Table<'_>) {
    let mut changes = Vec::new();
    for (name, index) in &table.state.indices {
        let Some(setting) = index.setting("index.auto_expand_replicas") else {
            continue;
        };
        let nodes = table
            .state
            .data_nodes()
            .filter(|node| filter::lets(table, index, node))
            .count();
        // without a node nothing is known of how many there will be
        if nodes > 0
            && let Some(replicas) = auto_expanded(setting, nodes)
            && replicas != index.number_of_replicas
        {
            changes.push((name.clone(), replicas));
        }
    }
    for (name, replicas) in changes {
        if let Some(index) = table.metadata_mut(&name) {
            index.number_of_replicas = replicas;
            let key = "index.number_of_replicas".to_owned();
            index.settings.insert(key, replicas.to_string());
            index.settings_version += 1;
        }
        table.rewritten.insert(name.clone());
        let shards = table
            .state
            .routing
            .indices
            .get(&name)
            .map_or(0, |shards| shards.len());
        for shard in 0..u32::try_from(shards).unwrap_or(0) {
            let mut copies = table.state.routing.copies(&name, shard).to_vec();
            fill_replicas(&mut copies, replicas, "REPLICA_ADDED", table.now_ms);
            table.set_copies(&name, shard, copies);
        }
    }
}
