//! What a document is once parsed: per field its terms, its numbers, its stored values.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Fields to add to a mapping, in the JSON form of a mapping update.
pub type MappingUpdate = serde_json::Value;

/// A document ready for a buffer.
#[derive(Clone, Debug)]
pub struct ParsedDocument {
    /// The user's name for the document.
    pub id: String,
    /// The routing given by the user, if any.
    pub routing: Option<String>,
    /// The `_source` to store: the bytes as given, filtered if the mapping says so, empty if not stored.
    pub source: Bytes,
    /// One entry per field that the document has, each path once, in ascending order of path.
    pub fields: Vec<ParsedField>,
    /// New fields to add to the mapping before the document can be indexed, as a mapping JSON object.
    pub mapping_update: Option<serde_json::Value>,
}

/// All that one document brings to one field.
#[derive(Clone, Debug)]
pub struct ParsedField {
    /// Full path with dots.
    pub path: Arc<str>,
    /// What to build for the field.
    pub spec: FieldSpec,
    /// Tokens in order of position, or keyword values in order of appearance (position 0, duplicates kept).
    pub terms: TermBuffer,
    /// Column values in order of appearance, duplicates kept; see [`NumericKind`](crate::schema::NumericKind).
    pub numbers: Vec<i64>,
    /// Values of a field with `store: true`.
    pub stored: Vec<StoredValue>,
}

/// What of a postings list is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IndexOptions {
    /// No inverted terms.
    None,
    /// Documents only; every frequency counts as 1.
    Docs,
    /// Documents and frequencies.
    DocsFreqs,
    /// Documents, frequencies and positions.
    Positions,
}

/// Which column a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ColumnKind {
    /// None.
    None,
    /// `i64` values from [`ParsedField::numbers`].
    Numeric,
    /// Ordinals of the terms in [`ParsedField::terms`].
    Ordinals,
}

/// What a segment builds for a field; derived from the mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FieldSpec {
    /// Inverted terms.
    pub index: IndexOptions,
    /// A norm per document: the field length in one byte.
    pub norms: bool,
    /// Column of values per document.
    pub column: ColumnKind,
    /// Sorted values for range queries, from [`ParsedField::numbers`].
    pub points: bool,
    /// Stored values by row.
    pub stored: bool,
}

/// Terms of one field of one document in one allocation, perhaps with other bytes between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TermBuffer {
    /// The terms' bytes.
    pub bytes: Vec<u8>,
    /// Where each term is, and its position.
    pub spans: Vec<TermSpan>,
    /// Tokens that count for the norm: those that advance the position.
    pub length: u32,
}

/// One term in a [`TermBuffer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermSpan {
    /// First byte.
    pub start: u32,
    /// Bytes.
    pub len: u32,
    /// Position in the field, from 0, never descending.
    pub position: u32,
}

impl TermBuffer {
    /// Appends a term.
    pub fn push(&mut self, term: &[u8], position: u32) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(term);
        self.spans.push(TermSpan {
            start,
            len: term.len() as u32,
            position,
        });
    }

    /// The bytes of a term.
    pub fn term(&self, span: TermSpan) -> &[u8] {
        &self.bytes[span.start as usize..(span.start + span.len) as usize]
    }

    /// The terms in order, with their positions.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.spans.iter().map(|s| (self.term(*s), s.position))
    }

    /// Whether there is no term.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

/// A stored value, as it will be shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StoredValue {
    /// Whole number; dates as milliseconds or nanoseconds.
    I64(i64),
    /// Whole number of an `unsigned_long`.
    U64(u64),
    /// Fraction.
    F64(f64),
    /// `true` or `false`.
    Bool(bool),
    /// Text; ip addresses in text form.
    Str(String),
    /// `binary`, decoded.
    Bytes(Vec<u8>),
}
