//! Reads the positions of single documents out of the stream of a term.

use std::sync::Arc;

use std::ops::Range;

use super::super::ReadError;
use super::super::terms::Dictionary;
use crate::format::v1::terms::TermEntry;
use crate::format::v2::PositionsIndex;

/// Reads the gaps between the positions of a term, those of all its documents one after the other: each document starts
/// from 0 anew.
pub(crate) struct GapReader {
    dictionary: Arc<Dictionary>,
    entry: TermEntry,
    groups: PositionsReader,
}

impl GapReader {
    /// Of a term of a segment of format v2 whose field keeps positions.
    pub(in crate::segment) fn new(dictionary: Arc<Dictionary>, entry: &TermEntry) -> GapReader {
        GapReader {
            dictionary,
            entry: *entry,
            groups: PositionsReader::new(),
        }
    }

    /// Goes before the first gap of another term.
    pub(in crate::segment) fn reopen(&mut self, dictionary: &Arc<Dictionary>, entry: &TermEntry) {
        if !Arc::ptr_eq(&self.dictionary, dictionary) {
            self.dictionary = dictionary.clone();
        }
        self.entry = *entry;
        self.groups.index = None;
        self.groups.group = usize::MAX;
    }

    /// The next gaps; none after the last.
    pub fn next_group(&mut self) -> Result<&[u32], ReadError> {
        self.groups.next_group(&self.dictionary, &self.entry)
    }
}

/// Keeps the group of gaps that was read last.
#[derive(Debug)]
pub(super) struct PositionsReader {
    index: Option<PositionsIndex>,
    group: usize,
    gaps: [u32; 128],
    len: usize,
}

impl PositionsReader {
    pub fn new() -> PositionsReader {
        PositionsReader {
            index: None,
            group: usize::MAX,
            gaps: [0; 128],
            len: 0,
        }
    }

    /// Appends the positions of a document that has `count`, after `first` occurrences in documents before it.
    pub fn read(
        &mut self,
        dictionary: &Dictionary,
        entry: &TermEntry,
        first: u64,
        count: u32,
        positions: &mut Vec<u32>,
    ) -> Result<(), ReadError> {
        let mut group = (first / 128) as usize;
        let mut at = (first % 128) as usize;
        let mut left = count as usize;
        let mut position = 0u32;
        while left > 0 {
            if group != self.group {
                self.load(dictionary, entry, group)?;
            }
            let take = left.min(self.len.saturating_sub(at));
            if take == 0 {
                return Err(dictionary
                    .postings
                    .error("has fewer positions than occurrences"));
            }
            for gap in &self.gaps[at..at + take] {
                position = position.wrapping_add(*gap);
                positions.push(position);
            }
            left -= take;
            group += 1;
            at = 0;
        }
        Ok(())
    }

    /// Loads the next group, or the first; answers its gaps, none after the last.
    fn next_group(
        &mut self,
        dictionary: &Dictionary,
        entry: &TermEntry,
    ) -> Result<&[u32], ReadError> {
        let next = self.group.wrapping_add(1);
        if next as u64 * 128 >= entry.total_term_freq {
            return Ok(&[]);
        }
        self.load(dictionary, entry, next)?;
        Ok(&self.gaps[..self.len])
    }

    fn load(
        &mut self,
        dictionary: &Dictionary,
        entry: &TermEntry,
        group: usize,
    ) -> Result<(), ReadError> {
        let malformed = |what| dictionary.postings.malformed(what);
        let stream = entry.payload + (entry.payload_len - entry.positions_len);
        let index = match self.index {
            Some(index) => index,
            None => PositionsIndex::new(entry.positions_len as usize, entry.total_term_freq)
                .map_err(malformed)?,
        };
        self.index = Some(index);
        self.group = usize::MAX;
        let read = |range: &Range<usize>| {
            let at = stream + range.start as u64;
            dictionary.postings.read_ahead(at, range.len() as u64)
        };
        let (widths, start) = index.guide(group).map_err(malformed)?;
        let start = &read(&start)?[..start.len()];
        let place = index.place(group, &read(&widths)?[..widths.len()], start);
        let place = place.map_err(malformed)?;
        place
            .unpack(read(&place.bytes)?, &mut self.gaps)
            .map_err(malformed)?;
        self.len = place.count;
        self.group = group;
        Ok(())
    }
}
