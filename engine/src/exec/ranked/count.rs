//! How many documents match, in bitmaps of windows.

use super::conjunction::Conjunction;
use super::term_list::TermList;
use super::{Plan, Ranking, plan};
use crate::exec::node::Node;
use crate::exec::scorer::for_each_offset;
use crate::exec::segment_scorer::SegmentScope;
use crate::ids::DocId;
use crate::search::{SearchContext, SearchError};
use crate::segment::{LiveDocs, WINDOW_DOCS, Window};

/// Windows between two looks at the clock.
const WINDOWS_PER_LOOK: usize = 64;

/// Counts the live documents of a segment, at least up to the first above `limit`; `None` for queries of another shape.
pub(crate) fn count(
    scope: &SegmentScope<'_>,
    node: &Node,
    live: Option<&LiveDocs>,
    limit: u64,
) -> Result<Option<u64>, SearchError> {
    let mut counting = Counting::new(scope.context, live, limit);
    match plan(scope, node, false)? {
        Plan::Nothing => Ok(Some(0)),
        Plan::Union(mut union) => counting.any_of(union.terms()).map(Some),
        Plan::Conjunction(mut all) => {
            if let (Some(count), None) = (all.known_count(), live) {
                return Ok(Some(count));
            }
            counting.all(&mut all, &mut |_, _| Ok(()))?;
            Ok(Some(counting.count))
        }
        Plan::Other => Ok(None),
    }
}

/// Counts and ranks in one go, which is cheaper where matches are few among what has to be looked at. Answers the count, at
/// least up to the first above `limit`, after which only the best are looked for; `None`, with nothing done, where the two
/// are better done apart.
pub(crate) fn count_and_rank(
    scope: &SegmentScope<'_>,
    node: &Node,
    limit: u64,
    ranking: &mut Ranking<'_>,
) -> Result<Option<u64>, SearchError> {
    if matches!(node, Node::Bool(node) if node.must.is_empty()) {
        return Ok(None);
    }
    let Plan::Conjunction(mut all) = plan(scope, node, true)? else {
        return Ok(None);
    };
    all.prepare();
    let mut counting = Counting::new(scope.context, ranking.live, limit);
    let next = counting.all(&mut all, &mut |all, doc| all.offer_match(doc, ranking))?;
    let count = counting.count;
    if let Some(next) = next {
        all.run(next, scope.context, ranking)?;
    }
    Ok(Some(count))
}

/// What is done with a match.
type Each<'a> = dyn FnMut(&mut Conjunction, u32) -> Result<(), SearchError> + 'a;

struct Counting<'a> {
    context: &'a SearchContext<'a>,
    live: Option<&'a LiveDocs>,
    limit: u64,
    windows: usize,
    count: u64,
}

impl<'a> Counting<'a> {
    fn new(context: &'a SearchContext<'a>, live: Option<&'a LiveDocs>, limit: u64) -> Self {
        Counting {
            context,
            live,
            limit,
            windows: 0,
            count: 0,
        }
    }

    /// Takes the dead documents out of a window and counts the others; `false` when there is no need to go on.
    fn add(&mut self, base: u32, bits: &mut Window) -> Result<bool, SearchError> {
        if let Some(live) = self.live {
            live.mask_window(DocId(base), bits);
        }
        self.count += u64::from(bits.count());
        self.windows += 1;
        if self.windows.is_multiple_of(WINDOWS_PER_LOOK) {
            self.context.check_cancelled()?;
        }
        Ok(self.count <= self.limit && !self.context.timed_out())
    }

    fn any_of(&mut self, lists: &mut [TermList]) -> Result<u64, SearchError> {
        let costs = lists.iter().map(|list| u64::from(list.cost()));
        if self.live.is_none() {
            if lists.len() == 1 {
                return Ok(costs.sum());
            }
            if costs.max().is_some_and(|most| most > self.limit) {
                return Ok(self.limit + 1);
            }
        }
        let windows = lists.iter().map(TermList::window_count).max().unwrap_or(0);
        for window in 0..windows {
            let base = window as u32 * WINDOW_DOCS;
            let mut bits = Window::empty();
            for list in &mut *lists {
                list.fill_window(base, &mut bits)?;
            }
            if !self.add(base, &mut bits)? {
                break;
            }
        }
        Ok(self.count)
    }

    /// Calls `each` with every match; answers the first document that was not looked at when there were more than `limit`.
    fn all(
        &mut self,
        all: &mut Conjunction,
        each: &mut Each<'_>,
    ) -> Result<Option<u32>, SearchError> {
        if !all.is_of_terms_only() {
            let mut next = None;
            all.for_each_match(self.context, &mut |all, doc| {
                if self.live.is_none_or(|live| live.is_live(DocId(doc))) {
                    each(all, doc)?;
                    self.count += 1;
                }
                if self.count > self.limit {
                    next = Some(doc + 1);
                }
                Ok(next.is_none())
            })?;
            return Ok(next);
        }
        let mut bits = Window::empty();
        for window in 0..all.windows() {
            let base = window as u32 * WINDOW_DOCS;
            all.match_window(base, &mut bits)?;
            let more = self.add(base, &mut bits)?;
            for_each_offset(&bits, |offset| each(all, base + offset))?;
            if !more {
                return Ok((self.count > self.limit).then_some(base.saturating_add(WINDOW_DOCS)));
            }
        }
        Ok(None)
    }
}
