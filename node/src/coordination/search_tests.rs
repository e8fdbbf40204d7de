//! Searches whose shards lose what they hold between the two phases.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use quidditch_engine::search::{CanMatch, FetchedHit, TermStatistics};
use serde_json::json;

use super::dsl::search_body::parse_search_body;
use super::search_input::SearchInput;
use super::searcher::Searcher;
use crate::data::routed::RoutedSearch;
use crate::data::search::{
    ContextId, CopyPreference, Purpose, ReaderNote, SearchService, ShardFetch, ShardLook,
    ShardQuery, ShardQueryReply, ShardSearchError,
};
use crate::data::service::ShardTarget;
use crate::data::testing::{TestCluster, index, put};
use crate::sys::clock::SystemClock;

/// Shards of which some fetches find their reader gone; it counts, and passes on everything else.
struct Losing {
    shards: RoutedSearch,
    /// Fetches that are to fail.
    losses: AtomicUsize,
    queries: AtomicUsize,
    released: Mutex<Vec<ContextId>>,
}

#[async_trait]
impl SearchService for Losing {
    async fn can_match(&self, looks: Vec<ShardLook>) -> Vec<Option<CanMatch>> {
        self.shards.can_match(looks).await
    }

    async fn query(
        &self,
        target: &ShardTarget,
        query: ShardQuery,
    ) -> Result<ShardQueryReply, ShardSearchError> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        self.shards.query(target, query).await
    }

    async fn term_statistics(
        &self,
        target: &ShardTarget,
        query: ShardQuery,
    ) -> Result<TermStatistics, ShardSearchError> {
        self.shards.term_statistics(target, query).await
    }

    async fn fetch(
        &self,
        target: &ShardTarget,
        fetch: ShardFetch,
    ) -> Result<Vec<FetchedHit>, ShardSearchError> {
        let less = |left: usize| left.checked_sub(1);
        let taken = self
            .losses
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        match taken {
            Ok(_) => Err(ShardSearchError::Unreachable {
                node: fetch.context.node,
                reason: "the node is not in the cluster".to_owned(),
            }),
            Err(_) => self.shards.fetch(target, fetch).await,
        }
    }

    async fn open_context(
        &self,
        target: &ShardTarget,
        preference: &CopyPreference,
        keep_alive: Duration,
        open_max: usize,
    ) -> Result<ContextId, ShardSearchError> {
        let opened = self
            .shards
            .open_context(target, preference, keep_alive, open_max);
        opened.await
    }

    async fn extend_context(
        &self,
        target: &ShardTarget,
        id: ContextId,
        keep_alive: Duration,
    ) -> Result<(), ShardSearchError> {
        self.shards.extend_context(target, id, keep_alive).await
    }

    async fn write_note(
        &self,
        target: &ShardTarget,
        id: &ContextId,
        note: Bytes,
    ) -> Result<(), ShardSearchError> {
        self.shards.write_note(target, id, note).await
    }

    async fn read_note(
        &self,
        target: &ShardTarget,
        id: &ContextId,
    ) -> Result<Bytes, ShardSearchError> {
        self.shards.read_note(target, id).await
    }

    async fn read_notes(&self, purpose: Purpose) -> Vec<ReaderNote> {
        self.shards.read_notes(purpose).await
    }

    async fn free_all(&self, purpose: Purpose) -> u64 {
        self.shards.free_all(purpose).await
    }

    async fn free_context(&self, target: &ShardTarget, id: ContextId) -> bool {
        self.shards.free_context(target, id).await
    }

    fn release_contexts(&self, contexts: Vec<(ShardTarget, ContextId)>) {
        let ids = contexts.iter().map(|(_, id)| id.clone());
        self.released.lock().extend(ids);
        self.shards.release_contexts(contexts);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_search_whose_readers_are_gone_is_begun_anew_once() {
    let mapping = r#"{"properties": {"n": {"type": "long"}}}"#;
    let cluster = TestCluster::start(2, 2, mapping, false).await;
    let shards = cluster.shards(None);
    for n in 0..10 {
        let hat = vec![index(n, json!({"n": n}))];
        put(&shards, &cluster.target(n % 2), hat).await;
    }
    let body = parse_search_body(&json!({"query": {"match_all": {}}})).unwrap();
    let input = SearchInput::new(vec!["hats".to_owned()], body);
    // how many fetches fail; then how many hits are shown, shards fail, queries are asked and readers are told to close
    for (losses, hits, failed, queries, released) in
        [(0, 10, 0, 2, 0), (1, 10, 0, 4, 2), (4, 0, 2, 4, 4)]
    {
        let service = Arc::new(Losing {
            shards: RoutedSearch::new(cluster.router(None)),
            losses: AtomicUsize::new(losses),
            queries: AtomicUsize::new(0),
            released: Mutex::default(),
        });
        let searcher = Searcher::new(
            cluster.masters.clone(),
            service.clone(),
            Arc::new(SystemClock::new()),
            "coordinator".to_owned(),
        );
        let found = searcher.search(&input).await;
        let (shown, lost) = match &found {
            Ok(answer) => (answer.hits.len(), answer.shards.failed),
            // no shard is left
            Err(_) => (0, 2),
        };
        assert_eq!((shown, lost), (hits, failed), "{losses} losses: {found:?}");
        assert_eq!(service.queries.load(Ordering::Relaxed), queries);
        assert_eq!(service.released.lock().len(), released, "{losses} losses");
    }
}
