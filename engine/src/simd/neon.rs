//! Kernels for NEON: 4 lanes of 32 bits.
//!
//! Every 64-bit ARM has NEON, so that the compiler already uses it for the plain loops of the scalar rows. Written by hand is
//! only what it does not find.

#![allow(unsafe_code)] // intrinsics: each use says why it is sound

use std::arch::aarch64::*;

use super::lanes::{LANE_WIDTH_MAX, LAYOUTS, padded, reach};
use super::{Kernels, scalar, text};

pub(super) const KERNELS: Kernels = Kernels {
    name: "neon",
    unpack,
    prefix_sum,
    // The compiler's vectors: one operation for each 16 bytes, which is all there is to do.
    and: scalar::and,
    or: scalar::or,
    and_not: scalar::and_not,
    count,
    count_without: scalar::count_without,
    scoring: super::scoring::neon::KERNELS,
    word_bits: text::neon,
    space_bits: text::neon_spaces,
};

/// For each byte, the places of its bits, ascending; zeros behind them.
pub(super) static PLACES: [[u8; 8]; 256] = {
    let mut places = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut count) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                places[byte][count] = bit;
                count += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
};

/// One bit for each byte of 64, which are all ones or all zeros; the first byte is the lowest bit.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn bits_of(bytes: [uint8x16_t; 4]) -> u64 {
    let weight = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
    let [a, b, c, d] = bytes.map(|bytes| vandq_u8(bytes, weight));
    // Each step adds neighbours; after three of them a byte has the bits of eight.
    let sums = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(sums, sums)))
}

/// Writes the places of the bits of a byte, plus `base`, over 8 integers: those behind the last place are `base`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn write_places(byte: u8, base: u32, out: &mut [u32; 8]) {
    // SAFETY: an entry has 8 bytes, `out` 8 integers of 4 bytes.
    unsafe {
        let places = vmovl_u8(vld1_u8(PLACES[usize::from(byte)].as_ptr()));
        let base = vdupq_n_u32(base);
        let low = vaddw_u16(base, vget_low_u16(places));
        let high = vaddw_high_u16(base, places);
        vst1q_u32(out.as_mut_ptr(), low);
        vst1q_u32(out.as_mut_ptr().add(4), high);
    }
}

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
    // SAFETY: `available()` hands out this table only after detecting NEON, and nothing else can;
    // `bytes` has at least `reach(bits)` bytes: PADDED is the reach of the widest block and more.
    unsafe { unpack_neon(bits, bytes, out) }
}

/// # Safety
/// Needs NEON; `bits` is from 1 to [`LANE_WIDTH_MAX`], `bytes` at least `reach(bits)` long.
#[target_feature(enable = "neon")]
unsafe fn unpack_neon(bits: u32, bytes: &[u8], out: &mut [u32; 128]) {
    let layout = &LAYOUTS[bits as usize];
    // SAFETY: a half of either array is 16 bytes long.
    let (shuffle, shift) = unsafe {
        (
            [0, 16].map(|at| vld1q_u8(layout.shuffle.as_ptr().add(at))),
            [0, 4].map(|at| vld1q_u32(layout.shift.as_ptr().add(at))),
        )
    };
    // A shift to the left by less than nothing is one to the right.
    let shift = shift.map(|shift| vnegq_s32(vreinterpretq_s32_u32(shift)));
    let mask = vdupq_n_u32(u32::MAX >> (32 - bits));
    for (group, values) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let start = group * bits as usize;
        for (half, offset) in [0, layout.second].into_iter().enumerate() {
            // SAFETY: the last load starts at `15 * bits + bits / 2`, and 16 bytes from there are inside of the reach;
            // `values` has twice 4 integers of 4 bytes.
            unsafe {
                let lanes = vqtbl1q_u8(vld1q_u8(bytes.as_ptr().add(start + offset)), shuffle[half]);
                let lanes = vshlq_u32(vreinterpretq_u32_u8(lanes), shift[half]);
                let at = values.as_mut_ptr().add(4 * half);
                vst1q_u32(at, vandq_u32(lanes, mask));
            }
        }
    }
}

fn prefix_sum(base: u32, gaps: &mut [u32; 128]) {
    // SAFETY: as in `unpack`.
    unsafe { prefix_sum_neon(base, gaps) }
}

#[target_feature(enable = "neon")]
fn prefix_sum_neon(base: u32, gaps: &mut [u32; 128]) {
    let one = vdupq_n_u32(1);
    let zero = vdupq_n_u32(0);
    let mut before = vdupq_n_u32(base);
    for group in gaps.chunks_exact_mut(4) {
        // SAFETY: `group` has 4 integers of 4 bytes.
        let values = unsafe { vld1q_u32(group.as_ptr()) };
        let mut sums = vaddq_u32(values, one);
        sums = vaddq_u32(sums, vextq_u32::<3>(zero, sums));
        sums = vaddq_u32(sums, vextq_u32::<2>(zero, sums));
        sums = vaddq_u32(sums, before);
        before = vdupq_laneq_u32::<3>(sums);
        // SAFETY: as above.
        unsafe { vst1q_u32(group.as_mut_ptr(), sums) };
    }
}

fn count(words: &[u64; 64]) -> u32 {
    // SAFETY: as in `unpack`.
    unsafe { count_neon(words) }
}

#[target_feature(enable = "neon")]
fn count_neon(words: &[u64; 64]) -> u32 {
    let mut total = 0;
    for half in words.as_chunks::<32>().0 {
        // 16 vectors add at most 8 each to a byte: 128.
        let mut counts = vdupq_n_u8(0);
        for pair in half.as_chunks::<2>().0 {
            // SAFETY: `pair` has 2 integers of 8 bytes.
            let lanes = unsafe { vld1q_u64(pair.as_ptr()) };
            counts = vaddq_u8(counts, vcntq_u8(vreinterpretq_u8_u64(lanes)));
        }
        total += u32::from(vaddlvq_u8(counts));
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_bits() {
        assert_eq!(PLACES[0b1010_0110], [1, 2, 5, 7, 0, 0, 0, 0]);
        assert_eq!(PLACES[255], [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
