//! How raft reaches the other members.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkV2};
use prost::Message;
use quidditch_proto::raft as proto;
use quidditch_proto::raft::append_entries_response::Outcome;
use quidditch_proto::raft::raft_client::RaftClient;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::types::{MasterNode, Snapshot, TypeConfig, Vote};
use crate::master::links::{Links, within};
use crate::wire::raft::{
    Malformed, entry_to, log_id_from, log_id_to, snapshot_meta_to, vote_from, vote_to,
};

/// Bytes of a snapshot that go in one message.
const SNAPSHOT_PART_BYTES: usize = 1 << 20;
/// How long entries may take to be sent, put on disk and answered, besides what each MB of them may take: raft's own limit, the
/// interval of heartbeats, is for messages that are empty, and what is cut off begins anew. One that is not there any more is
/// found out by the connection itself.
const ENTRIES_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a MB may take.
const MB_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes what reaches one member.
#[derive(Debug)]
pub struct Network {
    /// Shared connections.
    pub(super) links: Arc<Links>,
    /// Who this member is: nobody calls himself.
    pub(super) own: u64,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &MasterNode) -> Peer {
        assert_ne!(target, self.own, "a member never calls itself");
        Peer {
            links: self.links.clone(),
            target,
            address: node.raft_address.clone(),
        }
    }
}

/// Another member.
#[derive(Debug)]
pub struct Peer {
    links: Arc<Links>,
    target: u64,
    address: String,
}

/// Told apart by raft: it backs off from who is unreachable, and tries others again at once.
fn rpc_error(status: Status) -> RPCError<TypeConfig> {
    match status.code() {
        Code::DeadlineExceeded => RPCError::Network(NetworkError::new(&status)),
        _ => RPCError::Unreachable(Unreachable::new(&status)),
    }
}

fn malformed(error: Malformed) -> RPCError<TypeConfig> {
    RPCError::Network(NetworkError::new(&error))
}

/// How long so many bytes may take, besides the rest.
fn bytes_timeout(bytes: usize) -> Duration {
    MB_TIMEOUT.mul_f64(bytes as f64 / f64::from(1 << 20))
}

/// How long a request of entries may take; `empty` is for heartbeats.
fn append_timeout(request: &proto::AppendEntriesRequest, empty: Duration) -> Duration {
    match request.entries.is_empty() {
        true => empty,
        false => ENTRIES_TIMEOUT + bytes_timeout(request.encoded_len()),
    }
}

impl Peer {
    async fn call<T, F>(
        &self,
        limit: Duration,
        call: impl FnOnce(RaftClient<Channel>) -> F,
    ) -> Result<T, RPCError<TypeConfig>>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let client = self.links.raft(&self.address).map_err(rpc_error)?;
        within(limit, call(client)).await.map_err(rpc_error)
    }

    fn vote_request(&self, rpc: &VoteRequest<TypeConfig>) -> proto::VoteRequest {
        proto::VoteRequest {
            target: self.target,
            vote: Some(vote_to(&rpc.vote)),
            last_log_id: rpc.last_log_id.as_ref().map(log_id_to),
            leadership_transfer: rpc.leadership_transfer,
        }
    }
}

fn vote_response(
    answer: proto::VoteResponse,
) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
    Ok(VoteResponse {
        vote: vote_from(answer.vote).map_err(malformed)?,
        vote_granted: answer.vote_granted,
        last_log_id: log_id_from(answer.last_log_id).map_err(malformed)?,
    })
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = Bytes;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let request = proto::AppendEntriesRequest {
            target: self.target,
            vote: Some(vote_to(&rpc.vote)),
            prev_log_id: rpc.prev_log_id.as_ref().map(log_id_to),
            entries: rpc.entries.iter().map(entry_to).collect(),
            leader_commit: rpc.leader_commit.as_ref().map(log_id_to),
        };
        let limit = append_timeout(&request, option.soft_ttl());
        let send =
            |mut client: RaftClient<Channel>| async move { client.append_entries(request).await };
        let answer = self.call(limit, send).await?;
        let nothing = || malformed(Malformed("an answer without an outcome".to_owned()));
        Ok(match answer.outcome.ok_or_else(nothing)? {
            Outcome::Success(_) => AppendEntriesResponse::Success,
            Outcome::Partial(partial) => AppendEntriesResponse::PartialSuccess(
                log_id_from(partial.log_id).map_err(malformed)?,
            ),
            Outcome::Conflict(_) => AppendEntriesResponse::Conflict,
            Outcome::HigherVote(vote) => {
                AppendEntriesResponse::HigherVote(vote_from(Some(vote)).map_err(malformed)?)
            }
        })
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let request = self.vote_request(&rpc);
        let send = |mut client: RaftClient<Channel>| async move { client.vote(request).await };
        vote_response(self.call(option.soft_ttl(), send).await?)
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let request = self.vote_request(&rpc);
        let send = |mut client: RaftClient<Channel>| async move { client.pre_vote(request).await };
        vote_response(self.call(option.soft_ttl(), send).await?)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let bytes = snapshot.snapshot;
        let snapshot_bytes = bytes.len();
        let header = proto::SnapshotHeader {
            target: self.target,
            vote: Some(vote_to(&vote)),
            meta: Some(snapshot_meta_to(&snapshot.meta)),
            len: snapshot_bytes as u64,
        };
        let header = proto::snapshot_part::Part::Header(header);
        let parts = (0..snapshot_bytes)
            .step_by(SNAPSHOT_PART_BYTES)
            .map(move |at| {
                let end = snapshot_bytes.min(at + SNAPSHOT_PART_BYTES);
                proto::snapshot_part::Part::Bytes(bytes.slice(at..end))
            });
        let limit = option.soft_ttl() + bytes_timeout(snapshot_bytes);
        let parts = std::iter::once(header).chain(parts);
        let parts = parts.map(|part| proto::SnapshotPart { part: Some(part) });
        let send = |mut client: RaftClient<Channel>| async move {
            client.install_snapshot(tokio_stream::iter(parts)).await
        };
        let answer = tokio::select! {
            answer = self.call(limit, send) => answer.map_err(streaming_error)?,
            closed = cancel => return Err(closed.into()),
        };
        let vote = vote_from(answer.vote)
            .map_err(|error| StreamingError::Network(NetworkError::new(&error)))?;
        Ok(SnapshotResponse::new(vote))
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<openraft::raft::TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        let request = proto::TransferLeaderRequest {
            target: self.target,
            from_leader: Some(vote_to(rpc.from_leader())),
            to_node_id: *rpc.to_node_id(),
            last_log_id: rpc.last_log_id().map(log_id_to),
        };
        let send =
            |mut client: RaftClient<Channel>| async move { client.transfer_leader(request).await };
        let answer = self.call(option.soft_ttl(), send).await?;
        match answer.refused.is_empty() {
            true => Ok(Ok(())),
            false => Err(malformed(Malformed(answer.refused))),
        }
    }
}

fn streaming_error(error: RPCError<TypeConfig>) -> StreamingError<TypeConfig> {
    match error {
        RPCError::Unreachable(error) => StreamingError::Unreachable(error),
        RPCError::Network(error) => StreamingError::Network(error),
        RPCError::Timeout(error) => StreamingError::Timeout(error),
        other => StreamingError::Network(NetworkError::new(&other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_many_bytes_has_more_time() {
        let heartbeat = Duration::from_millis(187);
        let limit = |sizes: &[usize]| {
            let entries = sizes.iter().map(|bytes| proto::Entry {
                payload: Some(proto::entry::Payload::Batch(vec![0; *bytes].into())),
                ..proto::Entry::default()
            });
            let request = proto::AppendEntriesRequest {
                entries: entries.collect(),
                ..proto::AppendEntriesRequest::default()
            };
            append_timeout(&request, heartbeat)
        };
        assert_eq!(limit(&[]), heartbeat);
        assert!(limit(&[1]) >= ENTRIES_TIMEOUT);
        assert!(limit(&[20 << 20, 10 << 20]) >= ENTRIES_TIMEOUT + 30 * MB_TIMEOUT);
    }
}
