//! The best documents of which some term is enough.

use super::Ranking;
use super::term_list::{Batch, TermList};
use crate::search::{SearchContext, SearchError};
use crate::segment::WINDOW_DOCS;
use crate::simd;

/// Stretches that are looked at first, the most promising of all.
const FIRST: usize = 8;
/// Windows of a stretch where lists are sparse: visiting a window costs as much as some dozens of documents.
const WIDE: usize = 16;
/// Documents of a window, on average, from which on a stretch is one window.
const DENSE: u64 = 48;
/// Windows visited between two looks at the clock.
const WINDOWS_PER_LOOK: usize = 64;

/// Terms of which one is enough.
pub(super) struct Union {
    terms: Vec<TermList>,
    /// Documents of a stretch, the unit of the walk: one window, or several.
    stretch: usize,
    /// For each stretch and each term, the highest score: `terms.len()` numbers a stretch.
    bounds: Vec<f32>,
    /// The sum of these.
    totals: Vec<f32>,
    batch: Box<Batch>,
    sums: Vec<f64>,
    bits: Vec<u64>,
    found: Vec<(u32, f64)>,
    /// Terms by bound in the stretch at hand, ascending.
    order: Vec<(f32, usize)>,
}

impl Union {
    /// At least one term.
    pub fn new(terms: Vec<TermList>) -> Union {
        let windows = terms.iter().map(|term| term.windows.len()).max();
        let windows = windows.unwrap_or(0);
        let docs: u64 = terms.iter().map(|term| u64::from(term.cost())).sum();
        let per_stretch = if docs < DENSE * windows as u64 {
            WIDE
        } else {
            1
        };
        let count = windows.div_ceil(per_stretch);
        let mut bounds = vec![0.0f32; count * terms.len()];
        let mut totals = Vec::with_capacity(count);
        for stretch in 0..count {
            let mut total = 0.0f64;
            for (number, term) in terms.iter().enumerate() {
                let from = stretch * per_stretch;
                let to = (from + per_stretch).min(windows);
                let bound = term.windows[from..to].iter().copied().fold(0.0, f32::max);
                bounds[stretch * terms.len() + number] = bound;
                total += f64::from(bound);
            }
            totals.push(total as f32);
        }
        Union {
            stretch: per_stretch * WINDOW_DOCS as usize,
            bounds,
            totals,
            batch: Batch::new(),
            sums: Vec::new(),
            bits: Vec::new(),
            found: Vec::new(),
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
        if self.terms.len() == 1 {
            return self.run_one(context, ranking);
        }
        let mut visited = [usize::MAX; FIRST];
        if self.totals.len() > 2 * FIRST {
            ranking.unordered = true;
            let mut best: Vec<usize> = (0..self.totals.len()).collect();
            let by_total = |a: &usize, b: &usize| self.totals[*b].total_cmp(&self.totals[*a]);
            best.select_nth_unstable_by(FIRST, by_total);
            best.truncate(FIRST);
            best.sort_unstable_by(by_total);
            for (slot, stretch) in visited.iter_mut().zip(best) {
                *slot = stretch;
                self.visit(stretch, ranking)?;
            }
        }
        for stretch in 0..self.totals.len() {
            if stretch.is_multiple_of(WINDOWS_PER_LOOK) {
                context.check_cancelled()?;
                if context.timed_out() {
                    break;
                }
            }
            if self.totals[stretch] > ranking.floor() && !visited.contains(&stretch) {
                self.visit(stretch, ranking)?;
            }
        }
        ranking.unordered = false;
        Ok(())
    }

    fn visit(&mut self, stretch: usize, ranking: &mut Ranking<'_>) -> Result<(), SearchError> {
        let floor = ranking.floor();
        let bounds = &self.bounds[stretch * self.terms.len()..][..self.terms.len()];
        self.order.clear();
        self.order
            .extend(bounds.iter().copied().zip(0..).filter(|(b, _)| *b > 0.0));
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
        let from = (stretch * self.stretch) as u32;
        let to = from.saturating_add(self.stretch as u32);
        self.found.clear();
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
        let batch = &mut *self.batch;
        let kernels = &simd::kernels().scoring;
        // Rounded down, so that nothing above the floor is lost.
        let least = (least as f32).next_down();
        let mut block = list.block_with(from, 0)?;
        while block < list.blocks().len() {
            let (first, last) = list.range(block)?;
            if first >= to {
                break;
            }
            if list.blocks()[block] > least {
                let mut count = list.load(block, batch)?;
                if first < from || last >= to {
                    count = (kernels.keep_between)(
                        &mut batch.docs[..count],
                        &mut batch.freqs[..count],
                        from,
                        to,
                    );
                }
                list.score(count, batch);
                let kept = (kernels.keep_above)(
                    &mut batch.docs[..count],
                    &mut batch.scores[..count],
                    least,
                );
                let scores = batch.scores[..kept].iter().map(|score| f64::from(*score));
                self.found
                    .extend(batch.docs[..kept].iter().copied().zip(scores));
            }
            block += 1;
        }
        self.found.sort_unstable_by_key(|(doc, _)| *doc);
        Ok(())
    }

    /// Adds up the terms from the `weak`-th on in `from..to`, and finds the documents whose sum is above `least`.
    fn add_up(&mut self, weak: usize, from: u32, to: u32, least: f64) -> Result<(), SearchError> {
        let kernels = &simd::kernels().scoring;
        self.sums.resize(self.stretch, 0.0);
        self.bits.resize(self.stretch / 64, 0);
        let batch = &mut *self.batch;
        for (_, term) in &self.order[weak..] {
            let list = &mut self.terms[*term];
            let mut block = list.block_with(from, 0)?;
            while block < list.blocks().len() {
                let (first, last) = list.range(block)?;
                if first >= to {
                    break;
                }
                let mut count = list.load(block, batch)?;
                if first < from || last >= to {
                    count = (kernels.keep_between)(
                        &mut batch.docs[..count],
                        &mut batch.freqs[..count],
                        from,
                        to,
                    );
                }
                list.score(count, batch);
                for (doc, score) in batch.docs[..count].iter().zip(&batch.scores) {
                    let offset = (doc - from) as usize;
                    self.sums[offset] += f64::from(*score);
                    self.bits[offset / 64] |= 1 << (offset % 64);
                }
                block += 1;
            }
        }
        (kernels.sums_above)(&mut self.sums, &mut self.bits, least, &mut self.found);
        self.bits.fill(0);
        for (doc, _) in &mut self.found {
            *doc += from;
        }
        Ok(())
    }

    /// Looks up the weak terms, the strongest first, and offers what is left.
    fn finish(&mut self, weak: usize, ranking: &mut Ranking<'_>) -> Result<(), SearchError> {
        for &(doc, sum) in &self.found {
            let (mut sum, mut rest) = (sum, weak);
            let floor = ranking.floor();
            let entered = loop {
                let bound: f64 = self.order[..rest].iter().map(|o| f64::from(o.0)).sum();
                if (sum + bound) as f32 <= floor {
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
        let batch = &mut *self.batch;
        let blocks = list.blocks().len();
        let mut visited = [usize::MAX; FIRST];
        ranking.unordered = true;
        if blocks > 4 * FIRST {
            let bounds = list.blocks();
            let mut best: Vec<u32> = (0..blocks as u32).collect();
            let by_bound = |a: &u32, b: &u32| bounds[*b as usize].total_cmp(&bounds[*a as usize]);
            best.select_nth_unstable_by(FIRST, by_bound);
            best.truncate(FIRST);
            best.sort_unstable_by(by_bound);
            for (slot, block) in visited.iter_mut().zip(best) {
                *slot = block as usize;
                offer_block(list, block as usize, batch, ranking)?;
            }
        }
        for block in 0..blocks {
            if block.is_multiple_of(1024) {
                context.check_cancelled()?;
                if context.timed_out() {
                    break;
                }
            }
            if list.blocks()[block] > ranking.floor() && !visited.contains(&block) {
                offer_block(list, block, batch, ranking)?;
            }
        }
        ranking.unordered = false;
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
