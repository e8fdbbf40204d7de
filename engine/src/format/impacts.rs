//! Impacts: the pairs of frequency and norm that bound the scores of a block, whatever the statistics of the shard.

use crate::segment::{Impact, length_of_norm};

/// Pairs that are kept of a block, at most.
pub(crate) const MAX_IMPACTS: usize = 4;
/// Frequencies below this one are sorted out by a table.
const TABLE: usize = 16;

/// Keeps the pairs that bound all documents given: higher freq and lower norm score more.
#[derive(Clone, Debug, Default)]
pub(crate) struct ImpactSet {
    /// Freqs and norms both strictly ascending.
    pairs: Vec<Impact>,
}

impl ImpactSet {
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    pub fn add(&mut self, impact: Impact) {
        let at = self.pairs.partition_point(|pair| pair.freq < impact.freq);
        // A pair with at least this freq and at most this norm bounds it already: the norms ascend, so the first tells.
        if self
            .pairs
            .get(at)
            .is_some_and(|pair| pair.norm <= impact.norm)
        {
            return;
        }
        let mut end = at;
        if self
            .pairs
            .get(end)
            .is_some_and(|pair| pair.freq == impact.freq)
        {
            end += 1;
        }
        // Those with a lower freq and no lower norm are bounded by the new one.
        let start = self.pairs[..at].partition_point(|pair| pair.norm < impact.norm);
        self.pairs.splice(start..end, [impact]);
    }

    /// Adds all documents of a block: the least norm of each low frequency is enough.
    pub fn add_block(&mut self, freqs: &[u32], norms: &[u8]) {
        let mut least = [u8::MAX; TABLE];
        let mut seen = 0u32;
        for (freq, norm) in freqs.iter().zip(norms) {
            if let Some(slot) = least.get_mut(*freq as usize) {
                *slot = (*slot).min(*norm);
                seen |= 1 << freq;
            } else {
                self.add(Impact {
                    freq: *freq,
                    norm: *norm,
                });
            }
        }
        while seen != 0 {
            let freq = 31 - seen.leading_zeros();
            self.add(Impact {
                freq,
                norm: least[freq as usize],
            });
            seen &= !(1 << freq);
        }
    }

    /// At most [`MAX_IMPACTS`] pairs that bound the same: neighbours become one above both, those first that raise the
    /// highest score of the block least, whatever the average length may be.
    pub fn capped(&self) -> Vec<Impact> {
        let mut pairs = self.pairs.clone();
        if pairs.len() <= MAX_IMPACTS {
            return pairs;
        }
        let highest = AVERAGES.map(|average| {
            let saturations = pairs.iter().map(|pair| saturation(*pair, average));
            saturations.fold(0.0, f32::max)
        });
        let raised = |low: Impact, high: Impact| {
            let merged = Impact {
                freq: high.freq,
                norm: low.norm,
            };
            let relative = AVERAGES.iter().zip(highest);
            let relative = relative.map(|(average, most)| saturation(merged, *average) / most);
            relative.fold(0.0, f32::max)
        };
        let mut costs: Vec<f32> = pairs.windows(2).map(|two| raised(two[0], two[1])).collect();
        while pairs.len() > MAX_IMPACTS {
            let mut cheapest = 0;
            for (index, cost) in costs.iter().enumerate() {
                if *cost < costs[cheapest] {
                    cheapest = index;
                }
            }
            pairs[cheapest].freq = pairs[cheapest + 1].freq;
            pairs.remove(cheapest + 1);
            costs.remove(cheapest);
            if cheapest > 0 {
                costs[cheapest - 1] = raised(pairs[cheapest - 1], pairs[cheapest]);
            }
            if cheapest + 1 < pairs.len() {
                costs[cheapest] = raised(pairs[cheapest], pairs[cheapest + 1]);
            }
        }
        pairs
    }
}

/// Average lengths for which a cap shall loosen bounds least.
const AVERAGES: [f32; 4] = [8.0, 64.0, 512.0, 4096.0];

/// What grows with the score of a pair, by BM25 with its usual parameters.
fn saturation(pair: Impact, average: f32) -> f32 {
    pair.freq as f32 / (0.25 + 0.75 * length_of_norm(pair.norm) as f32 / average)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn impacts_bound_every_document(docs in proptest::collection::vec((1u32..300, 1u8..60), 1..128)) {
            let mut by_one = ImpactSet::default();
            for (freq, norm) in &docs {
                by_one.add(Impact { freq: *freq, norm: *norm });
            }
            let (freqs, norms): (Vec<u32>, Vec<u8>) = docs.iter().copied().unzip();
            let mut by_block = ImpactSet::default();
            by_block.add_block(&freqs, &norms);
            prop_assert_eq!(&by_one.pairs, &by_block.pairs);
            let capped = by_block.capped();
            prop_assert!(capped.len() <= MAX_IMPACTS);
            for (freq, norm) in docs {
                prop_assert!(capped.iter().any(|pair| pair.freq >= freq && pair.norm <= norm));
            }
        }
    }
}
