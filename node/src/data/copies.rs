//! Which copies of a shard a search may ask, and in which order.

use super::ranks::Ranks;
use super::search::CopyPreference;
use super::service::ShardTarget;
use crate::cluster::node_filter::is_chosen;
use crate::cluster::{ClusterState, NodeId, ShardCopy};

/// A copy that serves, and the node it is on.
#[derive(Clone, Debug, PartialEq)]
pub struct ServingCopy {
    /// The node.
    pub node: NodeId,
    /// The copy.
    pub copy: ShardCopy,
}

/// No node that a preference names has a copy of a shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no data nodes with {} [{}] found for shard: [{index}][{shard}]",
    if filters.len() == 1 { "criteria" } else { "criterion" },
    filters.join(",")
)]
pub struct NoSuchCopy {
    /// What was asked for.
    pub filters: Vec<String>,
    /// Name of the index.
    pub index: String,
    /// Number of the shard.
    pub shard: u32,
}

/// The copies of a shard that serve, the primary first.
pub fn serving(state: &ClusterState, target: &ShardTarget) -> Vec<ServingCopy> {
    let is_same =
        |index: &std::sync::Arc<crate::cluster::IndexMetadata>| index.uuid == target.index_uuid;
    if !state.index(&target.index).is_some_and(is_same) {
        return Vec::new();
    }
    let mut serving = Vec::new();
    for copy in state.routing.copies(&target.index, target.shard) {
        if let Some(node) = &copy.node
            && copy.state.is_active()
            && state.nodes.contains_key(node)
        {
            serving.push(ServingCopy {
                node: node.clone(),
                copy: copy.clone(),
            });
        }
    }
    serving.sort_by_key(|serving| !serving.copy.primary);
    serving
}

/// The copies that a preference lets a search ask, best first.
///
/// * `own`: the node that asks.
pub fn choose(
    state: &ClusterState,
    target: &ShardTarget,
    preference: &CopyPreference,
    own: &NodeId,
    ranks: &Ranks,
) -> Result<Vec<ServingCopy>, NoSuchCopy> {
    let mut copies = serving(state, target);
    if let CopyPreference::Key(key) = preference {
        // whichever is the primary: the order must outlive a promotion
        copies.sort_by(|a, b| a.node.cmp(&b.node));
        if !copies.is_empty() {
            let turn = hash(key, target) as usize % copies.len();
            copies.rotate_left(turn);
        }
        return Ok(copies);
    }
    let is_adaptive =
        state.effective_setting("cluster.routing.use_adaptive_replica_selection") == "true";
    ranks.order(&mut copies, is_adaptive, |serving| &serving.node);
    match preference {
        CopyPreference::Any | CopyPreference::Key(_) => {}
        CopyPreference::Local => copies.sort_by_key(|serving| serving.node != *own),
        CopyPreference::OnlyLocal => copies.retain(|serving| serving.node == *own),
        CopyPreference::Primary => copies.retain(|serving| serving.copy.primary),
        CopyPreference::PrimaryFirst => copies.sort_by_key(|serving| !serving.copy.primary),
        CopyPreference::Replica => copies.retain(|serving| !serving.copy.primary),
        CopyPreference::ReplicaFirst => copies.sort_by_key(|serving| serving.copy.primary),
        CopyPreference::PreferNodes(ids) => {
            copies.sort_by_key(|serving| !ids.contains(&serving.node.0));
        }
        CopyPreference::OnlyNodes(filters) => {
            keep_on(state, target, filters, own, &mut copies)?;
        }
    }
    Ok(copies)
}

/// Leaves the copies on the nodes that are named; one must be.
fn keep_on(
    state: &ClusterState,
    target: &ShardTarget,
    filters: &[String],
    own: &NodeId,
    copies: &mut Vec<ServingCopy>,
) -> Result<(), NoSuchCopy> {
    let filter = filters.join(",");
    copies.retain(|serving| {
        let node = state.nodes.get(&serving.node);
        node.is_some_and(|node| is_chosen(state, node, own, Some(&filter)))
    });
    if copies.is_empty() {
        return Err(NoSuchCopy {
            filters: filters.to_vec(),
            index: target.index.clone(),
            shard: target.shard,
        });
    }
    Ok(())
}

/// Refuses a preference that names nodes of which none has a copy of a shard. It is asked for all shards of a search before
/// one of them is searched.
///
/// * `own`: the node that asks.
pub fn check_nodes(
    state: &ClusterState,
    target: &ShardTarget,
    preference: &CopyPreference,
    own: &NodeId,
) -> Result<(), NoSuchCopy> {
    match preference {
        CopyPreference::OnlyNodes(filters) => {
            keep_on(state, target, filters, own, &mut serving(state, target))
        }
        _ => Ok(()),
    }
}

/// The same for the same text and shard.
fn hash(key: &str, target: &ShardTarget) -> u32 {
    let mut text = key.as_bytes().to_vec();
    text.extend_from_slice(target.index_uuid.as_bytes());
    let hash = crc_fast::crc32_iscsi(&text);
    // the bits of the sum are the text's in another order: stir them
    (hash ^ target.shard).wrapping_mul(0x9E37_79B1) >> 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ShardState;
    use crate::master::testing::{Cluster, create, node};

    /// A shard with copies on `n`, `a` and `b`; the first is the primary.
    fn state() -> ClusterState {
        let mut cluster = Cluster::new();
        cluster.run(create("hats")).unwrap();
        let mut state = cluster.state;
        let copies = &mut state.routing.shards_of_mut("hats").unwrap()[0];
        let mut one = copies[0].clone();
        copies.clear();
        for (at, name) in ["n", "a", "b"].into_iter().enumerate() {
            one.primary = at == 0;
            one.state = ShardState::Started;
            one.node = Some(NodeId(name.to_owned()));
            one.unassigned = None;
            copies.push(one.clone());
            let mut info = node(name);
            info.attributes.insert("rack".to_owned(), format!("r{at}"));
            state.nodes.insert(info.id.clone(), info);
        }
        state
    }

    fn names(state: &ClusterState, preference: CopyPreference) -> Vec<String> {
        let target = ShardTarget {
            index: "hats".to_owned(),
            index_uuid: state.index("hats").unwrap().uuid.clone(),
            shard: 0,
        };
        let own = NodeId("a".to_owned());
        let copies = choose(state, &target, &preference, &own, &Ranks::default());
        match copies {
            Ok(copies) => copies.into_iter().map(|copy| copy.node.0).collect(),
            Err(error) => vec![error.to_string()],
        }
    }

    #[test]
    fn preferences_choose_copies() {
        let state = state();
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(names(&state, CopyPreference::Any).len(), 3);
        assert_eq!(names(&state, CopyPreference::Local)[0], "a");
        assert_eq!(names(&state, CopyPreference::OnlyLocal), ["a"]);
        assert_eq!(names(&state, CopyPreference::Primary), ["n"]);
        assert_eq!(names(&state, CopyPreference::PrimaryFirst)[0], "n");
        assert_eq!(names(&state, CopyPreference::ReplicaFirst)[2], "n");
        let mut replicas = names(&state, CopyPreference::Replica);
        replicas.sort();
        assert_eq!(replicas, ["a", "b"]);
        let preferred = CopyPreference::PreferNodes(list(&["b", "gone"]));
        assert_eq!(names(&state, preferred)[0], "b");
        assert_eq!(
            names(&state, CopyPreference::OnlyNodes(list(&["rack:r2"]))),
            ["b"]
        );
        assert_eq!(
            names(&state, CopyPreference::OnlyNodes(list(&["_local"]))),
            ["a"]
        );
        assert_eq!(
            names(&state, CopyPreference::OnlyNodes(list(&["gone"]))),
            ["no data nodes with criteria [gone] found for shard: [hats][0]"]
        );
    }

    #[test]
    fn a_text_chooses_the_same_copy_each_time_and_not_one_for_all_texts() {
        let state = state();
        let mut first = std::collections::BTreeSet::new();
        for n in 0..30 {
            let key = || CopyPreference::Key(format!("user-{n}"));
            let chosen = names(&state, key());
            assert_eq!(chosen, names(&state, key()));
            first.insert(chosen[0].clone());
        }
        assert_eq!(first.len(), 3);
    }

    #[test]
    fn copies_that_do_not_serve_are_not_asked() {
        let mut state = state();
        let copies = &mut state.routing.shards_of_mut("hats").unwrap()[0];
        copies[1].state = ShardState::Initializing;
        state.nodes.remove(&NodeId("b".to_owned()));
        assert_eq!(names(&state, CopyPreference::Any), ["n"]);
    }
}
