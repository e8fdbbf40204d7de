//! The kernels of ranked retrieval for AVX2: 8 lanes of 32 bits.

#![allow(unsafe_code)] // intrinsics: each use says why it is sound

use std::arch::x86_64::*;

use super::{FEW, ImpactRows, Kernels, STRETCH_DOCS, StretchBits, Weights, bounding_freq, scalar};

pub(in crate::simd) const KERNELS: Kernels = Kernels {
    lane_sums,
    score,
    bounds,
    // Without a compressing store the branchless loop of the scalar code is as good.
    keep_above: scalar::keep_above,
    keep_between: scalar::keep_between,
    sums_above,
    expand: scalar::expand,
    find,
    find_each,
    among,
    count_below,
    rank,
    first_gap,
};

fn lane_sums(base: u32, plus: u32, values: &mut [u32; 128]) {
    // SAFETY: `available()` hands out this table only after detecting AVX2, and nothing else can.
    unsafe { lane_sums_avx2(base, plus, values) }
}

#[target_feature(enable = "avx2")]
fn lane_sums_avx2(base: u32, plus: u32, values: &mut [u32; 128]) {
    let zero = _mm256_setzero_si256();
    let plus = _mm256_set1_epi32(plus as i32);
    let mut totals = [0u32; 16];
    for half in 0..2 {
        let mut sum = zero;
        for row in 0..8 {
            let lanes = &mut values[row * 16 + half * 8..][..8];
            // SAFETY: `lanes` has 8 integers of 4 bytes.
            unsafe {
                let gaps = _mm256_loadu_si256(lanes.as_ptr().cast());
                sum = _mm256_add_epi32(sum, _mm256_add_epi32(gaps, plus));
                _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum);
            }
        }
        // SAFETY: half of `totals` is 8 integers of 4 bytes.
        unsafe { _mm256_storeu_si256(totals.as_mut_ptr().add(half * 8).cast(), sum) };
    }
    let mut before = base;
    for total in &mut totals {
        let sum = before.wrapping_add(*total);
        *total = before;
        before = sum;
    }
    for half in 0..2 {
        // SAFETY: as above.
        let before = unsafe { _mm256_loadu_si256(totals.as_ptr().add(half * 8).cast()) };
        for row in 0..8 {
            let lanes = &mut values[row * 16 + half * 8..][..8];
            // SAFETY: as above.
            unsafe {
                let sum = _mm256_loadu_si256(lanes.as_ptr().cast());
                _mm256_storeu_si256(lanes.as_mut_ptr().cast(), _mm256_add_epi32(sum, before));
            }
        }
    }
}

fn score(docs: &[u32], freqs: &[u32], norms: &[u8], weights: Weights<'_>, out: &mut [f32]) {
    // SAFETY: as in `lane_sums`.
    unsafe { score_avx2(docs, freqs, norms, weights, out) }
}

#[target_feature(enable = "avx2")]
fn score_avx2(docs: &[u32], freqs: &[u32], norms: &[u8], weights: Weights<'_>, out: &mut [f32]) {
    let weight = _mm256_set1_ps(weights.weight);
    let one = _mm256_set1_ps(1.0);
    let len = docs.len().min(freqs.len()).min(out.len());
    let whole = len / 8 * 8;
    for start in (0..whole).step_by(8) {
        let mut inverse = [weights.inverse[1]; 8];
        if !norms.is_empty() {
            for (slot, doc) in inverse.iter_mut().zip(&docs[start..start + 8]) {
                *slot = weights.inverse[usize::from(norms[*doc as usize])];
            }
        }
        let mut tf = [0.0f32; 8];
        for (slot, freq) in tf.iter_mut().zip(&freqs[start..start + 8]) {
            *slot = *freq as f32;
        }
        // SAFETY: both arrays have 8 numbers, and `start + 8 <= out.len()`.
        unsafe {
            let inverse = _mm256_loadu_ps(inverse.as_ptr());
            let part = _mm256_add_ps(one, _mm256_mul_ps(_mm256_loadu_ps(tf.as_ptr()), inverse));
            let score = _mm256_sub_ps(weight, _mm256_div_ps(weight, part));
            _mm256_storeu_ps(out.as_mut_ptr().add(start), score);
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
    unsafe { bounds_avx2(impacts, weights, out) }
}

#[target_feature(enable = "avx2")]
fn bounds_avx2(impacts: ImpactRows<'_>, weights: Weights<'_>, out: &mut [f32]) {
    let weight = _mm256_set1_ps(weights.weight);
    let one = _mm256_set1_ps(1.0);
    let whole = out.len() / 8 * 8;
    for start in (0..whole).step_by(8) {
        let mut greatest = _mm256_setzero_ps();
        for (freqs, norms) in impacts.freqs.iter().zip(&impacts.norms) {
            let (freqs, norms) = (&freqs[start..start + 8], &norms[start..start + 8]);
            let (mut freq, mut inverse) = ([0.0f32; 8], [0.0f32; 8]);
            for lane in 0..8 {
                freq[lane] = bounding_freq(freqs[lane]);
                inverse[lane] = weights.inverse[usize::from(norms[lane])];
            }
            // SAFETY: both arrays have 8 numbers.
            let product = unsafe {
                _mm256_mul_ps(
                    _mm256_loadu_ps(freq.as_ptr()),
                    _mm256_loadu_ps(inverse.as_ptr()),
                )
            };
            // In this order a product that is no number, as of no document, is passed over.
            greatest = _mm256_max_ps(product, greatest);
        }
        let bound = _mm256_sub_ps(weight, _mm256_div_ps(weight, _mm256_add_ps(one, greatest)));
        // SAFETY: `start + 8 <= out.len()`.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr().add(start), bound) };
    }
    let rest = ImpactRows {
        freqs: impacts.freqs.map(|column| &column[whole..]),
        norms: impacts.norms.map(|column| &column[whole..]),
    };
    scalar::bounds(rest, weights, &mut out[whole..]);
}

fn sums_above(
    sums: &mut [f64],
    bits: &mut [u64],
    floor: f64,
    docs: &mut Vec<u32>,
    kept: &mut Vec<f64>,
) {
    // SAFETY: as in `lane_sums`.
    unsafe { sums_above_avx2(sums, bits, floor, docs, kept) }
}

#[target_feature(enable = "avx2,bmi1")]
fn sums_above_avx2(
    sums: &mut [f64],
    bits: &mut [u64],
    floor: f64,
    docs: &mut Vec<u32>,
    kept: &mut Vec<f64>,
) {
    let least = _mm256_set1_pd(floor);
    for (index, word) in bits.iter_mut().enumerate() {
        if *word == 0 {
            continue;
        }
        let part = &mut sums[index * 64..index * 64 + 64];
        if word.count_ones() <= FEW {
            scalar::sums_of_word(index, word, part, floor, docs, kept);
            continue;
        }
        let mut above = 0u64;
        for (group, lanes) in part.chunks_exact(4).enumerate() {
            // SAFETY: `lanes` has 4 numbers of 8 bytes.
            let lanes = unsafe { _mm256_loadu_pd(lanes.as_ptr()) };
            let mask = _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_GT_OQ>(lanes, least));
            above |= (mask as u64) << (group * 4);
        }
        *word &= above;
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

fn find(docs: &[u32; 128], target: u32) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { find_avx2(docs, target) }
}

#[target_feature(enable = "avx2")]
fn find_avx2(docs: &[u32; 128], target: u32) -> usize {
    let wanted = _mm256_set1_epi32(target as i32);
    for (group, lanes) in docs.chunks_exact(8).enumerate() {
        // SAFETY: `lanes` has 8 integers of 4 bytes.
        let lanes = unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) };
        let equal = _mm256_castsi256_ps(_mm256_cmpeq_epi32(lanes, wanted));
        let mask = _mm256_movemask_ps(equal) as u32;
        if mask != 0 {
            return group * 8 + mask.trailing_zeros() as usize;
        }
    }
    128
}

fn find_each(docs: &[u32; 128], wanted: &[u32], slots: &mut [u8]) {
    // SAFETY: as in `lane_sums`.
    unsafe { find_each_avx2(docs, wanted, slots) }
}

#[target_feature(enable = "avx2")]
fn find_each_avx2(docs: &[u32; 128], wanted: &[u32], slots: &mut [u8]) {
    for (target, slot) in wanted.iter().zip(slots) {
        *slot = find_avx2(docs, *target) as u8;
    }
}

fn among(docs: &[u32; 128], base: u32, bits: &StretchBits) -> u128 {
    // SAFETY: as in `lane_sums`.
    unsafe { among_avx2(docs, base, bits) }
}

#[target_feature(enable = "avx2")]
fn among_avx2(docs: &[u32; 128], base: u32, bits: &StretchBits) -> u128 {
    let base = _mm256_set1_epi32(base as i32);
    let last = _mm256_set1_epi32(STRETCH_DOCS as i32 - 1);
    let words = bits.as_ptr().cast::<i32>();
    let mut among = 0;
    for (group, lanes) in docs.chunks_exact(8).enumerate() {
        // SAFETY: `lanes` has 8 integers of 4 bytes; only words below `STRETCH_DOCS / 32` are read, which is where `bits`
        // end.
        let found = unsafe {
            let offset = _mm256_sub_epi32(_mm256_loadu_si256(lanes.as_ptr().cast()), base);
            let inside = _mm256_cmpeq_epi32(_mm256_min_epu32(offset, last), offset);
            let place = _mm256_srli_epi32::<5>(offset);
            let word =
                _mm256_mask_i32gather_epi32::<4>(_mm256_setzero_si256(), words, place, inside);
            // The bit of each document comes to the top, where the mask is taken from.
            let bit = _mm256_and_si256(offset, _mm256_set1_epi32(31));
            let up = _mm256_sub_epi32(_mm256_set1_epi32(31), bit);
            _mm256_sllv_epi32(word, up)
        };
        let mask = _mm256_movemask_ps(_mm256_castsi256_ps(found)) as u32;
        among |= u128::from(mask) << (group * 8);
    }
    among
}

fn count_below(docs: &[u32; 128], target: u32) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { count_below_avx2(docs, target) }
}

#[target_feature(enable = "avx2")]
fn count_below_avx2(docs: &[u32; 128], target: u32) -> usize {
    docs.iter().map(|doc| usize::from(*doc < target)).sum()
}

fn rank(words: &[u64; 8], place: usize) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { rank_avx2(words, place) }
}

/// The scalar code with an instruction that counts bits.
#[target_feature(enable = "popcnt")]
fn rank_avx2(words: &[u64; 8], place: usize) -> usize {
    scalar::rank(words, place)
}

fn first_gap(flags: u128, rank: usize, lasts: &[u8]) -> usize {
    // SAFETY: as in `lane_sums`.
    unsafe { first_gap_avx2(flags, rank, lasts) }
}

/// Likewise.
#[target_feature(enable = "popcnt")]
fn first_gap_avx2(flags: u128, rank: usize, lasts: &[u8]) -> usize {
    scalar::first_gap(flags, rank, lasts)
}
