//! Shards that failed, and what the user is told.

use quidditch_engine::search::SearchError;
use serde_json::{Value, json};

use super::rest::RestError;
use super::route::Route;
use crate::cluster::NodeId;
use crate::data::search::ShardSearchError;

/// A shard that did not answer.
#[derive(Clone, Debug)]
pub struct ShardFailure {
    /// Name of the index.
    pub index: String,
    /// Number of the shard.
    pub shard: u32,
    /// The node whose copy was asked last; `None`: this one.
    pub node: Option<NodeId>,
    /// Why.
    pub error: RestError,
}

impl ShardFailure {
    /// Makes it from what the shard said.
    pub fn new(route: &Route, error: ShardSearchError) -> ShardFailure {
        let (node, error) = error.split();
        ShardFailure {
            node,
            index: route.target.index.clone(),
            shard: route.target.shard,
            error: describe(route, error),
        }
    }

    /// Whether it is this shard.
    pub fn is_of(&self, route: &Route) -> bool {
        self.index == route.target.index && self.shard == route.target.shard
    }

    /// Whether it is this shard, which had no room for the request and may have some later.
    pub fn is_busy(&self, route: &Route) -> bool {
        self.is_of(route) && self.error.kind == "rejected_execution_exception"
    }

    /// * `node`: this one.
    fn json(&self, node: &str, trace: bool) -> Value {
        let is_nowhere = self.error.kind == "no_shard_available_action_exception";
        let node = match &self.node {
            Some(node) => Some(node.0.as_str()),
            // nobody was asked
            None => (!is_nowhere).then_some(node),
        };
        json!({"shard": self.shard, "index": self.index, "node": node, "reason": self.error.cause_json(trace)})
    }
}

/// The error of one shard in the REST envelope.
pub fn describe(route: &Route, error: ShardSearchError) -> RestError {
    match error {
        ShardSearchError::Search(error) => {
            let of_index = matches!(&error, SearchError::Refused { kind, .. } if kind == "query_shard_exception");
            let rest = RestError::from(error);
            if of_index {
                return rest
                    .with("index", route.index.name.as_str())
                    .with("index_uuid", route.index.uuid.as_str());
            }
            rest
        }
        ShardSearchError::NoShard { .. } => RestError::new(
            503,
            "no_shard_available_action_exception",
            "No shard available",
        )
        .with("index", route.target.index.as_str())
        .with("shard", route.target.shard.to_string()),
        ShardSearchError::ContextMissing { id } => context_missing(id.id),
        ShardSearchError::Rejected(reason) => {
            RestError::new(429, "rejected_execution_exception", reason)
        }
        ShardSearchError::Unreachable { .. } => {
            RestError::new(503, "node_disconnected_exception", error.to_string())
        }
        ShardSearchError::On { error, .. } => describe(route, *error),
    }
}

/// 404: a scroll or point in time that is over, or never was.
pub fn context_missing(id: u64) -> RestError {
    RestError::new(
        404,
        "search_context_missing_exception",
        format!("No search context found for id [{id}]"),
    )
}

/// One failure for each index and reason: many shards fail alike.
fn grouped(failures: &[ShardFailure]) -> Vec<&ShardFailure> {
    let mut kept: Vec<&ShardFailure> = Vec::new();
    for failure in failures {
        let alike = |other: &&ShardFailure| {
            other.index == failure.index
                && other.error.kind == failure.error.kind
                && other.error.reason == failure.error.reason
        };
        if !kept.iter().any(alike) {
            kept.push(failure);
        }
    }
    kept
}

/// The list under `_shards.failures`.
pub fn failures_json(failures: &[ShardFailure], node: &str) -> Vec<Value> {
    grouped(failures)
        .iter()
        .map(|failure| failure.json(node, false))
        .collect()
}

/// `search_phase_execution_exception`: a phase that failed as a whole.
pub fn phase_failed(phase: &str, reason: &str, failures: &[ShardFailure], node: &str) -> RestError {
    let groups = grouped(failures);
    let mut status = failures.first().map_or(503, |failure| failure.error.status);
    for failure in failures {
        if failure.error.status >= 500 {
            status = failure.error.status;
        }
    }
    let mut error = RestError::new(status, "search_phase_execution_exception", reason)
        .with("phase", phase)
        .with("grouped", true)
        .with(
            "failed_shards",
            groups
                .iter()
                .map(|failure| failure.json(node, false))
                .collect::<Vec<Value>>(),
        );
    let mut roots: Vec<RestError> = Vec::new();
    for group in &groups {
        let root = root_of(&group.error);
        if !roots
            .iter()
            .any(|known| known.kind == root.kind && known.reason == root.reason)
        {
            roots.push(root);
        }
    }
    if let Some(first) = groups.first().map(|group| &group.error)
        && wraps_as_cause(&first.kind)
    {
        let inner = RestError {
            root_cause: Vec::new(),
            ..first.clone()
        };
        error = error.with_cause(RestError {
            caused_by: Some(Box::new(inner.clone())),
            ..inner
        });
    }
    error.with_root_causes(roots)
}

/// A search that failed in the coordinator: while it merged what shards answered.
pub fn reduce_failed(cause: RestError) -> RestError {
    RestError::new(cause.status, "search_phase_execution_exception", "")
        .with("phase", "fetch")
        .with("grouped", true)
        .with("failed_shards", Vec::<Value>::new())
        .with_cause(cause)
}

fn root_of(error: &RestError) -> RestError {
    RestError {
        caused_by: None,
        root_cause: Vec::new(),
        ..error.clone()
    }
}

/// Errors that are not OpenSearch's own are shown once more as the cause of the whole.
fn wraps_as_cause(kind: &str) -> bool {
    matches!(
        kind,
        "illegal_argument_exception"
            | "number_format_exception"
            | "illegal_state_exception"
            | "exception"
    )
}
