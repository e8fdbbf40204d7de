//! The cursor over a list kept in blocks of 128 documents, of format v2.

use std::sync::Arc;

use super::super::terms::Dictionary;
use super::super::{ReadError, WINDOW_DOCS, Window};
use super::positions::PositionsReader;
use super::{Impact, PostingsNeed, pairs_of, window_count};
use crate::format::bytes::Malformed;
use crate::format::impacts::ImpactSet;
use crate::format::v1::terms::TermEntry;
use crate::format::v2::{BLOCK, SparseSkips, decode_docs, decode_freq, decode_freqs};
use crate::ids::DocId;
use crate::simd;
use crate::simd::scoring::{Weights, slot_of};

/// The bound of a list that keeps no frequencies.
const NO_FREQS: Impact = Impact { freq: 1, norm: 1 };

/// Walks over a sparse list; executors take it block by block.
pub(crate) struct SparseCursor {
    dictionary: Arc<Dictionary>,
    entry: TermEntry,
    need: PostingsNeed,
    blocks: usize,
    skips: Option<SparseSkips>,
    /// Of each block, with skips: the last document, and where the block ends in the payload.
    last_docs: Vec<u32>,
    block_ends: Vec<u32>,
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

/// Where the positions of the documents of a block are in the term's stream.
struct Places {
    /// The block that `lasts` is for.
    block: usize,
    /// Occurrences up to each document of the block, itself included.
    lasts: [u32; BLOCK],
    positions: PositionsReader,
}

impl Places {
    fn new() -> Box<Places> {
        Box::new(Places {
            block: usize::MAX,
            lasts: [0; BLOCK],
            positions: PositionsReader::new(),
        })
    }

    fn add_up(&mut self, block: usize, before: u32, freqs: &[u32; BLOCK], len: usize) {
        self.block = block;
        self.lasts = *freqs;
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
            block_ends: Vec::new(),
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
            let (last_docs, block_ends) = (skips.last_docs(region), skips.block_ends(region));
            cursor.last_docs = last_docs;
            cursor.block_ends = block_ends;
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
        let blocks_len = self.entry.payload_len - self.entry.positions_len;
        let (start, end, before) = match &self.skips {
            None => (0, blocks_len, None),
            Some(_) => {
                let end = u64::from(self.block_ends[block]);
                match block.checked_sub(1) {
                    None => (0, end, None),
                    Some(before) => (
                        u64::from(self.block_ends[before]),
                        end,
                        Some(self.last_docs[before]),
                    ),
                }
            }
        };
        if start > end || end > blocks_len {
            return Err(self.malformed(Malformed("has blocks outside their payload")));
        }
        self.first_possible = before.map_or(0, |before| before.saturating_add(1));
        let place = self.entry.payload.checked_add(start);
        let place = place.ok_or_else(|| self.malformed(Malformed("has a payload past the end")))?;
        let bytes = self.dictionary.postings.read_ahead(place, end - start)?;
        let taken = decode_docs(bytes, self.len, before, max_doc, &mut self.docs)
            .map_err(|what| self.dictionary.postings.malformed(what))? as u64;
        if taken > end - start {
            return Err(self.malformed(Malformed("has a block that ends too early")));
        }
        if self.skips.is_some() && self.last_loaded() != self.last_docs[block] {
            let what = Malformed("has a block that ends with another document than its skips say");
            return Err(self.malformed(what));
        }
        if self.dictionary.freqs_kept && self.need >= PostingsNeed::Freqs {
            self.freqs_waiting = Some((place + taken, end - start - taken));
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
        if self.len == BLOCK {
            let slot = (simd::kernels().scoring.find)(&self.docs, doc);
            return Ok((slot < BLOCK).then_some(slot));
        }
        Ok(self.docs[..self.len].binary_search(&doc).ok())
    }

    /// The frequency in a slot of the block at hand.
    #[inline]
    pub fn freq_at(&mut self, slot: usize) -> Result<u32, ReadError> {
        let Some((place, len)) = self.freqs_waiting else {
            return Ok(self.freqs[slot]);
        };
        let bytes = self.dictionary.postings.read_ahead(place, len)?;
        decode_freq(bytes, self.len, slot).map_err(|what| self.malformed(what))
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
        if !self.dictionary.positions_kept || self.need < PostingsNeed::Positions {
            return Ok(());
        }
        self.load_freqs()?;
        let before = match &self.skips {
            Some(skips) => skips.freqs_before(self.region()?, self.block),
            None => 0,
        };
        let places = self.places.get_or_insert_with(Places::new);
        if places.block != self.block {
            places.add_up(self.block, before, &self.freqs, self.len);
        }
        let (last, count) = (places.lasts[slot], self.freqs[slot]);
        let first = u64::from(last.wrapping_sub(count));
        places
            .positions
            .read(&self.dictionary, &self.entry, first, count, positions)
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
                return Err(self.dictionary.skips.error("has blocks out of order"));
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
