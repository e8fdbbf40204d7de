//! Documents: a `_source` becomes fields, by the mapping. The one place of the engine that opens a document's JSON.

mod builder;
mod error;
mod fields;
mod json;
mod parser;
mod source_filter;

pub use error::DocumentError;
pub use fields::{
    ColumnKind, FieldSpec, IndexOptions, MappingUpdate, ParsedDocument, ParsedField, StoredValue,
    TermBuffer, TermSpan,
};
pub use source_values::source_values;

pub(crate) use builder::FieldBuilder;
pub(crate) use json::{Scalar, java_double};
pub(crate) use source_values::source_trees;

use crate::schema::IndexSchema;

/// Turns a document's bytes into the fields to index.
///
/// When the document brings fields the mapping does not know and the mapping is dynamic, the answer carries a
/// `mapping_update`: apply it, then parse again with the new schema; the fields given are those already known.
pub fn parse_document(
    schema: &IndexSchema,
    id: &str,
    routing: Option<&str>,
    source: &[u8],
) -> Result<ParsedDocument, DocumentError> {
    parser::parse(schema, id, routing, source)
}

mod source_values;
#[cfg(test)]
mod tests;
