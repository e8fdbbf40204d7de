//! Clients that write and read a few documents, and remember what they were told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use quidditch_node::cluster::{ClusterState, NodeId};
use quidditch_node::data::service::{
    GetOp, RefreshPolicy, ShardError, ShardService, ShardTarget, StoredDocument, VersionRule,
    WriteKind, WriteOp, WriteOutcome,
};
use quidditch_tools::torture::history::{Action, Operation, Outcome, Place, Value};
use quidditch_tools::torture::random::Random;

use crate::net::Lost;
use crate::world::World;

/// The index that clients use.
pub const INDEX: &str = "docs";
const DOCUMENTS: u64 = 6;
/// Between two operations of a client, in ms, at most.
const PAUSE_MS: u64 = 400;
/// After an operation that was certainly not done.
const NOT_DONE_PAUSE: Duration = Duration::from_millis(500);

/// What happened to each document.
#[derive(Default)]
pub struct History {
    pub by_id: Mutex<BTreeMap<String, Vec<Operation>>>,
}

/// One client.
pub struct Client {
    pub world: Arc<World>,
    pub number: u32,
    pub random: Random,
    pub history: Arc<History>,
    /// What it has seen of each document: what, and at which place.
    pub seen: BTreeMap<String, (Value, Place)>,
    pub written: u64,
}

impl Client {
    /// Works until it is told to stop.
    pub async fn run(mut self, stop: tokio::sync::watch::Receiver<bool>) {
        while !*stop.borrow() {
            self.step().await;
            let pause = self.random.between(1, PAUSE_MS);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn step(&mut self) {
        let id = format!("doc-{}", self.random.below(DOCUMENTS));
        self.written += 1;
        let value = u64::from(self.number) << 32 | self.written;
        let action = match (self.random.below(10), self.seen.get(&id)) {
            (0..=2, _) => Action::Put(value),
            (3, _) => Action::Create(value),
            (4..=5, Some((expected, _))) => Action::PutIf {
                value,
                expected: *expected,
            },
            (6, _) => Action::Delete,
            _ => Action::Get,
        };
        let called = self.world.now_ns();
        let Some(outcome) = self.act(&id, action).await else {
            tokio::time::sleep(NOT_DONE_PAUSE).await;
            return;
        };
        let returned = self.world.now_ns();
        if let Outcome::Found(value, place) = outcome {
            self.seen.insert(id.clone(), (value, place));
        }
        let operation = Operation {
            client: self.number,
            called,
            returned,
            action,
            outcome,
        };
        let mut by_id = self.history.by_id.lock();
        by_id.entry(id).or_default().push(operation);
    }

    /// `None`: it was certainly not done.
    async fn act(&mut self, id: &str, action: Action) -> Option<Outcome> {
        let op = match action {
            Action::Get => return self.get(id).await,
            Action::Delete => WriteOp::Delete {
                id: id.to_owned(),
                version: VersionRule::Any,
            },
            Action::Put(value) => put(id, value, VersionRule::Any, false),
            Action::Create(value) => put(id, value, VersionRule::Any, true),
            Action::PutIf { value, .. } => {
                let (_, place) = self.seen[id];
                let rule = VersionRule::IfSeqNo {
                    seq_no: place.seq_no as i64,
                    primary_term: place.term,
                };
                put(id, value, rule, false)
            }
        };
        let refresh = match self.random.below(8) {
            0 => RefreshPolicy::Immediate,
            _ => RefreshPolicy::None,
        };
        let (node, target) = self.primary(id)?;
        let shards = self.world.shards(&node)?;
        let work = async move { shards.write(&target, vec![op], refresh).await };
        let done = match self.ask(&node, work).await? {
            Some(done) => done.and_then(|mut outcomes| outcomes.swap_remove(0)),
            None => return Some(Outcome::Unknown),
        };
        match done {
            Ok(outcome) => Some(told(&outcome)),
            Err(ShardError::VersionConflict { .. }) => Some(Outcome::Conflict),
            Err(ShardError::NotFound { .. } | ShardError::NotPrimary { .. }) => None,
            Err(_) => Some(Outcome::Unknown),
        }
    }

    async fn get(&mut self, id: &str) -> Option<Outcome> {
        let (node, target) = self.primary(id)?;
        let shards = self.world.shards(&node)?;
        let op = GetOp {
            id: id.to_owned(),
            realtime: true,
            refresh: false,
            stored_fields: Vec::new(),
        };
        let work = async move { shards.get(&target, op).await };
        match self.ask(&node, work).await?? {
            Ok(Some(found)) => Some(Outcome::Found(value_of(&found), place_of(&found))),
            Ok(None) => Some(Outcome::Missing),
            Err(_) => None,
        }
    }

    /// The answer; `Some(None)`: none came; `None`: the question did not arrive.
    async fn ask<T: Send + 'static>(
        &self,
        node: &NodeId,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<Option<T>> {
        let own = format!("client-{}", self.number);
        let work = async { tokio::spawn(work).await };
        match self.world.net.call(&own, &node.0, work).await {
            Ok(Ok(answer)) => Some(Some(answer)),
            Ok(Err(_)) | Err(Lost::Answer) => Some(None),
            Err(Lost::Question) => None,
        }
    }

    /// Where the primary is, by what some node knows: it may be old.
    fn primary(&mut self, id: &str) -> Option<(NodeId, ShardTarget)> {
        let nodes = self.world.node_ids();
        let asked = self.random.pick(&nodes)?;
        let state = self.world.view(asked)?;
        primary_of(&state, id)
    }
}

/// The node and shard of a document.
pub fn primary_of(state: &ClusterState, id: &str) -> Option<(NodeId, ShardTarget)> {
    let index = state.index(INDEX)?;
    let shard = index.shard_of(id, None);
    let primary = state.routing.primary(INDEX, shard)?;
    let target = ShardTarget {
        index: INDEX.to_owned(),
        index_uuid: index.uuid.clone(),
        shard,
    };
    Some((primary.node.clone()?, target))
}

fn put(id: &str, value: Value, version: VersionRule, create_only: bool) -> WriteOp {
    WriteOp::Index {
        id: id.to_owned(),
        routing: None,
        source: format!("{{\"value\":{value}}}").into(),
        version,
        create_only,
    }
}

fn told(outcome: &WriteOutcome) -> Outcome {
    let place = Place {
        term: outcome.primary_term,
        seq_no: outcome.seq_no as u64,
    };
    match outcome.result {
        WriteKind::Created => Outcome::Created(place),
        WriteKind::Updated => Outcome::Updated(place),
        WriteKind::Deleted => Outcome::Deleted(place),
        WriteKind::NotFound => Outcome::NotFound,
        WriteKind::Noop => Outcome::Unknown,
    }
}

/// What a document stores.
pub fn value_of(found: &StoredDocument) -> Value {
    let source: serde_json::Value = serde_json::from_slice(&found.source).expect("JSON");
    source["value"].as_u64().expect("a value")
}

fn place_of(found: &StoredDocument) -> Place {
    Place {
        term: found.primary_term,
        seq_no: found.seq_no as u64,
    }
}
