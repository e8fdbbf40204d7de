//! Positions of one term, codec 2: the gaps between positions (each document starts from 0 anew) of all its documents, one
//! stream. It is read and not written any more; what is written is [`v3`](crate::format::v3).
//!
//! | part    | bytes | meaning                                                                                       |
//! |---------|------:|-----------------------------------------------------------------------------------------------|
//! | groups  |     … | 128 gaps each, packed; the last may be shorter and is packed without padding                   |
//! | widths  |   1·g | for each group, the bits of a gap                                                              |
//! | starts  |   4·s | where group 16, 32, 48, … starts, if there are as many                                        |
//!
//! The number of gaps is the term's total frequency, so `g` and `s` are known, and widths and starts are read from the end.

use std::ops::Range;

use super::packing::{GROUP, packed_len, unpack};
#[cfg(test)]
use super::packing::{pack, width_of};
use crate::format::bytes::{Malformed, u32_at};

/// Groups between two starts.
const STRIDE: usize = 16;

/// Where the groups of a stream are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PositionsIndex {
    total: u64,
    groups: usize,
    widths_at: usize,
}

impl PositionsIndex {
    /// Of a stream of `len` bytes with `total` gaps.
    pub fn new(len: usize, total: u64) -> Result<PositionsIndex, Malformed> {
        let groups = usize::try_from(total.div_ceil(GROUP as u64))
            .map_err(|_| Malformed("has more positions than fit in memory"))?;
        let starts = groups.saturating_sub(1) / STRIDE;
        let widths_at = starts
            .checked_mul(4)
            .and_then(|starts| starts.checked_add(groups))
            .and_then(|index| len.checked_sub(index))
            .ok_or(Malformed("has fewer positions than occurrences"))?;
        Ok(PositionsIndex {
            total,
            groups,
            widths_at,
        })
    }

    /// Which bytes of the stream tell where a group is: the widths of the groups of its stretch up to itself, and the start
    /// of the stretch (empty for the first).
    pub fn guide(&self, group: usize) -> Result<(Range<usize>, Range<usize>), Malformed> {
        if group >= self.groups {
            return Err(Malformed("has positions outside their stream"));
        }
        let stretch = group / STRIDE;
        let widths = self.widths_at + stretch * STRIDE..self.widths_at + group + 1;
        let start = match stretch {
            0 => 0..0,
            stretch => {
                let at = self.widths_at + self.groups + 4 * (stretch - 1);
                at..at + 4
            }
        };
        Ok((widths, start))
    }

    /// Where a group is and how it is packed, by the bytes that its [`guide`](Self::guide) names.
    pub fn place(&self, group: usize, widths: &[u8], start: &[u8]) -> Result<Group, Malformed> {
        let outside = Malformed("has positions outside their stream");
        let (width, before) = widths.split_last().ok_or(outside)?;
        let mut at = match start {
            [] => 0,
            start => u32_at(start, 0).ok_or(outside)? as usize,
        };
        // A group of 128 integers takes 16 bytes for each bit of its width.
        let bits: usize = before.iter().map(|width| usize::from(*width)).sum();
        at += packed_len(GROUP, 1) * bits;
        let count = self.total - (group * GROUP) as u64;
        let count = count.min(GROUP as u64) as usize;
        let width = u32::from(*width);
        let bytes = at..at + packed_len(count, width);
        if bytes.end > self.widths_at {
            return Err(outside);
        }
        Ok(Group {
            bytes,
            count,
            width,
        })
    }
}

/// Where a group of a stream is.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// Its bytes in the stream.
    pub bytes: Range<usize>,
    /// How many gaps it has.
    pub count: usize,
    width: u32,
}

impl Group {
    /// Adds up some gaps, from one on, and appends each sum to `out`; answers the last one. Answers `None`, with nothing
    /// done, where reading them one by one does not work: in the last bytes of a section.
    pub fn add_up(
        &self,
        bytes: &[u8],
        gaps: Range<usize>,
        mut position: u32,
        out: &mut Vec<u32>,
    ) -> Option<u32> {
        let width = self.width as usize;
        // Eight bytes hold any integer of up to 32 bits, wherever it begins.
        if width > 32 || gaps.end > self.count || bytes.len() < gaps.end * width / 8 + 8 {
            return None;
        }
        let mask = (1u64 << width) - 1;
        for gap in gaps {
            let bit = gap * width;
            let word = bytes[bit / 8..].first_chunk::<8>()?;
            let gap = u64::from_le_bytes(*word) >> (bit % 8) & mask;
            position = position.wrapping_add(gap as u32);
            out.push(position);
        }
        Some(position)
    }

    /// Unpacks the gaps from the group's bytes, which may reach further.
    pub fn unpack(&self, bytes: &[u8], out: &mut [u32; GROUP]) -> Result<(), Malformed> {
        unpack(bytes, self.count, self.width, out).map(|_| ())
    }
}

/// Packs the stream of one term.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct PositionsEncoder {
    gaps: Vec<u32>,
    widths: Vec<u8>,
    starts: Vec<u8>,
}

#[cfg(test)]
impl PositionsEncoder {
    pub fn start(&mut self) {
        self.gaps.clear();
        self.widths.clear();
        self.starts.clear();
    }

    /// Adds the positions of one document, ascending.
    pub fn add(&mut self, positions: &[u32], out: &mut Vec<u8>) {
        let mut before = 0;
        for position in positions {
            self.gaps.push(position.wrapping_sub(before));
            before = *position;
            if self.gaps.len() == GROUP {
                self.end_group(out);
            }
        }
    }

    fn end_group(&mut self, out: &mut Vec<u8>) {
        if !self.widths.is_empty() && self.widths.len().is_multiple_of(STRIDE) {
            self.starts
                .extend_from_slice(&(out.len() as u32).to_le_bytes());
        }
        let width = width_of(&self.gaps);
        self.widths.push(width as u8);
        pack(self.gaps.iter().copied(), width, out);
        self.gaps.clear();
    }

    /// Completes the stream in `out`, which holds nothing else.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.gaps.is_empty() {
            self.end_group(out);
        }
        out.extend_from_slice(&self.widths);
        out.extend_from_slice(&self.starts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn positions_come_back(docs in proptest::collection::vec(proptest::collection::vec(0u32..1000, 1..200), 1..60), slack in 0usize..30) {
            let mut encoder = PositionsEncoder::default();
            encoder.start();
            let mut bytes = Vec::new();
            let mut gaps = Vec::new();
            for doc in &docs {
                let mut positions = doc.clone();
                positions.sort_unstable();
                encoder.add(&positions, &mut bytes);
                let mut before = 0;
                for position in positions {
                    gaps.push(position - before);
                    before = position;
                }
            }
            encoder.finish(&mut bytes);
            let index = PositionsIndex::new(bytes.len(), gaps.len() as u64).unwrap();
            bytes.resize(bytes.len() + slack, 1);
            let mut out = [0; GROUP];
            for (number, expected) in gaps.chunks(GROUP).enumerate() {
                let (widths, start) = index.guide(number).unwrap();
                let group = index.place(number, &bytes[widths], &bytes[start]).unwrap();
                group.unpack(&bytes[group.bytes.start..], &mut out).unwrap();
                prop_assert_eq!(&out[..group.count], expected);
                let from = expected.len() / 2;
                let mut sums = Vec::new();
                if let Some(last) = group.add_up(&bytes[group.bytes.start..], from..expected.len(), 7, &mut sums) {
                    let mut sum = 7;
                    let expected: Vec<u32> = expected[from..].iter().map(|gap| { sum += gap; sum }).collect();
                    prop_assert_eq!(&sums, &expected);
                    prop_assert_eq!(last, sum);
                } else {
                    prop_assert!(bytes.len() - group.bytes.end < 8);
                }
            }
            prop_assert!(index.guide(gaps.len().div_ceil(GROUP)).is_err());
        }

        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes: Vec<u8>, total in 0u64..9000, number in 0usize..80) {
            if let Ok(index) = PositionsIndex::new(bytes.len(), total)
                && let Ok((widths, start)) = index.guide(number)
                && let Ok(group) = index.place(number, &bytes[widths], &bytes[start])
            {
                let _ = group.unpack(&bytes[group.bytes.clone()], &mut [0; GROUP]);
            }
        }
    }
}
