//! Several terms scored as one.

use super::scorer::{Hits, NO_MORE, Scorer, for_each_offset};
use super::term_scorer::TermScoring;
use crate::ids::DocId;
use crate::search::SearchError;
use crate::segment::{PostingsCursor, WINDOW_DOCS, Window};

struct Part {
    cursor: PostingsCursor,
    boost: f32,
    /// Document of the cursor; -1 before the first move.
    doc: i64,
}

/// Documents with any of the terms; their frequencies are added up before scoring.
pub(crate) struct SynonymsScorer {
    parts: Vec<Part>,
    scoring: Option<TermScoring>,
    freqs: Box<[f32; 4096]>,
}

impl SynonymsScorer {
    /// Cursors with frequencies, and the factor of each one's frequency.
    pub fn new(cursors: Vec<(PostingsCursor, f32)>, scoring: Option<TermScoring>) -> Self {
        let mut parts = Vec::with_capacity(cursors.len());
        for (cursor, boost) in cursors {
            parts.push(Part {
                cursor,
                boost,
                doc: -1,
            });
        }
        SynonymsScorer {
            parts,
            scoring,
            freqs: Box::new([0.0; 4096]),
        }
    }
}

impl Part {
    fn advance(&mut self, target: u32) -> Result<u32, SearchError> {
        if self.doc < i64::from(target) {
            self.doc = i64::from(self.cursor.advance(DocId(target))?.0);
        }
        Ok(self.doc as u32)
    }
}

impl Scorer for SynonymsScorer {
    fn cost(&self) -> u64 {
        self.parts.iter().map(|p| u64::from(p.cursor.cost())).sum()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        let mut first = NO_MORE;
        for part in &mut self.parts {
            first = first.min(part.advance(target)?);
        }
        Ok(first)
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        _floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        out.docs.clear();
        let end = base.saturating_add(WINDOW_DOCS);
        for part in &mut self.parts {
            let mut doc = part.advance(base)?;
            while doc < end {
                let offset = doc - base;
                if within.is_none_or(|within| within.contains(offset)) {
                    let freq = part.boost * part.cursor.freq() as f32;
                    let sum = &mut self.freqs[offset as usize];
                    *sum = match out.docs.contains(offset) {
                        true => *sum + freq,
                        false => freq,
                    };
                    out.docs.set(offset);
                }
                doc = part.cursor.next()?.0;
            }
            part.doc = i64::from(doc);
        }
        let Some(scoring) = &self.scoring else {
            return Ok(());
        };
        let (scores, freqs) = (&mut out.scores, &self.freqs);
        for_each_offset(&out.docs, |offset| {
            scores[offset as usize] = scoring.score(base + offset, freqs[offset as usize]);
            Ok(())
        })
    }

    fn max_score(&mut self, _base: u32) -> Result<f32, SearchError> {
        Ok(match &self.scoring {
            Some(scoring) => scoring.bm25.weight,
            None => 0.0,
        })
    }
}
