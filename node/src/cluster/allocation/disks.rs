//! Indices on a disk that is nearly full take no more writes, until there is room again.

use std::collections::BTreeMap;

use super::deciders::is_above_flood_stage;
use super::table::Table;

const BLOCK: &str = "index.blocks.read_only_allow_delete";

/// Sets the block on indices with a copy on a node above the flood stage; takes it away when all nodes of the index are
/// known to be below the high watermark again, as far as this is a time to look at disks. While disks are not watched, what is
/// blocked stays so.
pub(super) fn follow_the_flood_stage(table: &mut Table<'_>) {
    if table.limits.disk.is_none() || table.state.usage.is_empty() {
        return;
    }
    // `Some(true)`: flooded; `Some(false)`: in between, what is blocked stays so
    let mut by_index: BTreeMap<&str, bool> = BTreeMap::new();
    for (index, _, copy) in table.state.routing.all() {
        let Some(node) = &copy.node else { continue };
        match table.state.usage.get(node) {
            Some(usage) if is_above_flood_stage(table, usage) => {
                by_index.insert(index, true);
            }
            Some(usage) if !is_above_high(table, usage) => {}
            // of a node that came back nothing is known at first
            Some(_) | None => {
                by_index.entry(index).or_insert(false);
            }
        }
    }
    let mut changes = Vec::new();
    for (name, index) in &table.state.indices {
        let is_blocked = index.flag(BLOCK);
        match by_index.get(name.as_str()) {
            Some(true) if !is_blocked => changes.push((name.clone(), true)),
            None if is_blocked && table.looks_at_disks => changes.push((name.clone(), false)),
            _ => {}
        }
    }
    for (name, blocks) in changes {
        if let Some(index) = table.metadata_mut(&name) {
            match blocks {
                true => index.settings.insert(BLOCK.to_owned(), "true".to_owned()),
                false => index.settings.remove(BLOCK),
            };
            index.settings_version += 1;
        }
        table.rewritten.insert(name);
    }
}

fn is_above_high(table: &Table<'_>, usage: &crate::cluster::node::NodeUsage) -> bool {
    table
        .limits
        .disk
        .as_ref()
        .is_some_and(|marks| marks.high.0.is_passed(usage.total_bytes, usage.free_bytes))
}
