//! The shards of this node for other nodes: a gRPC server over the local services.
//!
//! A call names the node it is for, its cluster, and the copy as the caller saw it. What does not fit is refused before
//! anything is done, so that the caller can look again. A caller that goes away, or a deadline that passes, drops the
//! call's future and with it the work on the shard.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quidditch_proto::data::v1 as proto;
use quidditch_proto::data::v1::searches_server::{Searches, SearchesServer};
use quidditch_proto::data::v1::shards_server::{Shards, ShardsServer};
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::service::{Routes, RoutesBuilder};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::channels::{CONNECTION_WINDOW_BYTES, MESSAGE_BYTES_MAX, STREAM_WINDOW_BYTES};
use super::local::LocalShards;
use super::search::{
    ContextId, CopyPreference, Purpose, SearchService, ShardLook, ShardQuery, ShardSearchError,
};
use super::service::{CachesToClear, ShardError, ShardService, ShardTarget};
use crate::cluster::NodeId;
use crate::master::Masters;
use crate::wire::data::{Reply, Seen, target_of};
use crate::wire::tree::{self, WireError};

/// How often an idle connection is tried, and by when it must answer.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Which cluster and node a server answers for.
#[derive(Clone)]
pub struct Identity {
    /// This node.
    pub node: NodeId,
    /// Knows the cluster.
    pub masters: Arc<dyn Masters>,
}

impl Identity {
    /// Refuses a call that is for another cluster or another node.
    pub fn check(&self, envelope: Option<&proto::Envelope>) -> Result<(), Status> {
        let envelope = envelope.ok_or(Status::invalid_argument("the call has no envelope"))?;
        let state = self.masters.state();
        if envelope.cluster_name != state.cluster_name {
            return Err(Status::failed_precondition(format!(
                "this node is of the cluster [{}], not [{}]",
                state.cluster_name, envelope.cluster_name
            )));
        }
        let (ours, theirs) = (&state.cluster_uuid, &envelope.cluster_uuid);
        let is_known = |uuid: &str| !uuid.is_empty() && uuid != "_na_";
        if ours != theirs && is_known(ours) && is_known(theirs) {
            return Err(Status::failed_precondition(format!(
                "this node is of the cluster with the uuid [{ours}], not [{theirs}]"
            )));
        }
        if envelope.node_id != self.node.0 {
            return Err(Status::failed_precondition(format!(
                "this is the node [{}], not [{}]",
                self.node, envelope.node_id
            )));
        }
        Ok(())
    }
}

/// The shards and searches of this node, for other nodes.
#[derive(Clone)]
pub struct DataServer {
    identity: Identity,
    shards: Arc<LocalShards>,
    search: Arc<dyn SearchService>,
}

impl DataServer {
    /// * `search`: of the same shards.
    pub fn new(
        identity: Identity,
        shards: Arc<LocalShards>,
        search: Arc<dyn SearchService>,
    ) -> DataServer {
        DataServer {
            identity,
            shards,
            search,
        }
    }

    /// Adds its services to those of a server.
    pub fn add_to(self, routes: &mut RoutesBuilder) {
        let shards = ShardsServer::new(self.clone());
        let searches = SearchesServer::new(self);
        routes
            .add_service(
                shards
                    .max_decoding_message_size(MESSAGE_BYTES_MAX)
                    .max_encoding_message_size(MESSAGE_BYTES_MAX),
            )
            .add_service(
                searches
                    .max_decoding_message_size(MESSAGE_BYTES_MAX)
                    .max_encoding_message_size(MESSAGE_BYTES_MAX),
            );
    }

    /// The shard of a call that is for this node.
    fn target(
        &self,
        envelope: Option<&proto::Envelope>,
        shard: Option<proto::Shard>,
    ) -> Result<(ShardTarget, Seen), Status> {
        self.identity.check(envelope)?;
        target_of(shard).map_err(unreadable)
    }

    /// What a call asks for; or that the copy that it is for is not here. An open reader lives on when its copy moves away.
    async fn query_of(
        &self,
        query_cbor: &[u8],
        envelope: Option<&proto::Envelope>,
        target: &ShardTarget,
        seen: &Seen,
    ) -> Result<Result<ShardQuery, ShardSearchError>, Status> {
        let query: ShardQuery = tree("query", query_cbor)?;
        if query.context.is_none()
            && let Err(error) = self.check_copy(envelope, target, seen).await
        {
            return Ok(Err(no_shard(error, target)));
        }
        Ok(Ok(query))
    }

    /// Why the readers of a call are open, which is for this node.
    fn purpose(&self, request: &proto::OpenReadersRequest) -> Result<Purpose, Status> {
        self.identity.check(request.envelope.as_ref())?;
        Purpose::try_from(request.purpose()).map_err(unreadable)
    }

    /// Refuses a call for another copy than the one that is here; a caller that has seen more of the cluster than this node
    /// is waited for.
    async fn check_copy(
        &self,
        envelope: Option<&proto::Envelope>,
        target: &ShardTarget,
        seen: &Seen,
    ) -> Result<(), ShardError> {
        let checked = self.is_copy(target, seen);
        let version = envelope.map_or(0, |envelope| envelope.state_version);
        if checked.is_ok() || self.shards.has_applied(version) {
            return checked;
        }
        // Late or not: what is here then is the answer.
        let _ = self.shards.wait_for_state(version, STATE_WITHIN).await;
        self.is_copy(target, seen)
    }

    fn is_copy(&self, target: &ShardTarget, seen: &Seen) -> Result<(), ShardError> {
        let here = self.shards.shard(target)?;
        let refused = |reason| {
            Err(ShardError::NotPrimary {
                index: target.index.clone(),
                shard: target.shard,
                reason,
            })
        };
        if let Some(id) = &seen.allocation_id
            && *id != here.allocation_id
        {
            let own = &here.allocation_id;
            return refused(format!("the copy here is [{own}], not [{id}]"));
        }
        let own = here.shard.primary_term().0;
        match seen.primary_term {
            Some(term) if term != own => refused(format!(
                "the primary term here is [{own}], the caller's is [{term}]"
            )),
            _ => Ok(()),
        }
    }
}

/// Serves until `stop` says so, then lets running calls end.
pub async fn serve(
    listener: TcpListener,
    routes: Routes,
    mut stop: watch::Receiver<bool>,
) -> Result<(), tonic::transport::Error> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, async move {
            // a sender that is gone stops the server as well
            let _ = stop.wait_for(|stopped| *stopped).await;
        })
        .await
}

/// Says no to a search in the words of searches.
fn no_shard(error: ShardError, target: &ShardTarget) -> ShardSearchError {
    tracing::debug!(index = %target.index, shard = target.shard, %error, "a search for a copy that is not here");
    ShardSearchError::NoShard {
        index: target.index.clone(),
        shard: target.shard,
    }
}

/// Where a listener listens.
pub fn address_of(listener: &TcpListener) -> std::io::Result<SocketAddr> {
    listener.local_addr()
}

/// A state that the caller has seen is here within this time.
const STATE_WITHIN: Duration = Duration::from_secs(2);

fn unreadable(error: WireError) -> Status {
    Status::invalid_argument(error.to_string())
}

fn tree<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, Status> {
    tree::decode(what, bytes).map_err(unreadable)
}

fn context(id: Option<proto::ContextId>) -> Result<ContextId, Status> {
    let id = id.ok_or(Status::invalid_argument("the call names no context"))?;
    Ok(id.into())
}

/// The answer; one that cannot be written says so.
fn answer<R: Reply>(outcome: Result<R::Value, R::Error>) -> Result<Response<R>, Status> {
    match R::of(outcome) {
        Ok(reply) => Ok(Response::new(reply)),
        Err(error) => Err(Status::internal(error.to_string())),
    }
}

type Answer<R> = Result<Response<R>, Status>;

#[tonic::async_trait]
impl Shards for DataServer {
    async fn write(&self, request: Request<proto::WriteRequest>) -> Answer<proto::WriteReply> {
        let request = request.into_inner();
        let refresh = proto::RefreshPolicy::try_from(request.refresh)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let (target, seen) = self.target(request.envelope.as_ref(), request.shard)?;
        let mut ops = Vec::with_capacity(request.ops.len());
        for op in request.ops {
            ops.push(op.try_into().map_err(unreadable)?);
        }
        let envelope = request.envelope.as_ref();
        if let Err(error) = self.check_copy(envelope, &target, &seen).await {
            return answer(Err(error));
        }
        answer(self.shards.write(&target, ops, refresh.into()).await)
    }

    async fn confirm(
        &self,
        request: Request<proto::ConfirmRequest>,
    ) -> Answer<proto::ConfirmReply> {
        let request = request.into_inner();
        let (target, seen) = self.target(request.envelope.as_ref(), request.shard)?;
        let envelope = request.envelope.as_ref();
        if let Err(error) = self.check_copy(envelope, &target, &seen).await {
            return answer(Err(error));
        }
        let operations = request.operations.into_iter();
        let operations = operations.map(|name| (name.seq_no, name.primary_term));
        answer(self.shards.confirm(&target, operations.collect()).await)
    }

    async fn get(&self, request: Request<proto::GetRequest>) -> Answer<proto::GetReply> {
        let request = request.into_inner();
        let op = (&request).into();
        let (target, seen) = self.target(request.envelope.as_ref(), request.shard)?;
        let envelope = request.envelope.as_ref();
        if let Err(error) = self.check_copy(envelope, &target, &seen).await {
            return answer(Err(error));
        }
        answer(self.shards.get(&target, op).await)
    }

    async fn refresh(&self, request: Request<proto::ShardRequest>) -> Answer<proto::DoneReply> {
        let request = request.into_inner();
        let (target, _) = self.target(request.envelope.as_ref(), request.shard)?;
        answer(self.shards.refresh(&target).await)
    }

    async fn flush(&self, request: Request<proto::FlushRequest>) -> Answer<proto::DoneReply> {
        let request = request.into_inner();
        let (target, _) = self.target(request.envelope.as_ref(), request.shard)?;
        let flushing = self
            .shards
            .flush(&target, request.force, request.wait_if_ongoing);
        answer(flushing.await)
    }

    async fn force_merge(
        &self,
        request: Request<proto::ForceMergeRequest>,
    ) -> Answer<proto::DoneReply> {
        let request = request.into_inner();
        let (target, _) = self.target(request.envelope.as_ref(), request.shard)?;
        let most = request
            .max_segments
            .map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        let merging = self
            .shards
            .force_merge(&target, most, request.only_expunge_deletes);
        answer(merging.await)
    }

    async fn clear_caches(
        &self,
        request: Request<proto::ClearCachesRequest>,
    ) -> Answer<proto::DoneReply> {
        let request = request.into_inner();
        let (target, _) = self.target(request.envelope.as_ref(), request.shard)?;
        let caches = CachesToClear {
            fielddata: request.fielddata.then_some(request.patterns),
            filters: request.filters,
        };
        answer(self.shards.clear_caches(&target, caches).await)
    }

    async fn stats(&self, request: Request<proto::ShardRequest>) -> Answer<proto::StatsReply> {
        let request = request.into_inner();
        let (target, _) = self.target(request.envelope.as_ref(), request.shard)?;
        answer(self.shards.stats(&target).await)
    }

    async fn closed_stats(
        &self,
        request: Request<proto::ShardRequest>,
    ) -> Answer<proto::StatsReply> {
        let request = request.into_inner();
        let (target, _) = self.target(request.envelope.as_ref(), request.shard)?;
        answer(self.shards.closed_stats(&target).await)
    }

    async fn recovery(
        &self,
        request: Request<proto::ShardRequest>,
    ) -> Answer<proto::RecoveryReply> {
        let request = request.into_inner();
        let (target, _) = self.target(request.envelope.as_ref(), request.shard)?;
        answer(self.shards.recovery(&target).await)
    }

    async fn segments(
        &self,
        request: Request<proto::ShardRequest>,
    ) -> Answer<proto::SegmentsReply> {
        let request = request.into_inner();
        let (target, _) = self.target(request.envelope.as_ref(), request.shard)?;
        answer(self.shards.segments(&target).await)
    }
}

#[tonic::async_trait]
impl Searches for DataServer {
    async fn can_match(
        &self,
        request: Request<proto::CanMatchRequest>,
    ) -> Answer<proto::CanMatchReply> {
        let request = request.into_inner();
        let envelope = request.envelope.as_ref();
        self.identity.check(envelope)?;
        let version = envelope.map_or(0, |envelope| envelope.state_version);
        if !self.shards.has_applied(version) {
            // late or not: once for all of them
            let _ = self.shards.wait_for_state(version, STATE_WITHIN).await;
        }
        let mut queries: Vec<Arc<ShardQuery>> = Vec::with_capacity(request.queries_cbor.len());
        for query in &request.queries_cbor {
            queries.push(Arc::new(tree("query", query)?));
        }
        let count = request.looks.len();
        let mut looks = Vec::with_capacity(count);
        // places of those that are here
        let mut places = Vec::with_capacity(count);
        for (place, look) in request.looks.into_iter().enumerate() {
            let (target, seen) = self.target(envelope, look.shard)?;
            let query = queries
                .get(look.query as usize)
                .ok_or_else(|| Status::invalid_argument("a look without its query"))?;
            if query.context.is_some() || self.is_copy(&target, &seen).is_ok() {
                places.push(place);
                looks.push(ShardLook {
                    target,
                    allocation_id: seen.allocation_id,
                    query: query.clone(),
                });
            }
        }
        let mut answers = vec![None; count];
        let found = self.search.can_match(looks).await;
        for (place, answer) in places.into_iter().zip(found) {
            answers[place] = answer;
        }
        let answers_cbor = tree::encode("answers", &answers)
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(proto::CanMatchReply { answers_cbor }))
    }

    async fn query(&self, request: Request<proto::QueryRequest>) -> Answer<proto::QueryReply> {
        let request = request.into_inner();
        let (target, seen) = self.target(request.envelope.as_ref(), request.shard)?;
        let envelope = request.envelope.as_ref();
        let query = match self
            .query_of(&request.query_cbor, envelope, &target, &seen)
            .await?
        {
            Ok(query) => query,
            Err(gone) => return answer(Err(gone)),
        };
        answer(self.search.query(&target, query).await)
    }

    async fn term_statistics(
        &self,
        request: Request<proto::QueryRequest>,
    ) -> Answer<proto::TermStatisticsReply> {
        let request = request.into_inner();
        let (target, seen) = self.target(request.envelope.as_ref(), request.shard)?;
        let envelope = request.envelope.as_ref();
        let query = match self
            .query_of(&request.query_cbor, envelope, &target, &seen)
            .await?
        {
            Ok(query) => query,
            Err(gone) => return answer(Err(gone)),
        };
        answer(self.search.term_statistics(&target, query).await)
    }

    async fn fetch(&self, request: Request<proto::FetchRequest>) -> Answer<proto::FetchReply> {
        let request = request.into_inner();
        let (target, _) = self.target(request.envelope.as_ref(), request.shard)?;
        let fetch = tree("fetch", &request.fetch_cbor)?;
        answer(self.search.fetch(&target, fetch).await)
    }

    async fn open_context(
        &self,
        request: Request<proto::OpenContextRequest>,
    ) -> Answer<proto::OpenContextReply> {
        let request = request.into_inner();
        let (target, seen) = self.target(request.envelope.as_ref(), request.shard)?;
        let envelope = request.envelope.as_ref();
        if let Err(error) = self.check_copy(envelope, &target, &seen).await {
            return answer(Err(no_shard(error, &target)));
        }
        let time = Duration::from_millis(request.keep_alive_ms);
        let open_max = usize::try_from(request.open_max).unwrap_or(usize::MAX);
        let opening = self
            .search
            .open_context(&target, &CopyPreference::Any, time, open_max);
        answer(opening.await)
    }

    async fn extend_context(
        &self,
        request: Request<proto::ExtendContextRequest>,
    ) -> Answer<proto::ExtendContextReply> {
        let request = request.into_inner();
        let (target, _) = self.target(request.envelope.as_ref(), request.shard)?;
        let id = context(request.context)?;
        let time = Duration::from_millis(request.keep_alive_ms);
        answer(self.search.extend_context(&target, id, time).await)
    }

    async fn read_note(&self, request: Request<proto::NoteRequest>) -> Answer<proto::NoteReply> {
        let request = request.into_inner();
        let (target, _) = self.target(request.envelope.as_ref(), request.shard)?;
        let id = context(request.context)?;
        answer(self.search.read_note(&target, &id).await)
    }

    async fn write_note(&self, request: Request<proto::NoteRequest>) -> Answer<proto::NoteReply> {
        let request = request.into_inner();
        let (target, _) = self.target(request.envelope.as_ref(), request.shard)?;
        let id = context(request.context)?;
        let written = self.search.write_note(&target, &id, request.note).await;
        answer(written.map(|()| Bytes::new()))
    }

    async fn read_notes(
        &self,
        request: Request<proto::OpenReadersRequest>,
    ) -> Answer<proto::ReadNotesReply> {
        let purpose = self.purpose(request.get_ref())?;
        let notes = self.search.read_notes(purpose).await;
        let notes = notes.into_iter().map(Into::into).collect();
        Ok(Response::new(proto::ReadNotesReply { notes }))
    }

    async fn free_all(
        &self,
        request: Request<proto::OpenReadersRequest>,
    ) -> Answer<proto::FreeContextsReply> {
        let purpose = self.purpose(request.get_ref())?;
        let freed = self.search.free_all(purpose).await;
        Ok(Response::new(proto::FreeContextsReply { freed }))
    }

    async fn free_contexts(
        &self,
        request: Request<proto::FreeContextsRequest>,
    ) -> Answer<proto::FreeContextsReply> {
        let request = request.into_inner();
        self.identity.check(request.envelope.as_ref())?;
        let mut freed = 0;
        for id in request.contexts {
            let id = ContextId::from(id);
            freed += u64::from(self.shards.contexts.free(&id));
        }
        Ok(Response::new(proto::FreeContextsReply { freed }))
    }
}
