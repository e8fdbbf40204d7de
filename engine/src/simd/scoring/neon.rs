//! The kernels of ranked retrieval for NEON: 4 lanes of 32 bits.

#![allow(unsafe_code)] // intrinsics: each use says why it is sound

use std::arch::aarch64::*;

use super::{FEW, ImpactRows, Kernels, LANES, ROWS, Weights, bounding_freq, scalar};
use crate::simd::neon::{bits_of, write_places};

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
    count_below,
    // Looking at bits here and there gathers words from memory, for which NEON has no instruction.
    ..scalar::KERNELS
};

/// Vectors of a row.
const PARTS: usize = LANES / 4;

fn lane_sums(base: u32, plus: u32, values: &mut [u32; 128]) {
    // SAFETY: `available()` hands out this table only after detecting NEON, and nothing else can.
    unsafe { lane_sums_neon(base, plus, values) }
}

#[target_feature(enable = "neon")]
fn lane_sums_neon(base: u32, plus: u32, values: &mut [u32; 128]) {
    let zero = vdupq_n_u32(0);
    let plus = vdupq_n_u32(plus);
    let mut before = vdupq_n_u32(base);
    for part in 0..PARTS {
        let mut rows = [zero; ROWS];
        let mut sum = zero;
        for (row, slot) in rows.iter_mut().enumerate() {
            let lanes = &values[row * LANES + part * 4..][..4];
            // SAFETY: `lanes` has 4 integers of 4 bytes.
            let gaps = unsafe { vld1q_u32(lanes.as_ptr()) };
            sum = vaddq_u32(sum, vaddq_u32(gaps, plus));
            *slot = sum;
        }
        // Running sums of the totals across, each step adding the lanes 1 and 2 places below.
        let mut across = sum;
        across = vaddq_u32(across, vextq_u32::<3>(zero, across));
        across = vaddq_u32(across, vextq_u32::<2>(zero, across));
        let start = vaddq_u32(before, vsubq_u32(across, sum));
        for (row, sum) in rows.into_iter().enumerate() {
            let lanes = &mut values[row * LANES + part * 4..][..4];
            // SAFETY: as above.
            unsafe { vst1q_u32(lanes.as_mut_ptr(), vaddq_u32(sum, start)) };
        }
        before = vaddq_u32(before, vdupq_laneq_u32::<3>(across));
    }
}

fn score(docs: &[u32], freqs: &[u32], norms: &[u8], weights: Weights<'_>, out: &mut [f32]) {
    // SAFETY: as in `lane_sums`.
    unsafe { score_neon(docs, freqs, norms, weights, out) }
}

/// Tables are read number by number, the rest goes four at a time.
#[target_feature(enable = "neon")]
fn score_neon(docs: &[u32], freqs: &[u32], norms: &[u8], weights: Weights<'_>, out: &mut [f32]) {
    let weight = vdupq_n_f32(weights.weight);
    let one = vdupq_n_f32(1.0);
    let len = docs.len().min(freqs.len()).min(out.len());
    let whole = len / 4 * 4;
    let groups = docs.as_chunks::<4>().0.iter().zip(freqs.as_chunks::<4>().0);
    for ((docs, freqs), out) in groups.zip(out.as_chunks_mut::<4>().0) {
        let inverse = match norms {
            [] => [weights.inverse[1]; 4],
            _ => docs.map(|doc| weights.inverse[usize::from(norms[doc as usize])]),
        };
        // SAFETY: all three have 4 numbers of 4 bytes.
        unsafe {
            let freq = vcvtq_f32_u32(vld1q_u32(freqs.as_ptr()));
            // Two operations, not a fused one, which rounds but once.
            let part = vaddq_f32(one, vmulq_f32(freq, vld1q_f32(inverse.as_ptr())));
            vst1q_f32(out.as_mut_ptr(), vsubq_f32(weight, vdivq_f32(weight, part)));
        }
    }
    scalar::score(
        &docs[whole..len],
        &freqs[whole..len],
        norms,
        weights,
        &mut out[whole..len],
    );
}

fn bounds(impacts: ImpactRows<'_>, weights: Weights<'_>, out: &mut [f32]) {
    // SAFETY: as in `lane_sums`.
    unsafe { bounds_neon(impacts, weights, out) }
}

#[target_feature(enable = "neon")]
fn bounds_neon(impacts: ImpactRows<'_>, weights: Weights<'_>, out: &mut [f32]) {
    let weight = vdupq_n_f32(weights.weight);
    let one = vdupq_n_f32(1.0);
    let whole = out.len() / 4 * 4;
    for (group, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let start = 4 * group;
        let mut greatest = vdupq_n_f32(0.0);
        for (freqs, norms) in impacts.freqs.iter().zip(&impacts.norms) {
            let (freqs, norms) = (&freqs[start..start + 4], &norms[start..start + 4]);
            let (mut freq, mut inverse) = ([0.0f32; 4], [0.0f32; 4]);
            for lane in 0..4 {
                freq[lane] = bounding_freq(freqs[lane]);
                inverse[lane] = weights.inverse[usize::from(norms[lane])];
            }
            // SAFETY: both arrays have 4 numbers.
            let product =
                unsafe { vmulq_f32(vld1q_f32(freq.as_ptr()), vld1q_f32(inverse.as_ptr())) };
            // A product that is no number, as of no document, is not above anything.
            greatest = vbslq_f32(vcgtq_f32(product, greatest), product, greatest);
        }
        let bound = vsubq_f32(weight, vdivq_f32(weight, vaddq_f32(one, greatest)));
        // SAFETY: `out` has 4 numbers.
        unsafe { vst1q_f32(out.as_mut_ptr(), bound) };
    }
    let rest = ImpactRows {
        freqs: impacts.freqs.map(|column| &column[whole..]),
        norms: impacts.norms.map(|column| &column[whole..]),
    };
    scalar::bounds(rest, weights, &mut out[whole..]);
}

/// For each choice among four lanes of 4 bytes, the bytes that bring the chosen ones to the front, in order.
static FRONT: [[u8; 16]; 16] = {
    let mut all = [[0; 16]; 16];
    let mut chosen = 0;
    while chosen < 16 {
        let (mut lane, mut count) = (0, 0);
        while lane < 4 {
            if chosen >> lane & 1 == 1 {
                let mut byte = 0;
                while byte < 4 {
                    all[chosen][count * 4 + byte] = (lane * 4 + byte) as u8;
                    byte += 1;
                }
                count += 1;
            }
            lane += 1;
        }
        chosen += 1;
    }
    all
};

/// Which of four lanes are chosen (all ones) as the index of [`FRONT`].
#[inline]
#[target_feature(enable = "neon")]
fn choice(lanes: uint32x4_t) -> usize {
    const WEIGHTS: [u32; 4] = [1, 2, 4, 8];
    // SAFETY: the array has 4 integers of 4 bytes.
    let weights = unsafe { vld1q_u32(WEIGHTS.as_ptr()) };
    vaddvq_u32(vandq_u32(lanes, weights)) as usize
}

/// Moves the chosen of four lanes to the front; the others are overwritten with anything.
#[inline]
#[target_feature(enable = "neon")]
fn to_front(lanes: uint32x4_t, choice: usize) -> uint32x4_t {
    // SAFETY: an entry has 16 bytes.
    let bytes = unsafe { vld1q_u8(FRONT[choice].as_ptr()) };
    vreinterpretq_u32_u8(vqtbl1q_u8(vreinterpretq_u8_u32(lanes), bytes))
}

fn keep_above(docs: &mut [u32], scores: &mut [f32], floor: f32) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { keep_above_neon(docs, scores, floor) }
}

#[target_feature(enable = "neon")]
fn keep_above_neon(docs: &mut [u32], scores: &mut [f32], floor: f32) -> usize {
    let least = vdupq_n_f32(floor);
    let len = docs.len().min(scores.len());
    let whole = len / 4 * 4;
    let (docs_at, scores_at) = (docs.as_mut_ptr(), scores.as_mut_ptr());
    let mut kept = 0;
    for start in (0..whole).step_by(4) {
        // SAFETY: `start + 4 <= len`; `kept <= start`, so stores end at most where these four were read.
        unsafe {
            let score = vld1q_f32(scores_at.add(start));
            let doc = vld1q_u32(docs_at.add(start));
            let chosen = choice(vcgtq_f32(score, least));
            let score = to_front(vreinterpretq_u32_f32(score), chosen);
            vst1q_f32(scores_at.add(kept), vreinterpretq_f32_u32(score));
            vst1q_u32(docs_at.add(kept), to_front(doc, chosen));
            kept += chosen.count_ones() as usize;
        }
    }
    for index in whole..len {
        (docs[kept], scores[kept]) = (docs[index], scores[index]);
        kept += usize::from(scores[index] > floor);
    }
    kept
}

fn keep_between(docs: &mut [u32], freqs: &mut [u32], from: u32, to: u32) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { keep_between_neon(docs, freqs, from, to) }
}

#[target_feature(enable = "neon")]
fn keep_between_neon(docs: &mut [u32], freqs: &mut [u32], from: u32, to: u32) -> usize {
    let (first, end) = (vdupq_n_u32(from), vdupq_n_u32(to));
    let len = docs.len().min(freqs.len());
    let whole = len / 4 * 4;
    let (docs_at, freqs_at) = (docs.as_mut_ptr(), freqs.as_mut_ptr());
    let mut kept = 0;
    for start in (0..whole).step_by(4) {
        // SAFETY: as in `keep_above_neon`.
        unsafe {
            let doc = vld1q_u32(docs_at.add(start));
            let freq = vld1q_u32(freqs_at.add(start));
            let chosen = choice(vandq_u32(vcgeq_u32(doc, first), vcltq_u32(doc, end)));
            vst1q_u32(docs_at.add(kept), to_front(doc, chosen));
            vst1q_u32(freqs_at.add(kept), to_front(freq, chosen));
            kept += chosen.count_ones() as usize;
        }
    }
    for index in whole..len {
        (docs[kept], freqs[kept]) = (docs[index], freqs[index]);
        kept += usize::from(docs[kept] >= from && docs[kept] < to);
    }
    kept
}

fn sums_above(
    sums: &mut [f64],
    bits: &mut [u64],
    floor: f64,
    docs: &mut Vec<u32>,
    kept: &mut Vec<f64>,
) {
    // SAFETY: as in `lane_sums`.
    unsafe { sums_above_neon(sums, bits, floor, docs, kept) }
}

#[target_feature(enable = "neon")]
fn sums_above_neon(
    sums: &mut [f64],
    bits: &mut [u64],
    floor: f64,
    docs: &mut Vec<u32>,
    kept: &mut Vec<f64>,
) {
    for (index, word) in bits.iter_mut().enumerate() {
        if *word == 0 {
            continue;
        }
        let part = &mut sums[index * 64..index * 64 + 64];
        if word.count_ones() <= FEW {
            scalar::sums_of_word(index, word, part, floor, docs, kept);
            continue;
        }
        let quarters = part.as_chunks::<16>().0;
        *word &= bits_of([0, 1, 2, 3].map(|quarter| sixteen_above(&quarters[quarter], floor)));
        let mut rest = *word;
        while rest != 0 {
            let bit = rest.trailing_zeros();
            docs.push(index as u32 * 64 + bit);
            kept.push(part[bit as usize]);
            rest &= rest - 1;
        }
        part.fill(0.0);
    }
}

/// A byte of ones for each sum above `floor`.
#[inline]
#[target_feature(enable = "neon")]
fn sixteen_above(sums: &[f64; 16], floor: f64) -> uint8x16_t {
    let least = vdupq_n_f64(floor);
    let pair = |n: usize| {
        // SAFETY: there are 8 pairs of numbers of 8 bytes.
        let lanes = unsafe { vld1q_f64(sums.as_ptr().add(2 * n)) };
        vreinterpretq_u32_u64(vcgtq_f64(lanes, least))
    };
    // Masks are all ones or all zeros, so that every other half of them says all.
    let four = |n: usize| vreinterpretq_u16_u32(vuzp1q_u32(pair(2 * n), pair(2 * n + 1)));
    let eight = |n: usize| vreinterpretq_u8_u16(vuzp1q_u16(four(2 * n), four(2 * n + 1)));
    vuzp1q_u8(eight(0), eight(1))
}

fn expand(words: &[u64; 8], base: u32, out: &mut [u32; 512]) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { expand_neon(words, base, out) }
}

#[target_feature(enable = "neon")]
fn expand_neon(words: &[u64; 8], base: u32, out: &mut [u32; 512]) -> usize {
    let mut count = 0;
    let mut place = base;
    for word in words {
        for byte in word.to_le_bytes() {
            // `count` is at most 8 for each byte before: 8 places are left.
            if let Some(room) = out[count..].first_chunk_mut() {
                write_places(byte, place, room);
            }
            count += byte.count_ones() as usize;
            place = place.wrapping_add(8);
        }
    }
    count
}

fn find(docs: &[u32; 128], target: u32) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { find_neon(docs, target) }
}

#[target_feature(enable = "neon")]
fn find_neon(docs: &[u32; 128], target: u32) -> usize {
    let wanted = vdupq_n_u32(target);
    for (half, docs) in docs.as_chunks::<64>().0.iter().enumerate() {
        let four = |n: usize| {
            // SAFETY: there are 16 groups of 4 integers of 4 bytes.
            let lanes = unsafe { vld1q_u32(docs.as_ptr().add(4 * n)) };
            vreinterpretq_u16_u32(vceqq_u32(lanes, wanted))
        };
        let eight = |n: usize| vreinterpretq_u8_u16(vuzp1q_u16(four(2 * n), four(2 * n + 1)));
        let bits = bits_of([0, 1, 2, 3].map(|n| vuzp1q_u8(eight(2 * n), eight(2 * n + 1))));
        if bits != 0 {
            return half * 64 + bits.trailing_zeros() as usize;
        }
    }
    128
}

fn find_each(docs: &[u32; 128], wanted: &[u32], slots: &mut [u8]) {
    // SAFETY: as in `lane_sums`.
    unsafe { find_each_neon(docs, wanted, slots) }
}

#[target_feature(enable = "neon")]
fn find_each_neon(docs: &[u32; 128], wanted: &[u32], slots: &mut [u8]) {
    for (target, slot) in wanted.iter().zip(slots) {
        *slot = find_neon(docs, *target) as u8;
    }
}

fn count_below(docs: &[u32; 128], target: u32) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { count_below_neon(docs, target) }
}

#[target_feature(enable = "neon")]
fn count_below_neon(docs: &[u32; 128], target: u32) -> usize {
    let wanted = vdupq_n_u32(target);
    let mut below = vdupq_n_u32(0);
    for lanes in docs.as_chunks::<4>().0 {
        // SAFETY: `lanes` has 4 integers of 4 bytes.
        let lanes = unsafe { vld1q_u32(lanes.as_ptr()) };
        // All ones is less one.
        below = vsubq_u32(below, vcltq_u32(lanes, wanted));
    }
    vaddvq_u32(below) as usize
}
