//! # Postings and skips
//! Two sections per indexed field. `Postings` holds for each term its payload, in order of term; `Skips` holds where
//! the blocks of long payloads are and bounds on their scores. The term dictionary knows offset and length of both.
//!
//! A term with one document and no positions has no payload: the dictionary holds the document. Otherwise:
//!
//! | part       | meaning                                                                                   |
//! |------------|-------------------------------------------------------------------------------------------|
//! | blocks     | documents and freqs, 128 per block, the last block may be shorter; none for one document  |
//! | positions  | for each block, the positions of its documents one after the other                         |
//!
//! Full block: `u8` width, then 128 gaps (document − document before − 1, the first from −1) bit-packed in `16 * width`
//! bytes, lowest bits first; then, if the field keeps freqs, `u8` width and 128 times freq − 1 likewise.
//! Short block: the gaps as varints, then the freqs less 1 as varints.
//!
//! Positions of a block: the gaps between positions (each document starts from 0 anew) of all its documents, groups of 128
//! as `u8` width and `16 * width` bytes, the rest as varints.
//!
//! Skips, for terms of more than 128 documents, `n` blocks; all arrays of `u32`:
//!
//! | part            | length | meaning                                                             |
//! |-----------------|-------:|---------------------------------------------------------------------|
//! | last_docs       |    4·n | the last document of each block                                     |
//! | block_ends      |    4·n | where each block ends, from the start of the payload                 |
//! | position_starts |    4·n | where its positions start, from the end of the blocks; if kept       |
//! | impact_ends     | 4·n+4  | where each list of impacts ends; the last list is that of all blocks |
//! | impacts         |      … | see below                                                           |
//!
//! A list of impacts holds at most 4 pairs of freq and norm, both ascending: varint of the freq less the freq before, then
//! the norm as a byte. Every document of the block has, for some pair, at most its freq and at least its norm.
//!
//! Worked example, with freqs: documents 3, 4, 9 with freqs 1, 2, 1 are `03 00 04`, then `00 01 00`.

use crate::format::bytes::{ByteReader, Malformed};
use crate::segment::Impact;
use crate::simd;

/// Documents of a full block.
pub(crate) const BLOCK: usize = 128;

/// Reads a block of `count` integers into the front of `out`.
fn take_block(
    reader: &mut ByteReader<'_>,
    count: usize,
    out: &mut [u32; BLOCK],
) -> Result<(), Malformed> {
    if count == BLOCK {
        let width = u32::from(reader.u8()?);
        if width > 32 {
            return Err(Malformed("has a block wider than 32 bits"));
        }
        (simd::kernels().unpack)(width, reader.take(16 * width as usize)?, out);
    } else {
        for value in out.iter_mut().take(count) {
            *value = reader.varint_u32()?;
        }
    }
    Ok(())
}

/// Reads the documents of a block; `before` is the last document before it, `None` for the first block. Answers how
/// many bytes of the block are left for the freqs.
pub(crate) fn decode_docs(
    block: &[u8],
    count: usize,
    before: Option<u32>,
    max_doc: u32,
    docs: &mut [u32; BLOCK],
) -> Result<usize, Malformed> {
    let mut reader = ByteReader::new(block);
    take_block(&mut reader, count, docs)?;
    let base = before.unwrap_or(u32::MAX);
    if count == BLOCK {
        (simd::kernels().prefix_sum)(base, docs);
    } else {
        let mut doc = base;
        for slot in docs.iter_mut().take(count) {
            doc = doc.wrapping_add(*slot).wrapping_add(1);
            *slot = doc;
        }
    }
    let docs = &docs[..count];
    let ascends = docs.windows(2).all(|pair| pair[0] < pair[1]);
    let starts = before.is_none_or(|before| docs.first().is_some_and(|first| *first > before));
    if !ascends || !starts || docs.last().is_none_or(|last| *last >= max_doc) {
        return Err(Malformed("has a block of documents that do not ascend"));
    }
    Ok(reader.remaining())
}

/// Reads the freqs of a block from its last bytes.
pub(crate) fn decode_freqs(
    freqs: &[u8],
    count: usize,
    out: &mut [u32; BLOCK],
) -> Result<(), Malformed> {
    let mut reader = ByteReader::new(freqs);
    take_block(&mut reader, count, out)?;
    for freq in out.iter_mut().take(count) {
        *freq = freq.saturating_add(1);
    }
    Ok(())
}

/// Reads the positions of a block, document by document, and overwrites `positions`; the bytes may reach further.
pub(crate) fn decode_positions(
    bytes: &[u8],
    freqs: &[u32],
    positions: &mut Vec<u32>,
) -> Result<(), Malformed> {
    let total: u64 = freqs.iter().map(|freq| u64::from(*freq)).sum();
    positions.clear();
    let mut reader = ByteReader::new(bytes);
    let mut left = total;
    let mut group = [0; BLOCK];
    while left >= BLOCK as u64 {
        take_block(&mut reader, BLOCK, &mut group)?;
        positions.extend_from_slice(&group);
        left -= BLOCK as u64;
    }
    for _ in 0..left {
        positions.push(reader.varint_u32()?);
    }
    let mut rest = &mut positions[..];
    for freq in freqs {
        let (doc, others) = rest.split_at_mut(*freq as usize);
        let mut position = 0u32;
        for slot in doc {
            position = position.wrapping_add(*slot);
            *slot = position;
        }
        rest = others;
    }
    Ok(())
}

/// Reads a list of impacts; never answers an empty one.
pub(crate) fn decode_impacts(bytes: &[u8], out: &mut Vec<Impact>) -> Result<(), Malformed> {
    out.clear();
    let mut reader = ByteReader::new(bytes);
    let mut freq = 0u32;
    while reader.remaining() > 0 {
        freq = freq.saturating_add(reader.varint_u32()?);
        let norm = reader.u8()?;
        out.push(Impact { freq, norm });
    }
    if out.is_empty() {
        return Err(Malformed("has an empty list of impacts"));
    }
    Ok(())
}

#[cfg(test)]
#[path = "postings_tests.rs"]
mod tests;
