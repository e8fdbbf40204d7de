//! Clauses that decide without scoring: what a document needs, or must not have, besides.

use std::sync::Arc;

use super::matches::{MatchBuffers, Matches};
use super::term_list::TermList;
use crate::exec::scorer::{Hits, NO_MORE, Scorer};
use crate::search::{SearchContext, SearchError};
use crate::segment::{DocSet, WINDOW_DOCS, Window};
use crate::simd;
use crate::simd::scoring::StretchBits;

/// What is asked of a document besides.
pub(super) enum Check {
    /// A term, looked up document by document.
    List(TermList),
    /// Anything else, window by window, ascending.
    Decider(Box<Decider>),
    /// All of it is known, be it that it was kept.
    Known(Arc<DocSet>),
}

/// A scorer that decides which documents of a window are wanted.
pub(super) struct Decider {
    scorer: Box<dyn Scorer>,
    base: u32,
    hits: Hits,
}

impl Decider {
    fn window(&mut self, base: u32) -> Result<&Window, SearchError> {
        if self.base != base {
            self.scorer
                .fill(base, None, f32::NEG_INFINITY, &mut self.hits)?;
            self.base = base;
        }
        Ok(&self.hits.docs)
    }

    /// Whether a document is wanted; documents are asked for in ascending order of their windows.
    pub fn contains(&mut self, doc: u32) -> Result<bool, SearchError> {
        let base = Window::base_of(doc);
        Ok(self.window(base)?.contains(doc - base))
    }
}

impl Check {
    /// Whatever a scorer finds.
    pub fn by(scorer: Box<dyn Scorer>) -> Check {
        Check::Decider(Box::new(Decider {
            scorer,
            base: u32::MAX,
            hits: Hits::new(),
        }))
    }

    /// About how many documents it finds.
    pub fn cost(&self) -> u64 {
        match self {
            Check::List(list) => u64::from(list.cost()),
            Check::Decider(decider) => decider.scorer.cost(),
            Check::Known(known) => known.len(),
        }
    }

    /// A document from the start of a window on, before which there is none; `None`: there is none any more. Windows are asked
    /// for in ascending order.
    pub fn next(&mut self, base: u32) -> Result<Option<u32>, SearchError> {
        Ok(match self {
            Check::List(list) => {
                let block = list.first_block(base)?;
                match block < list.block_count() {
                    true => Some(list.range(block)?.0.max(base)),
                    false => None,
                }
            }
            Check::Decider(decider) => {
                let doc = decider.scorer.seek(base)?;
                (doc != NO_MORE).then_some(doc)
            }
            Check::Known(known) => known.next(base),
        })
    }

    /// Makes one that may be asked in any order; `false` if time ran out before.
    pub fn settle(
        &mut self,
        windows: usize,
        context: &SearchContext<'_>,
    ) -> Result<bool, SearchError> {
        let Check::Decider(decider) = self else {
            return Ok(true);
        };
        let bytes = windows as u64 * u64::from(WINDOW_DOCS / 8);
        context.memory.take(bytes, "<query>")?;
        let mut known = vec![0u64; windows * WINDOW_DOCS as usize / 64];
        let (known_windows, _) = known.as_chunks_mut::<64>();
        let mut at = decider.scorer.seek(0)?;
        while at != NO_MORE {
            context.check_cancelled()?;
            if context.timed_out() {
                return Ok(false);
            }
            let base = Window::base_of(at);
            if let Some(words) = known_windows.get_mut((base / WINDOW_DOCS) as usize) {
                *words = decider.window(base)?.words;
            }
            let Some(next) = base.checked_add(WINDOW_DOCS) else {
                break;
            };
            at = decider.scorer.seek(next)?;
        }
        *self = Check::Known(Arc::new(DocSet::from_words(known)));
        Ok(true)
    }

    /// Keeps the matches that it lets pass, or (not `wanted`) does not. `bits` is all zero before and after.
    pub fn keep(
        &mut self,
        wanted: bool,
        matches: &mut Matches,
        lookups: &mut MatchBuffers,
        bits: &mut StretchBits,
    ) -> Result<(), SearchError> {
        match self {
            Check::List(list) => lookups.keep(list, wanted, matches, bits),
            Check::Decider(decider) => {
                matches.try_keep(|doc, _, _| Ok(decider.contains(doc)? == wanted))
            }
            Check::Known(known) => {
                matches.keep(|doc, _, _| known.contains(doc) == wanted);
                Ok(())
            }
        }
    }

    /// The same with the documents of some windows, from the one at `base` on; windows are asked for in ascending order.
    /// `spare` is all zero before and after.
    pub fn keep_windows(
        &mut self,
        wanted: bool,
        base: u32,
        windows: &mut [[u64; 64]],
        spare: &mut StretchBits,
    ) -> Result<(), SearchError> {
        let combine = match wanted {
            true => simd::kernels().and,
            false => simd::kernels().and_not,
        };
        match self {
            Check::List(list) => {
                let bits = &mut spare[..windows.len() * 64];
                let filled = list.fill(base, bits);
                for (words, own) in windows.iter_mut().zip(bits.as_chunks::<64>().0) {
                    combine(words, own);
                }
                bits.fill(0);
                filled?;
            }
            Check::Decider(decider) => {
                for (number, words) in (0..).zip(windows) {
                    if words.iter().any(|word| *word != 0) {
                        let own = decider.window(base + number * WINDOW_DOCS)?;
                        combine(words, &own.words);
                    }
                }
            }
            Check::Known(known) => {
                let mut own = Window::empty();
                for (number, words) in (0..).zip(windows) {
                    known.window(base + number * WINDOW_DOCS, &mut own);
                    combine(words, &own.words);
                }
            }
        }
        Ok(())
    }
}
