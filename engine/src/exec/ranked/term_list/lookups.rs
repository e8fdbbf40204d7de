//! Documents looked up in a term's list, many at a time.

use super::TermList;
use crate::format::bytes::Malformed;
use crate::search::SearchError;
use crate::segment::{DocPositions, List, Spot, WINDOW_DOCS};
use crate::simd;
use crate::simd::scoring::{STRETCH_DOCS, StretchBits};

/// Documents asked for in each block of a list, on average, from which on the blocks are compared with a bitmap of them.
const BITMAP_FROM: usize = 4;
/// Documents of one block that are asked for, from which on the freqs of all are decoded.
const WHOLE_FROM: usize = 4;

impl TermList {
    /// Finds where those of `docs`, ascending, are that the list has. `bits` is all zero before and after.
    pub fn locate(&mut self, docs: &[u32], bits: &mut StretchBits) -> Result<(), SearchError> {
        if let List::Dense(_) = self.list {
            return Ok(());
        }
        self.spots.clear();
        self.at = 0;
        let (Some(&first), Some(&last)) = (docs.first(), docs.last()) else {
            return Ok(());
        };
        if self.block_count() == 0 {
            return Ok(());
        }
        let base = first & !63;
        let mut blocks = None;
        if last - base < STRETCH_DOCS && docs.len() >= BITMAP_FROM {
            let from = self.first_block(first)?;
            let to = self.block_with(last, from)?.min(self.block_count() - 1);
            let some = from <= to && docs.len() >= BITMAP_FROM * (to - from + 1);
            blocks = some.then_some(from..=to);
        }
        let List::Sparse(cursor) = &mut self.list else {
            return Ok(());
        };
        let Some(blocks) = blocks else {
            return Ok(cursor.spots_of(docs, &mut self.spots)?);
        };
        set(bits, base, docs);
        let located = cursor.spots_among(blocks, base, bits, &mut self.spots);
        for doc in docs {
            bits[(doc - base) as usize / 64] = 0;
        }
        Ok(located?)
    }

    /// Keeps those of `docs`, ascending, that the list has, and knows where they are; or (not `wanted`) those that it has not.
    pub fn retain(
        &mut self,
        docs: &mut Vec<u32>,
        wanted: bool,
        bits: &mut StretchBits,
    ) -> Result<(), SearchError> {
        if let List::Dense(cursor) = &self.list {
            return Ok(cursor.retain(docs, wanted)?);
        }
        self.locate(docs, bits)?;
        if wanted {
            docs.clear();
            docs.extend(self.spots.iter().map(|spot| spot.doc));
        } else if !self.spots.is_empty() {
            let mut spots = self.spots.iter().peekable();
            docs.retain(|doc| spots.next_if(|spot| spot.doc == *doc).is_none());
        }
        Ok(())
    }

    /// Copies those of `docs` that the list has; they were located.
    pub fn pick(&self, docs: &[u32], picked: &mut Vec<u32>) -> Result<(), SearchError> {
        picked.clear();
        match &self.list {
            List::Sparse(_) => picked.extend(self.spots.iter().map(|spot| spot.doc)),
            List::Dense(cursor) => {
                picked.extend_from_slice(docs);
                cursor.retain(picked, true)?;
            }
        }
        Ok(())
    }

    /// Where a document is, if a sparse list has it; located ones are found at once, in ascending order.
    fn spot(&mut self, doc: u32) -> Result<Option<Spot>, SearchError> {
        let List::Sparse(cursor) = &mut self.list else {
            return Ok(None);
        };
        if self.at > 0 && self.spots.get(self.at).is_none_or(|spot| spot.doc > doc) {
            self.at = 0;
        }
        while let Some(spot) = self.spots.get(self.at) {
            if spot.doc == doc {
                return Ok(Some(*spot));
            }
            if spot.doc > doc {
                break;
            }
            self.at += 1;
        }
        Ok(cursor.spot(doc)?)
    }

    /// The frequencies of documents, ascending, all of which the list has; best of those located.
    pub fn freqs(&mut self, docs: &[u32], freqs: &mut [u32]) -> Result<(), SearchError> {
        if let List::Dense(cursor) = &mut self.list {
            return Ok(cursor.freqs_of(docs, freqs)?);
        }
        let mut at = 0;
        let mut whole = [0; 128];
        let mut decoded = u32::MAX;
        while at < docs.len() {
            let spot = self.spot(docs[at])?;
            let List::Sparse(cursor) = &mut self.list else {
                return Ok(());
            };
            freqs[at] = match spot {
                Some(spot) => {
                    let later = self.spots.get(self.at + WHOLE_FROM);
                    if decoded != spot.block && later.is_some_and(|l| l.block == spot.block) {
                        cursor.freqs_of(spot.block as usize, &mut whole)?;
                        decoded = spot.block;
                    }
                    if decoded == spot.block {
                        whole[usize::from(spot.slot)]
                    } else {
                        cursor.freq_at_spot(spot)?
                    }
                }
                None => return Err(self.disorder()),
            };
            at += 1;
        }
        Ok(())
    }

    /// Scores documents, ascending, all of which the list has; best of those located.
    pub fn scores(
        &mut self,
        docs: &[u32],
        freqs: &mut Vec<u32>,
        scores: &mut Vec<f32>,
    ) -> Result<(), SearchError> {
        freqs.resize(docs.len(), 0);
        scores.resize(docs.len(), 0.0);
        self.freqs(docs, freqs)?;
        if let Some(scoring) = &self.scoring {
            scoring.score_all(docs, freqs, scores);
        }
        Ok(())
    }

    /// Whether its documents can be scored.
    pub fn is_scored(&self) -> bool {
        self.scoring.is_some()
    }

    /// Whether the list is one of bitmaps; its blocks are the cells of these.
    pub fn is_dense(&self) -> bool {
        matches!(self.list, List::Dense(_))
    }

    /// Keeps the documents of a window that a dense list has.
    pub fn keep_window(&mut self, window: usize, words: &mut [u64; 64]) -> Result<(), SearchError> {
        if let List::Dense(cursor) = &mut self.list {
            cursor.load(window)?;
            (simd::kernels().and)(words, cursor.words());
        }
        Ok(())
    }

    /// Adds the documents of a stretch, whole windows from `base` on, one bit each; stretches are asked for in ascending order.
    pub fn fill(&mut self, base: u32, bits: &mut [u64]) -> Result<(), SearchError> {
        let walked = self.first_block(base)?;
        match &mut self.list {
            List::Dense(cursor) => {
                let first = (base / WINDOW_DOCS) as usize;
                let (windows, _) = bits.as_chunks_mut();
                for (chunk, words) in (first..cursor.chunk_count()).zip(windows) {
                    (simd::kernels().or)(words, &cursor.words_of(chunk)?);
                }
            }
            List::Sparse(cursor) => {
                let len = bits.len() as u32 * 64;
                let mut block = walked;
                let mut some = [0; 128];
                while block < cursor.block_count() {
                    cursor.load(block)?;
                    let (first, last) = cursor.reach();
                    if last >= base {
                        if first >= base && last - base < len {
                            set(bits, base, cursor.docs());
                        } else {
                            let mut count = 0;
                            for doc in cursor.docs() {
                                some[count] = *doc;
                                count += usize::from(doc.wrapping_sub(base) < len);
                            }
                            set(bits, base, &some[..count]);
                        }
                    }
                    if last.saturating_sub(base) >= len {
                        break;
                    }
                    block += 1;
                }
            }
        }
        Ok(())
    }

    /// Calls back with the positions in documents, ascending, that the list has and that were located, and with the number of each
    /// among them.
    pub fn visit_positions(
        &mut self,
        docs: &[u32],
        each: impl FnMut(usize, DocPositions<'_>) -> Result<(), Malformed>,
    ) -> Result<(), SearchError> {
        match &mut self.list {
            List::Dense(cursor) => cursor.visit_positions(docs, each)?,
            List::Sparse(cursor) => {
                let mut wanted = docs.iter().peekable();
                let spots = self.spots.iter();
                let found = spots.filter(|spot| wanted.next_if(|d| **d == spot.doc).is_some());
                cursor.visit_positions(found.copied(), each)?;
                if wanted.peek().is_some() {
                    return Err(self.disorder());
                }
            }
        }
        Ok(())
    }
}

/// Sets the bits of documents, all of which lie in the stretch that begins at `base`.
#[inline]
fn set(bits: &mut [u64], base: u32, docs: &[u32]) {
    for doc in docs {
        let offset = doc - base;
        bits[(offset / 64) as usize] |= 1 << (offset % 64);
    }
}
