//! The masters as the nodes see them: commands are decided one after the other and never forgotten, but an answer can be
//! lost, a change of leader takes a while, and a node learns of a state late.
//!
//! That three of them agree is raft's part, and tested with it (`master/raft`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use quidditch_node::cluster::error::StateError;
use quidditch_node::cluster::{ClusterState, NodeId, NodeInfo};
use quidditch_node::master::{Command, CommandError, Ids, Masters, StateApplier, apply, decide};
use quidditch_node::sys::signal::Signal;
use quidditch_tools::torture::random::Random;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::net::MASTERS;
use crate::world::World;

/// A node that was not heard of for so long is taken for dead; a promise to it is over sooner.
const SILENCE: Duration = Duration::from_millis(3_300);
/// How long the masters' promise to a node holds, from when it asked.
const LEASE: Duration = Duration::from_secs(3);
const HEARTBEAT: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(200);

/// Ids that follow from the seed.
struct SeededIds(Random);

impl Ids for SeededIds {
    fn next_uuid(&mut self) -> String {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let letter = |_| LETTERS[self.0.below(32) as usize] as char;
        (0..22).map(letter).collect()
    }
}

/// The group.
pub struct SimMasters {
    core: Mutex<Core>,
    states: Mutex<Arc<ClusterState>>,
    published: Signal,
}

struct Core {
    state: ClusterState,
    ids: SeededIds,
    heard: BTreeMap<NodeId, Instant>,
    /// No leader before this.
    leader_from: Instant,
    /// Every primary term of every shard, and the copy that reigned.
    reigns: BTreeMap<(String, usize, u64), String>,
}

impl SimMasters {
    pub fn new(seed: u64) -> SimMasters {
        let state = ClusterState::empty("sim", "sim-cluster-uuid", NodeId(MASTERS.to_owned()));
        SimMasters {
            states: Mutex::new(Arc::new(state.clone())),
            published: Signal::default(),
            core: Mutex::new(Core {
                state,
                ids: SeededIds(Random::new(seed, 2)),
                heard: BTreeMap::new(),
                leader_from: Instant::now(),
                reigns: BTreeMap::new(),
            }),
        }
    }

    pub fn state(&self) -> Arc<ClusterState> {
        self.states.lock().clone()
    }

    /// The leader dies; another one is found after a while, which believes nobody to be dead at first.
    pub fn lose_leader(&self, away: Duration) {
        let mut core = self.core.lock();
        core.leader_from = Instant::now() + away;
        let from = core.leader_from;
        for heard in core.heard.values_mut() {
            *heard = from;
        }
    }

    /// Decides and applies.
    pub fn run(&self, command: Command, now_ms: i64) -> Result<Arc<ClusterState>, CommandError> {
        let mut core = self.core.lock();
        if Instant::now() < core.leader_from {
            return Err(unavailable("no cluster manager"));
        }
        let Core { state, ids, .. } = &mut *core;
        tracing::debug!(?command, "decides");
        let events = decide(state, command, now_ms, ids)?;
        if events.is_empty() {
            return Ok(self.state());
        }
        let mut next = state.clone();
        for event in &events {
            next = apply(next, event);
        }
        next.version += 1;
        next.state_uuid = ids.next_uuid();
        for (name, index) in &next.indices {
            let before = core.state.index(name).map(|index| &index.primary_terms);
            if before.is_some_and(|before| *before != index.primary_terms) {
                tracing::info!(terms = ?index.primary_terms, version = next.version, "new reigns");
            }
        }
        core.state = next;
        core.check_reigns();
        let state = Arc::new(core.state.clone());
        *self.states.lock() = state.clone();
        self.published.raise();
        Ok(state)
    }

    /// Notes a sign of life. `true`: a promise, to a node that has carried out the state in which it joined.
    fn hear(&self, info: &NodeInfo, applied: u64) -> bool {
        let mut core = self.core.lock();
        if Instant::now() < core.leader_from {
            return false;
        }
        core.heard.insert(info.id.clone(), Instant::now());
        let known = core.state.nodes.get(&info.id);
        let joined = core.state.joined.get(&info.id);
        known.is_some_and(|known| known.ephemeral_id == info.ephemeral_id)
            && joined.is_some_and(|joined| *joined <= applied)
    }

    /// Finds dead nodes, and lets delays pass, for ever.
    pub async fn watch_nodes(self: Arc<Self>, now_ms: Arc<dyn Fn() -> i64 + Send + Sync>) {
        let mut since_reroute = 0;
        loop {
            tokio::time::sleep(TICK).await;
            let dead = {
                let core = self.core.lock();
                let now = Instant::now();
                if now < core.leader_from {
                    continue;
                }
                let silent = |id: &NodeId| {
                    let heard = core.heard.get(id);
                    heard.is_none_or(|heard| now.duration_since(*heard) > SILENCE)
                };
                let nodes = core.state.nodes.values();
                let dead = nodes.filter(|node| silent(&node.id));
                dead.map(|node| (node.id.clone(), node.ephemeral_id.clone()))
                    .collect::<Vec<_>>()
            };
            if !dead.is_empty() {
                let left = Command::NodesLeft {
                    nodes: dead,
                    reason: "silent".to_owned(),
                };
                self.run(left, now_ms()).expect("nodes may leave");
            }
            since_reroute += 1;
            if since_reroute % 5 == 0 {
                let reroute = Command::Reroute {
                    reason: "time".to_owned(),
                };
                // Refused only while there is no leader.
                let _ = self.run(reroute, now_ms());
            }
        }
    }
}

impl Core {
    /// No two copies of a shard are primary in one term, and no term comes twice.
    fn check_reigns(&mut self) {
        for (name, index) in &self.state.indices {
            for (shard, term) in index.primary_terms.iter().enumerate() {
                let primary = self.state.routing.primary(name, shard as u32);
                let Some(id) = primary.and_then(|copy| copy.allocation_id.clone()) else {
                    continue;
                };
                if index.started.contains(&(shard as u32)) {
                    let key = (index.uuid.clone(), shard, *term);
                    let before = self.reigns.entry(key).or_insert_with(|| id.clone());
                    assert_eq!(
                        *before, id,
                        "two primaries of [{name}][{shard}] in term {term}"
                    );
                }
            }
        }
    }
}

fn unavailable(reason: &str) -> CommandError {
    StateError::new(503, "cluster_manager_not_discovered_exception", reason)
}

/// The masters, as one life of one node reaches them.
pub struct NodeMasters {
    pub world: Arc<World>,
    pub own: NodeId,
    pub life: u64,
    pub states: watch::Sender<Arc<ClusterState>>,
    pub leased_until: Mutex<Instant>,
    /// Version of the state that is carried out.
    pub applied: AtomicU64,
}

#[async_trait]
impl Masters for NodeMasters {
    async fn submit_within(
        &self,
        command: Command,
        _wait: Option<Duration>,
    ) -> Result<Arc<ClusterState>, CommandError> {
        if !self.world.lives(&self.own, self.life) {
            std::future::pending::<()>().await;
        }
        let now_ms = self.world.now_ms();
        let work = async { self.world.masters.run(command, now_ms) };
        match self.world.net.call(&self.own.0, MASTERS, work).await {
            Ok(done) => done,
            Err(_) => Err(unavailable("no answer")),
        }
    }

    fn state(&self) -> Arc<ClusterState> {
        self.states.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.states.subscribe()
    }
}

impl NodeMasters {
    /// Whether the masters have promised not to replace this node's primaries.
    pub fn is_leased(&self) -> bool {
        Instant::now() < *self.leased_until.lock()
    }

    /// Signs of life, as long as the node lives.
    pub async fn heartbeats(self: Arc<Self>, info: NodeInfo) {
        while self.world.lives(&self.own, self.life) {
            let sent = Instant::now();
            let applied = self.applied.load(Ordering::Relaxed);
            let work = async { self.world.masters.hear(&info, applied) };
            if self.world.net.call(&self.own.0, MASTERS, work).await == Ok(true) {
                let mut until = self.leased_until.lock();
                *until = (*until).max(sent + LEASE);
            }
            let known = self.world.masters.state();
            let is_in = known
                .nodes
                .get(&self.own)
                .is_some_and(|node| node.ephemeral_id == info.ephemeral_id);
            if !is_in {
                // Taken for dead, or new.
                let _ = self.submit(Command::JoinNode(info.clone())).await;
            }
            tokio::time::sleep(HEARTBEAT).await;
        }
    }

    /// Follows the states, late and not each of them, as long as the node lives.
    pub async fn follow(self: Arc<Self>, applier: Arc<dyn StateApplier>) {
        while self.world.lives(&self.own, self.life) {
            let newest = self.world.masters.state();
            if newest.version > self.states.borrow().version {
                let came = self.world.net.call(MASTERS, &self.own.0, async {}).await;
                if came.is_ok() {
                    self.states.send_replace(newest.clone());
                    let applied = applier.apply(&newest).await;
                    self.applied.store(newest.version, Ordering::Relaxed);
                    if !applied.reports.is_empty() {
                        let own = self.clone();
                        tokio::spawn(async move {
                            // What is not heard is said again when the next state is applied.
                            let _ = own.submit(Command::ReportShards(applied.reports)).await;
                        });
                    }
                }
                continue;
            }
            let known = newest.version;
            let masters = &self.world.masters;
            let newer = masters.published.until(|| masters.state().version > known);
            let _ = tokio::time::timeout(HEARTBEAT, newer).await;
        }
    }
}
