//! Scores lowered where another query matches.

use super::scorer::{Hits, Scorer, for_each_offset};
use crate::search::SearchError;
use crate::segment::Window;

/// The documents of one scorer, their scores multiplied where another one matches too.
pub(crate) struct LoweredScorer {
    wanted: Box<dyn Scorer>,
    lowering: Option<Box<dyn Scorer>>,
    factor: f32,
    boost: f32,
    scratch: Hits,
}

impl LoweredScorer {
    /// `factor` is for documents of `lowering`, `boost` for all.
    pub fn new(
        wanted: Box<dyn Scorer>,
        lowering: Option<Box<dyn Scorer>>,
        factor: f32,
        boost: f32,
    ) -> Self {
        LoweredScorer {
            wanted,
            lowering,
            factor,
            boost,
            scratch: Hits::new(),
        }
    }
}

impl Scorer for LoweredScorer {
    fn cost(&self) -> u64 {
        self.wanted.cost()
    }

    fn seek(&mut self, target: u32) -> Result<u32, SearchError> {
        self.wanted.seek(target)
    }

    fn fill(
        &mut self,
        base: u32,
        within: Option<&Window>,
        _floor: f32,
        out: &mut Hits,
    ) -> Result<(), SearchError> {
        self.wanted.fill(base, within, f32::NEG_INFINITY, out)?;
        if out.docs.is_empty() {
            return Ok(());
        }
        let scores = &mut out.scores;
        if let Some(lowering) = &mut self.lowering {
            lowering.fill(base, Some(&out.docs), f32::NEG_INFINITY, &mut self.scratch)?;
            let factor = self.factor;
            for_each_offset(&self.scratch.docs, |offset| {
                scores[offset as usize] *= factor;
                Ok(())
            })?;
        }
        if self.boost != 1.0 {
            for_each_offset(&out.docs, |offset| {
                scores[offset as usize] *= self.boost;
                Ok(())
            })?;
        }
        Ok(())
    }
}
