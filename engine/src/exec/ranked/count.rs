//! How many documents match, in bitmaps of stretches.

use super::Ranking;
use super::checks::Check;
use super::matches::Matches;
use super::plan::{Plan, is_rare_and_checked, is_union, plan};
use super::scratch::{Buffers, thread_scratch};
use super::single;
use super::term_list::TermList;
use crate::exec::node::Node;
use crate::exec::segment_scorer::SegmentScope;
use crate::ids::DocId;
use crate::search::{SearchContext, SearchError};
use crate::segment::{LiveDocs, WINDOW_DOCS};
use crate::simd;
use crate::simd::scoring::{STRETCH_DOCS, StretchBits};

/// Counts the live documents of a segment, at least up to the first above `limit`; `None` for queries of another shape.
pub(crate) fn count(
    scope: &SegmentScope<'_>,
    node: &Node,
    live: Option<&LiveDocs>,
    limit: u64,
) -> Result<Option<u64>, SearchError> {
    let mut tally = Tally::new(live, limit);
    match plan(scope, node, None)? {
        Plan::Nothing => {}
        Plan::Union(mut terms, mut checks) => {
            tally.any_of(scope.context, &mut terms, &mut checks)?;
        }
        Plan::Conjunction(mut all) => all.run(scope.context, None, Some(&mut tally))?,
        Plan::Enough(mut some) => some.run(scope.context, None, Some(&mut tally))?,
        Plan::Constant(mut constant) => constant.run(scope.context, None, Some(&mut tally))?,
        Plan::Other => return Ok(None),
    }
    Ok(Some(tally.count))
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
    if matches!(node, Node::Bool(node) if is_union(node) && !is_rare_and_checked(node)) {
        return Ok(None);
    }
    let plan = plan(scope, node, Some(f32::NEG_INFINITY))?;
    let _tables = scope.context.memory.borrow(plan.table_bytes(), "<query>")?;
    let mut tally = Tally::new(ranking.live, limit);
    let mut all = match plan {
        Plan::Conjunction(all) => all,
        Plan::Enough(mut some) => {
            some.run(scope.context, Some(ranking), Some(&mut tally))?;
            return Ok(Some(tally.count));
        }
        Plan::Constant(mut constant) => {
            constant.run(scope.context, Some(ranking), Some(&mut tally))?;
            return Ok(Some(tally.count));
        }
        Plan::Union(mut terms, checks) => {
            let [alone] = &mut terms[..] else {
                return Ok(None);
            };
            single::run_counted(alone, checks, scope.context, ranking, &mut tally)?;
            return Ok(Some(tally.count));
        }
        Plan::Nothing => return Ok(Some(0)),
        Plan::Other => return Ok(None),
    };
    if all.is_led_by_one_term() {
        // About all that is looked at matches, so that the best are better found without the others.
        let Some(count) = count(scope, node, ranking.live, limit)? else {
            return Ok(None);
        };
        all.run(scope.context, Some(ranking), None)?;
        return Ok(Some(count));
    }
    all.run(scope.context, Some(ranking), Some(&mut tally))?;
    Ok(Some(tally.count))
}

/// Documents that a term and those excluded may share at most, if they are to be listed.
const FOUND_MOST: u64 = 1 << 20;
/// Blocks or windows counted between two looks at the clock.
const STEPS_PER_LOOK: usize = 64;
/// What looking up a document costs, as postings that are set in a bitmap.
const LOOKUP: u64 = 5;
/// What a window's part of a bitmap costs, likewise.
const STRETCH: u64 = 40;

/// How many documents were found, of those that are alive.
pub(super) struct Tally<'a> {
    live: Option<&'a LiveDocs>,
    limit: u64,
    count: u64,
}

impl<'a> Tally<'a> {
    /// Of nothing yet; more than `limit` need not be counted.
    pub fn new(live: Option<&'a LiveDocs>, limit: u64) -> Self {
        Tally {
            live,
            limit,
            count: 0,
        }
    }

    /// Whether more are worth counting.
    pub fn goes_on(&self) -> bool {
        self.count <= self.limit
    }

    /// Takes the dead out of documents.
    pub fn keep_alive(&self, docs: &mut Vec<u32>) {
        if let Some(live) = self.live {
            docs.retain(|doc| live.is_live(DocId(*doc)));
        }
    }

    /// Takes the dead out of matches.
    pub fn keep_alive_matches(&self, matches: &mut Matches) {
        if let Some(live) = self.live {
            matches.keep(|doc, _, _| live.is_live(DocId(doc)));
        }
    }

    /// Counts documents.
    pub fn add(&mut self, docs: usize) {
        self.count += docs as u64;
    }

    /// Counts the documents of a window that are alive.
    pub fn add_window(&mut self, base: u32, words: &[u64; 64]) {
        self.count += u64::from(match self.live {
            Some(live) => live.count_window(base, words),
            None => (simd::kernels().count)(words),
        });
    }

    /// Counts the documents that one list has and none of the others.
    fn all_but(
        &mut self,
        context: &SearchContext<'_>,
        list: &mut TermList,
        excluded: Vec<&mut TermList>,
    ) -> Result<(), SearchError> {
        let others: u64 = excluded.iter().map(|other| u64::from(other.cost())).sum();
        let dead = self.live.map_or(0, |live| u64::from(live.deleted_count()));
        let least = u64::from(list.cost()).saturating_sub(others.saturating_add(dead));
        if least > self.limit {
            self.count = least;
            return Ok(());
        }
        let found = match excluded[..] {
            [] => 0,
            _ => found_in(context, list, excluded, self.live, &mut thread_scratch())?,
        };
        self.all_less(context, [list], found)
    }

    /// Counts the documents of each list, less so many that are counted once too often.
    fn all_less<const N: usize>(
        &mut self,
        context: &SearchContext<'_>,
        lists: [&mut TermList; N],
        less: u64,
    ) -> Result<(), SearchError> {
        let wanted = self.limit;
        // So many more have to be looked at before there are too many.
        self.limit = wanted.saturating_add(less);
        for list in lists {
            self.all_of(context, list)?;
        }
        self.limit = wanted;
        self.count = self.count.saturating_sub(less);
        Ok(())
    }

    /// Counts the documents of one list that are alive.
    fn all_of(
        &mut self,
        context: &SearchContext<'_>,
        list: &mut TermList,
    ) -> Result<(), SearchError> {
        let Some(live) = self.live else {
            self.count += u64::from(list.cost());
            return Ok(());
        };
        let steps = if list.is_dense() {
            list.window_count()
        } else {
            list.block_count()
        };
        for step in 0..steps {
            if step.is_multiple_of(STEPS_PER_LOOK) {
                context.check_cancelled()?;
                if !self.goes_on() || context.timed_out() {
                    break;
                }
            }
            self.count += list.count_live(step, live)?;
        }
        Ok(())
    }

    /// Counts the documents that have at least one of some terms, and all that is needed or not what is excluded besides.
    fn any_of(
        &mut self,
        context: &SearchContext<'_>,
        lists: &mut [TermList],
        checks: &mut [(Check, bool)],
    ) -> Result<(), SearchError> {
        if let [list] = &mut *lists
            && let Some(excluded) = excluded_lists(checks)
            && excluded
                .iter()
                .map(|other| u64::from(other.cost().min(list.cost())))
                .sum::<u64>()
                <= FOUND_MOST
        {
            return self.all_but(context, list, excluded);
        }
        if self.live.is_none() && checks.is_empty() {
            let costs = lists.iter().map(|list| u64::from(list.cost()));
            if costs.max().is_some_and(|most| most > self.limit) {
                self.count = self.limit + 1;
                return Ok(());
            }
        }
        let windows = lists.iter().map(TermList::window_count).max().unwrap_or(0);
        if let ([one, other], []) = (&mut *lists, &*checks) {
            let (rare, frequent) = match one.cost() <= other.cost() {
                true => (one, other),
                false => (other, one),
            };
            // Those in both are counted twice; where one has few, each is looked up.
            let all = u64::from(rare.cost()) + u64::from(frequent.cost());
            if u64::from(rare.cost()) * LOOKUP <= all + STRETCH * windows as u64 {
                let buffers = &mut thread_scratch();
                let both = found_in(context, rare, vec![frequent], self.live, buffers)?;
                return self.all_less(context, [rare, frequent], both);
            }
        }
        let mut spare: Option<Box<StretchBits>> = None;
        let mut scratch = thread_scratch();
        let scratch = &mut *scratch;
        scratch.adding = true;
        let bits = &mut scratch.bits;
        for stretch in 0..(windows as u32).div_ceil(STRETCH_DOCS / WINDOW_DOCS) {
            let base = stretch * STRETCH_DOCS;
            for list in &mut *lists {
                list.fill(base, &mut bits[..])?;
            }
            let left = windows - (base / WINDOW_DOCS) as usize;
            let (words, _) = bits.as_chunks_mut::<64>();
            let inside = left.min(words.len());
            for (check, wanted) in &mut *checks {
                let spare = spare.get_or_insert_with(|| Box::new([0; STRETCH_DOCS as usize / 64]));
                check.keep_windows(*wanted, base, &mut words[..inside], spare)?;
            }
            for (number, words) in (0..).zip(words) {
                self.add_window(base + number * WINDOW_DOCS, words);
            }
            bits.fill(0);
            context.check_cancelled()?;
            if !self.goes_on() || context.timed_out() {
                break;
            }
        }
        scratch.adding = false;
        Ok(())
    }
}

/// The lists of terms that are excluded, if nothing else is asked.
fn excluded_lists(checks: &mut [(Check, bool)]) -> Option<Vec<&mut TermList>> {
    let lists = checks.iter_mut().map(|(check, wanted)| match check {
        Check::List(list) if !*wanted => Some(list),
        _ => None,
    });
    lists.collect()
}

/// How many documents of a list that are alive some others have too.
fn found_in(
    context: &SearchContext<'_>,
    list: &mut TermList,
    others: Vec<&mut TermList>,
    live: Option<&LiveDocs>,
    buffers: &mut Buffers,
) -> Result<u64, SearchError> {
    let mut found: Vec<u32> = Vec::new();
    let several = others.len() > 1;
    for other in others {
        let rarer = list.cost() <= other.cost();
        let (rare, frequent) = if rarer {
            (&mut *list, other)
        } else {
            (other, &mut *list)
        };
        in_both(context, rare, frequent, buffers, &mut found)?;
    }
    if several {
        found.sort_unstable();
        found.dedup();
    }
    if let Some(live) = live {
        found.retain(|doc| live.is_live(DocId(*doc)));
    }
    Ok(found.len() as u64)
}

/// Appends the documents of the rarer list that the other one has too.
fn in_both(
    context: &SearchContext<'_>,
    rare: &mut TermList,
    frequent: &mut TermList,
    buffers: &mut Buffers,
    both: &mut Vec<u32>,
) -> Result<(), SearchError> {
    let Buffers { batch, bits, .. } = buffers;
    let mut docs = Vec::new();
    for block in 0..rare.block_count() {
        context.check_cancelled()?;
        if context.timed_out() {
            break;
        }
        let count = rare.load_docs_ranked(block, batch)?;
        docs.clear();
        docs.extend_from_slice(&batch.docs[..count]);
        frequent.retain(&mut docs, true, bits)?;
        both.extend_from_slice(&docs);
    }
    Ok(())
}
