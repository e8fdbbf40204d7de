//! Tiers: nodes say theirs (`tier`), indices the ones they prefer, the first that has a node wins.

use super::{CopyAt, Decision, NodeInfo, Table, set_index};
use crate::cluster::{ClusterState, IndexMetadata};

/// The setting.
const KEY: &str = "index.routing.allocation.include._tier_preference";

/// The name without its prefix: `data_hot` and `hot` are the same.
fn plain(tier: &str) -> &str {
    tier.strip_prefix("data_").unwrap_or(tier)
}

/// A node without a tier is of all of them.
fn is_of(node: &NodeInfo, tier: &str) -> bool {
    node.attributes
        .get("tier")
        .is_none_or(|own| plain(own) == tier)
}

/// The tier that an index goes to now: of those it prefers the first that a node has; `None` when it has no preference.
fn preferred(state: &ClusterState, index: &IndexMetadata) -> Option<Result<String, String>> {
    let text = index.setting(KEY)?.trim();
    if text.is_empty() {
        return None;
    }
    for tier in text.split(',').map(|tier| plain(tier.trim())) {
        if !tier.is_empty() && state.data_nodes().any(|node| is_of(node, tier)) {
            return Some(Ok(tier.to_owned()));
        }
    }
    Some(Err(text.to_owned()))
}

/// Whether the preference of an index lets it have copies on a node.
pub(super) fn lets(state: &ClusterState, index: &IndexMetadata, node: &NodeInfo) -> bool {
    match preferred(state, index) {
        None => true,
        Some(Err(_)) => false,
        Some(Ok(tier)) => is_of(node, &tier),
    }
}

pub(super) fn decide(table: &Table<'_>, at: &CopyAt<'_>, node: &NodeInfo) -> Decision {
    let remedy = || set_index(&at.index.name, KEY, "null");
    match preferred(&table.state, at.index) {
        None => table.yes(|| "the index prefers no tier".to_owned()),
        Some(Err(wanted)) => table
            .no(|| format!("index setting [{KEY}={wanted}] names no tier that a data node is of"))
            .helped_by(remedy),
        Some(Ok(tier)) if is_of(node, &tier) => {
            table.yes(|| format!("the node is of the preferred tier [{tier}]"))
        }
        Some(Ok(tier)) => table
            .no(|| {
                let own = node.attributes.get("tier").map_or("", String::as_str);
                format!("index setting [{KEY}] prefers tier [{tier}], the node's attribute [tier] is [{own}]")
            })
            .helped_by(remedy),
    }
}
