//! Blocks of a term decoded: all of a block, or what may score enough.

use super::{Batch, CELLS, TermList};
use crate::search::SearchError;
use crate::segment::{CELL_DOCS, List, LiveDocs, Pairs, WINDOW_DOCS};
use crate::simd;
use crate::simd::scoring::Weights;

impl TermList {
    /// Decodes a block into `batch`, in any order; answers how many documents it has.
    pub fn load(&mut self, block: usize, batch: &mut Batch) -> Result<usize, SearchError> {
        let count = self.load_docs(block, batch)?;
        let freqs = match &mut self.list {
            List::Sparse(cursor) => {
                cursor.load_freqs()?;
                cursor.freqs()
            }
            List::Dense(cursor) => {
                cursor.load_freqs(block % CELLS)?;
                &cursor.freqs()[..count]
            }
        };
        batch.freqs[..count].copy_from_slice(freqs);
        Ok(count)
    }

    /// Decodes those documents of a block, ascending or (not `ranked`) in any order, that may score above `least`; answers how
    /// many. Most of the others are told from these by their frequency, without a look at their norms, which lie all over
    /// the memory.
    pub fn load_above(
        &mut self,
        block: usize,
        least: f32,
        ranked: bool,
        batch: &mut Batch,
    ) -> Result<usize, SearchError> {
        let freq = self.least_freq(block, least)?;
        let count = match ranked {
            true => self.load_ranked(block, batch)?,
            false => self.load(block, batch)?,
        };
        if freq <= 1 {
            return Ok(count);
        }
        let (docs, freqs) = (&mut batch.docs[..count], &mut batch.freqs[..count]);
        // Pairs are kept by their first half, which is the frequency here.
        Ok((simd::kernels().scoring.keep_between)(
            freqs,
            docs,
            freq,
            u32::MAX,
        ))
    }

    /// Appends those documents of a block that score more than `least`, ascending, and their scores.
    pub fn take_above(
        &mut self,
        block: usize,
        least: f32,
        batch: &mut Batch,
        docs: &mut Vec<u32>,
        sums: &mut Vec<f64>,
    ) -> Result<(), SearchError> {
        // Few are left of most blocks, once something is known: these are put in order then.
        let ranked = least <= 0.0;
        let count = self.load_above(block, least, ranked, batch)?;
        self.score(count, batch);
        let (found, scores) = (&mut batch.docs[..count], &mut batch.scores[..count]);
        let kept = (simd::kernels().scoring.keep_above)(found, scores, least);
        let scores = &scores[..kept];
        if ranked {
            docs.extend_from_slice(&found[..kept]);
            sums.extend(scores.iter().map(|score| f64::from(*score)));
            return Ok(());
        }
        let pairs = &mut batch.pairs[..kept];
        for ((pair, doc), score) in pairs.iter_mut().zip(found).zip(scores) {
            *pair = u64::from(*doc) << 32 | u64::from(score.to_bits());
        }
        pairs.sort_unstable();
        docs.extend(pairs.iter().map(|pair| (pair >> 32) as u32));
        let scores = pairs.iter().map(|pair| f32::from_bits(*pair as u32));
        sums.extend(scores.map(f64::from));
        Ok(())
    }

    /// The least frequency with which a document of a block may score above `least`.
    fn least_freq(&self, block: usize, least: f32) -> Result<u32, SearchError> {
        let pairs = match &self.list {
            List::Sparse(cursor) => cursor.pairs(block)?,
            List::Dense(cursor) => cursor.pairs(block)?,
        };
        Ok(match (&self.scoring, pairs) {
            (Some(scoring), Some(pairs)) => least_freq(&pairs, scoring.bm25.weights(), least),
            _ => 1,
        })
    }

    /// Decodes a block like [`load`](Self::load), in ascending order.
    pub fn load_ranked(&mut self, block: usize, batch: &mut Batch) -> Result<usize, SearchError> {
        match &mut self.list {
            List::Sparse(cursor) => {
                cursor.load(block)?;
                cursor.load_freqs()?;
                Ok(cursor.copy_ranked(&mut batch.docs, &mut batch.freqs))
            }
            List::Dense(_) => self.load(block, batch),
        }
    }

    /// The same in ascending order without frequencies.
    pub fn load_docs_ranked(
        &mut self,
        block: usize,
        batch: &mut Batch,
    ) -> Result<usize, SearchError> {
        match &mut self.list {
            List::Sparse(cursor) => {
                cursor.load(block)?;
                Ok(cursor.copy_ranked_docs(&mut batch.docs))
            }
            List::Dense(_) => self.load_docs(block, batch),
        }
    }

    /// What is wrong with a list whose blocks do not ascend.
    #[cold]
    pub fn disorder(&self) -> SearchError {
        match &self.list {
            List::Sparse(cursor) => cursor.disorder().into(),
            List::Dense(cursor) => cursor.disorder().into(),
        }
    }

    /// The same in any order without frequencies.
    pub fn load_docs(&mut self, block: usize, batch: &mut Batch) -> Result<usize, SearchError> {
        match &mut self.list {
            List::Sparse(cursor) => {
                cursor.load(block)?;
                let count = cursor.docs().len();
                batch.docs[..count].copy_from_slice(cursor.docs());
                Ok(count)
            }
            List::Dense(cursor) => {
                let (chunk, cell) = (block / CELLS, block % CELLS);
                cursor.load(chunk)?;
                let base = block as u32 * CELL_DOCS;
                let expand = simd::kernels().scoring.expand;
                let count = expand(cursor.cell_words(cell), base, &mut batch.docs);
                Ok(count)
            }
        }
    }

    /// How many documents of a step are alive: of a block, or, of a dense list, of a window.
    pub fn count_live(&mut self, step: usize, live: &LiveDocs) -> Result<u64, SearchError> {
        Ok(match &mut self.list {
            List::Sparse(cursor) => {
                cursor.load(step)?;
                cursor.count_live(live) as u64
            }
            List::Dense(cursor) => {
                let words = cursor.words_of(step)?;
                u64::from(live.count_window(step as u32 * WINDOW_DOCS, &words))
            }
        })
    }

    /// Decodes what a block has in `from..to` that may score above `least`, ascending.
    pub fn load_between(
        &mut self,
        block: usize,
        from: u32,
        to: u32,
        least: f32,
        batch: &mut Batch,
    ) -> Result<usize, SearchError> {
        let count = self.load_above(block, least, true, batch)?;
        let (first, last) = self.range(block)?;
        if from <= first && last < to {
            return Ok(count);
        }
        let (docs, freqs) = (&mut batch.docs[..count], &mut batch.freqs[..count]);
        Ok((simd::kernels().scoring.keep_between)(
            docs, freqs, from, to,
        ))
    }
}

/// The least frequency with which a document may score above `least` that the pairs of freq and norm bound.
fn least_freq(pairs: &Pairs, weights: Weights<'_>, least: f32) -> u32 {
    let weight = weights.weight;
    // So near to nothing or to the weight that rounding, which errs by a part of the weight, may be all there is.
    if least <= weight * 0.01 || least >= weight * 0.99 {
        return 1;
    }
    // `weight - weight / (1 + freq * inverse) > least` if `freq * inverse > least / (weight - least)`, nearly: what is
    // rounded on the way is less than what is taken off here.
    let product = least / (weight - least) * (1.0 - 1e-4);
    let mut above = 1;
    for (freq, norm) in pairs {
        // Documents with more than the freq before have this norm or a higher one.
        let needed = (product / weights.inverse[usize::from(*norm)]).ceil();
        let needed = (needed as u32).max(above);
        if needed <= u32::from(*freq) || *freq == u8::MAX {
            return needed;
        }
        above = above.max(u32::from(*freq) + 1);
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::impacts::ImpactSet;
    use crate::segment::Impact;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_document_that_scores_enough_has_less_than_the_least_frequency(
            docs in proptest::collection::vec((1u32..300, any::<u8>()), 1..60),
            weight in 0.01f32..20.0,
            scale in prop_oneof![1e-6f32..1e-3, 1e-3f32..1.0, 1f32..1e4],
            floor in any::<prop::sample::Index>(),
        ) {
            let mut inverse = [0.0; 256];
            for (norm, slot) in inverse.iter_mut().enumerate() {
                *slot = scale / (1.0 + norm as f32);
            }
            let score = |(freq, norm): (u32, u8)| weight - weight / (1.0 + freq as f32 * inverse[usize::from(norm)]);
            let mut set = ImpactSet::default();
            for (freq, norm) in &docs {
                set.add(Impact { freq: *freq, norm: *norm });
            }
            let capped = set.capped();
            let mut pairs = [(0, 0); 4];
            for (place, pair) in pairs.iter_mut().enumerate() {
                let impact = capped.get(place).or(capped.last()).unwrap();
                *pair = (impact.freq.min(255) as u8, impact.norm);
            }
            // The floor is the score of some document, or just below: others are above it by rounding alone.
            for least in [score(docs[floor.index(docs.len())]), score(docs[floor.index(docs.len())]).next_down()] {
                let freq = least_freq(&pairs, Weights { weight, inverse: &inverse }, least);
                for doc in &docs {
                    prop_assert!(score(*doc) <= least || doc.0 >= freq, "{:?} {} {}", doc, freq, least);
                }
            }
        }
    }
}
