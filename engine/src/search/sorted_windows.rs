//! Sorted by a number: the windows that may hold the first documents come first, and when these are found, most of the
//! others need no look.

use super::SearchError;
use super::sorted::Sorted;
use crate::exec::{Hits, NO_MORE, Node, Scorer, SegmentScope};
use crate::ids::DocId;
use crate::segment::{LiveDocs, Window};

/// Windows that are looked at before the others; the next time four times as many.
const FIRST_WINDOWS: usize = 4;

/// How far hits are counted.
pub(super) struct Counted {
    /// Hits so far.
    pub count: u64,
    /// From how many on nobody counts any more; 0 where it is known beforehand or nobody asked.
    pub enough: u64,
    /// Whether some windows were left out.
    pub skipped: bool,
    /// Whether the deadline passed.
    pub timed_out: bool,
}

impl Counted {
    fn is_enough(&self) -> bool {
        self.count >= self.enough
    }
}

/// Finds the first documents of a segment, which `sorted` has begun; `false` if it must be looked at window by window.
pub(super) fn search<'a>(
    scope: &SegmentScope<'a>,
    node: &Node,
    sorted: &mut Sorted<'a>,
    counted: &mut Counted,
) -> Result<bool, SearchError> {
    let Some(mut left) = sorted.windows() else {
        return Ok(false);
    };
    if !counted.is_enough() {
        let Some(mut walk) = Walk::new(scope, node)? else {
            return Ok(true);
        };
        let mut reached = 0;
        while !counted.is_enough() {
            let Some(base) = walk.next(reached)? else {
                return Ok(true);
            };
            if scope.context.timed_out() {
                counted.timed_out = true;
                return Ok(true);
            }
            counted.count += walk.visit(base, sorted)?;
            reached = base.saturating_add(crate::segment::WINDOW_DOCS);
        }
        left.retain(|(_, base)| *base >= reached);
    }
    let mut size = FIRST_WINDOWS;
    loop {
        let before = left.len();
        left.retain(|(_, base)| !sorted.is_hopeless(*base));
        counted.skipped |= left.len() < before;
        if left.is_empty() {
            return Ok(true);
        }
        let best = best_last(&mut left, size);
        let mut batch = left.split_off(best);
        batch.sort_unstable_by_key(|(_, base)| *base);
        // scorers go forwards only: each batch has one of its own
        let Some(mut walk) = Walk::new(scope, node)? else {
            return Ok(true);
        };
        for (_, base) in batch {
            if scope.context.timed_out() {
                counted.timed_out = true;
                return Ok(true);
            }
            if sorted.is_hopeless(base) {
                counted.skipped = true;
            } else if walk.next(base)? == Some(base) {
                counted.count += walk.visit(base, sorted)?;
            }
        }
        size *= 4;
    }
}

/// Moves the `size` windows that come first to the end; answers where they start.
fn best_last(windows: &mut [(i64, u32)], size: usize) -> usize {
    let start = windows.len().saturating_sub(size);
    if start > 0 {
        windows.select_nth_unstable_by(start, |a, b| b.cmp(a));
    }
    start
}

/// Looks at windows, one after the other.
struct Walk<'s> {
    scope: &'s SegmentScope<'s>,
    scorer: Box<dyn Scorer + 's>,
    live: Option<&'s LiveDocs>,
    hits: Hits,
    docs: Vec<u32>,
}

impl<'s> Walk<'s> {
    fn new(scope: &'s SegmentScope<'_>, node: &'s Node) -> Result<Option<Walk<'s>>, SearchError> {
        let snapshot = &scope.shard.segments[scope.ord];
        Ok(scope.scorer(node, false)?.map(|scorer| Walk {
            scope,
            scorer,
            live: snapshot.live.as_deref(),
            hits: Hits::new(),
            docs: Vec::new(),
        }))
    }

    /// The first window from `target` on that may hold hits.
    fn next(&mut self, target: u32) -> Result<Option<u32>, SearchError> {
        let at = self.scorer.seek(target)?;
        Ok((at != NO_MORE).then_some(Window::base_of(at)))
    }

    /// Offers the hits of a window; answers how many there are.
    fn visit(&mut self, base: u32, sorted: &mut Sorted<'_>) -> Result<u64, SearchError> {
        self.scope.context.check_cancelled()?;
        self.scorer
            .fill(base, None, f32::NEG_INFINITY, &mut self.hits)?;
        if let Some(live) = self.live {
            live.mask_window(DocId(base), &mut self.hits.docs);
        }
        self.docs.clear();
        self.hits.docs.push_docs(base, &mut self.docs);
        sorted.offer(&self.docs, &[])?;
        Ok(self.docs.len() as u64)
    }
}
