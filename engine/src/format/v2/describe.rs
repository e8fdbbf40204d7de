//! How lists are kept, without what they hold: for those who look at files, not for searches.

use super::packing::{GROUP, packed_len};
use super::positions::PositionsIndex;
use crate::format::bytes::{ByteReader, Malformed};

/// How a patched group is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PatchedShape {
    /// Of its packed part.
    pub bits: u32,
    /// Integers whose high bits stand apart.
    pub patches: usize,
    pub bytes: usize,
}

/// Of a patched group of `count` integers; `bytes` may reach further.
pub(crate) fn patched_shape(bytes: &[u8], count: usize) -> Result<PatchedShape, Malformed> {
    let mut reader = ByteReader::new(bytes);
    let head = reader.u8()?;
    let bits = u32::from(head & 15);
    reader.take(packed_len(count, bits))?;
    let patches = match head >> 4 {
        15 => reader.varint_len()?,
        some => usize::from(some),
    };
    for _ in 0..patches {
        reader.u8()?;
        reader.varint()?;
    }
    Ok(PatchedShape {
        bits,
        patches,
        bytes: bytes.len() - reader.remaining(),
    })
}

/// Bits of a gap, and the freqs, of a block of `count` documents that is all of `bytes`.
pub(crate) fn block_shape(
    bytes: &[u8],
    count: usize,
    freqs_kept: bool,
) -> Result<(u32, Option<PatchedShape>), Malformed> {
    let mut reader = ByteReader::new(bytes);
    let bits = u32::from(reader.u8()?);
    reader.take(packed_len(count, bits))?;
    let rest = &bytes[bytes.len() - reader.remaining()..];
    let freqs = freqs_kept.then(|| patched_shape(rest, count)).transpose()?;
    if rest.len() != freqs.map_or(0, |freqs| freqs.bytes) {
        return Err(Malformed("has a block that does not fill its bytes"));
    }
    Ok((bits, freqs))
}

/// Of the freqs of a cell of `count` documents: each group of 128. `bytes` may reach further.
pub(crate) fn cell_shapes(
    mut bytes: &[u8],
    mut count: usize,
    mut each: impl FnMut(PatchedShape),
) -> Result<(), Malformed> {
    while count > 0 {
        let now = count.min(GROUP);
        let shape = patched_shape(bytes, now)?;
        bytes = &bytes[shape.bytes..];
        count -= now;
        each(shape);
    }
    Ok(())
}

/// Bits of a gap of each group of a stream of `total` positions, which is all of `stream`.
pub(crate) fn position_bits(stream: &[u8], total: u64) -> Result<Vec<u8>, Malformed> {
    let index = PositionsIndex::new(stream.len(), total)?;
    let groups = total.div_ceil(GROUP as u64) as usize;
    let outside = Malformed("has positions outside their stream");
    (0..groups)
        .map(|group| {
            let (widths, _) = index.guide(group)?;
            let own = widths.end.checked_sub(1).and_then(|at| stream.get(at));
            own.copied().ok_or(outside)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::packing::put_patched;
    use super::super::positions::PositionsEncoder;
    use super::super::postings::PostingsEncoder;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_group_is_as_long_as_it_was_written(values in proptest::collection::vec(prop_oneof![9 => 0u32..4, 1 => any::<u32>()], 1..=128)) {
            let mut bytes = Vec::new();
            put_patched(&values, &mut bytes);
            let len = bytes.len();
            bytes.extend_from_slice(&[7; 9]);
            let shape = patched_shape(&bytes, values.len()).unwrap();
            prop_assert_eq!(shape.bytes, len);
            let wide = values.iter().filter(|value| **value >> shape.bits > 0).count();
            prop_assert_eq!(shape.patches, wide);
        }

        #[test]
        fn a_block_and_its_positions_are_told(list in proptest::collection::vec((0u32..300, 1u32..9, 0u32..5000), 2..=128)) {
            let mut encoder = PostingsEncoder::new(true, true, 1 << 20);
            encoder.start(0);
            let (mut doc, mut widest, mut total) = (0, 0, 0);
            let (mut stream, mut bytes) = (PositionsEncoder::default(), Vec::new());
            stream.start();
            for (gap, freq, gap_of_positions) in &list {
                doc += gap;
                widest = widest.max(*gap);
                total += u64::from(*freq);
                let positions: Vec<u32> = (1..=*freq).map(|n| n * gap_of_positions).collect();
                encoder.add(doc, *freq, 1, &positions);
                stream.add(&positions, &mut bytes);
                doc += 1;
            }
            encoder.finish(&mut Vec::new()).unwrap();
            stream.finish(&mut bytes);
            let (bits, freqs) = block_shape(&encoder.blocks, list.len(), true).unwrap();
            prop_assert_eq!(bits, 32 - widest.leading_zeros());
            prop_assert!(freqs.is_some());
            let widths = position_bits(&bytes, total).unwrap();
            prop_assert_eq!(widths.len(), total.div_ceil(128) as usize);
            let most = list.iter().map(|(_, _, gap)| *gap).max().unwrap();
            prop_assert_eq!(u32::from(*widths.iter().max().unwrap()), 32 - most.leading_zeros());
        }

        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes: Vec<u8>, count in 1usize..=512, total in 0u64..1 << 40) {
            let _ = patched_shape(&bytes, count.min(128));
            let _ = block_shape(&bytes, count.min(128), true);
            let _ = cell_shapes(&bytes, count, |_| {});
            let _ = position_bits(&bytes, total);
        }
    }
}
