//! How many copies a node opens or recovers at a time.

use super::{CopyAt, Decision, NodeInfo, Table, set_cluster};

pub(super) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    let limits = &table.limits;
    let load = table.load(&node.id);
    if at.copy.primary && !at.copy.is_active() {
        const KEY: &str = "cluster.routing.allocation.node_initial_primaries_recoveries";
        let (now, limit) = (load.opening, limits.initial_primaries);
        if now >= limit {
            return table
                .throttle(|| {
                    format!("reached the limit of ongoing initial primary recoveries [{limit}], cluster setting [{KEY}={limit}]")
                })
                .helped_by(|| set_cluster(KEY, &(limit + 2).to_string()));
        }
        return table
            .yes(|| format!("below primary recovery limit of [{limit}], has [{now}] ongoing"));
    }
    const BOTH: &str = "cluster.routing.allocation.node_concurrent_recoveries";
    let (incoming, limit_in) = (load.incoming, limits.incoming);
    if incoming >= limit_in {
        return table
            .throttle(|| {
                format!("reached the limit of incoming shard recoveries [{limit_in}], cluster setting [cluster.routing.allocation.node_concurrent_incoming_recoveries={limit_in}] (can also be set via [{BOTH}])")
            })
            .helped_by(|| set_cluster(BOTH, &(limit_in + 2).to_string()));
    }
    let primary = at
        .copies
        .iter()
        .find(|copy| copy.primary && copy.is_active());
    let Some(source) = primary.and_then(|copy| copy.node.as_ref()) else {
        return table.no(|| "primary shard for this replica is not yet active".to_owned());
    };
    let (outgoing, limit_out) = (table.load(source).outgoing, limits.outgoing);
    if outgoing >= limit_out {
        return table
            .throttle(|| {
                format!("reached the limit of outgoing shard recoveries [{limit_out}] on the node [{source}] which holds the primary, cluster setting [cluster.routing.allocation.node_concurrent_outgoing_recoveries={limit_out}] (can also be set via [{BOTH}])")
            })
            .helped_by(|| set_cluster(BOTH, &(limit_out + 2).to_string()));
    }
    table.yes(|| {
        format!("below shard recovery limit of outgoing: [{outgoing} < {limit_out}] incoming: [{incoming} < {limit_in}]")
    })
}
