//! `multi_terms`: a bucket per combination of the values of several fields.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::bucket_map::BucketMap;
use super::collector::{AggContext, Aggregator, Batch, Children, Docs, Held, live_docs_of_window};
use super::error::AggError;
use super::key_reader::{KeyReader, combinations};
use super::order::check_orders;
use super::partial::{Finisher, Partial};
use super::request::{AggRequest, FieldSource};
use super::result::ResultBody;
use super::terms::TermsAgg;
use super::terms_partial::{TermKey, TermsKind, TermsPartial};
use crate::search::SearchError;
use crate::segment::WINDOW_DOCS;
use crate::shard::SegmentSnapshot;

/// A bucket per combination. A document without a value of one of the fields is in none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultiTermsAgg {
    /// The fields, at least two.
    pub sources: Vec<FieldSource>,
    /// Sizes and order; its own source and filter are not used.
    pub terms: TermsAgg,
}

impl Aggregation for MultiTermsAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        check_orders(&self.terms.order, request)?;
        let mut readers = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            readers.push(KeyReader::new(source, ctx)?);
        }
        Ok(Box::new(Collector {
            agg: self,
            request,
            ctx: *ctx,
            readers,
            buckets: BucketMap::new(),
            children: Children::new(&request.sub, ctx)?,
            owners: 0,
            completed: false,
            held: Held::new(ctx.search),
        }))
    }

    fn empty(&self, request: &AggRequest) -> Partial {
        self.terms.empty(request)
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let (_, body) = self.terms.finish(request, partial, finisher)?;
        Ok(("multi_terms", body))
    }
}

struct Collector<'a> {
    agg: &'a MultiTermsAgg,
    request: &'a AggRequest,
    ctx: AggContext<'a>,
    readers: Vec<KeyReader>,
    buckets: BucketMap<TermKey>,
    children: Children<'a>,
    /// Parent buckets seen.
    owners: u32,
    /// Whether combinations of zero documents were added.
    completed: bool,
    held: Held<'a>,
}

impl Collector<'_> {
    /// Calls `each` with the bucket of every combination of a document's values.
    fn buckets_of(
        readers: &[KeyReader],
        buckets: &mut BucketMap<TermKey>,
        row: usize,
        owner: u32,
        each: &mut dyn FnMut(&mut BucketMap<TermKey>, u32),
    ) -> Result<(), SearchError> {
        let lists: Vec<&[TermKey]> = readers.iter().map(|reader| reader.of(row)).collect();
        combinations(&lists, &mut |chosen| {
            let key = TermKey::List(chosen.to_vec());
            let bucket = buckets.bucket(owner, &key, key.heap_bytes(), TermKey::clone);
            each(buckets, bucket);
            Ok(())
        })
    }

    /// Makes buckets, of zero documents, for the combinations of all documents of the shard.
    fn add_all(&mut self) -> Result<(), SearchError> {
        let mut docs = Vec::new();
        for segment in &self.ctx.reader.segments {
            for reader in &mut self.readers {
                reader.begin_segment(segment)?;
            }
            let mut base = 0;
            while base < segment.reader.max_doc() {
                self.ctx.search.check_cancelled()?;
                live_docs_of_window(segment, base, &mut docs);
                for reader in &mut self.readers {
                    reader.load(Docs::listed(&docs))?;
                }
                for row in 0..docs.len() {
                    for owner in 0..self.owners.max(1) {
                        Self::buckets_of(
                            &self.readers,
                            &mut self.buckets,
                            row,
                            owner,
                            &mut |_, _| {},
                        )?;
                    }
                }
                self.buckets.account(&mut self.held)?;
                base = base.saturating_add(WINDOW_DOCS);
            }
        }
        Ok(())
    }
}

impl Aggregator for Collector<'_> {
    fn needs_scores(&self) -> bool {
        self.children.needs_scores()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        for reader in &mut self.readers {
            reader.begin_segment(segment)?;
        }
        self.children.begin_segment(ord, segment)
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        self.owners = self.owners.max(batch.owner_count() as u32);
        for reader in &mut self.readers {
            reader.load(batch.docs)?;
        }
        let children = &mut self.children;
        for row in 0..batch.docs.list.len() {
            Self::buckets_of(
                &self.readers,
                &mut self.buckets,
                row,
                batch.owner(row),
                &mut |buckets, bucket| {
                    buckets.counts[bucket as usize] += 1;
                    children.push(batch, row, bucket);
                },
            )?;
        }
        self.buckets.account(&mut self.held)?;
        self.children.flush()
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        if self.agg.terms.min_doc_count == 0 && !self.completed {
            // before the first bucket is taken, for all of the parent's buckets
            self.completed = true;
            self.add_all()?;
        }
        let mut found = Vec::new();
        for (bucket, key) in self.buckets.take_owner(owner) {
            found.push((self.buckets.counts[bucket as usize], key, bucket));
        }
        let mut partial = TermsPartial {
            kind: TermsKind::List,
            formats: self.readers.iter().map(KeyReader::format).collect(),
            shards: 1,
            error: Some(0),
            ..TermsPartial::default()
        };
        let terms = &self.agg.terms;
        terms.fill(self.request, &mut partial, found, &mut self.children)?;
        Ok(Partial::Terms(partial))
    }
}
