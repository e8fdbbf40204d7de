//! Several data nodes in one test process, over loopback.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use quidditch_engine::search::MemoryAccount;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tonic::service::Routes;

use super::channels::Channels;
use super::contexts::Contexts;
use super::grpc::{DataServer, Identity, serve};
use super::local::LocalShards;
use super::local_search::LocalSearch;
use super::pool::Pools;
use super::router::{Router, RouterParts};
use super::search::SearchService;
use super::service::{RefreshPolicy, ShardService, ShardTarget, VersionRule, WriteOp};
use crate::cluster::{ClusterState, NodeId, NodeInfo, ShardState};
use crate::coordination::searcher::Searcher;
use crate::data::routed::{RoutedSearch, RoutedShards};
use crate::master::testing::{Cluster, node};
use crate::master::{Command, CommandError, CreateIndex, Masters, StateApplier};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::folders::FsFolders;

/// Masters that show what the test says.
pub(crate) struct TestMasters(pub watch::Sender<Arc<ClusterState>>);

#[async_trait]
impl Masters for TestMasters {
    async fn submit_within(
        &self,
        command: Command,
        _wait: Option<Duration>,
    ) -> Result<Arc<ClusterState>, CommandError> {
        panic!("the test decides: {command:?}")
    }

    fn state(&self) -> Arc<ClusterState> {
        self.0.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.0.subscribe()
    }
}

/// A data node: its shards, and the server for the others.
pub(crate) struct TestNode {
    pub info: NodeInfo,
    pub shards: Arc<LocalShards>,
    pub search: Arc<LocalSearch>,
    /// Its server runs apart, so that it can be cut off whole.
    server: Mutex<Option<Runtime>>,
    _stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.kill();
    }
}

impl TestNode {
    /// Serves on a free port.
    pub async fn start(name: &str, masters: Arc<dyn Masters>) -> TestNode {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("indices")).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let id = NodeId(name.to_owned());
        let contexts = Arc::new(Contexts::new(id.clone(), 7, clock.clone()));
        let pools = Arc::new(Pools::new(2, &Arc::default()).unwrap());
        let shards = LocalShards::new(
            Arc::new(FsFolders::new(folder.path().to_owned())),
            name.to_owned(),
            clock,
            contexts.clone(),
            pools.clone(),
        );
        let memory = Arc::new(MemoryAccount::new(1 << 30));
        let search = LocalSearch::new(shards.clone(), contexts, memory, 1 << 30, pools);
        let search = Arc::new(search);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let info = NodeInfo {
            transport_address: listener.local_addr().unwrap().to_string(),
            ..node(name)
        };
        let mut routes = Routes::builder();
        let identity = Identity { node: id, masters };
        DataServer::new(identity, shards.clone(), search.clone()).add_to(&mut routes);
        let (stop, stopped) = watch::channel(false);
        let server = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listener = listener.into_std().unwrap();
        server.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            serve(listener, routes.routes(), stopped).await.unwrap();
        });
        TestNode {
            info,
            shards,
            search,
            server: Mutex::new(Some(server)),
            _stop: stop,
            _folder: folder,
        }
    }

    /// Cuts all its connections, as if its machine had lost its power.
    pub fn kill(&self) {
        if let Some(server) = self.server.lock().take() {
            server.shutdown_background();
        }
    }
}

/// Nodes `a`, `b`, … and a state that the test makes.
pub(crate) struct TestCluster {
    pub masters: Arc<TestMasters>,
    pub nodes: Vec<TestNode>,
}

impl TestCluster {
    /// An index of so many shards on so many nodes; shard `n` is on node `n % nodes`, on the others too if `everywhere`: those
    /// are primaries of their own, which hold what the test puts there.
    pub async fn start(count: usize, shards: u32, mapping: &str, everywhere: bool) -> TestCluster {
        let mut cluster = Cluster::new();
        cluster
            .run(Command::CreateIndex(CreateIndex {
                name: "hats".to_owned(),
                settings: BTreeMap::from([(
                    "index.number_of_shards".to_owned(),
                    shards.to_string(),
                )]),
                mapping: serde_json::from_str(mapping).unwrap(),
                ..CreateIndex::default()
            }))
            .unwrap();
        let mut state = cluster.state;
        let masters = Arc::new(TestMasters(watch::Sender::new(Arc::new(state.clone()))));
        let mut nodes = Vec::new();
        for name in ["a", "b", "c"].into_iter().take(count) {
            nodes.push(TestNode::start(name, masters.clone()).await);
        }
        state.nodes = nodes
            .iter()
            .map(|node| (node.info.id.clone(), node.info.clone()))
            .collect();
        let mut last = None;
        for (at, node) in nodes.iter().enumerate() {
            // the node is told that it has the only copy; the router sees all of them
            let mut own = state.clone();
            for (shard, copies) in table(&mut own).iter_mut().enumerate() {
                copies[0].node = match everywhere || shard % count == at {
                    true => Some(node.info.id.clone()),
                    false => Some(NodeId("elsewhere".to_owned())),
                };
                copies[0].state = ShardState::Initializing;
                copies[0].allocation_id = Some(format!("copy{shard}"));
            }
            let applied = node.shards.apply(&Arc::new(own.clone())).await;
            for report in &applied.reports {
                assert_eq!(report.failure, None);
            }
            last = Some(own);
        }
        let mut state = last.unwrap();
        for (shard, copies) in table(&mut state).iter_mut().enumerate() {
            let home = shard % count;
            let mut copy = copies.remove(0);
            copies.clear();
            copy.state = ShardState::Started;
            copy.unassigned = None;
            for (at, node) in nodes.iter().enumerate() {
                copy.primary = at == home;
                copy.node = Some(node.info.id.clone());
                if everywhere || at == home {
                    copies.push(copy.clone());
                }
            }
        }
        masters.0.send_replace(Arc::new(state));
        TestCluster { masters, nodes }
    }

    /// Changes what everybody sees.
    pub fn change(&self, change: impl FnOnce(&mut ClusterState)) {
        let mut state = (*self.masters.state()).clone();
        change(&mut state);
        state.version += 1;
        self.masters.0.send_replace(Arc::new(state));
    }

    pub fn target(&self, shard: u32) -> ShardTarget {
        ShardTarget {
            index: "hats".to_owned(),
            index_uuid: self.masters.state().index("hats").unwrap().uuid.clone(),
            shard,
        }
    }

    /// The shards as a node sees them that has none of them, or as one of the nodes does.
    pub fn router(&self, at: Option<usize>) -> Arc<Router> {
        let node = at.map(|at| &self.nodes[at]);
        let id = node.map_or("coordinator", |node| &node.info.id.0);
        Router::start(RouterParts {
            node: NodeId(id.to_owned()),
            masters: self.masters.clone(),
            channels: Channels::new(),
            shards: node.map(|node| node.shards.clone() as Arc<dyn ShardService>),
            search: node.map(|node| node.search.clone() as Arc<dyn SearchService>),
        })
    }

    pub fn shards(&self, at: Option<usize>) -> RoutedShards {
        RoutedShards::new(self.router(at))
    }

    pub fn searcher(&self, at: Option<usize>) -> Searcher {
        let router = self.router(at);
        let id = match at {
            Some(at) => self.nodes[at].info.id.0.clone(),
            None => "coordinator".to_owned(),
        };
        Searcher::new(
            self.masters.clone(),
            Arc::new(RoutedSearch::new(router)),
            Arc::new(SystemClock::new()),
            id,
        )
    }
}

fn table(state: &mut ClusterState) -> &mut Vec<Vec<crate::cluster::ShardCopy>> {
    state.routing.shards_of_mut("hats").unwrap()
}

/// A document to store.
pub(crate) fn index(id: impl ToString, source: impl ToString) -> WriteOp {
    WriteOp::Index {
        id: id.to_string(),
        routing: None,
        source: source.to_string().into(),
        version: VersionRule::Any,
        create_only: false,
    }
}

/// Stores documents in a shard of a service.
pub(crate) async fn put(shards: &dyn ShardService, target: &ShardTarget, ops: Vec<WriteOp>) {
    let written = shards.write(target, ops, RefreshPolicy::Immediate).await;
    for result in written.unwrap() {
        result.unwrap();
    }
}
