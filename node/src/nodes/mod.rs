//! Nodes as nodes: what each tells about itself, whatever its role, and the tasks that run on it.

mod figures;
mod grpc;
mod local;
mod routed;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use figures::{InFlightFigures, NodeFigures, PoolFigures, SelectionFigures};
pub use grpc::NodeServer;
pub use local::{LocalNode, LocalNodeParts};
pub use routed::RoutedNodes;

use crate::cluster::NodeId;

/// A thread of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotThread {
    /// Its name.
    pub name: String,
    /// Processor time since its start, in ms.
    pub cpu_ms: u64,
}

/// A task as others see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskView {
    /// Number on its node.
    pub id: u64,
    /// What it does, such as `indices:data/write/reindex`.
    pub action: String,
    /// What it does with what, for people.
    pub description: String,
    /// `X-Opaque-Id` of the request that began it.
    pub opaque_id: Option<String>,
    /// Whether it can be asked to stop.
    pub is_cancellable: bool,
    /// Whether it was asked to stop.
    pub is_cancelled: bool,
    /// When it began, in ms since the epoch.
    pub start_ms: i64,
    /// How long it has run, or ran.
    pub running_nanos: u64,
    /// How far it is; null: it does not say.
    pub status: Value,
    /// Its answer or the JSON of its error, once it has ended.
    pub end: Option<Result<Value, Value>>,
}

impl TaskView {
    /// `node:number`
    pub fn name(&self, node: &NodeId) -> String {
        format!("{node}:{}", self.id)
    }

    /// The object that describes a task.
    pub fn describe(&self, node: &NodeId) -> Value {
        let mut shown = Map::new();
        shown.insert("node".into(), Value::from(node.0.as_str()));
        shown.insert("id".into(), Value::from(self.id));
        shown.insert("type".into(), Value::from("transport"));
        shown.insert("action".into(), Value::from(self.action.as_str()));
        if !self.status.is_null() {
            shown.insert("status".into(), self.status.clone());
        }
        shown.insert("description".into(), Value::from(self.description.as_str()));
        shown.insert("start_time_in_millis".into(), Value::from(self.start_ms));
        shown.insert(
            "running_time_in_nanos".into(),
            Value::from(self.running_nanos),
        );
        shown.insert("cancellable".into(), Value::from(self.is_cancellable));
        shown.insert("cancelled".into(), Value::from(self.is_cancelled));
        let headers = match &self.opaque_id {
            Some(id) => json!({"X-Opaque-Id": id}),
            None => json!({}),
        };
        shown.insert("headers".into(), headers);
        Value::Object(shown)
    }

    /// The answer to "get task": whether it has ended, the task, and its answer or error.
    pub fn report(&self, node: &NodeId) -> Value {
        let mut shown = Map::new();
        shown.insert("completed".into(), Value::from(self.end.is_some()));
        shown.insert("task".into(), self.describe(node));
        match &self.end {
            Some(Ok(response)) => {
                shown.insert("response".into(), response.clone());
            }
            Some(Err(error)) => {
                shown.insert("error".into(), error.clone());
            }
            None => {}
        }
        Value::Object(shown)
    }
}

/// A node that could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[{node}] {reason}")]
pub struct NodeError {
    /// Id of the node.
    pub node: NodeId,
    /// What happened.
    pub reason: String,
}

/// The nodes of a cluster, each by its id.
#[async_trait]
pub trait NodeService: Send + Sync {
    /// What a node counts.
    async fn figures(&self, node: &NodeId) -> Result<NodeFigures, NodeError>;

    /// Threads of a node's process, the busiest first.
    async fn hot_threads(&self, node: &NodeId) -> Result<Vec<HotThread>, NodeError>;

    /// Tasks that run on a node.
    async fn tasks(&self, node: &NodeId) -> Result<Vec<TaskView>, NodeError>;

    /// A task of a node; `None`: it is not known there.
    ///
    /// * `wait`: at most so long for its end.
    async fn task(
        &self,
        node: &NodeId,
        id: u64,
        wait: Option<Duration>,
    ) -> Result<Option<TaskView>, NodeError>;

    /// Asks tasks of a node to stop; gives those that are known there.
    async fn cancel(&self, node: &NodeId, ids: Vec<u64>) -> Result<Vec<TaskView>, NodeError>;

    /// Changes the requests per second of a task; `None`: it is not known there.
    async fn set_rate(
        &self,
        node: &NodeId,
        id: u64,
        rate: f32,
    ) -> Result<Option<TaskView>, NodeError>;
}
