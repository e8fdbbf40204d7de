//! Up to 128 integers of one width, lowest bits first, without gaps; and the same with exceptions.

use crate::format::bytes::{ByteReader, Malformed, put_varint};
use crate::simd;

/// Integers of a full group.
pub(in crate::format) const GROUP: usize = 128;
/// Widest freqs that are packed; the rest of wider ones goes into exceptions.
const PATCHED_WIDTH_MAX: u32 = 15;

/// The least width that holds every value.
pub(in crate::format) fn width_of(values: &[u32]) -> u32 {
    32 - values
        .iter()
        .fold(0, |all, value| all | value)
        .leading_zeros()
}

/// Bytes of `count` integers of `width` bits.
pub(in crate::format) const fn packed_len(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// Appends integers; bits above `width` are cut off.
pub(in crate::format) fn pack(values: impl Iterator<Item = u32>, width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let mask = u64::from(u32::MAX >> (32 - width));
    let mut pending = 0u64;
    let mut bits = 0;
    for value in values {
        pending |= (u64::from(value) & mask) << bits;
        bits += width;
        if bits >= 32 {
            out.extend_from_slice(&(pending as u32).to_le_bytes());
            pending >>= 32;
            bits -= 32;
        }
    }
    while bits > 0 {
        out.push(pending as u8);
        pending >>= 8;
        bits = bits.saturating_sub(8);
    }
}

/// Reads `count` integers into the front of `out`, whose rest is overwritten with anything; answers how many bytes they
/// take. `bytes` may reach further, which is faster.
pub(in crate::format) fn unpack(
    bytes: &[u8],
    count: usize,
    width: u32,
    out: &mut [u32; GROUP],
) -> Result<usize, Malformed> {
    if width > 32 {
        return Err(Malformed("has a block wider than 32 bits"));
    }
    let len = packed_len(count, width);
    if len > bytes.len() {
        return Err(Malformed("has a block that ends too early"));
    }
    (simd::kernels().unpack)(width, bytes, out);
    Ok(len)
}

/// Appends a patched group: a byte with the width of the packed part (low half) and the number of exceptions (high half;
/// 15: a varint with the number follows the packed part), the packed low bits, and for each exception, in order of slot, a byte with
/// its slot and a varint with its high bits.
pub(super) fn put_patched(values: &[u32], out: &mut Vec<u8>) {
    if values.iter().all(|value| *value == 0) {
        out.push(0);
        return;
    }
    // How many values need how many bits.
    let mut needing = [0usize; 33];
    for value in values {
        needing[32 - value.leading_zeros() as usize] += 1;
    }
    let mut best = (usize::MAX, 0, 0);
    let mut wider = 0;
    let mut cost_of_wider = 0;
    for width in (0..=32u32).rev() {
        // An exception costs its slot and a varint of what is above the width: 2 bytes for most.
        if width <= PATCHED_WIDTH_MAX {
            let cost = packed_len(values.len(), width) + 2 * wider + cost_of_wider;
            if cost <= best.0 {
                best = (cost, width, wider);
            }
        }
        wider += needing[width as usize];
        cost_of_wider += needing[width as usize] * (width as usize / 14);
    }
    let (_, width, exceptions) = best;
    out.push(width as u8 | (exceptions.min(15) as u8) << 4);
    pack(values.iter().copied(), width, out);
    if exceptions >= 15 {
        put_varint(out, exceptions as u64);
    }
    for (slot, value) in values.iter().enumerate() {
        let high = value >> width;
        if high > 0 {
            out.push(slot as u8);
            put_varint(out, u64::from(high));
        }
    }
}

/// Reads a patched group of `count` integers; answers how many bytes it takes.
pub(super) fn take_patched(
    bytes: &[u8],
    count: usize,
    out: &mut [u32; GROUP],
) -> Result<usize, Malformed> {
    let (head, rest) = bytes
        .split_first()
        .ok_or(Malformed("has a block that ends too early"))?;
    let width = u32::from(head & 15);
    let packed = if width == 0 {
        out.fill(0);
        0
    } else {
        unpack(rest, count, width, out)?
    };
    let exceptions = usize::from(head >> 4);
    if exceptions == 0 {
        return Ok(1 + packed);
    }
    let mut reader = ByteReader::new(&rest[packed..]);
    let exceptions = match exceptions {
        15 => reader.varint_len()?,
        some => {
            // Nearly all exceptions are two bytes, a slot and what is above the width.
            let pairs = rest[packed..].get(..2 * some).unwrap_or(&[0x80; 2]);
            if pairs.chunks_exact(2).all(|pair| pair[1] < 0x80) {
                for pair in pairs.chunks_exact(2) {
                    let slot = out.get_mut(usize::from(pair[0]));
                    let slot = slot.ok_or(Malformed("has an exception outside its block"))?;
                    *slot |= u32::from(pair[1]) << width;
                }
                return Ok(1 + packed + pairs.len());
            }
            some
        }
    };
    for _ in 0..exceptions {
        let slot = out.get_mut(usize::from(reader.u8()?));
        let slot = slot.ok_or(Malformed("has an exception outside its block"))?;
        let high = u64::from(reader.varint_u32()?) << width;
        *slot |= u32::try_from(high).map_err(|_| Malformed("has an exception above 32 bits"))?;
    }
    Ok(bytes.len() - reader.remaining())
}

/// Bytes of a patched group of `count` integers.
fn patched_len(bytes: &[u8], count: usize) -> Result<usize, Malformed> {
    let (head, rest) = bytes
        .split_first()
        .ok_or(Malformed("has a block that ends too early"))?;
    let packed = packed_len(count, u32::from(head & 15));
    let rest = rest.get(packed..);
    let mut reader = ByteReader::new(rest.ok_or(Malformed("has a block that ends too early"))?);
    let exceptions = match usize::from(head >> 4) {
        15 => reader.varint_len()?,
        some => some,
    };
    for _ in 0..exceptions {
        reader.u8()?;
        reader.varint()?;
    }
    Ok(bytes.len() - reader.remaining())
}

/// What exceptions of two bytes each, in order of slot, have for a slot, 0 for none; `None` where some exception before it is
/// longer.
#[inline]
fn few_at(pairs: &[u8], slot: usize) -> Option<u8> {
    for pair in pairs.chunks_exact(2) {
        if pair[1] >= 0x80 {
            return None;
        }
        if usize::from(pair[0]) >= slot {
            return Some(if usize::from(pair[0]) == slot {
                pair[1]
            } else {
                0
            });
        }
    }
    Some(0)
}

/// One integer of patched groups of 128, the last of them shorter, of `count` integers in all.
pub(super) fn patched_at(
    mut bytes: &[u8],
    mut count: usize,
    mut index: usize,
) -> Result<u32, Malformed> {
    let early = Malformed("has a block that ends too early");
    while index >= GROUP {
        bytes = &bytes[patched_len(bytes, GROUP)?..];
        index -= GROUP;
        count = count.saturating_sub(GROUP);
    }
    let count = count.min(GROUP);
    let (head, rest) = bytes.split_first().ok_or(early)?;
    let width = u32::from(head & 15);
    let bit = index * width as usize;
    let mut word = [0; 4];
    for (slot, byte) in word.iter_mut().zip(rest.get(bit / 8..).unwrap_or(&[])) {
        *slot = *byte;
    }
    // At most 15 bits, which begin in the first of four bytes.
    let mut value = u32::from_le_bytes(word) >> (bit % 8) & ((1 << width) - 1);
    let exceptions = usize::from(head >> 4);
    if exceptions > 0 {
        let rest = rest.get(packed_len(count, width)..).ok_or(early)?;
        let mut reader = ByteReader::new(rest);
        let exceptions = match exceptions {
            15 => reader.varint_len()?,
            // Nearly all exceptions are two bytes, a slot and what is above the width, in order of slot.
            some => match rest.get(..2 * some).and_then(|pairs| few_at(pairs, index)) {
                Some(high) => return Ok(value | u32::from(high) << width),
                None => some,
            },
        };
        for _ in 0..exceptions {
            let slot = usize::from(reader.u8()?);
            let high = u64::from(reader.varint_u32()?) << width;
            if slot == index {
                value |=
                    u32::try_from(high).map_err(|_| Malformed("has an exception above 32 bits"))?;
            }
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rare_high_value_is_an_exception() {
        let mut values = [0; 128];
        values[7] = 5;
        let mut bytes = Vec::new();
        put_patched(&values, &mut bytes);
        assert_eq!(bytes, [0x10, 7, 5]);
    }

    proptest! {
        #[test]
        fn packed_integers_come_back(values in proptest::collection::vec(any::<u32>(), 1..=128), shift in 0u32..32, slack in 0usize..40) {
            let values: Vec<u32> = values.iter().map(|value| value >> shift).collect();
            let mut bytes = Vec::new();
            pack(values.iter().copied(), width_of(&values), &mut bytes);
            let len = bytes.len();
            bytes.resize(len + slack, 0xa5);
            let mut out = [7; GROUP];
            prop_assert_eq!(unpack(&bytes, values.len(), width_of(&values), &mut out).unwrap(), len);
            prop_assert_eq!(&out[..values.len()], &values[..]);
        }

        #[test]
        fn patched_integers_come_back(
            values in proptest::collection::vec(prop_oneof![9 => 0u32..4, 1 => any::<u32>()], 1..=128),
            slack in 0usize..40,
        ) {
            let mut bytes = Vec::new();
            put_patched(&values, &mut bytes);
            let len = bytes.len();
            bytes.resize(len + slack, 0xa5);
            let mut out = [7; GROUP];
            prop_assert_eq!(take_patched(&bytes, values.len(), &mut out).unwrap(), len);
            prop_assert_eq!(&out[..values.len()], &values[..]);
            prop_assert_eq!(patched_len(&bytes, values.len()).unwrap(), len);
            for (index, value) in values.iter().enumerate() {
                prop_assert_eq!(patched_at(&bytes, values.len(), index).unwrap(), *value);
            }
        }

        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes: Vec<u8>, count in 1usize..=128, width in 0u32..40) {
            let mut out = [0; GROUP];
            let _ = unpack(&bytes, count, width, &mut out);
            let _ = take_patched(&bytes, count, &mut out);
            let _ = patched_at(&bytes, 3 * count, 2 * count);
        }
    }
}
