//! What the documents of blocks, and of windows, may score at most.

use super::SparseCursor;
use crate::format::impacts::ImpactSet;
use crate::ids::DocId;
use crate::segment::postings::{Impact, Pairs, PostingsNeed, pairs_at, pairs_of};
use crate::segment::{ReadError, WINDOW_DOCS};
use crate::simd;
use crate::simd::scoring::Weights;

/// The bound of a list that keeps no frequencies.
const NO_FREQS: Impact = Impact { freq: 1, norm: 1 };

/// What a document scores with a frequency and a norm.
fn score_of(impact: Impact, weights: Weights<'_>) -> f32 {
    let part = 1.0 + impact.freq as f32 * weights.inverse[usize::from(impact.norm)];
    weights.weight - weights.weight / part
}

impl SparseCursor {
    pub fn impacts(&mut self) -> Result<&[Impact], ReadError> {
        let block = if self.is_loaded() { self.block } else { 0 };
        let block = block.min(self.blocks.saturating_sub(1));
        self.impacts.clear();
        if !self.dictionary.freqs_kept {
            self.impacts.push(NO_FREQS);
        } else if let Some(skips) = self.skips {
            let region = self
                .dictionary
                .skips
                .read(self.entry.skips, self.entry.skips_len)?;
            if let Some(rows) = skips.impacts(region) {
                let freqs = rows.freqs.map(|column| column[block]);
                let norms = rows.norms.map(|column| column[block]);
                pairs_of(freqs, norms, &mut self.impacts);
            }
        } else {
            self.impacts = self.only_impacts()?;
        }
        Ok(&self.impacts)
    }

    pub fn max_impacts(&mut self) -> Result<&[Impact], ReadError> {
        let Some(skips) = &self.skips else {
            return self.impacts();
        };
        let entry = &self.entry;
        let region = self.dictionary.skips.read(entry.skips, entry.skips_len)?;
        match skips.best(region) {
            Some(rows) => {
                let (freqs, norms) = (rows.freqs.map(|row| row[0]), rows.norms.map(|row| row[0]));
                pairs_of(freqs, norms, &mut self.impacts);
            }
            None => self.impacts = vec![NO_FREQS],
        }
        Ok(&self.impacts)
    }

    /// What a document of the list may score at most, of more than one block.
    pub fn max_bound(&self, weights: Weights<'_>) -> Result<f32, ReadError> {
        let mut bound = [0.0];
        if let Some(skips) = &self.skips {
            match skips.best(self.region()?) {
                Some(rows) => (simd::kernels().scoring.bounds)(rows, weights, &mut bound),
                None => bound[0] = score_of(NO_FREQS, weights),
            }
        }
        Ok(bound[0])
    }

    /// Works out the bounds of a list of one block, of which none are stored.
    fn only_impacts(&self) -> Result<Vec<Impact>, ReadError> {
        // This cursor may be past its end, its block gone: read it anew, beside it.
        let need = PostingsNeed::Freqs;
        let mut copy = SparseCursor::open(self.dictionary.clone(), &self.entry, need)?;
        let mut set = ImpactSet::default();
        if self.blocks > 0 {
            copy.load(0)?;
            copy.load_freqs()?;
            for (doc, freq) in copy.docs().iter().zip(copy.freqs()) {
                let norm = match &self.dictionary.norms {
                    Some(norms) => norms.norm(DocId(*doc)).max(1),
                    None => 1,
                };
                set.add(Impact { freq: *freq, norm });
            }
        }
        let mut impacts = set.capped();
        if impacts.is_empty() {
            impacts.push(NO_FREQS);
        }
        Ok(impacts)
    }

    /// The pairs that bound a block; `None` where none are kept.
    pub fn pairs(&self, block: usize) -> Result<Option<Pairs>, ReadError> {
        let skips = self.skips.as_ref();
        let rows = match skips {
            Some(skips) => skips.impacts(self.region()?),
            None => None,
        };
        Ok(rows.and_then(|rows| pairs_at(&rows, block)))
    }

    /// Bounds of all blocks.
    pub fn block_bounds(
        &mut self,
        weights: Weights<'_>,
        out: &mut Vec<f32>,
    ) -> Result<(), ReadError> {
        out.clear();
        out.resize(self.blocks, 0.0);
        if let Some(skips) = &self.skips
            && let Some(rows) = skips.impacts(self.region()?)
        {
            (simd::kernels().scoring.bounds)(rows, weights, out);
            return Ok(());
        }
        let mut bound = 0.0f32;
        for impact in self.max_impacts()? {
            bound = bound.max(score_of(*impact, weights));
        }
        out.fill(bound);
        Ok(())
    }

    /// For each window of the segment, the greatest of the values given for the blocks that reach into it; `none` where none
    /// does.
    pub fn spread(
        &self,
        of_blocks: &[f32],
        none: f32,
        out: &mut Vec<f32>,
    ) -> Result<(), ReadError> {
        out.clear();
        out.resize(self.window_count(), none);
        let mut first = 0;
        for (block, value) in of_blocks.iter().enumerate() {
            let last = (self.last_doc(block) / WINDOW_DOCS) as usize;
            if first > last || last >= out.len() {
                return Err(self.disorder());
            }
            for slot in &mut out[first..=last] {
                *slot = slot.max(*value);
            }
            first = last;
        }
        Ok(())
    }

    pub fn window_bounds(&mut self, weights: Weights<'_>) -> Result<Vec<f32>, ReadError> {
        let (mut blocks, mut windows) = (Vec::new(), Vec::new());
        self.block_bounds(weights, &mut blocks)?;
        self.spread(&blocks, 0.0, &mut windows)?;
        Ok(windows)
    }
}
