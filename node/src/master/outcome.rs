//! From a state in the making to the events that lead there.

use std::sync::Arc;

use super::apply::apply;
use super::command::CommandError;
use super::event::Event;
use super::ids::Ids;
use crate::cluster::allocation::reroute;
use crate::cluster::allocation::table::Table;
use crate::cluster::{ClusterState, IndexMetadata, ShardCopy};

/// The events of a command, followed by those of looking at all copies after it.
///
/// * `events`: what the command does to metadata.
/// * `change`: what it does to nodes and copies; returns the events of the nodes.
pub(super) fn rerouted(
    state: &ClusterState,
    mut events: Vec<Event>,
    now_ms: i64,
    ids: &mut dyn Ids,
    change: impl FnOnce(&mut Table<'_>) -> Result<Vec<Event>, CommandError>,
) -> Result<Vec<Event>, CommandError> {
    let before = events.iter().fold(state.clone(), apply);
    let mut table = Table::new(before.clone(), now_ms, ids);
    events.extend(change(&mut table)?);
    table.settle();
    reroute(&mut table);
    for name in before.indices.keys() {
        metadata_events(&before, &mut table, name, &mut events);
        routing_events(&before, &table, name, &mut events);
    }
    Ok(events)
}

fn metadata_events(
    before: &ClusterState,
    table: &mut Table<'_>,
    name: &str,
    events: &mut Vec<Event>,
) {
    let (Some(old), Some(new)) = (before.index(name), table.state.index(name)) else {
        return;
    };
    if Arc::ptr_eq(old, new) {
        return;
    }
    let is_alone = table.state.is_alone;
    let known = events.iter_mut().rev().find_map(|event| match event {
        Event::IndexPut(index) if index.name == name => Some(index),
        _ => None,
    });
    if let Some(known) = known {
        known.clone_from(new);
        return;
    }
    let is_rewritten = table.rewritten.contains(name);
    let mut changed = IndexMetadata::clone(new);
    // a first start is no news to anybody who reads metadata
    if !is_alone || changed.primary_terms != old.primary_terms {
        changed.version += 1;
    }
    if is_alone || is_rewritten {
        events.push(Event::IndexPut(Arc::new(changed)));
        return;
    }
    for shard in 0..changed.number_of_shards {
        let at = shard as usize;
        let is_started = changed.started.contains(&shard);
        if changed.primary_terms[at] != old.primary_terms[at]
            || changed.in_sync[at] != old.in_sync[at]
            || changed.homes[at] != old.homes[at]
            || is_started != old.started.contains(&shard)
        {
            events.push(Event::CopiesTracked {
                index: name.to_owned(),
                version: changed.version,
                shard,
                primary_term: changed.primary_terms[at],
                in_sync: changed.in_sync[at].clone(),
                homes: changed.homes[at].clone(),
                is_started,
            });
        }
    }
}

fn routing_events(before: &ClusterState, table: &Table<'_>, name: &str, events: &mut Vec<Event>) {
    let known = before.routing.indices.get(name);
    let Some(new) = table.state.routing.indices.get(name) else {
        return;
    };
    let old: &[Vec<ShardCopy>] = known.map_or(&[], |shards| shards.as_slice());
    if known.is_some_and(|known| Arc::ptr_eq(known, new)) || *old == ***new {
        return;
    }
    let new: &Vec<Vec<ShardCopy>> = new;
    let known = events.iter_mut().rev().find_map(|event| match event {
        Event::ShardsRouted { index, shards } if index == name => Some(shards),
        _ => None,
    });
    if let Some(known) = known {
        known.clone_from(new);
        return;
    }
    let changed = old.iter().zip(new).filter(|(old, new)| old != new).count();
    if old.len() != new.len() || changed * 2 > new.len() {
        events.push(Event::ShardsRouted {
            index: name.to_owned(),
            shards: new.clone(),
        });
        return;
    }
    for (shard, (old, new)) in (0..).zip(old.iter().zip(new)) {
        if old != new {
            events.push(Event::ShardRouted {
                index: name.to_owned(),
                shard,
                copies: new.clone(),
            });
        }
    }
}
