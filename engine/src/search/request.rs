//! What a search asks of one shard in its query phase.

use serde::{Deserialize, Serialize};

use super::{Rescore, SortKey};
use crate::aggs::AggRequest;
use crate::query::Query;
use crate::value::Value;

/// The query phase's request; the same for every shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// What to find.
    pub query: Query,
    /// What the request may see of the index, as an alias narrows it; part of `query` already. `None`: everything.
    pub visible: Option<Query>,
    /// Applied to hits, not to aggregations.
    pub post_filter: Option<Query>,
    /// How many hits a shard gives: `from + size` of the user.
    pub size: usize,
    /// Empty: by score, highest first.
    pub sort: Vec<SortKey>,
    /// Only hits after these sort values.
    pub search_after: Option<Vec<Value>>,
    /// Whether hits have scores although they are sorted by something else.
    pub track_scores: bool,
    /// How exactly hits are counted.
    pub track_total_hits: TrackTotalHits,
    /// Documents that score less are neither hits nor counted nor aggregated.
    pub min_score: Option<f32>,
    /// Stops after so many documents; `None` or 0: never.
    pub terminate_after: Option<u64>,
    /// The part of the shard to look at.
    pub slice: Option<Slice>,
    /// One hit per value of a field.
    pub collapse: Option<Collapse>,
    /// Passes that order the best documents anew; not with `sort` or `collapse`.
    pub rescore: Vec<Rescore>,
    /// Aggregations over all that the query finds.
    pub aggs: Vec<AggRequest>,
    /// What `now` means on every shard, in milliseconds since the epoch: a shard makes its
    /// [`SearchContext`](super::SearchContext) with it.
    pub now_ms: i64,
}

impl SearchRequest {
    /// A request for the 10 best documents, with OpenSearch's defaults.
    pub fn new(query: Query) -> Self {
        SearchRequest {
            query,
            visible: None,
            post_filter: None,
            size: 10,
            sort: Vec::new(),
            search_after: None,
            track_scores: false,
            track_total_hits: TrackTotalHits::UpTo(10_000),
            min_score: None,
            terminate_after: None,
            slice: None,
            collapse: None,
            rescore: Vec::new(),
            aggs: Vec::new(),
            now_ms: 0,
        }
    }
}

/// How exactly hits are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrackTotalHits {
    /// Not at all.
    No,
    /// Exactly up to this number; beyond it, it is enough to know that there are more.
    UpTo(u64),
    /// Exactly.
    All,
}

/// One of `max` disjoint parts of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// From 0 to `max - 1`.
    pub id: u32,
    /// At least 2.
    pub max: u32,
    /// What divides; `None` or `_id`: the document's name; else a numeric field with doc values.
    pub field: Option<String>,
}

/// One hit per value of a field: the best one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collapse {
    /// A keyword or numeric field with doc values and at most one value per document.
    pub field: String,
}
