//! The best documents that have enough of some terms, at least two but not all of them.
//!
//! Stretch by stretch, the terms' bitmaps are added up in binary counters, one bit of 64 documents in each word, which begin
//! so that they run over when a document has enough terms. Only what ran over is scored, the strongest terms first.

use super::Ranking;
use super::checks::Check;
use super::count::Tally;
use super::scratch::{Buffers, Scratch, thread_scratch};
use super::term_list::{ABSENT, TermList};
use crate::search::{SearchContext, SearchError};
use crate::segment::WINDOW_DOCS;
use crate::simd::scoring::{STRETCH_DOCS, StretchBits};

/// Windows of a stretch.
const WINDOWS: usize = (STRETCH_DOCS / WINDOW_DOCS) as usize;

/// Terms of which some are needed.
pub(super) struct Enough {
    /// The one that can score most first.
    terms: Vec<TermList>,
    needed: usize,
    /// What is needed or (`false`) excluded besides.
    checks: Vec<(Check, bool)>,
    windows: usize,
    counters: Counters,
    scratch: Scratch,
    /// Where one list's documents, and then those that have enough, are marked.
    found: Box<StretchBits>,
}

impl Enough {
    /// * `needed`: at least 2, less than there are terms.
    /// * `checks`: what is needed or (`false`) excluded besides.
    pub fn new(
        mut terms: Vec<TermList>,
        needed: usize,
        checks: Vec<(Check, bool)>,
    ) -> Result<Enough, SearchError> {
        for term in &mut terms {
            term.know_max_and_windows()?;
        }
        terms.sort_by(|a, b| b.max.total_cmp(&a.max));
        Ok(Enough {
            windows: terms.first().map_or(0, TermList::window_count),
            counters: Counters::new(needed),
            scratch: thread_scratch(),
            found: Box::new([0; STRETCH_DOCS as usize / 64]),
            terms,
            needed,
            checks,
        })
    }

    /// Bytes of the bounds that are worked out.
    pub fn table_bytes(&self) -> u64 {
        (self.terms.len() * self.windows * size_of::<f32>()) as u64
    }

    /// Counts what matches, as far as `tally` wants to know, and offers what may be among the best.
    pub fn run(
        &mut self,
        context: &SearchContext<'_>,
        mut ranking: Option<&mut Ranking<'_>>,
        mut tally: Option<&mut Tally<'_>>,
    ) -> Result<(), SearchError> {
        if ranking.is_some() {
            for term in &mut self.terms {
                term.bound(true)?;
            }
        }
        for first in (0..self.windows).step_by(WINDOWS) {
            context.check_cancelled()?;
            tally = tally.filter(|tally| tally.goes_on());
            if context.timed_out() || (tally.is_none() && ranking.is_none()) {
                break;
            }
            let windows = first..(first + WINDOWS).min(self.windows);
            let floor = ranking.as_ref().map(|ranking| ranking.floor());
            let may_enter = floor.map_or(0, |floor| self.may_enter(windows.clone(), floor));
            if tally.is_none() && may_enter == 0 {
                continue;
            }
            let base = first as u32 * WINDOW_DOCS;
            self.find(base, windows.len())?;
            let (words, _) = self.found.as_chunks_mut::<64>();
            if let Some(tally) = &mut tally {
                for (number, words) in (0..).zip(&mut words[..windows.len()]) {
                    tally.add_window(base + number * WINDOW_DOCS, words);
                }
            }
            if let Some(ranking) = &mut ranking {
                for (number, words) in words[..windows.len()].iter_mut().enumerate() {
                    if may_enter >> number & 1 == 0 {
                        words.fill(0);
                    }
                }
                self.rank(base, ranking)?;
            }
        }
        Ok(())
    }

    /// The windows, one bit each, in which documents may have enough terms and score above the floor.
    fn may_enter(&self, windows: std::ops::Range<usize>, floor: f32) -> u64 {
        let mut bits = 0;
        for (number, window) in windows.enumerate() {
            let (mut sum, mut present) = (0.0f64, 0);
            for term in &self.terms {
                let bound = term.windows[window];
                present += usize::from(bound != ABSENT);
                sum += f64::from(bound.max(0.0));
            }
            let enters = present >= self.needed && sum as f32 > floor;
            bits |= u64::from(enters) << number;
        }
        bits
    }

    /// Marks the documents of a stretch that have enough terms and all else that is asked.
    fn find(&mut self, base: u32, windows: usize) -> Result<(), SearchError> {
        self.counters.begin();
        for term in &mut self.terms {
            self.found.fill(0);
            term.fill(base, &mut self.found[..windows * 64])?;
            self.counters.add(&mut self.found);
        }
        self.found.copy_from_slice(&self.counters.enough[..]);
        let (words, _) = self.found.as_chunks_mut::<64>();
        for (check, wanted) in &mut self.checks {
            check.keep_windows(*wanted, base, &mut words[..windows], &mut self.scratch.bits)?;
        }
        Ok(())
    }

    /// Scores the marked documents and offers those that may be among the best.
    fn rank(&mut self, base: u32, ranking: &mut Ranking<'_>) -> Result<(), SearchError> {
        let Buffers {
            found,
            lookups,
            scores,
            bits,
            ..
        } = &mut *self.scratch;
        found.clear();
        for (word, first) in self.found.iter().zip((base..).step_by(64)) {
            let mut rest = *word;
            while rest != 0 {
                found.docs.push(first + rest.trailing_zeros());
                rest &= rest - 1;
            }
        }
        found.sums.resize(found.docs.len(), 0.0);
        let floor = ranking.floor();
        for number in 0..self.terms.len() {
            if floor > f32::NEG_INFINITY {
                let rest = &self.terms[number..];
                let (mut at, mut most) = (u32::MAX, 0.0);
                found.keep(|doc, sum, _| {
                    let window = doc / WINDOW_DOCS;
                    if window != at {
                        let bounds = rest.iter().map(|term| term.windows[window as usize]);
                        most = bounds.map(|bound| f64::from(bound.max(0.0))).sum();
                        at = window;
                    }
                    (sum + most) as f32 > floor
                });
            }
            if found.docs.is_empty() {
                return Ok(());
            }
            let term = &mut self.terms[number];
            lookups.add(term, &found.docs, &mut found.sums, bits)?;
        }
        scores.clear();
        scores.extend(found.sums.iter().map(|sum| *sum as f32));
        ranking.offer_all(&mut found.docs, scores);
        Ok(())
    }
}

/// Counters of the documents of a stretch, all of which begin so that the next bit is reached with what is needed.
struct Counters {
    /// The bits of the counters, lowest first; begun at `begin`.
    planes: Vec<Box<StretchBits>>,
    begin: usize,
    /// Which counters ran over.
    enough: Box<StretchBits>,
}

impl Counters {
    /// `needed` is at least 1.
    fn new(needed: usize) -> Counters {
        let capacity = needed.next_power_of_two();
        let zeros = || Box::new([0; STRETCH_DOCS as usize / 64]);
        Counters {
            planes: (0..capacity.trailing_zeros()).map(|_| zeros()).collect(),
            begin: capacity - needed,
            enough: zeros(),
        }
    }

    fn begin(&mut self) {
        for (number, plane) in self.planes.iter_mut().enumerate() {
            let bit = self.begin >> number & 1 != 0;
            plane.fill(if bit { u64::MAX } else { 0 });
        }
        self.enough.fill(0);
    }

    /// Counts each document of `more` once more; `more` is of no use afterwards.
    fn add(&mut self, more: &mut StretchBits) {
        for plane in &mut self.planes {
            for (word, carry) in plane.iter_mut().zip(more.iter_mut()) {
                (*word, *carry) = (*word ^ *carry, *word & *carry);
            }
        }
        for (word, carry) in self.enough.iter_mut().zip(more.iter()) {
            *word |= carry;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_run_over_with_what_is_needed() {
        for needed in 1..=9 {
            let mut counters = Counters::new(needed);
            for _ in 0..2 {
                counters.begin();
                // Document n, of 64 in each word, is counted n % 12 times.
                for turn in 0..12 {
                    let counted = (0..64).filter(|n| n % 12 > turn);
                    let word = counted.map(|n| 1u64 << n).sum();
                    counters.add(&mut [word; STRETCH_DOCS as usize / 64]);
                }
                let enough = (0..64).filter(|n| n % 12 >= needed as u64);
                let word: u64 = enough.map(|n| 1u64 << n).sum();
                assert!(counters.enough.iter().all(|w| *w == word), "{needed}");
            }
        }
    }
}
