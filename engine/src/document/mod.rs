//! Documents: a `_source` becomes fields, by the mapping. The one place of the engine that opens a document's JSON.

mod error;
mod fields;

pub use error::DocumentError;
pub use fields::{
    ColumnKind, FieldSpec, IndexOptions, MappingUpdate, ParsedDocument, ParsedField, StoredValue,
    TermBuffer, TermSpan,
};

use crate::schema::IndexSchema;

/// Turns a document's bytes into the fields to index.
///
/// When the document brings fields the mapping does not know and the mapping is dynamic, the answer carries a
/// `mapping_update`: apply it, then parse again with the new schema; the fields given are those already known.
#[allow(clippy::todo)]
pub fn parse_document(
    _schema: &IndexSchema,
    _id: &str,
    _routing: Option<&str>,
    _source: &[u8],
) -> Result<ParsedDocument, DocumentError> {
    todo!()
}
