//! The kernels in plain Rust: what every other row must agree with, and what runs on every CPU.

use super::{Kernels, text};

pub(super) const KERNELS: Kernels = Kernels {
    name: "scalar",
    unpack,
    prefix_sum,
    and,
    or,
    and_not,
    count,
    count_without,
    scoring: super::scoring::scalar::KERNELS,
    word_bits: text::scalar,
    space_bits: text::scalar_spaces,
};

pub(super) fn unpack(bits: u32, packed: &[u8], out: &mut [u32; 128]) {
    if bits == 0 {
        out.fill(0);
        return;
    }
    let bits = bits.min(32);
    let mask = (1u64 << bits) - 1;
    let mut pending = 0u64;
    let mut pending_bits = 0;
    let packed = &packed[..packed.len().min(16 * bits as usize)];
    let mut words = packed.chunks(4);
    for value in out.iter_mut() {
        if pending_bits < bits {
            let mut word = [0; 4];
            if let Some(chunk) = words.next() {
                word[..chunk.len()].copy_from_slice(chunk);
            }
            pending |= u64::from(u32::from_le_bytes(word)) << pending_bits;
            pending_bits += 32;
        }
        *value = (pending & mask) as u32;
        pending >>= bits;
        pending_bits -= bits;
    }
}

pub(super) fn prefix_sum(base: u32, gaps: &mut [u32; 128]) {
    let mut doc = base;
    for gap in gaps.iter_mut() {
        doc = doc.wrapping_add(*gap).wrapping_add(1);
        *gap = doc;
    }
}

pub(super) fn and(into: &mut [u64; 64], other: &[u64; 64]) {
    for (word, other) in into.iter_mut().zip(other) {
        *word &= other;
    }
}

pub(super) fn or(into: &mut [u64; 64], other: &[u64; 64]) {
    for (word, other) in into.iter_mut().zip(other) {
        *word |= other;
    }
}

pub(super) fn and_not(into: &mut [u64; 64], other: &[u64; 64]) {
    for (word, other) in into.iter_mut().zip(other) {
        *word &= !other;
    }
}

pub(super) fn count(words: &[u64; 64]) -> u32 {
    words.iter().map(|word| word.count_ones()).sum()
}

pub(super) fn count_without(words: &[u64; 64], other: &[u64; 64]) -> u32 {
    let left = words.iter().zip(other).map(|(word, other)| word & !other);
    left.map(u64::count_ones).sum()
}
