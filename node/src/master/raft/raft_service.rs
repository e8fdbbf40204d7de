//! What this member answers to the others.

use std::sync::Arc;

use bytes::BytesMut;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest,
};
use quidditch_proto::raft as proto;
use quidditch_proto::raft::append_entries_response::Outcome;
use quidditch_proto::raft::join_response;
use quidditch_proto::raft::raft_server::{Raft as RaftApi, RaftServer};
use quidditch_proto::raft::snapshot_part::Part;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use super::members::MembershipError;
use super::types::{Snapshot, TypeConfig};
use super::{HOPS_MAX, RaftMaster};
use crate::master::links::MESSAGE_BYTES_MAX;
use crate::wire::raft::{
    Malformed, entry_from, log_id_from, log_id_to, node_from, node_to, snapshot_meta_from,
    vote_from, vote_to,
};

/// Longest snapshot that is taken, in bytes.
const SNAPSHOT_BYTES_MAX: u64 = 4 << 30;

/// Answers until the master stops.
pub(super) async fn serve(master: Arc<RaftMaster>, listener: TcpListener) {
    let service = RaftServer::new(Service(master.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let served = Server::builder()
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, master.stopped())
        .await;
    if let Err(error) = served {
        master.fail(format!("raft cannot be reached any more: {error}"));
    }
}

struct Service(Arc<RaftMaster>);

fn malformed(error: Malformed) -> Status {
    Status::invalid_argument(error.0)
}

/// What raft itself could not do: its disk failed, or it is stopping.
fn unable(error: impl std::fmt::Display) -> Status {
    Status::unavailable(error.to_string())
}

impl Service {
    /// Refuses what is meant for the member that had this address before, or that is at another one.
    fn check_target(&self, target: u64) -> Result<(), Status> {
        match target == self.0.raft_id {
            true => Ok(()),
            false => Err(Status::failed_precondition(format!(
                "member {target} is not here; this is member {}",
                self.0.raft_id
            ))),
        }
    }

    fn vote_request(
        &self,
        request: Request<proto::VoteRequest>,
    ) -> Result<VoteRequest<TypeConfig>, Status> {
        let request = request.into_inner();
        self.check_target(request.target)?;
        // a leader that has another one follow it counts on nobody any more
        if !request.leadership_transfer && Instant::now() < self.0.votes_from {
            return Err(Status::unavailable(
                "this master was started a moment ago, and does not vote yet",
            ));
        }
        let mut rpc = VoteRequest::new(
            vote_from(request.vote).map_err(malformed)?,
            log_id_from(request.last_log_id).map_err(malformed)?,
        );
        rpc.leadership_transfer = request.leadership_transfer;
        Ok(rpc)
    }
}

fn vote_response(
    answer: &openraft::raft::VoteResponse<TypeConfig>,
) -> Response<proto::VoteResponse> {
    Response::new(proto::VoteResponse {
        vote: Some(vote_to(&answer.vote)),
        vote_granted: answer.vote_granted,
        last_log_id: answer.last_log_id.as_ref().map(log_id_to),
    })
}

impl RaftMaster {
    /// Refuses who comes from another cluster, by its name.
    pub(super) fn check_cluster(&self, name: &str) -> Result<(), Status> {
        match name == self.cluster_name {
            true => Ok(()),
            false => Err(Status::failed_precondition(format!(
                "this is a master of cluster [{}], not of [{name}]; correct the name of the cluster or the address",
                self.cluster_name
            ))),
        }
    }

    /// Takes a master in, or passes it on to the leader.
    async fn join(&self, request: proto::JoinRequest) -> Result<join_response::Outcome, Status> {
        let node = node_from(request.node.clone()).map_err(malformed)?;
        match self.admit(request.raft_id, node).await {
            Ok(()) => Ok(join_response::Outcome::Joined(true)),
            Err(MembershipError::Refused(reason)) => Ok(join_response::Outcome::Refused(reason)),
            Err(MembershipError::NotNow(reason)) => Ok(join_response::Outcome::NotNow(reason)),
            Err(MembershipError::LedBy(_) | MembershipError::NoLeader) => {
                let leader = self.leader().filter(|(id, _)| *id != self.raft_id);
                let Some((_, leader)) = leader.filter(|_| request.hops < HOPS_MAX) else {
                    let reason = "no master leads".to_owned();
                    return Ok(join_response::Outcome::NotNow(reason));
                };
                let mut client = self.links.raft(&leader.raft_address)?;
                let passed = proto::JoinRequest {
                    hops: request.hops + 1,
                    ..request
                };
                let answer = client.join(passed).await?.into_inner();
                answer
                    .outcome
                    .ok_or_else(|| Status::internal("an answer without an outcome"))
            }
        }
    }
}

#[tonic::async_trait]
impl RaftApi for Service {
    async fn identify(
        &self,
        request: Request<proto::IdentifyRequest>,
    ) -> Result<Response<proto::Identity>, Status> {
        let master = &self.0;
        master.check_cluster(&request.into_inner().cluster_name)?;
        let state = master.publisher.newest().state;
        let known = state.version > 0;
        Ok(Response::new(proto::Identity {
            cluster_name: master.cluster_name.clone(),
            cluster_uuid: match known {
                true => state.cluster_uuid.clone(),
                false => String::new(),
            },
            raft_id: master.raft_id,
            node: Some(node_to(&master.own)),
            is_initialized: master.log.is_initialized(),
            bootstraps: master.bootstraps,
        }))
    }

    async fn join(
        &self,
        request: Request<proto::JoinRequest>,
    ) -> Result<Response<proto::JoinResponse>, Status> {
        let request = request.into_inner();
        self.0.check_cluster(&request.cluster_name)?;
        let outcome = self.0.join(request).await?;
        Ok(Response::new(proto::JoinResponse {
            outcome: Some(outcome),
        }))
    }

    async fn append_entries(
        &self,
        request: Request<proto::AppendEntriesRequest>,
    ) -> Result<Response<proto::AppendEntriesResponse>, Status> {
        let request = request.into_inner();
        self.check_target(request.target)?;
        let entries = request.entries.into_iter().map(entry_from);
        let rpc = AppendEntriesRequest {
            vote: vote_from(request.vote).map_err(malformed)?,
            prev_log_id: log_id_from(request.prev_log_id).map_err(malformed)?,
            entries: entries.collect::<Result<_, _>>().map_err(malformed)?,
            leader_commit: log_id_from(request.leader_commit).map_err(malformed)?,
        };
        let answer = self.0.raft.append_entries(rpc).await.map_err(unable)?;
        let outcome = match answer {
            AppendEntriesResponse::Success => Outcome::Success(true),
            AppendEntriesResponse::PartialSuccess(id) => Outcome::Partial(proto::PartialSuccess {
                log_id: id.as_ref().map(log_id_to),
            }),
            AppendEntriesResponse::Conflict => Outcome::Conflict(true),
            AppendEntriesResponse::HigherVote(vote) => Outcome::HigherVote(vote_to(&vote)),
        };
        Ok(Response::new(proto::AppendEntriesResponse {
            outcome: Some(outcome),
        }))
    }

    async fn vote(
        &self,
        request: Request<proto::VoteRequest>,
    ) -> Result<Response<proto::VoteResponse>, Status> {
        let rpc = self.vote_request(request)?;
        let answer = self.0.raft.vote(rpc).await.map_err(unable)?;
        Ok(vote_response(&answer))
    }

    async fn pre_vote(
        &self,
        request: Request<proto::VoteRequest>,
    ) -> Result<Response<proto::VoteResponse>, Status> {
        let rpc = self.vote_request(request)?;
        let answer = self.0.raft.pre_vote(rpc).await.map_err(unable)?;
        Ok(vote_response(&answer))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<proto::SnapshotPart>>,
    ) -> Result<Response<proto::SnapshotResponse>, Status> {
        let mut parts = request.into_inner();
        let first = parts.message().await?.and_then(|part| part.part);
        let Some(Part::Header(header)) = first else {
            return Err(Status::invalid_argument(
                "a snapshot begins with its header",
            ));
        };
        self.check_target(header.target)?;
        if header.len > SNAPSHOT_BYTES_MAX {
            return Err(Status::resource_exhausted(format!(
                "a snapshot of {} bytes, more than {SNAPSHOT_BYTES_MAX}",
                header.len
            )));
        }
        let mut bytes = BytesMut::new();
        while let Some(part) = parts.message().await? {
            let Some(Part::Bytes(more)) = part.part else {
                return Err(Status::invalid_argument("bytes of a snapshot are missing"));
            };
            bytes.extend_from_slice(&more);
            if bytes.len() as u64 > header.len {
                break;
            }
        }
        if bytes.len() as u64 != header.len {
            return Err(Status::invalid_argument(format!(
                "{} bytes of a snapshot came, {} were said",
                bytes.len(),
                header.len
            )));
        }
        let snapshot = Snapshot {
            meta: snapshot_meta_from(header.meta).map_err(malformed)?,
            snapshot: bytes.freeze(),
        };
        let vote = vote_from(header.vote).map_err(malformed)?;
        let installed = self.0.raft.install_full_snapshot(vote, snapshot).await;
        let answer = installed.map_err(unable)?;
        Ok(Response::new(proto::SnapshotResponse {
            vote: Some(vote_to(&answer.vote)),
        }))
    }

    async fn transfer_leader(
        &self,
        request: Request<proto::TransferLeaderRequest>,
    ) -> Result<Response<proto::TransferLeaderResponse>, Status> {
        let request = request.into_inner();
        self.check_target(request.target)?;
        let rpc = TransferLeaderRequest::new(
            vote_from(request.from_leader).map_err(malformed)?,
            request.to_node_id,
            log_id_from(request.last_log_id).map_err(malformed)?,
        );
        let answer = self
            .0
            .raft
            .handle_transfer_leader(rpc)
            .await
            .map_err(unable)?;
        Ok(Response::new(proto::TransferLeaderResponse {
            refused: answer
                .err()
                .map_or(String::new(), |error| error.to_string()),
        }))
    }
}
