//! The shard and search services over a whole cluster: every call goes to a copy that the newest state shows.
//!
//! Writes and realtime reads go to the primary, once: whether and how long to try again is for the caller, who knows
//! how much time there is ([`ShardError::is_misplaced`]). Searches go to the copy that a preference or the experience with
//! nodes puts first; one that fails is replaced by the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use quidditch_engine::search::{CanMatch, FetchedHit, SearchError, TermStatistics};
use tokio::time::Instant;

use super::copies::{ServingCopy, choose, serving};
use super::local::rests_on_others;
use super::router::{Router, not_found};
use super::search::{
    ContextId, CopyPreference, Purpose, ReaderNote, SearchService, ShardFetch, ShardLook,
    ShardQuery, ShardQueryReply, ShardSearchError,
};
use super::service::{
    CachesToClear, GetOp, RecoverySummary, RefreshPolicy, SegmentSummary, ShardError, ShardService,
    ShardStats, ShardTarget, StoredDocument, WriteKind, WriteOp, WriteOutcome,
};
use crate::cluster::{ClusterState, NodeId, ShardCopy};
use crate::wire::data::Seen;

/// A state in which a copy that moved is found is here within this time.
const MOVED_WITHIN: Duration = Duration::from_secs(2);

/// What became of operations, at their places.
type WriteResults = Vec<Result<WriteOutcome, ShardError>>;

/// Number and term of an operation that was done.
fn name_of(result: &Result<WriteOutcome, ShardError>) -> Option<(i64, u64)> {
    let outcome = result.as_ref().ok()?;
    (outcome.result != WriteKind::Noop).then_some((outcome.seq_no, outcome.primary_term))
}

/// The error for a request of which a part may be done.
fn maybe_done(error: ShardError) -> ShardError {
    match error {
        ShardError::Unreachable { node, reason, .. } => ShardError::Unreachable {
            node,
            reason,
            maybe_done: true,
        },
        error if error.is_misplaced() => ShardError::Unreachable {
            node: String::new(),
            reason: format!("the primary was replaced, and its successor did not answer: {error}"),
            maybe_done: true,
        },
        error => error,
    }
}

/// A primary that was replaced has a successor within this time.
const SUCCESSOR_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks for it, if no new state comes.
const SUCCESSOR_PAUSE: Duration = Duration::from_millis(100);

/// Copies of shards, one by one.
pub trait ShardCopies: Send + Sync {
    /// The way to the shards on the node of one copy.
    fn at(
        &self,
        target: &ShardTarget,
        copy: &ShardCopy,
    ) -> Result<Arc<dyn ShardService>, ShardError>;
}

/// The one copy that each shard of a lone process has.
pub struct LoneCopies(pub Arc<dyn ShardService>);

impl ShardCopies for LoneCopies {
    fn at(
        &self,
        _target: &ShardTarget,
        _copy: &ShardCopy,
    ) -> Result<Arc<dyn ShardService>, ShardError> {
        Ok(self.0.clone())
    }
}

/// The shards of a cluster.
pub struct RoutedShards(Arc<Router>);

impl RoutedShards {
    /// Finds its way by the router.
    pub fn new(router: Arc<Router>) -> RoutedShards {
        RoutedShards(router)
    }

    /// The primary's node.
    fn primary(&self, target: &ShardTarget) -> Result<Arc<dyn ShardService>, ShardError> {
        self.0.primary(target)
    }

    /// Has the operations of a primary that was replaced meanwhile done by its successor: those that it does not have.
    ///
    /// From here on some may be done, so no error says that all may be sent again.
    async fn write_to_successor(
        &self,
        target: &ShardTarget,
        ops: Vec<WriteOp>,
        mut results: WriteResults,
        refresh: RefreshPolicy,
    ) -> Result<WriteResults, ShardError> {
        let deadline = Instant::now() + SUCCESSOR_WITHIN;
        let mut states = self.0.masters.watch();
        loop {
            let tried = self.finish(target, &ops, &mut results, refresh).await;
            let error = match tried {
                Ok(true) => return Ok(results),
                // Replaced once more, or not sure of what it saw: what it did is in the results.
                Ok(false) => ShardError::NotPrimary {
                    index: target.index.clone(),
                    shard: target.shard,
                    reason: "it could not confirm its answer".to_owned(),
                },
                Err(error) => error,
            };
            let may_pass = matches!(
                error,
                ShardError::NotFound { .. }
                    | ShardError::NotPrimary { .. }
                    | ShardError::Unreachable {
                        maybe_done: false,
                        ..
                    }
            );
            if !may_pass || Instant::now() >= deadline {
                return Err(maybe_done(error));
            }
            let _ = tokio::time::timeout(SUCCESSOR_PAUSE, states.changed()).await;
        }
    }

    /// Asks the primary of now which of the operations it has, and has it do the others. `false`: it was replaced as well.
    async fn finish(
        &self,
        target: &ShardTarget,
        ops: &[WriteOp],
        results: &mut WriteResults,
        refresh: RefreshPolicy,
    ) -> Result<bool, ShardError> {
        let names: Vec<(i64, u64)> = results.iter().filter_map(name_of).collect();
        let primary = self.primary(target)?;
        // Asking does nothing, so it may be repeated whatever became of it.
        let asked = primary.confirm(target, names.clone()).await;
        let confirmed = asked.map_err(|error| match error {
            ShardError::Unreachable { node, reason, .. } => ShardError::Unreachable {
                node,
                reason,
                maybe_done: false,
            },
            error => error,
        })?;
        let has: BTreeSet<(i64, u64)> = std::iter::zip(names, confirmed)
            .filter_map(|(name, is_there)| is_there.then_some(name))
            .collect();
        let is_open = |result: &Result<WriteOutcome, ShardError>| match name_of(result) {
            Some(name) => !has.contains(&name),
            None => rests_on_others(result),
        };
        let places = results.iter().enumerate();
        let open = places.filter(|(_, result)| is_open(result));
        let places: Vec<usize> = open.map(|(place, _)| place).collect();
        if refresh != RefreshPolicy::None
            && !has.is_empty()
            && let Err(error) = primary.refresh(target).await
        {
            // they are done; only their visibility is late
            tracing::warn!(index = %target.index, shard = target.shard, %error, "could not refresh after writes");
        }
        if places.is_empty() {
            return Ok(true);
        }
        let again = places.iter().map(|place| ops[*place].clone()).collect();
        let (repeated, is_over) = match primary.write(target, again, refresh).await {
            Err(ShardError::Unconfirmed { outcomes }) => (outcomes, false),
            done => (done?, true),
        };
        for (place, result) in std::iter::zip(places, repeated) {
            results[place] = result;
        }
        Ok(is_over)
    }

    /// Reads from any copy, the next one if one fails.
    async fn get_anywhere(
        &self,
        target: &ShardTarget,
        op: GetOp,
    ) -> Result<Option<StoredDocument>, ShardError> {
        let state = self.0.masters.state();
        let mut copies = serving(&state, target);
        self.0.ranks.order(&mut copies, true, |copy| &copy.node);
        let mut failure = not_found(target);
        for copy in copies {
            let seen = Seen {
                primary_term: None,
                allocation_id: copy.copy.allocation_id.clone(),
            };
            let service = self.0.shards_at(&state, &copy.node, seen, target)?;
            match service.get(target, op.clone()).await {
                Err(
                    error @ (ShardError::NotFound { .. }
                    | ShardError::NotPrimary { .. }
                    | ShardError::Unreachable { .. }),
                ) => failure = error,
                done => return done,
            }
        }
        Err(failure)
    }
}

impl ShardCopies for Router {
    fn at(
        &self,
        target: &ShardTarget,
        copy: &ShardCopy,
    ) -> Result<Arc<dyn ShardService>, ShardError> {
        let node = copy.node.as_ref().ok_or_else(|| not_found(target))?;
        let seen = Seen {
            primary_term: None,
            allocation_id: copy.allocation_id.clone(),
        };
        self.shards_at(&self.masters.state(), node, seen, target)
    }
}

#[async_trait]
impl ShardService for RoutedShards {
    async fn write(
        &self,
        target: &ShardTarget,
        ops: Vec<WriteOp>,
        refresh: RefreshPolicy,
    ) -> Result<Vec<Result<WriteOutcome, ShardError>>, ShardError> {
        let sent = ops.clone();
        match self.primary(target)?.write(target, sent, refresh).await {
            Err(ShardError::Unconfirmed { outcomes }) => {
                self.write_to_successor(target, ops, outcomes, refresh)
                    .await
            }
            done => done,
        }
    }

    async fn confirm(
        &self,
        target: &ShardTarget,
        operations: Vec<(i64, u64)>,
    ) -> Result<Vec<bool>, ShardError> {
        self.primary(target)?.confirm(target, operations).await
    }

    async fn get(
        &self,
        target: &ShardTarget,
        op: GetOp,
    ) -> Result<Option<StoredDocument>, ShardError> {
        if op.realtime || op.refresh {
            return self.primary(target)?.get(target, op).await;
        }
        self.get_anywhere(target, op).await
    }

    async fn refresh(&self, target: &ShardTarget) -> Result<(), ShardError> {
        self.primary(target)?.refresh(target).await
    }

    async fn flush(
        &self,
        target: &ShardTarget,
        force: bool,
        wait_if_ongoing: bool,
    ) -> Result<(), ShardError> {
        let primary = self.primary(target)?;
        primary.flush(target, force, wait_if_ongoing).await
    }

    async fn force_merge(
        &self,
        target: &ShardTarget,
        max_segments: Option<usize>,
        only_expunge_deletes: bool,
    ) -> Result<(), ShardError> {
        let primary = self.primary(target)?;
        primary
            .force_merge(target, max_segments, only_expunge_deletes)
            .await
    }

    async fn clear_caches(
        &self,
        target: &ShardTarget,
        caches: CachesToClear,
    ) -> Result<(), ShardError> {
        let primary = self.primary(target)?;
        primary.clear_caches(target, caches).await
    }

    async fn stats(&self, target: &ShardTarget) -> Result<ShardStats, ShardError> {
        self.primary(target)?.stats(target).await
    }

    async fn recovery(&self, target: &ShardTarget) -> Result<RecoverySummary, ShardError> {
        self.primary(target)?.recovery(target).await
    }

    async fn closed_stats(&self, target: &ShardTarget) -> Result<ShardStats, ShardError> {
        self.primary(target)?.closed_stats(target).await
    }

    async fn segments(&self, target: &ShardTarget) -> Result<Vec<SegmentSummary>, ShardError> {
        self.primary(target)?.segments(target).await
    }
}

/// Searches over a cluster.
pub struct RoutedSearch(Arc<Router>);

impl RoutedSearch {
    /// Finds its way by the router.
    pub fn new(router: Arc<Router>) -> RoutedSearch {
        RoutedSearch(router)
    }

    /// Where an open reader is.
    fn holder(&self, id: &ContextId) -> Result<Arc<dyn SearchService>, ShardSearchError> {
        let found = self.0.search_at(&self.0.masters.state(), &id.node, None);
        found.map_err(|_| ShardSearchError::On {
            node: id.node.clone(),
            error: Box::new(ShardSearchError::ContextMissing { id: id.clone() }),
        })
    }

    /// Every node that may have open readers.
    fn all_holders(&self) -> Vec<Arc<dyn SearchService>> {
        let state = self.0.masters.state();
        let holders = state.data_nodes();
        let holders = holders.filter_map(|node| self.0.search_at(&state, &node.id, None).ok());
        holders.collect()
    }

    /// Asks one copy after the other until one answers.
    async fn ask<'a, T: Send + 'a>(
        &'a self,
        target: &'a ShardTarget,
        preference: &CopyPreference,
        call: impl Fn(Arc<dyn SearchService>) -> BoxFuture<'a, Result<T, ShardSearchError>>,
    ) -> Result<T, ShardSearchError> {
        let mut state = self.0.masters.state();
        let error = match self.ask_once(&state, target, preference, &call).await {
            Err(error) if is_elsewhere(&error) => error,
            done => return done,
        };
        // The copy moved, and this node has not heard of it yet.
        let mut states = self.0.masters.watch();
        let newer = states.wait_for(|newer| newer.version > state.version);
        match tokio::time::timeout(MOVED_WITHIN, newer).await {
            Ok(Ok(newer)) => state = newer.clone(),
            _ => return Err(error),
        }
        self.ask_once(&state, target, preference, &call).await
    }

    async fn ask_once<'a, T: Send + 'a>(
        &'a self,
        state: &ClusterState,
        target: &'a ShardTarget,
        preference: &CopyPreference,
        call: &impl Fn(Arc<dyn SearchService>) -> BoxFuture<'a, Result<T, ShardSearchError>>,
    ) -> Result<T, ShardSearchError> {
        let router = &self.0;
        let copies = choose(state, target, preference, &router.node, &router.ranks)
            .map_err(|error| SearchError::illegal(error.to_string()))?;
        let mut failure: Option<ShardSearchError> = None;
        for copy in copies {
            let service = router.search_at(state, &copy.node, Some(&copy))?;
            let asked = router.ranks.begin(&copy.node);
            match call(service).await {
                Ok(answer) => {
                    asked.succeed();
                    return Ok(answer);
                }
                Err(error) => {
                    if is_same_everywhere(&error) {
                        return Err(error);
                    }
                    // one that is quick to say no is not quick to search
                    if is_node_at_fault(&error) {
                        asked.fail();
                    }
                    failure = Some(worse(failure, self.named(error, &copy)));
                }
            }
        }
        Err(failure.unwrap_or_else(|| ShardSearchError::NoShard {
            index: target.index.clone(),
            shard: target.shard,
        }))
    }

    /// The error with the node that said it.
    fn named(&self, error: ShardSearchError, copy: &ServingCopy) -> ShardSearchError {
        let (_, error) = error.split();
        match error {
            ShardSearchError::Unreachable { .. } => error,
            error => ShardSearchError::On {
                node: copy.node.clone(),
                error: Box::new(error),
            },
        }
    }
}

/// Whether the copy that was asked is not where it was thought to be.
fn is_elsewhere(error: &ShardSearchError) -> bool {
    match error {
        ShardSearchError::On { error, .. } => matches!(**error, ShardSearchError::NoShard { .. }),
        _ => false,
    }
}

/// Whether the node failed, rather than refused.
fn is_node_at_fault(error: &ShardSearchError) -> bool {
    match error {
        ShardSearchError::Unreachable { .. } | ShardSearchError::Rejected(_) => true,
        ShardSearchError::On { error, .. } => is_node_at_fault(error),
        _ => false,
    }
}

/// Whether every copy would say so: the request is at fault.
fn is_same_everywhere(error: &ShardSearchError) -> bool {
    match error {
        ShardSearchError::Search(SearchError::Refused { status, .. }) => *status < 429,
        ShardSearchError::Search(SearchError::Cancelled) => true,
        ShardSearchError::On { error, .. } => is_same_everywhere(error),
        _ => false,
    }
}

/// The failure that tells more: that a copy is not there says less than what went wrong on one that was.
fn worse(before: Option<ShardSearchError>, now: ShardSearchError) -> ShardSearchError {
    let says_little = |error: &ShardSearchError| {
        is_elsewhere(error) || matches!(error, ShardSearchError::Unreachable { .. })
    };
    match before {
        Some(before) if says_little(&now) && !says_little(&before) => before,
        _ => now,
    }
}

#[async_trait]
impl SearchService for RoutedSearch {
    async fn can_match(&self, looks: Vec<ShardLook>) -> Vec<Option<CanMatch>> {
        let router = &self.0;
        let state = router.masters.state();
        let mut answers = vec![None; looks.len()];
        let mut by_node: BTreeMap<NodeId, (Vec<usize>, Vec<ShardLook>)> = BTreeMap::new();
        for (place, mut look) in looks.into_iter().enumerate() {
            let node = match &look.query.context {
                Some(id) => id.node.clone(),
                None => {
                    let preference = &look.query.preference;
                    let chosen = choose(
                        &state,
                        &look.target,
                        preference,
                        &router.node,
                        &router.ranks,
                    );
                    // where no copy may be asked, the search says so
                    let Some(copy) = chosen.ok().and_then(|copies| copies.into_iter().next())
                    else {
                        continue;
                    };
                    look.allocation_id = copy.copy.allocation_id.clone();
                    copy.node
                }
            };
            let (places, looks) = by_node.entry(node).or_default();
            places.push(place);
            looks.push(look);
        }
        let asked = by_node.into_iter().map(|(node, (places, looks))| {
            let service = router.search_at(&state, &node, None);
            async move {
                let found = match service {
                    Ok(service) => service.can_match(looks).await,
                    Err(_) => Vec::new(),
                };
                (places, found)
            }
        });
        for (places, found) in join_all(asked).await {
            for (place, answer) in places.into_iter().zip(found) {
                answers[place] = answer;
            }
        }
        answers
    }

    async fn query(
        &self,
        target: &ShardTarget,
        query: ShardQuery,
    ) -> Result<ShardQueryReply, ShardSearchError> {
        if let Some(id) = &query.context {
            return self.holder(id)?.query(target, query).await;
        }
        let preference = query.preference.clone();
        self.ask(target, &preference, |service| {
            let query = query.clone();
            Box::pin(async move { service.query(target, query).await })
        })
        .await
    }

    async fn term_statistics(
        &self,
        target: &ShardTarget,
        query: ShardQuery,
    ) -> Result<TermStatistics, ShardSearchError> {
        if let Some(id) = &query.context {
            return self.holder(id)?.term_statistics(target, query).await;
        }
        let preference = query.preference.clone();
        self.ask(target, &preference, |service| {
            let query = query.clone();
            Box::pin(async move { service.term_statistics(target, query).await })
        })
        .await
    }

    async fn fetch(
        &self,
        target: &ShardTarget,
        fetch: ShardFetch,
    ) -> Result<Vec<FetchedHit>, ShardSearchError> {
        self.holder(&fetch.context)?.fetch(target, fetch).await
    }

    async fn open_context(
        &self,
        target: &ShardTarget,
        preference: &CopyPreference,
        keep_alive: Duration,
        open_max: usize,
    ) -> Result<ContextId, ShardSearchError> {
        self.ask(target, preference, |service| {
            Box::pin(async move {
                let any = CopyPreference::Any;
                service
                    .open_context(target, &any, keep_alive, open_max)
                    .await
            })
        })
        .await
    }

    async fn extend_context(
        &self,
        target: &ShardTarget,
        id: ContextId,
        keep_alive: Duration,
    ) -> Result<(), ShardSearchError> {
        let holder = self.holder(&id)?;
        holder.extend_context(target, id, keep_alive).await
    }

    async fn write_note(
        &self,
        target: &ShardTarget,
        id: &ContextId,
        note: Bytes,
    ) -> Result<(), ShardSearchError> {
        self.holder(id)?.write_note(target, id, note).await
    }

    async fn read_note(
        &self,
        target: &ShardTarget,
        id: &ContextId,
    ) -> Result<Bytes, ShardSearchError> {
        self.holder(id)?.read_note(target, id).await
    }

    async fn read_notes(&self, purpose: Purpose) -> Vec<ReaderNote> {
        let holders = self.all_holders();
        let asking = holders.iter().map(|holder| holder.read_notes(purpose));
        join_all(asking).await.concat()
    }

    async fn free_all(&self, purpose: Purpose) -> u64 {
        let holders = self.all_holders();
        let asking = holders.iter().map(|holder| holder.free_all(purpose));
        join_all(asking).await.into_iter().sum()
    }

    async fn free_context(&self, target: &ShardTarget, id: ContextId) -> bool {
        match self.holder(&id) {
            Ok(holder) => holder.free_context(target, id).await,
            Err(_) => false,
        }
    }

    fn release_contexts(&self, contexts: Vec<(ShardTarget, ContextId)>) {
        let mut by_node: BTreeMap<NodeId, Vec<_>> = Default::default();
        for (target, id) in contexts {
            by_node
                .entry(id.node.clone())
                .or_default()
                .push((target, id));
        }
        let state = self.0.masters.state();
        for (node, contexts) in by_node {
            // a node that left took its readers with it
            if let Ok(holder) = self.0.search_at(&state, &node, None) {
                holder.release_contexts(contexts);
            }
        }
    }
}
