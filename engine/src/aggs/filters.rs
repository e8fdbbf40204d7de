//! `filters`: a bucket per query, and one for the documents that match none.

use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator, Batch, Children, Held};
use super::error::AggError;
use super::filter::QueryDocs;
use super::partial::{Finisher, Partial, empty_list};
use super::range_partial::{RangeBucket, RangePartial};
use super::request::AggRequest;
use super::result::{BucketKeys, ResultBody};
use super::single_bucket::Chooser;
use crate::query::Query;
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

/// A bucket per query; a document may be in several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FiltersAgg {
    /// Names and queries; the names of anonymous ones are not shown.
    pub filters: Vec<(String, Query)>,
    /// An object by name instead of a list.
    pub keyed: bool,
    /// Name of the bucket of what no query matches, if wanted.
    pub other_bucket: Option<String>,
}

impl FiltersAgg {
    fn empty_buckets(&self, request: &AggRequest) -> RangePartial {
        let names = self
            .filters
            .iter()
            .map(|(name, _)| name)
            .chain(&self.other_bucket);
        let mut buckets = Vec::with_capacity(self.filters.len() + 1);
        for name in names {
            buckets.push(RangeBucket {
                key: name.clone(),
                from: None,
                to: None,
                doc_count: 0,
                sub: empty_list(&request.sub),
            });
        }
        RangePartial {
            buckets,
            mapped: true,
        }
    }
}

impl Aggregation for FiltersAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        let mut filters = Vec::with_capacity(self.filters.len());
        for (_, query) in &self.filters {
            filters.push(QueryDocs::new(query, ctx));
        }
        Ok(Box::new(Collector {
            agg: self,
            request,
            filters,
            counts: Vec::new(),
            rows: Vec::new(),
            matched: Vec::new(),
            children: Children::new(&request.sub, ctx)?,
            held: Held::new(ctx.search),
        }))
    }

    fn empty(&self, request: &AggRequest) -> Partial {
        Partial::Ranges(self.empty_buckets(request))
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let body =
            RangePartial::finish(request, partial, finisher, self.keyed, BucketKeys::Hidden)?;
        Ok(("filters", body))
    }
}

struct Collector<'a> {
    agg: &'a FiltersAgg,
    request: &'a AggRequest,
    filters: Vec<QueryDocs<'a>>,
    /// By owner and filter.
    counts: Vec<u64>,
    rows: Vec<u32>,
    /// Rows that any filter took.
    matched: Vec<bool>,
    children: Children<'a>,
    held: Held<'a>,
}

impl Collector<'_> {
    fn width(&self) -> usize {
        self.filters.len() + usize::from(self.agg.other_bucket.is_some())
    }
}

impl Aggregator for Collector<'_> {
    fn needs_scores(&self) -> bool {
        self.children.needs_scores()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        for filter in &mut self.filters {
            filter.begin_segment(ord, segment)?;
        }
        self.children.begin_segment(ord, segment)
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        let width = self.width();
        let size = batch.owner_count() * width;
        if self.counts.len() < size {
            self.counts.resize(size, 0);
            self.held.set(self.counts.capacity() * size_of::<u64>())?;
        }
        self.matched.clear();
        self.matched.resize(batch.docs.list.len(), false);
        // filter by filter: each hands its documents down in ascending order
        for at in 0..self.filters.len() {
            self.filters[at].choose(batch.docs, &mut self.rows)?;
            for &row in &self.rows {
                let bucket = batch.owner(row as usize) as usize * width + at;
                self.counts[bucket] += 1;
                self.matched[row as usize] = true;
                self.children.push(batch, row as usize, bucket as u32);
            }
            self.children.flush()?;
        }
        if self.agg.other_bucket.is_some() {
            for row in 0..batch.docs.list.len() {
                if !self.matched[row] {
                    let bucket = batch.owner(row) as usize * width + width - 1;
                    self.counts[bucket] += 1;
                    self.children.push(batch, row, bucket as u32);
                }
            }
            self.children.flush()?;
        }
        Ok(())
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let mut partial = self.agg.empty_buckets(self.request);
        let first = owner as usize * self.width();
        for (at, bucket) in partial.buckets.iter_mut().enumerate() {
            bucket.doc_count = self.counts.get(first + at).copied().unwrap_or(0);
            if bucket.doc_count > 0 {
                bucket.sub = self.children.take((first + at) as u32)?;
            }
        }
        Ok(Partial::Ranges(partial))
    }
}
