//! Which documents have all terms: blocks of the rarest, or windows where that one is dense.

use super::{CELLS, Conjunction};
use crate::exec::ranked::count::Tally;
use crate::exec::ranked::matches::Matches;
use crate::exec::ranked::term_list::TermList;
use crate::search::{SearchContext, SearchError};
use crate::segment::WINDOW_DOCS;
use crate::simd::scoring::STRETCH_DOCS;

/// Blocks of the rarest term that are worked on at once.
const BATCH_BLOCKS: usize = 8;

impl Conjunction {
    /// Whether a block of the lead may have documents above the floor.
    fn may_enter(&self, block: usize, floor: f32) -> Result<bool, SearchError> {
        if floor == f32::NEG_INFINITY || self.alive.is_empty() {
            return Ok(true);
        }
        let lead = self.order[0];
        let list = &self.lists[lead];
        let (first, last) = list.range(block)?;
        let windows =
            (first / WINDOW_DOCS) as usize..=((last / WINDOW_DOCS) as usize).min(self.windows - 1);
        let rest = &self.after[self.windows..2 * self.windows];
        let mut most = f32::NEG_INFINITY;
        for window in windows {
            if self.alive[window] {
                most = most.max(rest[window]);
            }
        }
        let own = if self.scored[lead] {
            list.blocks()[block]
        } else {
            0.0
        };
        // A phrase alone scores at most what its rarest term would score in its place.
        let is_low = self.is_phrase && list.blocks()[block] <= floor;
        Ok((own + most).next_up() > floor && !is_low)
    }

    /// Finds the documents with all terms in some blocks of the lead, those that may enter; answers the block after these.
    /// A lead that is `alone` is scored on the way, if that is wanted.
    pub(super) fn take_blocks(
        &mut self,
        first: usize,
        score: bool,
        floor: f32,
    ) -> Result<usize, SearchError> {
        let lead = self.order[0];
        let blocks = self.lists[lead].block_count();
        let alone = score && self.order.len() == 1 && self.scored[lead];
        let are_near = self.lists[lead].cost() as usize * STRETCH_DOCS as usize
            >= BATCH_BLOCKS * 128 * self.windows * WINDOW_DOCS as usize;
        // Whoever looks for the best alone wants to know a first few before the rest is scored.
        let most = match alone && floor == f32::NEG_INFINITY {
            true => 1,
            false => BATCH_BLOCKS,
        };
        let mut block = first;
        let mut taken = 0;
        while block < blocks && taken < most {
            if !self.may_enter(block, floor)? {
                block += 1;
                continue;
            }
            // Lists are compared with bitmaps, if the documents do not lie too far from each other.
            let (_, last) = self.lists[lead].range(block)?;
            let base = self.matches.docs.first().copied();
            if are_near && base.is_some_and(|base| last.saturating_sub(base & !63) >= STRETCH_DOCS)
            {
                break;
            }
            self.take_block(block, alone, floor)?;
            (block, taken) = (block + 1, taken + 1);
        }
        for index in 1..self.order.len() {
            if self.matches.docs.is_empty() {
                break;
            }
            let list = &mut self.lists[self.order[index]];
            list.retain(&mut self.matches.docs, true, &mut self.scratch.bits)?;
        }
        Ok(block)
    }

    /// Takes the documents of a block of the lead; if it is `alone`, those whose scores may be above the floor, with these.
    fn take_block(&mut self, block: usize, alone: bool, floor: f32) -> Result<(), SearchError> {
        let list = &mut self.lists[self.order[0]];
        if self.matches.docs.last().is_some_and(|last| {
            let first = list.range(block).map_or(0, |(first, _)| first);
            first <= *last
        }) {
            return Err(list.disorder());
        }
        let batch = &mut self.scratch.batch;
        if !alone {
            let count = list.load_docs_ranked(block, batch)?;
            self.matches.docs.extend_from_slice(&batch.docs[..count]);
            return Ok(());
        }
        let Matches { docs, sums, .. } = &mut self.matches;
        if self.after.is_empty() || floor == f32::NEG_INFINITY {
            let least = (floor - self.rest[1]).next_down();
            return list.take_above(block, least, batch, docs, sums);
        }
        let (first, last) = list.range(block)?;
        let last = ((last / WINDOW_DOCS) as usize).min(self.windows - 1);
        let rest = &self.after[self.windows..2 * self.windows];
        let windows = &rest[(first / WINDOW_DOCS) as usize..=last];
        let most = windows.iter().copied().fold(0.0, f32::max);
        list.take_above(block, (floor - most).next_down(), batch, docs, sums)
    }

    /// Finds the documents with all terms in a window, the lead being dense, in those cells that may enter; answers the first
    /// cell of the next window.
    pub(super) fn take_window(&mut self, first: usize, floor: f32) -> Result<usize, SearchError> {
        let window = first / CELLS;
        let mut words = [u64::MAX; 64];
        let mut some = false;
        for cell in 0..CELLS {
            let enters = self.may_enter_cell(window, cell, floor);
            some |= enters;
            if !enters {
                words[cell * CELLS..(cell + 1) * CELLS].fill(0);
            }
        }
        if some {
            for list in &self.order {
                self.lists[*list].keep_window(window, &mut words)?;
            }
            let base = window as u32 * WINDOW_DOCS;
            for (index, word) in words.iter().enumerate() {
                let mut rest = *word;
                while rest != 0 {
                    let doc = base + index as u32 * 64 + rest.trailing_zeros();
                    self.matches.docs.push(doc);
                    rest &= rest - 1;
                }
            }
            for list in self.lists.iter_mut().filter(|list| !list.is_dense()) {
                list.retain(&mut self.matches.docs, true, &mut self.scratch.bits)?;
            }
        }
        Ok((window + 1) * CELLS)
    }

    /// Counts the documents with all terms, all of them dense.
    pub(super) fn count_windows(
        &mut self,
        context: &SearchContext<'_>,
        tally: &mut Tally<'_>,
    ) -> Result<(), SearchError> {
        for window in 0..self.windows {
            if !tally.goes_on() || context.timed_out() {
                break;
            }
            context.check_cancelled()?;
            let mut words = [u64::MAX; 64];
            for list in &mut self.lists {
                list.keep_window(window, &mut words)?;
            }
            tally.add_window(window as u32 * WINDOW_DOCS, &words);
        }
        Ok(())
    }

    /// Whether it is made of needed, dense terms alone.
    pub(super) fn is_of_dense_terms(&self) -> bool {
        let checks = self.filters.len() + self.excluded.len() + self.phrases.len();
        checks == 0 && self.lists.iter().all(TermList::is_dense)
    }

    /// Whether a cell, the lead being dense, may have documents above the floor.
    fn may_enter_cell(&self, window: usize, cell: usize, floor: f32) -> bool {
        if floor == f32::NEG_INFINITY || self.alive.is_empty() {
            return true;
        }
        let cell = window * CELLS + cell;
        let mut sum = f64::from(self.after[self.order.len() * self.windows + window]);
        let mut least = f32::INFINITY;
        for (list, scored) in self.lists.iter().zip(&self.scored) {
            // Blocks of other lists are no cells.
            let bound = list.blocks().get(cell).filter(|_| list.is_dense()).copied();
            let bound = bound.unwrap_or_else(|| list.windows[window]).max(0.0);
            if *scored {
                sum += f64::from(bound);
            }
            least = least.min(bound);
        }
        (sum as f32).next_up() > floor && !(self.is_phrase && least <= floor)
    }
}
