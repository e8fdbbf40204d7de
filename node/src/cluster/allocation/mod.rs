//! Which node takes a shard copy.
//!
//! Pure: a state, a time and a source of ids make a new state. `reroute` is the last thing that each change of nodes,
//! indices, copies or settings does: it opens primaries where their data is, deals out replicas, moves what may not stay
//! (`deciders`) and evens out what is left (`balance`).
//!
//! A lone node has every primary, whatever rules there are; replicas wait for a second node that never comes.

pub(crate) mod balance;
mod commands;
pub(crate) mod deciders;
mod disks;
mod expand;
pub(crate) mod explain;
mod limits;
pub(crate) mod table;
mod wanted;

use crate::cluster::node::NodeId;
use crate::cluster::routing::{ShardState, UnassignedInfo};
use crate::cluster::{ClusterState, IndexMetadata, IndexState, StateError};
use crate::master::Ids;

pub use commands::RerouteCommand;
pub(crate) use commands::{Explanation, carry_out};
pub use deciders::is_worth_telling;
pub(crate) use deciders::{Said, Verdict};
use deciders::{can_allocate, can_open};
use table::Table;
pub(crate) use table::is_primary_target;
pub(crate) use wanted::because;
pub use wanted::{auto_expanded, fill_replicas, unassigned_index};

/// Makes the copies what the state and the time ask for.
pub(crate) fn reroute(table: &mut Table<'_>) {
    if table.state.is_alone {
        open_on_the_only_node(table);
        return;
    }
    expand::follow_the_nodes(table);
    end_delays(table);
    assign_primaries(table);
    assign_replicas(table);
    balance::move_away(table);
    balance::even_out(table);
    // last: it goes by where the copies are now
    disks::follow_the_flood_stage(table);
}

/// What commands would do, and what is said to each; changes nothing.
pub(crate) fn try_out(
    state: &ClusterState,
    commands: &[RerouteCommand],
    retry_failed: bool,
    is_lenient: bool,
    now_ms: i64,
    ids: &mut dyn Ids,
) -> Result<(ClusterState, Vec<Explanation>), StateError> {
    let mut table = Table::new(state.clone(), now_ms, ids);
    let explanations = carry_out(&mut table, commands, retry_failed, is_lenient)?;
    reroute(&mut table);
    Ok((table.state, explanations))
}

/// A primary that failed is opened again when somebody asks.
fn open_on_the_only_node(table: &mut Table<'_>) {
    let node = table.state.master.clone();
    if !table.state.nodes.contains_key(&node) {
        return;
    }
    for (index, shard) in table.shards() {
        let waits = table
            .state
            .routing
            .primary(&index, shard)
            .is_some_and(|copy| {
                let failed = copy.unassigned.as_ref();
                copy.state == ShardState::Unassigned
                    && failed.is_none_or(|info| info.reason != "ALLOCATION_FAILED")
            });
        if waits {
            open_alone(table, &index, shard);
        }
    }
}

/// Opens a primary on the only node.
pub(crate) fn open_alone(table: &mut Table<'_>, index: &str, shard: u32) {
    let node = table.state.master.clone();
    let Some(metadata) = table.state.index(index) else {
        return;
    };
    let home = table.homes_of(metadata, shard).into_iter().next();
    table.open_primary(index, shard, &node, home.map(|(_, id)| id));
}

/// Shards that have an unassigned copy, those of the most urgent indices first: by `index.priority`, then the newest.
fn waiting(table: &Table<'_>, primaries: bool) -> Vec<(String, u32)> {
    let mut waiting = Vec::new();
    for (name, shards) in &table.state.routing.indices {
        let Some(index) = table.state.index(name).filter(|index| is_open(index)) else {
            continue;
        };
        for (shard, copies) in (0..).zip(shards.iter()) {
            let waits = copies
                .iter()
                .any(|copy| copy.primary == primaries && copy.state == ShardState::Unassigned);
            if waits {
                let urgency = (-index.number("index.priority", 1), -index.creation_date);
                waiting.push((urgency, name.clone(), shard));
            }
        }
    }
    waiting.sort();
    waiting
        .into_iter()
        .map(|(_, name, shard)| (name, shard))
        .collect()
}

fn is_open(index: &IndexMetadata) -> bool {
    index.state == IndexState::Open
}

/// A delay that has passed is none.
fn end_delays(table: &mut Table<'_>) {
    let now_ms = table.now_ms;
    for (index, shard) in table.shards() {
        let copies = table.state.routing.copies(&index, shard);
        let has_passed =
            |info: &UnassignedInfo| info.delayed_until_ms.is_some_and(|at| at <= now_ms);
        let passed = copies.iter().filter_map(|copy| copy.unassigned.as_ref());
        if passed.filter(|info| has_passed(info)).count() == 0 {
            continue;
        }
        let mut copies = copies.to_vec();
        for info in copies
            .iter_mut()
            .filter_map(|copy| copy.unassigned.as_mut())
        {
            if has_passed(info) {
                info.delayed_until_ms = None;
            }
        }
        table.set_copies(&index, shard, copies);
    }
}

fn assign_primaries(table: &mut Table<'_>) {
    for (index, shard) in waiting(table, true) {
        let copies = table.state.routing.copies(&index, shard);
        let Some(place) = copies.iter().position(|copy| copy.primary) else {
            continue;
        };
        let Some(at) = table.at(&index, shard, place) else {
            continue;
        };
        if !at.index.started.contains(&shard) {
            if let Target::Node(node) = best_node(table, &index, shard, place) {
                table.open_primary(&index, shard, &node, None);
            }
            continue;
        }
        let last = at
            .copy
            .unassigned
            .as_ref()
            .and_then(|info| info.last_allocation_id.clone());
        let mut homes = table.homes_of(at.index, shard);
        // the last primary before others: it has what was never acknowledged as well
        homes.sort_by_key(|(node, id)| (Some(id) != last.as_ref(), table.load(node).primaries));
        let fit = homes.into_iter().find(|(node, _)| {
            table
                .node(node)
                .is_some_and(|node| can_open(table, &at, node).verdict == Verdict::Yes)
        });
        if let Some((node, id)) = fit {
            table.open_primary(&index, shard, &node, Some(id));
        }
    }
}

fn assign_replicas(table: &mut Table<'_>) {
    for (index, shard) in waiting(table, false) {
        let copies = table.state.routing.copies(&index, shard).to_vec();
        for (place, copy) in copies.iter().enumerate() {
            if copy.primary || copy.state != ShardState::Unassigned {
                continue;
            }
            if let Target::Node(node) = node_for_replica(table, &index, shard, place) {
                table.open_replica(&index, shard, place, &node);
            }
        }
    }
}

/// Where a copy may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Node(NodeId),
    /// Nowhere now, somewhere later.
    Later,
    Nowhere,
}

/// The node that had the replica before others: most of its data may still be there.
fn node_for_replica(table: &Table<'_>, index: &str, shard: u32, place: usize) -> Target {
    let Some(at) = table.at(index, shard, place) else {
        return Target::Nowhere;
    };
    let last = at
        .copy
        .unassigned
        .as_ref()
        .and_then(|info| info.last_node.as_ref());
    let failed = at
        .copy
        .unassigned
        .as_ref()
        .is_some_and(|info| info.failed_allocations > 0);
    if let Some(node) = last
        .and_then(|id| table.node(id))
        .filter(|node| node.is_data() && !failed)
    {
        match can_allocate(table, &at, node).verdict {
            Verdict::Yes => return Target::Node(node.id.clone()),
            Verdict::Throttle => return Target::Later,
            Verdict::No => {}
        }
    }
    if at.copy.is_delayed(table.now_ms) {
        return Target::Later;
    }
    best_node(table, index, shard, place)
}

/// The node that has the least of those that may take a copy.
pub(crate) fn best_node(table: &Table<'_>, index: &str, shard: u32, place: usize) -> Target {
    let Some(at) = table.at(index, shard, place) else {
        return Target::Nowhere;
    };
    let mut best: Option<(balance::Weight, &NodeId)> = None;
    let mut is_throttled = false;
    for node in table.state.data_nodes() {
        let weight = balance::weight(table, &node.id, index);
        if best
            .as_ref()
            .is_some_and(|(known, id)| (known, *id) <= (&weight, &node.id))
        {
            continue;
        }
        match can_allocate(table, &at, node).verdict {
            Verdict::Yes => best = Some((weight, &node.id)),
            Verdict::Throttle => is_throttled = true,
            Verdict::No => {}
        }
    }
    match best {
        Some((_, node)) => Target::Node(node.clone()),
        None if is_throttled => Target::Later,
        None => Target::Nowhere,
    }
}
