//! The writer of format v1, which nothing writes any more, and what it proves of the reader.

use proptest::prelude::*;

use super::*;
use crate::format::bytes::put_varint;
use crate::format::impacts::ImpactSet;

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

fn put_impacts(impacts: &[Impact], out: &mut Vec<u8>) {
    let mut before = 0;
    for impact in impacts {
        put_varint(out, u64::from(impact.freq - before));
        out.push(impact.norm);
        before = impact.freq;
    }
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
