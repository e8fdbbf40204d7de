//! A data node: shards, for coordination nodes and for other data nodes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::addresses::{listen, publish_host, published};
use super::member::{Member, figures};
use super::parts::{Shared, Storage, node_info};
use super::{Base, Running};
use crate::cluster::node::NodeUsage;
use crate::cluster::{ClusterState, NodeId};
use crate::config::Role;
use crate::coordination::rest::machine_stats::disk;
use crate::coordination::tasks::Tasks;
use crate::data::channels::Channels;
use crate::data::grpc::DataServer;
use crate::data::local::LocalShards;
use crate::data::pool::Pools;
use crate::data::replication::{Cluster, grpc::GrpcPeers};
use crate::data::search::Purpose;
use crate::data::{failed, replication, scheduler};
use crate::master::remote::UsageSource;
use crate::master::{AppliedState, StateApplier};
use crate::nodes::{LocalNode, LocalNodeParts, NodeServer};
use crate::telemetry::endpoint::HealthCheck;
use crate::telemetry::figures::FigureSources;

/// How often it is counted what the shards take of the disk.
const USAGE_EVERY: Duration = Duration::from_secs(5);

/// A data node that serves.
pub(super) struct Data {
    grpc: SocketAddr,
    member: Member,
    shards: Arc<LocalShards>,
    pools: Arc<Pools>,
    grpc_server: JoinHandle<()>,
    /// Ends what serves others.
    grpc_stop: watch::Sender<bool>,
}

/// Keeps states back until the shards know the cluster that they belong to.
struct WhenAttached {
    shards: Arc<LocalShards>,
    is_attached: watch::Receiver<bool>,
}

#[async_trait]
impl StateApplier for WhenAttached {
    async fn apply(&self, state: &Arc<ClusterState>) -> AppliedState {
        let mut is_attached = self.is_attached.clone();
        // an error means that the start failed, and with it the process
        let _ = is_attached.wait_for(|is_attached| *is_attached).await;
        self.shards.apply(state).await
    }
}

/// Other nodes hear within this time that this one has left.
const HEARD_WITHIN: Duration = Duration::from_millis(200);
/// Hits that were found here are read within this time, or their shard fails.
const READ_WITHIN: Duration = Duration::from_secs(2);
/// How often it is looked whether they are.
const READ_LOOK: Duration = Duration::from_millis(20);

pub(super) async fn start(base: Base) -> anyhow::Result<Data> {
    let config = &base.config;
    let (listener, grpc) = listen(config, config.grpc_port, "grpc.port").await?;
    let host = publish_host(config, &config.masters);
    let transport = published(&config.grpc_publish_address, &host, grpc);
    let shared = Shared::new(&base)?;
    let storage = Storage::open(&base, &shared)?;
    let shards = storage.shards;
    let (attached, is_attached) = watch::channel(false);
    let applier = WhenAttached {
        shards: shards.clone(),
        is_attached,
    };
    let node = node_info(&base, &host, transport, None);
    let member = Member::connect(
        &base,
        node.clone(),
        Arc::new(applier),
        usage(&base, &shards),
    );
    let channels = Channels::new();
    let lease = member.masters.lease().clone();
    shards.attach(Cluster {
        masters: member.masters.clone(),
        peers: Arc::new(GrpcPeers {
            masters: member.masters.clone(),
            channels,
        }),
        node: base.id.clone(),
        ephemeral_id: node.ephemeral_id.clone(),
        is_leased: Box::new(move || lease.is_valid()),
    });
    let _ = attached.send(true);
    scheduler::start(&shards).context("cannot start the threads that look after shards")?;
    let masters = member.masters.clone();
    tokio::spawn(failed::look_after(Arc::downgrade(&shards), masters.clone()));
    let own = LocalNode::new(LocalNodeParts {
        config: base.config.clone(),
        info: node,
        clock: base.clock.clone(),
        masters,
        tasks: Arc::new(Tasks::new(base.id.0.clone(), base.clock.clone())),
        pools: Some(shared.pools.clone()),
        connections: None,
        in_flight: None,
        router: None,
    });
    let identity = member.identity(&base);
    let node_server = NodeServer::new(identity.clone(), own);
    let server = DataServer::new(identity, shards.clone(), storage.search);
    let copies = replication::grpc::service(shards.clone());
    let (grpc_stop, grpc_stopped) = watch::channel(false);
    let grpc_server = member.serve(listener, grpc_stopped, |routes| {
        server.add_to(routes);
        node_server.add_to(routes);
        routes.add_service(copies);
    });
    Ok(Data {
        grpc,
        member,
        shards,
        pools: shared.pools,
        grpc_server,
        grpc_stop,
    })
}

/// What the shards take of the disk, counted now and then: heartbeats must not wait for locks that are held while a disk
/// syncs.
fn usage(base: &Base, shards: &Arc<LocalShards>) -> UsageSource {
    let counted: Arc<Mutex<Option<NodeUsage>>> = Arc::default();
    let (node, data_dir) = (base.id.clone(), base.config.data_dir.clone());
    let (newest, shards) = (counted.clone(), Arc::downgrade(shards));
    tokio::spawn(async move {
        while let Some(shards) = shards.upgrade() {
            let (node, data_dir) = (node.clone(), data_dir.clone());
            let count = move || count(&shards, node, &data_dir);
            if let Ok(usage) = tokio::task::spawn_blocking(count).await {
                *newest.lock() = Some(usage);
            }
            tokio::time::sleep(USAGE_EVERY).await;
        }
    });
    Arc::new(move || counted.lock().clone())
}

fn count(shards: &LocalShards, node: NodeId, data_dir: &std::path::Path) -> NodeUsage {
    let disk = disk(data_dir);
    let mut copies = BTreeMap::new();
    for shard in shards.all() {
        copies.insert(shard.allocation_id.clone(), shard.shard.stats().store_bytes);
    }
    NodeUsage {
        node,
        total_bytes: disk.total,
        free_bytes: disk.available,
        copies,
    }
}

#[async_trait]
impl Running for Data {
    fn places(&self) -> Vec<String> {
        vec![format!("grpc {}", self.grpc)]
    }

    fn figures(&self) -> FigureSources {
        FigureSources {
            shards: Some(self.shards.clone()),
            pools: Some(self.pools.clone()),
            ..figures(Role::Data, &self.member)
        }
    }

    fn health(&self) -> HealthCheck {
        self.member.health()
    }

    async fn failed(&self) -> anyhow::Error {
        self.member.refused().await
    }

    /// The masters give the primaries to other nodes before the shards here are closed. Until everybody has heard of it,
    /// calls come; and searches that have found their hits here read them here.
    async fn close(self: Box<Self>) -> anyhow::Result<()> {
        self.member.masters.close().await;
        tokio::time::sleep(HEARD_WITHIN).await;
        let end = tokio::time::Instant::now() + READ_WITHIN;
        while self.shards.contexts.count(Purpose::Fetch) > 0 && tokio::time::Instant::now() < end {
            tokio::time::sleep(READ_LOOK).await;
        }
        let _ = self.grpc_stop.send(true);
        self.grpc_server.await.context("the gRPC server failed")?;
        self.shards.close().await;
        Ok(())
    }
}
