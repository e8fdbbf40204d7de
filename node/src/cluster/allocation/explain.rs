//! Why a copy is where it is, or why no node has it.

use super::balance::{Gain, weight};
use super::deciders::{Said, Verdict, can_allocate, can_open, can_rebalance, can_remain};
use super::table::Table;
use crate::cluster::node::{NodeId, NodeInfo};
use crate::cluster::routing::{ShardCopy, ShardState};
use crate::cluster::{ClusterState, IndexMetadata};
use crate::master::Ids;

/// What a node would say to a copy.
pub(crate) struct OnNode {
    pub node: NodeInfo,
    /// `yes`, `no`, `throttled` or `worse_balance`.
    pub decision: &'static str,
    /// Place in the order of how little the nodes have, from 1.
    pub rank: usize,
    /// The in-sync data of a primary that lies there.
    pub in_sync: Option<String>,
    pub said: Said,
}

/// All about one copy.
pub(crate) struct Explained {
    pub copy: ShardCopy,
    /// `yes`, `no`, `throttled`, `no_valid_shard_copy` or `allocation_delayed`; for a copy without a node.
    pub can_allocate: Option<(&'static str, String)>,
    /// Configured, and left, in ms.
    pub delay: Option<(i64, i64)>,
    /// For a copy that serves: may it stay, may it be moved for balance, would that be better somewhere.
    pub started: Option<Started>,
    /// For a copy that opens or moves: what to wait for.
    pub wait: Option<String>,
    pub nodes: Vec<OnNode>,
    /// What somebody could send.
    pub remedies: Vec<String>,
}

/// About a copy that serves.
pub(crate) struct Started {
    pub rank: usize,
    pub remain: Said,
    pub rebalance: Said,
    /// `yes`, `no` or `throttled`, with words: whether it moves, because it may not stay or for balance.
    pub goes: (&'static str, &'static str),
}

/// The first copy that no node has, the most urgent first: primaries before replicas.
pub(crate) fn first_unassigned(state: &ClusterState) -> Option<(String, u32, bool)> {
    let waiting = |primary: bool| {
        state
            .routing
            .all()
            .find(|(_, _, copy)| copy.primary == primary && copy.state == ShardState::Unassigned)
            .map(|(index, shard, _)| (index.to_owned(), shard, primary))
    };
    waiting(true).or_else(|| waiting(false))
}

/// Explains one copy: the primary, or of the replicas one that no node has before one that serves.
///
/// * `on`: the copy on this node.
pub(crate) fn explain(
    state: &ClusterState,
    (index, shard, primary): (&str, u32, bool),
    on: Option<&NodeId>,
    now_ms: i64,
    ids: &mut dyn Ids,
) -> Option<Explained> {
    let mut table = Table::new(state.clone(), now_ms, ids);
    table.is_explaining = true;
    let copies = table.state.routing.copies(index, shard);
    let order = |copy: &ShardCopy| match copy.state {
        ShardState::Unassigned => 0,
        ShardState::Initializing => 1,
        ShardState::Relocating => 2,
        ShardState::Started => 3,
    };
    let place = (0..copies.len())
        .filter(|at| copies[*at].primary == primary)
        .filter(|at| on.is_none_or(|node| copies[*at].is_on(node)))
        .min_by_key(|at| order(&copies[*at]))?;
    let copy = copies[place].clone();
    let mut explained = Explained {
        can_allocate: None,
        delay: None,
        started: None,
        wait: None,
        nodes: Vec::new(),
        remedies: Vec::new(),
        copy,
    };
    match explained.copy.state {
        ShardState::Unassigned => unassigned(&table, index, shard, place, &mut explained),
        ShardState::Started => started(&table, index, shard, place, &mut explained),
        ShardState::Initializing | ShardState::Relocating => {
            explained.wait = Some(wait(&table, &explained.copy));
        }
    }
    Some(explained)
}

fn wait(table: &Table<'_>, copy: &ShardCopy) -> String {
    let name = |id: &Option<NodeId>| {
        let node = id.as_ref().and_then(|id| table.node(id));
        node.map_or(String::new(), |node| node.name.clone())
    };
    match copy.state {
        ShardState::Relocating => format!(
            "the shard is in the process of relocating from node [{}] to node [{}], wait until relocation has completed",
            name(&copy.node),
            name(&copy.relocating_node)
        ),
        _ => format!(
            "the shard is in the process of initializing on node [{}], wait until initialization has completed",
            name(&copy.node)
        ),
    }
}

/// The data nodes, those that have the least first.
fn ranked(table: &Table<'_>, index: &str) -> Vec<NodeInfo> {
    let mut nodes: Vec<NodeInfo> = table.state.data_nodes().cloned().collect();
    nodes.sort_by_key(|node| (weight(table, &node.id, index), node.id.clone()));
    nodes
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Yes => "yes",
        Verdict::Throttle => "throttled",
        Verdict::No => "no",
    }
}

fn remedies(said: &[&Said]) -> Vec<String> {
    let mut remedies = Vec::new();
    for (_, decision) in said.iter().flat_map(|said| &said.each) {
        if decision.verdict == Verdict::Yes {
            continue;
        }
        if let Some(remedy) = &decision.remedy
            && !remedies.contains(remedy)
        {
            remedies.push(remedy.clone());
        }
    }
    remedies
}

fn unassigned(table: &Table<'_>, index: &str, shard: u32, place: usize, explained: &mut Explained) {
    let Some(at) = table.at(index, shard, place) else {
        return;
    };
    let is_old_primary = at.copy.primary && at.index.started.contains(&shard);
    let homes = table.homes_of(at.index, shard);
    for (rank, node) in (1..).zip(ranked(table, index)) {
        let home = homes
            .iter()
            .find(|(id, _)| *id == node.id && is_old_primary);
        let said = match home {
            Some(_) => can_open(table, &at, &node),
            None => can_allocate(table, &at, &node),
        };
        let decision = match is_old_primary && home.is_none() {
            true => "no",
            false => word(said.verdict),
        };
        explained.nodes.push(OnNode {
            node,
            decision,
            rank,
            in_sync: home.map(|(_, id)| id.clone()),
            said,
        });
    }
    let has = |decision: &str| explained.nodes.iter().any(|node| node.decision == decision);
    let is_delayed = at.copy.is_delayed(table.now_ms);
    let answer = if is_old_primary && homes.is_empty() {
        explained.remedies = lost_primary(at.index, shard);
        ("no_valid_shard_copy", "cannot allocate because a previous copy of the primary shard existed but can no longer be found on the nodes in the cluster".to_owned())
    } else if is_delayed {
        let until = at
            .copy
            .unassigned
            .as_ref()
            .and_then(|info| info.delayed_until_ms);
        let since = at.copy.unassigned.as_ref().map_or(0, |info| info.at_ms);
        let left = until.map_or(0, |until| until - table.now_ms);
        explained.delay = until.map(|until| (until - since, left));
        explained.remedies = vec![format!(
            r#"PUT /{index}/_settings {{"index.unassigned.node_left.delayed_timeout": "0"}}"#
        )];
        (
            "allocation_delayed",
            format!(
                "cannot allocate because the cluster is still waiting [{left}ms] for the departed node holding a replica to rejoin"
            ),
        )
    } else if has("yes") {
        ("yes", "can allocate the shard".to_owned())
    } else if has("throttled") {
        ("throttled", "allocation temporarily throttled".to_owned())
    } else {
        (
            "no",
            "cannot allocate because allocation is not permitted to any of the nodes".to_owned(),
        )
    };
    if !matches!(
        answer.0,
        "yes" | "no_valid_shard_copy" | "allocation_delayed"
    ) {
        let said: Vec<&Said> = explained.nodes.iter().map(|node| &node.said).collect();
        explained.remedies = remedies(&said);
        if table.state.data_nodes().count() < at.copies.len() {
            explained.remedies.push(format!(
                r#"start another data node, or PUT /{index}/_settings {{"index.number_of_replicas": {}}}"#,
                table.state.data_nodes().count().saturating_sub(1)
            ));
        }
    }
    explained.can_allocate = Some(answer);
}

/// What is left to do when no node has the data of a primary.
fn lost_primary(index: &IndexMetadata, shard: u32) -> Vec<String> {
    let homes = &index.homes[shard as usize];
    let nodes: Vec<&str> = homes.values().map(|node| node.0.as_str()).collect();
    let name = &index.name;
    vec![
        format!(
            "bring back one of the nodes that have it: [{}]",
            nodes.join(", ")
        ),
        format!(
            r#"POST /_cluster/reroute {{"commands": [{{"allocate_stale_primary": {{"index": "{name}", "shard": {shard}, "node": "<a node that had a copy>", "accept_data_loss": true}}}}]}}"#
        ),
        format!(
            r#"POST /_cluster/reroute {{"commands": [{{"allocate_empty_primary": {{"index": "{name}", "shard": {shard}, "node": "<any node>", "accept_data_loss": true}}}}]}}"#
        ),
    ]
}

fn started(table: &Table<'_>, index: &str, shard: u32, place: usize, explained: &mut Explained) {
    let Some(at) = table.at(index, shard, place) else {
        return;
    };
    let Some(own) = at.copy.node.as_ref().and_then(|id| table.node(id)) else {
        return;
    };
    let remain = can_remain(table, &at, own);
    let rebalance = can_rebalance(table, &at);
    let stays = remain.verdict == Verdict::Yes;
    let bytes = table.size_of(at.copies);
    let mut rank_here = 0;
    for (rank, node) in (1..).zip(ranked(table, index)) {
        if node.id == own.id {
            rank_here = rank;
            continue;
        }
        let said = can_allocate(table, &at, &node);
        let gain = Gain::of(table, index, &own.id, &node.id, bytes);
        let decision = match said.verdict {
            Verdict::Yes if stays && !gain.is_worth_it(table) => "worse_balance",
            verdict => word(verdict),
        };
        explained.nodes.push(OnNode {
            node,
            decision,
            rank,
            in_sync: None,
            said,
        });
    }
    let has = |decision: &str| explained.nodes.iter().any(|node| node.decision == decision);
    let goes = match (stays, rebalance.verdict) {
        (false, _) if has("yes") => (
            "yes",
            "shard cannot remain on this node and is force-moved to another node",
        ),
        (false, _) if has("throttled") => (
            "throttled",
            "shard moves to another node when the recoveries there are done",
        ),
        (false, _) => (
            "no",
            "cannot move shard to another node, even though it is not allowed to remain on its current node",
        ),
        (true, Verdict::No) => (
            "no",
            "rebalancing is not allowed, even though there may be a node that the shard could move to",
        ),
        (true, Verdict::Throttle) => ("throttled", "rebalancing is throttled"),
        (true, Verdict::Yes) if has("yes") => ("yes", "can rebalance shard"),
        (true, Verdict::Yes) if has("throttled") => ("throttled", "rebalancing is throttled"),
        (true, Verdict::Yes) => (
            "no",
            "cannot rebalance as no target node exists that can both allocate this shard and improve the cluster balance",
        ),
    };
    if !stays && goes.0 != "yes" {
        let mut said: Vec<&Said> = vec![&remain];
        said.extend(explained.nodes.iter().map(|node| &node.said));
        explained.remedies = remedies(&said);
    }
    explained.started = Some(Started {
        rank: rank_here,
        remain,
        rebalance,
        goes,
    });
}
