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
    rank,
    first_gap,
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

#[inline(always)] // compiled anew where an instruction counts bits
pub(super) fn rank(words: &[u64; 8], place: usize) -> usize {
    let (at, below) = (place / 64, (1u64 << (place % 64)) - 1);
    let mut rank = 0;
    // All words, without a branch.
    for (number, word) in words.iter().enumerate() {
        let mask = match number {
            number if number < at => u64::MAX,
            number if number == at => below,
            _ => 0,
        };
        rank += (word & mask).count_ones();
    }
    rank as usize
}

#[inline(always)] // as above
pub(super) fn first_gap(flags: u128, rank: usize, lasts: &[u8]) -> usize {
    let before = flags & ((1 << rank) - 1);
    let Some(mut left) = (before.count_ones() as usize).checked_sub(1) else {
        return 0;
    };
    let (words, tail) = lasts.as_chunks::<8>();
    let all = words.iter().map(|word| u64::from_le_bytes(*word));
    for (number, word) in all.chain([last_word(tail)]).enumerate() {
        let count = word.count_ones() as usize;
        if left < count {
            return 64 * number + nth_one(word, left) + 1;
        }
        left -= count;
    }
    8 * lasts.len()
}

/// The place of the bit of a word that has `n` set ones before it; there is one. Without a branch: see "Broadword
/// implementation of rank/select queries" (Vigna, 2008).
#[inline(always)] // as above
fn nth_one(word: u64, n: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let pairs = word - (word >> 1 & 0x5555_5555_5555_5555);
    let fours = (pairs & 0x3333_3333_3333_3333) + (pairs >> 2 & 0x3333_3333_3333_3333);
    let bytes = (fours + (fours >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    // Each byte: set bits up to its end.
    let upto = bytes.wrapping_mul(ONES);
    // The high bit of each byte: whether all of these are before the one wanted.
    let before = (((n as u64 * ONES) | (0x80 * ONES)) - upto) & (0x80 * ONES);
    let place = (before >> 7).wrapping_mul(ONES) >> 56 << 3;
    let done = upto << 8 >> place & 0xff;
    let byte = word >> place & 0xff;
    place as usize + usize::from(NTH_OF_BYTE[(n - done as usize) & 7][byte as usize])
}

/// By `n` and byte: the place of the bit that has `n` set ones before it.
static NTH_OF_BYTE: [[u8; 256]; 8] = {
    let mut table = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut place, mut n) = (0, 0);
        while place < 8 {
            if byte >> place & 1 != 0 {
                table[n][byte] = place;
                n += 1;
            }
            place += 1;
        }
        byte += 1;
    }
    table
};

/// Up to seven bytes as a word.
#[inline(always)] // as above
fn last_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}
