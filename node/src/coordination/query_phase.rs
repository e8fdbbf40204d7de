//! The query phase: every shard finds its hits.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt;
use quidditch_engine::search::{SearchError, SearchRequest, TermStatistics};

use super::can_match::AskedShards;
use super::failures::{ShardFailure, phase_failed};
use super::fan_out::{fan_out, fan_out_each};
use super::held::HeldContexts;
use super::index_limits::check_index_limits;
use super::rest::RestError;
use super::route::Route;
use super::search_input::SearchInput;
use super::searcher::Searcher;
use crate::cluster::state::ClusterState;
use crate::data::search::{
    FetchAtOnce, Purpose, SearchLimits, ShardQuery, ShardQueryReply, ShardSearchError,
};

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

impl Searcher {
    /// How many shards work for a search at once: as many as it may ask of every data node.
    pub fn at_once(&self, input: &SearchInput) -> usize {
        let nodes = self.state().data_nodes().count().max(1);
        input.max_concurrent_shard_requests.saturating_mul(nodes)
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
        for statistics in fan_out(jobs, self.at_once(input))
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
        let held = HeldContexts::new(self.service.clone());
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
        fan_out_each(jobs, self.at_once(input), |(place, answer)| {
            let reply = answer.unwrap_or_else(|error| {
                failed.insert(place, ShardFailure::new(&routes[place], error));
                None
            });
            take(place, reply);
        })
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
        if reply.result.timed_out && !allows_partial(input, &self.state()) {
            return Err(ShardSearchError::Search(SearchError::Refused {
                kind: "query_phase_execution_exception".to_owned(),
                reason: "Time exceeded".to_owned(),
                status: 500,
                cause: None,
            }));
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
}

/// Whether an answer may leave out shards that failed.
pub fn allows_partial(input: &SearchInput, state: &ClusterState) -> bool {
    let default = || state.effective_setting("search.default_allow_partial_results") == "true";
    input.allow_partial.unwrap_or_else(default)
}
