//! The shards of a resized index are filled on a node that has the old index's shards.

use super::{CopyAt, Decision, NodeInfo, Table};

pub(super) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    let source = at.index.setting("index.resize.source.uuid");
    let is_new = at.copy.primary && !at.copy.is_active() && !at.index.started.contains(&at.shard);
    let Some(source) = source.filter(|_| is_new) else {
        return table.yes(|| "the shard is not filled from another index".to_owned());
    };
    let Some(source) = table.state.index_by_uuid(source) else {
        return table.no(|| format!("resize source index [{source}] doesn't exists"));
    };
    for shard in 0..source.number_of_shards {
        let copies = table.state.routing.copies(&source.name, shard);
        if !copies
            .iter()
            .any(|copy| copy.is_active() && copy.is_on(&node.id))
        {
            return table.no(|| {
                format!(
                    "the node has no started copy of [{}][{shard}]; bring a copy of every shard of [{}] to one node, e.g. by [index.routing.allocation.require._name]",
                    source.name, source.name
                )
            });
        }
    }
    table.yes(|| {
        format!(
            "the node has every shard of the source index [{}]",
            source.name
        )
    })
}
