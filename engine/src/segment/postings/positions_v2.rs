//! Reads positions out of the stream of a term, as codec 2 keeps them.

use std::ops::Range;

use super::super::ReadError;
use super::super::terms::Dictionary;
use crate::format::v1::terms::TermEntry;
use crate::format::v2::{Group, PositionsIndex};

/// Occurrences of a document up to which gaps are read one by one.
const FEW: usize = 16;

/// Keeps the group of gaps that was read last.
#[derive(Debug)]
pub(super) struct PositionsReader {
    index: Option<PositionsIndex>,
    /// The group found last, and where.
    found: Option<(usize, Group)>,
    /// The group that was unpacked last; `usize::MAX`: none.
    group: usize,
    gaps: Option<Box<[u32; 128]>>,
    len: usize,
}

impl PositionsReader {
    pub fn new() -> PositionsReader {
        PositionsReader {
            index: None,
            found: None,
            group: usize::MAX,
            gaps: None,
            len: 0,
        }
    }

    /// Goes before the first group of another term.
    pub fn forget(&mut self) {
        self.index = None;
        self.found = None;
        self.group = usize::MAX;
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
                let place = self.find(dictionary, entry, group)?;
                let take = left.min(place.count.saturating_sub(at));
                if take <= FEW {
                    let bytes = read(dictionary, entry, &place.bytes)?;
                    if let Some(last) = place.add_up(bytes, at..at + take, position, positions) {
                        if take == 0 {
                            return Err(too_few(dictionary));
                        }
                        (position, left) = (last, left - take);
                        (group, at) = (group + 1, 0);
                        continue;
                    }
                }
                self.load(dictionary, entry, group)?;
            }
            let take = left.min(self.len.saturating_sub(at));
            if take == 0 {
                return Err(too_few(dictionary));
            }
            for gap in &self.gaps()[at..at + take] {
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
    pub fn next_group(
        &mut self,
        dictionary: &Dictionary,
        entry: &TermEntry,
    ) -> Result<&[u32], ReadError> {
        let next = self.group.wrapping_add(1);
        if next as u64 * 128 >= entry.total_term_freq {
            return Ok(&[]);
        }
        self.load(dictionary, entry, next)?;
        Ok(&self.gaps()[..self.len])
    }

    /// Those of the group that was unpacked last.
    fn gaps(&self) -> &[u32] {
        self.gaps.as_ref().map_or(&[], |gaps| &gaps[..])
    }

    /// Finds a group.
    fn find(
        &mut self,
        dictionary: &Dictionary,
        entry: &TermEntry,
        group: usize,
    ) -> Result<&Group, ReadError> {
        if self.found.as_ref().is_none_or(|(found, _)| *found != group) {
            let malformed = |what| dictionary.postings.malformed(what);
            let index = match self.index {
                Some(index) => index,
                None => PositionsIndex::new(entry.positions_len as usize, entry.total_term_freq)
                    .map_err(malformed)?,
            };
            self.index = Some(index);
            let (widths, start) = index.guide(group).map_err(malformed)?;
            let start = &read(dictionary, entry, &start)?[..start.len()];
            let widths = &read(dictionary, entry, &widths)?[..widths.len()];
            let place = index.place(group, widths, start).map_err(malformed)?;
            self.found = Some((group, place));
        }
        match &self.found {
            Some((_, place)) => Ok(place),
            None => Err(too_few(dictionary)),
        }
    }

    fn load(
        &mut self,
        dictionary: &Dictionary,
        entry: &TermEntry,
        group: usize,
    ) -> Result<(), ReadError> {
        self.group = usize::MAX;
        let place = self.find(dictionary, entry, group)?.clone();
        let gaps = self.gaps.get_or_insert_with(|| Box::new([0; 128]));
        place
            .unpack(read(dictionary, entry, &place.bytes)?, gaps)
            .map_err(|what| dictionary.postings.malformed(what))?;
        self.len = place.count;
        self.group = group;
        Ok(())
    }
}

/// Bytes of a term's stream; they may reach further.
fn read<'a>(
    dictionary: &'a Dictionary,
    entry: &TermEntry,
    range: &Range<usize>,
) -> Result<&'a [u8], ReadError> {
    let stream = entry.payload + (entry.payload_len - entry.positions_len);
    let at = stream + range.start as u64;
    dictionary.postings.read_ahead(at, range.len() as u64)
}

#[cold]
fn too_few(dictionary: &Dictionary) -> ReadError {
    let what = "has fewer positions than occurrences";
    dictionary.postings.error(what)
}
