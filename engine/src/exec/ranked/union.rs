//! The best documents of which some term is enough.

use super::Ranking;
use super::scratch::{Buffers, Scratch};
use super::term_list::{Batch, TermList};
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

/// Terms of which one is enough.
pub(super) struct Union {
    terms: Vec<TermList>,
    windows: usize,
    /// Windows that were visited first.
    visited: [usize; FIRST],
    scratch: Scratch,
    /// Bound and number of each term in the stretch at hand, ascending.
    order: Vec<(f32, usize)>,
}

impl Union {
    /// At least one term.
    pub fn new(terms: Vec<TermList>) -> Union {
        Union {
            windows: terms.iter().map(TermList::window_count).max().unwrap_or(0),
            visited: [usize::MAX; FIRST],
            scratch: Scratch::take(),
            order: Vec::with_capacity(terms.len()),
            terms,
        }
    }

    /// Its terms.
    pub fn terms(&mut self) -> &mut [TermList] {
        &mut self.terms
    }

    /// Offers what may be among the best.
    pub fn run(
        &mut self,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        ranking.unordered = true;
        let done = match self.terms.len() {
            1 => self.run_one(context, ranking),
            _ => self.run_all(context, ranking),
        };
        ranking.unordered = false;
        done
    }

    fn run_all(
        &mut self,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        self.visit_first(ranking)?;
        let docs: u64 = self.terms.iter().map(|term| u64::from(term.cost())).sum();
        let wide = docs < DENSE * self.windows as u64;
        let step = if wide { WIDE } else { 1 };
        for window in (0..self.windows).step_by(step) {
            if (window / step).is_multiple_of(STEPS_PER_LOOK) {
                context.check_cancelled()?;
                if context.timed_out() {
                    return Ok(());
                }
            }
            if let Some(lead) = self.only_strong_term(ranking.floor()) {
                return self.run_led(lead, window, context, ranking);
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
        let mut totals = vec![0.0f32; self.windows];
        for term in &self.terms {
            for (total, bound) in totals.iter_mut().zip(&term.windows) {
                *total += bound.max(0.0);
            }
        }
        for slot in 0..FIRST {
            let mut best = 0;
            for (window, total) in totals.iter().enumerate() {
                if *total > totals[best] {
                    best = window;
                }
            }
            if totals[best] <= 0.0 {
                break;
            }
            totals[best] = 0.0;
            self.visit(best, best + 1, ranking)?;
            self.visited[slot] = best;
        }
        Ok(())
    }

    /// The term without which nothing passes the floor, if there is one such term.
    fn only_strong_term(&self, floor: f32) -> Option<usize> {
        let mut strongest = 0;
        let mut others = 0.0f64;
        for (number, term) in self.terms.iter().enumerate() {
            if term.max > self.terms[strongest].max {
                strongest = number;
            }
            others += f64::from(term.max);
        }
        others -= f64::from(self.terms[strongest].max);
        ((others as f32).next_up() <= floor).then_some(strongest)
    }

    /// Walks over the blocks of the only term without which nothing passes, from a window on.
    fn run_led(
        &mut self,
        lead: usize,
        window: usize,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        let from = window as u32 * WINDOW_DOCS;
        let mut rest = vec![0.0f64; self.windows];
        self.order.clear();
        for (number, term) in self.terms.iter().enumerate() {
            if number != lead {
                self.order.push((term.max, number));
                for (sum, bound) in rest.iter_mut().zip(&term.windows) {
                    *sum += f64::from(bound.max(0.0));
                }
            }
        }
        self.order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let rest: Vec<f32> = rest.iter().map(|sum| (*sum as f32).next_up()).collect();
        let first = self.terms[lead].block_with(from, 0)?;
        for block in first..self.terms[lead].block_count() {
            if block.is_multiple_of(STEPS_PER_LOOK) {
                context.check_cancelled()?;
                if context.timed_out() {
                    break;
                }
            }
            let list = &mut self.terms[lead];
            let (first, last) = list.range(block)?;
            let windows = (first / WINDOW_DOCS) as usize
                ..=((last / WINDOW_DOCS) as usize).min(self.windows - 1);
            let most = rest[windows].iter().copied().fold(0.0, f32::max);
            let floor = ranking.floor();
            if list.blocks()[block] + most <= floor {
                continue;
            }
            let Buffers { batch, found, .. } = &mut *self.scratch;
            let count = list.load(block, batch)?;
            list.score(count, batch);
            found.clear();
            for (doc, score) in batch.docs[..count].iter().zip(&batch.scores) {
                let rest = rest[(doc / WINDOW_DOCS) as usize];
                if score + rest > floor && *doc >= from {
                    found.push((*doc, f64::from(*score)));
                }
            }
            found.sort_unstable_by_key(|(doc, _)| *doc);
            self.finish(self.order.len(), ranking)?;
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
        for (number, term) in self.terms.iter().enumerate() {
            let bounds = term.windows[window..end].iter();
            let bound = bounds.copied().fold(0.0, f32::max);
            if bound > 0.0 {
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
        let to = (end as u32).saturating_mul(WINDOW_DOCS);
        self.scratch.found.clear();
        let least = f64::from(floor) - weak_bound;
        if weak + 1 == self.order.len() && floor > f32::NEG_INFINITY {
            self.scan(self.order[weak].1, from, to, least)?;
        } else {
            self.add_up(weak, from, to, least)?;
        }
        self.finish(weak, ranking)
    }

    /// Finds the documents of one term in `from..to` that score more than `least`.
    fn scan(&mut self, term: usize, from: u32, to: u32, least: f64) -> Result<(), SearchError> {
        let list = &mut self.terms[term];
        let Buffers { batch, found, .. } = &mut *self.scratch;
        let kernels = &simd::kernels().scoring;
        // Rounded down, so that nothing above the floor is lost.
        let least = (least as f32).next_down();
        list.for_blocks(from, to, |list, block| {
            if list.blocks()[block] <= least {
                return Ok(());
            }
            let count = list.load_between(block, from, to, batch)?;
            list.score(count, batch);
            let (docs, scores) = (&mut batch.docs[..count], &mut batch.scores[..count]);
            let kept = (kernels.keep_above)(docs, scores, least);
            let scores = scores[..kept].iter().map(|score| f64::from(*score));
            found.extend(docs[..kept].iter().copied().zip(scores));
            Ok(())
        })?;
        found.sort_unstable_by_key(|(doc, _)| *doc);
        Ok(())
    }

    /// Adds up the terms from the `weak`-th on in `from..to`, and finds the documents whose sum is above `least`.
    fn add_up(&mut self, weak: usize, from: u32, to: u32, least: f64) -> Result<(), SearchError> {
        let scratch = &mut *self.scratch;
        scratch.adding = true;
        let (batch, len) = (&mut scratch.batch, (to - from) as usize);
        let (sums, bits) = (&mut scratch.sums[..len], &mut scratch.bits[..len / 64]);
        for (_, term) in &self.order[weak..] {
            self.terms[*term].for_blocks(from, to, |list, block| {
                let count = list.load_between(block, from, to, batch)?;
                list.score(count, batch);
                for (doc, score) in batch.docs[..count].iter().zip(&batch.scores) {
                    let offset = (doc - from) as usize;
                    sums[offset] += f64::from(*score);
                    bits[offset / 64] |= 1 << (offset % 64);
                }
                Ok(())
            })?;
        }
        (simd::kernels().scoring.sums_above)(sums, bits, least, &mut scratch.found);
        bits.fill(0);
        scratch.adding = false;
        for (doc, _) in &mut scratch.found {
            *doc += from;
        }
        Ok(())
    }

    /// Looks up the weak terms, the first `weak` in order, the strongest first, and offers what is left.
    fn finish(&mut self, weak: usize, ranking: &mut Ranking<'_>) -> Result<(), SearchError> {
        for &(doc, sum) in &self.scratch.found {
            if self.visited.contains(&((doc / WINDOW_DOCS) as usize)) {
                continue;
            }
            let (mut sum, mut rest) = (sum, weak);
            let floor = ranking.floor();
            let window = (doc / WINDOW_DOCS) as usize;
            let entered = loop {
                let mut most = sum;
                for (_, term) in &self.order[..rest] {
                    most += f64::from(self.terms[*term].windows[window].max(0.0));
                }
                if most as f32 <= floor {
                    break false;
                }
                if rest == 0 {
                    break true;
                }
                rest -= 1;
                let term = &mut self.terms[self.order[rest].1];
                if let Some(score) = term.lookup(doc)? {
                    sum += f64::from(score);
                }
            };
            if entered {
                ranking.offer(doc, sum as f32);
            }
        }
        Ok(())
    }

    /// One term alone: the blocks of the highest bounds first.
    fn run_one(
        &mut self,
        context: &SearchContext<'_>,
        ranking: &mut Ranking<'_>,
    ) -> Result<(), SearchError> {
        let list = &mut self.terms[0];
        let batch = &mut self.scratch.batch;
        let blocks = list.block_count();
        let mut visited = [usize::MAX; FIRST];
        if blocks > 4 * FIRST {
            for slot in 0..FIRST {
                let mut best = usize::MAX;
                let mut most = f32::NEG_INFINITY;
                for (block, bound) in list.blocks().iter().enumerate() {
                    if *bound > most && !visited.contains(&block) {
                        (best, most) = (block, *bound);
                    }
                }
                offer_block(list, best, batch, ranking)?;
                visited[slot] = best;
            }
        }
        for block in 0..blocks {
            if block.is_multiple_of(16 * STEPS_PER_LOOK) {
                context.check_cancelled()?;
                if context.timed_out() {
                    break;
                }
            }
            if list.blocks()[block] > ranking.floor() && !visited.contains(&block) {
                offer_block(list, block, batch, ranking)?;
            }
        }
        Ok(())
    }
}

/// Offers the documents of one block of the only term.
fn offer_block(
    list: &mut TermList,
    block: usize,
    batch: &mut Batch,
    ranking: &mut Ranking<'_>,
) -> Result<(), SearchError> {
    let count = list.load(block, batch)?;
    list.score(count, batch);
    let kept = (simd::kernels().scoring.keep_above)(
        &mut batch.docs[..count],
        &mut batch.scores[..count],
        ranking.floor(),
    );
    for (doc, score) in batch.docs[..kept].iter().zip(&batch.scores) {
        ranking.offer(*doc, *score);
    }
    Ok(())
}
