//! One mapped field: how its values are encoded for the index and shown to the user.

use std::ops::Bound;
use std::sync::Arc;

use super::{FieldKind, NumericKind, RangeMatch, RangeOptions, ValueError};
use crate::analysis::Analyzer;
use crate::value::Value;

/// How a field scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Similarity {
    /// BM25 with the index's `k1` and `b`.
    Bm25,
    /// A match scores the boost alone.
    Boolean,
}

/// A field of the mapping.
#[derive(Debug)]
pub struct FieldMapping {}

#[allow(clippy::todo)]
impl FieldMapping {
    /// Full path with dots.
    pub fn path(&self) -> &str {
        todo!()
    }
    /// What it is.
    pub fn kind(&self) -> FieldKind {
        todo!()
    }
    /// The type as users write it.
    pub fn type_name(&self) -> &'static str {
        todo!()
    }
    /// Whether queries find it: `index: true`.
    pub fn indexed(&self) -> bool {
        todo!()
    }
    /// Whether it has a column.
    pub fn has_doc_values(&self) -> bool {
        todo!()
    }
    /// Whether its values are stored apart from `_source`.
    pub fn stored(&self) -> bool {
        todo!()
    }
    /// Whether documents carry its length.
    pub fn has_norms(&self) -> bool {
        todo!()
    }
    /// Whether positions are indexed, so that phrases work.
    pub fn has_positions(&self) -> bool {
        todo!()
    }
    /// Whether a text field may be loaded for sorts and aggregations.
    pub fn fielddata(&self) -> bool {
        todo!()
    }
    /// How it scores.
    pub fn similarity(&self) -> Similarity {
        todo!()
    }
    /// The value every document has, for `constant_keyword`.
    pub fn constant(&self) -> Option<&str> {
        todo!()
    }
    /// How the numeric column reads, if there is one.
    pub fn numeric(&self) -> Option<NumericKind> {
        todo!()
    }
    /// Analyzer of documents: of a text its own, of a keyword its normalizer, else one that changes nothing.
    pub fn index_analyzer(&self) -> &Arc<Analyzer> {
        todo!()
    }
    /// Analyzer of queries.
    pub fn search_analyzer(&self) -> &Arc<Analyzer> {
        todo!()
    }
    /// Analyzer of quoted phrases in queries.
    pub fn search_quote_analyzer(&self) -> &Arc<Analyzer> {
        todo!()
    }
    /// A query value as a term: keyword (normalised), text (as is), ip (16 bytes).
    pub fn encode_term(&self, _value: &Value) -> Result<Vec<u8>, ValueError> {
        todo!()
    }
    /// A query value as a column value; `None` when nothing can equal it, like 1.5 on a `long`.
    pub fn encode_number(&self, _value: &Value, _now_ms: i64) -> Result<Option<i64>, ValueError> {
        todo!()
    }
    /// A range of query values in the field's encoding.
    pub fn encode_range(
        &self,
        _lower: Bound<&Value>,
        _upper: Bound<&Value>,
        _options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        todo!()
    }
    /// A column value as shown to users: dates as text in the field's or the given format.
    pub fn format_number(
        &self,
        _stored: i64,
        _format: Option<&str>,
        _time_zone: Option<&str>,
    ) -> Result<Value, ValueError> {
        todo!()
    }
    /// A term as shown to users: keyword text, ip text, binary in base64.
    pub fn format_term(&self, _term: &[u8], _format: Option<&str>) -> Result<Value, ValueError> {
        todo!()
    }
}
