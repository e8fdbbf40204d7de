//! Disks: above the low watermark a node takes no more copies, above the high one it gives copies away.

use super::super::limits::{Watermark, Watermarks};
use super::{CopyAt, Decision, NodeInfo, Table, set_cluster};
use crate::cluster::ClusterState;
use crate::cluster::node::NodeUsage;
use crate::cluster::setting_values::show_bytes;

const LOW: &str = "cluster.routing.allocation.disk.watermark.low";
const HIGH: &str = "cluster.routing.allocation.disk.watermark.high";
const FLOOD: &str = "cluster.routing.allocation.disk.watermark.flood_stage";

/// What is wanted, and what is.
fn versus(mark: Watermark, total: u64, free: u64) -> (String, String) {
    match mark {
        Watermark::Used(ratio) => {
            let is = free as f64 * 100.0 / total.max(1) as f64;
            (
                format!("{:.1}%", (1.0 - ratio) * 100.0),
                format!("{is:.1}%"),
            )
        }
        Watermark::Free(bytes) => (show_bytes(bytes), show_bytes(free)),
    }
}

/// What counts and what is known of a node's disk; else why it does not matter.
fn figures<'t>(
    table: &'t Table<'_>,
    node: &NodeInfo,
) -> Result<(&'t Watermarks, &'t NodeUsage), &'static str> {
    let marks = table.limits.disk.as_ref();
    let marks = marks.ok_or("the disk threshold decider is disabled")?;
    if !table.limits.disk_decides {
        return Err("there is only a single data node present");
    }
    let usage = table.state.usage.get(&node.id);
    Ok((marks, usage.ok_or("disk usages are unavailable")?))
}

pub(super) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    let (marks, usage) = match figures(table, node) {
        Ok(figures) => figures,
        Err(why) => return table.yes(|| why.to_owned()),
    };
    // what is on its way is not in the figures yet
    let free = usage
        .free_bytes
        .saturating_sub(table.load(&node.id).bytes_to_come);
    let is_new = at.copy.primary && !at.copy.is_active() && !at.index.started.contains(&at.shard);
    let (mark, text) = if is_new { &marks.high } else { &marks.low };
    let key = if is_new { HIGH } else { LOW };
    if mark.is_passed(usage.total_bytes, free) {
        let (wanted, is) = versus(*mark, usage.total_bytes, free);
        return table
            .no(|| format!("the node is above the {} watermark cluster setting [{key}={text}], having less than the minimum required [{wanted}] free space, actual free: [{is}]", if is_new { "high" } else { "low" }))
            .helped_by(|| set_cluster(key, "\"95%\""));
    }
    let size = table.size_of(at.copies);
    let after = free.saturating_sub(size);
    let (high, text) = &marks.high;
    if high.is_passed(usage.total_bytes, after) {
        let (wanted, is) = versus(*high, usage.total_bytes, after);
        return table
            .no(|| format!("allocating the shard to this node will bring the node above the high watermark cluster setting [{HIGH}={text}] and cause it to have less than the minimum required [{wanted}] of free space (free after shard added: [{is}])"))
            .helped_by(|| set_cluster(HIGH, "\"95%\""));
    }
    table.yes(|| {
        format!(
            "enough disk for shard on node, free: [{}], shard size: [{}], free after allocating shard: [{}]",
            show_bytes(free),
            show_bytes(size),
            show_bytes(after)
        )
    })
}

pub(super) fn can_remain(table: &Table<'_>, _: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    let (marks, usage) = match figures(table, node) {
        Ok(figures) => figures,
        Err(why) => return table.yes(|| why.to_owned()),
    };
    let load = table.load(&node.id);
    // what has left is in the figures until the next ones
    let told = usage
        .copies
        .values()
        .fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
    let leaving = load
        .bytes_to_go
        .saturating_add(told.saturating_sub(load.bytes_told));
    let free = usage
        .free_bytes
        .saturating_add(leaving)
        .min(usage.total_bytes);
    let (high, text) = &marks.high;
    if high.is_passed(usage.total_bytes, free) {
        let (wanted, is) = versus(*high, usage.total_bytes, free);
        return table
            .no(|| format!("the shard cannot remain on this node because it is above the high watermark cluster setting [{HIGH}={text}] and there is less than the required [{wanted}] free disk on node, actual free: [{is}]"))
            .helped_by(|| set_cluster(HIGH, "\"95%\""));
    }
    table.yes(|| {
        format!(
            "there is enough disk on this node for the shard to remain, free: [{}]",
            show_bytes(free)
        )
    })
}

/// Whether a node's disk is so full that its indices take no more writes.
pub(crate) fn is_above_flood_stage(table: &Table<'_>, usage: &NodeUsage) -> bool {
    table
        .limits
        .disk
        .as_ref()
        .is_some_and(|marks| marks.flood.0.is_passed(usage.total_bytes, usage.free_bytes))
}

/// Whether new figures of a node's disk are worth telling at once: it is unknown, it is on another side of a watermark, or its
/// free space changed by a twentieth of the disk.
pub fn is_worth_telling(state: &ClusterState, usage: &NodeUsage) -> bool {
    let Some(known) = state.usage.get(&usage.node) else {
        return true;
    };
    if known.total_bytes != usage.total_bytes
        || known.free_bytes.abs_diff(usage.free_bytes) > usage.total_bytes / 20
    {
        return true;
    }
    [LOW, HIGH, FLOOD].iter().any(|key| {
        let mark = Watermark::parse(state.effective_setting(key));
        mark.is_passed(known.total_bytes, known.free_bytes)
            != mark.is_passed(usage.total_bytes, usage.free_bytes)
    })
}
