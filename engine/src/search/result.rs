//! What the two phases answer.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::highlight::HighlightRequest;
use super::{Rescore, SortValue};
use crate::aggs::AggPartials;
use crate::ids::DocId;
use crate::query::Query;
use crate::value::Value;

/// Where a document is in a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocAddress {
    /// Position of the segment in the reader.
    pub segment: u32,
    /// Document in the segment.
    pub doc: DocId,
}

/// One of a shard's best documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardHit {
    /// Where it is.
    pub doc: DocAddress,
    /// NaN: it has none.
    pub score: f32,
    /// One value per sort key; empty when sorted by score alone.
    pub sort: Vec<SortValue>,
    /// The value it was collapsed by.
    pub collapse: Option<Value>,
}

/// Whether a count is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HitRelation {
    /// Exact.
    Eq,
    /// At least so many.
    Gte,
}

/// How many documents match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HitCount {
    /// The number.
    pub value: u64,
    /// Whether it is exact.
    pub relation: HitRelation,
}

/// The query phase's answer of one shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardQueryResult {
    /// The best documents, best first.
    pub hits: Vec<ShardHit>,
    /// How many match; `None` when not tracked.
    pub total: Option<HitCount>,
    /// Highest score; `None` without hits or scores.
    pub max_score: Option<f32>,
    /// What the aggregations know; `None` when none were asked.
    pub aggs: Option<AggPartials>,
    /// Whether `terminate_after` stopped the search.
    pub terminated_early: bool,
    /// Whether the deadline stopped the search.
    pub timed_out: bool,
}

/// A field, or a pattern of field names, to show, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldAndFormat {
    /// Path or pattern.
    pub field: String,
    /// Format of dates and numbers; `None`: the field's own.
    pub format: Option<String>,
}

/// What to show of documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchRequest {
    /// The `_source`, whole.
    pub source: bool,
    /// Names or patterns of stored fields.
    pub stored_fields: Vec<String>,
    /// Fields from doc values.
    pub docvalue_fields: Vec<FieldAndFormat>,
    /// Fields from the `_source`, by mapping.
    pub fields: Vec<FieldAndFormat>,
    /// The `_version`.
    pub version: bool,
    /// `_seq_no` and `_primary_term`.
    pub seq_no_primary_term: bool,
    /// Scores explained by this query.
    pub explain: Option<Query>,
    /// Queries whose named clauses are reported by the hits that they match.
    pub named_queries: Vec<Query>,
    /// Whether those clauses are scored.
    pub named_scores: bool,
    /// The passes that changed the scores that are explained.
    pub rescore: Vec<Rescore>,
    /// Text shown with what was found in it marked.
    pub highlight: Option<HighlightRequest>,
}

impl Default for FetchRequest {
    fn default() -> Self {
        FetchRequest {
            source: true,
            stored_fields: Vec::new(),
            docvalue_fields: Vec::new(),
            fields: Vec::new(),
            version: false,
            seq_no_primary_term: false,
            explain: None,
            named_queries: Vec::new(),
            named_scores: false,
            rescore: Vec::new(),
            highlight: None,
        }
    }
}

/// What is shown of one document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchedHit {
    /// Its name.
    pub id: String,
    /// The routing it was written with.
    pub routing: Option<String>,
    /// The `_source`; `None` when not asked or not stored.
    pub source: Option<Bytes>,
    /// If asked.
    pub version: Option<u64>,
    /// If asked.
    pub seq_no: Option<i64>,
    /// If asked.
    pub primary_term: Option<u64>,
    /// Values of stored fields, doc value fields and `fields`, by name.
    pub fields: Vec<(String, Vec<Value>)>,
    /// Marked fragments of text, by field.
    pub highlight: Vec<(String, Vec<String>)>,
    /// Values of `fields` that are objects, as JSON texts, by name.
    #[serde(default)]
    pub trees: Vec<(String, Vec<String>)>,
    /// Names of the clauses that it matches, in the order of the query, and their scores if asked.
    pub matched_queries: Vec<(String, f32)>,
    /// Fields that were ignored when it was indexed.
    pub ignored: Vec<String>,
    /// How its score came about.
    pub explanation: Option<crate::exec::Explanation>,
}
