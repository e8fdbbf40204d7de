//! How many documents match, in bitmaps of windows.

use super::conjunction::Conjunction;
use super::term_list::TermList;
use super::{Plan, plan_unscored};
use crate::exec::node::Node;
use crate::exec::segment_scorer::SegmentScope;
use crate::ids::DocId;
use crate::search::{SearchContext, SearchError};
use crate::segment::{List, LiveDocs, WINDOW_DOCS, Window};

/// Documents of another list for one of the rarest, from which on each is looked up instead of all of them gathered.
const LOOKUP_FROM: u32 = 12;
/// Windows between two looks at the clock.
const WINDOWS_PER_LOOK: usize = 64;

/// Counts the live documents of a segment, at least up to the first above `limit`; `None` for queries of another shape.
pub(crate) fn count(
    scope: &SegmentScope<'_>,
    node: &Node,
    live: Option<&LiveDocs>,
    limit: u64,
) -> Result<Option<u64>, SearchError> {
    match plan_unscored(scope, node)? {
        Plan::Nothing => Ok(Some(0)),
        Plan::Union(union) => {
            let mut counting = Counting::new(scope.context, live, limit);
            counting.any_of(union.into_terms()).map(Some)
        }
        Plan::Conjunction(mut all) => {
            let mut counting = Counting::new(scope.context, live, limit);
            if all.is_of_terms_only() {
                let (needed, unwanted) = all.into_terms();
                return counting.all_of(needed, unwanted).map(Some);
            }
            counting.one_by_one(&mut all).map(Some)
        }
        Plan::Other => Ok(None),
    }
}

struct Counting<'a> {
    context: &'a SearchContext<'a>,
    live: Option<&'a LiveDocs>,
    limit: u64,
    windows: usize,
    count: u64,
}

/// A list that is asked for one window after the other.
struct Walk {
    list: TermList,
    /// No window to come needs a block before this one.
    block: usize,
}

impl Walk {
    fn new(list: TermList) -> Walk {
        Walk { list, block: 0 }
    }

    /// Adds the documents of a window.
    fn fill(&mut self, base: u32, bits: &mut Window) -> Result<(), SearchError> {
        match self.list.list_mut() {
            List::Dense(cursor) => {
                cursor.load((base / WINDOW_DOCS) as usize)?;
                for (word, more) in bits.words.iter_mut().zip(cursor.words()) {
                    *word |= more;
                }
            }
            List::Sparse(cursor) => {
                let blocks = cursor.block_count();
                let mut block = cursor.block_with(base, self.block)?;
                self.block = block;
                while block < blocks {
                    cursor.load(block)?;
                    let mut after = false;
                    for doc in cursor.docs() {
                        let offset = doc.wrapping_sub(base);
                        if offset < WINDOW_DOCS {
                            bits.set(offset);
                        } else {
                            after |= *doc >= base;
                        }
                    }
                    if after {
                        break;
                    }
                    block += 1;
                }
            }
        }
        Ok(())
    }
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

    /// Counts the live ones of a window; `false` when there is no need to go on.
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

    fn any_of(&mut self, mut lists: Vec<TermList>) -> Result<u64, SearchError> {
        if self.live.is_none() {
            let sum: u64 = lists.iter().map(|list| u64::from(list.cost())).sum();
            if lists.len() == 1 {
                return Ok(sum);
            }
            let most = lists.iter().map(|list| u64::from(list.cost())).max();
            if most.is_some_and(|most| most > self.limit) {
                return Ok(self.limit + 1);
            }
            if lists.len() == 2 {
                // Those in both are counted twice; there are few of them, and only the rarer list is walked.
                let limit = std::mem::replace(&mut self.limit, u64::MAX);
                let both = self.all_of(std::mem::take(&mut lists), Vec::new())?;
                self.limit = limit;
                return Ok(sum - both);
            }
        }
        let windows = lists.iter().map(TermList::window_count).max().unwrap_or(0);
        let mut walks: Vec<Walk> = lists.into_iter().map(Walk::new).collect();
        for window in 0..windows {
            let base = window as u32 * WINDOW_DOCS;
            let mut bits = Window::empty();
            for walk in &mut walks {
                walk.fill(base, &mut bits)?;
            }
            if !self.add(base, &mut bits)? {
                break;
            }
        }
        Ok(self.count)
    }

    fn all_of(
        &mut self,
        mut needed: Vec<TermList>,
        unwanted: Vec<TermList>,
    ) -> Result<u64, SearchError> {
        needed.sort_by_key(TermList::cost);
        let lead_cost = needed[0].cost();
        if needed.len() == 1 && unwanted.is_empty() && self.live.is_none() {
            return Ok(u64::from(lead_cost));
        }
        let is_looked_up = |list: &TermList| list.cost() / LOOKUP_FROM > lead_cost;
        let (mut probed, gathered): (Vec<_>, Vec<_>) = needed.into_iter().partition(is_looked_up);
        let (mut probed_out, gathered_out): (Vec<_>, Vec<_>) =
            unwanted.into_iter().partition(is_looked_up);
        let mut walks: Vec<Walk> = gathered.into_iter().map(Walk::new).collect();
        let mut out: Vec<Walk> = gathered_out.into_iter().map(Walk::new).collect();
        let windows = walks[0].list.window_count();
        for window in 0..windows {
            let base = window as u32 * WINDOW_DOCS;
            let mut bits = Window::empty();
            walks[0].fill(base, &mut bits)?;
            for walk in &mut walks[1..] {
                if bits.is_empty() {
                    break;
                }
                let mut more = Window::empty();
                walk.fill(base, &mut more)?;
                bits.and(&more);
            }
            for walk in &mut out {
                if bits.is_empty() {
                    break;
                }
                let mut less = Window::empty();
                walk.fill(base, &mut less)?;
                bits.and_not(&less);
            }
            for list in &mut probed {
                keep(&mut bits, base, |doc| list.contains(doc))?;
            }
            for list in &mut probed_out {
                keep(&mut bits, base, |doc| Ok(!list.contains(doc)?))?;
            }
            if !self.add(base, &mut bits)? {
                break;
            }
        }
        Ok(self.count)
    }

    fn one_by_one(&mut self, all: &mut Conjunction) -> Result<u64, SearchError> {
        let (live, limit) = (self.live, self.limit);
        let mut count = 0;
        all.for_each_match(self.context, &mut |doc| {
            count += u64::from(live.is_none_or(|live| live.is_live(DocId(doc))));
            count <= limit
        })?;
        Ok(count)
    }
}

/// Takes out the documents that do not pass.
fn keep(
    bits: &mut Window,
    base: u32,
    mut passes: impl FnMut(u32) -> Result<bool, SearchError>,
) -> Result<(), SearchError> {
    for index in 0..bits.words.len() {
        let mut rest = bits.words[index];
        while rest != 0 {
            let offset = index as u32 * 64 + rest.trailing_zeros();
            if !passes(base + offset)? {
                bits.unset(offset);
            }
            rest &= rest - 1;
        }
    }
    Ok(())
}
