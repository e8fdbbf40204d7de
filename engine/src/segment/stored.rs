//! Stored fields: what comes back of a document as it was given.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::block_cache::{BLOCKS, OwnerId};
use super::{FieldInfo, ReadError};
use crate::document::StoredValue;
use crate::format::bytes::{ByteReader, Malformed, u32_at, u64_at};
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
pub(super) struct Block {
    bytes: Bytes,
    /// Where in `bytes` the record of each document stands.
    records: Vec<Range<u32>>,
}

impl Block {
    /// Finds the records, which must be as many as there are documents and fill the block.
    fn open(bytes: Vec<u8>, docs: usize) -> Result<Block, Malformed> {
        let mut reader = ByteReader::new(&bytes);
        let mut records = Vec::with_capacity(docs.min(bytes.len()));
        while reader.remaining() > 0 {
            let len = reader.sized()?.len();
            let end = bytes.len() - reader.remaining();
            let place = |at| u32::try_from(at).map_err(|_| Malformed("has a block of 4 GiB"));
            records.push(place(end - len)?..place(end)?);
        }
        if records.len() != docs {
            return Err(Malformed("has a block with a wrong number of documents"));
        }
        Ok(Block {
            bytes: Bytes::from(bytes),
            records,
        })
    }

    /// Bytes that it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Block>() + self.bytes.len() + self.records.capacity() * size_of::<Range<u32>>()
    }

    #[cfg(test)]
    pub fn of_bytes(bytes: Vec<u8>) -> Block {
        Block {
            bytes: Bytes::from(bytes),
            records: Vec::new(),
        }
    }
}

/// The stored documents of a segment.
#[derive(Debug)]
pub(crate) struct StoredReader {
    data: Section,
    index: Section,
    max_doc: u32,
    /// Its name in the cache of blocks.
    owner: OwnerId,
}

impl Drop for StoredReader {
    fn drop(&mut self) {
        BLOCKS.forget(self.owner);
    }
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
            owner: OwnerId::next(),
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

    /// The bytes of a block, decompressed.
    fn read_block(&self, number: usize) -> Result<Vec<u8>, ReadError> {
        let (frame, raw_len) = self.frame(number)?;
        decompress(frame, raw_len).map_err(|what| self.data.malformed(what))
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

    fn block(&self, number: usize, docs: &Range<u32>) -> Result<Arc<Block>, ReadError> {
        // a block is at least a byte long and has its place in an index of 24 bytes each
        let key = number as u32;
        if let Some(block) = BLOCKS.get(self.owner, key) {
            return Ok(block);
        }
        let block = Block::open(self.read_block(number)?, docs.len());
        let block = Arc::new(block.map_err(|what| self.data.malformed(what))?);
        BLOCKS.put(self.owner, key, &block);
        Ok(block)
    }

    /// The document, its fields named by the list of the segment's fields.
    pub fn document(&self, doc: DocId, fields: &[FieldInfo]) -> Result<StoredDocument, ReadError> {
        if doc.0 >= self.max_doc {
            return Err(self.data.error("was asked for a document past the end"));
        }
        let number = self.block_of(doc.0)?;
        let docs = self.docs_of(number)?;
        let block = self.block(number, &docs)?;
        let place = doc.0.checked_sub(docs.start);
        let range = place.and_then(|place| block.records.get(place as usize));
        let range = range.ok_or_else(|| self.index.error("has blocks out of order"))?;
        let (start, end) = (range.start as usize, range.end as usize);
        let record = &block.bytes[start..end];
        let record = decode_record(record).map_err(|what| self.data.malformed(what))?;
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
            source: block.bytes.slice_ref(record.source),
            fields: named,
        })
    }

    /// Calls back with the record of every document of a block.
    pub fn for_each_in_block<E: From<ReadError>>(
        &self,
        number: usize,
        mut each: impl FnMut(u32, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let bytes = self.read_block(number)?;
        let mut reader = ByteReader::new(&bytes);
        let mut doc = self.first_doc(number)?;
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
    pub fn malformed(&self, what: Malformed) -> ReadError {
        self.data.malformed(what)
    }
}
