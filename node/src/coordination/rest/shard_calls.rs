//! Asking every copy of the shards of some indices the same thing, and telling how it went.

use std::future::Future;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{App, RestError};
use crate::cluster::{ClusterState, IndexState, NodeId, NodeInfo, ResolvedIndex, ShardCopy};
use crate::data::service::{ShardError, ShardService, ShardStats, ShardTarget};

/// Copies asked at the same time.
const AT_ONCE: usize = 16;

/// A copy that was asked.
#[derive(Clone, Debug)]
pub struct AskedCopy {
    /// Its shard.
    pub target: ShardTarget,
    /// The copy, as the state shows it.
    pub copy: ShardCopy,
}

impl AskedCopy {
    /// The node that has it.
    pub fn node<'a>(&self, state: &'a ClusterState) -> Option<&'a NodeInfo> {
        state.nodes.get(self.copy.node.as_ref()?)
    }

    /// Id of that node.
    pub fn node_id(&self) -> Option<&NodeId> {
        self.copy.node.as_ref()
    }
}

/// Which copies of each shard are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All that serve.
    Serving,
    /// The primaries that serve.
    Primaries,
    /// All that have a node, whether they serve yet or not.
    Assigned,
}

impl Which {
    fn takes(self, copy: &ShardCopy) -> bool {
        match self {
            Which::Serving => copy.state.is_active(),
            Which::Primaries => copy.primary && copy.state.is_active(),
            Which::Assigned => copy.node.is_some(),
        }
    }
}

/// What came of asking shards.
pub struct ShardCalls<T> {
    /// Copies that are configured, with or without a node.
    pub total: u64,
    /// Answers, in the order of the indices, shards and copies.
    pub answers: Vec<(AskedCopy, T)>,
    /// Copies that could not answer.
    pub failures: Vec<(AskedCopy, ShardError)>,
}

impl<T> ShardCalls<T> {
    /// `{"total", "successful", "failed"}` with the failures, as every such answer has it.
    pub fn header(&self) -> Value {
        let mut header = json!({
            "total": self.total,
            "successful": self.answers.len(),
            "failed": self.failures.len(),
        });
        if !self.failures.is_empty() {
            let mut failures = Vec::new();
            for (asked, error) in &self.failures {
                let reason = RestError::from(error.clone());
                failures.push(json!({
                    "shard": asked.target.shard,
                    "index": asked.target.index,
                    "status": reason.kind.to_uppercase(),
                    "reason": reason.cause_json(false),
                }));
            }
            header["failures"] = Value::Array(failures);
        }
        header
    }
}

/// The copies of the open shards of some indices.
fn copies(state: &ClusterState, found: &[ResolvedIndex], which: Which) -> Vec<AskedCopy> {
    let mut asked = Vec::new();
    for resolved in found {
        let index = &resolved.metadata;
        if index.state != IndexState::Open {
            continue;
        }
        for shard in 0..index.number_of_shards {
            let copies = state.routing.copies(&index.name, shard).iter();
            for copy in copies.filter(|copy| which.takes(copy)) {
                asked.push(AskedCopy {
                    target: ShardTarget {
                        index: index.name.clone(),
                        index_uuid: index.uuid.clone(),
                        shard,
                    },
                    copy: copy.clone(),
                });
            }
        }
    }
    asked
}

/// Asks copies of every open shard of some indices; one that fails does not stop the others.
pub async fn ask_all<T, F, R>(
    app: &App,
    state: &ClusterState,
    found: &[ResolvedIndex],
    which: Which,
    ask: F,
) -> ShardCalls<T>
where
    F: Fn(Arc<dyn ShardService>, ShardTarget) -> R,
    R: Future<Output = Result<T, ShardError>>,
{
    use futures::StreamExt;
    let mut total = 0;
    for resolved in found {
        if resolved.metadata.state == IndexState::Open {
            let index = &resolved.metadata;
            let copies = match which {
                Which::Primaries => 1,
                _ => 1 + u64::from(index.number_of_replicas),
            };
            total += u64::from(index.number_of_shards) * copies;
        }
    }
    let mut calls = ShardCalls {
        total,
        answers: Vec::new(),
        failures: Vec::new(),
    };
    let asked = futures::stream::iter(copies(state, found, which)).map(|asked| {
        let answer = app
            .copies
            .at(&asked.target, &asked.copy)
            .map(|shards| ask(shards, asked.target.clone()));
        async move {
            match answer {
                Ok(answer) => (asked, answer.await),
                Err(error) => (asked, Err(error)),
            }
        }
    });
    let mut answers = asked.buffered(AT_ONCE);
    while let Some((asked, answer)) = answers.next().await {
        match answer {
            Ok(answer) => calls.answers.push((asked, answer)),
            Err(error) => calls.failures.push((asked, error)),
        }
    }
    calls
}

/// The counters of copies.
pub async fn stats_of(
    app: &App,
    state: &ClusterState,
    found: &[ResolvedIndex],
    which: Which,
) -> ShardCalls<ShardStats> {
    let stats = |shards: Arc<dyn ShardService>, target| async move { shards.stats(&target).await };
    ask_all(app, state, found, which, stats).await
}
