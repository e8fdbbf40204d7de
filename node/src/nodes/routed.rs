//! The nodes of a cluster: this one at once, others over gRPC.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use quidditch_proto::data::v1::Envelope;
use quidditch_proto::node::v1 as proto;
use quidditch_proto::node::v1::nodes_client::NodesClient;
use tonic::transport::Channel;
use tonic::{Response, Status};

use super::{HotThread, LocalNode, NodeError, NodeFigures, NodeService, TaskView};
use crate::cluster::NodeId;
use crate::data::channels::Channels;
use crate::data::remote::envelope;
use crate::master::Masters;
use crate::wire::nodes::read_tasks;
use crate::wire::tree;

/// A node that does not tell about itself by then is left out.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The nodes of a cluster.
pub struct RoutedNodes {
    own: Arc<LocalNode>,
    masters: Arc<dyn Masters>,
    channels: Arc<Channels>,
}

impl RoutedNodes {
    /// * `own`: this node.
    pub fn new(
        own: Arc<LocalNode>,
        masters: Arc<dyn Masters>,
        channels: Arc<Channels>,
    ) -> RoutedNodes {
        RoutedNodes {
            own,
            masters,
            channels,
        }
    }

    fn is_own(&self, node: &NodeId) -> bool {
        *node == self.own.info().id
    }

    /// Asks another node.
    async fn ask<T, F>(
        &self,
        node: &NodeId,
        limit: Duration,
        call: impl FnOnce(NodesClient<Channel>, Envelope) -> F,
    ) -> Result<T, NodeError>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let failed = |reason: String| NodeError {
            node: node.clone(),
            reason,
        };
        let state = self.masters.state();
        let Some(info) = state.nodes.get(node) else {
            return Err(failed("the node is not in the cluster".to_owned()));
        };
        let channel = self.channels.to(&info.transport_address);
        let channel = channel.map_err(|status| failed(status.message().to_owned()))?;
        let answer = call(NodesClient::new(channel), envelope(&state, node));
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(reply)) => Ok(reply.into_inner()),
            Ok(Err(status)) => Err(failed(status.message().to_owned())),
            Err(_) => Err(failed(format!("no answer in {} s", limit.as_secs()))),
        }
    }

    fn tasks_of(node: &NodeId, reply: proto::TasksReply) -> Result<Vec<TaskView>, NodeError> {
        read_tasks(reply).map_err(|error| NodeError {
            node: node.clone(),
            reason: error.to_string(),
        })
    }
}

#[async_trait]
impl NodeService for RoutedNodes {
    async fn figures(&self, node: &NodeId) -> Result<NodeFigures, NodeError> {
        if self.is_own(node) {
            return Ok(self.own.figures());
        }
        let call = |mut client: NodesClient<Channel>, envelope| async move {
            let envelope = Some(envelope);
            client.figures(proto::NodeRequest { envelope }).await
        };
        let reply = self.ask(node, TIMEOUT, call).await?;
        tree::decode("node figures", &reply.figures_cbor).map_err(|error| NodeError {
            node: node.clone(),
            reason: error.to_string(),
        })
    }

    async fn hot_threads(&self, node: &NodeId) -> Result<Vec<HotThread>, NodeError> {
        if self.is_own(node) {
            return Ok(self.own.hot_threads());
        }
        let call = |mut client: NodesClient<Channel>, envelope| async move {
            let envelope = Some(envelope);
            client.hot_threads(proto::NodeRequest { envelope }).await
        };
        let reply = self.ask(node, TIMEOUT, call).await?;
        Ok(reply.threads.into_iter().map(Into::into).collect())
    }

    async fn tasks(&self, node: &NodeId) -> Result<Vec<TaskView>, NodeError> {
        if self.is_own(node) {
            return Ok(self.own.tasks());
        }
        let call = |mut client: NodesClient<Channel>, envelope| async move {
            let envelope = Some(envelope);
            client.tasks(proto::NodeRequest { envelope }).await
        };
        Self::tasks_of(node, self.ask(node, TIMEOUT, call).await?)
    }

    async fn task(
        &self,
        node: &NodeId,
        id: u64,
        wait: Option<Duration>,
    ) -> Result<Option<TaskView>, NodeError> {
        if self.is_own(node) {
            return Ok(self.own.task(id, wait).await);
        }
        let wait = wait.unwrap_or_default();
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let call = |mut client: NodesClient<Channel>, envelope| async move {
            let request = proto::TaskRequest {
                envelope: Some(envelope),
                id,
                wait_ms,
            };
            client.task(request).await
        };
        let limit = TIMEOUT.saturating_add(wait);
        Ok(Self::tasks_of(node, self.ask(node, limit, call).await?)?.pop())
    }

    async fn cancel(&self, node: &NodeId, ids: Vec<u64>) -> Result<Vec<TaskView>, NodeError> {
        if self.is_own(node) {
            return Ok(self.own.cancel(&ids));
        }
        let call = |mut client: NodesClient<Channel>, envelope| async move {
            let envelope = Some(envelope);
            let request = proto::CancelTasksRequest { envelope, ids };
            client.cancel_tasks(request).await
        };
        Self::tasks_of(node, self.ask(node, TIMEOUT, call).await?)
    }

    async fn set_rate(
        &self,
        node: &NodeId,
        id: u64,
        rate: f32,
    ) -> Result<Option<TaskView>, NodeError> {
        if self.is_own(node) {
            return Ok(self.own.set_rate(id, rate));
        }
        let call = |mut client: NodesClient<Channel>, envelope| async move {
            let envelope = Some(envelope);
            let request = proto::SetTaskRateRequest { envelope, id, rate };
            client.set_task_rate(request).await
        };
        Ok(Self::tasks_of(node, self.ask(node, TIMEOUT, call).await?)?.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterState;
    use crate::config::Config;
    use crate::coordination::tasks::Tasks;
    use crate::data::grpc::{Identity, serve};
    use crate::data::testing::TestMasters;
    use crate::master::testing::node;
    use crate::nodes::{LocalNodeParts, NodeServer};
    use crate::sys::clock::SystemClock;
    use serde_json::json;
    use tokio::net::TcpListener;
    use tokio::sync::watch;

    fn local(name: &str, masters: &Arc<TestMasters>) -> (Arc<LocalNode>, Arc<Tasks>) {
        let clock = Arc::new(SystemClock::new());
        let tasks = Arc::new(Tasks::new(name.to_owned(), clock.clone()));
        let own = LocalNode::new(LocalNodeParts {
            config: Arc::new(Config::default()),
            info: node(name),
            clock,
            masters: masters.clone(),
            tasks: tasks.clone(),
            pools: None,
            connections: None,
            in_flight: None,
            router: None,
        });
        (own, tasks)
    }

    #[tokio::test]
    async fn another_node_tells_of_itself_and_its_tasks_are_stopped() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut state = ClusterState::empty("c", "u", NodeId("a".to_owned()));
        let mut other = node("b");
        other.transport_address = listener.local_addr().unwrap().to_string();
        state.nodes.insert(other.id.clone(), other);
        let masters = Arc::new(TestMasters(watch::Sender::new(Arc::new(state))));
        let (there, tasks) = local("b", &masters);
        let id = NodeId("b".to_owned());
        let identity = Identity {
            node: id.clone(),
            masters: masters.clone(),
        };
        let mut routes = tonic::service::Routes::builder();
        NodeServer::new(identity, there).add_to(&mut routes);
        let (_stop, stopped) = watch::channel(false);
        tokio::spawn(serve(listener, routes.routes(), stopped));
        let (here, _) = local("a", &masters);
        let nodes = RoutedNodes::new(here, masters, Channels::new());

        let figures = nodes.figures(&id).await.unwrap();
        assert!(figures.process.resident > 0 && figures.processors > 0);
        assert!(!nodes.hot_threads(&id).await.unwrap().is_empty());

        let task = tasks.begin("indices:data/write/reindex", "all".to_owned(), 5.0);
        task.set_status(json!({"created": 3}));
        let seen = nodes.tasks(&id).await.unwrap();
        assert_eq!((seen[0].id, seen[0].is_cancelled), (task.id, false));
        assert_eq!(seen[0].describe(&id)["status"]["created"], 3);
        nodes.set_rate(&id, task.id, f32::INFINITY).await.unwrap();
        assert_eq!(task.rate(), f32::INFINITY);
        let cancelled = nodes.cancel(&id, vec![task.id, 99]).await.unwrap();
        assert_eq!(cancelled.len(), 1);
        assert!(cancelled[0].is_cancelled && task.is_cancelled());
        let wait = Some(Duration::from_secs(30));
        let (ended, ()) = tokio::join!(nodes.task(&id, task.id, wait), async {
            tasks.end(&task, Ok(json!({"total": 7})), true);
        });
        let report = ended.unwrap().unwrap().report(&id);
        assert_eq!(
            (&report["completed"], &report["response"]["total"]),
            (&json!(true), &json!(7))
        );
        assert_eq!(nodes.task(&id, 99, None).await.unwrap(), None);
        let gone = NodeId("gone".to_owned());
        assert!(nodes.figures(&gone).await.is_err());
    }
}
