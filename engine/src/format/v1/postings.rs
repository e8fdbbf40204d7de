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

use crate::format::bytes::{ByteReader, Malformed, put_varint};
use crate::segment::Impact;
use crate::simd;

/// Documents of a full block.
pub(crate) const BLOCK: usize = 128;
/// Pairs in a list of impacts, at most.
const MAX_IMPACTS: usize = 4;

/// Appends 128 integers of `width` bits.
fn pack_block(values: &[u32], width: u32, out: &mut Vec<u8>) {
    let mut pending = 0u64;
    let mut bits = 0;
    for value in values {
        pending |= u64::from(*value) << bits;
        bits += width;
        while bits >= 8 {
            out.push(pending as u8);
            pending >>= 8;
            bits -= 8;
        }
    }
}

fn width_of(values: &[u32]) -> u32 {
    32 - values
        .iter()
        .fold(0, |all, value| all | value)
        .leading_zeros()
}

fn put_block(values: &[u32], out: &mut Vec<u8>) {
    if values.len() == BLOCK {
        let width = width_of(values);
        out.push(width as u8);
        pack_block(values, width, out);
    } else {
        for value in values {
            put_varint(out, u64::from(*value));
        }
    }
}

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

/// Keeps the pairs that bound all documents given: higher freq and lower norm score more.
#[derive(Clone, Debug, Default)]
pub(crate) struct ImpactSet {
    /// Freqs and norms both strictly ascending.
    pairs: Vec<Impact>,
}

impl ImpactSet {
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    pub fn add(&mut self, impact: Impact) {
        let at = self.pairs.partition_point(|pair| pair.freq < impact.freq);
        // A pair with at least this freq and at most this norm bounds it already: the norms ascend, so the first tells.
        if self
            .pairs
            .get(at)
            .is_some_and(|pair| pair.norm <= impact.norm)
        {
            return;
        }
        let mut end = at;
        if self
            .pairs
            .get(end)
            .is_some_and(|pair| pair.freq == impact.freq)
        {
            end += 1;
        }
        // Those with a lower freq and no lower norm are bounded by the new one.
        let start = self.pairs[..at].partition_point(|pair| pair.norm < impact.norm);
        self.pairs.splice(start..end, [impact]);
    }

    /// At most [`MAX_IMPACTS`] pairs that bound the same: the closest neighbours become one above both.
    pub fn capped(&self) -> Vec<Impact> {
        let mut pairs = self.pairs.clone();
        while pairs.len() > MAX_IMPACTS {
            let mut closest = 0;
            let mut distance = u64::MAX;
            for (index, pair) in pairs.windows(2).enumerate() {
                let freqs = u64::from(pair[1].freq - pair[0].freq);
                let norms = u64::from(pair[1].norm - pair[0].norm);
                // What the merge loosens, relative to where it is.
                let loosened = freqs * 64 / u64::from(pair[1].freq) + norms;
                if loosened < distance {
                    (closest, distance) = (index, loosened);
                }
            }
            pairs[closest].freq = pairs[closest + 1].freq;
            pairs.remove(closest + 1);
        }
        pairs
    }
}

fn put_impacts(impacts: &[Impact], out: &mut Vec<u8>) {
    let mut before = 0;
    for impact in impacts {
        put_varint(out, u64::from(impact.freq - before));
        out.push(impact.norm);
        before = impact.freq;
    }
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

/// Encodes the postings of one term after the other.
#[derive(Debug)]
pub(crate) struct PostingsEncoder {
    freqs_kept: bool,
    positions_kept: bool,
    gaps: Vec<u32>,
    freqs: Vec<u32>,
    position_gaps: Vec<u32>,
    block_impacts: ImpactSet,
    all_impacts: ImpactSet,
    last_doc: Option<u32>,
    /// Documents of the term so far.
    pub doc_freq: u32,
    /// Occurrences of the term so far.
    pub total_term_freq: u64,
    /// Encoded blocks.
    pub blocks: Vec<u8>,
    /// Encoded positions.
    pub positions: Vec<u8>,
    last_docs: Vec<u32>,
    block_ends: Vec<u64>,
    position_starts: Vec<u64>,
    impact_ends: Vec<u32>,
    impacts: Vec<u8>,
}

impl PostingsEncoder {
    pub fn new(freqs_kept: bool, positions_kept: bool) -> Self {
        PostingsEncoder {
            freqs_kept,
            positions_kept,
            gaps: Vec::with_capacity(BLOCK),
            freqs: Vec::with_capacity(BLOCK),
            position_gaps: Vec::new(),
            block_impacts: ImpactSet::default(),
            all_impacts: ImpactSet::default(),
            last_doc: None,
            doc_freq: 0,
            total_term_freq: 0,
            blocks: Vec::new(),
            positions: Vec::new(),
            last_docs: Vec::new(),
            block_ends: Vec::new(),
            position_starts: Vec::new(),
            impact_ends: Vec::new(),
            impacts: Vec::new(),
        }
    }

    /// Forgets the term.
    pub fn start(&mut self) {
        self.gaps.clear();
        self.freqs.clear();
        self.position_gaps.clear();
        self.block_impacts.clear();
        self.all_impacts.clear();
        self.last_doc = None;
        self.doc_freq = 0;
        self.total_term_freq = 0;
        self.blocks.clear();
        self.positions.clear();
        self.last_docs.clear();
        self.block_ends.clear();
        self.position_starts.clear();
        self.impact_ends.clear();
        self.impacts.clear();
    }

    /// Adds a document; they ascend. `positions` ascend too, and are `freq` many where positions are kept.
    pub fn add(&mut self, doc: u32, freq: u32, norm: u8, positions: &[u32]) {
        let freq = if self.freqs_kept { freq.max(1) } else { 1 };
        let before = self.last_doc.unwrap_or(u32::MAX);
        debug_assert!(
            self.last_doc.is_none_or(|last| last < doc),
            "documents ascend"
        );
        self.gaps.push(doc.wrapping_sub(before).wrapping_sub(1));
        self.freqs.push(freq);
        if self.positions_kept {
            debug_assert_eq!(positions.len(), freq as usize, "a position per occurrence");
            let mut before = 0;
            for position in positions {
                self.position_gaps.push(position.wrapping_sub(before));
                before = *position;
            }
        }
        self.block_impacts.add(Impact { freq, norm });
        self.last_doc = Some(doc);
        self.doc_freq += 1;
        self.total_term_freq += u64::from(freq);
        if self.gaps.len() == BLOCK {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        self.position_starts.push(self.positions.len() as u64);
        put_block(&self.gaps, &mut self.blocks);
        if self.freqs_kept {
            for freq in &mut self.freqs {
                *freq -= 1;
            }
            put_block(&self.freqs, &mut self.blocks);
        }
        if self.positions_kept {
            for group in self.position_gaps.chunks(BLOCK) {
                put_block(group, &mut self.positions);
            }
        }
        let capped = self.block_impacts.capped();
        put_impacts(&capped, &mut self.impacts);
        for impact in capped {
            self.all_impacts.add(impact);
        }
        self.impact_ends.push(self.impacts.len() as u32);
        self.last_docs.push(self.last_doc.unwrap_or(0));
        self.block_ends.push(self.blocks.len() as u64);
        self.gaps.clear();
        self.freqs.clear();
        self.position_gaps.clear();
        self.block_impacts.clear();
    }

    /// Ends the term: `blocks`, `positions` and the appended skips are complete. A single document has no block. An
    /// error says what does not fit the format.
    pub fn finish(&mut self, skips: &mut Vec<u8>) -> Result<(), String> {
        if !self.gaps.is_empty() {
            self.end_block();
        }
        if self.doc_freq == 1 {
            self.blocks.clear();
        }
        if self.doc_freq as usize <= BLOCK {
            return Ok(());
        }
        if self.blocks.len() > u32::MAX as usize || self.positions.len() > u32::MAX as usize {
            return Err("the postings of one term pass 4 GiB".to_owned());
        }
        for doc in &self.last_docs {
            skips.extend_from_slice(&doc.to_le_bytes());
        }
        for end in &self.block_ends {
            skips.extend_from_slice(&(*end as u32).to_le_bytes());
        }
        if self.positions_kept {
            for start in &self.position_starts {
                skips.extend_from_slice(&(*start as u32).to_le_bytes());
            }
        }
        put_impacts(&self.all_impacts.capped(), &mut self.impacts);
        self.impact_ends.push(self.impacts.len() as u32);
        for end in &self.impact_ends {
            skips.extend_from_slice(&end.to_le_bytes());
        }
        skips.extend_from_slice(&self.impacts);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_page() {
        let mut encoder = PostingsEncoder::new(true, false);
        encoder.start();
        for (doc, freq) in [(3, 1), (4, 2), (9, 1)] {
            encoder.add(doc, freq, 1, &[]);
        }
        encoder.finish(&mut Vec::new()).unwrap();
        assert_eq!(encoder.blocks, [3, 0, 4, 0, 1, 0]);
    }

    proptest! {
        #[test]
        fn blocks_come_back(gaps in proptest::collection::vec((0u32..2000, 1u32..70000), 1..=128)) {
            let mut docs = Vec::new();
            let mut next = 0;
            for (gap, _) in &gaps {
                docs.push(next + gap);
                next += gap + 1;
            }
            let freqs: Vec<u32> = gaps.iter().map(|(_, freq)| *freq).collect();
            let mut encoder = PostingsEncoder::new(true, false);
            for (doc, freq) in docs.iter().zip(&freqs) {
                encoder.add(*doc, *freq, 1, &[]);
            }
            encoder.end_block();
            let mut out = [0; BLOCK];
            let left = decode_docs(&encoder.blocks, docs.len(), None, next, &mut out).unwrap();
            prop_assert_eq!(&out[..docs.len()], &docs[..]);
            let freqs_at = encoder.blocks.len() - left;
            decode_freqs(&encoder.blocks[freqs_at..], docs.len(), &mut out).unwrap();
            prop_assert_eq!(&out[..docs.len()], &freqs[..]);
        }

        #[test]
        fn positions_come_back(docs in proptest::collection::vec(proptest::collection::vec(0u32..1000, 1..200), 1..20)) {
            let mut encoder = PostingsEncoder::new(true, true);
            let mut expected = Vec::new();
            let mut freqs = Vec::new();
            for (doc, positions) in docs.iter().enumerate() {
                let mut positions = positions.clone();
                positions.sort_unstable();
                encoder.add(doc as u32, positions.len() as u32, 1, &positions);
                freqs.push(positions.len() as u32);
                expected.extend(positions);
            }
            encoder.end_block();
            let mut out = Vec::new();
            decode_positions(&encoder.positions, &freqs, &mut out).unwrap();
            prop_assert_eq!(out, expected);
        }

        #[test]
        fn impacts_bound_every_document(docs in proptest::collection::vec((1u32..300, 1u8..60), 1..128)) {
            let mut set = ImpactSet::default();
            for (freq, norm) in &docs {
                set.add(Impact { freq: *freq, norm: *norm });
            }
            let mut bytes = Vec::new();
            put_impacts(&set.capped(), &mut bytes);
            let mut impacts = Vec::new();
            decode_impacts(&bytes, &mut impacts).unwrap();
            prop_assert!(impacts.len() <= MAX_IMPACTS);
            for (freq, norm) in docs {
                prop_assert!(impacts.iter().any(|pair| pair.freq >= freq && pair.norm <= norm));
            }
        }

        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes: Vec<u8>, count in 1usize..=128) {
            let mut out = [0; BLOCK];
            let _ = decode_docs(&bytes, count, Some(7), 1 << 20, &mut out);
            let _ = decode_freqs(&bytes, count, &mut out);
            let _ = decode_positions(&bytes, &out[..count.min(4)].map_small(), &mut Vec::new());
            let _ = decode_impacts(&bytes, &mut Vec::new());
        }
    }

    trait MapSmall {
        fn map_small(&self) -> Vec<u32>;
    }

    impl MapSmall for [u32] {
        fn map_small(&self) -> Vec<u32> {
            self.iter().map(|freq| freq % 1000).collect()
        }
    }
}
