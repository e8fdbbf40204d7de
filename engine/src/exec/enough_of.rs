//! Documents that match as many of some clauses as they say themselves.

use super::scorer::{Hits, NO_MORE, Scorer, for_each_offset};
use crate::ids::DocId;
use crate::search::SearchError;
use crate::segment::{NumericColumn, Window};

/// Counts the clauses that match and compares with a column; scores are added up.
pub(crate) struct EnoughOfScorer {
    parts: Vec<Box<dyn Scorer>>,
    needed: NumericColumn,
    scratch: Hits,
    sums: Box<[f64; 4096]>,
    counts: Box<[u32; 4096]>,
}

impl EnoughOfScorer {
    /// `needed`: how many clauses each document asks for; less than 1 counts as 1, none at all as out of reach.
    pub fn new(parts: Vec<Box<dyn Scorer>>, needed: NumericColumn) -> Self {
        EnoughOfScorer {
            parts,
            needed,
            scratch: Hits::new(),
            sums: Box::new([0.0; 4096]),
            counts: Box::new([0; 4096]),
        }
    }
}

impl Scorer for EnoughOfScorer {
    fn cost(&self) -> u64 {
        self.parts.iter().map(|part| part.cost()).sum()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        let mut first = NO_MORE;
        for part in &mut self.parts {
            first = first.min(part.seek(target)?);
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
        self.counts.fill(0);
        self.sums.fill(0.0);
        for part in &mut self.parts {
            part.fill(base, within, f32::NEG_INFINITY, &mut self.scratch)?;
            let (scores, sums, counts) = (&self.scratch.scores, &mut self.sums, &mut self.counts);
            for_each_offset(&self.scratch.docs, |offset| {
                let offset = offset as usize;
                sums[offset] += f64::from(scores[offset]);
                counts[offset] += 1;
                Ok(())
            })?;
        }
        for (offset, &count) in self.counts.iter().enumerate() {
            if count == 0 {
                continue;
            }
            let needed = self.needed.first(DocId(base + offset as u32));
            if needed.is_some_and(|needed| i64::from(count) >= needed) {
                out.docs.set(offset as u32);
                out.scores[offset] = self.sums[offset] as f32;
            }
        }
        Ok(())
    }
}
