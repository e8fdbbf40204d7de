//! What `filter`, `missing` and `global` share: one bucket.

use serde::{Deserialize, Serialize};

use super::collector::{AggContext, Aggregator, Batch, Children, Docs, Held};
use super::error::AggError;
use super::partial::{Finisher, Partial, empty_list, merge_lists};
use super::request::AggRequest;
use super::result::ResultBody;
use crate::search::SearchError;
use crate::shard::SegmentSnapshot;

/// A count and what the sub-aggregations know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SinglePartial {
    pub doc_count: u64,
    pub sub: Vec<Partial>,
}

impl SinglePartial {
    pub fn empty(request: &AggRequest) -> Partial {
        Partial::Single(SinglePartial {
            doc_count: 0,
            sub: empty_list(&request.sub),
        })
    }

    pub fn merge(&mut self, other: SinglePartial) -> Result<(), AggError> {
        self.doc_count += other.doc_count;
        merge_lists(&mut self.sub, other.sub)
    }

    /// The answer of the aggregation of type `type_name`.
    pub fn finish(
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
        type_name: &'static str,
    ) -> Result<(&'static str, ResultBody), AggError> {
        let Partial::Single(partial) = partial else {
            return Err(partial.mismatch(request));
        };
        let aggs = finisher.list(&request.sub, partial.sub)?;
        Ok((
            type_name,
            ResultBody::Single {
                doc_count: partial.doc_count,
                aggs,
            },
        ))
    }
}

/// Decides which documents of a batch are in the bucket.
pub(crate) trait Chooser {
    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError>;

    /// Overwrites `rows` with the rows of the batch that are in, ascending.
    fn choose(&mut self, docs: Docs<'_>, rows: &mut Vec<u32>) -> Result<(), SearchError>;
}

/// Collects one bucket per bucket of the parent.
pub(crate) struct SingleAggregator<'a, C> {
    chooser: C,
    counts: Vec<u64>,
    rows: Vec<u32>,
    children: Children<'a>,
    request: &'a AggRequest,
    held: Held<'a>,
}

impl<'a, C: Chooser + 'a> SingleAggregator<'a, C> {
    pub fn boxed(
        chooser: C,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        Ok(Box::new(SingleAggregator {
            chooser,
            counts: Vec::new(),
            rows: Vec::new(),
            children: Children::new(&request.sub, ctx)?,
            request,
            held: Held::new(ctx.search),
        }))
    }
}

impl<C: Chooser> Aggregator for SingleAggregator<'_, C> {
    fn needs_scores(&self) -> bool {
        self.children.needs_scores()
    }

    fn begin_segment(&mut self, ord: u32, segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.chooser.begin_segment(ord, segment)?;
        self.children.begin_segment(ord, segment)
    }

    fn collect(&mut self, batch: &Batch<'_>) -> Result<(), SearchError> {
        let owners = batch.owner_count();
        if self.counts.len() < owners {
            self.counts.resize(owners, 0);
            self.held.set(self.counts.capacity() * size_of::<u64>())?;
        }
        self.chooser.choose(batch.docs, &mut self.rows)?;
        if batch.owners.is_empty() {
            self.counts[0] += self.rows.len() as u64;
        } else {
            for &row in &self.rows {
                self.counts[batch.owners[row as usize] as usize] += 1;
            }
        }
        if self.children.is_empty() {
            return Ok(());
        }
        if self.rows.len() == batch.docs.list.len() {
            return self.children.pass(batch);
        }
        for &row in &self.rows {
            self.children
                .push(batch, row as usize, batch.owner(row as usize));
        }
        self.children.flush()
    }

    fn take(&mut self, owner: u32) -> Result<Partial, SearchError> {
        let doc_count = self.counts.get(owner as usize).copied().unwrap_or(0);
        let sub = if doc_count == 0 {
            empty_list(&self.request.sub)
        } else {
            self.children.take(owner)?
        };
        Ok(Partial::Single(SinglePartial { doc_count, sub }))
    }
}
