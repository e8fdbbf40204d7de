//! No node, and if wanted no machine, has two copies of a shard.

use super::{CopyAt, Decision, NodeInfo, Table, set_cluster};

pub(super) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    for copy in at.copies {
        let Some(place) = &copy.node else { continue };
        if *place == node.id {
            return table.no(|| {
                format!(
                    "a copy of this shard is already allocated to this node [[{}][{}], node[{place}], [{}], s[{}]]",
                    at.index.name,
                    at.shard,
                    if copy.primary { "P" } else { "R" },
                    copy.state.name()
                )
            });
        }
    }
    if table.limits.same_host {
        for copy in at.copies {
            let other = copy.node.as_ref().and_then(|id| table.node(id));
            let is_same = |other: &NodeInfo| {
                (!node.host.is_empty() && other.host == node.host)
                    || (!node.ip.is_empty() && other.ip == node.ip)
            };
            // what moves away within the machine stays on it
            let moves = std::ptr::eq(copy, at.copy);
            if let Some(other) = other.filter(|other| !moves && is_same(other)) {
                return table
                    .no(|| {
                        format!(
                            "a copy of this shard is already allocated to host address [{}], on node [{}], and [cluster.routing.allocation.same_shard.host] is [true] which forbids more than one node on this host from holding a copy of this shard",
                            node.host, other.id
                        )
                    })
                    .helped_by(|| set_cluster("cluster.routing.allocation.same_shard.host", "false"));
            }
        }
    }
    table.yes(|| "this node does not hold a copy of this shard".to_owned())
}
