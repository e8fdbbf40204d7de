//! A search from its parsed request to its answer: routes, query phase, merge, fetch phase.

use std::time::Duration;

use parking_lot::Mutex;
use quidditch_engine::aggs::{AggPartials, MAX_BUCKETS_DEFAULT};
use quidditch_engine::query::Query;
use quidditch_engine::search::{SearchRequest, SortSource};
use tokio::time::Instant;

use super::dsl::aggs::render_aggs;
use super::failures::{ShardFailure, failures_json, phase_failed, reduce_failed};
use super::fetch::{FetchPhase, Fetched, fetch, has_names};
use super::query_phase::{Queried, QueryPhase, Then, allows_partial};
use super::reduce::{ReduceError, Reduced, Reducer, reduce_phases};
use super::rest::RestError;
use super::rest::units::parse_time_value;
use super::route::{Route, boost_routes, routes};
use super::search_input::SearchInput;
use super::search_response::{HitJson, HitParts, SearchAnswer, ShardsJson};
use super::searcher::Searcher;
use crate::cluster::NodeId;
use crate::cluster::index_metadata::IndexMetadata;
use crate::cluster::state::ClusterState;
use crate::data::copies::check_nodes;
use crate::data::search::{ContextId, FetchAtOnce, SearchLimits};

/// How long a reader waits for the fetch that follows a query.
const FETCH_KEEP_ALIVE: Duration = Duration::from_secs(300);

/// The limits that go with a search of one index.
pub fn limits_of(
    state: &ClusterState,
    index: &IndexMetadata,
    timeout: Option<Duration>,
) -> SearchLimits {
    let number = |key: &str| {
        state
            .cluster_setting(key)
            .and_then(|text| text.parse::<u64>().ok())
    };
    SearchLimits {
        shard_count: index.number_of_shards,
        timeout,
        cancel_by: None,
        max_clause_count: number("indices.query.bool.max_clause_count").unwrap_or(1024) as usize,
        allow_expensive_queries: state.cluster_setting("search.allow_expensive_queries")
            != Some("false"),
        max_buckets: number("search.max_buckets").unwrap_or(MAX_BUCKETS_DEFAULT),
        request_memory: state
            .effective_setting("indices.breaker.request.limit")
            .to_owned(),
        fielddata_memory: state
            .effective_setting("indices.breaker.fielddata.limit")
            .to_owned(),
        statistics: None,
        groups: Vec::new(),
    }
}

impl Searcher {
    /// Answers a search.
    pub async fn search(&self, input: &SearchInput) -> Result<SearchAnswer, RestError> {
        let limit = match input.cancel_after {
            Some(limit) => Some(limit),
            None => time_setting(&self.state(), "search.cancel_after_time_interval"),
        };
        let Some(limit) = limit else {
            return self.search_until(input, None).await;
        };
        // a time beyond all clocks is none
        let cancel_by = Instant::now().checked_add(limit);
        let work = self.search_until(input, cancel_by);
        match tokio::time::timeout(limit, work).await {
            Ok(answer) => answer,
            Err(_) => Err(RestError::new(
                500,
                "task_cancelled_exception",
                format!(
                    "Cancellation timeout of [{}ms] is expired",
                    limit.as_millis()
                ),
            )),
        }
    }

    /// * `cancel_by`: when the caller drops this; shards are told, so that those whom that does not reach stop as well.
    pub(super) async fn search_until(
        &self,
        input: &SearchInput,
        cancel_by: Option<Instant>,
    ) -> Result<SearchAnswer, RestError> {
        let started = self.clock.monotonic();
        input.validate()?;
        // a point in time has the only readers that will do
        let mut may_begin_anew = input.body.pit.is_none();
        loop {
            let answer = self.attempt(input, cancel_by, started, may_begin_anew);
            if let Some(answer) = answer.await? {
                return Ok(answer);
            }
            may_begin_anew = false;
        }
    }

    /// Searches once. `None`: readers were gone before their hits were read, as when a node stops; by now others are known.
    ///
    /// * `may_begin_anew`: whether that may be the answer; else the shards failed.
    async fn attempt(
        &self,
        input: &SearchInput,
        cancel_by: Option<Instant>,
        started: Duration,
        may_begin_anew: bool,
    ) -> Result<Option<SearchAnswer>, RestError> {
        let spec = input.fetch_spec();
        spec.check()?;
        let state = self.state();
        let now_ms = self.clock.now_ms();
        let mut routes = match &input.body.pit {
            Some(pit) => self.pit_routes(&state, pit, input.body.slice.as_ref())?,
            None => {
                let names: Vec<&str> = input.indices.iter().map(String::as_str).collect();
                let indices = state.resolve_all(&names, &input.options, now_ms)?;
                routes(
                    &indices,
                    input.routing.as_deref(),
                    input.preference.as_deref(),
                    input.body.slice.as_ref(),
                )?
            }
        };
        for (name, _) in &input.body.indices_boost {
            state.resolve_all(&[name], &input.options, now_ms)?;
        }
        boost_routes(&mut routes, &input.body.indices_boost);
        check_shard_count(&state, routes.len())?;
        let own = NodeId(self.node_id.clone());
        for route in &routes {
            let checked = check_nodes(&state, &route.target, &route.preference, &own);
            checked.map_err(|error| RestError::illegal_argument(error.to_string()))?;
        }
        if input.scroll.is_some() {
            let page = self.begin_scroll(input, &state, routes, started, cancel_by);
            return page.await.map(Some);
        }
        let request = input.request(now_ms);
        let timeout = timeout_of(input, &state)?;
        let mut limits: Vec<SearchLimits> = routes
            .iter()
            .map(|route| SearchLimits {
                groups: input.body.stats.clone(),
                cancel_by,
                ..limits_of(&state, &route.index, timeout)
            })
            .collect();
        self.add_statistics(input, &request, &routes, &mut limits)
            .await;
        let named: Vec<Query> = [Some(&request.query), request.post_filter.as_ref()]
            .into_iter()
            .flatten()
            .filter(|query| has_names(query))
            .cloned()
            .collect();
        let from = input.body.from.unwrap_or(0) as usize;
        let then = match routes.as_slice() {
            _ if input.body.size == Some(0) => Then::Nothing,
            // passes that change scores may leave a shard's hits out of order
            [only] if request.rescore.is_empty() => Then::Fetch(Box::new(FetchAtOnce {
                skip: from,
                request: spec.request(only, &request.query, &named),
            })),
            _ => Then::Keep(FETCH_KEEP_ALIVE),
        };
        let asked = self.choose_shards(input, &request, &routes, &limits).await;
        let mut contexts: Vec<Option<ContextId>> = vec![None; routes.len()];
        let mut nodes: Vec<Option<NodeId>> = vec![None; routes.len()];
        let mut at_once = None;
        let reducer = Reducer::new(&request, routes.len(), input.batched_reduce_size);
        let reducer = Mutex::new(reducer);
        let phase = QueryPhase {
            input,
            request: &request,
            routes: &routes,
            limits: &limits,
            asked: &asked,
            then,
        };
        let is_needless = |place: usize| asked.is_needless(place, &request, &reducer.lock());
        let queried = self
            .query_phase(phase, is_needless, |place, reply| {
                let result = reply.map(|reply| {
                    nodes[place] = reply.node;
                    contexts[place] = reply.context;
                    at_once = reply.fetched;
                    reply.result
                });
                reducer.lock().add(place, result);
            })
            .await;
        let queried_at = self.clock.monotonic();
        let Queried { failures, held } = self.check_failures(input, &routes, queried)?;
        let reduced = reducer.into_inner().finish().map_err(reduce_error)?;
        let page = reduced.hits.get(from..).unwrap_or_default();
        let fetched = match at_once {
            Some(hits) => Fetched {
                hits: hits.into_iter().map(Some).collect(),
                ..Fetched::default()
            },
            None => {
                let phase = FetchPhase {
                    routes: &routes,
                    contexts: &contexts,
                    spec: &spec,
                    query: &request.query,
                    named: &named,
                    limits: &limits,
                    now_ms,
                    release: input.body.pit.is_none(),
                    at_once: self.at_once(input),
                };
                let fetched = fetch(self, &phase, page).await;
                if phase.release && fetched.failures.is_empty() {
                    let read = page.iter().filter_map(|hit| contexts[hit.shard].as_ref());
                    held.forget(&read.collect());
                }
                fetched
            }
        };
        // the readers of shards without hits: one word to each node, which nobody waits for
        drop(held);
        if fetched.lost_readers && may_begin_anew {
            return Ok(None);
        }
        let fetched_at = self.clock.monotonic();
        let mut answer = self.answer(
            input,
            &routes,
            &request,
            &reduced,
            failures,
            fetched.failures,
        )?;
        answer.shards.skipped = Some(asked.skipped());
        let mut inner = match &input.body.collapse {
            Some(collapse) if !collapse.inner_hits.is_empty() => {
                self.expand(input, collapse, page, cancel_by).await?
            }
            _ => Vec::new(),
        }
        .into_iter();
        let source = spec.shown_source();
        for (merged, document) in page.iter().zip(fetched.hits) {
            let inner_hits = inner.next().unwrap_or_default();
            let Some(document) = document else { continue };
            let parts = HitParts {
                route: &routes[merged.shard],
                merged,
                keys: input.sort_keys(),
                source: source.as_ref(),
                metadata: spec.shows_metadata(),
                named_scores: spec.named_scores,
                node: nodes[merged.shard]
                    .as_ref()
                    .map_or(&self.node_id, |node| &node.0),
            };
            let mut hit = HitJson::new(&parts, document);
            hit.inner_hits = inner_hits;
            answer.hits.push(hit);
        }
        answer.pit_id = input.body.pit.as_ref().map(|pit| pit.id.clone());
        answer.took_ms = millis(self.clock.monotonic().saturating_sub(started));
        answer.phase_took = input.phase_took.then(|| {
            (
                millis(queried_at.saturating_sub(started)),
                millis(fetched_at.saturating_sub(queried_at)),
            )
        });
        Ok(Some(answer))
    }

    /// The answer but for its hits and times.
    pub fn answer(
        &self,
        input: &SearchInput,
        routes: &[Route],
        request: &SearchRequest,
        reduced: &Reduced,
        mut failures: Vec<ShardFailure>,
        fetch_failures: Vec<ShardFailure>,
    ) -> Result<SearchAnswer, RestError> {
        let aggregations = if request.aggs.is_empty() || routes.is_empty() {
            None
        } else {
            let partials = reduced
                .aggs
                .clone()
                .unwrap_or_else(|| AggPartials::empty(&request.aggs));
            let state = self.state();
            let max_buckets = state
                .cluster_setting("search.max_buckets")
                .and_then(|text| text.parse().ok())
                .unwrap_or(MAX_BUCKETS_DEFAULT);
            let results = partials
                .finish(&request.aggs, max_buckets)
                .map_err(|error| reduce_failed(error.into()))?;
            Some(render_aggs(&results, input.render.typed_keys))
        };
        if !fetch_failures.is_empty()
            && (!allows_partial(input, &self.state())
                || fetch_failures.len() + failures.len() == routes.len())
        {
            // a lone shard is asked for both phases at once
            let (phase, reason) = match (routes.len(), failures.is_empty()) {
                (1, _) => ("query", "all shards failed"),
                (_, true) => ("fetch", "Partial shards failure"),
                (_, false) => ("fetch", "all shards failed"),
            };
            failures.extend(fetch_failures);
            return Err(phase_failed(phase, reason, &failures, &self.node_id));
        }
        failures.extend(fetch_failures);
        let scored = request.sort.is_empty()
            || request.track_scores
            || request
                .sort
                .iter()
                .any(|key| key.source == SortSource::Score);
        Ok(SearchAnswer {
            timed_out: reduced.timed_out,
            terminated_early: request.terminate_after.map(|_| reduced.terminated_early),
            reduce_phases: reduce_phases(routes.len(), input.batched_reduce_size),
            shards: ShardsJson {
                total: routes.len(),
                successful: routes.len() - failures.len(),
                skipped: Some(0),
                failed: failures.len(),
                failures: failures_json(&failures, &self.node_id),
            },
            total: reduced.total,
            max_score: match routes.is_empty() {
                // the answer of no shard at all has a score, of nothing
                true => Some(0.0),
                false => reduced
                    .max_score
                    .filter(|score| scored && request.size > 0 && !score.is_nan()),
            },
            aggregations,
            render: input.render,
            ..SearchAnswer::default()
        })
    }
}

/// The body's `timeout`, or the cluster's.
pub fn timeout_of(
    input: &SearchInput,
    state: &ClusterState,
) -> Result<Option<Duration>, RestError> {
    match &input.body.timeout {
        Some(text) => parse_time_value(text, "timeout"),
        None => Ok(time_setting(state, "search.default_search_timeout")),
    }
}

/// A cluster setting that is a time; `None` when it is -1.
fn time_setting(state: &ClusterState, key: &str) -> Option<Duration> {
    // it was read when it was set
    parse_time_value(state.effective_setting(key), key).ok()?
}

/// Refuses to ask more shards than the cluster allows one search.
fn check_shard_count(state: &ClusterState, shards: usize) -> Result<(), RestError> {
    const KEY: &str = "action.search.shard_count.limit";
    let most = state.setting_number(KEY, i64::MAX);
    if i64::try_from(shards).is_ok_and(|shards| shards <= most) {
        return Ok(());
    }
    Err(RestError::illegal_argument(format!(
        "Trying to query {shards} shards, which is over the limit of {most}. This limit exists because querying many \
         shards at the same time can make the job of the coordinating node very CPU and/or memory intensive. It is \
         usually a better idea to have a smaller number of larger shards. Update [{KEY}] to a greater value if you \
         really want to query that many shards at the same time."
    )))
}

/// The REST face of answers that do not go together.
pub fn reduce_error(error: ReduceError) -> RestError {
    match error {
        ReduceError::Aggs(error) => reduce_failed(error.into()),
        other => reduce_failed(RestError::illegal_argument(other.to_string())),
    }
}

/// Whole milliseconds.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
