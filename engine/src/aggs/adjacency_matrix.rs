//! `adjacency_matrix`: a bucket per query and per pair of queries, for what matches both.

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

/// A bucket per query and per pair, in order of the names; empty ones are not shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdjacencyMatrixAgg {
    /// Names and queries, ascending by name, at most 100.
    pub filters: Vec<(String, Query)>,
    /// What stands between the names of a pair.
    pub separator: String,
}

impl AdjacencyMatrixAgg {
    /// The filters of every bucket; one filter twice is that filter alone.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        for first in 0..self.filters.len() {
            for second in first..self.filters.len() {
                pairs.push((first, second));
            }
        }
        pairs
    }

    fn empty_buckets(&self, request: &AggRequest) -> RangePartial {
        let mut buckets = Vec::new();
        for (first, second) in self.pairs() {
            let name = |at: usize| self.filters[at].0.as_str();
            let key = if first == second {
                name(first).to_owned()
            } else {
                format!("{}{}{}", name(first), self.separator, name(second))
            };
            buckets.push(RangeBucket {
                key,
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

impl Aggregation for AdjacencyMatrixAgg {
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
            matched: vec![Vec::new(); filters.len()],
            filters,
            pairs: self.pairs(),
            counts: Vec::new(),
            rows: Vec::new(),
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
        mut partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        if let Partial::Ranges(partial) = &mut partial {
            partial.buckets.retain(|bucket| bucket.doc_count > 0);
            partial.buckets.sort_by(|a, b| a.key.cmp(&b.key));
        }
        let body = RangePartial::finish(request, partial, finisher, false, BucketKeys::Shown)?;
        Ok(("adjacency_matrix", body))
    }
}

struct Collector<'a> {
    agg: &'a AdjacencyMatrixAgg,
    request: &'a AggRequest,
    filters: Vec<QueryDocs<'a>>,
    pairs: Vec<(usize, usize)>,
    /// By owner and pair.
    counts: Vec<u64>,
    rows: Vec<u32>,
    /// For each filter the rows that it took.
    matched: Vec<Vec<bool>>,
    children: Children<'a>,
    held: Held<'a>,
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
        let width = self.pairs.len();
        let size = batch.owner_count() * width;
        if self.counts.len() < size {
            self.counts.resize(size, 0);
            self.held.set(self.counts.capacity() * size_of::<u64>())?;
        }
        for (filter, matched) in self.filters.iter_mut().zip(&mut self.matched) {
            matched.clear();
            matched.resize(batch.docs.list.len(), false);
            filter.choose(batch.docs, &mut self.rows)?;
            for &row in &self.rows {
                matched[row as usize] = true;
            }
        }
        // pair by pair: each hands its documents down in ascending order
        for (at, &(first, second)) in self.pairs.iter().enumerate() {
            for row in 0..batch.docs.list.len() {
                if self.matched[first][row] && self.matched[second][row] {
                    let bucket = batch.owner(row) as usize * width + at;
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
        let first = owner as usize * self.pairs.len();
        for (at, bucket) in partial.buckets.iter_mut().enumerate() {
            bucket.doc_count = self.counts.get(first + at).copied().unwrap_or(0);
            if bucket.doc_count > 0 {
                bucket.sub = self.children.take((first + at) as u32)?;
            }
        }
        Ok(Partial::Ranges(partial))
    }
}
