//! `significant_terms`: the values that are more frequent in what the query finds than elsewhere.

use hashbrown::HashMap;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator, Batch, Docs, live_docs_of_window};
use super::error::AggError;
use super::format::ValueFormat;
use super::key_reader::KeyReader;
use super::partial::{Finisher, Partial, merge_lists};
use super::request::AggRequest;
use super::result::{Bucket, Buckets, ResultBody};
use super::significance::{Counts, Significance};
use super::terms::TermsAgg;
use super::terms_partial::{TermKey, TermsKind};
use crate::query::Query;
use crate::search::{SearchError, matching_docs};
use crate::segment::WINDOW_DOCS;
use crate::shard::SegmentSnapshot;

/// A bucket per significant value, most significant first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignificantTermsAgg {
    /// Where the terms come from, without a limit of their number: the measure decides which are sent.
    pub terms: TermsAgg,
    /// Buckets in the answer, at least 1.
    pub size: usize,
    /// Buckets that a shard gives.
    pub shard_size: usize,
    /// The measure.
    pub significance: Significance,
    /// What the found documents are compared with; `None`: all of the shard.
    pub background: Option<Query>,
}

/// What shards know of significant terms, ascending by key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SignificantPartial {
    kind: TermsKind,
    format: ValueFormat,
    /// Documents found.
    found: u64,
    /// Documents of the background.
    background: u64,
    buckets: Vec<SignificantBucket>,
}

/// One term.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SignificantBucket {
    key: TermKey,
    found: u64,
    background: u64,
    sub: Vec<Partial>,
}

impl SignificantPartial {
    pub fn merge(&mut self, other: SignificantPartial) -> Result<(), AggError> {
        self.found += other.found;
        self.background += other.background;
        if other.kind == TermsKind::Unmapped {
            return Ok(());
        }
        if self.kind == TermsKind::Unmapped {
            self.kind = other.kind;
            self.format = other.format;
        }
        if self.kind != other.kind {
            return Err(AggError::Execution(
                "Merging/Reducing the aggregations failed when computing the aggregation because the field you gave \
                 in the aggregation query existed as two different types in two different indices"
                    .to_owned(),
            ));
        }
        self.buckets.extend(other.buckets);
        self.buckets.sort_by(|a, b| a.key.cmp(&b.key));
        let mut merged: Vec<SignificantBucket> = Vec::with_capacity(self.buckets.len());
        for bucket in std::mem::take(&mut self.buckets) {
            match merged.last_mut() {
                Some(last) if last.key == bucket.key => {
                    last.found += bucket.found;
                    last.background += bucket.background;
                    merge_lists(&mut last.sub, bucket.sub)?;
                }
                _ => merged.push(bucket),
            }
        }
        self.buckets = merged;
        Ok(())
    }
}

impl SignificantTermsAgg {
    fn score(&self, bucket: &SignificantBucket, found_all: u64, background_all: u64) -> f64 {
        self.significance.score(Counts {
            found: bucket.found,
            found_all,
            background: bucket.background,
            background_all,
        })
    }

    /// The significant buckets, most significant first, with their scores.
    fn best(&self, partial: &mut SignificantPartial) -> Vec<(f64, SignificantBucket)> {
        let mut scored = Vec::with_capacity(partial.buckets.len());
        for bucket in std::mem::take(&mut partial.buckets) {
            let score = self.score(&bucket, partial.found, partial.background);
            scored.push((score, bucket));
        }
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.key.cmp(&b.1.key)));
        scored
    }
}

impl Aggregation for SignificantTermsAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        Ok(Box::new(Collector {
            agg: self,
            request,
            ctx: *ctx,
            terms: self.terms.collector(request, ctx, None)?,
            found: Vec::new(),
            usual: None,
        }))
    }

    fn empty(&self, _request: &AggRequest) -> Partial {
        Partial::Significant(SignificantPartial::default())
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Significant(mut partial) = partial else {
            return Err(partial.mismatch(request));
        };
        let type_name = match partial.kind {
            TermsKind::Text => "sigsterms",
            TermsKind::Unmapped => "umsigterms",
            _ => "siglterms",
        };
        let mut scored = self.best(&mut partial);
        scored.retain(|(score, bucket)| *score > 0.0 && bucket.found >= self.terms.min_doc_count);
        scored.truncate(self.size);
        let mut buckets = Vec::with_capacity(scored.len());
        for (score, bucket) in scored {
            finisher.count_bucket()?;
            let aggs = finisher.list(&request.sub, bucket.sub)?;
            let (key, text) = bucket.key.shown(&partial.format);
            buckets.push(Bucket {
                significance: Some((score, bucket.background)),
                ..Bucket::new(key, text, bucket.found, aggs)
            });
        }
        Ok((
            type_name,
            ResultBody::Buckets(Buckets {
                counts: Some((partial.found, partial.background)),
                buckets,
                ..Buckets::default()
            }),
        ))
    }
}

struct Collector<'a> {
    agg: &'a SignificantTermsAgg,
    request: &'a AggRequest,
    ctx: AggContext<'a>,
    terms: Box<dyn Aggregator + 'a>,
    /// Documents found, by the parent's bucket.
    found: Vec<u64>,
    /// The background: its documents, and those of each term.
    usual: Option<(u64, HashMap<TermKey, u64>)>,
}

impl Collector<'_> {
    fn read_background(&self) -> Result<(u64, HashMap<TermKey, u64>), SearchError> {
        let mut counts: HashMap<TermKey, u64> = HashMap::new();
        let mut all = 0;
        let mut reader = KeyReader::new(&self.agg.terms.source, &self.ctx)?;
        let mut docs = Vec::new();
        for (ord, segment) in self.ctx.reader.segments.iter().enumerate() {
            let wanted: Option<RoaringBitmap> = match &self.agg.background {
                None => None,
                Some(query) => Some(matching_docs(
                    self.ctx.reader,
                    ord as u32,
                    query,
                    self.ctx.search,
                )?),
            };
            reader.begin_segment(segment)?;
            let mut base = 0;
            while base < segment.reader.max_doc() {
                self.ctx.search.check_cancelled()?;
                live_docs_of_window(segment, base, &mut docs);
                if let Some(wanted) = &wanted {
                    docs.retain(|doc| wanted.contains(*doc));
                }
                all += docs.len() as u64;
                reader.load(Docs::listed(&docs))?;
                for row in 0..docs.len() {
                    for key in reader.of(row) {
                        *counts.entry_ref(key).or_insert(0) += 1;
                    }
                }
                base = base.saturating_add(WINDOW_DOCS);
            }
        }
        Ok((all, counts))
    }
}

impl Aggregator for Collector<'_> {
    fn needs_scores(&self) -> bool {
        self.terms.needs_scores()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.terms.begin_segment(ord, segment)
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        let owners = batch.owner_count().max(self.found.len());
        self.found.resize(owners, 0);
        for row in 0..batch.docs.list.len() {
            self.found[batch.owner(row) as usize] += 1;
        }
        self.terms.collect(batch)
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        if self.usual.is_none() {
            self.usual = Some(self.read_background()?);
        }
        let Partial::Terms(terms) = self.terms.take(owner)? else {
            return Ok(self.agg.empty(self.request));
        };
        let mut partial = SignificantPartial {
            kind: terms.kind,
            format: terms.format,
            found: self.found.get(owner as usize).copied().unwrap_or(0),
            ..SignificantPartial::default()
        };
        let Some((all, counts)) = &self.usual else {
            return Ok(Partial::Significant(partial));
        };
        partial.background = *all;
        for bucket in terms.buckets {
            partial.buckets.push(SignificantBucket {
                background: counts.get(&bucket.key).copied().unwrap_or(0),
                key: bucket.key,
                found: bucket.doc_count,
                sub: bucket.sub,
            });
        }
        let mut best = self.agg.best(&mut partial);
        best.truncate(self.agg.shard_size.max(self.agg.size));
        partial.buckets = best.into_iter().map(|(_, bucket)| bucket).collect();
        partial.buckets.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Partial::Significant(partial))
    }
}
