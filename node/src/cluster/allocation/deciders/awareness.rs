//! Copies of a shard are spread over the values of attributes such as `zone`.

use super::{CopyAt, Decision, NodeInfo, Table, set_cluster};

pub(super) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    decide(table, at, node, true)
}

pub(super) fn can_remain(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    decide(table, at, node, false)
}

fn decide(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo, comes: bool) -> Decision {
    const KEY: &str = "cluster.routing.allocation.awareness.attributes";
    let attributes = &table.limits.awareness;
    if attributes.is_empty() {
        return table.yes(|| {
            format!("allocation awareness is not enabled, set cluster setting [{KEY}] to enable it")
        });
    }
    let copies = 1 + at.index.number_of_replicas as usize;
    for (attribute, values) in attributes.iter().zip(&table.limits.awareness_values) {
        let Some(value) = node.attributes.get(attribute) else {
            return table
                .no(|| format!("node does not contain the awareness attribute [{attribute}]; required attributes cluster setting [{KEY}={}]", attributes.join(",")))
                .helped_by(|| set_cluster(KEY, "null"));
        };
        let mut here = usize::from(comes);
        for copy in at.copies {
            let leaves = copy.state == crate::cluster::ShardState::Relocating;
            // one that moves is counted where it goes
            let is_this = comes && std::ptr::eq(copy, at.copy);
            let place = copy.node.as_ref().filter(|_| !leaves && !is_this);
            let other = place.and_then(|id| table.node(id));
            if other.and_then(|other| other.attributes.get(attribute)) == Some(value) {
                here += 1;
            }
        }
        let bound = copies.div_ceil((*values).max(1));
        if here > bound {
            return table
                .no(|| {
                    format!(
                        "there are too many copies of the shard allocated to nodes with attribute [{attribute}], there are [{copies}] total configured shard copies for this shard id and [{}] total attribute values, expected the allocated shard count per attribute [{here}] to be less than or equal to the upper bound of the required number of shards per attribute [{bound}]",
                        *values
                    )
                })
                .helped_by(|| set_index_replicas(at, *values));
        }
    }
    table.yes(|| "node meets all awareness attribute requirements".to_owned())
}

fn set_index_replicas(at: &CopyAt<'_>, values: usize) -> String {
    let fitting = values.saturating_sub(1);
    super::set_index(
        &at.index.name,
        "index.number_of_replicas",
        &fitting.to_string(),
    )
}
