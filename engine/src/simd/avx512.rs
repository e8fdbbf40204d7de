//! Kernels for AVX-512: 16 lanes of 32 bits.

#![allow(unsafe_code)] // intrinsics: each use says why it is sound

use std::arch::x86_64::*;

use super::lanes::{LANE_WIDTH_MAX, LAYOUTS, padded, reach};
use super::{Kernels, scalar, text};

pub(super) const KERNELS: Kernels = Kernels {
    name: "avx512",
    unpack,
    prefix_sum,
    and,
    or,
    and_not,
    count,
    count_without,
    scoring: super::scoring::avx512::KERNELS,
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
    // SAFETY: `available()` hands out this table only after detecting AVX-512 F, BW and VPOPCNTDQ, and nothing else can;
    // `bytes` has at least `reach(bits)` bytes: PADDED is the reach of the widest block and more.
    unsafe { unpack_avx512(bits, bytes, out) }
}

/// # Safety
/// Needs AVX-512 F and BW; `bits` is from 1 to [`LANE_WIDTH_MAX`], `bytes` at least `reach(bits)` long.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn unpack_avx512(bits: u32, bytes: &[u8], out: &mut [u32; 128]) {
    let layout = &LAYOUTS[bits as usize];
    // SAFETY: both arrays are 32 bytes long.
    let (shuffle, shift) = unsafe {
        (
            _mm256_loadu_si256(layout.shuffle.as_ptr().cast()),
            _mm256_loadu_si256(layout.shift.as_ptr().cast()),
        )
    };
    // Two groups of 8 values side by side, laid out alike.
    let shuffle = _mm512_broadcast_i64x4(shuffle);
    let shift = _mm512_broadcast_i64x4(shift);
    let mask = _mm512_set1_epi32((u32::MAX >> (32 - bits)) as i32);
    let mut pair = 0;
    // Plain indexes: iterators are not always inlined where other instructions are enabled.
    while pair < 8 {
        let start = 2 * pair * bits as usize;
        let next = bits as usize;
        // SAFETY: the last load starts at `15 * bits + bits / 2`, and 16 bytes from there are inside of the reach.
        let parts = unsafe {
            let at = bytes.as_ptr().add(start);
            [
                _mm_loadu_si128(at.cast()),
                _mm_loadu_si128(at.add(layout.second).cast()),
                _mm_loadu_si128(at.add(next).cast()),
                _mm_loadu_si128(at.add(next + layout.second).cast()),
            ]
        };
        let mut lanes = _mm512_castsi128_si512(parts[0]);
        lanes = _mm512_inserti32x4::<1>(lanes, parts[1]);
        lanes = _mm512_inserti32x4::<2>(lanes, parts[2]);
        lanes = _mm512_inserti32x4::<3>(lanes, parts[3]);
        lanes = _mm512_shuffle_epi8(lanes, shuffle);
        lanes = _mm512_and_si512(_mm512_srlv_epi32(lanes, shift), mask);
        // SAFETY: `out` has 8 groups of 16 integers of 4 bytes.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(pair * 16).cast(), lanes) };
        pair += 1;
    }
}

fn prefix_sum(base: u32, gaps: &mut [u32; 128]) {
    // SAFETY: as in `unpack`.
    unsafe { prefix_sum_avx512(base, gaps) }
}

#[target_feature(enable = "avx512f")]
fn prefix_sum_avx512(base: u32, gaps: &mut [u32; 128]) {
    let one = _mm512_set1_epi32(1);
    let zero = _mm512_setzero_si512();
    let last = _mm512_set1_epi32(15);
    let mut before = _mm512_set1_epi32(base as i32);
    let mut group = 0;
    while group < 8 {
        // SAFETY: `gaps` has 8 groups of 16 integers of 4 bytes.
        let values = unsafe { _mm512_loadu_si512(gaps.as_ptr().add(group * 16).cast()) };
        let mut sums = _mm512_add_epi32(values, one);
        // Each step adds the lanes 1, 2, 4, 8 places below.
        sums = _mm512_add_epi32(sums, _mm512_alignr_epi32::<15>(sums, zero));
        sums = _mm512_add_epi32(sums, _mm512_alignr_epi32::<14>(sums, zero));
        sums = _mm512_add_epi32(sums, _mm512_alignr_epi32::<12>(sums, zero));
        sums = _mm512_add_epi32(sums, _mm512_alignr_epi32::<8>(sums, zero));
        sums = _mm512_add_epi32(sums, before);
        before = _mm512_permutexvar_epi32(last, sums);
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(gaps.as_mut_ptr().add(group * 16).cast(), sums) };
        group += 1;
    }
}

fn and(into: &mut [u64; 64], other: &[u64; 64]) {
    // SAFETY: as in `unpack`.
    unsafe { and_avx512(into, other) }
}

fn or(into: &mut [u64; 64], other: &[u64; 64]) {
    // SAFETY: as in `unpack`.
    unsafe { or_avx512(into, other) }
}

fn and_not(into: &mut [u64; 64], other: &[u64; 64]) {
    // SAFETY: as in `unpack`.
    unsafe { and_not_avx512(into, other) }
}

fn count(words: &[u64; 64]) -> u32 {
    // SAFETY: as in `unpack`.
    unsafe { count_avx512(words) }
}

fn count_without(words: &[u64; 64], other: &[u64; 64]) -> u32 {
    // SAFETY: as in `unpack`.
    unsafe { count_without_avx512(words, other) }
}

// Word-wise loops: the compiler turns them into the vectors that the attribute allows.

#[target_feature(enable = "avx512f")]
fn and_avx512(into: &mut [u64; 64], other: &[u64; 64]) {
    for (word, other) in into.iter_mut().zip(other) {
        *word &= other;
    }
}

#[target_feature(enable = "avx512f")]
fn or_avx512(into: &mut [u64; 64], other: &[u64; 64]) {
    for (word, other) in into.iter_mut().zip(other) {
        *word |= other;
    }
}

#[target_feature(enable = "avx512f")]
fn and_not_avx512(into: &mut [u64; 64], other: &[u64; 64]) {
    for (word, other) in into.iter_mut().zip(other) {
        *word &= !other;
    }
}

#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn count_avx512(words: &[u64; 64]) -> u32 {
    let mut total = _mm512_setzero_si512();
    for group in words.chunks_exact(8) {
        // SAFETY: `group` has 8 integers of 8 bytes.
        let lanes = unsafe { _mm512_loadu_si512(group.as_ptr().cast()) };
        total = _mm512_add_epi64(total, _mm512_popcnt_epi64(lanes));
    }
    _mm512_reduce_add_epi64(total) as u32
}

#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn count_without_avx512(words: &[u64; 64], other: &[u64; 64]) -> u32 {
    let mut total = _mm512_setzero_si512();
    let mut group = 0;
    while group < 64 {
        // SAFETY: both have 8 groups of 8 integers of 8 bytes.
        let (lanes, other) = unsafe {
            (
                _mm512_loadu_si512(words.as_ptr().add(group).cast()),
                _mm512_loadu_si512(other.as_ptr().add(group).cast()),
            )
        };
        let left = _mm512_andnot_si512(other, lanes);
        total = _mm512_add_epi64(total, _mm512_popcnt_epi64(left));
        group += 8;
    }
    _mm512_reduce_add_epi64(total) as u32
}
