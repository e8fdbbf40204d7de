//! Stored fields: what comes back of a document as it was given.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{FieldInfo, ReadError};
use crate::document::StoredValue;
use crate::format::bytes::{ByteReader, u32_at, u64_at};
use crate::format::envelope::Section;
use crate::format::v1::stored::{ENTRY, decode_record, decompress};
use crate::ids::DocId;

/// What is stored of one document.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDocument {
    /// The user's name for it.
    pub id: String,
    /// The custom routing value, if one was given.
    pub routing: Option<String>,
    /// The body as it came.
    pub source: Bytes,
    /// Values of stored fields, by path.
    pub fields: Vec<(Arc<str>, Vec<StoredValue>)>,
}

/// A block of documents, decompressed.
#[derive(Debug)]
struct Block {
    number: usize,
    first_doc: u32,
    bytes: Vec<u8>,
}

/// The stored documents of a segment.
#[derive(Debug)]
pub(crate) struct StoredReader {
    data: Section,
    index: Section,
    max_doc: u32,
    /// The block read last: neighbours are often asked for together.
    last: Mutex<Option<Arc<Block>>>,
}

impl StoredReader {
    pub fn open(data: Section, index: Section, max_doc: u32) -> Result<StoredReader, ReadError> {
        if !index.len().is_multiple_of(ENTRY) || (max_doc > 0) != (index.len() > 0) {
            return Err(index.error("has a wrong length"));
        }
        Ok(StoredReader {
            data,
            index,
            max_doc,
            last: Mutex::new(None),
        })
    }

    pub fn block_count(&self) -> usize {
        self.index.len() / ENTRY
    }

    fn first_doc(&self, number: usize) -> Result<u32, ReadError> {
        let entry = self.index.read((number * ENTRY) as u64, 4)?;
        Ok(u32_at(entry, 0).unwrap_or(0))
    }

    /// The documents of a block.
    pub fn docs_of(&self, number: usize) -> Result<Range<u32>, ReadError> {
        let first = self.first_doc(number)?;
        let end = match number + 1 < self.block_count() {
            true => self.first_doc(number + 1)?,
            false => self.max_doc,
        };
        if first > end {
            return Err(self.index.error("has blocks out of order"));
        }
        Ok(first..end)
    }

    /// A block as it is, and its length before compression.
    pub fn frame(&self, number: usize) -> Result<(&[u8], u64), ReadError> {
        let entry = self.index.read((number * ENTRY) as u64, ENTRY as u64)?;
        let start = u64_at(entry, 1).unwrap_or(0);
        let raw_len = u64_at(entry, 2).unwrap_or(0);
        let end = if number + 1 < self.block_count() {
            let next = self
                .index
                .read(((number + 1) * ENTRY) as u64, ENTRY as u64)?;
            u64_at(next, 1).unwrap_or(0)
        } else {
            self.data.len() as u64
        };
        let len = end
            .checked_sub(start)
            .ok_or_else(|| self.index.error("has blocks out of order"))?;
        Ok((self.data.read(start, len)?, raw_len))
    }

    fn read_block(&self, number: usize) -> Result<Block, ReadError> {
        let (frame, raw_len) = self.frame(number)?;
        let bytes = decompress(frame, raw_len).map_err(|what| self.data.malformed(what))?;
        Ok(Block {
            number,
            first_doc: self.first_doc(number)?,
            bytes,
        })
    }

    /// The number of the block that holds a document of the segment.
    fn block_of(&self, doc: u32) -> Result<usize, ReadError> {
        let (mut low, mut high) = (0, self.block_count());
        while low + 1 < high {
            let middle = low.midpoint(high);
            if self.first_doc(middle)? <= doc {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn block(&self, number: usize) -> Result<Arc<Block>, ReadError> {
        if let Some(block) = &*self.last.lock()
            && block.number == number
        {
            return Ok(block.clone());
        }
        let block = Arc::new(self.read_block(number)?);
        *self.last.lock() = Some(block.clone());
        Ok(block)
    }

    /// The document, its fields named by the list of the segment's fields.
    pub fn document(&self, doc: DocId, fields: &[FieldInfo]) -> Result<StoredDocument, ReadError> {
        if doc.0 >= self.max_doc {
            return Err(self.data.error("was asked for a document past the end"));
        }
        let block = self.block(self.block_of(doc.0)?)?;
        let malformed = |what| self.data.malformed(what);
        let mut reader = ByteReader::new(&block.bytes);
        let skipped = doc
            .0
            .checked_sub(block.first_doc)
            .ok_or_else(|| self.index.error("has blocks out of order"))?;
        for _ in 0..skipped {
            reader.sized().map_err(malformed)?;
        }
        let record = decode_record(reader.sized().map_err(malformed)?).map_err(malformed)?;
        let mut named = Vec::with_capacity(record.fields.len());
        for (number, values) in record.fields {
            let field = fields
                .get(number as usize)
                .ok_or_else(|| self.data.error("names a field that is not there"))?;
            named.push((field.path.clone(), values));
        }
        Ok(StoredDocument {
            id: record.id.to_owned(),
            routing: record.routing.map(str::to_owned),
            source: Bytes::copy_from_slice(record.source),
            fields: named,
        })
    }

    /// Calls back with the record of every document of a block.
    pub fn for_each_in_block<E: From<ReadError>>(
        &self,
        number: usize,
        mut each: impl FnMut(u32, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let block = self.read_block(number)?;
        let mut reader = ByteReader::new(&block.bytes);
        let mut doc = block.first_doc;
        while reader.remaining() > 0 {
            let record = reader.sized().map_err(|what| self.data.malformed(what))?;
            each(doc, record)?;
            doc = doc.wrapping_add(1);
        }
        Ok(())
    }

    /// Reads every record, and checks that each document of the segment has one.
    pub fn verify(&self, field_count: usize) -> Result<(), ReadError> {
        let mut next = 0;
        for number in 0..self.block_count() {
            self.for_each_in_block(number, |doc, record| {
                let record = decode_record(record).map_err(|what| self.data.malformed(what))?;
                let known = record
                    .fields
                    .iter()
                    .all(|(field, _)| (*field as usize) < field_count);
                if doc != next || !known {
                    return Err(self.data.error("has a record out of place"));
                }
                next += 1;
                Ok(())
            })?;
        }
        if next != self.max_doc {
            return Err(self.data.error("has not one record per document"));
        }
        Ok(())
    }

    /// The error of a record that cannot be decoded.
    pub fn malformed(&self, what: crate::format::bytes::Malformed) -> ReadError {
        self.data.malformed(what)
    }
}
