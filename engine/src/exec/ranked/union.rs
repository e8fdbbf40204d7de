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
    /// What all terms together can score in each window, rounded up.
    totals: Vec<f32>,
    /// The same without one term: a row for each term.
    rests: Vec<f32>,
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
            totals: Vec::new(),
            rests: Vec::new(),
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
        self.prepare();
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

    fn prepare(&mut self) {
        let mut sums = vec![0.0f64; self.windows];
        for term in &self.terms {
            for (sum, bound) in sums.iter_mut().zip(&term.windows) {
                *sum += f64::from(bound.max(0.0));
            }
        }
        let up = |sum: f64| (sum as f32).next_up();
        self.totals = sums.iter().map(|sum| up(*sum)).collect();
        self.rests = Vec::with_capacity(self.terms.len() * self.windows);
        for term in &self.terms {
            let bounds = sums.iter().zip(&term.windows);
            self.rests
                .extend(bounds.map(|(sum, bound)| up(sum - f64::from(bound.max(0.0)))));
        }
    }

    /// What a document of a block of a term can score with all the others.
    #[inline]
    fn reach(&self, term: usize, block: usize) -> Result<f32, SearchError> {
        let list = &self.terms[term];
        let (first, last) = list.range(block)?;
        let row = &self.rests[term * self.windows..(term + 1) * self.windows];
        let windows =
            (first / WINDOW_DOCS) as usize..=((last / WINDOW_DOCS) as usize).min(self.windows - 1);
        let rest = row[windows].iter().copied().fold(0.0, f32::max);
        Ok(list.blocks()[block] + rest)
    }

    /// Visits the windows in which the terms together score most.
    fn visit_first(&mut self, ranking: &mut Ranking<'_>) -> Result<(), SearchError> {
        if self.windows <= 4 * FIRST {
            return Ok(());
        }
        for slot in 0..FIRST {
            let mut best = usize::MAX;
            let mut most = 0.0;
            for (window, total) in self.totals.iter().enumerate() {
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
        self.order.clear();
        for (number, term) in self.terms.iter().enumerate() {
            if number != lead {
                self.order.push((term.max, number));
            }
        }
        self.order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let first = self.terms[lead].block_with(from, 0)?;
        for block in first..self.terms[lead].block_count() {
            if block.is_multiple_of(STEPS_PER_LOOK) {
                context.check_cancelled()?;
                if context.timed_out() {
                    break;
                }
            }
            let floor = ranking.floor();
            if self.reach(lead, block)? <= floor {
                continue;
            }
            let list = &mut self.terms[lead];
            let rest = &self.rests[lead * self.windows..(lead + 1) * self.windows];
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
            self.scan(self.order[weak].1, from, to, floor, least)?;
        } else {
            self.add_up(weak, from, to, floor, least)?;
        }
        self.finish(weak, ranking)
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
            if self.reach(term, block)? > floor {
                let list = &mut self.terms[term];
                let Buffers { batch, found, .. } = &mut *self.scratch;
                let count = list.load_between(block, from, to, batch)?;
                list.score(count, batch);
                let (docs, scores) = (&mut batch.docs[..count], &mut batch.scores[..count]);
                let kept = (kernels.keep_above)(docs, scores, least);
                let scores = scores[..kept].iter().map(|score| f64::from(*score));
                found.extend(docs[..kept].iter().copied().zip(scores));
            }
            block += 1;
        }
        self.scratch.found.sort_unstable_by_key(|(doc, _)| *doc);
        Ok(())
    }

    /// Adds up the terms from the `weak`-th on in `from..to`, and finds the documents whose sum is above `least`. Blocks whose
    /// documents cannot pass `floor` with all terms together are left out.
    fn add_up(
        &mut self,
        weak: usize,
        from: u32,
        to: u32,
        floor: f32,
        least: f64,
    ) -> Result<(), SearchError> {
        let len = (to - from) as usize;
        self.scratch.adding = true;
        for strong in weak..self.order.len() {
            let term = self.order[strong].1;
            let mut block = self.terms[term].first_block(from)?;
            while block < self.terms[term].block_count() && self.terms[term].range(block)?.0 < to {
                if self.reach(term, block)? > floor {
                    let list = &mut self.terms[term];
                    let scratch = &mut *self.scratch;
                    let (batch, sums) = (&mut scratch.batch, &mut scratch.sums[..len]);
                    let count = list.load_between(block, from, to, batch)?;
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
