//! The kernels of ranked retrieval in plain Rust.

use super::{ImpactRows, Kernels, STRETCH_DOCS, StretchBits, Weights, bounding_freq, slot_of};

pub(in crate::simd) const KERNELS: Kernels = Kernels {
    lane_sums,
    score,
    bounds,
    keep_above,
    keep_between,
    sums_above,
    expand,
    find,
    find_each,
    among,
    count_below,
};

fn lane_sums(base: u32, plus: u32, values: &mut [u32; 128]) {
    let mut sum = base;
    for rank in 0..128 {
        let value = &mut values[slot_of(rank)];
        sum = sum.wrapping_add(*value).wrapping_add(plus);
        *value = sum;
    }
}

pub(super) fn score(
    docs: &[u32],
    freqs: &[u32],
    norms: &[u8],
    weights: Weights<'_>,
    out: &mut [f32],
) {
    let postings = docs.iter().zip(freqs);
    for ((doc, freq), score) in postings.zip(out) {
        let norm = if norms.is_empty() {
            1
        } else {
            norms[*doc as usize]
        };
        *score = score_one(*freq as f32, norm, weights);
    }
}

#[inline]
fn score_one(freq: f32, norm: u8, weights: Weights<'_>) -> f32 {
    let weight = weights.weight;
    weight - weight / (1.0 + freq * weights.inverse[usize::from(norm)])
}

pub(super) fn bounds(impacts: ImpactRows<'_>, weights: Weights<'_>, out: &mut [f32]) {
    for (block, bound) in out.iter_mut().enumerate() {
        // The score grows with `freq * inverse`, so the greatest product has the greatest score.
        let mut greatest = 0.0f32;
        for (freqs, norms) in impacts.freqs.iter().zip(&impacts.norms) {
            let inverse = weights.inverse[usize::from(norms[block])];
            greatest = greatest.max(bounding_freq(freqs[block]) * inverse);
        }
        *bound = weights.weight - weights.weight / (1.0 + greatest);
    }
}

pub(super) fn keep_above(docs: &mut [u32], scores: &mut [f32], floor: f32) -> usize {
    let mut kept = 0;
    for index in 0..docs.len().min(scores.len()) {
        (docs[kept], scores[kept]) = (docs[index], scores[index]);
        kept += usize::from(scores[index] > floor);
    }
    kept
}

pub(super) fn keep_between(docs: &mut [u32], freqs: &mut [u32], from: u32, to: u32) -> usize {
    let mut kept = 0;
    for index in 0..docs.len().min(freqs.len()) {
        (docs[kept], freqs[kept]) = (docs[index], freqs[index]);
        kept += usize::from(docs[kept] >= from && docs[kept] < to);
    }
    kept
}

pub(super) fn sums_above(
    sums: &mut [f64],
    bits: &mut [u64],
    floor: f64,
    docs: &mut Vec<u32>,
    kept: &mut Vec<f64>,
) {
    for (index, word) in bits.iter_mut().enumerate() {
        if *word != 0 {
            sums_of_word(
                index,
                word,
                &mut sums[index * 64..][..64],
                floor,
                docs,
                kept,
            );
        }
    }
}

/// [`sums_above`] for one word and its 64 sums, bit by bit.
#[inline]
pub(super) fn sums_of_word(
    index: usize,
    word: &mut u64,
    sums: &mut [f64],
    floor: f64,
    docs: &mut Vec<u32>,
    kept: &mut Vec<f64>,
) {
    let mut rest = *word;
    while rest != 0 {
        let bit = rest.trailing_zeros();
        let sum = std::mem::take(&mut sums[bit as usize]);
        if sum > floor {
            docs.push(index as u32 * 64 + bit);
            kept.push(sum);
        } else {
            *word &= !(1 << bit);
        }
        rest &= rest - 1;
    }
}

pub(super) fn expand(words: &[u64; 8], base: u32, out: &mut [u32; 512]) -> usize {
    let mut count = 0;
    for (index, &word) in (0..).zip(words) {
        let mut rest = word;
        while rest != 0 {
            out[count] = base + index * 64 + rest.trailing_zeros();
            count += 1;
            rest &= rest - 1;
        }
    }
    count
}

pub(super) fn find(docs: &[u32; 128], target: u32) -> usize {
    docs.iter().position(|doc| *doc == target).unwrap_or(128)
}

pub(super) fn find_each(docs: &[u32; 128], wanted: &[u32], slots: &mut [u8]) {
    for (target, slot) in wanted.iter().zip(slots) {
        *slot = find(docs, *target) as u8;
    }
}

pub(super) fn among(docs: &[u32; 128], base: u32, bits: &StretchBits) -> u128 {
    let mut among = 0;
    for (slot, doc) in docs.iter().enumerate() {
        let offset = doc.wrapping_sub(base);
        if offset < STRETCH_DOCS && bits[offset as usize / 64] >> (offset % 64) & 1 != 0 {
            among |= 1 << slot;
        }
    }
    among
}

pub(super) fn count_below(docs: &[u32; 128], target: u32) -> usize {
    docs.iter().filter(|doc| **doc < target).count()
}
