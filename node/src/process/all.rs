//! All roles in one process: one master that asks nobody, and shards that are reached by a call.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use quidditch_engine::directory::fs::FsDirectory;
use tokio::task::JoinHandle;

use super::addresses::{join, listen_http};
use super::parts::{RestParts, Shared, Storage, node_info, rest};
use super::{Base, Running};
use crate::cluster::ClusterState;
use crate::config::Role;
use crate::coordination::rest::App;
use crate::data::channels::Channels;
use crate::data::local::LocalShards;
use crate::data::routed::LoneCopies;
use crate::data::{failed, scheduler};
use crate::master::{MasterParts, Masters, SingleMaster};
use crate::server;
use crate::telemetry::endpoint::HealthCheck;
use crate::telemetry::figures::{FigureSources, RestSources};

/// The whole of it, opened and serving.
pub(super) struct All {
    address: SocketAddr,
    app: Arc<App>,
    shards: Arc<LocalShards>,
    masters: Arc<SingleMaster>,
    server: JoinHandle<()>,
}

pub(super) async fn start(base: Base) -> anyhow::Result<All> {
    let (listener, address) = listen_http(&base.config).await?;
    let shared = Shared::new(&base)?;
    let storage = Storage::open(&base, &shared)?;
    let shards = storage.shards;
    let host = publish_host(&base, address.ip());
    let identity = node_info(&base, &host, join(&host, 9300), Some(address));
    let state_dir = base.config.data_dir.join("state");
    let clock = base.clock.clone();
    let masters = SingleMaster::open(MasterParts {
        directory: Arc::new(
            FsDirectory::open(&state_dir).with_context(|| state_dir.display().to_string())?,
        ),
        cluster_name: base.config.cluster_name.clone(),
        node: identity.clone(),
        applier: shards.clone(),
        now_ms: Arc::new(move || clock.now_ms()),
    })
    .await?;
    scheduler::start(&shards).context("cannot start the threads that look after shards")?;
    tokio::spawn(failed::look_after(Arc::downgrade(&shards), masters.clone()));
    let parts = RestParts {
        node: identity,
        masters: masters.clone(),
        shards: shards.clone(),
        search: storage.search,
        copies: Arc::new(LoneCopies(shards.clone())),
        router: None,
        channels: Channels::new(),
    };
    let (app, _) = rest(&base, shared, parts);
    let server = tokio::spawn(server::serve(listener, app.clone(), base.stop.clone()));
    Ok(All {
        address,
        app,
        shards,
        masters,
        server,
    })
}

/// The host that clients are told.
fn publish_host(base: &Base, listened: IpAddr) -> String {
    match base.config.publish_host() {
        Some(host) if !base.config.publish_host.is_empty() => host,
        _ if listened.is_unspecified() => "127.0.0.1".to_owned(),
        _ => listened.to_string(),
    }
}

/// The master of this process leads when it has taken its own node in.
fn leader_is_known(state: &ClusterState) -> Result<(), String> {
    match state.nodes.contains_key(&state.master) {
        true => Ok(()),
        false => Err("no leader is known: this node is not part of its own cluster; the log says why it could not join".to_owned()),
    }
}

#[async_trait]
impl Running for All {
    fn places(&self) -> Vec<String> {
        vec![format!("http://{}", self.address)]
    }

    fn figures(&self) -> FigureSources {
        FigureSources {
            role: Role::All,
            masters: self.masters.clone(),
            raft: None,
            shards: Some(self.shards.clone()),
            pools: Some(self.shards.pools.clone()),
            rest: Some(RestSources {
                connections: self.app.connections.clone(),
                in_flight: self.app.in_flight.clone(),
            }),
        }
    }

    fn health(&self) -> HealthCheck {
        let masters = self.masters.clone();
        Arc::new(move || {
            leader_is_known(&masters.state())?;
            match masters.failure() {
                None => Ok(()),
                Some(reason) => Err(format!(
                    "the cluster state cannot be written until a restart: {reason}"
                )),
            }
        })
    }

    async fn close(self: Box<Self>) -> anyhow::Result<()> {
        self.server.await.context("the HTTP server failed")?;
        self.masters.close().await;
        self.shards.close().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::testing::node;

    #[test]
    fn a_leader_is_known_when_its_node_is_in_the_state() {
        let node = node("a");
        let mut state = ClusterState::empty("shop", "uuid", node.id.clone());
        let why = leader_is_known(&state).unwrap_err();
        assert!(why.contains("no leader is known"), "{why}");
        state.nodes.insert(node.id.clone(), node);
        assert_eq!(leader_is_known(&state), Ok(()));
    }
}
