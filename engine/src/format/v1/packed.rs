//! # Packed integers
//! `n` integers of the same width without gaps, lowest bits first, little-endian, followed by 8 zero bytes so that
//! every value can be read with one load. Widths are 0 (nothing is stored, all are zero), 1 to 56, and 64.
//!
//! Worked example: 3, 1, 5 in 3 bits each are `4b 01`, then 8 zeros.

use crate::format::bytes::u64_at;

/// Zero bytes after the last value.
const PADDING: u64 = 8;

/// The width for values up to `max`.
pub(crate) fn width_of(max: u64) -> u32 {
    match 64 - max.leading_zeros() {
        57.. => 64,
        bits => bits,
    }
}

/// Length of `count` values, padding included; `None` for a width that does not exist.
pub(crate) fn packed_len(count: u64, width: u32) -> Option<u64> {
    match width {
        0 => Some(0),
        1..=56 | 64 => Some(count.checked_mul(u64::from(width))?.div_ceil(8) + PADDING),
        _ => None,
    }
}

/// Appends values, each below `2^width`.
pub(crate) fn pack(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let mut pending = 0u128;
    let mut bits = 0;
    for value in values {
        pending |= u128::from(value) << bits;
        bits += width;
        while bits >= 8 {
            out.push(pending as u8);
            pending >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        out.push(pending as u8);
    }
    out.extend_from_slice(&[0; PADDING as usize]);
}

/// The value at `index`; 0 where the bytes end.
#[inline]
pub(crate) fn get(packed: &[u8], width: u32, index: usize) -> u64 {
    match width {
        0 => 0,
        64 => u64_at(packed, index).unwrap_or(0),
        _ => {
            let bit = index * width as usize;
            let word = packed.get(bit / 8..bit / 8 + 8);
            let word = word.and_then(|bytes| u64_at(bytes, 0)).unwrap_or(0);
            (word >> (bit % 8)) & (u64::MAX >> (64 - width))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_page() {
        let mut out = Vec::new();
        pack([3, 1, 5].into_iter(), 3, &mut out);
        assert_eq!(out[..2], [0x4b, 0x01]);
        assert_eq!(out[2..], [0; 8]);
    }

    proptest! {
        #[test]
        fn values_come_back(values: Vec<u64>, shift in 0u32..64) {
            let values: Vec<u64> = values.iter().map(|value| value >> shift).collect();
            let width = width_of(values.iter().copied().max().unwrap_or(0));
            let mut packed = Vec::new();
            pack(values.iter().copied(), width, &mut packed);
            prop_assert_eq!(Some(packed.len() as u64), packed_len(values.len() as u64, width));
            for (index, value) in values.iter().enumerate() {
                prop_assert_eq!(get(&packed, width, index), *value);
            }
        }
    }
}
