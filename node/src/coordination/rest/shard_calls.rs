//! Asking every shard of some indices the same thing, and telling how it went.

use std::future::Future;

use serde_json::{Value, json};

use super::RestError;
use crate::cluster::{ClusterState, IndexState, ResolvedIndex, ShardState};
use crate::data::service::{ShardError, ShardTarget};

/// Shards asked at the same time.
const AT_ONCE: usize = 16;

/// What came of asking shards.
pub struct ShardCalls<T> {
    /// Copies that are configured, with or without a node.
    pub total: u64,
    /// Answers, in the order of the indices and shards.
    pub answers: Vec<(ShardTarget, T)>,
    /// Shards that could not answer.
    pub failures: Vec<(ShardTarget, ShardError)>,
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
            for (target, error) in &self.failures {
                let reason = RestError::from(error.clone());
                failures.push(json!({
                    "shard": target.shard,
                    "index": target.index,
                    "status": reason.kind.to_uppercase(),
                    "reason": reason.cause_json(false),
                }));
            }
            header["failures"] = Value::Array(failures);
        }
        header
    }
}

/// The open shards of some indices that serve here.
pub fn targets(state: &ClusterState, found: &[ResolvedIndex]) -> Vec<ShardTarget> {
    let mut targets = Vec::new();
    for resolved in found {
        let index = &resolved.metadata;
        if index.state != IndexState::Open {
            continue;
        }
        for shard in 0..index.number_of_shards {
            let is_started = state
                .routing
                .primary(&index.name, shard)
                .is_some_and(|copy| copy.state == ShardState::Started);
            if is_started {
                targets.push(ShardTarget {
                    index: index.name.clone(),
                    index_uuid: index.uuid.clone(),
                    shard,
                });
            }
        }
    }
    targets
}

/// Asks every open shard of some indices; a shard that fails does not stop the others.
pub async fn ask_all<T, F, R>(
    state: &ClusterState,
    found: &[ResolvedIndex],
    ask: F,
) -> ShardCalls<T>
where
    F: Fn(ShardTarget) -> R,
    R: Future<Output = Result<T, ShardError>>,
{
    use futures::StreamExt;
    let mut total = 0;
    for resolved in found {
        if resolved.metadata.state == IndexState::Open {
            let index = &resolved.metadata;
            total += u64::from(index.number_of_shards) * (1 + u64::from(index.number_of_replicas));
        }
    }
    let mut calls = ShardCalls {
        total,
        answers: Vec::new(),
        failures: Vec::new(),
    };
    let asked = futures::stream::iter(targets(state, found)).map(|target| {
        let answer = ask(target.clone());
        async move { (target, answer.await) }
    });
    let mut answers = asked.buffered(AT_ONCE);
    while let Some((target, answer)) = answers.next().await {
        match answer {
            Ok(answer) => calls.answers.push((target, answer)),
            Err(error) => calls.failures.push((target, error)),
        }
    }
    calls
}
