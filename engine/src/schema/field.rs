//! One mapped field: how its values are encoded for the index and shown to the user.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::dates::DateFormat;
use super::params::Params;
use super::types::FieldType;
use super::{FieldKind, NumericKind, RangeMatch, RangeOptions, ValueError};
use crate::analysis::Analyzer;
use crate::document::{ColumnKind, FieldSpec, IndexOptions};
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
pub struct FieldMapping {
    pub(crate) path: Arc<str>,
    pub(crate) ops: &'static dyn FieldType,
    pub(crate) params: Params,
    pub(crate) spec: FieldSpec,
    pub(crate) numeric: Option<NumericKind>,
    pub(crate) index_analyzer: Arc<Analyzer>,
    pub(crate) search_analyzer: Arc<Analyzer>,
    pub(crate) search_quote_analyzer: Arc<Analyzer>,
    pub(crate) position_increment_gap: u32,
    /// Format of dates, and the one to print with.
    pub(crate) format: Option<DateFormat>,
    pub(crate) ignore_malformed: bool,
    pub(crate) coerce: bool,
    /// In characters.
    pub(crate) ignore_above: usize,
    pub(crate) copy_to: Vec<String>,
    pub(crate) multi_fields: BTreeMap<String, Arc<FieldMapping>>,
}

impl FieldMapping {
    /// Full path with dots.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What it is.
    pub fn kind(&self) -> FieldKind {
        self.ops.kind()
    }

    /// The type as users write it.
    pub fn type_name(&self) -> &'static str {
        self.ops.name()
    }

    /// What the ends of its values are, for types of ranges.
    pub fn range_ends(&self) -> Option<FieldKind> {
        self.ops.ends()
    }

    /// Whether queries find it: `index: true`.
    pub fn indexed(&self) -> bool {
        self.spec.points
            || self.spec.index != IndexOptions::None
            || self.constant().is_some()
            || (self.kind() == FieldKind::GeoPoint && self.params.flag("index", true))
    }

    /// Whether it has a column.
    pub fn has_doc_values(&self) -> bool {
        let hidden = self.kind() == FieldKind::GeoPoint && !self.params.flag("doc_values", true);
        (self.spec.column != ColumnKind::None && !hidden) || self.constant().is_some()
    }

    /// Whether it is a `token_count`: what it holds is not what documents say.
    pub fn counts_tokens(&self) -> bool {
        self.type_name() == "token_count"
    }

    /// Whether its values are stored apart from `_source`.
    pub fn stored(&self) -> bool {
        self.spec.stored
    }

    /// Whether documents carry its length.
    pub fn has_norms(&self) -> bool {
        self.spec.norms
    }

    /// Whether the mapping asks for offsets, with the postings or as term vectors: long texts may then be highlighted.
    pub fn keeps_offsets(&self) -> bool {
        self.params.text("index_options") == Some("offsets")
            || self.params.text("term_vector").is_some_and(|kind| {
                kind.starts_with("with_positions_offsets") || kind == "with_offsets"
            })
    }

    /// Whether positions are indexed, so that phrases work.
    pub fn has_positions(&self) -> bool {
        self.spec.index == IndexOptions::Positions
    }

    /// What a segment builds for it.
    pub fn spec(&self) -> FieldSpec {
        self.spec
    }

    /// Whether a text field may be loaded for sorts and aggregations: [`SegmentReader::fielddata`](crate::segment::SegmentReader::fielddata).
    pub fn fielddata(&self) -> bool {
        self.params.flag("fielddata", false)
    }

    /// How it scores.
    pub fn similarity(&self) -> Similarity {
        match self.params.text("similarity") {
            Some("boolean") => Similarity::Boolean,
            _ => Similarity::Bm25,
        }
    }

    /// The value every document has, for `constant_keyword`.
    pub fn constant(&self) -> Option<&str> {
        match self.kind() {
            FieldKind::ConstantKeyword => self.params.text("value"),
            _ => None,
        }
    }

    /// The user's notes on the field (`meta`).
    pub fn meta(&self) -> Option<&serde_json::Value> {
        self.params.get("meta")
    }

    /// `null_value` as a value of the engine's own; `None` as well when it is no scalar.
    pub fn null_scalar(&self) -> Option<Value> {
        Some(match self.null_value()? {
            serde_json::Value::Bool(flag) => Value::Bool(*flag),
            serde_json::Value::String(text) => Value::Str(text.clone()),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => Value::I64(number),
                (None, Some(number)) => Value::U64(number),
                (None, None) => Value::F64(number.as_f64()?),
            },
            _ => return None,
        })
    }

    /// Value that stands for `null`, as given in the mapping.
    pub fn null_value(&self) -> Option<&serde_json::Value> {
        self.params
            .get("null_value")
            .filter(|value| !value.is_null())
    }

    /// Longest value that is indexed, in characters; longer ones are in `_ignored`.
    pub fn ignore_above(&self) -> usize {
        self.ignore_above
    }

    /// Whether query text on a keyword is split at white space first.
    pub fn split_queries_on_whitespace(&self) -> bool {
        self.params.flag("split_queries_on_whitespace", false)
    }

    /// Date format of the field, for dates.
    pub fn date_format(&self) -> Option<&DateFormat> {
        self.format.as_ref()
    }

    /// Whether it has multi-fields, and which, by their last name.
    pub fn multi_fields(&self) -> &BTreeMap<String, Arc<FieldMapping>> {
        &self.multi_fields
    }

    /// How the numeric column reads, if there is one.
    pub fn numeric(&self) -> Option<NumericKind> {
        self.numeric
    }

    /// Analyzer of documents: of a text its own, of a keyword its normalizer, else one that changes nothing.
    pub fn index_analyzer(&self) -> &Arc<Analyzer> {
        &self.index_analyzer
    }

    /// Analyzer of queries.
    pub fn search_analyzer(&self) -> &Arc<Analyzer> {
        &self.search_analyzer
    }

    /// Analyzer of quoted phrases in queries.
    pub fn search_quote_analyzer(&self) -> &Arc<Analyzer> {
        &self.search_quote_analyzer
    }

    /// A query value as a term: keyword (normalised), text (as is), ip (16 bytes).
    pub fn encode_term(&self, value: &Value) -> Result<Vec<u8>, ValueError> {
        self.ops.encode_term(self, value)
    }

    /// A query value as a column value; `None` when nothing can equal it, like 1.5 on a `long`.
    ///
    /// A date text that leaves parts out stands for a range: use [`encode_equal`](Self::encode_equal).
    pub fn encode_number(&self, value: &Value, now_ms: i64) -> Result<Option<i64>, ValueError> {
        let options = RangeOptions {
            now_ms,
            ..RangeOptions::default()
        };
        self.ops.encode_number(self, value, &options)
    }

    /// The field's values in a `_source` as JSON texts, for types whose values are objects; `None` for all others.
    pub fn source_trees(&self, source: &[u8], path: &str) -> Option<Vec<String>> {
        if !self.ops.reads_trees() {
            return None;
        }
        let mut shown = Vec::new();
        // what could not be read when it was indexed is left out here too
        for tree in crate::document::source_trees(source, path).unwrap_or_default() {
            let mut of_tree = Vec::new();
            if self.ops.show_tree(self, &tree, &mut of_tree).is_ok() {
                shown.extend(of_tree.iter().map(serde_json::Value::to_string));
            }
        }
        Some(shown)
    }

    /// What a `term` query on the value matches: one number or term, or a range of them (dates, CIDR blocks).
    pub fn encode_equal(
        &self,
        value: &Value,
        options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        self.ops.encode_equal(self, value, options)
    }

    /// A range of query values in the field's encoding.
    pub fn encode_range(
        &self,
        lower: Bound<&Value>,
        upper: Bound<&Value>,
        options: &RangeOptions,
    ) -> Result<RangeMatch, ValueError> {
        self.ops.encode_range(self, lower, upper, options)
    }

    /// A column value as shown to users: dates as text in the field's or the given format.
    pub fn format_number(
        &self,
        stored: i64,
        format: Option<&str>,
        time_zone: Option<&str>,
    ) -> Result<Value, ValueError> {
        self.ops.format_number(self, stored, format, time_zone)
    }

    /// A term as shown to users: keyword text, ip text, binary in base64.
    pub fn format_term(&self, term: &[u8], format: Option<&str>) -> Result<Value, ValueError> {
        self.ops.format_term(self, term, format)
    }
}
