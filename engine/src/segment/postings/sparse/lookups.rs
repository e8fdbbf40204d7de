//! Documents looked up in any order: where they are in the list, how often it has them, and at which positions.

use super::{SparseCursor, Spot};
use crate::format::bytes::Malformed;
use crate::format::v2::{BLOCK, decode_freq, decode_freqs, docs_len};
use crate::format::v3::PositionsPart;
use crate::segment::ReadError;
use crate::segment::postings::PostingsNeed;
use crate::segment::postings::positions::{DocPositions, Place, are_by_block, positions_bytes};
use crate::segment::postings::positions_v2::PositionsReader;
use crate::simd;
use crate::simd::scoring::{STRETCH_DOCS, StretchBits, rank_of, ranks_of, slot_of};

/// Where the positions of the documents of a block are in the stream of the term, of codec 2.
pub(super) struct Places {
    /// The block that `lasts` is for.
    block: usize,
    /// Occurrences before the block.
    before: u32,
    /// Occurrences up to each document of the block, itself included.
    lasts: [u32; BLOCK],
    positions: PositionsReader,
}

impl Places {
    fn new() -> Box<Places> {
        Box::new(Places {
            block: usize::MAX,
            before: 0,
            lasts: [0; BLOCK],
            positions: PositionsReader::new(),
        })
    }

    /// Adds up the freqs that `lasts` holds, those of a block of `len` documents.
    fn add_up(&mut self, block: usize, before: u32, len: usize) {
        (self.block, self.before) = (block, before);
        if len == BLOCK {
            (simd::kernels().scoring.lane_sums)(before, 0, &mut self.lasts);
            return;
        }
        let mut sum = before;
        for last in &mut self.lasts[..len] {
            sum = sum.wrapping_add(*last);
            *last = sum;
        }
    }

    /// Occurrences before the document in a slot of the block, which has `len`, and how many that document has.
    fn of(&self, slot: usize, len: usize) -> (u32, u32) {
        let before = if len == BLOCK {
            rank_of(slot).checked_sub(1).map(slot_of)
        } else {
            slot.checked_sub(1)
        };
        let first = before.map_or(self.before, |before| self.lasts[before]);
        (first, self.lasts[slot].wrapping_sub(first))
    }
}

impl SparseCursor {
    /// The bytes of the freqs of a block, which may reach further; its documents need not be decoded.
    fn freq_bytes(&self, block: usize) -> Result<&[u8], ReadError> {
        let (place, len) = self.place_of(block)?;
        let bytes = self.dictionary.postings.read_ahead(place, len)?;
        let docs = docs_len(bytes, self.len_of(block)).filter(|docs| *docs as u64 <= len);
        match docs {
            Some(docs) => Ok(&bytes[docs..]),
            None => Err(self.malformed(Malformed("has a block that ends too early"))),
        }
    }

    /// The frequency in a slot of any block.
    pub fn freq_at_spot(&self, spot: Spot) -> Result<u32, ReadError> {
        if !self.dictionary.freqs_kept || self.need < PostingsNeed::Freqs {
            return Ok(1);
        }
        if self.entry.doc_freq == 1 {
            return Ok(self.entry.total_term_freq.min(u64::from(u32::MAX)) as u32);
        }
        let block = spot.block as usize;
        let bytes = self.freq_bytes(block)?;
        decode_freq(bytes, self.len_of(block), usize::from(spot.slot))
            .map_err(|what| self.malformed(what))
    }

    /// Decodes the freqs of any block, by slot.
    pub fn freqs_of(&self, block: usize, freqs: &mut [u32; BLOCK]) -> Result<(), ReadError> {
        if !self.dictionary.freqs_kept || self.need < PostingsNeed::Freqs {
            freqs.fill(1);
            return Ok(());
        }
        if self.entry.doc_freq == 1 {
            freqs[0] = self.entry.total_term_freq.min(u64::from(u32::MAX)) as u32;
            return Ok(());
        }
        let bytes = self.freq_bytes(block)?;
        decode_freqs(bytes, self.len_of(block), freqs).map_err(|what| self.malformed(what))
    }

    /// Where a document is, if the list has it. Any order of documents is right, an ascending one is fast.
    pub fn spot(&mut self, doc: u32) -> Result<Option<Spot>, ReadError> {
        let slot = self.find(doc)?;
        Ok(slot.map(|slot| Spot {
            doc,
            block: self.block as u32,
            slot: slot as u8,
        }))
    }

    /// Appends where those of `wanted`, ascending, are that the list has.
    pub fn spots_of(&mut self, wanted: &[u32], spots: &mut Vec<Spot>) -> Result<(), ReadError> {
        let mut slots = [0u8; BLOCK];
        let mut rest = wanted;
        while let Some(first) = rest.first() {
            let at_hand = self.block < self.blocks
                && self.first_possible <= *first
                && *first <= self.last_loaded();
            if !at_hand {
                let ahead = self.block < self.blocks && self.last_loaded() < *first;
                let block = self.block_with(*first, if ahead { self.block + 1 } else { 0 });
                if block >= self.blocks {
                    return Ok(());
                }
                self.load(block)?;
            }
            let last = self.last_loaded();
            let mut count = 1;
            while count < rest.len().min(BLOCK) && rest[count] <= last {
                count += 1;
            }
            let (now, later) = rest.split_at(count);
            (simd::kernels().scoring.find_each)(&self.docs, now, &mut slots);
            for (doc, slot) in now.iter().zip(slots) {
                if usize::from(slot) < self.len {
                    let block = self.block as u32;
                    let doc = *doc;
                    spots.push(Spot { doc, block, slot });
                }
            }
            rest = later;
        }
        Ok(())
    }

    /// Appends where those documents of the list are, in blocks from one up to another, whose bit is set in the stretch at
    /// `base`, ascending.
    pub fn spots_among(
        &mut self,
        blocks: std::ops::RangeInclusive<usize>,
        base: u32,
        bits: &StretchBits,
        spots: &mut Vec<Spot>,
    ) -> Result<(), ReadError> {
        for block in blocks {
            if self.skips.is_some() {
                let first = block.checked_sub(1).map_or(0, |b| self.last_docs[b]);
                if !any_between(bits, base, first, self.last_docs[block]) {
                    continue;
                }
            }
            self.load(block)?;
            let mut among = (simd::kernels().scoring.among)(&self.docs, base, bits);
            if self.len < BLOCK {
                among &= (1 << self.len) - 1;
            }
            if among == 0 {
                continue;
            }
            let full = self.len == BLOCK;
            let mut ranks = if full { ranks_of(among) } else { among };
            while ranks != 0 {
                let rank = ranks.trailing_zeros() as usize;
                let slot = if full { slot_of(rank) } else { rank };
                spots.push(Spot {
                    doc: self.docs[slot],
                    block: block as u32,
                    slot: slot as u8,
                });
                ranks &= ranks - 1;
            }
        }
        Ok(())
    }

    /// The slot of a document in the block that could have it, which is then at hand; `None` if it does not. Any order of
    /// documents is right, an ascending one is fast.
    #[inline]
    pub fn find(&mut self, doc: u32) -> Result<Option<usize>, ReadError> {
        if self.found.0 == doc && self.block < self.blocks {
            return Ok(Some(self.found.1));
        }
        let slot = self.search(doc)?;
        if let Some(slot) = slot {
            self.found = (doc, slot);
        }
        Ok(slot)
    }

    fn search(&mut self, doc: u32) -> Result<Option<usize>, ReadError> {
        if !(self.block < self.blocks && self.first_possible <= doc && doc <= self.last_loaded()) {
            let ahead = self.block < self.blocks && self.last_loaded() < doc;
            let from = if ahead { self.block + 1 } else { 0 };
            let block = self.block_with(doc, from);
            if block >= self.blocks {
                return Ok(None);
            }
            self.load(block)?;
        }
        let slot = (simd::kernels().scoring.find)(&self.docs, doc);
        Ok((slot < self.len).then_some(slot))
    }

    /// Appends the positions of the document in a slot of the block at hand.
    pub fn positions_at(&mut self, slot: usize, positions: &mut Vec<u32>) -> Result<(), ReadError> {
        self.positions_in(self.block, slot, positions)
    }

    /// Appends the positions of the document in a slot of any block.
    pub fn positions_in(
        &mut self,
        block: usize,
        slot: usize,
        positions: &mut Vec<u32>,
    ) -> Result<(), ReadError> {
        if !self.dictionary.positions_kept || self.need < PostingsNeed::Positions {
            return Ok(());
        }
        if are_by_block(&self.dictionary, self.need) {
            let place = self.place_of_positions(block, slot)?;
            let bytes = positions_bytes(&self.dictionary, &self.entry, place.from, place.to)?;
            return PositionsPart::open(bytes, place.docs)
                .and_then(|part| part.read(place.rank, positions))
                .map_err(|what| self.malformed(what));
        }
        let len = self.len_of(block);
        let mut places = self.places.take().unwrap_or_else(Places::new);
        if places.block != block {
            let before = match &self.skips {
                Some(skips) => skips.positions_at(self.region()?, block),
                None => 0,
            };
            places.block = usize::MAX;
            self.freqs_of(block, &mut places.lasts)?;
            places.add_up(block, before, len);
        }
        let (first, count) = places.of(slot, len);
        let (dictionary, entry) = (&self.dictionary, &self.entry);
        let read = places
            .positions
            .read(dictionary, entry, u64::from(first), count, positions);
        self.places = Some(places);
        read
    }

    /// Where the positions of the document in a slot of a block are.
    #[inline]
    fn place_of_positions(&self, block: usize, slot: usize) -> Result<Place, ReadError> {
        let (mut from, mut to) = (0, self.entry.positions_len);
        if let Some(skips) = &self.skips {
            let region = self.region()?;
            from = u64::from(skips.positions_at(region, block));
            if block + 1 < self.blocks {
                to = u64::from(skips.positions_at(region, block + 1));
            }
        }
        let docs = self.len_of(block);
        let rank = if docs == BLOCK { rank_of(slot) } else { slot };
        Ok(Place {
            from,
            to,
            docs,
            rank,
        })
    }

    /// Calls back with the positions in the documents at some spots, in order, and with the number of each among them.
    pub fn visit_positions(
        &mut self,
        spots: impl Iterator<Item = Spot>,
        mut each: impl FnMut(usize, DocPositions<'_>) -> Result<(), Malformed>,
    ) -> Result<(), ReadError> {
        if !are_by_block(&self.dictionary, self.need) {
            let mut positions = Vec::new();
            for (number, spot) in spots.enumerate() {
                positions.clear();
                let slot = usize::from(spot.slot);
                self.positions_in(spot.block as usize, slot, &mut positions)?;
                let visited = each(number, DocPositions::Listed(&positions));
                visited.map_err(|what| self.malformed(what))?;
            }
            return Ok(());
        }
        let mut at_hand: Option<(u32, PositionsPart<'_>)> = None;
        for (number, spot) in spots.enumerate() {
            let place = self.place_of_positions(spot.block as usize, usize::from(spot.slot))?;
            let part = match at_hand {
                Some((block, part)) if block == spot.block => part,
                _ => {
                    let (from, to) = (place.from, place.to);
                    let bytes = positions_bytes(&self.dictionary, &self.entry, from, to)?;
                    let part = PositionsPart::open(bytes, place.docs);
                    part.map_err(|what| self.malformed(what))?
                }
            };
            at_hand = Some((spot.block, part));
            let visited = each(number, DocPositions::Packed(part, place.rank));
            visited.map_err(|what| self.malformed(what))?;
        }
        Ok(())
    }
}

/// Whether some bit of documents after `first` up to `last` is set in the stretch at `base`; may say so of a few around them.
fn any_between(bits: &StretchBits, base: u32, first: u32, last: u32) -> bool {
    let end = STRETCH_DOCS - 1;
    let from = first.saturating_sub(base).min(end) as usize / 64;
    let to = last.saturating_sub(base).min(end) as usize / 64;
    last >= base && bits[from..=to].iter().any(|word| *word != 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::directory::ByteView;
    use crate::document::{ColumnKind, IndexOptions};
    use crate::segment::hostile_tests::{field, frozen};
    use crate::segment::{List, SegmentReader};

    const MAX_DOC: u32 = 8000;

    /// The list of a term that documents have so often, and what they have.
    fn list(every: u32, count: u32) -> (SparseCursor, BTreeMap<u32, u32>) {
        // Steps of `every` or one more, so that gaps differ; frequencies from 1 to 40.
        let docs = (0..count).map(|n| (n * every + n * n % 2, 1 + n * 7 % 40));
        let freqs: BTreeMap<u32, u32> = docs.collect();
        let documents = (0..MAX_DOC).map(|doc| {
            let mut text = field("text", IndexOptions::Positions, ColumnKind::None);
            for position in 0..freqs.get(&doc).copied().unwrap_or(0) {
                text.terms.push(b"w", position);
            }
            text.terms.push(b"all", 50);
            text.terms.length = 51;
            vec![text]
        });
        let frozen = frozen(documents);
        let reader = SegmentReader::open(frozen.id, ByteView::new(frozen.bytes)).unwrap();
        let terms = reader.terms("text").unwrap().unwrap();
        let info = terms.get(b"w").unwrap().unwrap();
        let cursor = terms.postings(&info, PostingsNeed::Positions).unwrap();
        let Ok(List::Sparse(cursor)) = cursor.into_list() else {
            panic!("a list of blocks");
        };
        (*cursor, freqs)
    }

    /// What the spots say, by what is read at them.
    fn check_spots(cursor: &SparseCursor, spots: &[Spot], freqs: &BTreeMap<u32, u32>) {
        let mut whole = [0; BLOCK];
        for spot in spots {
            cursor.freqs_of(spot.block as usize, &mut whole).unwrap();
            assert_eq!(
                Some(&whole[usize::from(spot.slot)]),
                freqs.get(&spot.doc),
                "{spot:?}"
            );
            assert_eq!(
                Some(&cursor.freq_at_spot(*spot).unwrap()),
                freqs.get(&spot.doc),
                "{spot:?}"
            );
        }
    }

    #[test]
    fn documents_are_found_one_by_one_and_among_the_bits_of_a_stretch() {
        // One document, a part of a block, one block, whole blocks, whole blocks and a part of one.
        for (every, count) in [(1, 1), (150, 50), (60, 128), (29, 256), (23, 300)] {
            let (mut cursor, freqs) = list(every, count);
            let mut bits = [0; STRETCH_DOCS as usize / 64];
            for (step, base) in [(1, 0), (1, 2944), (3, 64), (7, 1280), (40, 0), (89, 2048)] {
                let turned = |doc: &u32| doc.wrapping_mul(2_654_435_761) >> 8;
                let wanted: Vec<u32> = (base..MAX_DOC)
                    .filter(|doc| turned(doc).is_multiple_of(step))
                    .collect();
                let kept = wanted.iter().filter(|doc| freqs.contains_key(doc));
                let expected: Vec<u32> = kept.copied().collect();
                let mut spots = Vec::new();
                cursor.spots_of(&wanted, &mut spots).unwrap();
                check_spots(&cursor, &spots, &freqs);
                let found: Vec<u32> = spots.iter().map(|spot| spot.doc).collect();
                assert_eq!(found, expected, "{count} documents, from {base}");

                for doc in &wanted {
                    bits[(doc - base) as usize / 64] |= 1 << (doc % 64);
                }
                let blocks = cursor.block_with(base, 0)..=cursor.block_count() - 1;
                let mut among = Vec::new();
                cursor.spots_among(blocks, base, &bits, &mut among).unwrap();
                bits.fill(0);
                assert_eq!(among, spots, "{count} documents, from {base}");
            }
        }
    }

    #[test]
    fn positions_are_those_of_the_document_in_the_slot() {
        let (mut cursor, freqs) = list(23, 300);
        let mut positions = Vec::new();
        // Backwards, so that no block is the one at hand.
        for (doc, freq) in freqs.iter().rev() {
            let spot = cursor.spot(*doc).unwrap().unwrap();
            positions.clear();
            cursor
                .positions_in(spot.block as usize, usize::from(spot.slot), &mut positions)
                .unwrap();
            assert_eq!(positions, (0..*freq).collect::<Vec<_>>());
        }
        assert_eq!(cursor.spot(1).unwrap(), None);
        assert_eq!(cursor.spot(MAX_DOC - 1).unwrap(), None);
    }
}
