//! Copies of a shard in one test, in made-up time: real shards, replication and recovery; masters that decide at once; a
//! network that does what the test says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use quidditch_engine::shard::ShardOptions;
use tokio::sync::watch;
use tokio::time::Instant;

use super::contexts::Contexts;
use super::failed;
use super::local::{LocalShard, LocalShards};
use super::pool::Pools;
use super::replication::peers::*;
use super::replication::{Cluster, Group};
use super::service::{GetOp, RefreshPolicy, ShardError, ShardService, ShardTarget, WriteOutcome};
use super::testing::index;
use crate::cluster::error::StateError;
use crate::cluster::{ClusterState, NodeId, ShardState};
use crate::master::testing::Cluster as Deciding;
use crate::master::{Command, CommandError, CreateIndex, Masters, StateApplier};
use crate::sys::clock::Clock;
use crate::sys::folders::FsFolders;

/// Time as tokio has it.
#[derive(Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000 + self.monotonic().as_millis() as i64
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Masters that decide at once, unless they refuse everything.
pub(crate) struct TestMasters {
    deciding: Mutex<Deciding>,
    states: watch::Sender<Arc<ClusterState>>,
    refuse: AtomicBool,
}

impl TestMasters {
    /// Whether there is no leader.
    pub fn refuse(&self, refuse: bool) {
        self.refuse.store(refuse, Ordering::SeqCst);
    }

    /// Changes the state as `change` does.
    pub fn decide(&self, change: impl FnOnce(&mut Deciding)) {
        let mut deciding = self.deciding.lock();
        change(&mut deciding);
        deciding.state.version += 1;
        self.states.send_replace(Arc::new(deciding.state.clone()));
    }
}

#[async_trait]
impl Masters for TestMasters {
    async fn submit_within(
        &self,
        command: Command,
        _wait: Option<Duration>,
    ) -> Result<Arc<ClusterState>, CommandError> {
        if self.refuse.load(Ordering::SeqCst) {
            let kind = "cluster_manager_not_discovered_exception";
            return Err(StateError::new(503, kind, "nobody leads"));
        }
        let mut done = Ok(0);
        self.decide(|deciding| done = deciding.run(command));
        done.map(|_| self.state())
    }

    fn state(&self) -> Arc<ClusterState> {
        self.states.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.states.subscribe()
    }
}

/// What becomes of a call to a node, by its name: done, or answered so.
type Fault = Box<dyn Fn(&NodeId, &str) -> Option<PeerError> + Send>;

/// Calls from node to node.
pub(crate) struct TestPeers {
    nodes: Mutex<BTreeMap<NodeId, Arc<LocalShards>>>,
    fault: Mutex<Fault>,
    /// Answers to words on new segments do not come.
    is_held: watch::Sender<bool>,
}

impl TestPeers {
    /// From here on calls fail as `fault` says.
    pub fn fail(&self, fault: impl Fn(&NodeId, &str) -> Option<PeerError> + Send + 'static) {
        *self.fault.lock() = Box::new(fault);
    }

    /// From here on operations do not come to a node.
    pub fn cut(&self, cut: &NodeId) {
        let cut = cut.clone();
        self.fail(move |node, call| (call == "replicate" && *node == cut).then(unreachable));
    }

    /// Whether answers to words on new segments come only later.
    pub fn hold_answers(&self, hold: bool) {
        self.is_held.send_replace(hold);
    }

    /// From here on all calls come through.
    pub fn heal(&self) {
        self.fail(|_, _| None);
    }

    fn ask(&self, node: &NodeId, call: &str) -> Result<Arc<LocalShards>, PeerError> {
        if let Some(error) = (self.fault.lock())(node, call) {
            return Err(error);
        }
        self.nodes.lock().get(node).cloned().ok_or_else(unreachable)
    }
}

pub(crate) fn unreachable() -> PeerError {
    PeerError::Unreachable("the test says so".to_owned())
}

#[async_trait]
impl Peers for TestPeers {
    async fn replicate(&self, node: &NodeId, ask: Replicate) -> Result<Progress, PeerError> {
        // Without operations it asks who reigns, and nothing else.
        let call = match ask.operations.is_empty() {
            true => "ask",
            false => "replicate",
        };
        self.ask(node, call)?.on_replicate(ask).await
    }

    async fn catch_up(&self, node: &NodeId, ask: CatchUp) -> Result<Progress, PeerError> {
        let answer = self.ask(node, "catch_up")?.on_catch_up(ask).await;
        let mut held = self.is_held.subscribe();
        held.wait_for(|held| !held).await.unwrap();
        answer
    }

    async fn start_recovery(
        &self,
        node: &NodeId,
        ask: StartRecovery,
    ) -> Result<RecoveryPlan, PeerError> {
        let shards = self.ask(node, "start_recovery")?;
        shards.on_start_recovery(ask).await
    }

    async fn open_shipment(&self, node: &NodeId, ask: OpenShipment) -> Result<Shipment, PeerError> {
        self.ask(node, "open_shipment")?.on_open_shipment(ask).await
    }

    async fn read_file(&self, node: &NodeId, ask: ReadFile) -> Result<Bytes, PeerError> {
        self.ask(node, "read_file")?.on_read_file(ask).await
    }

    async fn next_operations(
        &self,
        node: &NodeId,
        session: u64,
    ) -> Result<OperationBatch, PeerError> {
        let shards = self.ask(node, "next_operations")?;
        shards.on_next_operations(session).await
    }

    async fn finish_recovery(
        &self,
        node: &NodeId,
        ask: FinishRecovery,
    ) -> Result<Finished, PeerError> {
        let shards = self.ask(node, "finish_recovery")?;
        shards.on_finish_recovery(ask).await
    }

    async fn close_session(&self, node: &NodeId, session: u64) -> Result<(), PeerError> {
        self.ask(node, "close_session")?.on_close_session(session);
        Ok(())
    }
}

/// An index of one shard with copies on several nodes.
pub(crate) struct Copies {
    pub masters: Arc<TestMasters>,
    pub peers: Arc<TestPeers>,
    pub folders: BTreeMap<NodeId, tempfile::TempDir>,
}

impl Copies {
    /// Nodes, and a copy on so many of them as replicas and a primary take. All of them serve.
    pub async fn start(nodes: &[&str], replicas: u32) -> Copies {
        let deciding = Deciding::of(nodes);
        let state = Arc::new(deciding.state.clone());
        let mut copies = Copies {
            masters: Arc::new(TestMasters {
                deciding: Mutex::new(deciding),
                states: watch::Sender::new(state),
                refuse: AtomicBool::new(false),
            }),
            peers: Arc::new(TestPeers {
                nodes: Mutex::default(),
                fault: Mutex::new(Box::new(|_, _| None)),
                is_held: watch::Sender::new(false),
            }),
            folders: BTreeMap::new(),
        };
        for name in nodes {
            let node = NodeId((*name).to_owned());
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("indices")).unwrap();
            copies.folders.insert(node.clone(), folder);
            copies.come_up(&node);
        }
        let create = Command::CreateIndex(CreateIndex {
            name: "hats".to_owned(),
            settings: BTreeMap::from([
                ("index.number_of_shards".to_owned(), "1".to_owned()),
                ("index.number_of_replicas".to_owned(), replicas.to_string()),
            ]),
            mapping: serde_json::json!({"dynamic": false}),
            ..CreateIndex::default()
        });
        copies.masters.submit(create).await.unwrap();
        copies.until_green().await;
        copies
    }

    /// Has a node run, on what its folder has.
    pub fn come_up(&self, node: &NodeId) {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock(Instant::now()));
        let folder = self.folders[node].path().to_owned();
        let shards = LocalShards::with_options(
            Arc::new(FsFolders::new(folder)),
            node.0.clone(),
            clock.clone(),
            Arc::new(Contexts::new(node.clone(), 7, clock)),
            Arc::new(Pools::inline()),
            ShardOptions {
                background_merges: false,
                buffer_count: 1,
                translog_retention_bytes: 0,
                ..ShardOptions::default()
            },
        );
        shards.attach(Cluster {
            masters: self.masters.clone(),
            peers: self.peers.clone(),
            node: node.clone(),
            ephemeral_id: self.masters.state().nodes[node].ephemeral_id.clone(),
            is_leased: Box::new(|| true),
        });
        self.peers.nodes.lock().insert(node.clone(), shards.clone());
        tokio::spawn(failed::look_after(
            Arc::downgrade(&shards),
            self.masters.clone(),
        ));
        let (masters, shards) = (self.masters.clone(), Arc::downgrade(&shards));
        tokio::spawn(async move {
            let mut states = masters.watch();
            loop {
                let state = states.borrow_and_update().clone();
                let Some(shards) = shards.upgrade() else {
                    return;
                };
                let applied = shards.apply(&state).await;
                if !applied.reports.is_empty() {
                    // Said again when the next state is applied.
                    let _ = masters.submit(Command::ReportShards(applied.reports)).await;
                }
                drop(shards);
                if states.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// A node dies, and the masters notice.
    pub async fn die(&self, node: &NodeId) {
        let shards = self.peers.nodes.lock().remove(node);
        self.masters.decide(|deciding| deciding.leave(&node.0));
        if let Some(shards) = shards {
            shards.close().await;
        }
    }

    /// A node that died is there again, with what its folder has.
    pub fn come_back(&self, node: &NodeId) {
        self.masters.decide(|deciding| deciding.join(&node.0));
        self.come_up(node);
    }

    /// What a node has of the shard, by the names of the files.
    pub fn files(&self, node: &NodeId, part: &str) -> Vec<std::path::PathBuf> {
        let uuid = self.target().index_uuid;
        let folder = self.folders[node].path();
        let folder = folder.join("indices").join(uuid).join("0").join(part);
        let files = std::fs::read_dir(folder).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }

    /// Has the primary's segments hold all that it has.
    pub async fn flush(&self) {
        let shards = self.shards(&self.primary());
        shards.refresh(&self.target()).await.unwrap();
        shards.flush(&self.target(), true, true).await.unwrap();
    }

    /// Waits, in made-up time.
    pub async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..12_000 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("in vain: {what}: {:#?}", self.masters.state().routing);
    }

    pub async fn until_green(&self) {
        self.until("all copies serve", || {
            let state = self.masters.state();
            let mut copies = state.routing.all().peekable();
            let serves = |copy: &crate::cluster::ShardCopy| {
                copy.state == ShardState::Started
                    && self
                        .open(copy.node.as_ref().unwrap())
                        .is_some_and(|open| open.is_recovered())
            };
            copies.peek().is_some() && copies.all(|(_, _, copy)| serves(copy))
        })
        .await;
    }

    pub fn target(&self) -> ShardTarget {
        ShardTarget {
            index: "hats".to_owned(),
            index_uuid: self.masters.state().index("hats").unwrap().uuid.clone(),
            shard: 0,
        }
    }

    /// Where the primary is.
    pub fn primary(&self) -> NodeId {
        let state = self.masters.state();
        let copy = state.routing.primary("hats", 0).unwrap();
        copy.node.clone().unwrap()
    }

    /// Where the other copies are.
    pub fn replicas(&self) -> Vec<NodeId> {
        let state = self.masters.state();
        let copies = state.routing.copies("hats", 0).iter();
        let replicas = copies.filter(|copy| !copy.primary);
        replicas.filter_map(|copy| copy.node.clone()).collect()
    }

    /// Which copy the masters have on a node.
    pub fn allocation_id(&self, node: &NodeId) -> Option<String> {
        let state = self.masters.state();
        let mut copies = state.routing.copies("hats", 0).iter();
        let copy = copies.find(|copy| copy.node.as_ref() == Some(node))?;
        copy.allocation_id.clone()
    }

    pub fn shards(&self, node: &NodeId) -> Arc<LocalShards> {
        self.peers.nodes.lock()[node].clone()
    }

    fn open(&self, node: &NodeId) -> Option<Arc<LocalShard>> {
        let shards = self.peers.nodes.lock().get(node).cloned()?;
        shards.shard(&self.target()).ok()
    }

    /// The copy on a node.
    pub fn copy(&self, node: &NodeId) -> Arc<LocalShard> {
        self.open(node).unwrap()
    }

    /// The primary's copy and its book.
    pub fn reigning(&self) -> (Arc<LocalShard>, Arc<Group>) {
        let copy = self.copy(&self.primary());
        let group = copy.role().group().unwrap().clone();
        (copy, group)
    }

    /// Waits until a copy has everything that the primary has.
    pub async fn until_same(&self, node: &NodeId) {
        self.until("the copy has everything", || {
            let (primary, copy) = (self.open(&self.primary()), self.open(node));
            let (Some(primary), Some(copy)) = (primary, copy) else {
                return false;
            };
            copy.shard.local_checkpoint() == primary.shard.max_seq_no()
        })
        .await;
    }

    /// Puts a document.
    pub async fn put(&self, id: &str) -> Result<WriteOutcome, ShardError> {
        self.put_text(id, "{}").await
    }

    pub async fn put_text(&self, id: &str, source: &str) -> Result<WriteOutcome, ShardError> {
        let shards = self.shards(&self.primary());
        let (target, ops) = (self.target(), vec![index(id, source)]);
        let written = shards.write(&target, ops, RefreshPolicy::None).await;
        written?.remove(0)
    }

    /// Whether the primary finds a document.
    pub async fn finds(&self, id: &str) -> Result<bool, ShardError> {
        let op = GetOp {
            id: id.to_owned(),
            realtime: true,
            refresh: false,
            stored_fields: Vec::new(),
        };
        let found = self.shards(&self.primary()).get(&self.target(), op).await?;
        Ok(found.is_some())
    }
}
