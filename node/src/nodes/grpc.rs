//! This node for others: a gRPC server that every role has.

use std::sync::Arc;
use std::time::Duration;

use quidditch_proto::node::v1 as proto;
use quidditch_proto::node::v1::nodes_server::{Nodes, NodesServer};
use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};

use super::LocalNode;
use crate::data::grpc::Identity;
use crate::wire::nodes::tasks_reply;
use crate::wire::tree;

/// This node, for others.
pub struct NodeServer {
    identity: Identity,
    node: Arc<LocalNode>,
}

impl NodeServer {
    /// Answers for this node.
    pub fn new(identity: Identity, node: Arc<LocalNode>) -> NodeServer {
        NodeServer { identity, node }
    }

    /// Adds its service to those of a server.
    pub fn add_to(self, routes: &mut RoutesBuilder) {
        routes.add_service(NodesServer::new(self));
    }
}

#[tonic::async_trait]
impl Nodes for NodeServer {
    async fn figures(
        &self,
        request: Request<proto::NodeRequest>,
    ) -> Result<Response<proto::FiguresReply>, Status> {
        self.identity.check(request.get_ref().envelope.as_ref())?;
        let figures_cbor = tree::encode("node figures", &self.node.figures())
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(proto::FiguresReply { figures_cbor }))
    }

    async fn hot_threads(
        &self,
        request: Request<proto::NodeRequest>,
    ) -> Result<Response<proto::HotThreadsReply>, Status> {
        self.identity.check(request.get_ref().envelope.as_ref())?;
        let threads = self.node.hot_threads().into_iter().map(Into::into);
        Ok(Response::new(proto::HotThreadsReply {
            threads: threads.collect(),
        }))
    }

    async fn tasks(
        &self,
        request: Request<proto::NodeRequest>,
    ) -> Result<Response<proto::TasksReply>, Status> {
        self.identity.check(request.get_ref().envelope.as_ref())?;
        tasks_reply(self.node.tasks())
    }

    async fn task(
        &self,
        request: Request<proto::TaskRequest>,
    ) -> Result<Response<proto::TasksReply>, Status> {
        let request = request.get_ref();
        self.identity.check(request.envelope.as_ref())?;
        let wait = Some(Duration::from_millis(request.wait_ms)).filter(|wait| !wait.is_zero());
        tasks_reply(self.node.task(request.id, wait).await)
    }

    async fn cancel_tasks(
        &self,
        request: Request<proto::CancelTasksRequest>,
    ) -> Result<Response<proto::TasksReply>, Status> {
        let request = request.get_ref();
        self.identity.check(request.envelope.as_ref())?;
        tasks_reply(self.node.cancel(&request.ids))
    }

    async fn set_task_rate(
        &self,
        request: Request<proto::SetTaskRateRequest>,
    ) -> Result<Response<proto::TasksReply>, Status> {
        let request = request.get_ref();
        self.identity.check(request.envelope.as_ref())?;
        tasks_reply(self.node.set_rate(request.id, request.rate))
    }
}
