//! Scrolls: a search whose hits are read page by page, from readers that stay open.
//!
//! The order of a scroll ends with `_shard_doc`, so that every hit has a place of its own and a shard can be asked for
//! "what comes after this hit". Hits that a shard gave and no page has shown yet wait in a queue; a shard is asked again
//! when its queue is empty.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use quidditch_engine::query::Query;
use quidditch_engine::search::{
    HitCount, SearchRequest, ShardHit, SortKey, SortValue, TrackTotalHits,
};
use tokio::time::Instant;

use super::dsl::sort::sort_key;
use super::failures::{ShardFailure, phase_failed};
use super::fetch::{FetchPhase, FetchSpec, fetch, has_names};
use super::held::HeldReader;
use super::pit::check_keep_alive;
use super::query_phase::{Queried, QueryPhase, Then, allows_partial};
use super::reduce::{MergedHit, Reducer, check_order};
use super::rest::RestError;
use super::route::Route;
use super::scroll_note::{ScrollId, page_of};
use super::search::{limits_of, millis, reduce_error, timeout_of};
use super::search_input::SearchInput;
use super::search_response::{HitJson, HitParts, RenderOptions, SearchAnswer, ShardsJson};
use super::searcher::Searcher;
use crate::cluster::NodeId;
use crate::cluster::state::ClusterState;
use crate::data::search::{ContextId, Purpose, SearchLimits, ShardQuery, ShardSearchError};
use crate::sys::clock::Clock;

/// How many scrolls may be open when nobody set `search.max_open_scroll_context`.
const MAX_OPEN_DEFAULT: usize = 500;

/// Hits that a scroll keeps for later pages, at most.
const WAITING_HITS_MAX: usize = 10_000;

/// The scrolls that began on this node.
pub struct Scrolls {
    clock: Arc<dyn Clock>,
    open: Mutex<HashMap<String, OpenScroll>>,
}

struct OpenScroll {
    expires: Duration,
    scroll: Arc<tokio::sync::Mutex<Scroll>>,
}

/// Where a scroll stands.
pub(super) struct Scroll {
    pub routes: Vec<Route>,
    pub contexts: Vec<Option<ContextId>>,
    pub limits: Vec<SearchLimits>,
    pub request: SearchRequest,
    /// The keys that the user gave; hits show their values.
    pub keys: Vec<SortKey>,
    pub spec: FetchSpec,
    pub named: Vec<Query>,
    pub size: usize,
    pub at_once: usize,
    pub keep_alive: Duration,
    pub queues: Vec<ShardQueue>,
    pub total: Option<HitCount>,
    pub max_score: Option<f32>,
    pub typed_keys: bool,
    /// Pages shown.
    pub page: u64,
}

/// What the next page of a scroll shows.
struct ScrollPage {
    hits: Vec<HitJson>,
    failures: Vec<ShardFailure>,
    /// Whether a shard found less than it has, for want of time.
    timed_out: bool,
}

/// What a shard gave and no page has shown.
#[derive(Clone, Debug, Default)]
pub(super) struct ShardQueue {
    pub hits: VecDeque<ShardHit>,
    /// Sort values of the last hit it gave.
    pub last: Option<Vec<SortValue>>,
    /// Sort values of the last hit that a page showed.
    pub shown: Option<Vec<SortValue>>,
    /// It has no more.
    pub done: bool,
}

impl Scrolls {
    /// None open.
    pub fn new(clock: Arc<dyn Clock>) -> Scrolls {
        Scrolls {
            clock,
            open: Mutex::new(HashMap::new()),
        }
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.lock().len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets those whose time is over.
    fn expire(&self) {
        let now = self.clock.monotonic();
        self.open.lock().retain(|_, scroll| scroll.expires > now);
    }
}

/// How often scrolls whose time is over are forgotten.
const EXPIRE_EVERY: Duration = Duration::from_secs(10);

/// Forgets scrolls whose time is over, as long as there is somebody who searches.
pub async fn look_after(searcher: Weak<Searcher>) {
    loop {
        tokio::time::sleep(EXPIRE_EVERY).await;
        match searcher.upgrade() {
            Some(searcher) => searcher.scrolls.expire(),
            None => return,
        }
    }
}

/// 404 as OpenSearch answers it: no shard knows the scroll.
fn missing(id: u64) -> RestError {
    let cause = super::failures::context_missing(id);
    RestError::new(404, "search_phase_execution_exception", "all shards failed")
        .with("phase", "query")
        .with("grouped", true)
        .with(
            "failed_shards",
            serde_json::json!([{"shard": -1, "index": null, "reason": cause.cause_json(false)}]),
        )
        .with_root_causes(vec![cause.clone()])
        .with_cause(cause)
}

impl Searcher {
    /// Answers the search that begins a scroll: its first page.
    pub async fn begin_scroll(
        &self,
        input: &SearchInput,
        state: &ClusterState,
        routes: Vec<Route>,
        started: Duration,
        cancel_by: Option<Instant>,
    ) -> Result<SearchAnswer, RestError> {
        let keep_alive = input.scroll.unwrap_or_default();
        check_keep_alive(state, keep_alive, "search.max_keep_alive")?;
        self.scrolls.expire();
        let most = state
            .cluster_setting("search.max_open_scroll_context")
            .and_then(|text| text.parse().ok())
            .unwrap_or(MAX_OPEN_DEFAULT);
        if self.scrolls.len() >= most {
            return Err(RestError::new(
                429,
                "rejected_execution_exception",
                format!(
                    "Trying to create too many scroll contexts. Must be less than or equal to: [{most}]. This limit \
                     can be set by changing the [search.max_open_scroll_context] setting."
                ),
            ));
        }
        let now_ms = self.clock.now_ms();
        let mut request = input.request(now_ms);
        if request.sort.is_empty() {
            request.sort.push(SortKey::score());
            request.track_scores = true;
        }
        request.sort.push(sort_key("_shard_doc"));
        let timeout = timeout_of(input, state)?;
        let mut limits: Vec<SearchLimits> = routes
            .iter()
            .map(|route| SearchLimits {
                groups: input.body.stats.clone(),
                cancel_by,
                ..limits_of(state, &route.index, timeout)
            })
            .collect();
        self.add_statistics(input, &request, &routes, &mut limits)
            .await;
        let asked = self.choose_shards(input, &request, &routes, &limits).await;
        let size = input.body.size.unwrap_or(10) as usize;
        let mut queues: Vec<ShardQueue> = vec![ShardQueue::default(); routes.len()];
        let mut contexts = vec![None; routes.len()];
        let mut reducer = Reducer::new(&request, routes.len(), input.batched_reduce_size);
        let phase = QueryPhase {
            input,
            request: &request,
            routes: &routes,
            limits: &limits,
            asked: &asked,
            then: Then::Keep(keep_alive),
        };
        // pages to come need every shard
        let is_needless = |_| false;
        let queried = self
            .query_phase(phase, is_needless, |place, reply| {
                let Some(reply) = reply else {
                    queues[place].done = true;
                    return reducer.add(place, None);
                };
                queues[place].refill(reply.result.hits.clone(), size, reply.result.timed_out);
                contexts[place] = reply.context;
                reducer.add(place, Some(reply.result));
            })
            .await;
        let Queried { failures, held } = self.check_failures(input, &routes, queried)?;
        let reduced = reducer.finish().map_err(reduce_error)?;
        let mut answer = self.answer(input, &routes, &request, &reduced, failures, Vec::new())?;
        answer.shards.skipped = Some(asked.skipped());
        if !input.sort_keys().is_empty() && !input.body.track_scores.unwrap_or(false) {
            let by_score = input.sort_keys().iter().any(|key| *key == SortKey::score());
            answer.max_score = answer.max_score.filter(|_| by_score);
        }
        let mut readers = Vec::new();
        for (route, context) in routes.iter().zip(&contexts) {
            if let Some(context) = context {
                readers.push(HeldReader::new(&route.target, context.clone()));
            }
        }
        let id = ScrollId::new(readers);
        // later pages have time of their own
        for limits in &mut limits {
            limits.cancel_by = None;
        }
        // and look at hits alone
        request.aggs = Vec::new();
        request.track_total_hits = TrackTotalHits::No;
        request.size = size;
        let named = [Some(&request.query), request.post_filter.as_ref()]
            .into_iter()
            .flatten()
            .filter(|query| has_names(query))
            .cloned()
            .collect();
        let mut scroll = Scroll {
            routes,
            contexts,
            limits,
            keys: input.sort_keys().to_vec(),
            spec: input.fetch_spec(),
            named,
            request,
            size,
            at_once: self.at_once(input),
            keep_alive,
            queues,
            total: answer.total,
            max_score: answer.max_score,
            typed_keys: input.render.typed_keys,
            page: 0,
        };
        let page = self.scroll_page(&mut scroll).await?;
        answer.hits = page.hits;
        answer.timed_out |= page.timed_out;
        let failures = page.failures;
        if !failures.is_empty() {
            let failed = scroll.failed(&failures);
            if failed == answer.shards.successful || !allows_partial(input, state) {
                let reason = match failed == answer.shards.successful {
                    true => "all shards failed",
                    false => "Partial shards failure",
                };
                return Err(phase_failed("fetch", reason, &failures, &self.node_id));
            }
            answer.shards.successful -= failed;
            answer.shards.failed += failed;
            answer
                .shards
                .failures
                .extend(super::failures::failures_json(&failures, &self.node_id));
            answer.shard_failures = failures;
        }
        self.leave_note(&id, &scroll).await;
        let text = id.encode()?;
        self.remember(&text, scroll);
        held.keep();
        answer.scroll_id = Some(text);
        answer.took_ms = millis(self.clock.monotonic().saturating_sub(started));
        Ok(answer)
    }

    /// The next page.
    ///
    /// * `keep_alive`: how long the scroll lives from now; `None`: as long as before.
    pub async fn continue_scroll(
        &self,
        id: &str,
        keep_alive: Option<Duration>,
        total_as_int: bool,
    ) -> Result<SearchAnswer, RestError> {
        let started = self.clock.monotonic();
        let parsed = ScrollId::decode(id)?;
        if let Some(time) = keep_alive {
            check_keep_alive(&self.state(), time, "search.max_keep_alive")?;
        }
        self.scrolls.expire();
        let note = self.find_note(&parsed).await;
        let known = self.known(id);
        let shared = match (known, &note) {
            (Some(scroll), _) => scroll,
            (None, Some(note)) => {
                let scroll = self.scroll_of(note)?.ok_or_else(|| missing(1))?;
                self.remember(id, scroll)
            }
            (None, None) => return Err(missing(1)),
        };
        let mut scroll = shared.lock().await;
        if let Some(note) = note.filter(|note| page_of(note) > Some(scroll.page)) {
            // another node showed pages meanwhile
            *scroll = self.scroll_of(&note)?.ok_or_else(|| missing(1))?;
        }
        if let Some(time) = keep_alive {
            scroll.keep_alive = time;
        }
        let ScrollPage {
            hits,
            failures,
            timed_out,
        } = self.scroll_page(&mut scroll).await?;
        let failed = scroll.failed(&failures);
        if failed > 0 && failed == scroll.routes.len() {
            return Err(phase_failed(
                "query",
                "all shards failed",
                &failures,
                &self.node_id,
            ));
        }
        self.leave_note(&parsed, &scroll).await;
        if let Some(open) = self.scrolls.open.lock().get_mut(id) {
            open.expires = self.clock.monotonic().saturating_add(scroll.keep_alive);
        }
        let shards = scroll.routes.len();
        Ok(SearchAnswer {
            scroll_id: Some(id.to_owned()),
            took_ms: millis(self.clock.monotonic().saturating_sub(started)),
            shards: ShardsJson {
                total: shards,
                successful: shards - failed,
                skipped: Some(0),
                failed,
                failures: super::failures::failures_json(&failures, &self.node_id),
            },
            timed_out,
            total: scroll.total,
            max_score: scroll.max_score,
            hits,
            shard_failures: failures,
            render: RenderOptions {
                typed_keys: scroll.typed_keys,
                total_as_int,
            },
            ..SearchAnswer::default()
        })
    }

    /// Ends scrolls; gives how many readers were closed. `_all` ends every one, wherever it began.
    pub async fn clear_scrolls(&self, ids: &[String]) -> Result<usize, RestError> {
        self.scrolls.expire();
        let mut ended = Vec::new();
        if ids.len() == 1 && ids[0] == "_all" {
            self.scrolls.open.lock().clear();
            let freed = self.service.free_all(Purpose::Scroll).await;
            return Ok(usize::try_from(freed).unwrap_or(usize::MAX));
        }
        for id in ids {
            ended.push(ScrollId::decode(id)?);
        }
        {
            let mut open = self.scrolls.open.lock();
            for id in ids {
                open.remove(id);
            }
        }
        let mut freed = 0;
        for reader in ended.into_iter().flat_map(|id| id.readers) {
            let target = reader.target();
            freed += usize::from(self.service.free_context(&target, reader.context).await);
        }
        Ok(freed)
    }

    /// A scroll that this node has shown pages of.
    fn known(&self, id: &str) -> Option<Arc<tokio::sync::Mutex<Scroll>>> {
        let open = self.scrolls.open.lock();
        open.get(id).map(|open| open.scroll.clone())
    }

    /// Keeps a scroll for its next page, unless another request has done so already.
    fn remember(&self, text: &str, scroll: Scroll) -> Arc<tokio::sync::Mutex<Scroll>> {
        let expires = self.clock.monotonic().saturating_add(scroll.keep_alive);
        let mut open = self.scrolls.open.lock();
        let open = open.entry(text.to_owned()).or_insert_with(|| OpenScroll {
            expires,
            scroll: Arc::new(tokio::sync::Mutex::new(scroll)),
        });
        open.scroll.clone()
    }

    async fn scroll_page(&self, scroll: &mut Scroll) -> Result<ScrollPage, RestError> {
        let mut failures = Vec::new();
        let mut late = BTreeSet::new();
        let mut page: Vec<MergedHit> = Vec::new();
        let before: Vec<_> = scroll
            .queues
            .iter()
            .map(|queue| queue.shown.clone())
            .collect();
        while page.len() < scroll.size {
            self.refill(scroll, &mut failures, &mut late).await;
            let Some(shard) = scroll.best() else { break };
            if let Some(hit) = scroll.queues[shard].hits.pop_front() {
                scroll.queues[shard].shown = Some(hit.sort.clone());
                page.push(MergedHit { shard, hit });
            }
        }
        let phase = FetchPhase {
            routes: &scroll.routes,
            contexts: &scroll.contexts,
            spec: &scroll.spec,
            query: &scroll.request.query,
            named: &scroll.named,
            limits: &scroll.limits,
            now_ms: scroll.request.now_ms,
            release: false,
            at_once: scroll.at_once,
        };
        let fetched = fetch(self, &phase, &page).await;
        failures.extend(fetched.failures);
        self.keep_open(scroll, &page).await;
        let source = scroll.spec.shown_source();
        let busy: Vec<bool> = scroll
            .routes
            .iter()
            .map(|route| failures.iter().any(|failure| failure.is_busy(route)))
            .collect();
        let mut hits = Vec::new();
        let mut again = Vec::new();
        for (merged, document) in page.iter().zip(fetched.hits) {
            let Some(document) = document else {
                if busy[merged.shard] {
                    again.push((merged.shard, merged.hit.clone()));
                }
                continue;
            };
            let parts = HitParts {
                route: &scroll.routes[merged.shard],
                merged,
                keys: &scroll.keys,
                source: source.as_ref(),
                metadata: scroll.spec.shows_metadata(),
                named_scores: scroll.spec.named_scores,
                node: match &scroll.contexts[merged.shard] {
                    Some(context) => &context.node.0,
                    None => &self.node_id,
                },
            };
            hits.push(HitJson::new(&parts, document));
        }
        // a later page shows what a busy shard did not give
        for (shard, hit) in again.into_iter().rev() {
            scroll.queues[shard].hits.push_front(hit);
            scroll.queues[shard].shown.clone_from(&before[shard]);
        }
        scroll.page += 1;
        scroll.shed();
        Ok(ScrollPage {
            hits,
            failures,
            timed_out: !late.is_empty(),
        })
    }

    /// Keeps the readers open that this page did not touch and a later one needs: a scroll that is read on does not end for
    /// the shards whose hits come late.
    async fn keep_open(&self, scroll: &Scroll, page: &[MergedHit]) {
        let mut keeping = Vec::new();
        for (shard, queue) in scroll.queues.iter().enumerate() {
            let is_needed = !queue.done || !queue.hits.is_empty();
            let is_touched = page.iter().any(|merged| merged.shard == shard);
            if let Some(context) = &scroll.contexts[shard]
                && is_needed
                && !is_touched
            {
                let target = &scroll.routes[shard].target;
                let keep_alive = scroll.keep_alive;
                let context = context.clone();
                keeping.push(self.service.extend_context(target, context, keep_alive));
            }
        }
        for kept in futures::future::join_all(keeping).await {
            if let Err(error) = kept {
                // The page that needs it says so.
                tracing::debug!(%error, "a reader of a scroll could not be kept open");
            }
        }
    }

    /// Asks the shards whose queues are empty for their next hits. A shard that fails is not asked again; one that was busy,
    /// or whose time was over, is asked for the next page.
    ///
    /// * `late`: shards whose time was over on this page.
    async fn refill(
        &self,
        scroll: &mut Scroll,
        failures: &mut Vec<ShardFailure>,
        late: &mut BTreeSet<usize>,
    ) {
        for shard in 0..scroll.queues.len() {
            let queue = &scroll.queues[shard];
            let asked = |failure: &ShardFailure| failure.is_of(&scroll.routes[shard]);
            let is_over = late.contains(&shard) || failures.iter().any(asked);
            if queue.done || !queue.hits.is_empty() || is_over {
                continue;
            }
            let mut request = scroll.routes[shard].request(&scroll.request);
            request.search_after = queue
                .last
                .as_ref()
                .map(|values| values.iter().map(SortValue::to_value).collect());
            let query = ShardQuery {
                request,
                limits: scroll.limits[shard].clone(),
                context: scroll.contexts[shard].clone(),
                preference: scroll.routes[shard].preference.clone(),
                keep_alive: Some(scroll.keep_alive),
                purpose: Purpose::Scroll,
                fetch: None,
            };
            let target = &scroll.routes[shard].target;
            let answer = match &scroll.contexts[shard] {
                Some(_) => self.service.query(target, query).await,
                None => Err(ShardSearchError::ContextMissing {
                    id: ContextId {
                        node: NodeId(self.node_id.clone()),
                        session: 0,
                        id: 0,
                    },
                }),
            };
            match answer {
                Ok(reply) => {
                    let result = reply.result;
                    scroll.queues[shard].refill(result.hits, scroll.size, result.timed_out);
                    if result.timed_out {
                        late.insert(shard);
                    }
                }
                Err(error) => {
                    scroll.queues[shard].done = !matches!(error, ShardSearchError::Rejected(_));
                    failures.push(ShardFailure::new(&scroll.routes[shard], error));
                }
            }
        }
    }
}

impl ShardQueue {
    /// * `timed_out`: the shard may have more than it could find in its time.
    fn refill(&mut self, hits: Vec<ShardHit>, size: usize, timed_out: bool) {
        self.done = hits.len() < size && !timed_out;
        if let Some(last) = hits.last() {
            self.last = Some(last.sort.clone());
        }
        self.hits = hits.into();
    }
}

impl Scroll {
    /// How many shards these failures are of.
    fn failed(&self, failures: &[ShardFailure]) -> usize {
        let is_failed = |route: &&Route| failures.iter().any(|failure| failure.is_of(route));
        self.routes.iter().filter(is_failed).count()
    }

    /// Lets go of hits that wait for later pages when there are many: the shards find them again.
    fn shed(&mut self) {
        let waiting: usize = self.queues.iter().map(|queue| queue.hits.len()).sum();
        if waiting <= WAITING_HITS_MAX {
            return;
        }
        for queue in &mut self.queues {
            if !queue.hits.is_empty() {
                queue.hits.clear();
                queue.last.clone_from(&queue.shown);
                queue.done = false;
            }
        }
    }

    /// The shard whose next hit comes first.
    fn best(&self) -> Option<usize> {
        let mut best: Option<(usize, &ShardHit)> = None;
        for (shard, queue) in self.queues.iter().enumerate() {
            let Some(hit) = queue.hits.front() else {
                continue;
            };
            let better = best.is_none_or(|(_, leader)| {
                // the last key is the place itself, which says nothing between shards
                check_order(
                    &self.request.sort[..self.request.sort.len() - 1],
                    hit,
                    leader,
                )
                .is_lt()
            });
            if better {
                best = Some((shard, hit));
            }
        }
        best.map(|(shard, _)| shard)
    }
}
