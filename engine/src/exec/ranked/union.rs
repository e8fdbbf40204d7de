//! The best documents of which some term is enough.

use std::ops::RangeInclusive;

use super::Ranking;
use super::checks::Check;
use super::matches::Matches;
use super::scratch::{Buffers, Scratch, thread_scratch};
use super::term_list::{ABSENT, TermList};
use crate::search::{SearchContext, SearchError};
use crate::segment::WINDOW_DOCS;
use crate::simd;

/// Windows that are looked at first, the most promising of all, so that the floor is near its end when the others come.
const FIRST: usize = 4;
/// Windows of a stretch where lists are sparse: visiting a stretch costs as much as some dozens of documents.
const WIDE: usize = 16;
/// Documents of a window, on average, from which on a stretch is one window.
const DENSE: u64 = 64;
/// Blocks or stretches visited between two looks at the clock.
const STEPS_PER_LOOK: usize = 64;

/// How many times longer than the next one a list must be for its bounds not to be worked out in detail.
const ROUGH_FROM: u32 = 12;
/// What looking up a document costs, as postings that are added up.
const LOOKUP: u64 = 5;

/// Terms of which one is enough.
///
/// They are taken one after the other, the one that can score most first: every document of the first, with what the others
/// add; then those of the second that the first has not; and so on until the rest together cannot pass the floor. A term
/// with many documents ends this: it and the rest are added up window by window.
pub(super) struct Union {
    /// The one that can score most first.
    terms: Vec<TermList>,
    /// What is needed or (`false`) excluded besides.
    checks: Vec<(Check, bool)>,
    windows: usize,
    /// What the terms from each one on can score together in each window, rounded up: `terms.len() + 1` rows.
    from_here: Vec<f32>,
    /// Documents that have one of the first terms are done with.
    done: usize,
    /// Windows that were visited first.
    visited: [usize; FIRST],
    scratch: Scratch,
    /// Bound and number of each term in the stretch at hand, ascending.
    order: Vec<(f32, usize)>,
}

impl Union {
    /// At least one term; what is needed or (`false`) excluded besides.
    pub fn new(mut terms: Vec<TermList>, checks: Vec<(Check, bool)>) -> Result<Union, SearchError> {
        for term in &mut terms {
            term.know_max_and_windows()?;
        }
        terms.sort_by(|a, b| b.max.total_cmp(&a.max));
        Ok(Union {
            windows: terms.first().map_or(0, TermList::window_count),
            from_here: Vec::new(),
            done: 0,
            visited: [usize::MAX; FIRST],
            scratch: thread_scratch(),
            order: Vec::with_capacity(terms.len()),
            terms,
            checks,
        })
    }

    /// Bytes of the bounds of so many terms by window, at most.
    pub fn table_bytes(terms: usize, windows: usize) -> u64 {
        let rows = 2 * terms as u64 + 1;
        (rows * size_of::<f32>() as u64 + size_of::<f64>() as u64) * windows as u64
    }

    /// Offers what may be among the best.
    pub fn run(
        &mut self,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        if self.most_left() as f32 <= ranking.floor() {
            return Ok(());
        }
        for (check, _) in &mut self.checks {
            if !check.settle(self.windows, context)? {
                return Ok(());
            }
        }
        ranking.unordered = true;
        let result = self.run_steps(context, ranking);
        ranking.unordered = false;
        result
    }

    /// What the terms that are not done with can score together.
    fn most_left(&self) -> f64 {
        let left = self.terms[self.done..].iter();
        left.map(|term| f64::from(term.max)).sum()
    }

    fn run_steps(
        &mut self,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        while self.done < self.terms.len() && !context.timed_out() {
            if self.most_left() as f32 <= ranking.floor() {
                break;
            }
            if !self.is_lookup_cheap() {
                return self.run_windows(context, ranking);
            }
            let cost = self.terms[self.done].cost();
            let mut changed = self.from_here.is_empty();
            for term in &mut self.terms[self.done..] {
                // Bounds of a list that is much longer would cost more than they spare.
                changed |= term.bound(term.cost() / ROUGH_FROM <= cost)?;
            }
            if changed {
                self.prepare();
            }
            self.run_led(0, context, ranking)?;
            self.done += 1;
        }
        Ok(())
    }

    /// Works out what windows can score.
    fn prepare(&mut self) {
        let mut sums = vec![0.0f64; self.windows];
        self.from_here = vec![0.0; (self.terms.len() + 1) * self.windows];
        for (number, term) in self.terms.iter().enumerate().skip(self.done).rev() {
            let row = &mut self.from_here[number * self.windows..(number + 1) * self.windows];
            for ((sum, bound), slot) in sums.iter_mut().zip(&term.windows).zip(row) {
                *sum += f64::from(bound.max(0.0));
                *slot = (*sum as f32).next_up();
            }
        }
    }

    /// What the terms from one on can score together, by window.
    #[inline]
    fn row_of(&self, term: usize) -> &[f32] {
        &self.from_here[term * self.windows..(term + 1) * self.windows]
    }

    /// Whether looking up the documents of the next term in the others costs less than adding all of them up.
    fn is_lookup_cheap(&self) -> bool {
        let (next, rest) = (&self.terms[self.done], &self.terms[self.done + 1..]);
        let others: u64 = rest.iter().map(|term| u64::from(term.cost())).sum();
        let lookups = u64::from(next.cost()) * rest.len() as u64;
        lookups * LOOKUP <= others + u64::from(next.cost()) + 16 * self.windows as u64
    }

    /// Walks over the blocks of the next term, from a window on, those that can score most first.
    fn run_led(
        &mut self,
        window: usize,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        let lead = self.done;
        self.order.clear();
        for (number, term) in self.terms.iter().enumerate().skip(lead + 1).rev() {
            self.order.push((term.max, number));
        }
        let from = window as u32 * WINDOW_DOCS;
        let first = self.terms[lead].block_with(from, 0)?;
        let count = self.terms[lead].block_count();
        let mut visited = [usize::MAX; FIRST];
        if count - first.min(count) > 4 * FIRST {
            for slot in 0..FIRST {
                let (mut best, mut most) = (usize::MAX, f32::NEG_INFINITY);
                for (block, bound) in self.terms[lead].blocks().iter().enumerate().skip(first) {
                    if *bound > most && !visited.contains(&block) {
                        (best, most) = (block, *bound);
                    }
                }
                if best == usize::MAX {
                    break;
                }
                self.visit_block(best, from, ranking)?;
                visited[slot] = best;
            }
        }
        for block in first..count {
            if block.is_multiple_of(8 * STEPS_PER_LOOK) {
                context.check_cancelled()?;
                if context.timed_out() {
                    break;
                }
            }
            if !visited.contains(&block) {
                self.visit_block(block, from, ranking)?;
            }
        }
        Ok(())
    }

    /// Offers the documents of a block of the next term, from one on, with what the terms after it add.
    fn visit_block(
        &mut self,
        block: usize,
        from: u32,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        let (lead, floor) = (self.done, ranking.floor());
        let windows = self.windows_of(lead, block)?;
        let later = &self.row_of(lead + 1)[windows.clone()];
        let most = later.iter().copied().fold(0.0, f32::max);
        if (self.terms[lead].blocks()[block] + most).next_up() <= floor {
            return Ok(());
        }
        let later = &self.from_here[(lead + 1) * self.windows..(lead + 2) * self.windows];
        let list = &mut self.terms[lead];
        let Buffers { batch, found, .. } = &mut *self.scratch;
        // Rounded down, so that nothing above the floor is lost.
        let least = (floor - most).next_down();
        found.clear();
        list.take_above(block, least, batch, &mut found.docs, &mut found.sums)?;
        if windows.start() < windows.end() {
            found.keep(|doc, sum, _| {
                let rest = later[(doc / WINDOW_DOCS) as usize];
                (sum as f32 + rest).next_up() > floor
            });
        }
        if from > 0 {
            found.keep(|doc, _, _| doc >= from);
        }
        self.finish(self.order.len(), true, ranking)
    }

    /// The windows that a block of a term reaches into.
    #[inline]
    fn windows_of(&self, term: usize, block: usize) -> Result<RangeInclusive<usize>, SearchError> {
        let (first, last) = self.terms[term].range(block)?;
        let last = ((last / WINDOW_DOCS) as usize).min(self.windows - 1);
        Ok((first / WINDOW_DOCS) as usize..=last)
    }

    /// What a document of a block of a term can score with all that are not done with.
    #[inline]
    fn reach_with_all(&self, term: usize, block: usize) -> Result<f32, SearchError> {
        let list = &self.terms[term];
        let windows = self.windows_of(term, block)?;
        let all = self.row_of(self.done)[windows.clone()].iter();
        let others = all.zip(&list.windows[windows]);
        let most = others
            .map(|(all, own)| all - own.max(0.0))
            .fold(0.0, f32::max);
        // Differences and sums are rounded: what is lost is far less than this.
        Ok((list.blocks()[block] + most) * (1.0 + 1e-6))
    }

    /// Adds up all terms that are not done with, window by window.
    fn run_windows(
        &mut self,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        let mut changed = self.from_here.is_empty();
        for term in &mut self.terms[self.done..] {
            changed |= term.bound(true)?;
        }
        if changed {
            self.prepare();
        }
        self.visit_first(ranking)?;
        let rest = self.terms[self.done..].iter();
        let docs: u64 = rest.map(|term| u64::from(term.cost())).sum();
        let step = if docs < DENSE * self.windows as u64 {
            WIDE
        } else {
            1
        };
        let rest = self.terms[self.done + 1..].iter();
        let others: f64 = rest.map(|term| f64::from(term.max)).sum();
        for window in (0..self.windows).step_by(step) {
            if (window / step).is_multiple_of(STEPS_PER_LOOK) {
                context.check_cancelled()?;
                if context.timed_out() {
                    return Ok(());
                }
            }
            if others as f32 <= ranking.floor() {
                return self.run_led(window, context, ranking);
            }
            let end = (window + step).min(self.windows);
            if step > 1 || !self.visited.contains(&window) {
                self.visit(window, end, ranking)?;
            }
        }
        Ok(())
    }

    /// Visits the windows in which the terms together score most.
    fn visit_first(&mut self, ranking: &mut Ranking<'_>) -> Result<(), SearchError> {
        if self.windows <= 4 * FIRST {
            return Ok(());
        }
        for slot in 0..FIRST {
            let (mut best, mut most) = (usize::MAX, 0.0);
            for (window, total) in self.row_of(self.done).iter().enumerate() {
                if *total > most && !self.visited.contains(&window) {
                    (best, most) = (window, *total);
                }
            }
            if best == usize::MAX {
                break;
            }
            self.visit(best, best + 1, ranking)?;
            self.visited[slot] = best;
        }
        Ok(())
    }

    /// Offers what may be among the best of some windows.
    fn visit(
        &mut self,
        window: usize,
        end: usize,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        let floor = ranking.floor();
        self.order.clear();
        let mut total = 0.0f64;
        for (number, term) in self.terms.iter().enumerate().skip(self.done) {
            let bounds = term.windows[window..end].iter();
            let bound = bounds.copied().fold(ABSENT, f32::max);
            if bound >= 0.0 {
                self.order.push((bound, number));
                total += f64::from(bound);
            }
        }
        if total as f32 <= floor {
            return Ok(());
        }
        self.order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        // The weakest terms that together cannot pass the floor are only looked up.
        let (mut weak, mut weak_bound) = (0, 0.0f64);
        for (bound, _) in &self.order {
            let sum = weak_bound + f64::from(*bound);
            if sum as f32 > floor {
                break;
            }
            (weak, weak_bound) = (weak + 1, sum);
        }
        if weak == self.order.len() {
            return Ok(());
        }
        let from = window as u32 * WINDOW_DOCS;
        let len = (end - window) * WINDOW_DOCS as usize;
        let to = (end as u32).saturating_mul(WINDOW_DOCS);
        self.scratch.found.clear();
        let least = f64::from(floor) - weak_bound;
        if weak + 1 == self.order.len() && floor > f32::NEG_INFINITY {
            self.scan(self.order[weak].1, from, to, floor, least)?;
        } else {
            self.add_up(weak, from, to, len, floor, least)?;
        }
        self.finish(weak, false, ranking)
    }

    /// Finds the documents of one term in `from..to` that score more than `least`, and with the others may pass `floor`.
    fn scan(
        &mut self,
        term: usize,
        from: u32,
        to: u32,
        floor: f32,
        least: f64,
    ) -> Result<(), SearchError> {
        let kernels = &simd::kernels().scoring;
        // Rounded down, so that nothing above the floor is lost.
        let least = (least as f32).next_down();
        let mut block = self.terms[term].first_block(from)?;
        while block < self.terms[term].block_count() && self.terms[term].range(block)?.0 < to {
            if self.reach_with_all(term, block)? > floor {
                let list = &mut self.terms[term];
                let Buffers { batch, found, .. } = &mut *self.scratch;
                let count = list.load_between(block, from, to, least, batch)?;
                list.score(count, batch);
                let (docs, scores) = (&mut batch.docs[..count], &mut batch.scores[..count]);
                let kept = (kernels.keep_above)(docs, scores, least);
                let scores = scores[..kept].iter().map(|score| f64::from(*score));
                found.docs.extend_from_slice(&docs[..kept]);
                found.sums.extend(scores);
            }
            block += 1;
        }
        Ok(())
    }

    /// Adds up the terms from the `weak`-th on in `from..to`, and finds the documents whose sum is above `least`. Blocks whose
    /// documents cannot pass `floor` with all terms together are left out.
    fn add_up(
        &mut self,
        weak: usize,
        from: u32,
        to: u32,
        len: usize,
        floor: f32,
        least: f64,
    ) -> Result<(), SearchError> {
        self.scratch.adding = true;
        for strong in weak..self.order.len() {
            let term = self.order[strong].1;
            let mut block = self.terms[term].first_block(from)?;
            while block < self.terms[term].block_count() && self.terms[term].range(block)?.0 < to {
                if self.reach_with_all(term, block)? > floor {
                    let list = &mut self.terms[term];
                    let scratch = &mut *self.scratch;
                    let (batch, sums) = (&mut scratch.batch, &mut scratch.sums[..len]);
                    let count = list.load_between(block, from, to, f32::NEG_INFINITY, batch)?;
                    list.score(count, batch);
                    let bits = &mut scratch.bits[..len / 64];
                    for (doc, score) in batch.docs[..count].iter().zip(&batch.scores) {
                        let offset = (doc - from) as usize;
                        sums[offset] += f64::from(*score);
                        bits[offset / 64] |= 1 << (offset % 64);
                    }
                }
                block += 1;
            }
        }
        let scratch = &mut *self.scratch;
        let (sums, bits) = (&mut scratch.sums[..len], &mut scratch.bits[..len / 64]);
        let Matches {
            docs, sums: kept, ..
        } = &mut scratch.found;
        (simd::kernels().scoring.sums_above)(sums, bits, least, docs, kept);
        for doc in docs {
            *doc += from;
        }
        bits.fill(0);
        scratch.adding = false;
        Ok(())
    }

    /// Looks up the weak terms, the first `weak` in order, the strongest first, and offers what is left; `told`: all that is
    /// found may be above the floor.
    fn finish(
        &mut self,
        weak: usize,
        told: bool,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        let scratch = &mut *self.scratch;
        let (found, lookups) = (&mut scratch.found, &mut scratch.lookups);
        if self.visited[0] != usize::MAX {
            let visited = &self.visited;
            found.keep(|doc, _, _| !visited.contains(&((doc / WINDOW_DOCS) as usize)));
        }
        let floor = ranking.floor();
        for rest in (1..=weak).rev() {
            if floor > f32::NEG_INFINITY && !(told && rest == weak) {
                let (terms, order) = (&self.terms, &self.order[..rest]);
                // The documents ascend, so that few of them are the first of a window.
                let (mut at, mut most) = (usize::MAX, 0.0);
                found.keep(|doc, sum, _| {
                    let window = (doc / WINDOW_DOCS) as usize;
                    if window != at {
                        let bounds = order.iter().map(|(_, term)| &terms[*term].windows);
                        most = bounds
                            .map(|bounds| f64::from(bounds[window].max(0.0)))
                            .sum();
                        at = window;
                    }
                    (sum + most) as f32 > floor
                });
            }
            if found.docs.is_empty() {
                return Ok(());
            }
            let term = &mut self.terms[self.order[rest - 1].1];
            lookups.add(term, &found.docs, &mut found.sums, &mut scratch.bits)?;
        }
        for term in &mut self.terms[..self.done] {
            lookups.keep(term, false, found, &mut scratch.bits)?;
        }
        if !self.checks.is_empty() {
            found.keep(|_, sum, _| sum as f32 > floor);
        }
        for (check, wanted) in &mut self.checks {
            check.keep(*wanted, found, lookups, &mut scratch.bits)?;
        }
        scratch.scores.clear();
        scratch
            .scores
            .extend(found.sums.iter().map(|sum| *sum as f32));
        ranking.offer_all(&mut found.docs, &mut scratch.scores);
        Ok(())
    }
}
