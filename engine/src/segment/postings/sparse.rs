//! The cursor over a list kept in blocks of 128 documents, of format v2.

use std::sync::Arc;

use super::super::terms::Dictionary;
use super::super::{ReadError, WINDOW_DOCS, Window};
use super::positions::PositionsReader;
use super::{Impact, Pairs, PostingsNeed, pairs_at, pairs_of, window_count};
use crate::format::bytes::Malformed;
use crate::format::impacts::ImpactSet;
use crate::format::v1::terms::TermEntry;
use crate::format::v2::{BLOCK, SparseSkips, decode_docs, decode_freq, decode_freqs, docs_len};
use crate::ids::DocId;
use crate::simd;
use crate::simd::scoring::{STRETCH_DOCS, StretchBits, Weights, rank_of, ranks_of, slot_of};

/// The bound of a list that keeps no frequencies.
const NO_FREQS: Impact = Impact { freq: 1, norm: 1 };

/// Walks over a sparse list; executors take it block by block.
pub(crate) struct SparseCursor {
    dictionary: Arc<Dictionary>,
    entry: TermEntry,
    need: PostingsNeed,
    blocks: usize,
    skips: Option<SparseSkips>,
    /// The last document of each block, with skips.
    last_docs: Vec<u32>,
    /// The block in `docs`; `usize::MAX` before the first, `blocks` after the last.
    block: usize,
    /// Documents and freqs of the block, lane-major if it is full.
    docs: [u32; BLOCK],
    freqs: [u32; BLOCK],
    len: usize,
    /// Documents before this one cannot be in the block.
    first_possible: u32,
    /// The document of the block that was found last, and its slot.
    found: (u32, usize),
    rank: usize,
    doc: u32,
    /// Where the freqs of the block are; `None` once they are decoded.
    freqs_waiting: Option<(u64, u64)>,
    /// Made when positions are first asked for.
    places: Option<Box<Places>>,
    impacts: Vec<Impact>,
}

/// Where a document was found in a sparse list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub doc: u32,
    pub block: u32,
    pub slot: u8,
}

/// Where the positions of the documents of a block are in the term's stream.
struct Places {
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

impl std::fmt::Debug for SparseCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SparseCursor({} blocks)", self.blocks)
    }
}

impl SparseCursor {
    pub(super) fn open(
        dictionary: Arc<Dictionary>,
        entry: &TermEntry,
        need: PostingsNeed,
    ) -> Result<SparseCursor, ReadError> {
        let blocks = (entry.doc_freq as usize).div_ceil(BLOCK);
        let mut cursor = SparseCursor {
            entry: *entry,
            need,
            blocks,
            skips: None,
            last_docs: Vec::new(),
            block: usize::MAX,
            docs: [0; BLOCK],
            freqs: [1; BLOCK],
            len: 0,
            first_possible: 0,
            found: (u32::MAX, 0),
            rank: 0,
            doc: 0,
            freqs_waiting: None,
            places: None,
            impacts: Vec::new(),
            dictionary,
        };
        if blocks > 1 {
            let dictionary = &cursor.dictionary;
            let region = cursor.region()?;
            let skips = SparseSkips::open(
                region,
                entry.doc_freq,
                dictionary.freqs_kept,
                dictionary.positions_kept,
            )
            .map_err(|what| dictionary.skips.malformed(what))?;
            let last_docs = skips.last_docs(region);
            if !last_docs.is_sorted_by(|a, b| a < b) {
                return Err(cursor.disorder());
            }
            cursor.last_docs = last_docs;
            cursor.skips = Some(skips);
        }
        Ok(cursor)
    }

    #[inline]
    fn region(&self) -> Result<&[u8], ReadError> {
        let entry = &self.entry;
        self.dictionary.skips.read(entry.skips, entry.skips_len)
    }

    fn malformed(&self, what: Malformed) -> ReadError {
        self.dictionary.postings.malformed(what)
    }

    /// What is wrong with skips whose blocks do not ascend.
    #[cold]
    pub fn disorder(&self) -> ReadError {
        self.dictionary.skips.error("has blocks out of order")
    }

    /// Number of blocks.
    pub fn block_count(&self) -> usize {
        self.blocks
    }

    /// The last document of a block; of a list of a single block, the last possible one.
    #[inline]
    pub fn last_doc(&self, block: usize) -> u32 {
        let last = self.last_docs.get(block).copied();
        last.unwrap_or(self.dictionary.max_doc.saturating_sub(1))
    }

    /// The first block at or after `from` whose last document is not before `target`; with a single block, that one.
    #[inline]
    pub fn block_with(&self, target: u32, from: usize) -> usize {
        if self.skips.is_none() {
            return from.min(1);
        }
        // Near first: most leaps are short.
        let lasts = &self.last_docs[from.min(self.blocks)..];
        let mut step = 1;
        while lasts.get(step - 1).is_some_and(|last| *last < target) {
            step *= 2;
        }
        let (low, high) = (step / 2, step.min(lasts.len()));
        let low = low.min(high);
        from + low + lasts[low..high].partition_point(|last| *last < target)
    }

    /// Decodes the documents of a block, unless it is there already; after an error the cursor is at its end.
    #[inline]
    pub fn load(&mut self, block: usize) -> Result<(), ReadError> {
        if self.block == block {
            return Ok(());
        }
        let loaded = self.try_load(block);
        if loaded.is_err() {
            self.finish();
        }
        loaded
    }

    fn try_load(&mut self, block: usize) -> Result<(), ReadError> {
        self.freqs_waiting = None;
        self.block = block;
        self.rank = 0;
        self.len = (self.entry.doc_freq as usize - block * BLOCK).min(BLOCK);
        let max_doc = self.dictionary.max_doc;
        self.first_possible = 0;
        self.found = (u32::MAX, 0);
        if self.entry.doc_freq == 1 {
            if self.entry.single_doc >= max_doc {
                return Err(self.malformed(Malformed("has a single document past the end")));
            }
            self.docs[0] = self.entry.single_doc;
            self.freqs[0] = self.entry.total_term_freq.min(u64::from(u32::MAX)) as u32;
            return Ok(());
        }
        let (place, len) = self.place_of(block)?;
        let before = match &self.skips {
            Some(_) => block.checked_sub(1).map(|before| self.last_docs[before]),
            None => None,
        };
        self.first_possible = before.map_or(0, |before| before.saturating_add(1));
        let bytes = self.dictionary.postings.read_ahead(place, len)?;
        let taken = decode_docs(bytes, self.len, before, max_doc, &mut self.docs)
            .map_err(|what| self.dictionary.postings.malformed(what))? as u64;
        if taken > len {
            return Err(self.malformed(Malformed("has a block that ends too early")));
        }
        if self.skips.is_some() && self.last_loaded() != self.last_docs[block] {
            let what = Malformed("has a block that ends with another document than its skips say");
            return Err(self.malformed(what));
        }
        if self.dictionary.freqs_kept && self.need >= PostingsNeed::Freqs {
            self.freqs_waiting = Some((place + taken, len - taken));
        }
        Ok(())
    }

    /// Where the bytes of a block are, and how many.
    #[inline]
    fn place_of(&self, block: usize) -> Result<(u64, u64), ReadError> {
        let blocks_len = self.entry.payload_len - self.entry.positions_len;
        let (start, end) = match &self.skips {
            None => (0, blocks_len),
            Some(skips) => skips.block(self.region()?, block),
        };
        if start > end || end > blocks_len {
            return Err(self.malformed(Malformed("has blocks outside their payload")));
        }
        let place = self.entry.payload.checked_add(start);
        let place = place.ok_or_else(|| self.malformed(Malformed("has a payload past the end")))?;
        Ok((place, end - start))
    }

    /// Number of documents of a block.
    #[inline]
    fn len_of(&self, block: usize) -> usize {
        (self.entry.doc_freq as usize - block * BLOCK).min(BLOCK)
    }

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

    /// Decodes the freqs of the block at hand; the block cannot be read if they are broken.
    #[inline]
    pub fn load_freqs(&mut self) -> Result<(), ReadError> {
        let Some((place, len)) = self.freqs_waiting.take() else {
            return Ok(());
        };
        let bytes = self.dictionary.postings.read_ahead(place, len)?;
        let decoded = decode_freqs(bytes, self.len, &mut self.freqs);
        if let Err(what) = decoded {
            self.finish();
            return Err(self.malformed(what));
        }
        Ok(())
    }

    /// Documents of the block at hand, in order of slot.
    #[inline]
    pub fn docs(&self) -> &[u32] {
        &self.docs[..self.len]
    }

    /// The first document that the block at hand may have, and its last one.
    #[inline]
    pub fn reach(&self) -> (u32, u32) {
        (self.first_possible, self.last_loaded())
    }

    /// Their frequencies, once loaded, in the same order.
    #[inline]
    pub fn freqs(&self) -> &[u32] {
        &self.freqs[..self.len]
    }

    /// Copies documents and frequencies of the block at hand, ascending; answers how many.
    pub fn copy_ranked(&self, docs: &mut [u32], freqs: &mut [u32]) -> usize {
        let full = self.len == BLOCK;
        for rank in 0..self.len {
            let slot = if full { slot_of(rank) } else { rank };
            (docs[rank], freqs[rank]) = (self.docs[slot], self.freqs[slot]);
        }
        self.len
    }

    /// Copies the documents of the block at hand, ascending; answers how many.
    pub fn copy_ranked_docs(&self, docs: &mut [u32]) -> usize {
        if self.len < BLOCK {
            docs[..self.len].copy_from_slice(self.docs());
            return self.len;
        }
        for (rank, doc) in docs[..BLOCK].iter_mut().enumerate() {
            *doc = self.docs[slot_of(rank)];
        }
        BLOCK
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

    #[inline]
    fn slot(&self, rank: usize) -> usize {
        if self.len == BLOCK {
            slot_of(rank)
        } else {
            rank
        }
    }

    #[inline]
    fn last_loaded(&self) -> u32 {
        self.docs[self.len - 1]
    }

    /// How many documents of the block at hand are before `target`.
    #[inline]
    fn count_below(&self, target: u32) -> usize {
        if self.len == BLOCK {
            (simd::kernels().scoring.count_below)(&self.docs, target)
        } else {
            self.docs[..self.len].partition_point(|doc| *doc < target)
        }
    }

    fn finish(&mut self) -> DocId {
        self.block = self.blocks;
        (self.len, self.rank) = (0, 0);
        self.freqs_waiting = None;
        self.doc = DocId::NO_MORE.0;
        DocId::NO_MORE
    }

    #[inline]
    fn is_loaded(&self) -> bool {
        self.block != usize::MAX
    }

    #[inline]
    fn stand(&mut self, rank: usize) -> DocId {
        self.rank = rank;
        self.doc = self.docs[self.slot(rank)];
        DocId(self.doc)
    }

    #[inline]
    pub fn doc(&self) -> DocId {
        DocId(self.doc)
    }

    #[inline]
    pub fn next(&mut self) -> Result<DocId, ReadError> {
        if self.rank + 1 < self.len {
            return Ok(self.stand(self.rank + 1));
        }
        self.next_loaded()
    }

    /// Goes to the first document of the block after the one at hand.
    fn next_loaded(&mut self) -> Result<DocId, ReadError> {
        let block = self.block.wrapping_add(1);
        if block >= self.blocks {
            return Ok(self.finish());
        }
        self.load(block)?;
        Ok(self.stand(0))
    }

    pub fn advance(&mut self, target: DocId) -> Result<DocId, ReadError> {
        if self.is_loaded() {
            if self.doc >= target.0 {
                return Ok(DocId(self.doc));
            }
        } else if self.blocks == 0 {
            return Ok(self.finish());
        }
        if !self.is_loaded() || self.last_loaded() < target.0 {
            let block = self.block_with(target.0, self.block.wrapping_add(1));
            if block >= self.blocks {
                return Ok(self.finish());
            }
            self.load(block)?;
            if self.last_loaded() < target.0 {
                // Only without skips, where the block was not known before.
                return Ok(self.finish());
            }
        }
        Ok(self.stand(self.count_below(target.0)))
    }

    #[inline]
    pub fn freq(&mut self) -> u32 {
        // Broken freqs end the cursor, which then answers the bound of nothing.
        if self.load_freqs().is_err() {
            return 1;
        }
        self.freqs[self.slot(self.rank)]
    }

    pub fn positions(&mut self, positions: &mut Vec<u32>) -> Result<(), ReadError> {
        positions.clear();
        if self.rank >= self.len {
            return Ok(());
        }
        self.positions_at(self.slot(self.rank), positions)
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
        let mut places = self.places.take().unwrap_or_else(Places::new);
        let len = self.len_of(block);
        if places.block != block {
            let before = match &self.skips {
                Some(skips) => skips.freqs_before(self.region()?, block),
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

    pub fn cost(&self) -> u32 {
        self.entry.doc_freq
    }

    pub fn impacts(&mut self) -> Result<&[Impact], ReadError> {
        let block = if self.is_loaded() { self.block } else { 0 };
        let block = block.min(self.blocks.saturating_sub(1));
        self.impacts.clear();
        if !self.dictionary.freqs_kept {
            self.impacts.push(NO_FREQS);
        } else if let Some(skips) = self.skips {
            let region = self
                .dictionary
                .skips
                .read(self.entry.skips, self.entry.skips_len)?;
            if let Some(rows) = skips.impacts(region) {
                let freqs = rows.freqs.map(|column| column[block]);
                let norms = rows.norms.map(|column| column[block]);
                pairs_of(freqs, norms, &mut self.impacts);
            }
        } else {
            self.impacts = self.only_impacts()?;
        }
        Ok(&self.impacts)
    }

    pub fn max_impacts(&mut self) -> Result<&[Impact], ReadError> {
        let Some(skips) = &self.skips else {
            return self.impacts();
        };
        let entry = &self.entry;
        let region = self.dictionary.skips.read(entry.skips, entry.skips_len)?;
        match skips.best(region) {
            Some(rows) => {
                let (freqs, norms) = (rows.freqs.map(|row| row[0]), rows.norms.map(|row| row[0]));
                pairs_of(freqs, norms, &mut self.impacts);
            }
            None => self.impacts = vec![NO_FREQS],
        }
        Ok(&self.impacts)
    }

    /// Works out the bounds of a list of one block, of which none are stored.
    fn only_impacts(&self) -> Result<Vec<Impact>, ReadError> {
        // This cursor may be past its end, its block gone: read it anew, beside it.
        let need = PostingsNeed::Freqs;
        let mut copy = SparseCursor::open(self.dictionary.clone(), &self.entry, need)?;
        let mut set = ImpactSet::default();
        if self.blocks > 0 {
            copy.load(0)?;
            copy.load_freqs()?;
            for (doc, freq) in copy.docs().iter().zip(copy.freqs()) {
                let norm = match &self.dictionary.norms {
                    Some(norms) => norms.norm(DocId(*doc)).max(1),
                    None => 1,
                };
                set.add(Impact { freq: *freq, norm });
            }
        }
        let mut impacts = set.capped();
        if impacts.is_empty() {
            impacts.push(NO_FREQS);
        }
        Ok(impacts)
    }

    /// The pairs that bound a block; `None` where none are kept.
    pub fn pairs(&self, block: usize) -> Result<Option<Pairs>, ReadError> {
        let skips = self.skips.as_ref();
        let rows = match skips {
            Some(skips) => skips.impacts(self.region()?),
            None => None,
        };
        Ok(rows.and_then(|rows| pairs_at(&rows, block)))
    }

    /// Bounds of all blocks.
    pub fn block_bounds(
        &mut self,
        weights: Weights<'_>,
        out: &mut Vec<f32>,
    ) -> Result<(), ReadError> {
        out.clear();
        out.resize(self.blocks, 0.0);
        if let Some(skips) = &self.skips
            && let Some(rows) = skips.impacts(self.region()?)
        {
            (simd::kernels().scoring.bounds)(rows, weights, out);
            return Ok(());
        }
        let mut bound = 0.0f32;
        for impact in self.max_impacts()? {
            let inverse = weights.inverse[usize::from(impact.norm)];
            let part = 1.0 + impact.freq as f32 * inverse;
            bound = bound.max(weights.weight - weights.weight / part);
        }
        out.fill(bound);
        Ok(())
    }

    /// Windows of the segment.
    pub fn window_count(&self) -> usize {
        window_count(self.dictionary.max_doc)
    }

    /// For each window of the segment, the greatest of the values given for the blocks that reach into it; `none` where none
    /// does.
    pub fn spread(
        &self,
        of_blocks: &[f32],
        none: f32,
        out: &mut Vec<f32>,
    ) -> Result<(), ReadError> {
        out.clear();
        out.resize(self.window_count(), none);
        let mut first = 0;
        for (block, value) in of_blocks.iter().enumerate() {
            let last = (self.last_doc(block) / WINDOW_DOCS) as usize;
            if first > last || last >= out.len() {
                return Err(self.disorder());
            }
            for slot in &mut out[first..=last] {
                *slot = slot.max(*value);
            }
            first = last;
        }
        Ok(())
    }

    pub fn window_bounds(&mut self, weights: Weights<'_>) -> Result<Vec<f32>, ReadError> {
        let (mut blocks, mut windows) = (Vec::new(), Vec::new());
        self.block_bounds(weights, &mut blocks)?;
        self.spread(&blocks, 0.0, &mut windows)?;
        Ok(windows)
    }

    pub fn fill_window(&mut self, base: DocId, bits: &mut Window) -> Result<(), ReadError> {
        self.advance(base)?;
        let end = base.0.saturating_add(WINDOW_DOCS);
        while self.doc < end {
            if self.rank == 0 && self.last_loaded() < end {
                for doc in &self.docs[..self.len] {
                    bits.set(doc - base.0);
                }
                self.next_loaded()?;
                continue;
            }
            let inside = self.count_below(end);
            for rank in self.rank..inside {
                bits.set(self.docs[self.slot(rank)] - base.0);
            }
            if inside < self.len {
                self.stand(inside);
            } else {
                self.next_loaded()?;
            }
        }
        Ok(())
    }

    pub fn take_block(
        &mut self,
        end: DocId,
        docs: &mut [u32; 128],
        freqs: &mut [u32; 128],
    ) -> Result<usize, ReadError> {
        if self.doc >= end.0 {
            return Ok(0);
        }
        self.load_freqs()?;
        let inside = match self.last_loaded() < end.0 {
            true => self.len,
            false => self.count_below(end.0),
        };
        let mut count = 0;
        for rank in self.rank..inside {
            let slot = self.slot(rank);
            (docs[count], freqs[count]) = (self.docs[slot], self.freqs[slot]);
            count += 1;
        }
        if inside < self.len {
            self.stand(inside);
        } else {
            self.next_loaded()?;
        }
        Ok(count)
    }
}

/// Whether some bit of documents after `first` up to `last` is set in the stretch at `base`; may say so of a few around them.
fn any_between(bits: &StretchBits, base: u32, first: u32, last: u32) -> bool {
    let end = STRETCH_DOCS - 1;
    let from = first.saturating_sub(base).min(end) as usize / 64;
    let to = last.saturating_sub(base).min(end) as usize / 64;
    last >= base && bits[from..=to].iter().any(|word| *word != 0)
}
