//! Lists of documents that are dense: containers aligned to 4096 documents, and the skips that find them.
//!
//! The documents are cut into chunks of 4096, aligned as the windows of execution are, and those into eight cells of 512. A
//! chunk without documents takes no bytes. Any other is a bitmap of 512 bytes (bit `i % 8` of byte `i / 8` is document
//! `4096 · chunk + i`) and then, if the field keeps freqs, the freqs less 1 of each cell in order of rank, as patched groups of
//! 128, the last of a cell shorter.
//!
//! Skips, `c` chunks (all of the segment's):
//!
//! | part         | bytes | meaning                                                                          |
//! |--------------|------:|----------------------------------------------------------------------------------|
//! | kind         |     1 | 2                                                                                |
//! | best         |     8 | if freqs are kept: the impacts of the whole list, as of sparse lists              |
//! | chunk_ends   |   4·c | where each chunk ends, from the start of the payload                             |
//! | freq_starts  |  16·c | for each cell, where its freqs start, from the start of its chunk; if freqs are kept |
//! | positions_at |  32·c | if positions are kept: for each cell, where its own start in those of the term; in codec 2 the sum of the freqs before it |
//! | impacts      |  64·c | those of each cell, as of sparse blocks; if freqs are kept                        |

use super::packing::{GROUP, patched_at, put_patched, take_patched};
use super::postings::ListParts;
use super::sparse::{BEST, ImpactColumns, impact_rows};
use crate::format::bytes::{Malformed, u32_at};
use crate::segment::WINDOW_DOCS;
use crate::simd::scoring::ImpactRows;

/// Documents of a cell.
pub(crate) const CELL_DOCS: u32 = 512;
/// Cells of a chunk.
const CELLS: usize = (WINDOW_DOCS / CELL_DOCS) as usize;
/// Bytes of a chunk's bitmap.
const BITMAP: usize = WINDOW_DOCS as usize / 8;
/// First byte of the skips.
pub(super) const KIND: u8 = 2;
/// A list is dense when at least one document in so many is in it.
const SPARSEST: u32 = 8;

/// Whether a list of `docs` of `max_doc` documents is kept dense.
pub(super) fn is_dense(docs: u32, max_doc: u32) -> bool {
    max_doc >= WINDOW_DOCS && docs >= max_doc / SPARSEST
}

/// Where the arrays of a dense list's skips are, from their start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DenseSkips {
    chunks: usize,
    chunk_ends: usize,
    freq_starts: usize,
    positions_at: usize,
    impacts: usize,
    with_freqs: bool,
    with_positions: bool,
}

impl DenseSkips {
    /// Of a list of a segment of `max_doc` documents, whose skips are `region`.
    pub fn open(
        region: &[u8],
        max_doc: u32,
        freqs_kept: bool,
        positions_kept: bool,
    ) -> Result<DenseSkips, Malformed> {
        let chunks = max_doc.div_ceil(WINDOW_DOCS) as usize;
        let chunk_ends = 1 + if freqs_kept { BEST } else { 0 };
        let freq_starts = chunk_ends + 4 * chunks;
        let positions_at = freq_starts + if freqs_kept { 16 * chunks } else { 0 };
        let impacts = positions_at + if positions_kept { 32 * chunks } else { 0 };
        let end = impacts + if freqs_kept { 64 * chunks } else { 0 };
        if region.len() != end {
            return Err(Malformed("has skips of a wrong length"));
        }
        Ok(DenseSkips {
            chunks,
            chunk_ends,
            freq_starts,
            positions_at,
            impacts,
            with_freqs: freqs_kept,
            with_positions: positions_kept,
        })
    }

    /// Number of chunks.
    pub fn chunks(&self) -> usize {
        self.chunks
    }

    /// Start and end of a chunk in the payload.
    #[inline]
    pub fn chunk(&self, region: &[u8], chunk: usize) -> (u32, u32) {
        let ends = region.get(self.chunk_ends..).unwrap_or(&[]);
        let start = match chunk {
            0 => 0,
            chunk => u32_at(ends, chunk - 1).unwrap_or(u32::MAX),
        };
        (start, u32_at(ends, chunk).unwrap_or(0))
    }

    /// Where the freqs of a cell start in its chunk.
    pub fn freq_start(&self, region: &[u8], cell: usize) -> usize {
        let at = self.freq_starts + 2 * cell;
        let bytes = region.get(at..at + 2).filter(|_| self.with_freqs);
        bytes.map_or(usize::from(u16::MAX), |bytes| {
            usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))
        })
    }

    /// Where the positions of a cell start in those of the term. In codec 2, whose positions are one stream: occurrences before the
    /// cell.
    #[inline]
    pub fn positions_at(&self, region: &[u8], cell: usize) -> u32 {
        if !self.with_positions {
            return 0;
        }
        let places = region.get(self.positions_at..).unwrap_or(&[]);
        u32_at(places, cell).unwrap_or(u32::MAX)
    }

    /// The impacts of the whole list; `None` where the field keeps no freqs.
    pub fn best<'a>(&self, region: &'a [u8]) -> Option<ImpactRows<'a>> {
        if !self.with_freqs {
            return None;
        }
        impact_rows(region, 1, 1)
    }

    /// The impacts of all cells; `None` where the field keeps no freqs. A cell without documents has the freq 0.
    pub fn impacts<'a>(&self, region: &'a [u8]) -> Option<ImpactRows<'a>> {
        if !self.with_freqs {
            return None;
        }
        impact_rows(region, self.impacts, self.chunks * CELLS)
    }
}

/// Encodes the chunks of one list.
#[derive(Debug, Default)]
pub(super) struct DenseEncoder {
    chunk_ends: Vec<u8>,
    freq_starts: Vec<u8>,
    positions_at: Vec<u8>,
    impacts: ImpactColumns,
    /// Chunks ended.
    chunks: usize,
    docs: Vec<u32>,
    freqs: Vec<u32>,
    norms: Vec<u8>,
}

impl DenseEncoder {
    pub fn start(&mut self) {
        self.chunk_ends.clear();
        self.freq_starts.clear();
        self.positions_at.clear();
        self.impacts.clear();
        self.chunks = 0;
        self.docs.clear();
        self.freqs.clear();
        self.norms.clear();
    }

    /// Adds a document; they ascend.
    pub fn add(&mut self, doc: u32, freq: u32, norm: u8, into: &mut ListParts<'_>) {
        let chunk = (doc / WINDOW_DOCS) as usize;
        while self.chunks < chunk {
            self.end_chunk(into);
        }
        self.docs.push(doc);
        self.freqs.push(freq);
        self.norms.push(norm);
    }

    fn end_chunk(&mut self, into: &mut ListParts<'_>) {
        let out = &mut *into.blocks;
        let start = out.len();
        if !self.docs.is_empty() {
            let mut bitmap = [0u8; BITMAP];
            for doc in &self.docs {
                let bit = doc % WINDOW_DOCS;
                bitmap[bit as usize / 8] |= 1 << (bit % 8);
            }
            out.extend_from_slice(&bitmap);
        }
        let base = self.chunks as u32 * WINDOW_DOCS;
        let mut first = 0;
        for cell in 0..CELLS as u32 {
            let end = base + (cell + 1) * CELL_DOCS;
            let rest = &self.docs[first..];
            let last = first + rest.partition_point(|doc| *doc < end);
            self.positions_at
                .extend_from_slice(&into.positions.place().to_le_bytes());
            if into.freqs_kept {
                self.freq_starts
                    .extend_from_slice(&((out.len() - start) as u16).to_le_bytes());
                let freqs = &mut self.freqs[first..last];
                into.impacts.clear();
                into.impacts.add_block(freqs, &self.norms[first..last]);
                self.impacts.push(&into.impacts.capped());
                into.positions.block(freqs);
                freqs.iter_mut().for_each(|freq| *freq -= 1);
                for group in freqs.chunks(GROUP) {
                    put_patched(group, out);
                }
            }
            first = last;
        }
        self.chunk_ends
            .extend_from_slice(&(out.len() as u32).to_le_bytes());
        self.chunks += 1;
        self.docs.clear();
        self.freqs.clear();
        self.norms.clear();
    }

    /// Ends the list of a segment of `max_doc` documents and appends its skips.
    pub fn finish(&mut self, max_doc: u32, into: &mut ListParts<'_>, skips: &mut Vec<u8>) {
        while self.chunks < max_doc.div_ceil(WINDOW_DOCS) as usize {
            self.end_chunk(into);
        }
        skips.push(KIND);
        if into.freqs_kept {
            self.impacts.write_best(skips);
        }
        skips.extend_from_slice(&self.chunk_ends);
        skips.extend_from_slice(&self.freq_starts);
        if into.positions.is_kept() {
            skips.extend_from_slice(&self.positions_at);
        }
        if into.freqs_kept {
            self.impacts.write(skips);
        }
    }
}

/// Reads the freqs of the `count` documents of a cell from where they start, in order of rank.
pub(crate) fn cell_freqs(
    mut bytes: &[u8],
    count: usize,
    out: &mut [u32; CELL_DOCS as usize],
) -> Result<(), Malformed> {
    let mut group = [0; GROUP];
    for part in out[..count].chunks_mut(GROUP) {
        let len = take_patched(bytes, part.len(), &mut group)?;
        bytes = &bytes[len..];
        for (freq, value) in part.iter_mut().zip(&group) {
            *freq = value.saturating_add(1);
        }
    }
    Ok(())
}

/// Reads one of them, that of a rank.
pub(crate) fn cell_freq(bytes: &[u8], count: usize, rank: usize) -> Result<u32, Malformed> {
    Ok(patched_at(bytes, count, rank)?.saturating_add(1))
}
