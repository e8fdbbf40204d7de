//! # Columns
//! Integers by document, in chunks of 4096 rows: `Numeric` sections hold `i64` values, `Ordinals` sections ranks in the field's
//! terms. A section is chunks, a directory of 80 bytes per chunk, a trailer of 48 bytes.
//!
//! | directory | bytes | meaning                                                         |
//! |----------:|------:|-----------------------------------------------------------------|
//! |         0 |     8 | where the chunk starts in the section                           |
//! |         8 |     8 | smallest value (0 without values)                               |
//! |        16 |     8 | greatest value (0 without values)                               |
//! |        24 |     8 | base of the encoding                                            |
//! |        32 |     8 | step of the encoding                                            |
//! |        40 |     8 | sum of the values, wrapping                                     |
//! |        48 |     8 | `f64`: sum of the values read as order-preserving fractions     |
//! |        56 |     8 | `f64`: what rounding took from that sum                         |
//! |        64 |     4 | documents with a value                                          |
//! |        68 |     4 | values                                                          |
//! |        72 |     1 | encoding: 0 steps, 1 line, 2 table, 3 decimals                  |
//! |        73 |     1 | width of the packed integers (see `v1::packed`)                 |
//! |        74 |     1 | width of the packed ends; 0 if no row has several values        |
//! |        75 |     1 | decimals: digits behind the point                               |
//! |        76 |     2 | table: number of entries                                        |
//! |        78 |     2 | zero                                                            |
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
//! A chunk has up to four parts:
//! - presence, unless all or none of its rows have values: 64 `u64` words, a bit per row, then 64 `u16`: bits set before each word;
//! - ends, if some row has several values: for each row with values, packed, the number of values up to and with this row;
//! - table, for that encoding: `i64` entries, ascending;
//! - one packed integer per value. The `i`-th value is
//!   - steps: `base + step * integer`; width 0 is a constant, 64 is raw; the step is the greatest common divisor of the
//!     distances to the smallest value;
//!   - line: `base + (step * i >> 20) + integer`, for what grows evenly;
//!   - table: the entry that the integer numbers;
//!   - decimals: `(base + step * integer) / 10^digits` as an order-preserving fraction (see `f64_to_sortable`), correctly
//!     rounded; no numerator is further than 2^51 from zero.
//!
//! The encoding of the fewest bytes is taken. Values of a row ascend.
//!
//! | version | since | change                                            | reader                |
//! |--------:|-------|---------------------------------------------------|-----------------------|
//! |       1 | 0.1   | first: steps alone, ends of 32 bits, no sums      | `format::v1::columns` |
//! |       2 | 0.1   | line, table, decimals; sums                       | here                  |
//!
//! Worked example: rows with 10, 30, 20 are steps of base 10, step 10, width 2, and the bytes `18` and 8 zeros.

use std::io;

use super::column_encodings::{DIGITS_MAX, POWERS, choose};
use crate::format::bytes::{ByteReader, Malformed};
use crate::format::envelope::EnvelopeWriter;
use crate::format::v1::packed::{self, packed_len};
use crate::schema::{f64_from_sortable, f64_to_sortable};
use crate::simd::columns::kernels;

/// Rows of a chunk.
pub(crate) const CHUNK_ROWS: u32 = 4096;
const ENTRY: usize = 80;
const TRAILER: usize = 48;
pub(crate) const PRESENCE_BYTES: usize = 64 * 8 + 64 * 2;
/// How far a line's step is shifted.
pub(crate) const LINE_SHIFT: u32 = 20;

/// How a chunk's integers become values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Steps,
    Line,
    Table,
    Decimals { digits: u32 },
}

impl Encoding {
    fn code(self) -> u8 {
        match self {
            Encoding::Steps => 0,
            Encoding::Line => 1,
            Encoding::Table => 2,
            Encoding::Decimals { .. } => 3,
        }
    }
}

/// Sums of a chunk's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ChunkSums {
    /// As integers, wrapping.
    pub whole: i64,
    /// As order-preserving fractions, and what rounding took.
    pub fractions: (f64, f64),
}

/// Directory entry of one chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ChunkEntry {
    pub start: u64,
    pub min: i64,
    pub max: i64,
    pub base: i64,
    pub step: u64,
    /// `None`: nobody added them up.
    pub sums: Option<ChunkSums>,
    pub doc_count: u32,
    pub value_count: u32,
    pub encoding: Encoding,
    pub width: u32,
    pub ends_width: u32,
    pub table_len: u32,
    /// Rows of the chunk, from its place.
    pub rows: u32,
    /// Whether presence bits are there.
    pub sparse: bool,
    pub ends_at: u64,
    pub table_at: u64,
    pub values_at: u64,
    pub end: u64,
}

impl ChunkEntry {
    /// Whether some row has several values.
    pub fn multi(&self) -> bool {
        self.ends_width > 0
    }
}

/// A column as a whole.
#[derive(Clone, Debug, PartialEq)]
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
    fractions: Vec<f64>,
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
            fractions: Vec::new(),
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

    fn put_presence(&mut self) {
        let mut before = 0u16;
        let mut counts = Vec::with_capacity(128);
        for word in &self.presence {
            self.buffer.extend_from_slice(&word.to_le_bytes());
            counts.extend_from_slice(&before.to_le_bytes());
            before += word.count_ones() as u16;
        }
        self.buffer.extend_from_slice(&counts);
    }

    fn end_chunk(&mut self, out: &mut EnvelopeWriter<'_>, rows: u32) -> io::Result<()> {
        let docs = self.ends.len() as u32;
        let multi = self.values.len() > self.ends.len();
        self.buffer.clear();
        if docs != 0 && docs != rows {
            self.put_presence();
        }
        let mut ends_width = 0;
        if multi {
            ends_width = packed::width_of(self.values.len() as u64);
            let ends = self.ends.iter().map(|end| u64::from(*end));
            packed::pack(ends, ends_width, &mut self.buffer);
        }
        let (min, max, sum) = match self.values.is_empty() {
            true => (0, 0, 0),
            false => {
                let all = (kernels().whole)(&self.values);
                (all.min, all.max, all.sum)
            }
        };
        self.fractions.resize(self.values.len(), 0.0);
        (kernels().from_sortable)(&self.values, &mut self.fractions);
        let fractions = (kernels().fractions)(&self.fractions);
        let chosen = choose(&self.values, min, max, &self.fractions);
        for entry in &chosen.table {
            self.buffer.extend_from_slice(&entry.to_le_bytes());
        }
        // several values of a row must be bounded by bytes
        let width = chosen.width.max(u32::from(multi));
        if !self.values.is_empty() {
            packed::pack(chosen.integers.iter().copied(), width, &mut self.buffer);
        }
        let directory = &mut self.directory;
        directory.extend_from_slice(&self.written.to_le_bytes());
        directory.extend_from_slice(&min.to_le_bytes());
        directory.extend_from_slice(&max.to_le_bytes());
        directory.extend_from_slice(&chosen.base.to_le_bytes());
        directory.extend_from_slice(&chosen.step.to_le_bytes());
        directory.extend_from_slice(&sum.to_le_bytes());
        directory.extend_from_slice(&fractions.sum.to_le_bytes());
        directory.extend_from_slice(&fractions.lost.to_le_bytes());
        directory.extend_from_slice(&docs.to_le_bytes());
        directory.extend_from_slice(&(self.values.len() as u32).to_le_bytes());
        let digits = match chosen.encoding {
            Encoding::Decimals { digits } => digits as u8,
            _ => 0,
        };
        let codes = [
            chosen.encoding.code(),
            width as u8,
            ends_width as u8,
            digits,
        ];
        directory.extend_from_slice(&codes);
        directory.extend_from_slice(&(chosen.table.len() as u16).to_le_bytes());
        directory.extend_from_slice(&[0; 2]);
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

/// Reads trailer and directory, and checks that every part of every chunk lies in the section.
pub(crate) fn decode_head(section: &[u8], max_doc: u32) -> Result<ColumnHead, Malformed> {
    decode_head_with(section, max_doc, ENTRY, decode_entry)
}

/// The same for entries of another version.
pub(crate) fn decode_head_with(
    section: &[u8],
    max_doc: u32,
    entry_len: usize,
    decode: fn(&[u8], u32, u64) -> Result<ChunkEntry, Malformed>,
) -> Result<ColumnHead, Malformed> {
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
        .checked_mul(entry_len)
        .and_then(|len| trailer_at.checked_sub(len))
        .ok_or(Malformed("is shorter than its directory"))?;
    let mut chunks = Vec::with_capacity(chunk_count as usize);
    let directory = section[directory_at..trailer_at].chunks_exact(entry_len);
    for (index, row) in directory.enumerate() {
        let rows = CHUNK_ROWS.min(max_doc - index as u32 * CHUNK_ROWS);
        let chunk = decode(row, rows, directory_at as u64)?;
        check_counts(&chunk)?;
        chunks.push(chunk);
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

/// Whether the counts of a chunk agree; a width bounds the number of values by the bytes that are there.
fn check_counts(chunk: &ChunkEntry) -> Result<(), Malformed> {
    let single = chunk.doc_count == chunk.value_count;
    let unbounded = chunk.multi() && chunk.width == 0;
    if chunk.doc_count > chunk.rows
        || chunk.doc_count > chunk.value_count
        || (!chunk.multi() && !single)
        || unbounded
    {
        return Err(Malformed("has a chunk with wrong counts"));
    }
    Ok(())
}

fn decode_entry(row: &[u8], rows: u32, chunks_end: u64) -> Result<ChunkEntry, Malformed> {
    let mut reader = ByteReader::new(row);
    let start = reader.u64()?;
    let (min, max) = (reader.i64()?, reader.i64()?);
    let (base, step) = (reader.i64()?, reader.u64()?);
    let sums = ChunkSums {
        whole: reader.i64()?,
        fractions: (f64::from_bits(reader.u64()?), f64::from_bits(reader.u64()?)),
    };
    let (doc_count, value_count) = (reader.u32()?, reader.u32()?);
    let (code, width) = (reader.u8()?, u32::from(reader.u8()?));
    let (ends_width, digits) = (u32::from(reader.u8()?), u32::from(reader.u8()?));
    let table_len = u32::from(reader.u16()?);
    let encoding = match code {
        0 => Encoding::Steps,
        1 => Encoding::Line,
        2 => Encoding::Table,
        3 if digits <= DIGITS_MAX => Encoding::Decimals { digits },
        _ => return Err(Malformed("has a chunk of unknown encoding")),
    };
    let too_long = Malformed("has a chunk outside its bytes");
    let unknown = Malformed("has a chunk of unknown width");
    let sparse = doc_count != 0 && doc_count != rows;
    let presence = if sparse { PRESENCE_BYTES as u64 } else { 0 };
    let ends_at = start.checked_add(presence).ok_or(too_long)?;
    let ends_len = packed_len(u64::from(doc_count), ends_width).ok_or(unknown)?;
    let table_at = ends_at.checked_add(ends_len).ok_or(too_long)?;
    let table_end = table_at.checked_add(u64::from(table_len) * 8);
    let values_at = table_end.ok_or(too_long)?;
    let values_len = match value_count {
        0 => 0,
        count => packed_len(u64::from(count), width).ok_or(unknown)?,
    };
    let end = values_at.checked_add(values_len).ok_or(too_long)?;
    if end > chunks_end {
        return Err(too_long);
    }
    Ok(ChunkEntry {
        start,
        min,
        max,
        base,
        step,
        sums: Some(sums),
        doc_count,
        value_count,
        encoding,
        width,
        ends_width,
        table_len,
        rows,
        sparse,
        ends_at,
        table_at,
        values_at,
        end,
    })
}

/// The value that a line has at `index`, before its integer is added.
#[inline]
pub(crate) fn line_at(base: i64, step: u64, index: usize) -> i64 {
    base.wrapping_add((step as i64).wrapping_mul(index as i64) >> LINE_SHIFT)
}

/// The order-preserving fraction of a numerator.
#[inline]
pub(crate) fn decimal(numerator: i64, digits: u32) -> i64 {
    let divisor = POWERS[digits as usize];
    f64_to_sortable(numerator as f64 / divisor)
}

/// The numerators whose fractions lie in `lo..=hi`, both order-preserving: from the first to the last, which may be
/// before it.
pub(crate) fn numerators(lo: i64, hi: i64, digits: u32) -> (i64, i64) {
    let (least, most) = (
        f64_to_sortable(f64::NEG_INFINITY),
        f64_to_sortable(f64::INFINITY),
    );
    if lo > most || hi < least {
        return (1, 0);
    }
    let (lo, hi) = (lo.max(least), hi.min(most));
    let near = |bits: i64| {
        let number = f64_from_sortable(bits) * POWERS[digits as usize];
        // the numerators of a chunk are below 2^51
        number.round().clamp(-1e16, 1e16) as i64
    };
    let (mut from, mut to) = (near(lo), near(hi));
    while decimal(from - 1, digits) >= lo && from > -(1 << 53) {
        from -= 1;
    }
    while decimal(from, digits) < lo && from < 1 << 53 {
        from += 1;
    }
    while decimal(to + 1, digits) <= hi && to < 1 << 53 {
        to += 1;
    }
    while decimal(to, digits) > hi && to > -(1 << 53) {
        to -= 1;
    }
    (from, to)
}
