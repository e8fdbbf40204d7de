//! A coordination node: REST over the shards of others.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use tokio::task::JoinHandle;

use super::addresses::{listen, listen_http, publish_host, published};
use super::member::{Member, figures};
use super::parts::{RestParts, Shared, node_info, rest};
use super::{Base, Running};
use crate::cluster::ClusterState;
use crate::config::Role;
use crate::coordination::rest::App;
use crate::data::channels::Channels;
use crate::data::pool::Pools;
use crate::data::routed::{RoutedSearch, RoutedShards};
use crate::data::router::{Router, RouterParts};
use crate::master::{AppliedState, StateApplier};
use crate::nodes::NodeServer;
use crate::server;
use crate::telemetry::endpoint::HealthCheck;
use crate::telemetry::figures::{FigureSources, RestSources};

/// A coordination node that serves.
pub(super) struct Coordination {
    http: SocketAddr,
    grpc: SocketAddr,
    member: Member,
    app: Arc<App>,
    pools: Arc<Pools>,
    server: JoinHandle<()>,
    grpc_server: JoinHandle<()>,
}

/// There are no shards here that could follow.
struct NoShards;

#[async_trait]
impl StateApplier for NoShards {
    async fn apply(&self, _state: &Arc<ClusterState>) -> AppliedState {
        AppliedState::default()
    }
}

pub(super) async fn start(base: Base) -> anyhow::Result<Coordination> {
    let config = &base.config;
    let (http_listener, http) = listen_http(config).await?;
    let (grpc_listener, grpc) = listen(config, config.grpc_port, "grpc.port").await?;
    let host = publish_host(config, &config.masters);
    let transport = published(&config.grpc_publish_address, &host, grpc);
    let identity = node_info(&base, &host, transport, Some(http));
    let member = Member::connect(
        &base,
        identity.clone(),
        Arc::new(NoShards),
        Arc::new(|| None),
    );
    let channels = Channels::new();
    let router = Router::start(RouterParts {
        node: base.id.clone(),
        masters: member.masters.clone(),
        channels: channels.clone(),
        shards: None,
        search: None,
    });
    let shared = Shared::new(&base)?;
    let pools = shared.pools.clone();
    let parts = RestParts {
        node: identity,
        masters: member.masters.clone(),
        shards: Arc::new(RoutedShards::new(router.clone())),
        search: Arc::new(RoutedSearch::new(router.clone())),
        copies: router.clone(),
        router: Some(router),
        channels,
    };
    let (app, own) = rest(&base, shared, parts);
    let server = tokio::spawn(server::serve(http_listener, app.clone(), base.stop.clone()));
    let node_server = NodeServer::new(member.identity(&base), own);
    let grpc_server = member.serve(grpc_listener, base.stop.clone(), |routes| {
        node_server.add_to(routes);
    });
    Ok(Coordination {
        http,
        grpc,
        member,
        app,
        pools,
        server,
        grpc_server,
    })
}

#[async_trait]
impl Running for Coordination {
    fn places(&self) -> Vec<String> {
        vec![
            format!("http://{}", self.http),
            format!("grpc {}", self.grpc),
        ]
    }

    fn figures(&self) -> FigureSources {
        FigureSources {
            pools: Some(self.pools.clone()),
            rest: Some(RestSources {
                connections: self.app.connections.clone(),
                in_flight: self.app.in_flight.clone(),
            }),
            ..figures(Role::Coordination, &self.member)
        }
    }

    fn health(&self) -> HealthCheck {
        self.member.health()
    }

    async fn failed(&self) -> anyhow::Error {
        self.member.refused().await
    }

    async fn close(self: Box<Self>) -> anyhow::Result<()> {
        self.server.await.context("the HTTP server failed")?;
        self.member.masters.close().await;
        self.grpc_server.await.context("the gRPC server failed")?;
        Ok(())
    }
}
