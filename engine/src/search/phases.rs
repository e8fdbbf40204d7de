//! The doors: query, count, and the documents of a filter.

use roaring::RoaringBitmap;

use super::query_phase::{quick_count, run};
use super::rescore;
use super::{SearchContext, SearchError, SearchRequest, ShardQueryResult};
use crate::exec::ranked;
use crate::exec::{Planner, SegmentScope};
use crate::query::Query;
use crate::shard::ShardReader;

/// Finds the best documents of a shard and feeds its aggregations.
pub fn query(
    reader: &ShardReader,
    request: &SearchRequest,
    context: &SearchContext<'_>,
) -> Result<ShardQueryResult, SearchError> {
    let rescored = !request.rescore.is_empty() && request.size > 0;
    if !rescored {
        return query_once(reader, request, context);
    }
    let more = SearchRequest {
        size: rescore::kept(request.size, &request.rescore),
        ..request.clone()
    };
    let mut result = query_once(reader, &more, context)?;
    rescore::rescore(reader, &request.rescore, &mut result, context)?;
    result.hits.truncate(request.size);
    Ok(result)
}

fn query_once(
    reader: &ShardReader,
    request: &SearchRequest,
    context: &SearchContext<'_>,
) -> Result<ShardQueryResult, SearchError> {
    if request.aggs.is_empty() {
        return run(reader, request, context, None);
    }
    let mut collector = crate::aggs::collector(request, reader, context)?;
    let mut result = run(reader, request, context, Some(&mut collector))?;
    result.aggs = Some(collector.into_partials()?);
    // the aggregations drop documents that come after the deadline
    result.timed_out |= context.timed_out();
    Ok(result)
}

/// Counts the live documents of a query.
pub fn count(
    reader: &ShardReader,
    query: &Query,
    context: &SearchContext<'_>,
) -> Result<u64, SearchError> {
    let node = Planner::unscored(reader, context).plan_kept(query, true)?;
    if let Some(known) = quick_count(reader, &node) {
        return Ok(known);
    }
    let mut count = 0;
    for ord in 0..reader.segments.len() {
        let scope = SegmentScope {
            shard: reader,
            ord,
            context,
        };
        let live = reader.segments[ord].live.as_deref();
        if let Some(more) = ranked::count::count(&scope, &node, live, u64::MAX)? {
            count += more;
        } else if let Some(mut scorer) = scope.scorer(&node, false)? {
            scope.for_each_window(scorer.as_mut(), |_, hits| {
                count += u64::from(hits.docs.count());
                Ok(())
            })?;
        }
    }
    Ok(count)
}

/// The live documents of a query in one segment (by position in the reader): what a filter aggregation asks.
pub fn matching_docs(
    reader: &ShardReader,
    segment: u32,
    query: &Query,
    context: &SearchContext<'_>,
) -> Result<RoaringBitmap, SearchError> {
    let node = Planner::new(reader, context).plan_kept(query, segment == 0)?;
    let mut found = RoaringBitmap::new();
    let scope = SegmentScope {
        shard: reader,
        ord: segment as usize,
        context,
    };
    if scope.ord >= reader.segments.len() {
        return Ok(found);
    }
    if let Some(mut scorer) = scope.scorer(&node, false)? {
        let mut docs = Vec::new();
        scope.for_each_window(scorer.as_mut(), |base, hits| {
            docs.clear();
            hits.docs.push_docs(base, &mut docs);
            found.extend(docs.iter().copied());
            Ok(())
        })?;
    }
    Ok(found)
}
