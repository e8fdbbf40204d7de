//! # Terms
//! Two sections per field with terms. `TermIndex` is an [`fst`] map from a key to the number of a block, for every block: the
//! shortest key that is above the last term of the block before and not above its first term; empty for the first block.
//! `TermBlocks` holds blocks of 32 terms (the last may be shorter), then a directory, then a trailer.
//!
//! | part      | bytes | meaning                                            |
//! |-----------|------:|----------------------------------------------------|
//! | blocks    |     … | see below                                          |
//! | directory |   8·n | where each block starts in the section             |
//! | trailer   |     8 | number of blocks `n`                               |
//! |           |     8 | number of terms                                    |
//!
//! A block: varint number of terms, varint length of the keys, the keys, what is known of each term.
//! A key: varint number of bytes shared with the key before, varint number of bytes that follow, these.
//! Known: varints offset of the first payload in `Postings` and of the first skips in `Skips`, then for each term varints:
//!
//! | varint           | present if                            |
//! |------------------|---------------------------------------|
//! | doc_freq         | always; 0 in a field that only has an ordinal column |
//! | total − doc_freq | freqs are kept, doc_freq > 0          |
//! | the document     | doc_freq = 1                          |
//! | payload length   | doc_freq > 1, or positions are kept   |
//! | positions length | doc_freq > 1 and positions are kept   |
//! | skips length     | doc_freq > 128                        |
//!
//! Payloads and skips lie one after the other in order of term. The rank of a term is 32 times its block plus its place in it.
//!
//! Worked example: the terms `hat`, `hats` of one document each (7 and 9), docs only, are the block `02 08`, the keys
//! `00 03 68 61 74`, `03 01 73`, then `00 00`, `01 07`, `01 09`.

use std::io;

use crate::format::bytes::{ByteReader, Malformed, put_sized, put_varint};
use crate::format::envelope::{EnvelopeWriter, SectionKind};
use crate::format::v2::{BLOCK, postings::PostingsEncoder};

/// Terms of a full block.
pub(crate) const BLOCK_TERMS: u64 = 32;
/// Bytes of the trailer.
pub(crate) const TRAILER: u64 = 16;

/// What is known of one term, as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TermEntry {
    pub doc_freq: u32,
    pub total_term_freq: u64,
    /// The document when there is one only.
    pub single_doc: u32,
    pub payload: u64,
    pub payload_len: u64,
    /// How much of the payload, at its end, is positions.
    pub positions_len: u64,
    pub skips: u64,
    pub skips_len: u64,
}

impl TermEntry {
    /// Where the payload ends that begins at `start`.
    fn payload_end(&self, start: u64) -> Result<u64, Malformed> {
        let end = start.checked_add(self.payload_len);
        end.ok_or(Malformed("has a payload past the end"))
    }

    /// Where the skips end that begin at `start`.
    fn skips_end(&self, start: u64) -> Result<u64, Malformed> {
        let end = start.checked_add(self.skips_len);
        end.ok_or(Malformed("has skips past the end"))
    }
}

/// Writes the terms of one field: postings as they come, the dictionary at the end.
pub(crate) struct TermsWriter {
    field: u32,
    freqs_kept: bool,
    positions_kept: bool,
    encoder_docs: u64,
    index: fst::MapBuilder<Vec<u8>>,
    blocks: Vec<u8>,
    starts: Vec<u8>,
    keys: Vec<u8>,
    known: Vec<u8>,
    in_block: u64,
    term_count: u64,
    last_term: Vec<u8>,
    skips: Vec<u8>,
    payload_end: u64,
}

impl TermsWriter {
    /// Starts the field's postings section.
    pub fn begin(
        out: &mut EnvelopeWriter<'_>,
        field: u32,
        freqs_kept: bool,
        positions_kept: bool,
    ) -> Self {
        out.begin(SectionKind::Postings, Some(field));
        TermsWriter {
            field,
            freqs_kept,
            positions_kept,
            encoder_docs: 0,
            index: fst::MapBuilder::memory(),
            blocks: Vec::new(),
            starts: Vec::new(),
            keys: Vec::new(),
            known: Vec::new(),
            in_block: 0,
            term_count: 0,
            last_term: Vec::new(),
            skips: Vec::new(),
            payload_end: 0,
        }
    }

    /// Number of terms so far: the rank of the next one.
    pub fn term_count(&self) -> u64 {
        self.term_count
    }

    /// Sum of the doc freqs so far.
    pub fn sum_doc_freq(&self) -> u64 {
        self.encoder_docs
    }

    /// Adds a term with the postings just encoded; terms ascend. `single_doc` is its first document.
    pub fn add(
        &mut self,
        out: &mut EnvelopeWriter<'_>,
        term: &[u8],
        single_doc: u32,
        postings: &mut PostingsEncoder,
    ) -> io::Result<()> {
        let skips_start = self.skips.len();
        postings
            .finish(&mut self.skips)
            .map_err(|what| io::Error::new(io::ErrorKind::FileTooLarge, what))?;
        self.start_term(term, self.payload_end, skips_start as u64)?;
        let known = &mut self.known;
        put_varint(known, u64::from(postings.doc_freq));
        if self.freqs_kept && postings.doc_freq > 0 {
            let more = postings.total_term_freq - u64::from(postings.doc_freq);
            put_varint(known, more);
        }
        let payload_len = (postings.blocks.len() + postings.positions().len()) as u64;
        if postings.doc_freq == 1 {
            put_varint(known, u64::from(single_doc));
        }
        if postings.doc_freq > 1 || (self.positions_kept && postings.doc_freq == 1) {
            put_varint(known, payload_len);
        }
        if postings.doc_freq > 1 && self.positions_kept {
            put_varint(known, postings.positions().len() as u64);
        }
        if postings.doc_freq as usize > BLOCK {
            put_varint(known, (self.skips.len() - skips_start) as u64);
        }
        out.write(&postings.blocks)?;
        out.write(postings.positions())?;
        self.payload_end += payload_len;
        self.encoder_docs += u64::from(postings.doc_freq);
        Ok(())
    }

    /// Adds a term without postings, for a field that only has an ordinal column.
    pub fn add_bare(&mut self, term: &[u8]) -> io::Result<()> {
        self.start_term(term, self.payload_end, self.skips.len() as u64)?;
        put_varint(&mut self.known, 0);
        Ok(())
    }

    fn start_term(&mut self, term: &[u8], payload: u64, skips: u64) -> io::Result<()> {
        if self.in_block == BLOCK_TERMS {
            self.end_block();
        }
        let shared = shared_prefix(&self.last_term, term);
        let last_known = self.term_count > 0;
        if last_known && self.last_term.as_slice() >= term {
            return Err(io::Error::other("terms out of order"));
        }
        if self.in_block == 0 {
            let start = self.blocks.len() as u64;
            let number = (self.starts.len() / 8) as u64;
            // One byte more than is shared is above the last term: that byte differs, or the last term ended.
            let key = if last_known { &term[..shared + 1] } else { &[] };
            self.index.insert(key, number).map_err(io::Error::other)?;
            self.starts.extend_from_slice(&start.to_le_bytes());
            put_varint(&mut self.known, payload);
            put_varint(&mut self.known, skips);
            put_varint(&mut self.keys, 0);
            put_sized(&mut self.keys, term);
        } else {
            put_varint(&mut self.keys, shared as u64);
            put_sized(&mut self.keys, &term[shared..]);
        }
        self.last_term.clear();
        self.last_term.extend_from_slice(term);
        self.in_block += 1;
        self.term_count += 1;
        Ok(())
    }

    fn end_block(&mut self) {
        put_varint(&mut self.blocks, self.in_block);
        put_sized(&mut self.blocks, &self.keys);
        self.blocks.extend_from_slice(&self.known);
        self.keys.clear();
        self.known.clear();
        self.in_block = 0;
    }

    /// Ends the postings section and writes skips, blocks and index. Without any term only an empty postings section stays.
    pub fn finish(mut self, out: &mut EnvelopeWriter<'_>) -> io::Result<()> {
        out.end()?;
        if self.in_block > 0 {
            self.end_block();
        }
        if self.term_count == 0 {
            return Ok(());
        }
        out.section(SectionKind::Skips, Some(self.field), &self.skips)?;
        out.begin(SectionKind::TermBlocks, Some(self.field));
        out.write(&self.blocks)?;
        out.write(&self.starts)?;
        out.write(&((self.starts.len() / 8) as u64).to_le_bytes())?;
        out.write(&self.term_count.to_le_bytes())?;
        out.end()?;
        let index = self.index.into_inner().map_err(io::Error::other)?;
        out.section(SectionKind::TermIndex, Some(self.field), &index)
    }
}

fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Where a decoder is inside of one block; offsets are from the start of the block.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockState {
    pub terms: u32,
    pub taken: u32,
    key_at: usize,
    keys_end: usize,
    known_at: usize,
    payload: u64,
    skips: u64,
}

impl BlockState {
    /// Reads the head of a block.
    pub fn open(block: &[u8]) -> Result<BlockState, Malformed> {
        let mut reader = ByteReader::new(block);
        let terms = reader.varint()?;
        if terms == 0 || terms > BLOCK_TERMS {
            return Err(Malformed("has a block of a wrong number of terms"));
        }
        let keys_len = reader.varint_len()?;
        let key_at = block.len() - reader.remaining();
        reader.take(keys_len)?;
        let payload = reader.varint()?;
        let skips = reader.varint()?;
        Ok(BlockState {
            terms: terms as u32,
            taken: 0,
            key_at,
            keys_end: key_at + keys_len,
            known_at: block.len() - reader.remaining(),
            payload,
            skips,
        })
    }

    /// Reads the next key over the key before it, and what is known; `false` at the end of the block.
    pub fn next(
        &mut self,
        block: &[u8],
        freqs_kept: bool,
        positions_kept: bool,
        key: &mut Vec<u8>,
        entry: &mut TermEntry,
    ) -> Result<bool, Malformed> {
        if self.taken == self.terms {
            return Ok(false);
        }
        let keys = block.get(self.key_at..self.keys_end);
        let mut reader = ByteReader::new(keys.ok_or(Malformed("has keys outside a block"))?);
        let shared = reader.varint_len()?;
        if shared > key.len() || (self.taken == 0 && shared != 0) {
            return Err(Malformed("has a key that shares more than there is"));
        }
        key.truncate(shared);
        key.extend_from_slice(reader.sized()?);
        self.key_at = self.keys_end - reader.remaining();
        self.next_known(block, freqs_kept, positions_kept, entry)?;
        Ok(true)
    }

    /// Goes from the head of the block over the key that is `term`, and reads what is known of it; `false` if there is none.
    /// Keys are told from it without being put together: of a sorted list only what it shares with the term counts.
    pub fn find(
        &mut self,
        block: &[u8],
        freqs_kept: bool,
        positions_kept: bool,
        term: &[u8],
        entry: &mut TermEntry,
    ) -> Result<bool, Malformed> {
        let keys = block.get(self.key_at..self.keys_end);
        let mut reader = ByteReader::new(keys.ok_or(Malformed("has keys outside a block"))?);
        // How much of the term the key before shares with it, being below it.
        let mut matched = 0;
        let mut rank = 0;
        let mut key_len = 0;
        loop {
            if rank == self.terms {
                return Ok(false);
            }
            let shared = reader.varint_len()?;
            let suffix = reader.sized()?;
            if shared > key_len {
                return Err(Malformed("has a key that shares more than there is"));
            }
            key_len = shared + suffix.len();
            if shared < matched {
                // It differs where the key before was still equal, so it is above.
                return Ok(false);
            }
            if shared == matched {
                let rest = &term[matched..];
                let same = shared_prefix(suffix, rest);
                match (suffix.get(same), rest.get(same)) {
                    (None, None) => break,
                    (None, Some(_)) => {}
                    (Some(_), None) => return Ok(false),
                    (Some(own), Some(wanted)) if own > wanted => return Ok(false),
                    _ => {}
                }
                matched += same;
            }
            rank += 1;
        }
        match (freqs_kept, positions_kept) {
            (true, true) => self.skip_known(block, true, true, rank)?,
            (freqs, positions) => self.skip_known(block, freqs, positions, rank)?,
        }
        self.next_known(block, freqs_kept, positions_kept, entry)?;
        Ok(true)
    }

    /// Passes over what is known of some terms.
    #[inline]
    fn skip_known(
        &mut self,
        block: &[u8],
        freqs_kept: bool,
        positions_kept: bool,
        terms: u32,
    ) -> Result<(), Malformed> {
        let known = block.get(self.known_at..);
        let mut reader = ByteReader::new(known.ok_or(Malformed("ends inside a block"))?);
        let (mut payload, mut skips) = (self.payload, self.skips);
        for _ in 0..terms {
            if freqs_kept
                && positions_kept
                && let Some((len, payload_len)) = short_known(reader.rest())
            {
                let end = payload.checked_add(payload_len);
                payload = end.ok_or(Malformed("has a payload past the end"))?;
                reader.take(len)?;
                continue;
            }
            let entry = read_known(&mut reader, freqs_kept, positions_kept)?;
            payload = entry.payload_end(payload)?;
            skips = entry.skips_end(skips)?;
        }
        (self.payload, self.skips) = (payload, skips);
        self.known_at = block.len() - reader.remaining();
        self.taken += terms;
        Ok(())
    }

    /// Reads what is known of the next term.
    fn next_known(
        &mut self,
        block: &[u8],
        freqs_kept: bool,
        positions_kept: bool,
        entry: &mut TermEntry,
    ) -> Result<(), Malformed> {
        let known = block.get(self.known_at..);
        let mut reader = ByteReader::new(known.ok_or(Malformed("ends inside a block"))?);
        *entry = TermEntry {
            payload: self.payload,
            skips: self.skips,
            ..read_known(&mut reader, freqs_kept, positions_kept)?
        };
        self.known_at = block.len() - reader.remaining();
        self.payload = entry.payload_end(self.payload)?;
        self.skips = entry.skips_end(self.skips)?;
        self.taken += 1;
        Ok(())
    }
}

/// How long what is known of a term is, and its payload, if freqs and positions are kept, and it is four short numbers: nearly
/// always, it is. These are told apart without a look at one after the other.
#[inline]
fn short_known(known: &[u8]) -> Option<(usize, u64)> {
    const LAST_OF_VARINT: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(*known.first_chunk()?);
    let doc_freq = word & 0xff;
    // The highest bit of the last byte of each number; that of the doc freq is the first.
    let mut ends = !word & LAST_OF_VARINT;
    let mut next = || {
        ends &= ends.wrapping_sub(1);
        ends.trailing_zeros()
    };
    let (second, third, fourth) = (next(), next(), next());
    let is_short = |from: u32, to: u32| to - from <= 32;
    if !(1..128).contains(&doc_freq)
        || fourth == 64
        || !is_short(second, third)
        || !is_short(third, fourth)
    {
        return None;
    }
    let number = |from: u32, to: u32| {
        let bits = (word >> (from + 1)) & (u64::from(u32::MAX) >> (32 - (to - from)));
        bits & 0x7f | bits >> 1 & 0x3f80 | bits >> 2 & 0x1f_c000 | bits >> 3 & 0xfe0_0000
    };
    let (before, last) = (number(second, third), number(third, fourth));
    // Of one document it is the document that comes before the length of the payload, which is positions then.
    let payload_len = if doc_freq == 1 { last } else { before };
    (last <= payload_len).then_some((fourth as usize / 8 + 1, payload_len))
}

/// Reads what is known of a term, but where its payload and its skips begin.
#[inline(always)] // of a term that is passed over only the lengths are wanted
fn read_known(
    reader: &mut ByteReader<'_>,
    freqs_kept: bool,
    positions_kept: bool,
) -> Result<TermEntry, Malformed> {
    let doc_freq = reader.varint_u32()?;
    let mut entry = TermEntry {
        doc_freq,
        total_term_freq: u64::from(doc_freq),
        ..TermEntry::default()
    };
    if freqs_kept && doc_freq > 0 {
        entry.total_term_freq = entry.total_term_freq.saturating_add(reader.varint()?);
    }
    if doc_freq == 1 {
        entry.single_doc = reader.varint_u32()?;
    }
    if doc_freq > 1 || (positions_kept && doc_freq == 1) {
        entry.payload_len = reader.varint()?;
        entry.positions_len = entry.payload_len;
    }
    if doc_freq > 1 {
        entry.positions_len = if positions_kept { reader.varint()? } else { 0 };
    }
    if doc_freq as usize > BLOCK {
        entry.skips_len = reader.varint()?;
    }
    if entry.positions_len > entry.payload_len {
        return Err(Malformed("has positions longer than their payload"));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn four_short_numbers_are_told_as_they_are_read(
            numbers in proptest::collection::vec(prop_oneof![0u64..300, 0u64..1 << 30, any::<u64>()], 1..6),
            doc_freq in prop_oneof![0u64..4, 100u64..200],
            noise in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            let mut written = Vec::new();
            put_varint(&mut written, doc_freq);
            numbers.iter().for_each(|number| put_varint(&mut written, *number));
            for known in [written, noise] {
                let mut reader = ByteReader::new(&known);
                let read = read_known(&mut reader, true, true);
                if let Some((len, payload_len)) = short_known(&known) {
                    let entry = read.unwrap();
                    prop_assert_eq!((entry.payload_len, entry.skips_len), (payload_len, 0));
                    prop_assert_eq!(known.len() - reader.remaining(), len);
                }
            }
        }
    }

    #[test]
    fn what_is_known_of_most_terms_is_short() {
        for numbers in [[1, 0, 99_000, 2], [127, 300, 900, 800], [2, 0, 3, 3]] {
            let mut known = Vec::new();
            numbers
                .iter()
                .for_each(|number| put_varint(&mut known, *number));
            known.resize(8, 7);
            let payload_len = numbers[if numbers[0] == 1 { 3 } else { 2 }];
            assert_eq!(short_known(&known).map(|(_, len)| len), Some(payload_len));
        }
    }
}
