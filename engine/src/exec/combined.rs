//! A term in several fields that count as one.
//!
//! Zaragoza et al., "Microsoft Cambridge at TREC-13" (2004): frequencies and lengths are added up over the fields, each
//! times the field's weight, before BM25 sees them.

use super::bm25::{Bm25, NO_NORM};
use super::scorer::{Hits, NO_MORE, Scorer, for_each_offset};
use crate::ids::DocId;
use crate::search::SearchError;
use crate::segment::{
    NormsReader, PostingsCursor, WINDOW_DOCS, Window, length_of_norm, norm_of_length,
};

/// The postings of a term in one field.
pub(crate) struct CombinedPart {
    /// With frequencies.
    pub cursor: PostingsCursor,
    /// Factor of the frequency.
    pub weight: f32,
}

/// The lengths of one field, whether the term is in it or not.
pub(crate) struct CombinedLengths {
    /// `None`: the field keeps none.
    pub norms: Option<NormsReader>,
    /// Factor of the length.
    pub weight: f32,
}

/// Documents with a term (or a synonym) in any of the fields.
pub(crate) struct CombinedScorer {
    parts: Vec<(CombinedPart, i64)>,
    lengths: Vec<CombinedLengths>,
    bm25: Option<Bm25>,
    freqs: Box<[f32; 4096]>,
}

impl CombinedScorer {
    /// Without `bm25` nothing is scored.
    pub fn new(
        parts: Vec<CombinedPart>,
        lengths: Vec<CombinedLengths>,
        bm25: Option<Bm25>,
    ) -> Self {
        CombinedScorer {
            // no cursor has moved yet
            parts: parts.into_iter().map(|part| (part, -1)).collect(),
            lengths,
            bm25,
            freqs: Box::new([0.0; 4096]),
        }
    }
}

fn advance(part: &mut (CombinedPart, i64), target: u32) -> Result<u32, SearchError> {
    if part.1 < i64::from(target) {
        part.1 = i64::from(part.0.cursor.advance(DocId(target))?.0);
    }
    Ok(part.1 as u32)
}

/// The norm of all fields of a document together.
fn combined_norm(lengths: &[CombinedLengths], doc: DocId) -> u8 {
    let mut length = 0.0f32;
    for field in lengths {
        length += match &field.norms {
            Some(norms) => field.weight * length_of_norm(norms.norm(doc)) as f32,
            None => field.weight * f32::from(NO_NORM),
        };
    }
    norm_of_length(length.round() as u32)
}

impl Scorer for CombinedScorer {
    fn cost(&self) -> u64 {
        let costs = self.parts.iter().map(|(part, _)| part.cursor.cost());
        costs.map(u64::from).sum()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        let mut first = NO_MORE;
        for part in &mut self.parts {
            first = first.min(advance(part, target)?);
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
            let mut doc = advance(part, base)?;
            while doc < end {
                let offset = doc - base;
                if within.is_none_or(|within| within.contains(offset)) {
                    let freq = part.0.weight * part.0.cursor.freq() as f32;
                    let sum = &mut self.freqs[offset as usize];
                    *sum = match out.docs.contains(offset) {
                        true => *sum + freq,
                        false => freq,
                    };
                    out.docs.set(offset);
                }
                doc = part.0.cursor.next()?.0;
            }
            part.1 = i64::from(doc);
        }
        let Some(bm25) = &self.bm25 else {
            return Ok(());
        };
        let (scores, freqs, lengths) = (&mut out.scores, &self.freqs, &self.lengths);
        for_each_offset(&out.docs, |offset| {
            let norm = combined_norm(lengths, DocId(base + offset));
            scores[offset as usize] = bm25.score(freqs[offset as usize], norm);
            Ok(())
        })
    }

    fn max_score(&mut self, _base: u32) -> Result<f32, SearchError> {
        Ok(self.bm25.as_ref().map_or(0.0, |bm25| bm25.weight))
    }
}
