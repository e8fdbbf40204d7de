//! A shard of a resized index is filled on a node that has those shards of the old index that its documents are in.

use crate::cluster::index_metadata::{RESIZE_SOURCE, is_fed_by};

use super::{CopyAt, Decision, NodeInfo, Table};

pub(super) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    let source = at.index.setting(RESIZE_SOURCE);
    let is_new = at.copy.primary && !at.copy.is_active() && !at.index.started.contains(&at.shard);
    let Some(source) = source.filter(|_| is_new) else {
        return table.yes(|| "the shard is not filled from another index".to_owned());
    };
    let Some(source) = table.state.index_by_uuid(source) else {
        return table.no(|| format!("resize source index [{source}] doesn't exists"));
    };
    let (want, have) = (at.index.number_of_shards, source.number_of_shards);
    for shard in (0..have).filter(|shard| is_fed_by(at.shard, want, *shard, have)) {
        let copies = table.state.routing.copies(&source.name, shard);
        if !copies
            .iter()
            .any(|copy| copy.is_active() && copy.is_on(&node.id))
        {
            return table.no(|| {
                format!(
                    "the node has no started copy of [{}][{shard}]; bring copies of the shards that this one is made of to one node, e.g. with [index.routing.allocation.require._name] on [{}]",
                    source.name, source.name
                )
            });
        }
    }
    table.yes(|| {
        format!(
            "the node has the shards of the source index [{}] that this one is made of",
            source.name
        )
    })
}
