//! How the nodes of a cluster are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::http::Http;
use super::process::ProcessState;
use super::proxy::{Client, Pair};
use super::record::{NodeRecord, Record};

/// A node that does not answer by then counts as ill.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// All of a cluster.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Name of the cluster.
    pub name: String,
    /// `green`, `yellow` or `red`, by the first coordination node that answers.
    pub health: Option<String>,
    /// How many nodes that one sees.
    pub nodes_seen: Option<u64>,
    /// Whether the proxies run; `None`: there are none.
    pub proxies: Option<bool>,
    /// Pairs of nodes that cannot reach each other.
    pub cuts: BTreeSet<Pair>,
    /// Each node, masters first.
    pub nodes: Vec<NodeStatus>,
}

/// One node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeStatus {
    /// Its `NODE_ID`.
    pub name: String,
    /// `master`, `coordination` or `data`.
    pub role: &'static str,
    /// Of data nodes.
    pub tier: Option<String>,
    /// `running`, `paused`, `down`, or `crashed`: it ended by itself.
    pub state: &'static str,
    /// Its process.
    pub pid: Option<u32>,
    /// Persistent id.
    pub node_id: Option<String>,
    /// Where others reach its raft.
    pub raft: Option<String>,
    /// Where others reach its gRPC.
    pub grpc: String,
    /// Where it serves REST.
    pub http: Option<String>,
    /// Where it serves metrics and health.
    pub metrics: Option<String>,
    /// Whether it says that it is well.
    pub healthy: bool,
    /// Why it is not.
    pub reason: Option<String>,
}

/// Asks every node of a cluster.
pub fn status(record: &Record, dir: &Path) -> Status {
    let http = Http::new(ASK_TIMEOUT);
    let nodes: Vec<NodeStatus> = std::thread::scope(|scope| {
        let asking: Vec<_> = record
            .nodes
            .iter()
            .map(|node| scope.spawn(|| node_status(node, &http)))
            .collect();
        let answers = asking.into_iter().map(|thread| thread.join());
        answers.flatten().collect()
    });
    let mut seen = None;
    for node in nodes.iter().filter(|node| node.state == "running") {
        if let Some(address) = &node.http
            && let Ok(answer) = http.get(&format!("http://{address}/_cluster/health"))
            && answer.status == 200
            && let Ok(health) = serde_json::from_str::<Value>(&answer.body)
        {
            seen = Some(health);
            break;
        }
    }
    let cuts = match record.direct {
        true => None,
        false => Some(Client::new(dir).cuts()),
    };
    Status {
        name: record.name.clone(),
        health: seen
            .as_ref()
            .and_then(|health| health["status"].as_str().map(str::to_owned)),
        nodes_seen: seen
            .as_ref()
            .and_then(|health| health["number_of_nodes"].as_u64()),
        proxies: cuts.as_ref().map(Result::is_ok),
        cuts: cuts.and_then(Result::ok).unwrap_or_default(),
        nodes,
    }
}

fn node_status(node: &NodeRecord, http: &Http) -> NodeStatus {
    let state = match node.process {
        None => "down",
        Some(process) => match process.state() {
            ProcessState::Running => "running",
            ProcessState::Stopped => "paused",
            ProcessState::Gone => "crashed",
        },
    };
    let mut status = NodeStatus {
        name: node.name.clone(),
        role: node.role.name(),
        tier: node.tier.clone(),
        state,
        pid: node.process.map(|process| process.pid),
        node_id: None,
        raft: node.raft_published.clone(),
        grpc: node.grpc_published.clone(),
        http: node.http.clone(),
        metrics: node.metrics.clone(),
        healthy: false,
        reason: None,
    };
    if state != "running" {
        return status;
    }
    let Some(address) = &node.metrics else {
        status.reason = Some("it is starting".to_owned());
        return status;
    };
    match http.get(&format!("http://{address}/health")) {
        Err(error) => status.reason = Some(error.reason),
        Ok(answer) => {
            let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            status.node_id = said["node_id"].as_str().map(str::to_owned);
            status.healthy = answer.status == 200;
            if !status.healthy {
                let reason = said["reason"].as_str().unwrap_or("it does not say why");
                status.reason = Some(reason.to_owned());
            }
        }
    }
    status
}

impl Status {
    /// What there is to wait for; `None`: every node is well and seen by the coordination nodes.
    pub fn what_is_missing(&self) -> Option<String> {
        let mut ill: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for node in self.nodes.iter().filter(|node| !node.healthy) {
            let reason = node.reason.as_deref().unwrap_or(node.state);
            ill.entry(reason).or_default().push(&node.name);
        }
        if !ill.is_empty() {
            let by_reason = ill.iter();
            let parts: Vec<String> = by_reason
                .map(|(reason, names)| format!("{} ({reason})", names.join(", ")))
                .collect();
            return Some(parts.join("; "));
        }
        match self.nodes_seen {
            Some(seen) if seen == self.nodes.len() as u64 => None,
            Some(seen) => Some(format!("{seen} of {} nodes have joined", self.nodes.len())),
            None => Some("no coordination node answers".to_owned()),
        }
    }

    /// As a table for people.
    pub fn table(&self) -> String {
        let mut rows = vec![
            [
                "NODE", "ROLE", "TIER", "STATE", "PID", "REST", "GRPC", "RAFT", "METRICS", "HEALTH",
            ]
            .map(str::to_owned),
        ];
        for node in &self.nodes {
            let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            rows.push([
                node.name.clone(),
                node.role.to_owned(),
                or_dash(&node.tier),
                node.state.to_owned(),
                or_dash(&node.pid.map(|pid| pid.to_string())),
                or_dash(&node.http),
                node.grpc.clone(),
                or_dash(&node.raft),
                or_dash(&node.metrics),
                match (node.healthy, &node.reason) {
                    (true, _) => "ok".to_owned(),
                    (false, Some(reason)) => reason.clone(),
                    (false, None) => "-".to_owned(),
                },
            ]);
        }
        let mut text = String::new();
        for row in &rows {
            for (column, cell) in row.iter().enumerate() {
                let width = rows.iter().map(|row| row[column].chars().count()).max();
                let is_last = column + 1 == row.len();
                match is_last {
                    true => text.push_str(cell),
                    false => text.push_str(&format!("{cell:<0$}  ", width.unwrap_or(0))),
                }
            }
            text.push('\n');
        }
        for pair in &self.cuts {
            text.push_str(&format!("cut: {pair}\n"));
        }
        if self.proxies == Some(false) {
            text.push_str("the proxies do not run: no node reaches another\n");
        }
        let health = self.health.as_deref().unwrap_or("not known");
        text.push_str(&format!("cluster {}: {health}\n", self.name));
        text
    }
}
