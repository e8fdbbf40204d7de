//! Reads the positions of all documents of a term, one block of them after the other.

use std::sync::Arc;

use super::super::ReadError;
use super::super::terms::Dictionary;
use super::PostingsNeed;
use super::positions_v2::PositionsReader;
use crate::format::bytes::Malformed;
use crate::format::v1::terms::TermEntry;
use crate::format::v3::PositionsPart;

/// Codec of the postings since which positions are kept by block.
const BY_BLOCK_SINCE: u16 = 3;

/// Whether positions are kept, were asked for, and are kept by block.
pub(super) fn are_by_block(dictionary: &Dictionary, need: PostingsNeed) -> bool {
    dictionary.postings.codec() >= BY_BLOCK_SINCE
        && dictionary.positions_kept
        && need >= PostingsNeed::Positions
}

/// The bytes of the positions of a term from a place on up to another; they may reach further.
#[inline]
pub(super) fn positions_bytes<'a>(
    dictionary: &'a Dictionary,
    entry: &TermEntry,
    from: u64,
    to: u64,
) -> Result<&'a [u8], ReadError> {
    if from > to || to > entry.positions_len {
        let what = "has positions outside their payload";
        return Err(dictionary.postings.error(what));
    }
    let start = entry.payload + (entry.payload_len - entry.positions_len);
    dictionary.postings.read_ahead(start + from, to - from)
}

/// The part of a block of so many documents that has the one with a rank; `bytes` may reach further.
pub(crate) fn part_at(
    bytes: &[u8],
    docs: usize,
    rank: usize,
) -> Result<PositionsPart<'_>, Malformed> {
    let (start, docs) = PositionsPart::find(bytes, docs, rank)?;
    PositionsPart::open(bytes.get(start..).unwrap_or(&[]), docs)
}

/// Where the positions of a document are: the bytes of its block, the documents of that, and its rank among them.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub from: u64,
    pub to: u64,
    pub docs: usize,
    pub rank: usize,
}

/// The positions in one document.
#[derive(Clone, Copy)]
pub(crate) enum DocPositions<'a> {
    /// Of the document with a rank in a part.
    Packed(PositionsPart<'a>, usize),
    /// Read already.
    Listed(&'a [u32]),
}

impl DocPositions<'_> {
    /// Visits them, ascending, until told to stop.
    #[inline]
    pub fn visit(&self, mut each: impl FnMut(u32) -> bool) -> Result<(), Malformed> {
        match self {
            DocPositions::Packed(part, rank) => part.visit(*rank, each),
            DocPositions::Listed(positions) => {
                positions.iter().all(|position| each(*position));
                Ok(())
            }
        }
    }
}

/// Reads positions from the first document of a term on.
pub(crate) struct PositionsStream {
    dictionary: Arc<Dictionary>,
    entry: TermEntry,
    /// Where the next block is.
    at: u64,
    /// Of codec 2: what reads the gaps, each document from 0 anew, and those that were read and not taken yet.
    groups: PositionsReader,
    waiting: Vec<u32>,
}

impl PositionsStream {
    /// Of a term of a segment of format v2 or later whose field keeps positions.
    pub(in crate::segment) fn new(
        dictionary: Arc<Dictionary>,
        entry: &TermEntry,
    ) -> PositionsStream {
        PositionsStream {
            dictionary,
            entry: *entry,
            at: 0,
            groups: PositionsReader::new(),
            waiting: Vec::new(),
        }
    }

    /// Goes before the first document of another term.
    pub(in crate::segment) fn reopen(&mut self, dictionary: &Arc<Dictionary>, entry: &TermEntry) {
        if !Arc::ptr_eq(&self.dictionary, dictionary) {
            self.dictionary = dictionary.clone();
        }
        self.entry = *entry;
        self.at = 0;
        self.groups.forget();
        self.waiting.clear();
    }

    /// Appends the first positions of the next documents, and the distances of their other ones, each from the one before. `freqs`
    /// are those of all documents of a block or a cell: see [`take_part`](super::PostingsCursor::take_part).
    pub fn take(
        &mut self,
        freqs: &[u32],
        firsts: &mut Vec<u32>,
        gaps: &mut Vec<u32>,
    ) -> Result<(), ReadError> {
        if self.dictionary.postings.codec() < BY_BLOCK_SINCE {
            return self.take_of_stream(freqs, firsts, gaps);
        }
        let more: usize = freqs
            .iter()
            .map(|freq| (*freq as usize).saturating_sub(1))
            .sum();
        // No block of so many positions is longer: ends, heads, numbers, flags and firsts; lasts, widths and gaps.
        let parts = freqs.len().div_ceil(128);
        let most = 15 * parts + 5 * freqs.len() + (1 + 16 + 4 * 128) * (more.div_ceil(128) + parts);
        let end = self.entry.positions_len.min(self.at + most as u64);
        let bytes = positions_bytes(&self.dictionary, &self.entry, self.at, end)?;
        let malformed = |what| self.dictionary.postings.malformed(what);
        let mut left = bytes.len();
        for number in 0..parts {
            let part = part_at(bytes, freqs.len(), 128 * number).map_err(malformed)?;
            let own = freqs.iter().skip(128 * number).take(128);
            if part.more() as u64
                != own
                    .map(|freq| u64::from(*freq).saturating_sub(1))
                    .sum::<u64>()
            {
                return Err(self.dictionary.postings.error(OTHER));
            }
            left = part.unpack(firsts, gaps).map_err(malformed)?;
        }
        self.at += (bytes.len() - left) as u64;
        if self.at > end {
            return Err(self.dictionary.postings.error(OTHER));
        }
        Ok(())
    }

    fn take_of_stream(
        &mut self,
        freqs: &[u32],
        firsts: &mut Vec<u32>,
        gaps: &mut Vec<u32>,
    ) -> Result<(), ReadError> {
        let all: usize = freqs.iter().map(|freq| *freq as usize).sum();
        while self.waiting.len() < all {
            let group = self.groups.next_group(&self.dictionary, &self.entry)?;
            if group.is_empty() {
                return Err(self.dictionary.postings.error(OTHER));
            }
            self.waiting.extend_from_slice(group);
        }
        let mut taken = self.waiting.drain(..all);
        for freq in freqs {
            firsts.extend(taken.next());
            gaps.extend(taken.by_ref().take((*freq as usize).saturating_sub(1)));
        }
        Ok(())
    }
}

const OTHER: &str = "has not as many positions as occurrences";
