//! The answer of a search, in the order of keys that clients know.

use std::collections::BTreeMap;

use quidditch_engine::exec::Explanation;
use quidditch_engine::schema::FieldKind;
use quidditch_engine::search::{FetchedHit, HitCount, HitRelation, SortKey, SortSource, SortValue};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::dsl::json::from_scalar;
use super::dsl::source::FetchSource;
use super::failures::ShardFailure;
use super::reduce::MergedHit;
use super::route::Route;

/// How the answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RenderOptions {
    /// Aggregations carry their type in the name: `sterms#colours`.
    pub typed_keys: bool,
    /// `hits.total` is a bare number.
    pub total_as_int: bool,
}

/// One hit as it is shown.
#[derive(Clone, Debug, Default)]
pub struct HitJson {
    /// Name of the index.
    pub index: String,
    /// `_shard` and `_node`, shown with explanations.
    pub place: Option<(String, String)>,
    /// `_id`; `None` when metadata is not shown.
    pub id: Option<String>,
    /// `_version`
    pub version: Option<u64>,
    /// `_seq_no`
    pub seq_no: Option<i64>,
    /// `_primary_term`
    pub primary_term: Option<u64>,
    /// `_score`; `None` is shown as `null`.
    pub score: Option<f32>,
    /// `_routing`
    pub routing: Option<String>,
    /// `_ignored`
    pub ignored: Vec<String>,
    /// `_source`
    pub source: Option<Box<RawValue>>,
    /// `fields`
    pub fields: BTreeMap<String, Vec<Value>>,
    /// `highlight`
    pub highlight: Map<String, Value>,
    /// `sort`
    pub sort: Option<Vec<Value>>,
    /// `matched_queries`
    pub matched_queries: Vec<(String, f32)>,
    /// Whether those are shown with their scores.
    pub named_scores: bool,
    /// `_explanation`
    pub explanation: Option<Value>,
    /// `inner_hits`
    pub inner_hits: Vec<(String, Box<RawValue>)>,
}

impl Serialize for HitJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some((shard, node)) = &self.place {
            map.serialize_entry("_shard", shard)?;
            map.serialize_entry("_node", node)?;
        }
        map.serialize_entry("_index", &self.index)?;
        if let Some(id) = &self.id {
            map.serialize_entry("_id", id)?;
        }
        if let Some(version) = self.version {
            map.serialize_entry("_version", &version)?;
        }
        if let Some(seq_no) = self.seq_no {
            map.serialize_entry("_seq_no", &seq_no)?;
        }
        if let Some(term) = self.primary_term {
            map.serialize_entry("_primary_term", &term)?;
        }
        map.serialize_entry("_score", &self.score)?;
        if let Some(routing) = &self.routing {
            map.serialize_entry("_routing", routing)?;
        }
        if !self.ignored.is_empty() {
            map.serialize_entry("_ignored", &self.ignored)?;
        }
        if let Some(source) = &self.source {
            map.serialize_entry("_source", source)?;
        }
        if !self.fields.is_empty() {
            map.serialize_entry("fields", &self.fields)?;
        }
        if !self.highlight.is_empty() {
            map.serialize_entry("highlight", &self.highlight)?;
        }
        if let Some(sort) = &self.sort {
            map.serialize_entry("sort", sort)?;
        }
        if !self.matched_queries.is_empty() {
            if self.named_scores {
                let scores: BTreeMap<&str, f32> = self
                    .matched_queries
                    .iter()
                    .map(|(name, score)| (name.as_str(), *score))
                    .collect();
                map.serialize_entry("matched_queries", &scores)?;
            } else {
                let names: Vec<&str> = self
                    .matched_queries
                    .iter()
                    .map(|(name, _)| name.as_str())
                    .collect();
                map.serialize_entry("matched_queries", &names)?;
            }
        }
        if let Some(explanation) = &self.explanation {
            map.serialize_entry("_explanation", explanation)?;
        }
        if !self.inner_hits.is_empty() {
            let lists: BTreeMap<&str, &RawValue> = self
                .inner_hits
                .iter()
                .map(|(name, hits)| (name.as_str(), &**hits))
                .collect();
            map.serialize_entry("inner_hits", &lists)?;
        }
        map.end()
    }
}

/// What a hit is made of.
pub struct HitParts<'a> {
    /// Its shard.
    pub route: &'a Route,
    /// Where it stands in the order.
    pub merged: &'a MergedHit,
    /// The sort keys that the user gave.
    pub keys: &'a [SortKey],
    /// The part of the source to show.
    pub source: Option<&'a FetchSource>,
    /// Whether `_id` and other metadata are shown.
    pub metadata: bool,
    /// Whether matched queries are shown with their scores.
    pub named_scores: bool,
    /// Id of the node, shown with explanations.
    pub node: &'a str,
}

impl HitJson {
    /// Puts a hit together from both phases.
    pub fn new(parts: &HitParts<'_>, fetched: FetchedHit) -> HitJson {
        let route = parts.route;
        let mut hit = HitJson {
            index: route.target.index.clone(),
            score: Some(parts.merged.hit.score).filter(|score| !score.is_nan()),
            version: fetched.version,
            seq_no: fetched.seq_no,
            primary_term: fetched.primary_term,
            ..HitJson::default()
        };
        if let Some(explanation) = &fetched.explanation {
            let place = format!("[{}][{}]", route.target.index, route.target.shard);
            hit.place = Some((place, parts.node.to_owned()));
            hit.explanation = Some(explanation_json(explanation));
        }
        if parts.metadata {
            hit.id = Some(fetched.id);
            hit.routing = fetched.routing;
            hit.ignored = fetched.ignored;
        }
        if let (Some(filter), Some(source)) = (parts.source, &fetched.source) {
            hit.source = filter.apply(source);
        }
        for (name, values) in fetched.fields {
            if !values.is_empty() {
                hit.fields
                    .insert(name, values.iter().map(from_scalar).collect());
            }
        }
        for (name, texts) in fetched.trees {
            let trees = texts
                .iter()
                .filter_map(|text| serde_json::from_str(text).ok());
            hit.fields.insert(name, trees.collect());
        }
        for (name, fragments) in fetched.highlight {
            hit.highlight.insert(name, json!(fragments));
        }
        if !parts.keys.is_empty() {
            let pairs = parts.keys.iter().zip(&parts.merged.hit.sort);
            hit.sort = Some(
                pairs
                    .map(|(key, value)| sort_json(route, key, value))
                    .collect(),
            );
        }
        hit.matched_queries = fetched.matched_queries;
        hit.named_scores = parts.named_scores;
        hit
    }
}

/// A sort value as it is shown: single precision where the score or the field has no more.
fn sort_json(route: &Route, key: &SortKey, value: &SortValue) -> Value {
    if let SortValue::F64(number) = value {
        let single = match &key.source {
            SortSource::Score => true,
            SortSource::Field(path) => {
                route.index.schema.mapping.field(path).is_some_and(|field| {
                    matches!(field.kind(), FieldKind::Float | FieldKind::HalfFloat)
                })
            }
            SortSource::Doc | SortSource::ShardDoc => false,
        };
        if single && number.is_finite() && key.numeric_type.is_none() {
            return json!(*number as f32);
        }
    }
    from_scalar(&value.to_value())
}

/// An explanation as it is shown.
pub fn explanation_json(explanation: &Explanation) -> Value {
    json!({
        "value": explanation.value as f32,
        "description": explanation.description,
        "details": explanation.details.iter().map(explanation_json).collect::<Vec<Value>>(),
    })
}

/// Counts of shards.
#[derive(Clone, Debug, Default)]
pub struct ShardsJson {
    /// All that were asked.
    pub total: usize,
    /// Those that answered.
    pub successful: usize,
    /// Those that needed not be asked.
    pub skipped: Option<usize>,
    /// Those that did not answer.
    pub failed: usize,
    /// Why, grouped.
    pub failures: Vec<Value>,
}

impl Serialize for ShardsJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("total", &self.total)?;
        map.serialize_entry("successful", &self.successful)?;
        if let Some(skipped) = self.skipped {
            map.serialize_entry("skipped", &skipped)?;
        }
        map.serialize_entry("failed", &self.failed)?;
        if !self.failures.is_empty() {
            map.serialize_entry("failures", &self.failures)?;
        }
        map.end()
    }
}

/// A search's answer.
#[derive(Clone, Debug, Default)]
pub struct SearchAnswer {
    /// `_scroll_id`
    pub scroll_id: Option<String>,
    /// `pit_id`
    pub pit_id: Option<String>,
    /// Milliseconds from the request to here.
    pub took_ms: u64,
    /// Milliseconds of the query and the fetch phase, if they are to be shown.
    pub phase_took: Option<(u64, u64)>,
    /// Whether a shard ran out of time.
    pub timed_out: bool,
    /// Whether a shard stopped early; shown if `terminate_after` was given.
    pub terminated_early: Option<bool>,
    /// How many times results were merged; shown if more than once.
    pub reduce_phases: usize,
    /// `_shards`
    pub shards: ShardsJson,
    /// Shards that a page of a scroll could not be had from, for those that go on with it.
    pub shard_failures: Vec<ShardFailure>,
    /// `hits.total`
    pub total: Option<HitCount>,
    /// `hits.max_score`
    pub max_score: Option<f32>,
    /// `hits.hits`
    pub hits: Vec<HitJson>,
    /// `aggregations`
    pub aggregations: Option<Value>,
    /// How it is written.
    pub render: RenderOptions,
    /// Shown by `_msearch` for each item.
    pub status: Option<u16>,
}

impl Serialize for SearchAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(id) = &self.scroll_id {
            map.serialize_entry("_scroll_id", id)?;
        }
        if let Some(id) = &self.pit_id {
            map.serialize_entry("pit_id", id)?;
        }
        map.serialize_entry("took", &self.took_ms)?;
        if let Some((query, fetch)) = self.phase_took {
            map.serialize_entry(
                "phase_took",
                &json!({
                    "dfs_pre_query": 0, "query": query, "fetch": fetch, "dfs_query": 0, "expand": 0, "can_match": 0,
                }),
            )?;
        }
        map.serialize_entry("timed_out", &self.timed_out)?;
        if let Some(early) = self.terminated_early {
            map.serialize_entry("terminated_early", &early)?;
        }
        if self.reduce_phases > 1 {
            map.serialize_entry("num_reduce_phases", &self.reduce_phases)?;
        }
        map.serialize_entry("_shards", &self.shards)?;
        map.serialize_entry("hits", &HitsJson(self))?;
        if let Some(aggregations) = &self.aggregations {
            map.serialize_entry("aggregations", aggregations)?;
        }
        if let Some(status) = self.status {
            map.serialize_entry("status", &status)?;
        }
        map.end()
    }
}

/// The hits of a search as they are shown inside a hit of another.
pub struct InnerHitsJson<'a>(pub &'a SearchAnswer);

impl Serialize for InnerHitsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("hits", &HitsJson(self.0))?;
        map.end()
    }
}

struct HitsJson<'a>(&'a SearchAnswer);

impl Serialize for HitsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let answer = self.0;
        let mut map = serializer.serialize_map(None)?;
        match answer.total {
            Some(total) if answer.render.total_as_int => {
                map.serialize_entry("total", &total.value)?
            }
            Some(total) => {
                let relation = match total.relation {
                    HitRelation::Eq => "eq",
                    HitRelation::Gte => "gte",
                };
                map.serialize_entry(
                    "total",
                    &json!({"value": total.value, "relation": relation}),
                )?;
            }
            None if answer.render.total_as_int => map.serialize_entry("total", &-1)?,
            None => {}
        }
        map.serialize_entry("max_score", &answer.max_score)?;
        map.serialize_entry("hits", &answer.hits)?;
        map.end()
    }
}
