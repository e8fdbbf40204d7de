//! Lists of documents that are sparse: blocks of 128, and the skips that find them.
//!
//! A block: a byte with the width of its gaps, the gaps (document − document before − 1, the first from −1), packed; then, if
//! the field keeps freqs, a patched group of the freqs less 1. A full block is lane-major (see
//! [`scoring`](crate::simd::scoring)): the values are packed by slot. A shorter one, the last, is packed by rank.
//!
//! Skips, for terms of more than 128 documents, `n` blocks:
//!
//! | part         | bytes | meaning                                                                          |
//! |--------------|------:|----------------------------------------------------------------------------------|
//! | kind         |     1 | 1                                                                                |
//! | best         |     8 | if freqs are kept: the impacts of the whole list, four freqs, then four norms     |
//! | last_docs    |   4·n | the last document of each block                                                  |
//! | block_ends   |   4·n | where each block ends, from the start of the payload                             |
//! | positions_at |   4·n | if positions are kept: where those of each block start in those of the term; in codec 2 the sum of the freqs before the block |
//! | impacts      |   8·n | if freqs are kept: the freqs of all first pairs, of all second, third, fourth pairs, then the norms likewise |
//!
//! A block has four pairs of freq and norm; where fewer say all, the last is repeated. Every document of the block has, for
//! some pair, at most its freq and at least its norm. A freq of 255 stands for 255 and more.

use super::packing::{
    GROUP, pack, packed_len, patched_at, put_patched, take_patched, unpack, width_of,
};
use super::postings::ListParts;
use crate::format::bytes::{Malformed, u32_at};
use crate::format::impacts::{ImpactSet, MAX_IMPACTS};
use crate::segment::Impact;
use crate::simd;
use crate::simd::scoring::{ImpactRows, slot_of};

/// Documents of a full block.
pub(crate) const BLOCK: usize = GROUP;
/// First byte of the skips.
pub(super) const KIND: u8 = 1;
/// Bytes of the impacts of a whole list.
pub(super) const BEST: usize = 2 * MAX_IMPACTS;
/// Gaps up to this width cannot overflow within a block that starts in the lower half of the numbers.
const SAFE_WIDTH: u32 = 24;

/// Impacts of many blocks, one column for each place of a pair.
#[derive(Debug, Default)]
pub(super) struct ImpactColumns {
    freqs: [Vec<u8>; MAX_IMPACTS],
    norms: [Vec<u8>; MAX_IMPACTS],
    /// Of all blocks together.
    best: ImpactSet,
}

impl ImpactColumns {
    pub fn clear(&mut self) {
        self.freqs.iter_mut().for_each(Vec::clear);
        self.norms.iter_mut().for_each(Vec::clear);
        self.best.clear();
    }

    /// Adds a block's pairs; none at all is a block without documents.
    pub fn push(&mut self, impacts: &[Impact]) {
        for place in 0..MAX_IMPACTS {
            let (freq, norm) = stored_pair(impacts, place);
            self.freqs[place].push(freq);
            self.norms[place].push(norm);
        }
        for impact in impacts {
            self.best.add(*impact);
        }
    }

    /// Appends the impacts of all blocks together.
    pub fn write_best(&self, out: &mut Vec<u8>) {
        let best = self.best.capped();
        out.extend((0..MAX_IMPACTS).map(|place| stored_pair(&best, place).0));
        out.extend((0..MAX_IMPACTS).map(|place| stored_pair(&best, place).1));
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        for column in self.freqs.iter().chain(&self.norms) {
            out.extend_from_slice(column);
        }
    }
}

/// Freq and norm as they are kept at a place; the last pair is repeated, none at all is one that scores nothing.
fn stored_pair(impacts: &[Impact], place: usize) -> (u8, u8) {
    match impacts.get(place).or(impacts.last()) {
        Some(pair) => (pair.freq.min(255) as u8, pair.norm),
        None => (0, u8::MAX),
    }
}

/// Cuts the columns of `n` blocks, which begin at `at`.
pub(super) fn impact_rows(region: &[u8], at: usize, n: usize) -> Option<ImpactRows<'_>> {
    let all = region.get(at..at.checked_add(n.checked_mul(2 * MAX_IMPACTS)?)?)?;
    Some(ImpactRows {
        freqs: std::array::from_fn(|place| &all[place * n..(place + 1) * n]),
        norms: std::array::from_fn(|place| &all[(MAX_IMPACTS + place) * n..][..n]),
    })
}

/// Where the arrays of a sparse list's skips are, from their start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SparseSkips {
    blocks: usize,
    last_docs: usize,
    positions_at: usize,
    impacts: usize,
    with_positions: bool,
    with_impacts: bool,
}

impl SparseSkips {
    /// Of a list of `docs` documents, whose skips are `region`.
    pub fn open(
        region: &[u8],
        docs: u32,
        freqs_kept: bool,
        positions_kept: bool,
    ) -> Result<SparseSkips, Malformed> {
        let blocks = docs.div_ceil(BLOCK as u32) as usize;
        let last_docs = 1 + if freqs_kept { BEST } else { 0 };
        let positions_at = last_docs + 8 * blocks;
        let impacts = positions_at + if positions_kept { 4 * blocks } else { 0 };
        let end = impacts + if freqs_kept { 8 * blocks } else { 0 };
        if region.len() != end {
            return Err(Malformed("has skips of a wrong length"));
        }
        Ok(SparseSkips {
            blocks,
            last_docs,
            positions_at,
            impacts,
            with_positions: positions_kept,
            with_impacts: freqs_kept,
        })
    }

    /// The last document of each block.
    pub fn last_docs(&self, region: &[u8]) -> Vec<u32> {
        let at = self.last_docs;
        let bytes = region.get(at..at + 4 * self.blocks).unwrap_or(&[]);
        let (words, _) = bytes.as_chunks::<4>();
        words.iter().map(|word| u32::from_le_bytes(*word)).collect()
    }

    /// Start and end of a block in the payload.
    #[inline]
    pub fn block(&self, region: &[u8], block: usize) -> (u64, u64) {
        let ends = region
            .get(self.last_docs + 4 * self.blocks..)
            .unwrap_or(&[]);
        let start = match block {
            0 => 0,
            block => u32_at(ends, block - 1).unwrap_or(u32::MAX),
        };
        (
            u64::from(start),
            u64::from(u32_at(ends, block).unwrap_or(0)),
        )
    }

    /// Where the positions of a block start in those of the term. In codec 2, whose positions are one stream: occurrences in the
    /// blocks before.
    #[inline]
    pub fn positions_at(&self, region: &[u8], block: usize) -> u32 {
        if !self.with_positions {
            return 0;
        }
        let places = region.get(self.positions_at..).unwrap_or(&[]);
        u32_at(places, block).unwrap_or(u32::MAX)
    }

    /// The impacts of the whole list; `None` where the field keeps no freqs.
    pub fn best<'a>(&self, region: &'a [u8]) -> Option<ImpactRows<'a>> {
        if !self.with_impacts {
            return None;
        }
        impact_rows(region, 1, 1)
    }

    /// The impacts of all blocks; `None` where the field keeps no freqs.
    pub fn impacts<'a>(&self, region: &'a [u8]) -> Option<ImpactRows<'a>> {
        if !self.with_impacts {
            return None;
        }
        impact_rows(region, self.impacts, self.blocks)
    }
}

/// Encodes the blocks of one list.
#[derive(Debug, Default)]
pub(super) struct SparseEncoder {
    last_docs: Vec<u8>,
    block_ends: Vec<u8>,
    positions_at: Vec<u8>,
    impacts: ImpactColumns,
    last_doc: Option<u32>,
}

impl SparseEncoder {
    pub fn start(&mut self) {
        self.last_docs.clear();
        self.block_ends.clear();
        self.positions_at.clear();
        self.impacts.clear();
        self.last_doc = None;
    }

    /// Appends a block of up to 128 documents, ascending; only the last may be shorter.
    pub fn block(
        &mut self,
        docs: &[u32],
        freqs: Option<&[u32]>,
        norms: &[u8],
        into: &mut ListParts<'_>,
    ) {
        let out = &mut *into.blocks;
        self.positions_at
            .extend_from_slice(&into.positions.place().to_le_bytes());
        let full = docs.len() == BLOCK;
        let place = |rank: usize| if full { slot_of(rank) } else { rank };
        let mut values = [0; BLOCK];
        let mut before = self.last_doc.unwrap_or(u32::MAX);
        for (rank, doc) in docs.iter().enumerate() {
            values[place(rank)] = doc.wrapping_sub(before).wrapping_sub(1);
            before = *doc;
        }
        let gaps = &values[..docs.len()];
        let width = width_of(gaps);
        out.push(width as u8);
        pack(gaps.iter().copied(), width, out);
        if let Some(freqs) = freqs {
            for (rank, freq) in freqs.iter().enumerate() {
                values[place(rank)] = freq - 1;
            }
            put_patched(&values[..freqs.len()], out);
            into.impacts.clear();
            into.impacts.add_block(freqs, norms);
            self.impacts.push(&into.impacts.capped());
            into.positions.block(freqs);
        }
        self.last_doc = docs.last().copied();
        self.last_docs
            .extend_from_slice(&self.last_doc.unwrap_or(0).to_le_bytes());
        self.block_ends
            .extend_from_slice(&(out.len() as u32).to_le_bytes());
    }

    pub fn write_skips(&self, freqs_kept: bool, positions_kept: bool, out: &mut Vec<u8>) {
        out.push(KIND);
        if freqs_kept {
            self.impacts.write_best(out);
        }
        out.extend_from_slice(&self.last_docs);
        out.extend_from_slice(&self.block_ends);
        if positions_kept {
            out.extend_from_slice(&self.positions_at);
        }
        if freqs_kept {
            self.impacts.write(out);
        }
    }
}

/// Reads the documents of a block of `count`; `before` is the last document before it, `None` for the first block. Full
/// blocks come out lane-major, others by rank. Answers how many bytes they take; the freqs follow. `block` may reach further.
pub(crate) fn decode_docs(
    block: &[u8],
    count: usize,
    before: Option<u32>,
    max_doc: u32,
    docs: &mut [u32; BLOCK],
) -> Result<usize, Malformed> {
    let (width, rest) = block
        .split_first()
        .ok_or(Malformed("has a block that ends too early"))?;
    let width = u32::from(*width);
    let len = unpack(rest, count, width, docs)?;
    let base = before.unwrap_or(u32::MAX);
    let kernels = simd::kernels();
    let last = if count == BLOCK {
        (kernels.scoring.lane_sums)(base, 1, docs);
        docs[BLOCK - 1]
    } else {
        (kernels.prefix_sum)(base, docs);
        // No document, so that nobody finds one there.
        docs[count..].fill(u32::MAX);
        docs[count - 1]
    };
    let lower_half = before.is_none_or(|before| before < 1 << 31);
    let ascends = (width <= SAFE_WIDTH && lower_half) || ascends(docs, count, before);
    if !ascends || last >= max_doc {
        return Err(Malformed("has a block of documents that do not ascend"));
    }
    Ok(1 + len)
}

/// Bytes that the documents of a block of `count` take, as its first byte tells; the freqs follow.
#[inline]
pub(crate) fn docs_len(block: &[u8], count: usize) -> Option<usize> {
    let width = u32::from(*block.first()?);
    let len = 1 + packed_len(count, width);
    (width <= 32 && len <= block.len()).then_some(len)
}

/// Whether documents ascend in order of rank, the hard way.
fn ascends(docs: &[u32; BLOCK], count: usize, before: Option<u32>) -> bool {
    let at = |rank: usize| {
        if count == BLOCK {
            docs[slot_of(rank)]
        } else {
            docs[rank]
        }
    };
    (1..count).all(|rank| at(rank - 1) < at(rank)) && before.is_none_or(|before| before < at(0))
}

/// Reads the freqs of a block from where they start, in the order of its documents.
pub(crate) fn decode_freqs(
    freqs: &[u8],
    count: usize,
    out: &mut [u32; BLOCK],
) -> Result<(), Malformed> {
    take_patched(freqs, count, out)?;
    for freq in out.iter_mut() {
        *freq = freq.saturating_add(1);
    }
    Ok(())
}

/// Reads one freq of a block of `count` documents from where its freqs start: that of a slot.
pub(crate) fn decode_freq(freqs: &[u8], count: usize, slot: usize) -> Result<u32, Malformed> {
    Ok(patched_at(freqs, count, slot)?.saturating_add(1))
}
