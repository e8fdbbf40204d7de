//! What data and coordination nodes have in common: they follow the masters and answer other nodes over gRPC.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::service::RoutesBuilder;
use tracing::error;

use super::standing::Standing;
use super::{Base, Fatal};
use crate::cluster::NodeInfo;
use crate::config::Role;
use crate::data::grpc::{self, Identity};
use crate::master::StateApplier;
use crate::master::remote::{RemoteMasters, RemoteParts, UsageSource};
use crate::telemetry::endpoint::HealthCheck;
use crate::telemetry::figures::FigureSources;

/// Exit code of a process that the masters refuse for good (`EX_CONFIG`).
const EXIT_REFUSED: u8 = 78;

/// A node of a cluster that others decide about.
pub(super) struct Member {
    pub masters: Arc<RemoteMasters>,
}

impl Member {
    /// Begins to look for the masters; the state comes when they are found.
    pub(super) fn connect(
        base: &Base,
        node: NodeInfo,
        applier: Arc<dyn StateApplier>,
        usage: UsageSource,
    ) -> Member {
        Member {
            masters: RemoteMasters::connect(RemoteParts {
                addresses: base.config.masters.clone(),
                cluster_name: base.config.cluster_name.clone(),
                node,
                applier,
                usage,
                clock: base.clock.clone(),
            }),
        }
    }

    /// Whom calls of other nodes have to be meant for.
    pub(super) fn identity(&self, base: &Base) -> Identity {
        Identity {
            node: base.id.clone(),
            masters: self.masters.clone(),
        }
    }

    /// Serves what `add` adds, and the standard health check.
    pub(super) fn serve(
        &self,
        listener: TcpListener,
        stop: watch::Receiver<bool>,
        add: impl FnOnce(&mut RoutesBuilder),
    ) -> JoinHandle<()> {
        let standing = Standing::new(self.health());
        let mut routes = tonic::service::Routes::builder();
        routes.add_service(standing.service());
        add(&mut routes);
        tokio::spawn(async move {
            let served = tokio::select! {
                served = grpc::serve(listener, routes.routes(), stop) => served,
                () = standing.tell() => Ok(()),
            };
            if let Err(error) = served {
                error!(%error, "the gRPC server ended");
            }
        })
    }

    /// Well as long as the masters know this node.
    pub(super) fn health(&self) -> HealthCheck {
        let masters = self.masters.clone();
        Arc::new(move || match masters.is_connected() {
            true => Ok(()),
            false => Err("no master that leads has heard of this node lately".to_owned()),
        })
    }

    /// Waits until the masters refuse this node for good, and tells why.
    pub(super) async fn refused(&self) -> anyhow::Error {
        anyhow::Error::new(Fatal {
            code: EXIT_REFUSED,
            reason: self.masters.refused().await,
        })
    }
}

/// Figures of a role that has nothing but the cluster state.
pub(super) fn figures(role: Role, member: &Member) -> FigureSources {
    FigureSources {
        role,
        masters: member.masters.clone(),
        raft: None,
        shards: None,
        pools: None,
        rest: None,
    }
}
