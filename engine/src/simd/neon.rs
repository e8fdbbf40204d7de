//! Kernels for NEON: 4 lanes of 32 bits.

#![allow(unsafe_code)]

use std::arch::aarch64::*;

use super::{Kernels, scalar, text};

pub(super) const KERNELS: Kernels = Kernels {
    name: "neon",
    // Lanes of 128 bits gain nothing over scalar code for values that cross them.
    unpack: scalar::unpack,
    prefix_sum,
    and: scalar::and,
    or: scalar::or,
    and_not: scalar::and_not,
    count: scalar::count,
    scoring: super::scoring::scalar::KERNELS,
    word_bits: text::scalar,
    space_bits: text::scalar_spaces,
};

fn prefix_sum(base: u32, gaps: &mut [u32; 128]) {
    // SAFETY: `available()` hands out this table only after detecting NEON, and nothing else can.
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
