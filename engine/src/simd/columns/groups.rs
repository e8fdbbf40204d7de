//! Packed integers in groups, each of which begins at a whole byte: what the vectors of every instruction set read.

use super::{Packed, ROWS};

/// Bytes from the start of a group that a load may touch.
pub(super) const REACH: usize = 64;

/// Calls back with the start of every group's bytes; from each at least [`REACH`] bytes can be read, and those behind
/// the packed ones are zeros.
#[inline(always)]
pub(super) fn for_each_group(
    packed: Packed<'_>,
    group_len: usize,
    mut each: impl FnMut(usize, &[u8; REACH]),
) {
    let group_bytes = group_len * packed.width as usize / 8;
    let groups = packed.count.min(ROWS).div_ceil(group_len);
    let mut group = 0;
    while group < groups {
        let start = group * group_bytes;
        let Some(bytes) = packed.bytes.get(start..start + REACH) else {
            break;
        };
        each(group, bytes.try_into().expect("as long as asked for"));
        group += 1;
    }
    let start = group * group_bytes;
    let rest = packed.bytes.get(start..).unwrap_or_default();
    let mut padded = [0; 2 * REACH];
    // where the loop above saw all groups, the rest may be long, and nobody reads it
    let len = rest.len().min(REACH);
    padded[..len].copy_from_slice(&rest[..len]);
    for next in group..groups {
        let at = (next * group_bytes - start).min(REACH);
        let bytes = padded[at..at + REACH].try_into();
        each(next, bytes.expect("as long as asked for"));
    }
}

/// Clears the bits from `count` on.
#[inline(always)]
pub(super) fn clear_from(bits: &mut [u64; 64], count: usize) {
    if count < ROWS {
        bits[count / 64] &= (1 << (count % 64)) - 1;
        bits[count / 64 + 1..].fill(0);
    }
}

/// How 8 integers of one width lie in 8 lanes of 64 bits, by pairs: each pair comes from 16 bytes.
pub(super) struct WideLayout {
    /// For each byte of the 8 lanes, which byte of its 16 it is.
    pub shuffle: [u8; 64],
    /// For each lane, how far its integer is from the lowest bit.
    pub shift: [u64; 8],
    /// Where the 16 bytes of each pair begin: at most 42 bytes from the start.
    pub starts: [usize; 4],
}

impl WideLayout {
    /// Of 1 to 56 bits.
    pub fn of(width: u32) -> WideLayout {
        let width = width as usize;
        let starts = [0, 2 * width / 8, 4 * width / 8, 6 * width / 8];
        let (mut shuffle, mut shift) = ([0; 64], [0; 8]);
        for lane in 0..8 {
            let first = lane * width / 8 - starts[lane / 2];
            shift[lane] = (lane * width % 8) as u64;
            for byte in 0..8 {
                shuffle[lane * 8 + byte] = (first + byte) as u8;
            }
        }
        WideLayout {
            shuffle,
            shift,
            starts,
        }
    }
}
