//! Documents that all score the same: what is needed and what is excluded decides alone.

use super::Ranking;
use super::checks::Check;
use super::count::Tally;
use super::scratch::thread_scratch;
use crate::search::{SearchContext, SearchError};
use crate::segment::{WINDOW_DOCS, Window};
use crate::simd::scoring::{STRETCH_DOCS, StretchBits};

/// Clauses of which none scores by itself.
pub(super) struct Constant {
    wanted: Vec<Check>,
    unwanted: Vec<Check>,
    /// The score of each document.
    score: f32,
    max_doc: u32,
}

impl Constant {
    /// Every document of a segment.
    pub fn new(max_doc: u32, score: f32) -> Constant {
        Constant {
            wanted: Vec::new(),
            unwanted: Vec::new(),
            score,
            max_doc,
        }
    }

    /// Something that is needed.
    pub fn filter(&mut self, filter: Check) {
        self.wanted.push(filter);
    }

    /// Something that is excluded.
    pub fn exclude(&mut self, unwanted: Check) {
        self.unwanted.push(unwanted);
    }

    /// About how many documents are looked at.
    pub fn cost(&self) -> u64 {
        let costs = self.wanted.iter().map(Check::cost);
        costs.min().unwrap_or(u64::from(self.max_doc))
    }

    /// Counts what matches, as far as `tally` wants to know, and offers the first ones, as long as they enter.
    pub fn run(
        &mut self,
        context: &SearchContext<'_>,
        mut ranking: Option<&mut Ranking<'_>>,
        mut tally: Option<&mut Tally<'_>>,
    ) -> Result<(), SearchError> {
        self.wanted.sort_by_key(Check::cost);
        let mut scratch = thread_scratch();
        scratch.adding = true;
        let mut spare: Box<StretchBits> = Box::new([0; STRETCH_DOCS as usize / 64]);
        let mut base = 0;
        while base < self.max_doc {
            context.check_cancelled()?;
            tally = tally.filter(|tally| tally.goes_on());
            ranking = ranking.filter(|ranking| self.score > ranking.floor());
            if context.timed_out() || (tally.is_none() && ranking.is_none()) {
                break;
            }
            if let Some(rarest) = self.wanted.first_mut() {
                match rarest.next(base)? {
                    Some(doc) => base = Window::base_of(doc),
                    None => break,
                }
            }
            let left = self.max_doc.saturating_sub(base);
            // Whoever wants the first ones alone may have them soon.
            let most = match tally {
                Some(_) => STRETCH_DOCS,
                None => WINDOW_DOCS,
            };
            let windows = left.min(most).div_ceil(WINDOW_DOCS) as usize;
            let (words, _) = scratch.bits.as_chunks_mut::<64>();
            self.fill(base, &mut words[..windows], &mut spare)?;
            for (number, words) in (0..).zip(&mut words[..windows]) {
                let base = base + number * WINDOW_DOCS;
                if let Some(ranking) = &mut ranking {
                    offer(words, base, self.score, ranking);
                }
                if let Some(tally) = &mut tally {
                    tally.add_window(base, words);
                }
            }
            let Some(next) = base.checked_add(windows as u32 * WINDOW_DOCS) else {
                break;
            };
            base = next;
        }
        scratch.bits.fill(0);
        scratch.adding = false;
        Ok(())
    }

    /// Overwrites windows with the documents that match.
    fn fill(
        &mut self,
        base: u32,
        windows: &mut [[u64; 64]],
        spare: &mut StretchBits,
    ) -> Result<(), SearchError> {
        for (number, words) in (0..).zip(&mut *windows) {
            let mut all = Window::empty();
            all.set_range(0, self.max_doc.saturating_sub(base + number * WINDOW_DOCS));
            *words = all.words;
        }
        for check in &mut self.wanted {
            check.keep_windows(true, base, windows, spare)?;
        }
        for check in &mut self.unwanted {
            check.keep_windows(false, base, windows, spare)?;
        }
        Ok(())
    }
}

/// Offers the documents of a window as long as they enter.
fn offer(words: &[u64; 64], base: u32, score: f32, ranking: &mut Ranking<'_>) {
    let (mut docs, mut scores) = ([0; 64], [score; 64]);
    for (word, first) in words.iter().zip((base..).step_by(64)) {
        if score <= ranking.floor() {
            return;
        }
        let (mut rest, mut count) = (*word, 0);
        while rest != 0 {
            docs[count] = first + rest.trailing_zeros();
            (rest, count) = (rest & (rest - 1), count + 1);
        }
        ranking.offer_all(&mut docs[..count], &mut scores[..count]);
    }
}
