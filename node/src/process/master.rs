//! A master: one of the group that agrees on the cluster state.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;

use super::addresses::{listen, publish_host, published};
use super::parts::node_info;
use super::{Base, Fatal, Running};
use crate::cluster::NodeInfo;
use crate::config::Role;
use crate::coordination::tasks::Tasks;
use crate::data::grpc::Identity;
use crate::master::Masters;
use crate::master::raft::{EXIT_STORAGE, MoreServices, RaftMaster, RaftMasterParts};
use crate::nodes::{LocalNode, LocalNodeParts, NodeServer};
use crate::telemetry::endpoint::HealthCheck;
use crate::telemetry::figures::{FigureSources, RaftFigures};

/// Where the raft log and the snapshots lie in the data directory.
const FOLDER: &str = "raft";

/// A master that serves.
pub(super) struct Master {
    raft: SocketAddr,
    grpc: SocketAddr,
    master: Arc<RaftMaster>,
}

pub(super) async fn start(base: Base) -> anyhow::Result<Master> {
    let config = &base.config;
    let (raft_listener, raft) = listen(config, config.raft_port, "raft.port").await?;
    let (grpc_listener, grpc) = listen(config, config.grpc_port, "grpc.port").await?;
    let host = publish_host(config, &config.raft_peers);
    let transport = published(&config.grpc_publish_address, &host, grpc);
    let node = node_info(&base, &host, transport, None);
    let master = RaftMaster::open(RaftMasterParts {
        data_dir: config.data_dir.join(FOLDER),
        cluster_name: config.cluster_name.clone(),
        node: node.clone(),
        raft_listener,
        grpc_listener,
        services: own_figures(&base, node),
        raft_address: published(&config.raft_publish_address, &host, raft),
        peers: config.raft_peers.clone(),
        bootstrap: config.bootstrap,
        clock: base.clock.clone(),
    })
    .await?;
    Ok(Master { raft, grpc, master })
}

/// What each node tells about itself.
fn own_figures(base: &Base, info: NodeInfo) -> MoreServices {
    let (config, clock, id) = (base.config.clone(), base.clock.clone(), base.id.clone());
    Box::new(move |masters, routes| {
        let own = LocalNode::new(LocalNodeParts {
            config,
            info,
            clock: clock.clone(),
            masters: masters.clone(),
            tasks: Arc::new(Tasks::new(id.0.clone(), clock)),
            pools: None,
            connections: None,
            in_flight: None,
            router: None,
        });
        let identity = Identity { node: id, masters };
        NodeServer::new(identity, own).add_to(routes);
    })
}

fn raft_figures(master: &RaftMaster) -> RaftFigures {
    let status = master.raft_status();
    RaftFigures {
        term: status.term,
        is_leader: status.is_leader,
        knows_leader: status.leader.is_some(),
        last_index: status.last_log_index.unwrap_or(0),
        committed_index: status.committed.unwrap_or(0),
        applied_index: status.applied.unwrap_or(0),
        snapshot_index: status.snapshot.unwrap_or(0),
        log_bytes: status.log_bytes,
        voters: status.voters as u64,
        learners: status.learners as u64,
    }
}

#[async_trait]
impl Running for Master {
    fn places(&self) -> Vec<String> {
        vec![format!("raft {}", self.raft), format!("grpc {}", self.grpc)]
    }

    fn figures(&self) -> FigureSources {
        let master = self.master.clone();
        FigureSources {
            role: Role::Master,
            masters: self.master.clone(),
            raft: Some(Arc::new(move || raft_figures(&master))),
            shards: None,
            pools: None,
            rest: None,
        }
    }

    fn health(&self) -> HealthCheck {
        let master = self.master.clone();
        Arc::new(move || match master.has_leader() {
            true => Ok(()),
            false => Err(format!(
                "no leader is known; this master is {}",
                master.raft_status().role
            )),
        })
    }

    async fn failed(&self) -> anyhow::Error {
        let reason = self.master.failed().await;
        anyhow::Error::new(Fatal {
            code: EXIT_STORAGE,
            reason,
        })
    }

    async fn close(self: Box<Self>) -> anyhow::Result<()> {
        self.master.close().await;
        Ok(())
    }
}
