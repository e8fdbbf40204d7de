//! What `cluster.routing.allocation.enable`, `cluster.routing.rebalance.enable` and their index settings let happen.

use super::super::limits::{Enable, Rebalance};
use super::{CopyAt, Decision, NodeInfo, Table, set_cluster, set_index};

pub(super) fn can_allocate(table: &Table<'_>, at: &CopyAt<'_>, _: &NodeInfo) -> Decision {
    const KEY: &str = "index.routing.allocation.enable";
    let own = at.index.setting(KEY);
    // the older name of `none`
    const DISABLED: &str = "index.routing.allocation.disable_allocation";
    if at.index.flag(DISABLED) {
        return table
            .no(|| format!("no allocations are allowed due to index setting [{DISABLED}=true]"))
            .helped_by(|| set_index(&at.index.name, DISABLED, "null"));
    }
    let enable = own.map_or(table.limits.enable, Enable::parse);
    let setting = || match own {
        Some(value) => format!("index setting [{KEY}={value}]"),
        None => format!(
            "cluster setting [cluster.routing.allocation.enable={}]",
            table
                .state
                .effective_setting("cluster.routing.allocation.enable")
        ),
    };
    let remedy = || match own {
        Some(_) => set_index(&at.index.name, KEY, "null"),
        None => set_cluster("cluster.routing.allocation.enable", "null"),
    };
    let is_new = at.copy.primary && !at.copy.is_active() && !at.index.started.contains(&at.shard);
    let is_primary = at.counts_as_primary();
    match enable {
        Enable::All => table.yes(|| "all allocations are allowed".to_owned()),
        Enable::None => table
            .no(|| format!("no allocations are allowed due to {}", setting()))
            .helped_by(remedy),
        Enable::NewPrimaries if is_new => {
            table.yes(|| "new primary allocations are allowed".to_owned())
        }
        Enable::NewPrimaries => table
            .no(|| {
                format!(
                    "non-new primary allocations are forbidden due to {}",
                    setting()
                )
            })
            .helped_by(remedy),
        Enable::Primaries if is_primary => {
            table.yes(|| "primary allocations are allowed".to_owned())
        }
        Enable::Primaries => table
            .no(|| format!("replica allocations are forbidden due to {}", setting()))
            .helped_by(remedy),
    }
}

pub(super) fn can_rebalance(table: &Table<'_>, at: &CopyAt<'_>) -> Decision {
    const KEY: &str = "index.routing.rebalance.enable";
    let own = at.index.setting(KEY);
    let enable = own.map_or(table.limits.rebalance, Rebalance::parse);
    let setting = || match own {
        Some(value) => format!("index setting [{KEY}={value}]"),
        None => format!(
            "cluster setting [cluster.routing.rebalance.enable={}]",
            table
                .state
                .effective_setting("cluster.routing.rebalance.enable")
        ),
    };
    let is_allowed = match enable {
        Rebalance::All => true,
        Rebalance::Primaries => at.copy.primary,
        Rebalance::Replicas => !at.copy.primary,
        Rebalance::None => false,
    };
    if is_allowed {
        return table.yes(|| "rebalancing is allowed".to_owned());
    }
    table
        .no(|| match enable {
            Rebalance::Primaries => {
                format!("replica rebalancing is forbidden due to {}", setting())
            }
            Rebalance::Replicas => format!("primary rebalancing is forbidden due to {}", setting()),
            _ => format!("no rebalancing is allowed due to {}", setting()),
        })
        .helped_by(|| match own {
            Some(_) => set_index(&at.index.name, KEY, "null"),
            None => set_cluster("cluster.routing.rebalance.enable", "null"),
        })
}
