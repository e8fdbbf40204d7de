//! The fetch phase: what is shown of the hits that won.

use futures::FutureExt;
use quidditch_engine::query::Query;
use quidditch_engine::search::{FetchRequest, FetchedHit, FieldAndFormat, Rescore};
use serde::{Deserialize, Serialize};

use super::dsl::fields::StoredFields;
use super::dsl::highlight::Highlight;
use super::dsl::source::FetchSource;
use super::failures::ShardFailure;
use super::fan_out::fan_out;
use super::reduce::MergedHit;
use super::rest::RestError;
use super::route::Route;
use super::searcher::Searcher;
use crate::data::search::{ContextId, SearchLimits, ShardFetch};

/// What to show of each hit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchSpec {
    /// `_source`; `None`: nothing was said.
    pub source: Option<FetchSource>,
    /// `stored_fields`
    pub stored_fields: Option<StoredFields>,
    /// `docvalue_fields`
    pub docvalue_fields: Vec<FieldAndFormat>,
    /// `fields`
    pub fields: Vec<FieldAndFormat>,
    /// `highlight`
    pub highlight: Option<Highlight>,
    /// `_version`
    pub version: bool,
    /// `_seq_no` and `_primary_term`
    pub seq_no_primary_term: bool,
    /// `_explanation`
    pub explain: bool,
    /// The passes that changed the scores.
    pub rescore: Vec<Rescore>,
    /// Whether `matched_queries` come with scores.
    pub named_scores: bool,
}

impl FetchSpec {
    /// The part of the source to show; `None`: no source.
    pub fn shown_source(&self) -> Option<FetchSource> {
        match (&self.source, &self.stored_fields) {
            (Some(source), _) => source.enabled.then(|| source.clone()),
            (None, None) => Some(FetchSource::ALL),
            (None, Some(StoredFields::None)) => None,
            (None, Some(StoredFields::Names(names))) => names
                .iter()
                .any(|name| name == "_source")
                .then_some(FetchSource::ALL),
        }
    }

    /// Whether `_id` and other metadata are shown.
    pub fn shows_metadata(&self) -> bool {
        self.stored_fields != Some(StoredFields::None)
    }

    /// Mistakes in what was asked together.
    pub fn check(&self) -> Result<(), RestError> {
        if self.shows_metadata() {
            return Ok(());
        }
        let asked = |what: &str| {
            Err(RestError::illegal_argument(format!(
                "[stored_fields] cannot be disabled if [{what}] is requested"
            )))
        };
        if self.source.as_ref().is_some_and(|source| source.enabled) {
            return asked("_source");
        }
        if self.version {
            return asked("version");
        }
        Ok(())
    }

    /// The request for a shard.
    ///
    /// * `query`: what the search looks for; marked, and explained as the shard searched it, if that is wanted.
    /// * `named`: queries whose names hits report.
    pub fn request(&self, route: &Route, query: &Query, named: &[Query]) -> FetchRequest {
        let mut stored = Vec::new();
        if let Some(StoredFields::Names(names)) = &self.stored_fields {
            stored.extend(names.iter().filter(|name| *name != "_source").cloned());
        }
        FetchRequest {
            source: self.shown_source().is_some(),
            stored_fields: stored,
            docvalue_fields: self.docvalue_fields.clone(),
            fields: self.fields.clone(),
            version: self.version,
            seq_no_primary_term: self.seq_no_primary_term,
            explain: self.explain.then(|| route.query(query)),
            named_queries: named.to_vec(),
            named_scores: self.named_scores,
            rescore: self.rescore.clone(),
            highlight: self
                .highlight
                .as_ref()
                .map(|highlight| highlight.request(query)),
        }
    }
}

/// Whether any clause of a query has a name.
pub fn has_names(query: &Query) -> bool {
    if query.name().is_some() {
        return true;
    }
    let mut found = false;
    query.children(&mut |child| found |= has_names(child));
    found
}

/// Everything the fetch phase needs besides the hits.
pub struct FetchPhase<'a> {
    /// The shards that were asked.
    pub routes: &'a [Route],
    /// Their open readers, by place; `None` where the shard found nothing or failed.
    pub contexts: &'a [Option<ContextId>],
    /// What to show.
    pub spec: &'a FetchSpec,
    /// The query of all shards.
    pub query: &'a Query,
    /// Queries whose names hits report.
    pub named: &'a [Query],
    /// Limits by place.
    pub limits: &'a [SearchLimits],
    /// What `now` meant.
    pub now_ms: i64,
    /// Whether a reader closes once its hits are read. Those of shards without hits are the caller's to close.
    pub release: bool,
    /// How many shards work at once.
    pub at_once: usize,
}

/// What became of the fetch phase.
#[derive(Default)]
pub struct Fetched {
    /// The hits in the order that was asked for; `None` stands for one whose shard failed.
    pub hits: Vec<Option<FetchedHit>>,
    /// The shards that failed.
    pub failures: Vec<ShardFailure>,
    /// Whether one of them failed because its reader was gone.
    pub lost_readers: bool,
}

/// Reads the hits from their shards.
pub async fn fetch(searcher: &Searcher, phase: &FetchPhase<'_>, hits: &[MergedHit]) -> Fetched {
    let mut by_shard: Vec<Vec<usize>> = vec![Vec::new(); phase.routes.len()];
    for (place, hit) in hits.iter().enumerate() {
        by_shard[hit.shard].push(place);
    }
    let mut jobs = Vec::new();
    let mut asked = Vec::new();
    for (shard, places) in by_shard.iter().enumerate() {
        let Some(context) = &phase.contexts[shard] else {
            continue;
        };
        let route = &phase.routes[shard];
        if places.is_empty() {
            continue;
        }
        let request = ShardFetch {
            context: context.clone(),
            docs: places.iter().map(|place| hits[*place].hit.doc).collect(),
            request: phase.spec.request(route, phase.query, phase.named),
            limits: phase.limits[shard].clone(),
            now_ms: phase.now_ms,
            release: phase.release,
        };
        asked.push(shard);
        jobs.push(async move { searcher.service.fetch(&route.target, request).await }.boxed());
    }
    let answers = fan_out(jobs, phase.at_once).await;
    let mut fetched = Fetched {
        hits: vec![None; hits.len()],
        ..Fetched::default()
    };
    for (shard, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(documents) => {
                for (place, document) in by_shard[shard].iter().zip(documents) {
                    fetched.hits[*place] = Some(document);
                }
            }
            Err(error) => {
                fetched.lost_readers |= error.is_reader_gone();
                let failure = ShardFailure::new(&phase.routes[shard], error);
                fetched.failures.push(failure);
            }
        }
    }
    fetched
}
