//! The best documents of queries made of terms and phrases, found without looking at the others.
//!
//! Bounds on scores (impacts) come first: of blocks, of windows of 4096 documents. What cannot enter the best is not decoded.
//! * [`single`]: one term.
//! * [`union`]: some term is enough. MAXSCORE (Turtle and Flood, "Query evaluation: strategies and optimizations", 1995) with
//!   bounds of windows (Ding and Suel, "Faster top-k document retrieval using block-max indexes", 2011); the most
//!   promising windows go first, as in Mallia et al., "Faster Learned Sparse Retrieval with Block-Max Pruning" (2024).
//! * [`conjunction`]: all are needed, some more may add to the score, some are excluded. Blocks of the rarest are scored first
//!   and only what may still enter is looked up in the others.
//! * [`enough`]: some are needed, more than one of them (`minimum_should_match`).
//! * [`constant`]: filters alone, so that all documents score the same and the first ones are the best.
//! * [`count`](mod@count): how many match, in bitmaps of windows, for those who want to know that too.
//!
//! Queries of any other shape run in [`Scorer`](super::Scorer)s.

mod checks;
mod conjunction;
mod constant;
pub(crate) mod count;
mod enough;
mod matches;
mod phrase;
mod plan;
mod scratch;
mod single;
mod term_list;
mod union;

use self::plan::{Plan, plan};
use self::union::Union;
use super::node::Node;
use super::segment_scorer::SegmentScope;
use crate::ids::DocId;
use crate::search::{SearchError, TopScores};
use crate::segment::LiveDocs;
use crate::simd;

pub(crate) use self::plan::{is_rare_and_checked, is_union};

/// Where the best documents of one segment go.
pub(crate) struct Ranking<'a> {
    /// The best of all segments so far.
    pub top: &'a mut TopScores,
    /// Number of the segment.
    pub segment: u32,
    /// Its documents that are alive; `None`: all.
    pub live: Option<&'a LiveDocs>,
    /// Whether documents may be offered in another order than their own.
    unordered: bool,
}

impl<'a> Ranking<'a> {
    /// Into `top`.
    pub fn new(top: &'a mut TopScores, segment: u32, live: Option<&'a LiveDocs>) -> Self {
        Ranking {
            top,
            segment,
            live,
            unordered: false,
        }
    }

    /// Scores of this or less cannot enter.
    #[inline]
    fn floor(&self) -> f32 {
        let floor = self.top.floor();
        // Out of order, a document of the same score as the worst may still come before it.
        if self.unordered {
            floor.next_down()
        } else {
            floor
        }
    }

    /// Offers many documents, in any order; what does not enter is taken out of both.
    fn offer_all(&mut self, docs: &mut [u32], scores: &mut [f32]) {
        let floor = self.floor();
        let mut count = docs.len();
        if floor > f32::NEG_INFINITY {
            count = (simd::kernels().scoring.keep_above)(docs, scores, floor);
        }
        if let Some(live) = self.live {
            let mut alive = 0;
            for index in 0..count {
                (docs[alive], scores[alive]) = (docs[index], scores[index]);
                alive += usize::from(live.is_live(DocId(docs[index])));
            }
            count = alive;
        }
        self.top
            .offer_all(self.segment, &mut docs[..count], &mut scores[..count]);
    }
}

/// Finds the best documents of a segment; `false`, with nothing done, for queries of another shape.
pub(crate) fn rank(
    scope: &SegmentScope<'_>,
    node: &Node,
    ranking: &mut Ranking<'_>,
) -> Result<bool, SearchError> {
    let plan = plan(scope, node, Some(ranking.floor()))?;
    let _tables = scope.context.memory.borrow(plan.table_bytes(), "<query>")?;
    match plan {
        Plan::Nothing => Ok(()),
        Plan::Union(mut terms, checks) => match &mut terms[..] {
            [alone] if checks.iter().all(|(_, wanted)| !wanted) => {
                single::run(alone, checks, scope.context, ranking)
            }
            _ => Union::new(terms, checks)?.run(scope.context, ranking),
        },
        Plan::Conjunction(mut all) => all.run(scope.context, Some(ranking), None),
        Plan::Enough(mut some) => some.run(scope.context, Some(ranking), None),
        Plan::Constant(mut constant) => constant.run(scope.context, Some(ranking), None),
        Plan::Other => return Ok(false),
    }
    .map(|()| true)
}
