//! One search as its user gave it, and the request to shards that it means.

use std::time::Duration;

use quidditch_engine::query::Query;
use quidditch_engine::search::{
    Collapse, FieldAndFormat, SearchRequest, SortKey, SortSource, TrackTotalHits,
};

use super::dsl::search_body::{SearchBody, TrackTotal};
use super::fetch::FetchSpec;
use super::rest::RestError;
use super::search_response::RenderOptions;
use crate::cluster::resolve::IndicesOptions;

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
    /// How many shards of one data node work at once.
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
    pub fn validate(&self) -> Result<(), RestError> {
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
