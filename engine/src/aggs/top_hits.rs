//! `top_hits`: the best documents of each bucket, read on the shard that has them.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator, Batch, Held};
use super::error::AggError;
use super::partial::{Finisher, Partial};
use super::request::AggRequest;
use super::result::ResultBody;
use super::top_hits_sort::SortReader;
use crate::ids::DocId;
use crate::search::{
    DocAddress, FetchRequest, FetchedHit, SearchError, SortKey, SortSource, SortValue, fetch,
};
use crate::shard::SegmentSnapshot;

/// The best documents of each bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopHitsAgg {
    /// Hits to skip.
    pub from: usize,
    /// Hits to show, 3 unless said otherwise.
    pub size: usize,
    /// Empty: by score, highest first.
    pub sort: Vec<SortKey>,
    /// Whether hits have scores although they are sorted by something else.
    pub track_scores: bool,
    /// What is shown of a hit.
    pub fetch: FetchRequest,
    /// Patterns of the parts of the `_source` to keep; empty: all.
    pub source_includes: Vec<String>,
    /// Patterns of the parts to drop.
    pub source_excludes: Vec<String>,
}

impl TopHitsAgg {
    /// Three hits by score with all of their `_source`.
    pub fn new() -> TopHitsAgg {
        TopHitsAgg {
            from: 0,
            size: 3,
            sort: Vec::new(),
            track_scores: false,
            fetch: FetchRequest::default(),
            source_includes: Vec::new(),
            source_excludes: Vec::new(),
        }
    }

    fn scored(&self) -> bool {
        self.track_scores
            || self.sort.is_empty()
            || self.sort.iter().any(|key| key.source == SortSource::Score)
    }
}

impl Default for TopHitsAgg {
    fn default() -> Self {
        TopHitsAgg::new()
    }
}

/// The best hits that some shards have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TopHitsPartial {
    /// Documents in the bucket.
    total: u64,
    max_score: Option<f32>,
    /// At most `limit`, best first.
    hits: Vec<TopHit>,
    limit: usize,
    sort: Vec<SortKey>,
}

/// One hit, with all that is shown of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopHit {
    /// Name of its index.
    pub index: String,
    /// Number of its shard.
    pub shard: u32,
    /// Where it is there.
    pub doc: DocAddress,
    /// `None`: it has none.
    pub score: Option<f32>,
    /// One value per sort key.
    pub sort: Vec<SortValue>,
    /// What was asked for.
    pub fetched: FetchedHit,
}

/// The answer of one bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct TopHitsResult {
    /// Documents in the bucket.
    pub total: u64,
    /// `None` without scores.
    pub max_score: Option<f32>,
    /// Best first.
    pub hits: Vec<TopHit>,
    /// Whether hits show their sort values.
    pub sorted: bool,
    /// Whether the `_source` is shown.
    pub source: bool,
    /// Patterns of the parts of it to keep; empty: all.
    pub source_includes: Vec<String>,
    /// Patterns of the parts to drop.
    pub source_excludes: Vec<String>,
}

impl TopHitsPartial {
    pub fn merge(&mut self, mut other: TopHitsPartial) -> Result<(), AggError> {
        self.total += other.total;
        self.max_score = match (self.max_score, other.max_score) {
            (Some(own), Some(other)) => Some(own.max(other)),
            (own, other) => own.or(other),
        };
        if self.hits.is_empty() {
            self.limit = self.limit.max(other.limit);
            if !other.sort.is_empty() {
                self.sort = std::mem::take(&mut other.sort);
            }
        }
        self.hits.append(&mut other.hits);
        let sort = &self.sort;
        self.hits.sort_by(|a, b| {
            compare(sort, (a.score, &a.sort), (b.score, &b.sort))
                .then_with(|| (&a.index, a.shard, a.doc).cmp(&(&b.index, b.shard, b.doc)))
        });
        self.hits.truncate(self.limit);
        Ok(())
    }
}

/// Compares two hits without regard to where they are.
fn compare(
    keys: &[SortKey],
    a: (Option<f32>, &[SortValue]),
    b: (Option<f32>, &[SortValue]),
) -> Ordering {
    if keys.is_empty() {
        let score = |score: Option<f32>| score.unwrap_or(f32::NEG_INFINITY);
        return score(b.0).total_cmp(&score(a.0));
    }
    for (key, (a, b)) in keys.iter().zip(a.1.iter().zip(b.1)) {
        let found = key.compare(a, b);
        if found != Ordering::Equal {
            return found;
        }
    }
    Ordering::Equal
}

impl Aggregation for TopHitsAgg {
    fn aggregator<'a>(
        &'a self,
        _request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let mut keys = Vec::with_capacity(self.sort.len());
        for key in &self.sort {
            keys.push(SortReader::new(key, ctx)?);
        }
        Ok(Box::new(Collector {
            agg: self,
            ctx: *ctx,
            keys,
            segment: 0,
            buckets: Vec::new(),
            held: Held::new(ctx.search),
        }))
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        Partial::TopHits(TopHitsPartial {
            limit: self.from.saturating_add(self.size),
            sort: self.sort.clone(),
            ..TopHitsPartial::default()
        })
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        _finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::TopHits(partial) = partial else {
            return Err(partial.mismatch(request));
        };
        let hits = partial.hits.into_iter().skip(self.from).take(self.size);
        Ok((
            "top_hits",
            ResultBody::TopHits(TopHitsResult {
                total: partial.total,
                max_score: partial.max_score,
                hits: hits.collect(),
                sorted: !self.sort.is_empty(),
                source: self.fetch.source,
                source_includes: self.source_includes.clone(),
                source_excludes: self.source_excludes.clone(),
            }),
        ))
    }
}

struct Candidate {
    doc: DocAddress,
    score: Option<f32>,
    sort: Vec<SortValue>,
}

#[derive(Default)]
struct BucketHits {
    total: u64,
    max_score: Option<f32>,
    /// Unsorted, up to twice as many as are wanted: then the worse half goes.
    candidates: Vec<Candidate>,
}

struct Collector<'a> {
    agg: &'a TopHitsAgg,
    ctx: AggContext<'a>,
    keys: Vec<SortReader>,
    segment: u32,
    buckets: Vec<BucketHits>,
    held: Held<'a>,
}

impl Collector<'_> {
    fn limit(&self) -> usize {
        self.agg.from.saturating_add(self.agg.size)
    }
}

fn keep_best(bucket: &mut BucketHits, limit: usize, keys: &[SortKey]) {
    bucket.candidates.sort_by(|a, b| {
        compare(keys, (a.score, &a.sort), (b.score, &b.sort)).then_with(|| a.doc.cmp(&b.doc))
    });
    bucket.candidates.truncate(limit);
}

impl Aggregator for Collector<'_> {
    fn needs_scores(&self) -> bool {
        self.agg.scored()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.segment = ord;
        for key in &mut self.keys {
            key.begin_segment(segment)?;
        }
        Ok(())
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        let owners = batch.owner_count();
        if self.buckets.len() < owners {
            self.buckets.resize_with(owners, BucketHits::default);
        }
        let limit = self.limit();
        let scored = self.agg.scored();
        for (row, &doc) in batch.docs.list.iter().enumerate() {
            let bucket = &mut self.buckets[batch.owner(row) as usize];
            bucket.total += 1;
            let score = scored.then(|| batch.score(row));
            if let Some(score) = score {
                bucket.max_score = Some(bucket.max_score.map_or(score, |max| max.max(score)));
            }
            if limit == 0 {
                continue;
            }
            let doc = DocAddress {
                segment: self.segment,
                doc: DocId(doc),
            };
            let mut sort = Vec::with_capacity(self.keys.len());
            for key in &mut self.keys {
                sort.push(key.value(doc, batch.score(row), self.ctx.search.shard)?);
            }
            bucket.candidates.push(Candidate { doc, score, sort });
            if bucket.candidates.len() >= limit * 2 + 16 {
                keep_best(bucket, limit, &self.agg.sort);
            }
        }
        let each = (limit.min(64) + 16)
            * (size_of::<Candidate>() + self.keys.len() * size_of::<SortValue>());
        self.held
            .set(self.buckets.len() * (size_of::<BucketHits>() + each))
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let limit = self.limit();
        let mut bucket = match self.buckets.get_mut(owner as usize) {
            Some(bucket) => std::mem::take(bucket),
            None => BucketHits::default(),
        };
        keep_best(&mut bucket, limit, &self.agg.sort);
        let docs: Vec<DocAddress> = bucket
            .candidates
            .iter()
            .map(|candidate| candidate.doc)
            .collect();
        let fetched = if docs.is_empty() {
            Vec::new()
        } else {
            fetch(self.ctx.reader, &docs, &self.agg.fetch, self.ctx.search)?
        };
        let mut hits = Vec::with_capacity(docs.len());
        for (candidate, fetched) in bucket.candidates.into_iter().zip(fetched) {
            hits.push(TopHit {
                index: self.ctx.search.index_name.to_owned(),
                shard: self.ctx.search.shard,
                doc: candidate.doc,
                score: candidate.score,
                sort: candidate.sort,
                fetched,
            });
        }
        Ok(Partial::TopHits(TopHitsPartial {
            total: bucket.total,
            max_score: bucket.max_score,
            hits,
            limit,
            sort: self.agg.sort.clone(),
        }))
    }
}
