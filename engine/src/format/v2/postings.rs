//! # Postings and skips, codecs 2 and 3
//! Two sections per indexed field. `Postings` holds for each term its payload, in order of term: documents with freqs, then
//! positions. `Skips` holds, for terms of more than 128 documents, where the parts of the payload are and bounds on their
//! scores. The term dictionary knows offset and length of both.
//!
//! A term with one document has no documents in its payload: the dictionary holds it. Others are kept in one of two ways:
//!
//! | kind of list     | when                                                        | page                          |
//! |------------------|-------------------------------------------------------------|-------------------------------|
//! | sparse           | otherwise; without skips up to 128 documents, one block      | [`sparse`](super::sparse)     |
//! | dense            | at least one document of 8, more than 128, in segments of at least 4096 | [`dense`](super::dense) |
//!
//! The first byte of the skips tells which. Positions follow in either case; they are what the codecs of the postings differ in: see
//! [`v3`](crate::format::v3), and [`positions`](super::positions) for codec 2, which is read and not written any more. Packed
//! integers may be read with loads that reach past their end, up to the end of the section.
//!
//! | codec | positions | kept as a file by |
//! |------:|-----------|-------------------|
//! |     2 | one stream a term: [`positions`](super::positions) | `tests/golden/postings_v2` |
//! |     3 | by blocks of documents: [`v3`](crate::format::v3) | |
//!
//! Worked example, with freqs, no positions: documents 3, 4, 9 with freqs 1, 2, 1 are the gaps 3, 0, 4 in 3 bits, `03 03 01`,
//! and the freqs less 1: 0, 1, 0 in 1 bit, `01 02`.

use super::dense::{DenseEncoder, is_dense};
use super::sparse::{BLOCK, SparseEncoder};
use crate::format::impacts::ImpactSet;
use crate::format::v3::PositionsEncoder;

/// Where the parts of a list go.
pub(super) struct ListParts<'a> {
    pub freqs_kept: bool,
    pub blocks: &'a mut Vec<u8>,
    pub positions: &'a mut PositionsEncoder,
    /// Of the block at hand.
    pub impacts: &'a mut ImpactSet,
}

/// Encodes the postings of one term after the other.
#[derive(Debug)]
pub(crate) struct PostingsEncoder {
    freqs_kept: bool,
    max_doc: u32,
    /// Whether the term at hand is kept dense, once it has more than a block.
    dense: bool,
    sparse_list: SparseEncoder,
    dense_list: DenseEncoder,
    positions: PositionsEncoder,
    impacts: ImpactSet,
    docs: Vec<u32>,
    freqs: Vec<u32>,
    norms: Vec<u8>,
    last_doc: Option<u32>,
    /// Documents of the term so far.
    pub doc_freq: u32,
    /// Occurrences of the term so far.
    pub total_term_freq: u64,
    /// Encoded documents and freqs.
    pub blocks: Vec<u8>,
}

impl PostingsEncoder {
    /// For a field of a segment of `max_doc` documents.
    pub fn new(freqs_kept: bool, positions_kept: bool, max_doc: u32) -> Self {
        PostingsEncoder {
            freqs_kept,
            max_doc,
            dense: false,
            sparse_list: SparseEncoder::default(),
            dense_list: DenseEncoder::default(),
            positions: PositionsEncoder::new(positions_kept),
            impacts: ImpactSet::default(),
            docs: Vec::with_capacity(BLOCK),
            freqs: Vec::with_capacity(BLOCK),
            norms: Vec::with_capacity(BLOCK),
            last_doc: None,
            doc_freq: 0,
            total_term_freq: 0,
            blocks: Vec::new(),
        }
    }

    /// Begins a term of `expected` documents, or some fewer: this decides how they are kept.
    pub fn start(&mut self, expected: u32) {
        self.dense = is_dense(expected, self.max_doc);
        self.sparse_list.start();
        self.dense_list.start();
        self.positions.start();
        self.docs.clear();
        self.freqs.clear();
        self.norms.clear();
        self.last_doc = None;
        self.doc_freq = 0;
        self.total_term_freq = 0;
        self.blocks.clear();
    }

    /// Adds a document; they ascend. `positions` ascend too, and are `freq` many where positions are kept.
    pub fn add(&mut self, doc: u32, freq: u32, norm: u8, positions: &[u32]) {
        let freq = if self.freqs_kept { freq.max(1) } else { 1 };
        debug_assert!(
            self.last_doc.is_none_or(|last| last < doc),
            "documents ascend"
        );
        if let (true, Some(first)) = (self.positions.is_kept(), positions.first()) {
            debug_assert_eq!(positions.len(), freq as usize, "a position per occurrence");
            self.positions.add(&[*first], &[]);
            for pair in positions.windows(2) {
                self.positions.add(&[], &[pair[1].wrapping_sub(pair[0])]);
            }
        }
        self.last_doc = Some(doc);
        self.doc_freq += 1;
        self.total_term_freq += u64::from(freq);
        if self.docs.len() == BLOCK {
            self.end_block();
        }
        if self.dense && self.doc_freq as usize > BLOCK {
            let (list, mut into) = self.dense();
            list.add(doc, freq, norm, &mut into);
            return;
        }
        self.docs.push(doc);
        self.freqs.push(freq);
        self.norms.push(norm);
    }

    /// Adds documents as [`add`](Self::add) does one, without their positions, which were
    /// [added before](Self::add_positions).
    pub fn add_all(&mut self, docs: &[u32], freqs: &[u32], norms: &[u8]) {
        let mut at = 0;
        while at < docs.len() {
            if self.docs.len() == BLOCK {
                self.doc_freq += 1;
                self.end_block();
                self.doc_freq -= 1;
            }
            let end = docs.len().min(at + BLOCK - self.docs.len());
            let dense = self.dense && self.doc_freq as usize >= BLOCK;
            for place in at..end {
                let freq = if self.freqs_kept {
                    freqs[place].max(1)
                } else {
                    1
                };
                self.total_term_freq += u64::from(freq);
                if dense {
                    let (list, mut into) = self.dense();
                    list.add(docs[place], freq, norms[place], &mut into);
                } else {
                    self.freqs.push(freq);
                }
            }
            if !dense {
                self.docs.extend_from_slice(&docs[at..end]);
                self.norms.extend_from_slice(&norms[at..end]);
            }
            self.doc_freq += (end - at) as u32;
            at = end;
        }
        self.last_doc = docs.last().copied().or(self.last_doc);
    }

    /// Adds the positions of the documents that are added next: the first of each, and then, of those with more, the distance of
    /// each from the one before.
    pub fn add_positions(&mut self, firsts: &[u32], gaps: &[u32]) {
        self.positions.add(firsts, gaps);
    }

    /// The positions of a term that was ended.
    pub fn positions(&self) -> &[u8] {
        &self.positions.bytes
    }

    /// The list of bitmaps, and where its parts go.
    fn dense(&mut self) -> (&mut DenseEncoder, ListParts<'_>) {
        let parts = ListParts {
            freqs_kept: self.freqs_kept,
            blocks: &mut self.blocks,
            positions: &mut self.positions,
            impacts: &mut self.impacts,
        };
        (&mut self.dense_list, parts)
    }

    fn end_block(&mut self) {
        if self.dense && self.doc_freq as usize > BLOCK {
            // Only now is it known that the term has more than a block, so that it has skips to say what it is.
            for index in 0..self.docs.len() {
                let (doc, freq, norm) = (self.docs[index], self.freqs[index], self.norms[index]);
                let (list, mut into) = self.dense();
                list.add(doc, freq, norm, &mut into);
            }
        } else {
            let freqs = self.freqs_kept.then_some(&self.freqs[..]);
            let mut into = ListParts {
                freqs_kept: self.freqs_kept,
                blocks: &mut self.blocks,
                positions: &mut self.positions,
                impacts: &mut self.impacts,
            };
            self.sparse_list
                .block(&self.docs, freqs, &self.norms, &mut into);
        }
        self.docs.clear();
        self.freqs.clear();
        self.norms.clear();
    }

    /// Ends the term: `blocks`, `positions` and the appended skips are complete. A single document has no block. An
    /// error says what does not fit the format.
    pub fn finish(&mut self, skips: &mut Vec<u8>) -> Result<(), String> {
        if self.doc_freq > 1 && !self.docs.is_empty() {
            self.end_block();
        } else {
            self.positions.block(&self.freqs);
        }
        if self.doc_freq as usize <= BLOCK {
            return Ok(());
        }
        if self.dense {
            let max_doc = self.max_doc;
            let (list, mut into) = self.dense();
            list.finish(max_doc, &mut into, skips);
        } else {
            let (freqs, positions) = (self.freqs_kept, self.positions.is_kept());
            self.sparse_list.write_skips(freqs, positions, skips);
        }
        let most = u64::from(u32::MAX);
        if self.blocks.len() as u64 > most || self.positions().len() as u64 > most {
            return Err("the postings of one term pass 4 GiB".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::sparse::{decode_docs, decode_freqs};
    use super::*;
    use crate::simd::scoring::slot_of;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_page() {
        let mut encoder = PostingsEncoder::new(true, false, 10);
        encoder.start(3);
        for (doc, freq) in [(3, 1), (4, 2), (9, 1)] {
            encoder.add(doc, freq, 1, &[]);
        }
        encoder.finish(&mut Vec::new()).unwrap();
        assert_eq!(encoder.blocks, [3, 3, 1, 1, 2]);
    }

    proptest! {
        #[test]
        fn blocks_come_back(gaps in proptest::collection::vec((0u32..2000, 1u32..70000), 2..=128)) {
            let mut docs = Vec::new();
            let mut next = 0;
            for (gap, _) in &gaps {
                docs.push(next + gap);
                next += gap + 1;
            }
            let freqs: Vec<u32> = gaps.iter().map(|(_, freq)| *freq).collect();
            let mut encoder = PostingsEncoder::new(true, false, next);
            encoder.start(0);
            for (doc, freq) in docs.iter().zip(&freqs) {
                encoder.add(*doc, *freq, 1, &[]);
            }
            encoder.finish(&mut Vec::new()).unwrap();
            let (mut found, mut counts) = ([0; BLOCK], [0; BLOCK]);
            let len = decode_docs(&encoder.blocks, docs.len(), None, next, &mut found).unwrap();
            decode_freqs(&encoder.blocks[len..], docs.len(), &mut counts).unwrap();
            for rank in 0..docs.len() {
                let slot = if docs.len() == BLOCK { slot_of(rank) } else { rank };
                prop_assert_eq!((found[slot], counts[slot]), (docs[rank], freqs[rank]));
            }
        }

        #[test]
        fn documents_at_once_are_the_same_as_one_by_one(
            list in proptest::collection::vec((0u32..40, 1u32..4, 1u8..9), 0..700),
            cuts in proptest::collection::vec(1usize..300, 1..9),
            freqs_kept: bool,
            dense: bool,
        ) {
            let (mut docs, mut freqs, mut norms, mut next) = (vec![], vec![], vec![], 0);
            for (gap, freq, norm) in &list {
                docs.push(next + if dense { gap % 2 } else { *gap });
                next = docs[docs.len() - 1] + 1;
                freqs.push(*freq);
                norms.push(*norm);
            }
            let encoder = || {
                let mut encoder = PostingsEncoder::new(freqs_kept, freqs_kept, 5000);
                encoder.start(if dense { 5000 } else { list.len() as u32 });
                encoder
            };
            let (mut one_by_one, mut at_once) = (encoder(), encoder());
            for ((doc, freq), norm) in docs.iter().zip(&freqs).zip(&norms) {
                let positions: Vec<u32> = (1..=*freq).map(|number| number * doc).collect();
                one_by_one.add(*doc, *freq, *norm, &positions);
                if freqs_kept {
                    at_once.add_positions(&[*doc], &vec![*doc; *freq as usize - 1]);
                }
            }
            let mut at = 0;
            for cut in cuts.iter().cycle() {
                let end = docs.len().min(at + cut);
                at_once.add_all(&docs[at..end], &freqs[at..end], &norms[at..end]);
                at = end;
                if at == docs.len() {
                    break;
                }
            }
            let (mut skips, mut other_skips) = (Vec::new(), Vec::new());
            prop_assert_eq!(one_by_one.finish(&mut skips), at_once.finish(&mut other_skips));
            prop_assert_eq!(skips, other_skips);
            prop_assert_eq!(&one_by_one.blocks, &at_once.blocks);
            prop_assert_eq!(one_by_one.positions(), at_once.positions());
            prop_assert_eq!(one_by_one.doc_freq, at_once.doc_freq);
            prop_assert_eq!(one_by_one.total_term_freq, at_once.total_term_freq);
        }

        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes: Vec<u8>, count in 1usize..=128) {
            let mut out = [0; BLOCK];
            if decode_docs(&bytes, count, Some(7), 1 << 20, &mut out).is_ok() {
                for rank in 0..count {
                    let slot = if count == BLOCK { slot_of(rank) } else { rank };
                    prop_assert!(out[slot] < 1 << 20);
                }
            }
            let _ = decode_freqs(&bytes, count, &mut out);
        }
    }
}
