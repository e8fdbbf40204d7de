//! Kernels for AVX2: 8 lanes of 32 bits.

#![allow(unsafe_code)] // intrinsics: each use says why it is sound

use std::arch::x86_64::*;

use super::lanes::{LANE_WIDTH_MAX, LAYOUTS, padded, reach};
use super::{Kernels, scalar, text};

pub(super) const KERNELS: Kernels = Kernels {
    name: "avx2",
    unpack,
    prefix_sum,
    and,
    or,
    and_not,
    count,
    count_without,
    scoring: super::scoring::avx2::KERNELS,
    word_bits: text::avx2,
    space_bits: text::avx2_spaces,
};

fn unpack(bits: u32, packed: &[u8], out: &mut [u32; 128]) {
    if bits == 0 || bits > LANE_WIDTH_MAX {
        return scalar::unpack(bits, packed, out);
    }
    let padding;
    let bytes = if packed.len() >= reach(bits) {
        packed
    } else {
        padding = padded(bits, packed);
        &padding
    };
    // SAFETY: `available()` hands out this table only after detecting AVX2, and nothing else can;
    // `bytes` has at least `reach(bits)` bytes: PADDED is the reach of the widest block and more.
    unsafe { unpack_avx2(bits, bytes, out) }
}

/// # Safety
/// Needs AVX2; `bits` is from 1 to [`LANE_WIDTH_MAX`], `bytes` at least `reach(bits)` long.
#[target_feature(enable = "avx2")]
unsafe fn unpack_avx2(bits: u32, bytes: &[u8], out: &mut [u32; 128]) {
    let layout = &LAYOUTS[bits as usize];
    // SAFETY: both arrays are 32 bytes long.
    let (shuffle, shift) = unsafe {
        (
            _mm256_loadu_si256(layout.shuffle.as_ptr().cast()),
            _mm256_loadu_si256(layout.shift.as_ptr().cast()),
        )
    };
    let mask = _mm256_set1_epi32((u32::MAX >> (32 - bits)) as i32);
    for (group, values) in out.chunks_exact_mut(8).enumerate() {
        let start = group * bits as usize;
        // SAFETY: the last load starts at `15 * bits + bits / 2`, and 16 bytes from there are inside of the reach.
        let (low, high) = unsafe {
            let at = bytes.as_ptr().add(start);
            (
                _mm_loadu_si128(at.cast()),
                _mm_loadu_si128(at.add(layout.second).cast()),
            )
        };
        let lanes = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), shuffle);
        let lanes = _mm256_and_si256(_mm256_srlv_epi32(lanes, shift), mask);
        // SAFETY: `values` has 8 integers of 4 bytes.
        unsafe { _mm256_storeu_si256(values.as_mut_ptr().cast(), lanes) };
    }
}

fn prefix_sum(base: u32, gaps: &mut [u32; 128]) {
    // SAFETY: `available()` hands out this table only after detecting AVX2, and nothing else can.
    unsafe { prefix_sum_avx2(base, gaps) }
}

#[target_feature(enable = "avx2")]
fn prefix_sum_avx2(base: u32, gaps: &mut [u32; 128]) {
    let one = _mm256_set1_epi32(1);
    let last = _mm256_set1_epi32(7);
    let mut before = _mm256_set1_epi32(base as i32);
    for group in gaps.chunks_exact_mut(8) {
        // SAFETY: `group` has 8 integers of 4 bytes.
        let values = unsafe { _mm256_loadu_si256(group.as_ptr().cast()) };
        let mut sums = _mm256_add_epi32(values, one);
        sums = _mm256_add_epi32(sums, _mm256_slli_si256::<4>(sums));
        sums = _mm256_add_epi32(sums, _mm256_slli_si256::<8>(sums));
        // The upper half lacks the sum of the lower one, which is its last lane.
        let low_total = _mm256_permutevar8x32_epi32(sums, _mm256_set1_epi32(3));
        let carry = _mm256_blend_epi32::<0b1111_0000>(_mm256_setzero_si256(), low_total);
        sums = _mm256_add_epi32(_mm256_add_epi32(sums, carry), before);
        before = _mm256_permutevar8x32_epi32(sums, last);
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(group.as_mut_ptr().cast(), sums) };
    }
}

fn and(into: &mut [u64; 64], other: &[u64; 64]) {
    // SAFETY: `available()` hands out this table only after detecting AVX2, and nothing else can.
    unsafe { and_avx2(into, other) }
}

fn or(into: &mut [u64; 64], other: &[u64; 64]) {
    // SAFETY: as in `and`.
    unsafe { or_avx2(into, other) }
}

fn and_not(into: &mut [u64; 64], other: &[u64; 64]) {
    // SAFETY: as in `and`.
    unsafe { and_not_avx2(into, other) }
}

fn count(words: &[u64; 64]) -> u32 {
    // SAFETY: as in `and`; POPCNT is detected together with AVX2.
    unsafe { count_popcnt(words) }
}

fn count_without(words: &[u64; 64], other: &[u64; 64]) -> u32 {
    // SAFETY: as in `count`.
    unsafe { count_without_popcnt(words, other) }
}

// Word-wise loops: the compiler turns them into the vectors that the attribute allows.

#[target_feature(enable = "avx2")]
fn and_avx2(into: &mut [u64; 64], other: &[u64; 64]) {
    for (word, other) in into.iter_mut().zip(other) {
        *word &= other;
    }
}

#[target_feature(enable = "avx2")]
fn or_avx2(into: &mut [u64; 64], other: &[u64; 64]) {
    for (word, other) in into.iter_mut().zip(other) {
        *word |= other;
    }
}

#[target_feature(enable = "avx2")]
fn and_not_avx2(into: &mut [u64; 64], other: &[u64; 64]) {
    for (word, other) in into.iter_mut().zip(other) {
        *word &= !other;
    }
}

#[target_feature(enable = "avx2,popcnt")]
fn count_popcnt(words: &[u64; 64]) -> u32 {
    words.iter().map(|word| word.count_ones()).sum()
}

#[target_feature(enable = "avx2,popcnt")]
fn count_without_popcnt(words: &[u64; 64], other: &[u64; 64]) -> u32 {
    let mut total = 0;
    for (word, other) in words.iter().zip(other) {
        total += (word & !other).count_ones();
    }
    total
}
