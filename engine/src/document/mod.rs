//! Documents: a `_source` becomes fields, by the mapping. The one place of the engine that opens a document's JSON.

mod builder;
mod error;
mod fields;
mod json;
mod json_reader;
mod parser;
mod source_filter;
mod source_values;

pub use error::DocumentError;
pub use fields::{
    ColumnKind, FieldSpec, IndexOptions, MappingUpdate, ParsedDocument, ParsedField, StoredValue,
    TermBuffer, TermSpan,
};
pub use source_values::source_values;

pub(crate) use builder::FieldBuilder;
use json::JsonObject;
pub(crate) use json::{Scalar, java_double};
pub(crate) use source_values::source_trees;

use bytes::Bytes;

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
    parser::parse(schema, id, routing, source, false)
}

/// Turns a document that was accepted under an earlier mapping into the fields to index now.
///
/// What the mapping refuses today is left out and named in `_ignored`; the document stays.
pub(crate) fn parse_accepted(
    schema: &IndexSchema,
    id: &str,
    routing: Option<&str>,
    source: &Bytes,
) -> ParsedDocument {
    parser::parse(schema, id, routing, source, true).unwrap_or_else(|error| {
        tracing::error!(id, %error, "a document accepted before cannot be parsed; only its source is kept");
        ParsedDocument {
            id: id.to_owned(),
            routing: routing.map(str::to_owned),
            source: source.clone(),
            fields: Vec::new(),
            mapping_update: None,
        }
    })
}

/// The JSON of a stored `_source` as a tree: everything that [`parse_document`] takes. Whole numbers beyond 64 bits
/// become floats, half a surrogate pair U+FFFD.
pub fn json_tree(source: &[u8]) -> Result<serde_json::Value, DocumentError> {
    json_reader::read(source).map(|tree| tree.to_json())
}

#[cfg(test)]
mod tests;
