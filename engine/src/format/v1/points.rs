//! # Points
//! The values of a field with their documents, in order of value, then document: leaves of 512 pairs (the last one
//! shorter), a directory of 32 bytes per leaf, a trailer of 16.
//!
//! | directory | bytes | meaning                                                |
//! |----------:|------:|--------------------------------------------------------|
//! |         0 |     8 | smallest value of the leaf: its first                  |
//! |         8 |     8 | greatest value of the leaf: its last                   |
//! |        16 |     8 | where the leaf starts in the section                   |
//! |        24 |     4 | number of pairs                                        |
//! |        28 |     1 | width of the packed values less the smallest           |
//! |        29 |     1 | width of the packed documents                          |
//! |        30 |     2 | zero                                                   |
//!
//! | trailer | bytes | meaning          |
//! |--------:|------:|------------------|
//! |       0 |     8 | number of leaves |
//! |       8 |     8 | number of pairs  |
//!
//! A leaf: values packed, then documents packed (see `packed`).
//! Worked example: the pairs (5, 1) and (6, 0) have smallest 5, widths 1 and 1, and the bytes `02`, 8 zeros, `01`, 8 zeros.

use std::io;

use super::packed::{self, packed_len};
use crate::format::bytes::{ByteReader, Malformed};
use crate::format::envelope::EnvelopeWriter;

const LEAF_PAIRS: usize = 512;
const ENTRY: usize = 32;
const TRAILER: usize = 16;

/// Directory entry of one leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeafEntry {
    pub min: i64,
    pub max: i64,
    pub start: u64,
    pub count: u32,
    pub value_width: u32,
    pub doc_width: u32,
    pub docs_at: u64,
    pub end: u64,
}

/// Writes the pairs of one field, ascending, into the open section.
#[derive(Debug, Default)]
pub(crate) struct PointsWriter {
    values: Vec<i64>,
    docs: Vec<u32>,
    directory: Vec<u8>,
    buffer: Vec<u8>,
    written: u64,
    count: u64,
}

impl PointsWriter {
    pub fn push(&mut self, out: &mut EnvelopeWriter<'_>, value: i64, doc: u32) -> io::Result<()> {
        self.values.push(value);
        self.docs.push(doc);
        if self.values.len() == LEAF_PAIRS {
            self.end_leaf(out)?;
        }
        Ok(())
    }

    fn end_leaf(&mut self, out: &mut EnvelopeWriter<'_>) -> io::Result<()> {
        let (Some(&min), Some(&max)) = (self.values.first(), self.values.last()) else {
            return Ok(());
        };
        let value_width = packed::width_of(max.wrapping_sub(min) as u64);
        let doc_max = self.docs.iter().copied().max().unwrap_or(0);
        let doc_width = packed::width_of(u64::from(doc_max));
        self.buffer.clear();
        let distances = self
            .values
            .iter()
            .map(|value| value.wrapping_sub(min) as u64);
        packed::pack(distances, value_width, &mut self.buffer);
        packed::pack(
            self.docs.iter().map(|doc| u64::from(*doc)),
            doc_width,
            &mut self.buffer,
        );
        let directory = &mut self.directory;
        directory.extend_from_slice(&min.to_le_bytes());
        directory.extend_from_slice(&max.to_le_bytes());
        directory.extend_from_slice(&self.written.to_le_bytes());
        directory.extend_from_slice(&(self.values.len() as u32).to_le_bytes());
        directory.extend_from_slice(&[value_width as u8, doc_width as u8, 0, 0]);
        out.write(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.count += self.values.len() as u64;
        self.values.clear();
        self.docs.clear();
        Ok(())
    }

    pub fn finish(mut self, out: &mut EnvelopeWriter<'_>) -> io::Result<()> {
        self.end_leaf(out)?;
        out.write(&self.directory)?;
        out.write(&((self.directory.len() / ENTRY) as u64).to_le_bytes())?;
        out.write(&self.count.to_le_bytes())
    }
}

/// Length of directory and trailer, from the trailer.
pub(crate) fn tail_len(trailer: &[u8]) -> Result<u64, Malformed> {
    let leaves = ByteReader::new(trailer).u64()?;
    leaves
        .checked_mul(ENTRY as u64)
        .and_then(|len| len.checked_add(TRAILER as u64))
        .ok_or(Malformed("has too many leaves"))
}

/// Bytes of the trailer.
pub(crate) const TRAILER_BYTES: u64 = TRAILER as u64;

/// Reads directory and trailer, the last bytes of a section of `section_len` bytes; answers leaves and number of pairs.
pub(crate) fn decode_tail(
    tail: &[u8],
    section_len: u64,
) -> Result<(Vec<LeafEntry>, u64), Malformed> {
    let trailer_at = tail
        .len()
        .checked_sub(TRAILER)
        .ok_or(Malformed("is shorter than a trailer"))?;
    let mut reader = ByteReader::new(&tail[trailer_at..]);
    let _leaves = reader.u64()?;
    let count = reader.u64()?;
    let leaves_end = section_len.saturating_sub(tail.len() as u64);
    let mut leaves = Vec::with_capacity(trailer_at / ENTRY);
    for row in tail[..trailer_at].chunks_exact(ENTRY) {
        let mut reader = ByteReader::new(row);
        let (min, max, start) = (reader.i64()?, reader.i64()?, reader.u64()?);
        let count = reader.u32()?;
        let (value_width, doc_width) = (u32::from(reader.u8()?), u32::from(reader.u8()?));
        let values_len = packed_len(u64::from(count), value_width);
        let docs_len = packed_len(u64::from(count), doc_width);
        let docs_at = values_len.and_then(|len| start.checked_add(len));
        let end = docs_at
            .zip(docs_len)
            .and_then(|(at, len)| at.checked_add(len));
        let (Some(docs_at), Some(end)) = (docs_at, end.filter(|end| *end <= leaves_end)) else {
            return Err(Malformed("has a leaf outside its bytes"));
        };
        if count as usize > LEAF_PAIRS {
            return Err(Malformed("has a leaf of too many pairs"));
        }
        leaves.push(LeafEntry {
            min,
            max,
            start,
            count,
            value_width,
            doc_width,
            docs_at,
            end,
        });
    }
    if leaves.iter().map(|leaf| u64::from(leaf.count)).sum::<u64>() != count {
        return Err(Malformed("has a wrong number of pairs"));
    }
    Ok((leaves, count))
}
