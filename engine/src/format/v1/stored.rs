//! # Stored fields
//! Two sections per segment. `StoredData` holds blocks of documents, each block a zstd frame, cut when about 16 KiB are full.
//! `StoredIndex` has 24 bytes per block:
//!
//! | offset | bytes | meaning                                  |
//! |-------:|------:|------------------------------------------|
//! |      0 |     4 | first document of the block              |
//! |      4 |     4 | zero                                     |
//! |      8 |     8 | where the frame starts in `StoredData`; it ends where the next starts |
//! |     16 |     8 | length of the block before compression   |
//!
//! A block is its documents one after the other, each preceded by its length as a varint:
//! varint length and bytes of `_id`; `u8` 1 if there is a routing, then its varint length and bytes; varint length and
//! bytes of the source; varint number of fields; for each field varint number of the field, varint number of values, and the values:
//! `u8` tag and payload: 0 `i64`, 1 `u64`, 2 bits of an `f64` (8 bytes each), 3 `u8` boolean, 4 text, 5 bytes (varint length, bytes).
//!
//! Worked example: the document `_id` "a", source `{}`, nothing else is `07 01 61 00 02 7b 7d 00`.

use std::cell::RefCell;
use std::io::{self, Read};

use crate::document::StoredValue;
use crate::format::bytes::{ByteReader, Malformed, put_sized, put_varint};
use crate::format::envelope::EnvelopeWriter;

const BLOCK_BYTES: usize = 16 * 1024;
/// zstd level of all blocks: a merge copies them as they are.
const LEVEL: i32 = 1;
/// Bytes of an index entry.
pub(crate) const ENTRY: usize = 24;
/// Blocks up to this length are decompressed into one allocation; longer ones grow as they come.
const TRUSTED_LEN: u64 = 1 << 20;

/// Writes the documents of a segment, in order, into the open `StoredData` section.
pub(crate) struct StoredWriter {
    compressor: zstd::bulk::Compressor<'static>,
    block: Vec<u8>,
    first_doc: u32,
    next_doc: u32,
    index: Vec<u8>,
    written: u64,
}

impl StoredWriter {
    pub fn new() -> io::Result<Self> {
        Ok(StoredWriter {
            compressor: zstd::bulk::Compressor::new(LEVEL)?,
            block: Vec::with_capacity(2 * BLOCK_BYTES),
            first_doc: 0,
            next_doc: 0,
            index: Vec::new(),
            written: 0,
        })
    }

    /// Adds the next document, a record as [`put_record`] makes it.
    pub fn push(&mut self, out: &mut EnvelopeWriter<'_>, record: &[u8]) -> io::Result<()> {
        put_sized(&mut self.block, record);
        self.next_doc += 1;
        if self.block.len() >= BLOCK_BYTES {
            self.end_block(out)?;
        }
        Ok(())
    }

    fn end_block(&mut self, out: &mut EnvelopeWriter<'_>) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let frame = self.compressor.compress(&self.block)?;
        let raw_len = self.block.len() as u64;
        self.block.clear();
        self.put_frame(out, &frame, raw_len)
    }

    fn put_frame(
        &mut self,
        out: &mut EnvelopeWriter<'_>,
        frame: &[u8],
        raw_len: u64,
    ) -> io::Result<()> {
        self.index.extend_from_slice(&self.first_doc.to_le_bytes());
        self.index.extend_from_slice(&[0; 4]);
        self.index.extend_from_slice(&self.written.to_le_bytes());
        self.index.extend_from_slice(&raw_len.to_le_bytes());
        out.write(frame)?;
        self.written += frame.len() as u64;
        self.first_doc = self.next_doc;
        Ok(())
    }

    /// Adds the next `docs` documents, the block of another segment as it is.
    pub fn push_block(
        &mut self,
        out: &mut EnvelopeWriter<'_>,
        frame: &[u8],
        raw_len: u64,
        docs: u32,
    ) -> io::Result<()> {
        self.end_block(out)?;
        self.next_doc += docs;
        self.put_frame(out, frame, raw_len)
    }

    /// Ends the data; answers the bytes of the `StoredIndex` section.
    pub fn finish(mut self, out: &mut EnvelopeWriter<'_>) -> io::Result<Vec<u8>> {
        self.end_block(out)?;
        Ok(self.index)
    }
}

thread_local! {
    /// Made once: to make its tables takes as long as a block.
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> =
        const { RefCell::new(None) };
}

/// Decompresses a block of a known length.
pub(crate) fn decompress(frame: &[u8], raw_len: u64) -> Result<Vec<u8>, Malformed> {
    let broken = Malformed("has a block that does not decompress");
    let raw = if raw_len <= TRUSTED_LEN {
        DECOMPRESSOR
            .with_borrow_mut(|kept| match kept {
                Some(decompressor) => decompressor.decompress(frame, raw_len as usize),
                None => kept
                    .insert(zstd::bulk::Decompressor::new()?)
                    .decompress(frame, raw_len as usize),
            })
            .map_err(|_| broken)?
    } else {
        let mut raw = Vec::new();
        zstd::stream::read::Decoder::with_buffer(frame)
            .and_then(|decoder| decoder.take(raw_len).read_to_end(&mut raw))
            .map_err(|_| broken)?;
        raw
    };
    if raw.len() as u64 != raw_len {
        return Err(Malformed("has a block of a wrong length"));
    }
    Ok(raw)
}

/// Appends the record of a document, without its values: these follow with [`put_field`].
pub(crate) fn put_record(
    out: &mut Vec<u8>,
    id: &str,
    routing: Option<&str>,
    source: &[u8],
    fields: usize,
) {
    put_sized(out, id.as_bytes());
    out.push(u8::from(routing.is_some()));
    if let Some(routing) = routing {
        put_sized(out, routing.as_bytes());
    }
    put_sized(out, source);
    put_varint(out, fields as u64);
}

/// Appends one field of a record.
pub(crate) fn put_field(out: &mut Vec<u8>, field: u32, values: &[StoredValue]) {
    put_varint(out, u64::from(field));
    put_varint(out, values.len() as u64);
    for value in values {
        match value {
            StoredValue::I64(value) => {
                out.push(0);
                out.extend_from_slice(&value.to_le_bytes());
            }
            StoredValue::U64(value) => {
                out.push(1);
                out.extend_from_slice(&value.to_le_bytes());
            }
            StoredValue::F64(value) => {
                out.push(2);
                out.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            StoredValue::Bool(value) => out.extend_from_slice(&[3, u8::from(*value)]),
            StoredValue::Str(value) => {
                out.push(4);
                put_sized(out, value.as_bytes());
            }
            StoredValue::Bytes(value) => {
                out.push(5);
                put_sized(out, value);
            }
        }
    }
}

/// A record, cut into its parts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record<'a> {
    pub id: &'a str,
    pub routing: Option<&'a str>,
    pub source: &'a [u8],
    /// Values by number of field.
    pub fields: Vec<(u32, Vec<StoredValue>)>,
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed("has text that is not UTF-8"))
}

/// Reads a record.
pub(crate) fn decode_record(record: &[u8]) -> Result<Record<'_>, Malformed> {
    let mut reader = ByteReader::new(record);
    let id = text(reader.sized()?)?;
    let routing = match reader.u8()? {
        0 => None,
        _ => Some(text(reader.sized()?)?),
    };
    let source = reader.sized()?;
    let mut fields = Vec::new();
    for _ in 0..reader.varint()? {
        let field = reader.varint_u32()?;
        let mut values = Vec::new();
        for _ in 0..reader.varint()? {
            values.push(match reader.u8()? {
                0 => StoredValue::I64(reader.i64()?),
                1 => StoredValue::U64(reader.u64()?),
                2 => StoredValue::F64(f64::from_bits(reader.u64()?)),
                3 => StoredValue::Bool(reader.u8()? != 0),
                4 => StoredValue::Str(text(reader.sized()?)?.to_owned()),
                5 => StoredValue::Bytes(reader.sized()?.to_vec()),
                _ => return Err(Malformed("has a value of unknown kind")),
            });
        }
        fields.push((field, values));
    }
    Ok(Record {
        id,
        routing,
        source,
        fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_page() {
        let mut record = Vec::new();
        put_record(&mut record, "a", None, b"{}", 0);
        let mut block = Vec::new();
        put_sized(&mut block, &record);
        assert_eq!(block, [7, 1, 0x61, 0, 2, 0x7b, 0x7d, 0]);
    }

    #[test]
    fn every_kind_of_value_comes_back() {
        let values = vec![
            StoredValue::I64(-7),
            StoredValue::U64(u64::MAX),
            StoredValue::F64(-0.5),
            StoredValue::Bool(true),
            StoredValue::Str("größe".to_owned()),
            StoredValue::Bytes(vec![0, 255]),
        ];
        let mut record = Vec::new();
        put_record(&mut record, "x", Some("r"), b"source", 1);
        put_field(&mut record, 3, &values);
        let decoded = decode_record(&record).unwrap();
        assert_eq!((decoded.id, decoded.routing), ("x", Some("r")));
        assert_eq!(decoded.source, b"source");
        assert_eq!(decoded.fields, [(3, values)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_an_error(bytes: Vec<u8>, raw_len in 0u64..100_000) {
            let _ = decode_record(&bytes);
            let _ = decompress(&bytes, raw_len);
        }
    }
}
