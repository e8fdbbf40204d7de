//! How many documents match, in bitmaps of stretches.

use super::conjunction::Conjunction;
use super::scratch::{STRETCH_DOCS, Scratch};
use super::term_list::TermList;
use super::{Plan, Ranking, plan};
use crate::exec::node::Node;
use crate::exec::segment_scorer::SegmentScope;
use crate::ids::DocId;
use crate::search::{SearchContext, SearchError};
use crate::segment::{LiveDocs, WINDOW_DOCS, Window};
use crate::simd;

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
            counting.all(&mut all, None)?;
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
    if let (Some(count), None) = (all.known_count(), ranking.live) {
        all.prepare()?;
        all.run(0, scope.context, ranking)?;
        return Ok(Some(count));
    }
    if all.is_led_by_one_term() {
        return Ok(None);
    }
    all.prepare()?;
    let mut counting = Counting::new(scope.context, ranking.live, limit);
    let mut offer = |all: &mut Conjunction, doc| all.offer_match(doc, ranking);
    let next = counting.all(&mut all, Some(&mut offer))?;
    let count = counting.count;
    if let Some(next) = next {
        all.run(next, scope.context, ranking)?;
    }
    Ok(Some(count))
}

/// What looking up a document costs, as postings that are set in a bitmap.
const LOOKUP: u64 = 20;
/// What a window's part of a bitmap costs, likewise.
const STRETCH: u64 = 40;

/// What is done with a match.
type Each<'a> = dyn FnMut(&mut Conjunction, u32) -> Result<(), SearchError> + 'a;

struct Counting<'a> {
    context: &'a SearchContext<'a>,
    live: Option<&'a LiveDocs>,
    limit: u64,
    count: u64,
}

impl<'a> Counting<'a> {
    fn new(context: &'a SearchContext<'a>, live: Option<&'a LiveDocs>, limit: u64) -> Self {
        Counting {
            context,
            live,
            limit,
            count: 0,
        }
    }

    /// The same where the rarest term has so few documents that each is looked up in the other lists.
    fn one_by_one(
        &mut self,
        all: &mut Conjunction,
        mut each: Option<&mut Each<'_>>,
    ) -> Result<Option<u32>, SearchError> {
        let mut next = None;
        all.for_each_match(self.context, &mut |all, doc| {
            if self.live.is_none_or(|live| live.is_live(DocId(doc))) {
                if let Some(each) = &mut each {
                    each(all, doc)?;
                }
                self.count += 1;
            }
            if self.count > self.limit {
                next = Some(doc + 1);
            }
            Ok(next.is_none())
        })?;
        Ok(next)
    }

    /// Takes the dead documents out of a stretch and counts the others; `false` when there is no need to go on.
    fn add(&mut self, base: u32, bits: &mut [u64]) -> Result<bool, SearchError> {
        let (windows, _) = bits.as_chunks_mut::<64>();
        let kernels = simd::kernels();
        for (number, words) in (0..).zip(windows) {
            if let Some(live) = self.live {
                let mut window = Window { words: *words };
                live.mask_window(DocId(base + number * WINDOW_DOCS), &mut window);
                *words = window.words;
            }
            self.count += u64::from((kernels.count)(words));
        }
        self.context.check_cancelled()?;
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
        if let ([one, other], None) = (&mut *lists, self.live) {
            let (rare, frequent) = match one.cost() <= other.cost() {
                true => (one, other),
                false => (other, one),
            };
            // Those in both are counted twice; where one has few, each is looked up.
            let all = u64::from(rare.cost()) + u64::from(frequent.cost());
            if u64::from(rare.cost()) * LOOKUP <= all + STRETCH * windows as u64 {
                return Ok(all.saturating_sub(self.in_both(rare, frequent)?));
            }
        }
        let mut scratch = Scratch::take();
        let scratch = &mut *scratch;
        scratch.adding = true;
        let bits = &mut scratch.spare;
        for stretch in 0..(windows as u32).div_ceil(STRETCH_DOCS / WINDOW_DOCS) {
            let base = stretch * STRETCH_DOCS;
            for list in &mut *lists {
                list.fill(base, bits)?;
            }
            let more = self.add(base, bits)?;
            bits.fill(0);
            if !more {
                break;
            }
        }
        scratch.adding = false;
        Ok(self.count)
    }

    /// How many documents of the rarer list the other one has too.
    fn in_both(&self, rare: &mut TermList, frequent: &mut TermList) -> Result<u64, SearchError> {
        let mut scratch = Scratch::take();
        let mut both = 0;
        for block in 0..rare.block_count() {
            self.context.check_cancelled()?;
            let count = rare.load_ranked(block, &mut scratch.batch)?;
            for doc in &scratch.batch.docs[..count] {
                both += u64::from(frequent.contains(*doc)?);
            }
        }
        Ok(both)
    }

    /// Calls `each` with every match; answers the first document that was not looked at when there were more than `limit`.
    fn all(
        &mut self,
        all: &mut Conjunction,
        each: Option<&mut Each<'_>>,
    ) -> Result<Option<u32>, SearchError> {
        let mut bits = vec![0; STRETCH_DOCS as usize / 64];
        if !all.is_dense() {
            return self.one_by_one(all, each);
        }
        let only_terms = all.is_of_terms_only();
        let mut each = each;
        for stretch in 0..all.stretches() {
            let base = stretch * STRETCH_DOCS;
            all.match_terms(base, &mut bits)?;
            if !only_terms {
                for (index, word) in bits.iter_mut().enumerate() {
                    let mut rest = *word;
                    while rest != 0 {
                        let bit = rest.trailing_zeros();
                        let doc = base + index as u32 * 64 + bit;
                        if !all.matches(doc)? {
                            *word &= !(1 << bit);
                        } else if let Some(each) = &mut each
                            && self.live.is_none_or(|live| live.is_live(DocId(doc)))
                        {
                            each(all, doc)?;
                        }
                        rest &= rest - 1;
                    }
                }
            }
            let more = self.add(base, &mut bits)?;
            if only_terms && let Some(each) = &mut each {
                for (index, word) in bits.iter().enumerate() {
                    let mut rest = *word;
                    while rest != 0 {
                        each(all, base + index as u32 * 64 + rest.trailing_zeros())?;
                        rest &= rest - 1;
                    }
                }
            }
            if !more {
                let next = base.saturating_add(STRETCH_DOCS);
                return Ok((self.count > self.limit).then_some(next));
            }
        }
        Ok(None)
    }
}
