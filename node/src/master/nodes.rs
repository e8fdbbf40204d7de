//! Nodes come, go, and tell how full their disks are.

use std::collections::BTreeSet;

use super::event::Event;
use crate::cluster::allocation::table::Table;
use crate::cluster::allocation::{because, unassigned_index};
use crate::cluster::node::{NodeId, NodeInfo, NodeUsage, VotingExclusion};
use crate::cluster::routing::UnassignedInfo;
use crate::cluster::setting_values::parse_time_ms;
use crate::cluster::{ClusterState, IndexMetadata, StateError};

/// What a node that comes up means. One that was known under another ephemeral id has restarted: its copies are gone
/// from it first.
pub(super) fn join(table: &mut Table<'_>, node: NodeInfo) -> Vec<Event> {
    let known = table.state.nodes.get(&node.id);
    if table.state.is_alone {
        let event = Event::NodeJoined(Box::new(node));
        table.follow(&event);
        route_anew(table);
        return vec![event];
    }
    if known == Some(&node) {
        return Vec::new();
    }
    if known.is_some_and(|known| known.ephemeral_id != node.ephemeral_id) {
        let gone = BTreeSet::from([node.id.clone()]);
        lose_nodes(table, &gone, "NODE_LEFT", "the node has restarted");
    }
    let event = Event::NodeJoined(Box::new(node));
    table.follow(&event);
    vec![event]
}

/// A lone node knows nothing of its copies when it comes up.
fn route_anew(table: &mut Table<'_>) {
    let indices: Vec<_> = table.state.indices.values().cloned().collect();
    for index in indices {
        let shards = unassigned_index(&index, "CLUSTER_RECOVERED", table.now_ms);
        table.set_index(&index.name, shards);
    }
}

/// What the end of nodes means; those that have joined again since stay.
pub(super) fn left(table: &mut Table<'_>, nodes: &[(NodeId, String)], reason: &str) -> Vec<Event> {
    let mut gone = BTreeSet::new();
    for (id, ephemeral_id) in nodes {
        let known = table.state.nodes.get(id);
        if known.is_some_and(|known| known.ephemeral_id == *ephemeral_id) {
            gone.insert(id.clone());
        }
    }
    let mut events = Vec::with_capacity(gone.len());
    lose_nodes(table, &gone, "NODE_LEFT", reason);
    for node in gone {
        let event = Event::NodeLeft(node);
        table.follow(&event);
        events.push(event);
    }
    events
}

/// How long the copies of a node that left wait for it.
fn delay_ms(index: &IndexMetadata) -> i64 {
    const KEY: &str = "index.unassigned.node_left.delayed_timeout";
    let text = index.setting(KEY).unwrap_or("1m");
    parse_time_ms(text, KEY).unwrap_or(60_000).max(0)
}

fn lose_nodes(table: &mut Table<'_>, gone: &BTreeSet<NodeId>, reason: &str, details: &str) {
    for (index, shard) in table.shards() {
        let Some(metadata) = table.state.index(&index) else {
            continue;
        };
        let delay = delay_ms(metadata);
        let now = table.now_ms;
        loop {
            // the primary first: while it counts, the others would be taken for dispensable
            let copies = table.state.routing.copies(&index, shard);
            let lost = copies
                .iter()
                .enumerate()
                .filter(|(_, copy)| copy.node.as_ref().is_some_and(|node| gone.contains(node)))
                .max_by_key(|(_, copy)| copy.primary);
            let Some((place, copy)) = lost else { break };
            let node = copy.node.as_ref().map_or("", |node| node.0.as_str());
            let why = UnassignedInfo {
                details: Some(format!("node_left [{node}]: {details}")),
                delayed_until_ms: (delay > 0).then(|| now.saturating_add(delay)),
                ..because(reason, now)
            };
            table.lose(&index, shard, place, why, gone);
        }
    }
}

/// What figures of disks mean: nothing, when they are the old ones.
pub(super) fn usage(table: &mut Table<'_>, usages: Vec<NodeUsage>) -> Vec<Event> {
    let mut events = Vec::new();
    for usage in usages {
        let is_new = table.state.usage.get(&usage.node) != Some(&usage);
        if table.state.nodes.contains_key(&usage.node) && is_new {
            let event = Event::NodeUsage(usage);
            table.follow(&event);
            events.push(event);
        }
    }
    if !events.is_empty() {
        table.weigh();
    }
    table.looks_at_disks = true;
    events
}

/// The nodes that shall have no vote, with some more.
pub(super) fn exclude_voters(
    state: &ClusterState,
    more: Vec<VotingExclusion>,
) -> Result<Vec<Event>, StateError> {
    let mut exclusions = state.voting_exclusions.clone();
    for exclusion in more {
        if !exclusions.contains(&exclusion) {
            exclusions.push(exclusion);
        }
    }
    if exclusions == state.voting_exclusions {
        return Ok(Vec::new());
    }
    const KEY: &str = "cluster.max_voting_config_exclusions";
    let limit = state.setting_number(KEY, 10);
    if i64::try_from(exclusions.len()).unwrap_or(i64::MAX) > limit {
        return Err(StateError::illegal_argument(format!(
            "add voting config exclusions request would exceed the maximum of [{limit}] set by [{KEY}], there are [{}] already",
            state.voting_exclusions.len()
        )));
    }
    let is_excluded = |node: &NodeInfo| {
        exclusions
            .iter()
            .any(|one| one.covers(Some(&node.id), &node.name))
    };
    let mut voters = state
        .nodes
        .values()
        .filter(|node| node.is_master_eligible());
    if voters.all(is_excluded) {
        return Err(StateError::illegal_argument(
            "add voting config exclusions request would leave no cluster-manager-eligible node with a vote",
        ));
    }
    Ok(vec![Event::VotingExclusions(exclusions)])
}
