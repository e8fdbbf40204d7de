//! The doors: query, fetch, count, and the documents of a filter.

use roaring::RoaringBitmap;

use super::{
    DocAddress, FetchRequest, FetchedHit, SearchContext, SearchError, SearchRequest,
    ShardQueryResult,
};
use crate::query::Query;
use crate::shard::ShardReader;

/// Finds the best documents of a shard and feeds its aggregations.
#[allow(clippy::todo)]
pub fn query(
    _reader: &ShardReader,
    _request: &SearchRequest,
    _context: &SearchContext<'_>,
) -> Result<ShardQueryResult, SearchError> {
    todo!()
}

/// Reads what is shown of some documents, in the order asked.
#[allow(clippy::todo)]
pub fn fetch(
    _reader: &ShardReader,
    _docs: &[DocAddress],
    _request: &FetchRequest,
    _context: &SearchContext<'_>,
) -> Result<Vec<FetchedHit>, SearchError> {
    todo!()
}

/// Counts the live documents of a query.
#[allow(clippy::todo)]
pub fn count(
    _reader: &ShardReader,
    _query: &Query,
    _context: &SearchContext<'_>,
) -> Result<u64, SearchError> {
    todo!()
}

/// The live documents of a query in one segment (by position in the reader): what a filter aggregation asks.
#[allow(clippy::todo)]
pub fn matching_docs(
    _reader: &ShardReader,
    _segment: u32,
    _query: &Query,
    _context: &SearchContext<'_>,
) -> Result<RoaringBitmap, SearchError> {
    todo!()
}
