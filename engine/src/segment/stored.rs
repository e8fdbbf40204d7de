use std::sync::Arc;

use bytes::Bytes;

use crate::document::StoredValue;

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
