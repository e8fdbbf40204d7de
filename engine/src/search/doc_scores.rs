//! Scores of chosen documents under a query: what rescoring and named queries ask.

use super::{DocAddress, SearchContext, SearchError};
use crate::exec::{Hits, Node, SegmentScope};
use crate::segment::Window;
use crate::shard::ShardReader;

/// The score of each document under a plan, `None` where it does not match.
///
/// * `scored`: whether scores are needed; without, those that match have some number.
pub(super) fn scores_of(
    reader: &ShardReader,
    docs: &[DocAddress],
    node: &Node,
    scored: bool,
    context: &SearchContext<'_>,
) -> Result<Vec<Option<f32>>, SearchError> {
    // scorers go forward only
    let mut order: Vec<usize> = (0..docs.len()).collect();
    order.sort_by_key(|n| docs[*n]);
    let mut scores = vec![None; docs.len()];
    let mut hits = Hits::new();
    let mut at = 0;
    while at < order.len() {
        context.check_cancelled()?;
        let segment = docs[order[at]].segment;
        let scope = SegmentScope {
            shard: reader,
            ord: segment as usize,
            context,
        };
        let mut scorer = match scope.ord < reader.segments.len() {
            true => scope.scorer(node, scored)?,
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
                    let offset = docs[*n].doc.0 - base;
                    if hits.docs.contains(offset) {
                        scores[*n] = Some(match scored {
                            true => hits.scores[offset as usize],
                            false => 1.0,
                        });
                    }
                }
            }
            at = end;
        }
    }
    Ok(scores)
}
