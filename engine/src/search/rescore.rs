//! Rescoring: the best documents of the query phase are ordered anew by further queries.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::doc_scores::scores_of;
use super::phases::query;
use super::{DocAddress, SearchContext, SearchError, SearchRequest, ShardQueryResult};
use crate::exec::{Explanation, Planner, SegmentScope};
use crate::query::Query;
use crate::shard::ShardReader;

/// One pass over the best documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rescore {
    /// How many documents of a shard are looked at.
    pub window_size: usize,
    /// Gives the second score.
    pub query: Query,
    /// Factor of the first score.
    pub query_weight: f32,
    /// Factor of the second.
    pub rescore_query_weight: f32,
    /// How both make one.
    pub score_mode: RescoreMode,
}

/// How the first and the second score make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum RescoreMode {
    Avg,
    Max,
    Min,
    Total,
    Multiply,
}

impl RescoreMode {
    fn combine(self, first: f32, second: f32) -> f32 {
        match self {
            RescoreMode::Avg => (first + second) / 2.0,
            RescoreMode::Max => first.max(second),
            RescoreMode::Min => first.min(second),
            RescoreMode::Total => first + second,
            RescoreMode::Multiply => first * second,
        }
    }

    fn name(self) -> &'static str {
        match self {
            RescoreMode::Avg => "avg",
            RescoreMode::Max => "max",
            RescoreMode::Min => "min",
            RescoreMode::Total => "sum",
            RescoreMode::Multiply => "product",
        }
    }
}

/// How many documents the query phase must keep for all passes.
pub(super) fn kept(size: usize, passes: &[Rescore]) -> usize {
    let windows = passes.iter().map(|pass| pass.window_size);
    windows.fold(size, usize::max)
}

/// Orders the hits anew, pass by pass.
pub(super) fn rescore(
    reader: &ShardReader,
    passes: &[Rescore],
    result: &mut ShardQueryResult,
    context: &SearchContext<'_>,
) -> Result<(), SearchError> {
    for pass in passes {
        let node = Planner::new(reader, context).plan(&pass.query)?;
        let window = pass.window_size.min(result.hits.len());
        let docs: Vec<DocAddress> = result.hits[..window].iter().map(|hit| hit.doc).collect();
        let second = scores_of(reader, &docs, &node, true, context)?;
        for (n, hit) in result.hits.iter_mut().enumerate() {
            // documents behind the window are weighed too
            let first = hit.score * pass.query_weight;
            hit.score = match second.get(n).copied().flatten() {
                Some(second) => pass
                    .score_mode
                    .combine(first, second * pass.rescore_query_weight),
                None => first,
            };
        }
        result
            .hits
            .sort_by(|a, b| b.score.total_cmp(&a.score).then(a.doc.cmp(&b.doc)));
    }
    if !passes.is_empty() {
        result.max_score = result.hits.first().map(|hit| hit.score);
    }
    Ok(())
}

/// Explains what the passes made of a document's score.
///
/// * `searched`: the query that found it.
pub(super) fn explain(
    reader: &ShardReader,
    doc: DocAddress,
    searched: &Query,
    mut explanation: Explanation,
    passes: &[Rescore],
    context: &SearchContext<'_>,
) -> Result<Explanation, SearchError> {
    if !explanation.matched {
        return Ok(explanation);
    }
    for (n, pass) in passes.iter().enumerate() {
        let first = explanation.value * f64::from(pass.query_weight);
        let weight =
            |value: f32, text: &str| Explanation::matching(f64::from(value), text, Vec::new());
        let factors = vec![explanation, weight(pass.query_weight, "primaryWeight")];
        explanation = Explanation::matching(first, "product of:", factors);
        // whether the pass looked at the document is not known any more: find out
        let request = SearchRequest {
            size: pass.window_size,
            rescore: passes[..n].to_vec(),
            now_ms: context.now_ms,
            ..SearchRequest::new(searched.clone())
        };
        let looked_at = query(reader, &request, context)?.hits;
        let looked_at: HashSet<DocAddress> = looked_at.iter().map(|hit| hit.doc).collect();
        if !looked_at.contains(&doc) {
            continue;
        }
        let node = Planner::new(reader, context).plan(&pass.query)?;
        let scope = SegmentScope {
            shard: reader,
            ord: doc.segment as usize,
            context,
        };
        let second = scope.explain(&node, doc.doc)?;
        if second.matched {
            let value = second.value * f64::from(pass.rescore_query_weight);
            let factors = vec![second, weight(pass.rescore_query_weight, "secondaryWeight")];
            let second = Explanation::matching(value, "product of:", factors);
            let both = pass.score_mode.combine(first as f32, value as f32);
            explanation = Explanation::matching(
                f64::from(both),
                format!("{} of:", pass.score_mode.name()),
                vec![explanation, second],
            );
        }
    }
    Ok(explanation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_combine() {
        let both = |mode: RescoreMode| mode.combine(2.0, 6.0);
        assert_eq!(both(RescoreMode::Avg), 4.0);
        assert_eq!(both(RescoreMode::Max), 6.0);
        assert_eq!(both(RescoreMode::Min), 2.0);
        assert_eq!(both(RescoreMode::Total), 8.0);
        assert_eq!(both(RescoreMode::Multiply), 12.0);
    }

    #[test]
    fn the_largest_window_is_kept() {
        let pass = |window_size| Rescore {
            window_size,
            query: Query::match_all(),
            query_weight: 1.0,
            rescore_query_weight: 1.0,
            score_mode: RescoreMode::Total,
        };
        assert_eq!(kept(10, &[pass(5), pass(20)]), 20);
        assert_eq!(kept(30, &[pass(5)]), 30);
    }
}
