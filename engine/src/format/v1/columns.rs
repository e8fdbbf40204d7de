//! # Columns
//! Integers by document, in chunks of 4096 rows: `Numeric` sections hold `i64` values, `Ordinals` sections ranks in the field's
//! terms. A section is chunks, a directory of 48 bytes per chunk, a trailer of 48 bytes.
//!
//! | directory | bytes | meaning                                                         |
//! |----------:|------:|-----------------------------------------------------------------|
//! |         0 |     8 | where the chunk starts in the section                           |
//! |         8 |     8 | smallest value (0 without values)                               |
//! |        16 |     8 | greatest value                                                  |
//! |        24 |     8 | step, at least 1                                                |
//! |        32 |     4 | documents with a value                                          |
//! |        36 |     4 | values                                                          |
//! |        40 |     1 | width of the packed values (see `packed`)                       |
//! |        41 |     1 | 1 if some document has several values                           |
//! |        42 |     6 | zero                                                            |
//!
//! | trailer | bytes | meaning                     |
//! |--------:|------:|-----------------------------|
//! |       0 |     4 | number of chunks            |
//! |       4 |     4 | 1 if some document has several values |
//! |       8 |     8 | documents with a value      |
//! |      16 |     8 | values                      |
//! |      24 |     8 | smallest value              |
//! |      32 |     8 | greatest value              |
//! |      40 |     8 | zero                        |
//!
//! A chunk has up to three parts:
//! - presence, unless all or none of its rows have values: 64 `u64` words, a bit per row, then 64 `u16`: bits set before each word;
//! - ends, if some row has several values: for each row with values, `u32` number of values up to and with this row;
//! - values, packed: `smallest + step * packed`. Width 0 is a constant (not where a row has several values); step is the greatest common divisor of the distances
//!   to the smallest (frame of reference); width 64 is raw.
//!
//! Values of a row ascend. Worked example: rows with 10, 30, 20 have smallest 10, step 10, width 2 and the bytes `18` and 8 zeros.

use std::io;

use super::packed::{self, packed_len};
use crate::format::bytes::{ByteReader, Malformed};
use crate::format::envelope::EnvelopeWriter;

/// Rows of a chunk.
pub(crate) const CHUNK_ROWS: u32 = 4096;
const ENTRY: usize = 48;
const TRAILER: usize = 48;
const PRESENCE_BYTES: usize = 64 * 8 + 64 * 2;

/// Directory entry of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkEntry {
    pub start: u64,
    pub min: i64,
    pub max: i64,
    pub step: u64,
    pub doc_count: u32,
    pub value_count: u32,
    pub width: u32,
    pub multi: bool,
    /// Rows of the chunk, from its place.
    pub rows: u32,
    /// Whether presence bits are there.
    pub sparse: bool,
    pub ends_at: u64,
    pub values_at: u64,
    pub end: u64,
}

/// A column as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnHead {
    pub multi: bool,
    pub doc_count: u64,
    pub value_count: u64,
    pub min: i64,
    pub max: i64,
    pub chunks: Vec<ChunkEntry>,
}

/// Writes one column, row after row, into the open section.
#[derive(Debug)]
pub(crate) struct ColumnWriter {
    /// First row of the open chunk.
    chunk_base: u32,
    presence: [u64; 64],
    ends: Vec<u32>,
    values: Vec<i64>,
    directory: Vec<u8>,
    buffer: Vec<u8>,
    written: u64,
    multi: bool,
    doc_count: u64,
    value_count: u64,
    min: i64,
    max: i64,
    chunk_count: u32,
}

impl ColumnWriter {
    pub fn new() -> Self {
        ColumnWriter {
            chunk_base: 0,
            presence: [0; 64],
            ends: Vec::new(),
            values: Vec::new(),
            directory: Vec::new(),
            buffer: Vec::new(),
            written: 0,
            multi: false,
            doc_count: 0,
            value_count: 0,
            min: i64::MAX,
            max: i64::MIN,
            chunk_count: 0,
        }
    }

    /// Adds the values of a row, ascending; rows ascend, those without values are left out.
    pub fn push(
        &mut self,
        out: &mut EnvelopeWriter<'_>,
        row: u32,
        values: &[i64],
    ) -> io::Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        while row - self.chunk_base >= CHUNK_ROWS {
            self.end_chunk(out, CHUNK_ROWS)?;
        }
        let offset = row - self.chunk_base;
        self.presence[offset as usize / 64] |= 1 << (offset % 64);
        self.values.extend_from_slice(values);
        self.ends.push(self.values.len() as u32);
        Ok(())
    }

    fn end_chunk(&mut self, out: &mut EnvelopeWriter<'_>, rows: u32) -> io::Result<()> {
        let docs = self.ends.len() as u32;
        let multi = self.values.len() > self.ends.len();
        let min = self.values.iter().copied().min().unwrap_or(0);
        let max = self.values.iter().copied().max().unwrap_or(0);
        let mut step = 0;
        for value in &self.values {
            step = gcd(step, value.wrapping_sub(min) as u64);
            if step == 1 {
                break;
            }
        }
        let step = step.max(1);
        let width = packed::width_of(max.wrapping_sub(min) as u64 / step).max(u32::from(multi));
        self.buffer.clear();
        if docs != 0 && docs != rows {
            for word in &self.presence {
                self.buffer.extend_from_slice(&word.to_le_bytes());
            }
            let mut before = 0u16;
            for word in &self.presence {
                self.buffer.extend_from_slice(&before.to_le_bytes());
                before += word.count_ones() as u16;
            }
        }
        if multi {
            for end in &self.ends {
                self.buffer.extend_from_slice(&end.to_le_bytes());
            }
        }
        let distances = self
            .values
            .iter()
            .map(|value| value.wrapping_sub(min) as u64 / step);
        if !self.values.is_empty() {
            packed::pack(distances, width, &mut self.buffer);
        }
        let directory = &mut self.directory;
        directory.extend_from_slice(&self.written.to_le_bytes());
        directory.extend_from_slice(&min.to_le_bytes());
        directory.extend_from_slice(&max.to_le_bytes());
        directory.extend_from_slice(&step.to_le_bytes());
        directory.extend_from_slice(&docs.to_le_bytes());
        directory.extend_from_slice(&(self.values.len() as u32).to_le_bytes());
        directory.extend_from_slice(&[width as u8, u8::from(multi), 0, 0, 0, 0, 0, 0]);
        out.write(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.multi |= multi;
        self.doc_count += u64::from(docs);
        self.value_count += self.values.len() as u64;
        if docs > 0 {
            self.min = self.min.min(min);
            self.max = self.max.max(max);
        }
        self.chunk_count += 1;
        self.chunk_base += CHUNK_ROWS;
        self.presence = [0; 64];
        self.ends.clear();
        self.values.clear();
        Ok(())
    }

    /// Writes the rest of the section of a segment of `max_doc` documents.
    pub fn finish(mut self, out: &mut EnvelopeWriter<'_>, max_doc: u32) -> io::Result<()> {
        while self.chunk_base < max_doc {
            self.end_chunk(out, CHUNK_ROWS.min(max_doc - self.chunk_base))?;
        }
        if self.value_count == 0 {
            (self.min, self.max) = (0, 0);
        }
        out.write(&self.directory)?;
        let mut trailer = Vec::with_capacity(TRAILER);
        trailer.extend_from_slice(&self.chunk_count.to_le_bytes());
        trailer.extend_from_slice(&u32::from(self.multi).to_le_bytes());
        trailer.extend_from_slice(&self.doc_count.to_le_bytes());
        trailer.extend_from_slice(&self.value_count.to_le_bytes());
        trailer.extend_from_slice(&self.min.to_le_bytes());
        trailer.extend_from_slice(&self.max.to_le_bytes());
        trailer.extend_from_slice(&[0; 8]);
        out.write(&trailer)
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Reads trailer and directory, and checks that every part of every chunk lies in the section.
pub(crate) fn decode_head(section: &[u8], max_doc: u32) -> Result<ColumnHead, Malformed> {
    let trailer_at = section
        .len()
        .checked_sub(TRAILER)
        .ok_or(Malformed("is shorter than a trailer"))?;
    let mut reader = ByteReader::new(&section[trailer_at..]);
    let chunk_count = reader.u32()?;
    let multi = reader.u32()? == 1;
    let doc_count = reader.u64()?;
    let value_count = reader.u64()?;
    let (min, max) = (reader.i64()?, reader.i64()?);
    if chunk_count != max_doc.div_ceil(CHUNK_ROWS) {
        return Err(Malformed("has a wrong number of chunks"));
    }
    let directory_at = (chunk_count as usize)
        .checked_mul(ENTRY)
        .and_then(|len| trailer_at.checked_sub(len))
        .ok_or(Malformed("is shorter than its directory"))?;
    let mut chunks = Vec::with_capacity(chunk_count as usize);
    let directory = section[directory_at..trailer_at].chunks_exact(ENTRY);
    for (index, row) in directory.enumerate() {
        let rows = CHUNK_ROWS.min(max_doc - index as u32 * CHUNK_ROWS);
        chunks.push(decode_entry(row, rows, directory_at as u64)?);
    }
    Ok(ColumnHead {
        multi,
        doc_count,
        value_count,
        min,
        max,
        chunks,
    })
}

fn decode_entry(row: &[u8], rows: u32, chunks_end: u64) -> Result<ChunkEntry, Malformed> {
    let mut reader = ByteReader::new(row);
    let start = reader.u64()?;
    let (min, max, step) = (reader.i64()?, reader.i64()?, reader.u64()?);
    let (doc_count, value_count) = (reader.u32()?, reader.u32()?);
    let (width, multi) = (u32::from(reader.u8()?), reader.u8()? == 1);
    let sparse = doc_count != 0 && doc_count != rows;
    let too_long = Malformed("has a chunk outside its bytes");
    let presence = if sparse { PRESENCE_BYTES as u64 } else { 0 };
    let ends_at = start.checked_add(presence).ok_or(too_long)?;
    let ends_len = if multi { u64::from(doc_count) * 4 } else { 0 };
    let values_at = ends_at.checked_add(ends_len).ok_or(too_long)?;
    let values_len = if value_count == 0 {
        0
    } else {
        packed_len(u64::from(value_count), width)
            .ok_or(Malformed("has a chunk of unknown width"))?
    };
    let end = values_at.checked_add(values_len).ok_or(too_long)?;
    if end > chunks_end {
        return Err(too_long);
    }
    // A width bounds the number of values by the bytes that are there.
    let unbounded = multi && width == 0;
    if doc_count > rows
        || doc_count > value_count
        || (!multi && doc_count != value_count)
        || unbounded
    {
        return Err(Malformed("has a chunk with wrong counts"));
    }
    Ok(ChunkEntry {
        start,
        min,
        max,
        step,
        doc_count,
        value_count,
        width,
        multi,
        rows,
        sparse,
        ends_at,
        values_at,
        end,
    })
}
