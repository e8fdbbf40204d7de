//! How the words between copies travel: gRPC, one call a question.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use prost::Message;
use quidditch_proto::replication::v1 as proto;
use quidditch_proto::replication::v1::replication_client::ReplicationClient;
use quidditch_proto::replication::v1::replication_server::{Replication, ReplicationServer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::peers::{
    CatchUp, CopyId, FinishRecovery, Finished, OpenShipment, OperationBatch, PeerError, Peers,
    Progress, ReadFile, RecoveryPlan, Replicate, Shipment, StartRecovery,
};
use crate::cluster::NodeId;
use crate::data::channels::{Channels, MESSAGE_BYTES_MAX};
use crate::data::local::LocalShards;
use crate::master::Masters;

/// Longest wait for an answer. What may take longer has a limit of its own.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The other nodes, over gRPC.
pub struct GrpcPeers {
    /// Knows where nodes are.
    pub masters: Arc<dyn Masters>,
    /// Connections to them.
    pub channels: Arc<Channels>,
}

/// The service of a node that holds shards, to be mounted on its gRPC server.
pub fn service(shards: Arc<LocalShards>) -> ReplicationServer<Served> {
    ReplicationServer::new(Served(shards))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// What answers.
pub struct Served(Arc<LocalShards>);

fn copy_to(copy: CopyId) -> Option<proto::Copy> {
    Some(proto::Copy {
        index_uuid: copy.index_uuid,
        shard: copy.shard,
        allocation_id: copy.allocation_id,
    })
}

fn copy_from(copy: Option<proto::Copy>) -> Result<CopyId, PeerError> {
    let copy = copy.ok_or_else(|| lacks("the copy that is asked"))?;
    Ok(CopyId {
        index_uuid: copy.index_uuid,
        shard: copy.shard,
        allocation_id: copy.allocation_id,
    })
}

fn lacks(what: &str) -> PeerError {
    PeerError::Failed(format!("the message lacks {what}"))
}

fn tree_to<T: Serialize>(tree: &T) -> Result<Vec<u8>, PeerError> {
    serde_json::to_vec(tree).map_err(|error| PeerError::Failed(error.to_string()))
}

fn tree_from<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, PeerError> {
    serde_json::from_slice(bytes)
        .map_err(|error| PeerError::Failed(format!("the message cannot be read: {error}")))
}

fn progress_to(progress: Progress) -> proto::Progress {
    proto::Progress {
        persisted: progress.persisted,
        searchable: progress.searchable,
    }
}

fn progress_from(progress: proto::Progress) -> Progress {
    Progress {
        persisted: progress.persisted,
        searchable: progress.searchable,
    }
}

fn refusal_to(error: PeerError) -> proto::Refusal {
    use proto::refusal::Kind;
    let reason = error.to_string();
    let (kind, reason, primary_term) = match error {
        PeerError::NoCopy(what) => (Kind::NoCopy, what, 0),
        PeerError::StaleTerm { known } => (Kind::StaleTerm, reason, known),
        PeerError::NoSession => (Kind::NoSession, reason, 0),
        PeerError::NotYet(what) => (Kind::NotYet, what, 0),
        PeerError::Failed(what) => (Kind::Failed, what, 0),
        PeerError::Unreachable(_) => (Kind::Failed, reason, 0),
    };
    proto::Refusal {
        kind: kind.into(),
        reason,
        primary_term,
    }
}

fn refusal_from(refusal: proto::Refusal) -> PeerError {
    use proto::refusal::Kind;
    match refusal.kind() {
        Kind::NoCopy => PeerError::NoCopy(refusal.reason),
        Kind::StaleTerm => PeerError::StaleTerm {
            known: refusal.primary_term,
        },
        Kind::NoSession => PeerError::NoSession,
        Kind::NotYet => PeerError::NotYet(refusal.reason),
        Kind::Failed => PeerError::Failed(refusal.reason),
    }
}

/// An answer of any call: what was asked for, or a refusal.
macro_rules! outcome {
    ($reply:expr, $($taken:pat => $value:expr),+ $(,)?) => {
        match $reply.outcome {
            $(Some($taken) => $value,)+
            None => Err(lacks("an outcome")),
        }
    };
}

impl GrpcPeers {
    fn client(&self, node: &NodeId) -> Result<ReplicationClient<Channel>, PeerError> {
        let state = self.masters.state();
        let info = state.nodes.get(node);
        let info = info.ok_or_else(|| {
            PeerError::Unreachable(format!("the node [{node}] is not in the cluster"))
        })?;
        let channel = self.channels.to(&info.transport_address);
        let channel = channel.map_err(unreachable)?;
        Ok(ReplicationClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }
}

fn unreachable(status: Status) -> PeerError {
    PeerError::Unreachable(format!("{}: {}", status.code(), status.message()))
}

fn within<T: Message>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(ANSWER_WITHIN);
    request
}

#[async_trait]
impl Peers for GrpcPeers {
    async fn replicate(&self, node: &NodeId, ask: Replicate) -> Result<Progress, PeerError> {
        use proto::progress_reply::Outcome;
        let request = within(proto::ReplicateRequest {
            to: copy_to(ask.to),
            primary_term: ask.primary_term,
            global_checkpoint: ask.global_checkpoint,
            operations: ask.operations.into_iter().map(Vec::from).collect(),
            sync: ask.sync,
        });
        let reply = self.client(node)?.replicate(request).await;
        outcome!(reply.map_err(unreachable)?.into_inner(),
            Outcome::Progress(progress) => Ok(progress_from(progress)),
            Outcome::Refusal(refusal) => Err(refusal_from(refusal)),
        )
    }

    async fn catch_up(&self, node: &NodeId, ask: CatchUp) -> Result<Progress, PeerError> {
        use proto::progress_reply::Outcome;
        let request = within(proto::CatchUpRequest {
            to: copy_to(ask.to),
            primary_term: ask.primary_term,
            global_checkpoint: ask.global_checkpoint,
            generation: ask.generation,
        });
        let reply = self.client(node)?.catch_up(request).await;
        outcome!(reply.map_err(unreachable)?.into_inner(),
            Outcome::Progress(progress) => Ok(progress_from(progress)),
            Outcome::Refusal(refusal) => Err(refusal_from(refusal)),
        )
    }

    async fn start_recovery(
        &self,
        node: &NodeId,
        ask: StartRecovery,
    ) -> Result<RecoveryPlan, PeerError> {
        use proto::start_recovery_reply::Outcome;
        let request = within(proto::StartRecoveryRequest {
            to: copy_to(ask.to),
            target: ask.target,
            node: ask.node.0,
            state_version: ask.state_version,
            history_uuid: ask.history_uuid,
        });
        let reply = self.client(node)?.start_recovery(request).await;
        outcome!(reply.map_err(unreachable)?.into_inner(),
            Outcome::StartOver(proto::StartOver {}) => Ok(RecoveryPlan::StartOver),
            Outcome::Copy(plan) => Ok(RecoveryPlan::Copy {
                session: plan.session,
                global_checkpoint: plan.global_checkpoint,
                list: Box::new(tree_from(&plan.list_json)?),
            }),
            Outcome::Refusal(refusal) => Err(refusal_from(refusal)),
        )
    }

    async fn open_shipment(&self, node: &NodeId, ask: OpenShipment) -> Result<Shipment, PeerError> {
        use proto::open_shipment_reply::Outcome;
        let shown = |(primary_term, generation)| proto::Shown {
            primary_term,
            generation,
        };
        let request = within(proto::OpenShipmentRequest {
            to: copy_to(ask.to),
            primary_term: ask.primary_term,
            has: ask.has.map(shown),
        });
        let reply = self.client(node)?.open_shipment(request).await;
        outcome!(reply.map_err(unreachable)?.into_inner(),
            Outcome::Same(proto::Same {}) => Ok(Shipment::Same),
            Outcome::Shipment(shipment) => Ok(Shipment::List {
                session: shipment.session,
                list: Box::new(tree_from(&shipment.list_json)?),
            }),
            Outcome::Refusal(refusal) => Err(refusal_from(refusal)),
        )
    }

    async fn read_file(&self, node: &NodeId, ask: ReadFile) -> Result<Bytes, PeerError> {
        use proto::read_file_reply::Outcome;
        let request = within(proto::ReadFileRequest {
            session: ask.session,
            file_json: tree_to(&ask.file)?,
            offset: ask.offset,
            len: ask.len,
        });
        let reply = self.client(node)?.read_file(request).await;
        outcome!(reply.map_err(unreachable)?.into_inner(),
            Outcome::Bytes(bytes) => Ok(bytes.into()),
            Outcome::Refusal(refusal) => Err(refusal_from(refusal)),
        )
    }

    async fn next_operations(
        &self,
        node: &NodeId,
        session: u64,
    ) -> Result<OperationBatch, PeerError> {
        use proto::operations_reply::Outcome;
        let request = within(proto::SessionRequest { session });
        let reply = self.client(node)?.next_operations(request).await;
        outcome!(reply.map_err(unreachable)?.into_inner(),
            Outcome::Operations(batch) => Ok(OperationBatch {
                operations: batch.operations.into_iter().map(Bytes::from).collect(),
                is_last: batch.is_last,
                global_checkpoint: batch.global_checkpoint,
            }),
            Outcome::Refusal(refusal) => Err(refusal_from(refusal)),
        )
    }

    async fn finish_recovery(
        &self,
        node: &NodeId,
        ask: FinishRecovery,
    ) -> Result<Finished, PeerError> {
        use proto::finish_recovery_reply::Outcome;
        let request = within(proto::FinishRecoveryRequest {
            session: ask.session,
            progress: Some(progress_to(ask.progress)),
        });
        let reply = self.client(node)?.finish_recovery(request).await;
        outcome!(reply.map_err(unreachable)?.into_inner(),
            Outcome::Finished(proto::Finished { in_sync: true }) => Ok(Finished::InSync),
            Outcome::Finished(proto::Finished { in_sync: false }) => Ok(Finished::NotYet),
            Outcome::Refusal(refusal) => Err(refusal_from(refusal)),
        )
    }

    async fn close_session(&self, node: &NodeId, session: u64) -> Result<(), PeerError> {
        let request = within(proto::SessionRequest { session });
        let closed = self.client(node)?.close_session(request).await;
        closed.map(|_| ()).map_err(unreachable)
    }
}

impl Served {
    async fn replicated(&self, ask: proto::ReplicateRequest) -> Result<Progress, PeerError> {
        let ask = Replicate {
            to: copy_from(ask.to)?,
            primary_term: ask.primary_term,
            global_checkpoint: ask.global_checkpoint,
            operations: ask.operations.into_iter().map(Bytes::from).collect(),
            sync: ask.sync,
        };
        // A caller that gives up must not leave it half done.
        let shards = self.0.clone();
        let done = tokio::spawn(async move { shards.on_replicate(ask).await }).await;
        done.map_err(|error| PeerError::Failed(error.to_string()))?
    }

    async fn caught_up(&self, ask: proto::CatchUpRequest) -> Result<Progress, PeerError> {
        let ask = CatchUp {
            to: copy_from(ask.to)?,
            primary_term: ask.primary_term,
            global_checkpoint: ask.global_checkpoint,
            generation: ask.generation,
        };
        self.0.on_catch_up(ask).await
    }

    async fn started(
        &self,
        ask: proto::StartRecoveryRequest,
    ) -> Result<proto::start_recovery_reply::Outcome, PeerError> {
        use proto::start_recovery_reply::Outcome;
        let ask = StartRecovery {
            to: copy_from(ask.to)?,
            target: ask.target,
            node: NodeId(ask.node),
            state_version: ask.state_version,
            history_uuid: ask.history_uuid,
        };
        Ok(match self.0.on_start_recovery(ask).await? {
            RecoveryPlan::StartOver => Outcome::StartOver(proto::StartOver {}),
            RecoveryPlan::Copy {
                session,
                global_checkpoint,
                list,
            } => Outcome::Copy(proto::CopyPlan {
                session,
                global_checkpoint,
                list_json: tree_to(&list)?,
            }),
        })
    }

    async fn shipped(
        &self,
        ask: proto::OpenShipmentRequest,
    ) -> Result<proto::open_shipment_reply::Outcome, PeerError> {
        use proto::open_shipment_reply::Outcome;
        let ask = OpenShipment {
            to: copy_from(ask.to)?,
            primary_term: ask.primary_term,
            has: ask.has.map(|has| (has.primary_term, has.generation)),
        };
        Ok(match self.0.on_open_shipment(ask).await? {
            Shipment::Same => Outcome::Same(proto::Same {}),
            Shipment::List { session, list } => Outcome::Shipment(proto::Shipment {
                session,
                list_json: tree_to(&list)?,
            }),
        })
    }

    async fn file_read(&self, ask: proto::ReadFileRequest) -> Result<Bytes, PeerError> {
        let ask = ReadFile {
            session: ask.session,
            file: tree_from(&ask.file_json)?,
            offset: ask.offset,
            len: ask.len,
        };
        self.0.on_read_file(ask).await
    }

    async fn finished(&self, ask: proto::FinishRecoveryRequest) -> Result<Finished, PeerError> {
        let ask = FinishRecovery {
            session: ask.session,
            progress: progress_from(ask.progress.ok_or_else(|| lacks("the progress"))?),
        };
        self.0.on_finish_recovery(ask).await
    }
}

#[async_trait]
impl Replication for Served {
    async fn replicate(
        &self,
        request: Request<proto::ReplicateRequest>,
    ) -> Result<Response<proto::ProgressReply>, Status> {
        let done = self.replicated(request.into_inner()).await;
        Ok(Response::new(progress_reply(done)))
    }

    async fn catch_up(
        &self,
        request: Request<proto::CatchUpRequest>,
    ) -> Result<Response<proto::ProgressReply>, Status> {
        let done = self.caught_up(request.into_inner()).await;
        Ok(Response::new(progress_reply(done)))
    }

    async fn start_recovery(
        &self,
        request: Request<proto::StartRecoveryRequest>,
    ) -> Result<Response<proto::StartRecoveryReply>, Status> {
        use proto::start_recovery_reply::Outcome;
        let done = self.started(request.into_inner()).await;
        let outcome = done.unwrap_or_else(|error| Outcome::Refusal(refusal_to(error)));
        Ok(Response::new(proto::StartRecoveryReply {
            outcome: Some(outcome),
        }))
    }

    async fn open_shipment(
        &self,
        request: Request<proto::OpenShipmentRequest>,
    ) -> Result<Response<proto::OpenShipmentReply>, Status> {
        use proto::open_shipment_reply::Outcome;
        let done = self.shipped(request.into_inner()).await;
        let outcome = done.unwrap_or_else(|error| Outcome::Refusal(refusal_to(error)));
        Ok(Response::new(proto::OpenShipmentReply {
            outcome: Some(outcome),
        }))
    }

    async fn read_file(
        &self,
        request: Request<proto::ReadFileRequest>,
    ) -> Result<Response<proto::ReadFileReply>, Status> {
        use proto::read_file_reply::Outcome;
        let outcome = match self.file_read(request.into_inner()).await {
            Ok(bytes) => Outcome::Bytes(bytes.into()),
            Err(error) => Outcome::Refusal(refusal_to(error)),
        };
        Ok(Response::new(proto::ReadFileReply {
            outcome: Some(outcome),
        }))
    }

    async fn next_operations(
        &self,
        request: Request<proto::SessionRequest>,
    ) -> Result<Response<proto::OperationsReply>, Status> {
        use proto::operations_reply::Outcome;
        let session = request.into_inner().session;
        let outcome = match self.0.on_next_operations(session).await {
            Ok(batch) => Outcome::Operations(proto::Operations {
                operations: batch.operations.into_iter().map(Vec::from).collect(),
                is_last: batch.is_last,
                global_checkpoint: batch.global_checkpoint,
            }),
            Err(error) => Outcome::Refusal(refusal_to(error)),
        };
        Ok(Response::new(proto::OperationsReply {
            outcome: Some(outcome),
        }))
    }

    async fn finish_recovery(
        &self,
        request: Request<proto::FinishRecoveryRequest>,
    ) -> Result<Response<proto::FinishRecoveryReply>, Status> {
        use proto::finish_recovery_reply::Outcome;
        let outcome = match self.finished(request.into_inner()).await {
            Ok(finished) => Outcome::Finished(proto::Finished {
                in_sync: finished == Finished::InSync,
            }),
            Err(error) => Outcome::Refusal(refusal_to(error)),
        };
        Ok(Response::new(proto::FinishRecoveryReply {
            outcome: Some(outcome),
        }))
    }

    async fn close_session(
        &self,
        request: Request<proto::SessionRequest>,
    ) -> Result<Response<proto::CloseSessionReply>, Status> {
        self.0.on_close_session(request.into_inner().session);
        Ok(Response::new(proto::CloseSessionReply {}))
    }
}

fn progress_reply(done: Result<Progress, PeerError>) -> proto::ProgressReply {
    use proto::progress_reply::Outcome;
    let outcome = match done {
        Ok(progress) => Outcome::Progress(progress_to(progress)),
        Err(error) => Outcome::Refusal(refusal_to(error)),
    };
    proto::ProgressReply {
        outcome: Some(outcome),
    }
}
