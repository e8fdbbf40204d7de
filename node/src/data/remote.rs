//! One copy of a shard on another node, asked over gRPC.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use quidditch_engine::search::{CanMatch, FetchedHit, TermStatistics};
use quidditch_proto::data::v1 as proto;
use quidditch_proto::data::v1::searches_client::SearchesClient;
use quidditch_proto::data::v1::shards_client::ShardsClient;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::channels::{Channels, MESSAGE_BYTES_MAX, is_maybe_done};
use super::search::{
    ContextId, CopyPreference, Purpose, ReaderNote, SearchService, ShardFetch, ShardLook,
    ShardQuery, ShardQueryReply, ShardSearchError,
};
use super::service::{
    CachesToClear, GetOp, RecoverySummary, RefreshPolicy, SegmentSummary, ShardError, ShardService,
    ShardStats, ShardTarget, StoredDocument, WriteOp, WriteOutcome,
};
use crate::cluster::{ClusterState, NodeId, NodeInfo};
use crate::wire::data::{Reply, Seen, shard_of};
use crate::wire::status::cause_of;
use crate::wire::tree;

/// How much longer a call lasts than somebody waits for it.
const CANCEL_GRACE: Duration = Duration::from_millis(500);

/// A copy of a shard on another node, as a state shows it.
#[derive(Clone)]
pub struct RemoteCopy {
    node: NodeId,
    /// Which run of its process.
    ephemeral_id: String,
    channel: Result<Channel, Status>,
    envelope: proto::Envelope,
    seen: Seen,
    states: watch::Receiver<std::sync::Arc<ClusterState>>,
}

impl RemoteCopy {
    /// * `seen`: the copy as `state` shows it.
    /// * `states`: calls to a node that leaves the cluster are given up.
    pub fn new(
        channels: &Channels,
        state: &ClusterState,
        node: &NodeInfo,
        seen: Seen,
        states: watch::Receiver<std::sync::Arc<ClusterState>>,
    ) -> RemoteCopy {
        RemoteCopy {
            node: node.id.clone(),
            ephemeral_id: node.ephemeral_id.clone(),
            channel: channels.to(&node.transport_address),
            envelope: envelope(state, &node.id),
            seen,
            states,
        }
    }

    fn shards(&self) -> Result<ShardsClient<Channel>, Status> {
        let client = ShardsClient::new(self.channel.clone()?);
        Ok(client
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    fn searches(&self) -> Result<SearchesClient<Channel>, Status> {
        let client = SearchesClient::new(self.channel.clone()?);
        Ok(client
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    fn shard_request(&self, target: &ShardTarget) -> proto::ShardRequest {
        proto::ShardRequest {
            envelope: Some(self.envelope.clone()),
            shard: Some(shard_of(target, &self.seen)),
        }
    }

    fn query_request(
        &self,
        target: &ShardTarget,
        query: &ShardQuery,
    ) -> Result<proto::QueryRequest, Status> {
        Ok(proto::QueryRequest {
            envelope: Some(self.envelope.clone()),
            shard: Some(shard_of(target, &self.seen)),
            query_cbor: encoded("query", query)?,
        })
    }

    fn note_request(
        &self,
        target: &ShardTarget,
        id: &ContextId,
        note: Bytes,
    ) -> proto::NoteRequest {
        proto::NoteRequest {
            envelope: Some(self.envelope.clone()),
            shard: Some(shard_of(target, &self.seen)),
            context: Some(id.clone().into()),
            note,
        }
    }

    /// Waits for an answer as long as the node is in the cluster.
    async fn within<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Status> {
        let mut states = self.states.clone();
        let is_gone = |state: &std::sync::Arc<ClusterState>| {
            let node = state.nodes.get(&self.node);
            node.is_none_or(|node| node.ephemeral_id != self.ephemeral_id)
        };
        tokio::pin!(call);
        tokio::select! {
            answer = &mut call => return answer.map(Response::into_inner),
            Ok(_) = states.wait_for(is_gone) => {}
        }
        // one that stops in peace still answers what it has taken
        match tokio::time::timeout(LEAVES_WITHIN, call).await {
            Ok(answer) => answer.map(Response::into_inner),
            Err(_) => Err(Status::unavailable(
                "the node left the cluster before it answered",
            )),
        }
    }

    /// Asks about a shard.
    async fn ask<R>(
        &self,
        call: impl Future<Output = Result<Response<R>, Status>>,
    ) -> Result<R::Value, ShardError>
    where
        R: Reply<Error = ShardError>,
    {
        let reply = self
            .within(call)
            .await
            .map_err(|status| self.lost(&status))?;
        let read = reply.read().map_err(|error| ShardError::Unreachable {
            node: self.node.0.clone(),
            reason: error.to_string(),
            maybe_done: true,
        });
        read?
    }

    /// Asks for a search.
    async fn search<R>(
        &self,
        call: impl Future<Output = Result<Response<R>, Status>>,
    ) -> Result<R::Value, ShardSearchError>
    where
        R: Reply<Error = ShardSearchError>,
    {
        let unreachable = |reason| ShardSearchError::Unreachable {
            node: self.node.clone(),
            reason,
        };
        let reply = self.within(call).await;
        let reply = reply.map_err(|status| unreachable(reason_of(&status)))?;
        let outcome = reply.read().map_err(|error| unreachable(error.to_string()));
        outcome?.map_err(|error| ShardSearchError::On {
            node: self.node.clone(),
            error: Box::new(error),
        })
    }

    fn lost(&self, status: &Status) -> ShardError {
        ShardError::Unreachable {
            node: self.node.0.clone(),
            reason: reason_of(status),
            maybe_done: is_maybe_done(status),
        }
    }

    fn open_readers(&self, purpose: Purpose) -> proto::OpenReadersRequest {
        proto::OpenReadersRequest {
            envelope: Some(self.envelope.clone()),
            purpose: proto::Purpose::from(purpose).into(),
        }
    }

    /// Closes readers; gives how many were open.
    pub async fn free(&self, contexts: Vec<ContextId>) -> u64 {
        let request = proto::FreeContextsRequest {
            envelope: Some(self.envelope.clone()),
            contexts: contexts.into_iter().map(Into::into).collect(),
        };
        let call = async { self.searches()?.free_contexts(request).await };
        match self.within(call).await {
            Ok(reply) => reply.freed,
            Err(status) => {
                // they close by themselves when their time is over, or with the node
                tracing::debug!(node = %self.node, %status, "could not close readers");
                0
            }
        }
    }
}

/// A node that left the cluster answers what it has taken within this time, or not at all.
const LEAVES_WITHIN: Duration = Duration::from_millis(500);

/// Whom a call is for.
pub fn envelope(state: &ClusterState, node: &NodeId) -> proto::Envelope {
    proto::Envelope {
        cluster_name: state.cluster_name.clone(),
        cluster_uuid: state.cluster_uuid.clone(),
        node_id: node.0.clone(),
        state_version: state.version,
    }
}

fn reason_of(status: &Status) -> String {
    match is_maybe_done(status) {
        true => format!("disconnected: {}", cause_of(status)),
        false => format!("connect or send failed: {}", cause_of(status)),
    }
}

fn encoded<T: Serialize>(what: &'static str, tree: &T) -> Result<Bytes, Status> {
    tree::encode(what, tree).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// A call that both sides give up when nobody waits for its answer any more.
///
/// Whoever waits keeps that time too, and says what became of the search; a call that ended at the same moment would be the
/// failure of a shard. So calls last a little longer.
fn until<T>(cancel_by: Option<Instant>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(by) = cancel_by {
        let left = by.saturating_duration_since(Instant::now());
        request.set_timeout(left.saturating_add(CANCEL_GRACE));
    }
    request
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl ShardService for RemoteCopy {
    async fn write(
        &self,
        target: &ShardTarget,
        ops: Vec<WriteOp>,
        refresh: RefreshPolicy,
    ) -> Result<Vec<Result<WriteOutcome, ShardError>>, ShardError> {
        let count = ops.len();
        let request = proto::WriteRequest {
            envelope: Some(self.envelope.clone()),
            shard: Some(shard_of(target, &self.seen)),
            ops: ops.into_iter().map(Into::into).collect(),
            refresh: proto::RefreshPolicy::from(refresh).into(),
        };
        let written = self
            .ask(async { self.shards()?.write(request).await })
            .await?;
        if written.len() != count {
            return Err(ShardError::Unreachable {
                node: self.node.0.clone(),
                reason: format!("{} results for {count} operations", written.len()),
                maybe_done: true,
            });
        }
        Ok(written)
    }

    async fn confirm(
        &self,
        target: &ShardTarget,
        operations: Vec<(i64, u64)>,
    ) -> Result<Vec<bool>, ShardError> {
        let count = operations.len();
        let names = operations.into_iter();
        let request = proto::ConfirmRequest {
            envelope: Some(self.envelope.clone()),
            shard: Some(shard_of(target, &self.seen)),
            operations: names
                .map(|(seq_no, primary_term)| proto::OperationName {
                    seq_no,
                    primary_term,
                })
                .collect(),
        };
        let confirmed = self
            .ask(async { self.shards()?.confirm(request).await })
            .await?;
        if confirmed.len() != count {
            return Err(ShardError::internal(format!(
                "{} answers for {count} operations",
                confirmed.len()
            )));
        }
        Ok(confirmed)
    }

    async fn get(
        &self,
        target: &ShardTarget,
        op: GetOp,
    ) -> Result<Option<StoredDocument>, ShardError> {
        let request = proto::GetRequest {
            envelope: Some(self.envelope.clone()),
            shard: Some(shard_of(target, &self.seen)),
            id: op.id,
            realtime: op.realtime,
            refresh: op.refresh,
            stored_fields: op.stored_fields,
        };
        self.ask(async { self.shards()?.get(request).await }).await
    }

    async fn refresh(&self, target: &ShardTarget) -> Result<(), ShardError> {
        let request = self.shard_request(target);
        self.ask(async { self.shards()?.refresh(request).await })
            .await
    }

    async fn flush(
        &self,
        target: &ShardTarget,
        force: bool,
        wait_if_ongoing: bool,
    ) -> Result<(), ShardError> {
        let request = proto::FlushRequest {
            envelope: Some(self.envelope.clone()),
            shard: Some(shard_of(target, &self.seen)),
            force,
            wait_if_ongoing,
        };
        self.ask(async { self.shards()?.flush(request).await })
            .await
    }

    async fn force_merge(
        &self,
        target: &ShardTarget,
        max_segments: Option<usize>,
        only_expunge_deletes: bool,
    ) -> Result<(), ShardError> {
        let request = proto::ForceMergeRequest {
            envelope: Some(self.envelope.clone()),
            shard: Some(shard_of(target, &self.seen)),
            max_segments: max_segments.map(|count| count as u64),
            only_expunge_deletes,
        };
        self.ask(async { self.shards()?.force_merge(request).await })
            .await
    }

    async fn clear_caches(
        &self,
        target: &ShardTarget,
        caches: CachesToClear,
    ) -> Result<(), ShardError> {
        let request = proto::ClearCachesRequest {
            envelope: Some(self.envelope.clone()),
            shard: Some(shard_of(target, &self.seen)),
            fielddata: caches.fielddata.is_some(),
            patterns: caches.fielddata.unwrap_or_default(),
            filters: caches.filters,
        };
        self.ask(async { self.shards()?.clear_caches(request).await })
            .await
    }

    async fn stats(&self, target: &ShardTarget) -> Result<ShardStats, ShardError> {
        let request = self.shard_request(target);
        self.ask(async { self.shards()?.stats(request).await })
            .await
    }

    async fn recovery(&self, target: &ShardTarget) -> Result<RecoverySummary, ShardError> {
        let request = self.shard_request(target);
        self.ask(async { self.shards()?.recovery(request).await })
            .await
    }

    async fn closed_stats(&self, target: &ShardTarget) -> Result<ShardStats, ShardError> {
        let request = self.shard_request(target);
        self.ask(async { self.shards()?.closed_stats(request).await })
            .await
    }

    async fn segments(&self, target: &ShardTarget) -> Result<Vec<SegmentSummary>, ShardError> {
        let request = self.shard_request(target);
        self.ask(async { self.shards()?.segments(request).await })
            .await
    }
}

#[async_trait]
impl SearchService for RemoteCopy {
    async fn can_match(&self, looks: Vec<ShardLook>) -> Vec<Option<CanMatch>> {
        let count = looks.len();
        let cancel_by = looks.iter().find_map(|look| look.query.limits.cancel_by);
        let call = async {
            let mut sent = Vec::with_capacity(count);
            let mut queries_cbor = Vec::new();
            let mut before: Option<Arc<ShardQuery>> = None;
            for look in looks {
                if before.as_ref() != Some(&look.query) {
                    queries_cbor.push(encoded("query", &look.query)?);
                    before = Some(look.query);
                }
                let seen = Seen {
                    primary_term: None,
                    allocation_id: look.allocation_id,
                };
                sent.push(proto::ShardLook {
                    shard: Some(shard_of(&look.target, &seen)),
                    query: queries_cbor.len() as u32 - 1,
                });
            }
            let request = proto::CanMatchRequest {
                envelope: Some(self.envelope.clone()),
                looks: sent,
                queries_cbor,
            };
            self.searches()?.can_match(until(cancel_by, request)).await
        };
        let read = |reply: proto::CanMatchReply| {
            let answers = tree::decode("answers", &reply.answers_cbor)
                .map_err(|error| Status::internal(error.to_string()))?;
            Ok::<Vec<Option<CanMatch>>, Status>(answers)
        };
        match self.within(call).await.and_then(read) {
            Ok(answers) if answers.len() == count => answers,
            // the searches that follow find out what is wrong, and ask other copies
            Ok(_) | Err(_) => vec![None; count],
        }
    }

    async fn query(
        &self,
        target: &ShardTarget,
        query: ShardQuery,
    ) -> Result<ShardQueryReply, ShardSearchError> {
        let call = async {
            let request = self.query_request(target, &query)?;
            let request = until(query.limits.cancel_by, request);
            self.searches()?.query(request).await
        };
        let mut reply = self.search(call).await?;
        reply.node = Some(self.node.clone());
        Ok(reply)
    }

    async fn term_statistics(
        &self,
        target: &ShardTarget,
        query: ShardQuery,
    ) -> Result<TermStatistics, ShardSearchError> {
        let call = async {
            let request = self.query_request(target, &query)?;
            let request = until(query.limits.cancel_by, request);
            self.searches()?.term_statistics(request).await
        };
        self.search(call).await
    }

    async fn fetch(
        &self,
        target: &ShardTarget,
        fetch: ShardFetch,
    ) -> Result<Vec<FetchedHit>, ShardSearchError> {
        let call = async {
            let request = proto::FetchRequest {
                envelope: Some(self.envelope.clone()),
                shard: Some(shard_of(target, &self.seen)),
                fetch_cbor: encoded("fetch", &fetch)?,
            };
            let request = until(fetch.limits.cancel_by, request);
            self.searches()?.fetch(request).await
        };
        self.search(call).await
    }

    async fn open_context(
        &self,
        target: &ShardTarget,
        _preference: &CopyPreference,
        keep_alive: Duration,
        open_max: usize,
    ) -> Result<ContextId, ShardSearchError> {
        let request = proto::OpenContextRequest {
            envelope: Some(self.envelope.clone()),
            shard: Some(shard_of(target, &self.seen)),
            keep_alive_ms: millis(keep_alive),
            open_max: open_max as u64,
        };
        self.search(async { self.searches()?.open_context(request).await })
            .await
    }

    async fn extend_context(
        &self,
        target: &ShardTarget,
        id: ContextId,
        keep_alive: Duration,
    ) -> Result<(), ShardSearchError> {
        let request = proto::ExtendContextRequest {
            envelope: Some(self.envelope.clone()),
            shard: Some(shard_of(target, &self.seen)),
            context: Some(id.into()),
            keep_alive_ms: millis(keep_alive),
        };
        self.search(async { self.searches()?.extend_context(request).await })
            .await
    }

    async fn write_note(
        &self,
        target: &ShardTarget,
        id: &ContextId,
        note: Bytes,
    ) -> Result<(), ShardSearchError> {
        let request = self.note_request(target, id, note);
        let call = async { self.searches()?.write_note(request).await };
        self.search(call).await.map(|_| ())
    }

    async fn read_note(
        &self,
        target: &ShardTarget,
        id: &ContextId,
    ) -> Result<Bytes, ShardSearchError> {
        let request = self.note_request(target, id, Bytes::new());
        self.search(async { self.searches()?.read_note(request).await })
            .await
    }

    async fn read_notes(&self, purpose: Purpose) -> Vec<ReaderNote> {
        let request = self.open_readers(purpose);
        let call = async { self.searches()?.read_notes(request).await };
        match self.within(call).await {
            Ok(reply) => reply.notes.into_iter().map(Into::into).collect(),
            Err(status) => {
                tracing::warn!(node = %self.node, %status, "the open readers of a node are not known");
                Vec::new()
            }
        }
    }

    async fn free_all(&self, purpose: Purpose) -> u64 {
        let request = self.open_readers(purpose);
        let call = async { self.searches()?.free_all(request).await };
        match self.within(call).await {
            Ok(reply) => reply.freed,
            Err(status) => {
                tracing::warn!(node = %self.node, %status, "could not close the open readers of a node");
                0
            }
        }
    }

    async fn free_context(&self, _target: &ShardTarget, id: ContextId) -> bool {
        self.free(vec![id]).await > 0
    }

    fn release_contexts(&self, contexts: Vec<(ShardTarget, ContextId)>) {
        let copy = self.clone();
        let ids = contexts.into_iter().map(|(_, id)| id).collect();
        tokio::spawn(async move { copy.free(ids).await });
    }
}
