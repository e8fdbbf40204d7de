//! Asking every chosen node the same thing, and telling how it went.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use serde_json::{Map, Value, json};

use super::shard_calls::{Which, ask_all};
use super::stats_sections::add;
use super::{App, RestError};
use crate::cluster::node_filter::is_chosen;
use crate::cluster::{ClusterState, IndicesOptions, NodeId, NodeInfo};
use crate::coordination::fan_out::fan_out;
use crate::data::service::{ShardError, ShardService, ShardStats, ShardTarget};
use crate::nodes::{NodeError, NodeFigures};

/// Nodes asked at the same time.
const AT_ONCE: usize = 32;

/// What came of asking nodes.
pub struct NodeCalls<'a, T> {
    /// Answers, in the order of the nodes.
    pub answers: Vec<(&'a NodeInfo, T)>,
    /// Nodes that did not answer.
    pub failures: Vec<NodeError>,
}

impl<T> NodeCalls<'_, T> {
    /// `{"total", "successful", "failed"}` with the failures, as every such answer has it under `_nodes`.
    pub fn header(&self) -> Value {
        let mut header = json!({
            "total": self.answers.len() + self.failures.len(),
            "successful": self.answers.len(),
            "failed": self.failures.len(),
        });
        if !self.failures.is_empty() {
            header["failures"] = Value::Array(node_failures(&self.failures));
        }
        header
    }

    /// The answer about nodes, each shown in its way.
    pub fn answer(&self, state: &ClusterState, show: impl Fn(&NodeInfo, &T) -> Value) -> Value {
        let mut nodes = Map::new();
        for (node, answer) in &self.answers {
            nodes.insert(node.id.0.clone(), show(node, answer));
        }
        json!({"_nodes": self.header(), "cluster_name": state.cluster_name, "nodes": nodes})
    }
}

/// Nodes that failed, as lists of tasks and nodes show them.
pub fn node_failures(failures: &[NodeError]) -> Vec<Value> {
    let shown = failures.iter().map(|failure| {
        let cause = RestError::new(500, "node_disconnected_exception", failure.to_string());
        json!({
            "type": "failed_node_exception",
            "reason": format!("Failed node [{}]", failure.node),
            "node_id": failure.node,
            "caused_by": cause.cause_json(false),
        })
    });
    shown.collect()
}

/// For those who are not told how long to wait.
pub const NO_LIMIT: Duration = Duration::MAX;

/// Asks the nodes that a filter chooses; one that fails, or does not answer within `limit`, does not stop the others.
pub async fn ask_nodes<'a, T, F, R>(
    app: &App,
    state: &'a ClusterState,
    filter: Option<&str>,
    limit: Duration,
    ask: F,
) -> NodeCalls<'a, T>
where
    T: Send,
    F: Fn(NodeId) -> R,
    R: Future<Output = Result<T, NodeError>> + Send,
{
    let mut chosen = Vec::new();
    let mut jobs = Vec::new();
    for node in state.nodes.values() {
        if is_chosen(state, node, &app.node.id, filter) {
            chosen.push(node);
            let answer = tokio::time::timeout(limit, ask(node.id.clone()));
            let job = async move {
                answer.await.unwrap_or_else(|_| {
                    Err(NodeError {
                        node: node.id.clone(),
                        reason: too_late(limit),
                    })
                })
            };
            jobs.push(job.boxed());
        }
    }
    let mut calls = NodeCalls {
        answers: Vec::new(),
        failures: Vec::new(),
    };
    for (node, answer) in chosen.into_iter().zip(fan_out(jobs, AT_ONCE).await) {
        match answer {
            Ok(answer) => calls.answers.push((node, answer)),
            Err(error) => calls.failures.push(error),
        }
    }
    calls
}

fn too_late(limit: Duration) -> String {
    format!("no answer within [{}ms]", limit.as_millis())
}

/// What the chosen nodes count.
pub async fn figures_of<'a>(
    app: &App,
    state: &'a ClusterState,
    filter: Option<&str>,
    limit: Duration,
) -> NodeCalls<'a, NodeFigures> {
    ask_nodes(app, state, filter, limit, |node| async move {
        app.nodes.figures(&node).await
    })
    .await
}

/// Counters of shards by node, and how many shards each has.
#[derive(Default)]
pub struct ShardSums {
    nodes: std::collections::BTreeMap<NodeId, ShardStats>,
    none: ShardStats,
}

impl ShardSums {
    /// The counters of all shards of a node.
    pub fn of(&self, node: &NodeInfo) -> &ShardStats {
        self.nodes.get(&node.id).unwrap_or(&self.none)
    }

    /// The counters of all shards of some nodes.
    pub fn all<'a>(&self, nodes: impl Iterator<Item = &'a NodeInfo>) -> ShardStats {
        let mut sum = ShardStats::default();
        for node in nodes {
            add(&mut sum, self.of(node));
        }
        sum
    }
}

/// The counters of all open shards, by node; those that do not answer within `limit` are missing.
pub async fn shard_sums(app: &App, state: &ClusterState, limit: Duration) -> ShardSums {
    let options = IndicesOptions {
        expand_hidden: true,
        ..IndicesOptions::LENIENT_EXPAND_OPEN
    };
    let found = state
        .resolve("", &options, app.now_ms())
        .unwrap_or_default();
    let stats = |shards: Arc<dyn ShardService>, target: ShardTarget| async move {
        let stats = tokio::time::timeout(limit, shards.stats(&target));
        stats.await.unwrap_or_else(|_| {
            Err(ShardError::Unreachable {
                node: String::new(),
                reason: too_late(limit),
                maybe_done: false,
            })
        })
    };
    let calls = ask_all(app, state, &found, Which::Serving, stats).await;
    let mut sums = ShardSums::default();
    for (asked, stats) in &calls.answers {
        let Some(node) = asked.node_id() else {
            continue;
        };
        let sum = sums.nodes.entry(node.clone()).or_default();
        add(sum, stats);
        sum.search_groups.clear();
    }
    sums
}
