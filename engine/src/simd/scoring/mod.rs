//! Kernels of ranked retrieval: documents of a block, their scores, bounds, sums of a window.
//!
//! Blocks of 128 integers come in *lane-major* order: the integer of rank `8 * lane + row` (ranks count from 0, lanes from 0
//! to 15, rows from 0 to 7) stands at slot `16 * row + lane`. Sums over all ranks then need no shuffles: each lane adds up
//! its own rows, and only the totals of the lanes are added up across.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;
pub(super) mod scalar;

/// Lanes of a lane-major block.
pub(crate) const LANES: usize = 16;
/// Rows of a lane-major block.
pub(crate) const ROWS: usize = 8;

/// The slot of a rank in a lane-major block.
#[inline]
pub(crate) const fn slot_of(rank: usize) -> usize {
    (rank % ROWS) * LANES + rank / ROWS
}

/// The rank of a slot in a lane-major block.
#[inline]
pub(crate) const fn rank_of(slot: usize) -> usize {
    slot % LANES * ROWS + slot / LANES
}

/// Bits of slots as bits of ranks.
#[inline]
pub(crate) fn ranks_of(slots: u128) -> u128 {
    // Rows of 16 bits become lanes of 8: the even bytes hold the lanes 0 to 7 of each row, the odd ones 8 to 15.
    let (mut low, mut high) = ([0u8; 8], [0u8; 8]);
    for (row, lanes) in slots.to_le_bytes().chunks_exact(2).enumerate() {
        (low[row], high[row]) = (lanes[0], lanes[1]);
    }
    let (low, high) = (u64::from_le_bytes(low), u64::from_le_bytes(high));
    u128::from(transposed(low)) | u128::from(transposed(high)) << 64
}

/// A matrix of 8 by 8 bits, a byte a row, with rows and columns exchanged (Warren, "Hacker's Delight", 7-3).
#[inline]
const fn transposed(mut bits: u64) -> u64 {
    let mut swap = (bits ^ (bits >> 7)) & 0x00aa_00aa_00aa_00aa;
    bits ^= swap ^ (swap << 7);
    swap = (bits ^ (bits >> 14)) & 0x0000_cccc_0000_cccc;
    bits ^= swap ^ (swap << 14);
    swap = (bits ^ (bits >> 28)) & 0x0000_0000_f0f0_f0f0;
    bits ^ swap ^ (swap << 28)
}

/// Impacts of consecutive blocks, one array for each of the up to four pairs of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImpactRows<'a> {
    /// Frequencies of the `n`-th pairs; 255 stands for any that is as high or higher.
    pub freqs: [&'a [u8]; 4],
    /// Their norms.
    pub norms: [&'a [u8]; 4],
}

/// The frequency that an 8-bit one stands for in a bound: 255 has no upper end.
#[inline]
pub(crate) fn bounding_freq(freq: u8) -> f32 {
    if freq == u8::MAX {
        u32::MAX as f32
    } else {
        f32::from(freq)
    }
}

/// Bits of a word up to which sums are looked at one by one.
const FEW: u32 = 10;

/// How a term scores: `weight - weight / (1 + freq * inverse[norm])`, in `f32`, in this order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights<'a> {
    /// What the score approaches with growing frequency.
    pub weight: f32,
    /// By norm.
    pub inverse: &'a [f32; 256],
}

/// Documents of a stretch, sixteen windows: as many as are worked on at once where lists are sparse.
pub(crate) const STRETCH_DOCS: u32 = 65_536;
/// A bit for each document of a stretch.
pub(crate) type StretchBits = [u64; STRETCH_DOCS as usize / 64];

/// See [`Kernels::score`].
type Score = fn(docs: &[u32], freqs: &[u32], norms: &[u8], weights: Weights<'_>, out: &mut [f32]);

/// See [`Kernels::sums_above`].
type SumsAbove =
    fn(sums: &mut [f64], bits: &mut [u64], floor: f64, docs: &mut Vec<u32>, kept: &mut Vec<f64>);

/// One kernel each; all slices of one call are equally long unless said otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    /// Running sums of `values[…] + plus`, from `base`, in order of rank over a lane-major block, wrapping.
    pub lane_sums: fn(base: u32, plus: u32, values: &mut [u32; 128]),
    /// Scores of documents: `out[i]` from `freqs[i]` and the norm of `docs[i]`; all have the norm 1 when `norms` is
    /// empty. Every document must be below the length of `norms` otherwise: checked, a panic.
    pub score: Score,
    /// The highest score that the impacts of each block allow.
    pub bounds: fn(impacts: ImpactRows<'_>, weights: Weights<'_>, out: &mut [f32]),
    /// Moves the pairs whose score is above `floor` to the front, in order; answers how many.
    pub keep_above: fn(docs: &mut [u32], scores: &mut [f32], floor: f32) -> usize,
    /// Moves the pairs whose document is in `from..to` to the front, in order; answers how many.
    pub keep_between: fn(docs: &mut [u32], freqs: &mut [u32], from: u32, to: u32) -> usize,
    /// Keeps the bits whose sum is above `floor`, appends them to `docs`, ascending, and their sums to `kept`, and sets the sums of
    /// all words that had bits to zero. There are 64 sums for every word of bits.
    pub sums_above: SumsAbove,
    /// The places of the bits of a cell of 512, plus `base`, ascending; answers how many.
    pub expand: fn(words: &[u64; 8], base: u32, out: &mut [u32; 512]) -> usize,
    /// The slot of `target` in a block, 128 when it is not there.
    pub find: fn(docs: &[u32; 128], target: u32) -> usize,
    /// The slots of `wanted` in a block, 128 for those that are not there; `slots` is at least as long as `wanted`.
    pub find_each: fn(docs: &[u32; 128], wanted: &[u32], slots: &mut [u8]),
    /// Which slots of a block have a document whose bit is set: bit `doc - base` of `bits`. Documents outside have none.
    pub among: fn(docs: &[u32; 128], base: u32, bits: &StretchBits) -> u128,
    /// How many documents of a block are below `target`.
    pub count_below: fn(docs: &[u32; 128], target: u32) -> usize,
    /// How many of the bits of a cell of 512 are set that lie below a place, which is at most 512.
    pub rank: fn(words: &[u64; 8], place: usize) -> usize,
    /// Gaps of the documents before the one of a rank (below 128): a bit of `flags` says whether a document has gaps, a bit of `lasts`
    /// (`i % 8` of byte `i / 8`) whether a gap is the last of its document. Where there are too few lasts: not below their number.
    pub first_gap: fn(flags: u128, rank: usize, lasts: &[u8]) -> usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Kernels as Row, available, scalar as scalar_row};
    use proptest::prelude::*;

    fn for_every_row(mut check: impl FnMut(&'static str, &Kernels, &Kernels)) {
        let scalar: &Row = &scalar_row::KERNELS;
        for row in available() {
            check(row.name, &row.scoring, &scalar.scoring);
        }
    }

    fn inverse() -> [f32; 256] {
        let mut table = [0.0; 256];
        for (norm, slot) in table.iter_mut().enumerate() {
            *slot = 1.0 / (1.2 * (0.25 + 0.75 * norm as f32 / 37.5));
        }
        table
    }

    #[test]
    fn every_rank_has_a_slot_of_its_own() {
        let mut slots: Vec<usize> = (0..128).map(slot_of).collect();
        assert_eq!(slots[..9], [0, 16, 32, 48, 64, 80, 96, 112, 1]);
        slots.sort_unstable();
        assert!(slots.into_iter().eq(0..128));
        for rank in 0..128 {
            assert_eq!(rank_of(slot_of(rank)), rank);
            assert_eq!(ranks_of(1 << slot_of(rank)), 1 << rank);
        }
        assert_eq!(ranks_of(u128::MAX), u128::MAX);
    }

    proptest! {
        #[test]
        fn every_lane_sum_agrees_with_scalar(base: u32, plus in 0u32..2, values in proptest::collection::vec(any::<u32>(), 128)) {
            let values: [u32; 128] = values.try_into().unwrap();
            for_every_row(|name, row, scalar| {
                let (mut a, mut b) = (values, values);
                (row.lane_sums)(base, plus, &mut a);
                (scalar.lane_sums)(base, plus, &mut b);
                assert_eq!(a, b, "{name} differs from scalar");
            });
        }

        #[test]
        fn every_score_agrees_with_scalar(
            postings in proptest::collection::vec((0u32..5000, 1u32..400), 0..300),
            norms in proptest::collection::vec(any::<u8>(), 5000),
            weight in 0.0f32..20.0,
            with_norms: bool,
        ) {
            let inverse = inverse();
            let weights = Weights { weight, inverse: &inverse };
            let docs: Vec<u32> = postings.iter().map(|p| p.0).collect();
            let freqs: Vec<u32> = postings.iter().map(|p| p.1).collect();
            let norms: &[u8] = if with_norms { &norms } else { &[] };
            for_every_row(|name, row, scalar| {
                let (mut a, mut b) = (vec![0.0; docs.len()], vec![0.0; docs.len()]);
                (row.score)(&docs, &freqs, norms, weights, &mut a);
                (scalar.score)(&docs, &freqs, norms, weights, &mut b);
                let bits = |scores: &[f32]| scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&a), bits(&b), "{name} differs from scalar");
            });
        }

        #[test]
        fn every_bound_agrees_with_scalar(blocks in proptest::collection::vec(any::<[(u8, u8); 4]>(), 0..70), weight in 0.0f32..20.0) {
            let inverse = inverse();
            let mut inverse = inverse;
            inverse[255] = f32::INFINITY;
            let weights = Weights { weight, inverse: &inverse };
            let column = |n: usize, norm: bool| -> Vec<u8> {
                blocks.iter().map(|b| if norm { b[n].1 } else { b[n].0 }).collect()
            };
            let freqs: Vec<Vec<u8>> = (0..4).map(|n| column(n, false)).collect();
            let norms: Vec<Vec<u8>> = (0..4).map(|n| column(n, true)).collect();
            let impacts = ImpactRows {
                freqs: std::array::from_fn(|n| &freqs[n][..]),
                norms: std::array::from_fn(|n| &norms[n][..]),
            };
            for_every_row(|name, row, scalar| {
                let (mut a, mut b) = (vec![0.0; blocks.len()], vec![0.0; blocks.len()]);
                (row.bounds)(impacts, weights, &mut a);
                (scalar.bounds)(impacts, weights, &mut b);
                assert_eq!(&a, &b, "{name} differs from scalar");
            });
            // and they are bounds: no pair scores more
            let mut out = vec![0.0; blocks.len()];
            (scalar_row::KERNELS.scoring.bounds)(impacts, weights, &mut out);
            for (block, bound) in blocks.iter().zip(&out) {
                // A frequency of 0 stands for a block without documents.
                for (freq, norm) in block.iter().filter(|(freq, _)| *freq > 0) {
                    let score = weight - weight / (1.0 + bounding_freq(*freq) * inverse[usize::from(*norm)]);
                    prop_assert!(score <= *bound);
                }
            }
        }

        #[test]
        fn every_selection_agrees_with_scalar(
            pairs in proptest::collection::vec((0u32..10_000, 0u32..100), 0..300),
            floor in 0u32..100,
            from in 0u32..10_000,
            len in 0u32..10_000,
        ) {
            let docs: Vec<u32> = pairs.iter().map(|p| p.0).collect();
            let freqs: Vec<u32> = pairs.iter().map(|p| p.1).collect();
            let scores: Vec<f32> = pairs.iter().map(|p| p.1 as f32).collect();
            for_every_row(|name, row, scalar| {
                let run = |kernels: &Kernels| {
                    let (mut docs, mut scores) = (docs.clone(), scores.clone());
                    let kept = (kernels.keep_above)(&mut docs, &mut scores, floor as f32);
                    docs.truncate(kept);
                    scores.truncate(kept);
                    (docs, scores)
                };
                assert_eq!(run(row), run(scalar), "{name} differs from scalar");
                let run = |kernels: &Kernels| {
                    let (mut docs, mut freqs) = (docs.clone(), freqs.clone());
                    let kept = (kernels.keep_between)(&mut docs, &mut freqs, from, from + len);
                    docs.truncate(kept);
                    freqs.truncate(kept);
                    (docs, freqs)
                };
                assert_eq!(run(row), run(scalar), "{name} differs from scalar");
            });
        }

        #[test]
        fn every_sum_selection_agrees_with_scalar(
            found in proptest::collection::vec((0usize..4096, 0u32..50), 0..600),
            floor in 0u32..50,
        ) {
            let run = |kernels: &Kernels| {
                let (mut sums, mut bits) = (vec![0.0; 4096], vec![0u64; 64]);
                for (offset, sum) in &found {
                    sums[*offset] += f64::from(*sum);
                    bits[offset / 64] |= 1 << (offset % 64);
                }
                let mut kept = Vec::new();
                let mut docs = Vec::new();
                (kernels.sums_above)(&mut sums, &mut bits, f64::from(floor), &mut docs, &mut kept);
                assert!(sums.iter().all(|sum| *sum == 0.0));
                (docs, kept, bits)
            };
            for_every_row(|name, row, scalar| assert_eq!(run(row), run(scalar), "{name} differs from scalar"));
        }

        #[test]
        fn every_expansion_agrees_with_scalar(words: [u64; 8], base in 0u32..1 << 30) {
            let run = |kernels: &Kernels| {
                let mut out = [0; 512];
                let count = (kernels.expand)(&words, base, &mut out);
                out[..count].to_vec()
            };
            for_every_row(|name, row, scalar| assert_eq!(run(row), run(scalar), "{name} differs from scalar"));
            prop_assert_eq!(run(&scalar_row::KERNELS.scoring).len() as u32, words.iter().map(|w| w.count_ones()).sum::<u32>());
        }

        #[test]
        fn every_search_of_a_block_agrees_with_scalar(gaps in proptest::collection::vec(0u32..9, 128), target in 0u32..1300) {
            let mut docs: [u32; 128] = gaps.try_into().unwrap();
            (scalar_row::KERNELS.scoring.lane_sums)(u32::MAX, 1, &mut docs);
            for_every_row(|name, row, scalar| {
                assert_eq!((row.find)(&docs, target), (scalar.find)(&docs, target), "{name}");
                assert_eq!((row.count_below)(&docs, target), (scalar.count_below)(&docs, target), "{name}");
            });
            let wanted: Vec<u32> = (target..target + 20).step_by(3).collect();
            for_every_row(|name, row, scalar| {
                let (mut a, mut b) = ([0; 7], [0; 7]);
                (row.find_each)(&docs, &wanted, &mut a);
                (scalar.find_each)(&docs, &wanted, &mut b);
                assert_eq!(a, b, "{name}");
            });
            let below = (scalar_row::KERNELS.scoring.count_below)(&docs, target);
            prop_assert!(below == 128 || docs[slot_of(below)] >= target);
            prop_assert!(below == 0 || docs[slot_of(below - 1)] < target);
        }

        #[test]
        fn every_rank_agrees_with_scalar(words: [u64; 8], place in 0usize..=512) {
            let is_set = |at: usize| words[at / 64] >> (at % 64) & 1 != 0;
            let rank = (0..place).filter(|at| is_set(*at)).count();
            for_every_row(|name, row, scalar| {
                assert_eq!((row.rank)(&words, place), rank, "{name}");
                assert_eq!((scalar.rank)(&words, place), rank, "scalar");
            });
        }

        #[test]
        fn every_first_gap_agrees_with_scalar(
            counts in proptest::collection::vec(prop_oneof![2 => Just(0usize), 1 => 1usize..9, 1 => 1usize..200], 1..=128),
            noise: u128,
        ) {
            let (mut flags, mut lasts) = (0u128, Vec::new());
            for (rank, count) in counts.iter().enumerate() {
                flags |= u128::from(*count > 0) << rank;
                lasts.extend((1..=*count).map(|number| number == *count));
            }
            let bytes: Vec<u8> = lasts.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect();
            for_every_row(|name, row, scalar| {
                for rank in 0..counts.len() {
                    let before: usize = counts[..rank].iter().sum();
                    assert_eq!((row.first_gap)(flags, rank, &bytes), before, "{name}");
                    assert_eq!((scalar.first_gap)(flags, rank, &bytes), before, "scalar");
                    let few = &bytes[..bytes.len() / 2];
                    assert_eq!((row.first_gap)(noise, rank, few), (scalar.first_gap)(noise, rank, few), "{name}");
                }
            });
        }

        #[test]
        fn every_look_at_a_stretch_agrees_with_scalar(
            docs in proptest::collection::vec(0u32..200_000, 128),
            base in 0u32..200_000,
            set in proptest::collection::vec(0usize..STRETCH_DOCS as usize, 0..900),
        ) {
            let docs: [u32; 128] = docs.try_into().unwrap();
            let mut bits: Box<StretchBits> = vec![0; STRETCH_DOCS as usize / 64].try_into().unwrap();
            for bit in set {
                bits[bit / 64] |= 1 << (bit % 64);
            }
            for doc in docs.iter().step_by(5) {
                let offset = doc.wrapping_sub(base);
                if offset < STRETCH_DOCS {
                    bits[offset as usize / 64] |= 1 << (offset % 64);
                }
            }
            for_every_row(|name, row, scalar| {
                assert_eq!((row.among)(&docs, base, &bits), (scalar.among)(&docs, base, &bits), "{name}");
            });
            let among = (scalar_row::KERNELS.scoring.among)(&docs, base, &bits);
            for (slot, doc) in docs.iter().enumerate().step_by(5) {
                prop_assert_eq!(among >> slot & 1 != 0, doc.wrapping_sub(base) < STRETCH_DOCS);
            }
        }
    }
}
