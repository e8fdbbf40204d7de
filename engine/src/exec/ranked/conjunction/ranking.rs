//! What the matches score, and which of them may be among the best.

use super::Conjunction;
use crate::exec::ranked::Ranking;
use crate::exec::ranked::checks::Check;
use crate::exec::ranked::matches::Matches;
use crate::search::{SearchContext, SearchError};
use crate::segment::WINDOW_DOCS;

/// What looking up a document costs, as postings of the rarest term that are scored.
const LOOKUP: u64 = 2;

impl Conjunction {
    /// Scores the matches and offers those that may be among the best; `checked`: all that is needed was checked.
    pub(super) fn rank(
        &mut self,
        checked: bool,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        // The scores of a lead that is alone are known by now.
        let first = usize::from(!checked && !self.matches.sums.is_empty());
        let count = self.matches.docs.len();
        self.matches.sums.resize(count, 0.0);
        self.matches.more.resize(count, 0.0);
        if first == 0 {
            self.locate_lead()?;
        }
        for done in first..self.order.len() {
            if self.matches.docs.is_empty() {
                return Ok(());
            }
            if !self.scored[self.order[done]] {
                continue;
            }
            self.add_needed(done)?;
            self.keep_above(done + 1, ranking.floor());
        }
        if !checked {
            self.score_phrases(ranking.floor())?;
        }
        self.add_optional(ranking.floor())?;
        // The needed clauses and the others are rounded apart, as two clauses are.
        let both = !self.optional.is_empty();
        let score = |sum: f64, more: f64| match both {
            true => sum as f32 + more as f32,
            false => sum as f32,
        };
        let floor = ranking.floor();
        self.matches.keep(|_, sum, more| score(sum, more) > floor);
        if !checked {
            self.check_rest()?;
        }
        for list in &mut self.optional[..self.done] {
            let bits = &mut self.scratch.bits;
            self.buffers.keep(list, false, &mut self.matches, bits)?;
        }
        let Matches { docs, sums, more } = &mut self.matches;
        let scores = sums.iter().zip(more).map(|(sum, more)| score(*sum, *more));
        self.bounds.clear();
        self.bounds.extend(scores);
        ranking.offer_all(docs, &mut self.bounds);
        Ok(())
    }

    /// Finds where the matches are in the lead; where they are in other lists is known since these let them pass.
    pub(super) fn locate_lead(&mut self) -> Result<(), SearchError> {
        let lead = &mut self.lists[self.order[0]];
        lead.locate(&self.matches.docs, &mut self.scratch.bits)
    }

    /// Adds the scores of the `done`-th list in order.
    fn add_needed(&mut self, done: usize) -> Result<(), SearchError> {
        let list = &mut self.lists[self.order[done]];
        let Matches { docs, sums, .. } = &mut self.matches;
        self.buffers.add_to_all(list, docs, sums)
    }

    /// Keeps what may score above the floor with the lists from the `done`-th on, and all else.
    fn keep_above(&mut self, done: usize, floor: f32) {
        if floor == f32::NEG_INFINITY {
            return;
        }
        let mut matches = std::mem::take(&mut self.matches);
        matches.keep(|doc, sum, more| {
            let rest = f64::from(self.rest_of(done, doc));
            ((sum + more + rest) as f32).next_up().next_up() > floor
        });
        self.matches = matches;
    }

    /// Adds what optional terms score that are not done with.
    fn add_optional(&mut self, floor: f32) -> Result<(), SearchError> {
        for index in self.done..self.optional.len() {
            if floor > f32::NEG_INFINITY {
                let rest = &self.optional[index..];
                let known = !self.after.is_empty();
                let (mut at, mut most) = (usize::MAX, 0.0);
                self.matches.keep(|doc, sum, more| {
                    let window = (doc / WINDOW_DOCS) as usize;
                    if window != at {
                        let bounds = rest.iter().map(|list| match known {
                            true => f64::from(list.windows[window].max(0.0)),
                            false => f64::from(list.max),
                        });
                        most = bounds.sum();
                        at = window;
                    }
                    ((sum + more + most) as f32).next_up().next_up() > floor
                });
            }
            let list = &mut self.optional[index];
            let (docs, more) = self.matches.docs_and_more();
            self.buffers.add(list, docs, more, &mut self.scratch.bits)?;
        }
        Ok(())
    }

    /// Takes out what has not got all that is needed besides terms and phrases, or has what is excluded.
    pub(super) fn check_rest(&mut self) -> Result<(), SearchError> {
        let (matches, buffers) = (&mut self.matches, &mut self.buffers);
        for (checks, wanted) in [(&mut self.filters, true), (&mut self.excluded, false)] {
            for check in checks {
                check.keep(wanted, matches, buffers, &mut self.scratch.bits)?;
            }
        }
        Ok(())
    }

    /// Adds the scores of phrases, and takes out documents without them.
    fn score_phrases(&mut self, floor: f32) -> Result<(), SearchError> {
        for index in 0..self.phrases.len() {
            if self.matches.docs.is_empty() {
                return Ok(());
            }
            // A little lower than it has to be: sums are rounded when they are compared.
            let floor = f64::from(floor.next_down().next_down());
            let optional = self.optional[self.done..].iter();
            let mut others: f64 = optional.map(|list| f64::from(list.max)).sum();
            for later in &self.phrases[index + 1..] {
                others += f64::from(later.max(&self.lists));
            }
            let phrase = &mut self.phrases[index];
            phrase.keep(
                &mut self.lists,
                &mut self.matches,
                (floor, others),
                &mut self.bounds,
            )?;
        }
        Ok(())
    }

    /// Whether an optional term is so rare that its documents are better looked at first, before those that have not got it.
    pub(super) fn is_rare_enough(&self, optional: usize) -> bool {
        // Those who decide window by window cannot be asked for an earlier window once more.
        let goes_on = |check: &Check| matches!(check, Check::Decider(_));
        if self.filters.iter().chain(&self.excluded).any(goes_on) {
            return false;
        }
        let rarest = &self.lists[self.order[0]];
        let lookups = u64::from(self.optional[optional].cost()) * self.lists.len() as u64;
        lookups * LOOKUP <= u64::from(rarest.cost())
    }

    /// Offers the documents that have the next optional term and none of those before it.
    pub(super) fn run_preferred(
        &mut self,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        let preferred = self.done;
        for block in 0..self.optional[preferred].block_count() {
            context.check_cancelled()?;
            if context.timed_out() {
                break;
            }
            self.matches.clear();
            let batch = &mut self.scratch.batch;
            let count = self.optional[preferred].load_docs_ranked(block, batch)?;
            self.matches.docs.extend_from_slice(&batch.docs[..count]);
            for list in &self.order {
                let list = &mut self.lists[*list];
                list.retain(&mut self.matches.docs, true, &mut self.scratch.bits)?;
            }
            self.rank(false, ranking)?;
        }
        Ok(())
    }
}
