//! The documents of one term, scored by BM25.

use std::sync::Arc;

use super::bm25::{Bm25, NO_NORM};
use super::scorer::{Hits, NO_MORE, Scorer, for_each_offset};
use crate::ids::DocId;
use crate::search::SearchError;
use crate::segment::{NormsReader, PostingsCursor, WINDOW_DOCS, Window};

/// How a term's documents are scored: `None`, not at all.
pub(crate) struct TermScoring {
    /// The weight.
    pub bm25: Arc<Bm25>,
    /// Lengths of the field; `None` where it keeps none.
    pub norms: Option<NormsReader>,
}

impl TermScoring {
    #[inline]
    /// The score of a document.
    pub fn score(&self, doc: u32, freq: f32) -> f32 {
        let norm = match &self.norms {
            Some(norms) => norms.norm(DocId(doc)),
            None => NO_NORM,
        };
        self.bm25.score(freq, norm)
    }
}

/// One term in one segment.
pub(crate) struct TermScorer {
    cursor: PostingsCursor,
    scoring: Option<TermScoring>,
    /// Document of the cursor; -1 before the first move.
    doc: i64,
    /// Start of the window that `bound` is for.
    bound_base: u32,
    bound: f32,
}

impl TermScorer {
    /// `cursor` must be made for frequencies if `scoring` is given.
    pub fn new(cursor: PostingsCursor, scoring: Option<TermScoring>) -> Self {
        TermScorer {
            cursor,
            scoring,
            doc: -1,
            bound_base: u32::MAX,
            bound: f32::INFINITY,
        }
    }

    fn advance(&mut self, target: u32) -> Result<u32, SearchError> {
        if self.doc < i64::from(target) {
            self.doc = i64::from(self.cursor.advance(DocId(target))?.0);
        }
        Ok(self.doc as u32)
    }
}

impl Scorer for TermScorer {
    fn cost(&self) -> u64 {
        u64::from(self.cursor.cost())
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        self.advance(target)
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        _floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        out.docs.clear();
        let mut doc = self.advance(base)?;
        let end = base.saturating_add(WINDOW_DOCS);
        if doc >= end {
            return Ok(());
        }
        if let Some(within) = within
            && within.count() < 256
        {
            return for_each_offset(within, |offset| {
                let target = base + offset;
                if self.advance(target)? == target {
                    out.docs.set(offset);
                    if let Some(scoring) = &self.scoring {
                        out.scores[offset as usize] =
                            scoring.score(target, self.cursor.freq() as f32);
                    }
                }
                Ok(())
            });
        }
        match &self.scoring {
            None => {
                self.cursor.fill_window(DocId(base), &mut out.docs)?;
                doc = self.cursor.doc().0;
            }
            Some(scoring) => {
                while doc < end {
                    let offset = doc - base;
                    if within.is_none_or(|within| within.contains(offset)) {
                        out.docs.set(offset);
                        out.scores[offset as usize] = scoring.score(doc, self.cursor.freq() as f32);
                    }
                    doc = self.cursor.next()?.0;
                }
            }
        }
        self.doc = i64::from(doc);
        if let Some(within) = within {
            out.docs.and(within);
        }
        Ok(())
    }

    fn max_score(&mut self, base: u32) -> Result<f32, SearchError> {
        let Some(scoring) = &self.scoring else {
            return Ok(0.0);
        };
        if self.bound_base == base {
            return Ok(self.bound);
        }
        let end = base.saturating_add(WINDOW_DOCS);
        let mut bound = 0.0f32;
        let mut target = i64::from(base).max(self.doc);
        while target < i64::from(end) {
            let last = self.cursor.shallow_advance(DocId(target as u32))?;
            if last == DocId::NO_MORE && target >= i64::from(NO_MORE) {
                break;
            }
            for impact in self.cursor.impacts()? {
                bound = bound.max(scoring.bm25.score(impact.freq as f32, impact.norm));
            }
            if last == DocId::NO_MORE {
                break;
            }
            target = i64::from(last.0) + 1;
        }
        self.bound_base = base;
        self.bound = bound;
        Ok(bound)
    }
}
