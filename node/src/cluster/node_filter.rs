//! Node filters of requests and settings: which nodes are meant.

use super::names::matches_pattern;
use super::node::{NodeId, NodeInfo};
use super::state::ClusterState;

/// Whether a node filter (`_all`, `_local`, `_master`, ids, names, `data:true`, …) chooses a node.
///
/// * `own`: the node that asks.
pub fn is_chosen(
    state: &ClusterState,
    node: &NodeInfo,
    own: &NodeId,
    filter: Option<&str>,
) -> bool {
    let Some(filter) = filter.filter(|filter| !filter.is_empty()) else {
        return true;
    };
    let mut is_in = false;
    for part in filter.split(',') {
        let (matches, add) = match part {
            "_all" | "*" => (true, true),
            "_local" => (node.id == *own, true),
            "_master" | "_cluster_manager" => (node.id == state.master, true),
            _ => match part.split_once(':') {
                Some((role, wanted @ ("true" | "false"))) => {
                    let role = if role == "master" {
                        "cluster_manager"
                    } else {
                        role
                    };
                    let has = node.roles.iter().any(|own| own == role)
                        || (role == "coordinating_only" && node.roles.is_empty());
                    (has, wanted == "true")
                }
                Some((attribute, value)) => (
                    node.attributes
                        .get(attribute)
                        .is_some_and(|own| matches_pattern(value, own)),
                    true,
                ),
                None => (
                    node.id.0 == part
                        || matches_pattern(part, &node.name)
                        || matches_pattern(part, &node.ip)
                        || matches_pattern(part, &node.host),
                    true,
                ),
            },
        };
        if matches {
            is_in = add;
        }
    }
    is_in
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_add_and_remove_nodes_in_their_order() {
        let mut state = ClusterState::empty("c", "u", NodeId("a".to_owned()));
        for (id, roles, rack) in [
            ("a", vec!["cluster_manager"], "1"),
            ("b", vec!["data"], "1"),
            ("c", vec!["data", "ingest"], "2"),
            ("d", vec![], "2"),
        ] {
            let mut node = crate::master::testing::node(id);
            node.name = format!("node-{id}");
            node.roles = roles.into_iter().map(str::to_owned).collect();
            node.attributes.insert("rack".to_owned(), rack.to_owned());
            state.nodes.insert(node.id.clone(), node);
        }
        let own = NodeId("b".to_owned());
        for (filter, expected) in [
            (None, "abcd"),
            (Some("_all"), "abcd"),
            (Some("_local"), "b"),
            (Some("_master"), "a"),
            (Some("data:true"), "bc"),
            (Some("data:true,ingest:false"), "b"),
            (Some("coordinating_only:true"), "d"),
            (Some("rack:2"), "cd"),
            (Some("node-*,data:false"), "ad"),
            (Some("c,a"), "ac"),
            (Some("gone"), ""),
        ] {
            let chosen = state.nodes.values();
            let chosen = chosen.filter(|node| is_chosen(&state, node, &own, filter));
            let ids: String = chosen.map(|node| node.id.0.as_str()).collect();
            assert_eq!(ids, expected, "{filter:?}");
        }
    }
}
