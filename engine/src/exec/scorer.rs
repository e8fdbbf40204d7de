//! The interface of execution: scorers fill windows of 4096 documents.
//!
//! A scorer is made for one segment and one query clause and is asked for windows in ascending order, some of them left
//! out. Composite scorers ask their parts for the same window and combine the answers.

use crate::search::SearchError;
use crate::segment::Window;

/// What a scorer without documents left answers to [`Scorer::seek`].
pub(crate) const NO_MORE: u32 = u32::MAX;

/// The documents of one window that match, with their scores.
#[derive(Clone, Debug)]
pub(crate) struct Hits {
    /// Which documents.
    pub docs: Window,
    /// Score of document `base + i` at `i`; has a meaning only where `docs` has the document, and only when the
    /// scorer was made to score.
    pub scores: Box<[f32; 4096]>,
}

impl Hits {
    /// No documents.
    pub fn new() -> Hits {
        Hits {
            docs: Window::empty(),
            scores: Box::new([0.0; 4096]),
        }
    }
}

/// Finds the documents of one clause in one segment, dead ones included.
pub(crate) trait Scorer {
    /// About how many documents it finds; less is asked first.
    fn cost(&self) -> u64;

    /// A document, `target` or later, before which nothing (from `target` on) matches; [`NO_MORE`] when nothing does any
    /// more. The answer itself need not match. `target` is the start of a window, not before the last one filled.
    fn seek(&mut self, target: u32) -> Result<u32, SearchError>;

    /// Overwrites `out` with the matches of the window that begins at `base`, a multiple of 4096, not before any asked so far.
    ///
    /// * `within`: other documents are not of interest and must be left out.
    /// * `floor`: documents that score this or less may be left out; negative infinity: none may.
    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError>;

    /// No document of the window at `base` scores more than this. Infinity when nothing better is known.
    fn max_score(&mut self, base: u32) -> Result<f32, SearchError> {
        let _ = base;
        Ok(f32::INFINITY)
    }
}

/// Calls `each` with the offsets of a window's documents, ascending.
#[inline]
pub(crate) fn for_each_offset(
    window: &Window,
    mut each: impl FnMut(u32) -> Result<(), SearchError>,
) -> Result<(), SearchError> {
    for (index, &word) in window.words.iter().enumerate() {
        let mut rest = word;
        while rest != 0 {
            each((index as u32) * 64 + rest.trailing_zeros())?;
            rest &= rest - 1;
        }
    }
    Ok(())
}
