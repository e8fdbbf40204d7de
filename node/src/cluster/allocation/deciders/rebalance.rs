//! When copies are moved for balance, and how many at a time.

use super::{CopyAt, Decision, Table, set_cluster};

pub(super) fn only_when_active(table: &Table<'_>, at: &CopyAt<'_>) -> Decision {
    if at
        .copies
        .iter()
        .all(|copy| copy.is_active() || copy.is_relocation_target())
    {
        return table
            .yes(|| "rebalancing is allowed as all copies of this shard are active".to_owned());
    }
    table
        .no(|| "rebalancing is not allowed until all replicas in the cluster are active".to_owned())
}

pub(super) fn allowed_by_cluster(table: &Table<'_>, _: &CopyAt<'_>) -> Decision {
    const KEY: &str = "cluster.routing.allocation.allow_rebalance";
    let remedy = || set_cluster(KEY, "\"always\"");
    match table.limits.allow_rebalance.as_str() {
        "always" => table.yes(|| "all rebalancing is allowed".to_owned()),
        "indices_primaries_active" => match table.are_settled(true) {
            true => table.yes(|| "all primary shards are active".to_owned()),
            false => table
                .no(|| format!("the cluster has unassigned primary shards and cluster setting [{KEY}] is set to [indices_primaries_active]"))
                .helped_by(remedy),
        },
        _ => match table.are_settled(false) {
            true => table.yes(|| "all shards are active".to_owned()),
            false => table
                .no(|| format!("the cluster has unassigned or initializing shards and cluster setting [{KEY}] is set to [indices_all_active]"))
                .helped_by(remedy),
        },
    }
}

pub(super) fn few_at_a_time(table: &Table<'_>, _: &CopyAt<'_>) -> Decision {
    const KEY: &str = "cluster.routing.allocation.cluster_concurrent_rebalance";
    let moving = table.moving();
    for (limit, key) in [
        (table.limits.rebalances, KEY),
        (
            table.limits.moves,
            "cluster.routing.allocation.cluster_concurrent_recoveries",
        ),
    ] {
        if let Some(limit) = limit.filter(|limit| moving >= *limit) {
            return table
                .throttle(|| {
                    format!("reached the limit of concurrently rebalancing shards [{moving}], cluster setting [{key}={limit}]")
                })
                .helped_by(|| set_cluster(key, &(limit + 2).to_string()));
        }
    }
    table.yes(|| format!("below the limits of concurrent rebalances, has [{moving}]"))
}
