//! The cursor over a list kept in blocks of 128 documents, of format v2.
//!
//! | part | subject |
//! |---|---|
//! | `walk` | one document after the other, and windows |
//! | `lookups` | where documents are, their frequencies and positions |
//! | `bounds` | impacts, and the bounds on scores that follow from them |

mod bounds;
mod lookups;
mod walk;

use std::sync::Arc;

use self::lookups::Places;

use super::super::terms::Dictionary;
use super::super::{LiveDocs, ReadError};
use super::{BlockValues, Impact, PostingsNeed, freqs_for, window_count};
use crate::format::bytes::Malformed;
use crate::format::v1::terms::TermEntry;
use crate::format::v2::{BLOCK, SparseSkips, decode_docs, decode_freqs};
use crate::ids::DocId;
use crate::lent::Lent;
use crate::simd;
use crate::simd::scoring::{STRETCH_DOCS, slot_of};

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
    docs: Lent<BlockValues>,
    freqs: Lent<BlockValues>,
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
    ) -> Result<Box<SparseCursor>, ReadError> {
        let blocks = (entry.doc_freq as usize).div_ceil(BLOCK);
        let freqs = freqs_for(&dictionary, need);
        let mut cursor = Box::new(SparseCursor {
            entry: *entry,
            need,
            blocks,
            skips: None,
            last_docs: Vec::new(),
            block: usize::MAX,
            docs: Lent::take(),
            freqs,
            len: 0,
            first_possible: 0,
            found: (u32::MAX, 0),
            rank: 0,
            doc: 0,
            freqs_waiting: None,
            places: None,
            impacts: Vec::new(),
            dictionary,
        });
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
            // All are looked at whatever comes first: many at a time.
            let pairs = last_docs.iter().zip(&last_docs[1..]);
            if !pairs.fold(true, |ascends, (a, b)| ascends & (a < b)) {
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
            // No document in the other slots, so that nobody finds one there.
            self.docs.fill(u32::MAX);
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

    /// Decodes the freqs of the block at hand; the block cannot be read if they are broken.
    #[inline]
    pub fn load_freqs(&mut self) -> Result<(), ReadError> {
        let Some((place, len)) = self.freqs_waiting.take() else {
            return Ok(());
        };
        let postings = &self.dictionary.postings;
        let decoded = postings.read_ahead(place, len).and_then(|bytes| {
            let decoded = decode_freqs(bytes, self.len, &mut self.freqs);
            decoded.map_err(|what| postings.malformed(what))
        });
        if decoded.is_err() {
            self.finish();
        }
        decoded
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

    /// How many documents of the block at hand are alive.
    pub fn count_live(&self, live: &LiveDocs) -> usize {
        // The first one stands in the first slot, in either order.
        let (first, last) = (self.docs[0], self.last_loaded());
        if (last.saturating_sub(first) / STRETCH_DOCS) as usize >= self.len {
            let alive = self.docs().iter().filter(|doc| live.is_live(DocId(**doc)));
            return alive.count();
        }
        let mut dead = live.dead_among(&self.docs, first, last);
        if self.len < BLOCK {
            dead &= (1 << self.len) - 1;
        }
        self.len - dead.count_ones() as usize
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

    pub fn cost(&self) -> u32 {
        self.entry.doc_freq
    }

    /// Windows of the segment.
    pub fn window_count(&self) -> usize {
        window_count(self.dictionary.max_doc)
    }
}
