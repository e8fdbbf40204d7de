//! `matched_queries`: which named clauses a hit matches.

use crate::exec::Planner;
use crate::query::Query;
use crate::search::doc_scores::scores_of;
use crate::search::{DocAddress, SearchContext, SearchError};
use crate::shard::ShardReader;

/// The names of the clauses that each document matches, in the order of the query, with their scores.
///
/// * `scored`: whether the scores mean anything.
pub(super) fn find(
    reader: &ShardReader,
    docs: &[DocAddress],
    queries: &[Query],
    scored: bool,
    context: &SearchContext<'_>,
) -> Result<Vec<Vec<(String, f32)>>, SearchError> {
    let mut found: Vec<Vec<(String, f32)>> = vec![Vec::new(); docs.len()];
    let mut named = Vec::new();
    for query in queries {
        collect_named(query, &mut named);
    }
    for (name, query) in named {
        let node = Planner::new(reader, context).plan(query)?;
        let scores = scores_of(reader, docs, &node, scored, context)?;
        for (n, score) in scores.into_iter().enumerate() {
            if let Some(score) = score
                && !found[n].iter().any(|(known, _)| known == name)
            {
                found[n].push((name.to_owned(), score));
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
