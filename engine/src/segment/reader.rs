use std::sync::Arc;

use roaring::RoaringBitmap;

use super::{
    NormsReader, NumericColumn, OpenSegmentError, OrdinalColumn, PointsReader, ReadError,
    StoredDocument, TermsReader, VerifyError,
};
use crate::directory::ByteView;
use crate::document::FieldSpec;
use crate::ids::{DocId, SegmentId};

/// One segment, open for reading. Every read checks the bytes it touches, once.
#[derive(Debug)]
pub struct SegmentReader {}

/// What a segment knows about a field as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// Full path.
    pub path: Arc<str>,
    /// What is kept of it.
    pub spec: FieldSpec,
    /// Documents with a term (or, without terms, a value) of the field, dead ones included.
    pub doc_count: u32,
    /// Occurrences of all terms, dead documents included.
    pub sum_total_term_freq: u64,
    /// Pairs of term and document, dead documents included.
    pub sum_doc_freq: u64,
}

impl SegmentReader {
    /// Opens a segment: checks structure, and the checksums of header, table and field list. Takes microseconds
    /// to milliseconds; all other bytes are checked when they are first read.
    pub fn open(id: SegmentId, bytes: ByteView) -> Result<SegmentReader, OpenSegmentError> {
        let _ = (id, bytes);
        todo!()
    }
    /// Its name.
    pub fn id(&self) -> SegmentId {
        todo!()
    }
    /// Number of documents, dead ones included.
    pub fn max_doc(&self) -> u32 {
        todo!()
    }
    /// Length of the file.
    pub fn size_bytes(&self) -> u64 {
        todo!()
    }
    /// Paths of all fields, sorted.
    pub fn field_names(&self) -> impl Iterator<Item = &Arc<str>> {
        std::iter::empty()
    }
    /// What is known of a field; `None` when no document has it.
    pub fn field(&self, path: &str) -> Option<FieldInfo> {
        let _ = path;
        todo!()
    }
    /// The inverted terms of a field; `None` when it has none here.
    pub fn terms(&self, path: &str) -> Result<Option<TermsReader>, ReadError> {
        let _ = path;
        todo!()
    }
    /// The points of a field.
    pub fn points(&self, path: &str) -> Result<Option<PointsReader>, ReadError> {
        let _ = path;
        todo!()
    }
    /// The numeric column of a field.
    pub fn numeric(&self, path: &str) -> Result<Option<NumericColumn>, ReadError> {
        let _ = path;
        todo!()
    }
    /// The ordinal column of a field.
    pub fn ordinals(&self, path: &str) -> Result<Option<OrdinalColumn>, ReadError> {
        let _ = path;
        todo!()
    }
    /// The norms of a field.
    pub fn norms(&self, path: &str) -> Result<Option<NormsReader>, ReadError> {
        let _ = path;
        todo!()
    }
    /// The stored fields of a document.
    pub fn stored(&self, doc: DocId) -> Result<StoredDocument, ReadError> {
        let _ = doc;
        todo!()
    }
    /// The last document of an `_id`, dead or alive.
    pub fn find_id(&self, id: &str) -> Result<Option<DocId>, ReadError> {
        let _ = id;
        todo!()
    }
    /// Documents with a value of the field: by column, else by norms; `None` when it has neither.
    pub fn docs_with_field(&self, path: &str) -> Result<Option<RoaringBitmap>, ReadError> {
        let _ = path;
        todo!()
    }
    /// Checks all checksums and the structure of every section.
    pub fn verify(&self) -> Result<(), VerifyError> {
        todo!()
    }
    /// Checks all checksums: every byte of the file once, no decoding.
    pub fn verify_checksums(&self) -> Result<(), VerifyError> {
        todo!()
    }
}
