//! The documents of one term, scored by BM25.

use super::bm25::{Bm25, NO_NORM};
use super::scorer::{Hits, Scorer, for_each_offset};
use crate::ids::DocId;
use crate::search::SearchError;
use crate::segment::{NormsReader, PostingsCursor, WINDOW_DOCS, Window};
use crate::simd;

/// How a term's documents are scored: `None`, not at all.
#[derive(Clone)]
pub(crate) struct TermScoring {
    /// The weight.
    pub bm25: Bm25,
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

    /// The scores of many documents, all of them of the segment.
    pub fn score_all(&self, docs: &[u32], freqs: &[u32], out: &mut [f32]) {
        let norms = self.norms.as_ref().map_or(&[][..], NormsReader::bytes);
        (simd::kernels().scoring.score)(docs, freqs, norms, self.bm25.weights(), out);
    }
}

/// One term in one segment.
pub(crate) struct TermScorer {
    cursor: PostingsCursor,
    scoring: Option<TermScoring>,
    /// Document of the cursor; -1 before the first move.
    doc: i64,
    /// The highest score in each window; empty until somebody asks.
    bounds: Vec<f32>,
}

impl TermScorer {
    /// `cursor` must be made for frequencies if `scoring` is given.
    pub fn new(cursor: PostingsCursor, scoring: Option<TermScoring>) -> Self {
        TermScorer {
            cursor,
            scoring,
            doc: -1,
            bounds: Vec::new(),
        }
    }

    fn advance(&mut self, target: u32) -> Result<u32, SearchError> {
        if self.doc < i64::from(target) {
            self.doc = i64::from(self.cursor.advance(DocId(target))?.0);
        }
        Ok(self.doc as u32)
    }

    /// Finds and scores the documents of `base..end`, block by block, from the one where the cursor stands.
    fn score_window(&mut self, base: u32, out: &mut Hits) -> Result<(), SearchError> {
        let Some(scoring) = &self.scoring else {
            return Ok(());
        };
        let end = base.saturating_add(WINDOW_DOCS);
        let mut doc = self.doc as u32;
        let (mut docs, mut freqs, mut scores) = ([0; 128], [0; 128], [0.0; 128]);
        while doc < end {
            let count = self.cursor.take_block(DocId(end), &mut docs, &mut freqs)?;
            scoring.score_all(&docs[..count], &freqs[..count], &mut scores[..count]);
            for (doc, score) in docs[..count].iter().zip(&scores) {
                let offset = doc - base;
                out.docs.set(offset);
                out.scores[offset as usize & 4095] = *score;
            }
            doc = self.cursor.doc().0;
        }
        self.doc = i64::from(doc);
        Ok(())
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
        let doc = self.advance(base)?;
        if doc >= base.saturating_add(WINDOW_DOCS) {
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
        if self.scoring.is_some() {
            self.score_window(base, out)?;
        } else {
            self.cursor.fill_window(DocId(base), &mut out.docs)?;
            self.doc = i64::from(self.cursor.doc().0);
        }
        if let Some(within) = within {
            out.docs.and(within);
        }
        Ok(())
    }

    fn max_score(&mut self, base: u32) -> Result<f32, SearchError> {
        let Some(scoring) = &self.scoring else {
            return Ok(0.0);
        };
        if self.bounds.is_empty() {
            self.bounds = self.cursor.window_bounds(scoring.bm25.weights())?;
        }
        let window = (base / WINDOW_DOCS) as usize;
        Ok(self.bounds.get(window).copied().unwrap_or(0.0))
    }
}
