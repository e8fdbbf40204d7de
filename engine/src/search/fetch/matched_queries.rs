//! `matched_queries`: which named clauses a hit matches.

use crate::exec::{Hits, Planner, SegmentScope};
use crate::query::Query;
use crate::search::{DocAddress, SearchContext, SearchError};
use crate::segment::Window;
use crate::shard::ShardReader;

/// The names of the clauses that each document matches, in the order of the query.
pub(super) fn find(
    reader: &ShardReader,
    docs: &[DocAddress],
    queries: &[Query],
    context: &SearchContext<'_>,
) -> Result<Vec<Vec<String>>, SearchError> {
    let mut found = vec![Vec::new(); docs.len()];
    let mut named = Vec::new();
    for query in queries {
        collect_named(query, &mut named);
    }
    for (name, query) in named {
        let node = Planner::new(reader, context).plan(query)?;
        for (n, matches) in matching(reader, docs, &node, context)?
            .into_iter()
            .enumerate()
        {
            if matches && !found[n].iter().any(|known| known == name) {
                found[n].push(name.to_owned());
            }
        }
    }
    Ok(found)
}

fn collect_named<'q>(query: &'q Query, named: &mut Vec<(&'q str, &'q Query)>) {
    if let Some(name) = query.name() {
        named.push((name, query));
    }
    query.children(&mut |child| collect_named(child, named));
}

/// Which of some documents a plan matches.
fn matching(
    reader: &ShardReader,
    docs: &[DocAddress],
    node: &crate::exec::Node,
    context: &SearchContext<'_>,
) -> Result<Vec<bool>, SearchError> {
    // scorers go forward only
    let mut order: Vec<usize> = (0..docs.len()).collect();
    order.sort_by_key(|n| docs[*n]);
    let mut matches = vec![false; docs.len()];
    let mut hits = Hits::new();
    let mut at = 0;
    while at < order.len() {
        let segment = docs[order[at]].segment;
        let scope = SegmentScope {
            shard: reader,
            ord: segment as usize,
            context,
        };
        let mut scorer = match scope.ord < reader.segments.len() {
            true => scope.scorer(node, false)?,
            false => None,
        };
        while at < order.len() && docs[order[at]].segment == segment {
            let base = Window::base_of(docs[order[at]].doc.0);
            let mut wanted = Window::empty();
            let mut end = at;
            while end < order.len()
                && docs[order[end]].segment == segment
                && Window::base_of(docs[order[end]].doc.0) == base
            {
                wanted.set(docs[order[end]].doc.0 - base);
                end += 1;
            }
            if let Some(scorer) = &mut scorer {
                scorer.fill(base, Some(&wanted), f32::NEG_INFINITY, &mut hits)?;
                for n in &order[at..end] {
                    matches[*n] = hits.docs.contains(docs[*n].doc.0 - base);
                }
            }
            at = end;
        }
    }
    Ok(matches)
}
