//! Documents not yet in a segment: an inverted index, columns and stored bytes in memory.

use roaring::RoaringBitmap;

use crate::document::ParsedDocument;
use crate::ids::{DocId, PrimaryTerm, SegmentId, SeqNo};

/// What the shard gives a document beside its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocMeta {
    /// Order of the operation in the shard.
    pub seq_no: SeqNo,
    /// Reign in which it was ordered.
    pub primary_term: PrimaryTerm,
    /// The document's `_version`.
    pub version: u64,
}

/// One thread's documents.
#[derive(Debug, Default)]
pub struct Buffer {}

/// A buffer as a segment.
#[derive(Clone, Debug)]
pub struct FrozenSegment {
    /// Its new name.
    pub id: SegmentId,
    /// The very bytes of its file.
    pub bytes: Vec<u8>,
    /// Documents that died while they were in the buffer.
    pub deleted: RoaringBitmap,
}

impl Buffer {
    /// An empty buffer.
    pub fn new() -> Buffer {
        Buffer {}
    }
    /// Takes a document in; the first gets id 0.
    pub fn add(&mut self, doc: &ParsedDocument, meta: DocMeta) -> DocId {
        let _ = (doc, meta);
        todo!()
    }
    /// Marks a document dead.
    pub fn delete(&mut self, doc: DocId) {
        let _ = doc;
        todo!()
    }
    /// Documents taken in, dead ones included.
    pub fn doc_count(&self) -> u32 {
        todo!()
    }
    /// Memory in use, in bytes, roughly.
    pub fn bytes_used(&self) -> usize {
        todo!()
    }
    /// Makes a segment of it; `None` when it holds no document, or only dead ones.
    pub fn freeze(self) -> Option<FrozenSegment> {
        todo!()
    }
}
