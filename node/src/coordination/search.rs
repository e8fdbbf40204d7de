//! A search from its parsed request to its answer: routes, query phase, merge, fetch phase.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use quidditch_engine::aggs::{AggPartials, MAX_BUCKETS_DEFAULT};
use quidditch_engine::query::Query;
use quidditch_engine::search::{
    Collapse, FieldAndFormat, SearchError, SearchRequest, SortKey, SortSource, TermStatistics,
    TrackTotalHits,
};
use tokio::time::Instant;

use super::can_match::AskedShards;
use super::dsl::aggs::{check_limits, render_aggs};
use super::dsl::search_body::{SearchBody, TrackTotal};
use super::failures::{ShardFailure, failures_json, phase_failed, reduce_failed};
use super::fan_out::{fan_out, fan_out_each};
use super::fetch::{FetchPhase, FetchSpec, fetch, has_names};
use super::reduce::{ReduceError, Reduced, Reducer, reduce_phases};
use super::rest::RestError;
use super::rest::units::parse_time_value;
use super::route::{Route, boost_routes, routes};
use super::search_response::{HitJson, HitParts, RenderOptions, SearchAnswer, ShardsJson};
use super::searcher::Searcher;
use crate::cluster::NodeId;
use crate::cluster::index_metadata::IndexMetadata;
use crate::cluster::resolve::IndicesOptions;
use crate::cluster::state::ClusterState;
use crate::data::search::{
    ContextId, FetchAtOnce, Purpose, SearchLimits, SearchService, ShardQuery, ShardQueryReply,
    ShardSearchError,
};
use crate::data::service::ShardTarget;

/// How long a reader waits for the fetch that follows a query.
const FETCH_KEEP_ALIVE: Duration = Duration::from_secs(300);

/// One search, parsed.
#[derive(Clone, Debug)]
pub struct SearchInput {
    /// Names of indices and aliases, patterns; empty: all.
    pub indices: Vec<String>,
    /// What the names may mean.
    pub options: IndicesOptions,
    /// The body, with what URL parameters added.
    pub body: SearchBody,
    /// Routing values, separated by commas.
    pub routing: Option<String>,
    /// Which copies to ask.
    pub preference: Option<String>,
    /// How long a scroll lives between two requests; `None`: no scroll.
    pub scroll: Option<Duration>,
    /// `request_cache`
    pub request_cache: Option<bool>,
    /// How many results are merged at once.
    pub batched_reduce_size: usize,
    /// Searches of more shards look which of them can have hits; `None`: as many as is usual.
    pub pre_filter_size: Option<usize>,
    /// How many shards work at once.
    pub max_concurrent_shard_requests: usize,
    /// Whether an answer may lack shards.
    pub allow_partial: Option<bool>,
    /// Whether term statistics of all shards are wanted.
    pub dfs: bool,
    /// When to give up as a whole.
    pub cancel_after: Option<Duration>,
    /// Whether to show how long each phase took.
    pub phase_took: bool,
    /// How the answer is written.
    pub render: RenderOptions,
}

impl SearchInput {
    /// A search of these indices with all defaults.
    pub fn new(indices: Vec<String>, body: SearchBody) -> SearchInput {
        SearchInput {
            indices,
            options: IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED,
            body,
            routing: None,
            preference: None,
            scroll: None,
            request_cache: None,
            batched_reduce_size: 512,
            pre_filter_size: None,
            max_concurrent_shard_requests: 5,
            allow_partial: None,
            dfs: false,
            cancel_after: None,
            phase_took: false,
            render: RenderOptions::default(),
        }
    }

    /// The mistakes that OpenSearch lists before it does anything.
    fn validate(&self) -> Result<(), RestError> {
        let body = &self.body;
        let mut mistakes: Vec<&str> = Vec::new();
        let scroll = self.scroll.is_some();
        if scroll {
            if !matches!(body.track_total_hits, None | Some(TrackTotal::Exact)) {
                mistakes.push("disabling [track_total_hits] is not allowed in a scroll context");
            }
            if body.from.unwrap_or(0) > 0 {
                mistakes.push("using [from] is not allowed in a scroll context");
            }
            if body.size == Some(0) {
                mistakes.push("[size] cannot be [0] in a scroll context");
            }
            if self.request_cache == Some(true) {
                mistakes.push("[request_cache] cannot be used in a scroll context");
            }
            if body.pit.is_some() {
                mistakes.push("using [point in time] is not allowed in a scroll context");
            }
            if !body.rescore.is_empty() {
                mistakes.push("using [rescore] is not allowed in a scroll context");
            }
        }
        if body.pit.is_some() {
            if !self.indices.is_empty() {
                mistakes.push(
                    "[indices] cannot be used with point in time. Do not specify any index with point in time.",
                );
            }
            if self.routing.is_some() {
                mistakes.push("[routing] cannot be used with point in time");
            }
            if self.preference.is_some() {
                mistakes.push("[preference] cannot be used with point in time");
            }
        }
        let shard_docs = body
            .sort
            .iter()
            .filter(|key| key.source == SortSource::ShardDoc)
            .count();
        if shard_docs > 0 && scroll {
            mistakes.push("_shard_doc cannot be used with scroll. Use PIT + search_after instead.");
        }
        if shard_docs > 0 && body.pit.is_none() {
            mistakes.push("_shard_doc is only supported with point-in-time (PIT). Add a PIT or remove _shard_doc.");
        }
        if shard_docs > 1 {
            mistakes.push("duplicate _shard_doc sort detected. Specify it at most once.");
        }
        if mistakes.is_empty() {
            return Ok(());
        }
        let mistakes: Vec<String> = mistakes.into_iter().map(str::to_owned).collect();
        Err(RestError::validation(&mistakes))
    }

    /// The keys that hits are sorted by; none for the order of scores, however it was asked for.
    pub fn sort_keys(&self) -> &[SortKey] {
        match self.body.sort.as_slice() {
            [only] if *only == SortKey::score() => &[],
            keys => keys,
        }
    }

    /// The request for all shards.
    pub fn request(&self, now_ms: i64) -> SearchRequest {
        let body = &self.body;
        let query = body.query.clone().unwrap_or_else(Query::match_all);
        let sort = self.sort_keys().to_vec();
        SearchRequest {
            post_filter: body.post_filter.clone(),
            size: (body.from.unwrap_or(0) as usize)
                .saturating_add(body.size.unwrap_or(10) as usize),
            search_after: body.search_after.clone(),
            track_scores: body.track_scores.unwrap_or(false),
            track_total_hits: match body.track_total_hits {
                _ if self.scroll.is_some() => TrackTotalHits::All,
                None => TrackTotalHits::UpTo(10_000),
                Some(TrackTotal::Exact) => TrackTotalHits::All,
                Some(TrackTotal::Off) => TrackTotalHits::No,
                Some(TrackTotal::UpTo(count)) => {
                    TrackTotalHits::UpTo(u64::from(count.unsigned_abs()))
                }
            },
            min_score: body.min_score,
            terminate_after: body
                .terminate_after
                .filter(|count| *count > 0)
                .map(|count| count as u64),
            collapse: body.collapse.as_ref().map(|collapse| Collapse {
                field: collapse.field.clone(),
            }),
            rescore: body.rescore.clone(),
            aggs: body.aggs.clone(),
            now_ms,
            sort,
            ..SearchRequest::new(query)
        }
    }

    /// What to show of hits.
    pub fn fetch_spec(&self) -> FetchSpec {
        let body = &self.body;
        let mut docvalue_fields = body.docvalue_fields.clone();
        if let Some(collapse) = &body.collapse
            && !docvalue_fields
                .iter()
                .any(|known| known.field == collapse.field)
        {
            docvalue_fields.push(FieldAndFormat {
                field: collapse.field.clone(),
                format: None,
            });
        }
        FetchSpec {
            source: body.source.clone(),
            stored_fields: body.stored_fields.clone(),
            docvalue_fields,
            fields: body.fields.clone(),
            highlight: body.highlight.clone(),
            version: body.version.unwrap_or(false),
            seq_no_primary_term: body.seq_no_primary_term.unwrap_or(false),
            explain: body.explain.unwrap_or(false),
            rescore: body.rescore.clone(),
            named_scores: body.include_named_queries_score.unwrap_or(false),
        }
    }
}

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

/// What the settings of an index forbid, as the shard would say it.
pub fn check_index_limits(input: &SearchInput, index: &IndexMetadata) -> Result<(), SearchError> {
    let settings = &index.schema.settings;
    let body = &input.body;
    let size = body.size.unwrap_or(10) as usize;
    let from = body.from.unwrap_or(0) as usize;
    let window = settings.max_result_window;
    if input.scroll.is_some() && size > window {
        return Err(SearchError::illegal(format!(
            "Batch size is too large, size must be less than or equal to: [{window}] but was [{size}]. Scroll batch \
             sizes cost as much memory as result windows so they are controlled by the [index.max_result_window] \
             index level setting."
        )));
    }
    if from + size > window {
        return Err(SearchError::illegal(format!(
            "Result window is too large, from + size must be less than or equal to: [{window}] but was [{}]. See the \
             scroll api for a more efficient way to request large data sets. This limit can be set by changing the \
             [index.max_result_window] index level setting.",
            from + size
        )));
    }
    check_limits(&body.aggs, settings)?;
    let asked = body.docvalue_fields.len();
    let allowed = settings.max_docvalue_fields_search;
    if asked > allowed {
        return Err(SearchError::illegal(format!(
            "Trying to retrieve too many docvalue_fields. Must be less than or equal to: [{allowed}] but was \
             [{asked}]. This limit can be set by changing the [index.max_docvalue_fields_search] index level setting."
        )));
    }
    if body.script_fields > settings.max_script_fields {
        return Err(SearchError::illegal(format!(
            "Trying to retrieve too many script_fields. Must be less than or equal to: [{}] but was [{}]. This limit \
             can be set by changing the [index.max_script_fields] index level setting.",
            settings.max_script_fields, body.script_fields
        )));
    }
    if body.script_fields > 0 {
        return Err(SearchError::illegal(
            "[script_fields] is not supported in a search body",
        ));
    }
    for pass in &body.rescore {
        let allowed = settings.max_rescore_window;
        if pass.window_size > allowed {
            return Err(SearchError::illegal(format!(
                "Rescore window [{}] is too large. It must be less than [{allowed}]. This prevents allocating massive \
                 heaps for storing the results to be rescored. This limit can be set by changing the \
                 [index.max_rescore_window] index level setting.",
                pass.window_size
            )));
        }
    }
    if !body.rescore.is_empty() && !input.sort_keys().is_empty() {
        return Err(SearchError::illegal(
            "Cannot use [sort] option in conjunction with [rescore].",
        ));
    }
    check_collapse(input, index)?;
    if let Some(slice) = &body.slice {
        if body.pit.is_some() {
            let set = index.setting("index.max_slices_per_pit");
            let allowed = set.and_then(|text| text.parse().ok()).unwrap_or(1024);
            check_slices(slice.max, allowed, "index.max_slices_per_pit")?;
        } else {
            let allowed = settings.max_slices_per_scroll;
            check_slices(slice.max, allowed, "index.max_slices_per_scroll")?;
        }
    }
    if body.search_after.is_some() && from > 0 {
        return Err(SearchError::illegal(
            "`from` parameter must be set to 0 when `search_after` is used.",
        ));
    }
    if let Some(after) = &body.search_after {
        let keys = input.sort_keys().len();
        if keys == 0 {
            return Err(SearchError::illegal(
                "Sort must contain at least one field.",
            ));
        }
        if keys != after.len() {
            return Err(SearchError::illegal(format!(
                "search_after has {} value(s) but sort has {keys}.",
                after.len()
            )));
        }
    }
    if body.slice.is_some() && input.scroll.is_none() && body.pit.is_none() {
        return Err(SearchError::illegal(
            "[slice] can only be used with [scroll] or [point-in-time] requests",
        ));
    }
    if body.search_after.is_some() && input.scroll.is_some() {
        return Err(SearchError::illegal(
            "`search_after` cannot be used in a scroll context.",
        ));
    }
    Ok(())
}

/// What does not go together with `collapse`.
fn check_collapse(input: &SearchInput, index: &IndexMetadata) -> Result<(), SearchError> {
    let Some(collapse) = &input.body.collapse else {
        return Ok(());
    };
    let body = &input.body;
    let refused = |what: &str| {
        Err(SearchError::illegal(format!(
            "cannot use `collapse` in {what}"
        )))
    };
    if input.scroll.is_some() {
        return refused("a scroll context");
    }
    if body.search_after.is_some() {
        return refused("conjunction with `search_after`");
    }
    if !body.rescore.is_empty() {
        return refused("conjunction with `rescore`");
    }
    let field = index.schema.mapping.field(&collapse.field);
    if !collapse.inner_hits.is_empty() && field.is_some_and(|field| !field.indexed()) {
        return Err(SearchError::illegal(format!(
            "cannot expand `inner_hits` for collapse field `{}`, only indexed field can retrieve `inner_hits`",
            collapse.field
        )));
    }
    Ok(())
}

/// What became of the query phase, but for the answers.
pub struct Queried {
    /// The shards that failed, in the order of the routes.
    pub failures: Vec<ShardFailure>,
    /// The readers that it opened.
    pub held: HeldContexts,
}

/// What the query phase asks of whom.
pub struct QueryPhase<'a> {
    /// The search.
    pub input: &'a SearchInput,
    /// The request for all shards.
    pub request: &'a SearchRequest,
    /// All shards.
    pub routes: &'a [Route],
    /// What goes with the request, by place.
    pub limits: &'a [SearchLimits],
    /// Those that are asked.
    pub asked: &'a AskedShards,
    /// What follows.
    pub then: Then,
}

/// What follows the query phase.
pub enum Then {
    /// Nothing: no hit is shown.
    Nothing,
    /// The readers that it opens live on for so long.
    Keep(Duration),
    /// Every shard reads its hits at once.
    Fetch(Box<FetchAtOnce>),
}

/// Readers that a search opened. They are closed with it, however it ends, unless they are kept for its next page.
pub struct HeldContexts {
    service: Arc<dyn SearchService>,
    open: Mutex<Vec<(ShardTarget, ContextId)>>,
}

impl HeldContexts {
    fn add(&self, target: &ShardTarget, id: ContextId) {
        self.open.lock().push((target.clone(), id));
    }

    /// Some of them are closed already: nobody has to be told.
    fn forget(&self, closed: &HashSet<&ContextId>) {
        self.open.lock().retain(|(_, id)| !closed.contains(id));
    }

    /// Leaves the readers open.
    pub fn keep(self) {
        self.open.lock().clear();
    }
}

impl Drop for HeldContexts {
    fn drop(&mut self) {
        let open = std::mem::take(self.open.get_mut());
        if !open.is_empty() {
            self.service.release_contexts(open);
        }
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
        if input.scroll.is_some() {
            return self
                .begin_scroll(input, &state, routes, started, cancel_by)
                .await;
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
        let (fetched, fetch_failures) = match at_once {
            Some(fetched) => (fetched.into_iter().map(Some).collect(), Vec::new()),
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
                    at_once: input.max_concurrent_shard_requests,
                };
                let (fetched, fetch_failures) = fetch(self, &phase, page).await;
                if phase.release && fetch_failures.is_empty() {
                    let read = page.iter().filter_map(|hit| contexts[hit.shard].as_ref());
                    held.forget(&read.collect());
                }
                (fetched, fetch_failures)
            }
        };
        // the readers of shards without hits: one word to each node, which nobody waits for
        drop(held);
        let fetched_at = self.clock.monotonic();
        let mut answer =
            self.answer(input, &routes, &request, &reduced, failures, fetch_failures)?;
        answer.shards.skipped = Some(asked.skipped());
        let mut inner = match &input.body.collapse {
            Some(collapse) if !collapse.inner_hits.is_empty() => {
                self.expand(input, collapse, page, cancel_by).await?
            }
            _ => Vec::new(),
        }
        .into_iter();
        let source = spec.shown_source();
        for (merged, document) in page.iter().zip(fetched) {
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
        Ok(answer)
    }

    /// Gives every shard the term statistics of all, if that is wanted.
    ///
    /// A shard that cannot tell its own is left out of the sum; it will fail the query phase for the same reason.
    pub async fn add_statistics(
        &self,
        input: &SearchInput,
        request: &SearchRequest,
        routes: &[Route],
        limits: &mut [SearchLimits],
    ) {
        if !input.dfs || routes.len() < 2 {
            return;
        }
        let mut jobs = Vec::new();
        for (route, limits) in routes.iter().zip(limits.iter()) {
            let query = ShardQuery {
                request: route.request(request),
                limits: limits.clone(),
                context: route.context.clone(),
                preference: route.preference.clone(),
                keep_alive: None,
                purpose: Purpose::Fetch,
                fetch: None,
            };
            jobs.push(
                async move { self.service.term_statistics(&route.target, query).await }.boxed(),
            );
        }
        let mut sum = TermStatistics::default();
        for statistics in fan_out(jobs, input.max_concurrent_shard_requests)
            .await
            .into_iter()
            .flatten()
        {
            sum.add(statistics);
        }
        for limits in limits {
            limits.statistics = Some(sum.clone());
        }
    }

    /// Asks the shards, at most so many at once.
    ///
    /// * `is_needless`: whether the shard at a place need not be asked, after what others have found.
    /// * `take`: takes each answer as it comes, with the shard's place; `None`: it failed, or was not asked.
    pub async fn query_phase(
        &self,
        phase: QueryPhase<'_>,
        is_needless: impl Fn(usize) -> bool + Sync,
        mut take: impl FnMut(usize, Option<ShardQueryReply>) + Send,
    ) -> Queried {
        let QueryPhase {
            input,
            request,
            routes,
            limits,
            asked,
            then,
        } = phase;
        let (keep_alive, fetch) = match then {
            Then::Nothing => (None, None),
            Then::Keep(time) => (Some(time), None),
            Then::Fetch(fetch) => (None, Some(*fetch)),
        };
        let held = HeldContexts {
            service: self.service.clone(),
            open: Mutex::default(),
        };
        let mut is_asked = vec![false; routes.len()];
        let mut jobs = Vec::with_capacity(asked.places.len());
        for place in asked.places.iter().copied() {
            is_asked[place] = true;
            let route = &routes[place];
            let (held, is_needless, fetch) = (&held, &is_needless, &fetch);
            jobs.push(
                async move {
                    if is_needless(place) {
                        return (place, Ok(None));
                    }
                    let query = ShardQuery {
                        request: route.request(request),
                        limits: limits[place].clone(),
                        context: route.context.clone(),
                        preference: route.preference.clone(),
                        keep_alive: match route.context {
                            Some(_) => route.keep_alive,
                            None => keep_alive,
                        },
                        purpose: match input.scroll {
                            Some(_) => Purpose::Scroll,
                            None => Purpose::Fetch,
                        },
                        fetch: fetch.clone(),
                    };
                    let answer = self.query_shard(input, route, query, held).await;
                    (place, answer.map(Some))
                }
                .boxed(),
            );
        }
        for place in (0..routes.len()).filter(|place| !is_asked[*place]) {
            take(place, None);
        }
        let mut failed = BTreeMap::new();
        fan_out_each(
            jobs,
            input.max_concurrent_shard_requests,
            |(place, answer)| {
                let reply = answer.unwrap_or_else(|error| {
                    failed.insert(place, ShardFailure::new(&routes[place], error));
                    None
                });
                take(place, reply);
            },
        )
        .await;
        Queried {
            failures: failed.into_values().collect(),
            held,
        }
    }

    /// Asks one shard, and takes note of the reader that stays open.
    async fn query_shard(
        &self,
        input: &SearchInput,
        route: &Route,
        query: ShardQuery,
        held: &HeldContexts,
    ) -> Result<ShardQueryReply, ShardSearchError> {
        check_index_limits(input, &route.index)?;
        let reply = self.service.query(&route.target, query).await?;
        if route.context.is_none()
            && let Some(id) = &reply.context
        {
            held.add(&route.target, id.clone());
        }
        Ok(reply)
    }

    /// Fails the search if no shard answered, or if some did not and the answer must be whole.
    pub fn check_failures(
        &self,
        input: &SearchInput,
        routes: &[Route],
        queried: Queried,
    ) -> Result<Queried, RestError> {
        if queried.failures.is_empty() {
            return Ok(queried);
        }
        if queried.failures.len() == routes.len() {
            return Err(phase_failed(
                "query",
                "all shards failed",
                &queried.failures,
                &self.node_id,
            ));
        }
        if !allows_partial(input, &self.state()) {
            return Err(phase_failed(
                "query",
                "Partial shards failure",
                &queried.failures,
                &self.node_id,
            ));
        }
        Ok(queried)
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

/// Whether an answer may leave out shards that failed.
fn allows_partial(input: &SearchInput, state: &ClusterState) -> bool {
    let default = || state.effective_setting("search.default_allow_partial_results") == "true";
    input.allow_partial.unwrap_or_else(default)
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

/// Refuses more slices than a setting of an index allows.
pub fn check_slices(count: u32, allowed: usize, setting: &str) -> Result<(), SearchError> {
    if count as usize <= allowed {
        return Ok(());
    }
    Err(SearchError::illegal(format!(
        "The number of slices [{count}] is too large. It must be less than [{allowed}]. This limit can be set by \
         changing the [{setting}] index level setting."
    )))
}
