//! `filter`: the documents that also match a query.

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::collector::{AggContext, Aggregator, Docs};
use super::error::AggError;
use super::partial::{Finisher, Partial};
use super::request::AggRequest;
use super::result::ResultBody;
use super::single_bucket::{Chooser, SingleAggregator, SinglePartial};
use crate::query::Query;
use crate::search::{SearchError, matching_docs};
use crate::shard::SegmentSnapshot;

/// The documents that match a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FilterAgg {
    /// What they match.
    pub query: Query,
}

impl Aggregation for FilterAgg {
    fn aggregator<'a>(
        &'a self,
        request: &'a AggRequest,
        ctx: &AggContext<'a>,
    ) -> Result<Box<dyn Aggregator + 'a>, SearchError> {
        SingleAggregator::boxed(QueryDocs::new(&self.query, ctx), request, ctx)
    }

    fn empty(&self, request: &AggRequest) -> Partial {
        SinglePartial::empty(request)
    }

    fn finish(
        &self,
        request: &AggRequest,
        partial: Partial,
        finisher: &mut Finisher,
    ) -> Result<(&'static str, ResultBody), AggError> {
        SinglePartial::finish(request, partial, finisher, "filter")
    }
}

/// The documents of a query in the segment at hand.
pub(crate) struct QueryDocs<'a> {
    query: &'a Query,
    ctx: AggContext<'a>,
    docs: RoaringBitmap,
}

impl<'a> QueryDocs<'a> {
    pub fn new(query: &'a Query, ctx: &AggContext<'a>) -> QueryDocs<'a> {
        QueryDocs {
            query,
            ctx: *ctx,
            docs: RoaringBitmap::new(),
        }
    }
}

impl Chooser for QueryDocs<'_> {
    fn begin_segment(&mut self, ord: u32, _segment: &SegmentSnapshot) -> Result<(), SearchError> {
        self.docs = matching_docs(self.ctx.reader, ord, self.query, self.ctx.search)?;
        Ok(())
    }

    fn choose(&mut self, docs: Docs<'_>, rows: &mut Vec<u32>) -> Result<(), SearchError> {
        rows.clear();
        let Some(&first) = docs.list.first() else {
            return Ok(());
        };
        // both sides ascend: one walk over the window's part of the filter
        let mut found = self.docs.iter();
        found.advance_to(first);
        let mut next = found.next();
        for (row, &doc) in docs.list.iter().enumerate() {
            while next.is_some_and(|filter| filter < doc) {
                next = found.next();
            }
            match next {
                Some(filter) if filter == doc => rows.push(row as u32),
                Some(_) => {}
                None => break,
            }
        }
        Ok(())
    }
}
