//! The cursor over a list of format v1.

use std::sync::Arc;

use super::super::terms::Dictionary;
use super::super::{ReadError, WINDOW_DOCS, Window};
use super::{Impact, PostingsNeed, window_count};
use crate::format::bytes::{Malformed, u32_at};
use crate::format::impacts::ImpactSet;
use crate::format::v1::postings::{
    BLOCK, decode_docs, decode_freqs, decode_impacts, decode_positions,
};
use crate::format::v1::terms::TermEntry;
use crate::ids::DocId;
use crate::simd::scoring::Weights;

/// Where the skips of a long term are, each array by its offset in the skips section.
#[derive(Clone, Copy, Debug)]
struct SkipPlaces {
    last_docs: u64,
    block_ends: u64,
    position_starts: u64,
    impact_ends: u64,
    impacts: u64,
    end: u64,
}

/// Walks over the documents of one term, ascending. Stands before the first document at first.
pub(super) struct Cursor {
    dictionary: Arc<Dictionary>,
    entry: TermEntry,
    need: PostingsNeed,
    block_count: u32,
    skips: Option<SkipPlaces>,
    /// Number of the block in `docs`; `block_count` after the last.
    block: u32,
    /// Whether `docs` holds a block.
    loaded: bool,
    docs: [u32; BLOCK],
    freqs: [u32; BLOCK],
    len: usize,
    at: usize,
    doc: u32,
    /// Where the freqs of the block start in the postings section, and their length; `None` once they are decoded.
    freqs_waiting: Option<(u64, u64)>,
    positions: Vec<u32>,
    /// Block whose positions are in `positions`, and where each document's positions end in it.
    positions_block: Option<u32>,
    position_ends: Vec<usize>,
    impacts: Vec<Impact>,
    impacts_block: Option<u32>,
}

impl Cursor {
    pub fn open(
        dictionary: Arc<Dictionary>,
        entry: &TermEntry,
        need: PostingsNeed,
    ) -> Result<Cursor, ReadError> {
        let block_count = entry.doc_freq.div_ceil(BLOCK as u32);
        let skips = match block_count {
            0 | 1 => None,
            _ => Some(skip_places(&dictionary, entry, block_count)?),
        };
        Ok(Cursor {
            entry: *entry,
            need,
            block_count,
            skips,
            block: 0,
            loaded: false,
            docs: [0; BLOCK],
            freqs: [1; BLOCK],
            len: 0,
            at: 0,
            doc: 0,
            freqs_waiting: None,
            positions: Vec::new(),
            positions_block: None,
            position_ends: Vec::new(),
            impacts: Vec::new(),
            impacts_block: None,
            dictionary,
        })
    }

    fn malformed(&self, what: Malformed) -> ReadError {
        self.dictionary.postings.malformed(what)
    }

    fn skip_u32(&self, array: u64, index: u32) -> Result<u32, ReadError> {
        let word = self
            .dictionary
            .skips
            .read(array + u64::from(index) * 4, 4)?;
        Ok(u32_at(word, 0).unwrap_or(0))
    }

    /// Decodes the documents of a block; after an error the cursor is at its end.
    fn load(&mut self, block: u32) -> Result<(), ReadError> {
        let loaded = self.try_load(block);
        if loaded.is_err() {
            self.finish();
        }
        loaded
    }

    fn try_load(&mut self, block: u32) -> Result<(), ReadError> {
        self.freqs_waiting = None;
        self.block = block;
        self.loaded = true;
        self.at = 0;
        self.len = (self.entry.doc_freq as usize - block as usize * BLOCK).min(BLOCK);
        if self.entry.doc_freq == 1 {
            if self.entry.single_doc >= self.dictionary.max_doc {
                return Err(self.malformed(Malformed("has a single document past the end")));
            }
            self.docs[0] = self.entry.single_doc;
            self.freqs[0] = self.entry.total_term_freq.min(u64::from(u32::MAX)) as u32;
            return Ok(());
        }
        let blocks_len = self.entry.payload_len - self.entry.positions_len;
        let (start, end, before) = match &self.skips {
            None => (0, blocks_len, None),
            Some(skips) => {
                let end = u64::from(self.skip_u32(skips.block_ends, block)?);
                if block == 0 {
                    (0, end, None)
                } else {
                    let start = u64::from(self.skip_u32(skips.block_ends, block - 1)?);
                    (start, end, Some(self.skip_u32(skips.last_docs, block - 1)?))
                }
            }
        };
        if start > end || end > blocks_len {
            return Err(self.malformed(Malformed("has blocks outside their payload")));
        }
        let place = self.entry.payload.checked_add(start);
        let place = place.ok_or_else(|| self.malformed(Malformed("has a payload past the end")))?;
        let bytes = self.dictionary.postings.read(place, end - start)?;
        let left = decode_docs(
            bytes,
            self.len,
            before,
            self.dictionary.max_doc,
            &mut self.docs,
        )
        .map_err(|what| self.dictionary.postings.malformed(what))?;
        if self.dictionary.freqs_kept && self.need >= PostingsNeed::Freqs {
            self.freqs_waiting = Some((place + (end - start - left as u64), left as u64));
            // A short block is varints that may be broken; a full one is checked before anybody asks for it.
            let freqs = &bytes[bytes.len() - left..];
            let sound = match freqs.first() {
                Some(width) => *width <= 32 && left == 1 + 16 * usize::from(*width),
                None => false,
            };
            if self.len < BLOCK || !sound {
                self.decode_waiting_freqs()?;
            }
        }
        Ok(())
    }

    fn decode_waiting_freqs(&mut self) -> Result<(), ReadError> {
        if let Some((place, len)) = self.freqs_waiting.take() {
            let bytes = self.dictionary.postings.read(place, len)?;
            decode_freqs(bytes, self.len, &mut self.freqs)
                .map_err(|what| self.dictionary.postings.malformed(what))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> DocId {
        self.block = self.block_count;
        self.loaded = true;
        (self.len, self.at) = (0, 0);
        self.freqs_waiting = None;
        self.doc = DocId::NO_MORE.0;
        DocId::NO_MORE
    }

    /// Where it stands: [`DocId::NO_MORE`] after the last document. Before the first `next` or `advance` the
    /// answer has no meaning.
    #[inline]
    pub fn doc(&self) -> DocId {
        DocId(self.doc)
    }

    /// Goes to the next document.
    #[inline]
    pub fn next(&mut self) -> Result<DocId, ReadError> {
        if self.at + 1 < self.len {
            self.at += 1;
            self.doc = self.docs[self.at];
            return Ok(DocId(self.doc));
        }
        self.next_loaded()
    }

    /// Goes to the first document of the block after the one in `docs`.
    fn next_loaded(&mut self) -> Result<DocId, ReadError> {
        let block = if self.loaded { self.block + 1 } else { 0 };
        if self.block >= self.block_count || block >= self.block_count {
            return Ok(self.finish());
        }
        self.load(block)?;
        self.doc = self.docs[0];
        Ok(DocId(self.doc))
    }

    /// Goes to the first document that is `target` or later; never goes back.
    pub fn advance(&mut self, target: DocId) -> Result<DocId, ReadError> {
        if self.loaded {
            if self.doc >= target.0 {
                return Ok(DocId(self.doc));
            }
        } else if self.block_count == 0 {
            return Ok(self.finish());
        }
        if !self.loaded || self.docs[self.len - 1] < target.0 {
            let from = if self.loaded { self.block + 1 } else { 0 };
            let block = self.block_with(target.0, from)?;
            if block >= self.block_count {
                return Ok(self.finish());
            }
            self.load(block)?;
            if self.docs[self.len - 1] < target.0 {
                // Only without skips, where the block was not known before.
                return Ok(self.finish());
            }
        }
        let rest = &self.docs[self.at..self.len];
        self.at += rest.partition_point(|doc| *doc < target.0);
        self.doc = self.docs[self.at];
        Ok(DocId(self.doc))
    }

    /// The first block at or after `from` whose last document is not before `target`; with a single block, that one.
    fn block_with(&self, target: u32, from: u32) -> Result<u32, ReadError> {
        let Some(skips) = &self.skips else {
            return Ok(from);
        };
        // Near first: most leaps are short.
        let (mut low, mut step) = (from, 1);
        while low + step <= self.block_count
            && self.skip_u32(skips.last_docs, low + step - 1)? < target
        {
            low += step;
            step *= 2;
        }
        let mut high = (low + step).min(self.block_count);
        while low < high {
            let middle = low.midpoint(high);
            if self.skip_u32(skips.last_docs, middle)? < target {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Occurrences in the current document.
    #[inline]
    pub fn freq(&mut self) -> u32 {
        if self.freqs_waiting.is_some() {
            // `load` found width and length to fit, so this cannot fail; were it to, 1 is a bound.
            if self.decode_waiting_freqs().is_err() {
                self.freqs.fill(1);
            }
        }
        self.freqs[self.at]
    }

    /// Positions in the current document, ascending; overwrites `positions`.
    pub fn positions(&mut self, positions: &mut Vec<u32>) -> Result<(), ReadError> {
        positions.clear();
        if !self.dictionary.positions_kept
            || self.need < PostingsNeed::Positions
            || self.at >= self.len
        {
            return Ok(());
        }
        if self.positions_block != Some(self.block) {
            self.load_positions()?;
        }
        let end = self.position_ends[self.at];
        let start = match self.at {
            0 => 0,
            at => self.position_ends[at - 1],
        };
        positions.extend_from_slice(&self.positions[start..end]);
        Ok(())
    }

    fn load_positions(&mut self) -> Result<(), ReadError> {
        self.decode_waiting_freqs()?;
        let start = match &self.skips {
            None => 0,
            Some(skips) => u64::from(self.skip_u32(skips.position_starts, self.block)?),
        };
        let end = match &self.skips {
            Some(skips) if self.block + 1 < self.block_count => {
                u64::from(self.skip_u32(skips.position_starts, self.block + 1)?)
            }
            _ => self.entry.positions_len,
        };
        let blocks_len = self.entry.payload_len - self.entry.positions_len;
        if start > end || end > self.entry.positions_len {
            return Err(self.malformed(Malformed("has positions outside their payload")));
        }
        let place = self.entry.payload + blocks_len + start;
        let bytes = self.dictionary.postings.read(place, end - start)?;
        decode_positions(bytes, &self.freqs[..self.len], &mut self.positions)
            .map_err(|what| self.dictionary.postings.malformed(what))?;
        self.position_ends.clear();
        let mut end = 0;
        for freq in &self.freqs[..self.len] {
            end += *freq as usize;
            self.position_ends.push(end);
        }
        self.positions_block = Some(self.block);
        Ok(())
    }

    /// Number of documents of the term.
    pub fn cost(&self) -> u32 {
        self.entry.doc_freq
    }

    pub fn impacts(&mut self) -> Result<&[Impact], ReadError> {
        let block = if self.loaded { self.block } else { 0 };
        self.impacts_at(block.min(self.block_count.saturating_sub(1)))
    }

    /// Bounds over the whole term. Never empty.
    pub fn max_impacts(&mut self) -> Result<&[Impact], ReadError> {
        match self.skips {
            Some(_) => self.impacts_at(self.block_count),
            None => self.impacts_at(0),
        }
    }

    fn impacts_at(&mut self, list: u32) -> Result<&[Impact], ReadError> {
        if self.impacts_block == Some(list) {
            return Ok(&self.impacts);
        }
        match self.skips {
            Some(skips) => {
                let start = match list {
                    0 => 0,
                    list => self.skip_u32(skips.impact_ends, list - 1)?,
                };
                let end = self.skip_u32(skips.impact_ends, list)?;
                let place = skips.impacts + u64::from(start);
                if end < start || place + u64::from(end - start) > skips.end {
                    return Err(self
                        .dictionary
                        .skips
                        .error("has impacts outside their term"));
                }
                let bytes = self.dictionary.skips.read(place, u64::from(end - start))?;
                decode_impacts(bytes, &mut self.impacts)
                    .map_err(|what| self.dictionary.skips.malformed(what))?;
            }
            None => self.only_impacts()?,
        }
        self.impacts_block = Some(list);
        Ok(&self.impacts)
    }

    /// Works out the bounds of a term of one block, of which none are stored.
    fn only_impacts(&mut self) -> Result<(), ReadError> {
        self.impacts.clear();
        // The cursor may be past its end, its block gone: read it anew, beside this cursor.
        let entry = self.entry;
        let mut copy = Cursor::open(self.dictionary.clone(), &entry, PostingsNeed::Freqs)?;
        let mut set = ImpactSet::default();
        loop {
            let doc = copy.next()?;
            if doc == DocId::NO_MORE {
                break;
            }
            let freq = copy.freq();
            let norm = match &self.dictionary.norms {
                Some(norms) => norms.norm(doc).max(1),
                None => 1,
            };
            set.add(Impact { freq, norm });
        }
        self.impacts = set.capped();
        if self.impacts.is_empty() {
            self.impacts.push(Impact { freq: 1, norm: 1 });
        }
        Ok(())
    }

    pub fn window_bounds(&mut self, weights: Weights<'_>) -> Result<Vec<f32>, ReadError> {
        let mut bounds = vec![0.0f32; window_count(self.dictionary.max_doc)];
        let mut first = 0;
        for block in 0..self.block_count {
            let mut bound = 0.0f32;
            for impact in self.impacts_at(block)? {
                let part = 1.0 + impact.freq as f32 * weights.inverse[usize::from(impact.norm)];
                bound = bound.max(weights.weight - weights.weight / part);
            }
            let last = match &self.skips {
                Some(skips) => self.skip_u32(skips.last_docs, block)? / WINDOW_DOCS,
                None => self.dictionary.max_doc.saturating_sub(1) / WINDOW_DOCS,
            } as usize;
            let windows = bounds.get_mut(first..=last);
            let windows =
                windows.ok_or_else(|| self.dictionary.skips.error("has blocks out of order"))?;
            for slot in windows {
                *slot = slot.max(bound);
            }
            first = last;
        }
        Ok(bounds)
    }

    /// Adds to `bits` the term's documents in `base..base + 4096` that are not before the cursor, and leaves the
    /// cursor at the first document after the window. `base` is a multiple of 4096.
    pub fn fill_window(&mut self, base: DocId, bits: &mut Window) -> Result<(), ReadError> {
        self.advance(base)?;
        let end = base.0.saturating_add(WINDOW_DOCS);
        while self.doc < end {
            let rest = &self.docs[self.at..self.len];
            let inside = rest.partition_point(|doc| *doc < end);
            for doc in &rest[..inside] {
                bits.set(doc - base.0);
            }
            if inside < rest.len() {
                self.at += inside;
                self.doc = self.docs[self.at];
            } else {
                self.at = self.len;
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
        self.decode_waiting_freqs()?;
        let count = self.docs[self.at..self.len].partition_point(|doc| *doc < end.0);
        docs[..count].copy_from_slice(&self.docs[self.at..][..count]);
        freqs[..count].copy_from_slice(&self.freqs[self.at..][..count]);
        self.at += count - 1;
        self.next()?;
        Ok(count)
    }
}

fn skip_places(
    dictionary: &Dictionary,
    entry: &TermEntry,
    block_count: u32,
) -> Result<SkipPlaces, ReadError> {
    let outside = || dictionary.skips.error("has skips outside its bytes");
    let end = entry.skips.checked_add(entry.skips_len);
    let end = end
        .filter(|end| *end <= dictionary.skips.len() as u64)
        .ok_or_else(outside)?;
    let array = u64::from(block_count) * 4;
    let last_docs = entry.skips;
    let block_ends = last_docs + array;
    let position_starts = block_ends + array;
    let impact_ends = position_starts + if dictionary.positions_kept { array } else { 0 };
    let impacts = impact_ends + array + 4;
    if impacts > end {
        return Err(outside());
    }
    Ok(SkipPlaces {
        last_docs,
        block_ends,
        position_starts,
        impact_ends,
        impacts,
        end,
    })
}
