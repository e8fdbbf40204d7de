//! # Columns, first version
//! Read; what is written is `format::v2::columns`.
//!
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

use crate::format::bytes::{ByteReader, Malformed};
use crate::format::v1::packed::packed_len;
use crate::format::v2::columns::{
    ChunkEntry, ColumnHead, Encoding, PRESENCE_BYTES, decode_head_with,
};

const ENTRY: usize = 48;
/// Ends have 32 bits each, with nothing behind them.
const ENDS_WIDTH: u32 = 32;

/// Reads trailer and directory, and checks that every part of every chunk lies in the section.
pub(crate) fn decode_head(section: &[u8], max_doc: u32) -> Result<ColumnHead, Malformed> {
    decode_head_with(section, max_doc, ENTRY, decode_entry)
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
    Ok(ChunkEntry {
        start,
        min,
        max,
        base: min,
        step,
        sums: None,
        doc_count,
        value_count,
        encoding: Encoding::Steps,
        width,
        ends_width: if multi { ENDS_WIDTH } else { 0 },
        table_len: 0,
        rows,
        sparse,
        ends_at,
        table_at: values_at,
        values_at,
        end,
    })
}
