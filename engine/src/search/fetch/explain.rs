//! `explain`: how a score came about.

use crate::exec::{Explanation, Planner, SegmentScope};
use crate::query::Query;
use crate::search::{DocAddress, SearchContext, SearchError};
use crate::shard::ShardReader;

/// Explains the score of one document.
pub(super) fn explain(
    reader: &ShardReader,
    doc: DocAddress,
    query: &Query,
    context: &SearchContext<'_>,
) -> Result<Explanation, SearchError> {
    let node = Planner::new(reader, context).plan(query)?;
    let scope = SegmentScope {
        shard: reader,
        ord: doc.segment as usize,
        context,
    };
    scope.explain(&node, doc.doc)
}
