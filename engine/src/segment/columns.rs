use super::{ReadError, TermsReader, Window};
use crate::ids::DocId;

/// What is known of one chunk of 4096 rows without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneMap {
    /// Smallest value; meaningless when there is none.
    pub min: i64,
    /// Greatest value.
    pub max: i64,
    /// Documents with a value.
    pub doc_count: u32,
    /// Values.
    pub value_count: u32,
}

/// `i64` values by document. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NumericColumn {}

impl NumericColumn {
    /// Number of values of a document.
    pub fn doc_value_count(&self, doc: DocId) -> u32 {
        let _ = doc;
        todo!()
    }
    /// The smallest value of a document.
    pub fn first(&self, doc: DocId) -> Option<i64> {
        let _ = doc;
        todo!()
    }
    /// All values of a document, ascending, duplicates kept; overwrites `values`.
    pub fn values(&self, doc: DocId, values: &mut Vec<i64>) {
        let _ = (doc, values);
        todo!()
    }
    /// Whether no document has more than one value.
    pub fn is_single_valued(&self) -> bool {
        todo!()
    }
    /// Smallest value of all.
    pub fn min(&self) -> i64 {
        todo!()
    }
    /// Greatest value of all.
    pub fn max(&self) -> i64 {
        todo!()
    }
    /// Documents with a value.
    pub fn doc_count(&self) -> u32 {
        todo!()
    }
    /// Number of values.
    pub fn value_count(&self) -> u64 {
        todo!()
    }
    /// Number of chunks: chunk `i` is documents `4096 * i` to `4096 * i + 4095`.
    pub fn chunk_count(&self) -> u32 {
        todo!()
    }
    /// The zone map of a chunk; `None` past the end.
    pub fn zone(&self, chunk: u32) -> Option<ZoneMap> {
        let _ = chunk;
        todo!()
    }
    /// Reads a window of 4096 documents; `base` is a multiple of 4096.
    pub fn read_window(&self, base: DocId, window: &mut ColumnWindow) {
        let _ = (base, window);
        todo!()
    }
    /// Adds to `bits` the documents of the window at `base` with a value in `lo..=hi`.
    pub fn fill_range_window(&self, base: DocId, lo: i64, hi: i64, bits: &mut Window) {
        let _ = (base, lo, hi, bits);
        todo!()
    }
    /// Adds to `bits` the documents of the window at `base` with a value.
    pub fn fill_present_window(&self, base: DocId, bits: &mut Window) {
        let _ = (base, bits);
        todo!()
    }
}

/// The values of 4096 documents, decoded; reused from window to window.
#[derive(Clone, Debug, Default)]
pub struct ColumnWindow {
    /// First document.
    pub base: u32,
    /// Documents with a value.
    pub present: Window,
    /// All values, in order of document, ascending in each.
    pub values: Vec<i64>,
    /// Values of document `base + i` are `values[starts[i]..starts[i + 1]]`; 4097 long.
    pub starts: Vec<u32>,
}

impl ColumnWindow {
    /// The values of a document of the window, ascending; empty for one outside.
    pub fn values_of(&self, doc: u32) -> &[i64] {
        let _ = doc;
        todo!()
    }
}

/// Ordinals by document: ranks in the field's sorted terms. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OrdinalColumn {}

impl OrdinalColumn {
    /// Number of distinct terms; ordinals are below it.
    pub fn value_count(&self) -> u64 {
        todo!()
    }
    /// The ordinals of a document, ascending, without duplicates; overwrites `ords`.
    pub fn ords(&self, doc: DocId, ords: &mut Vec<u64>) {
        let _ = (doc, ords);
        todo!()
    }
    /// The smallest ordinal of a document.
    pub fn first_ord(&self, doc: DocId) -> Option<u64> {
        let _ = doc;
        todo!()
    }
    /// The ordinals as numbers: windows, zone maps, counts.
    pub fn numbers(&self) -> &NumericColumn {
        todo!()
    }
    /// The dictionary.
    pub fn terms(&self) -> &TermsReader {
        todo!()
    }
    /// Overwrites `term` with the bytes of an ordinal.
    pub fn term(&self, ord: u64, term: &mut Vec<u8>) -> Result<(), ReadError> {
        let _ = (ord, term);
        todo!()
    }
    /// The ordinal of a term, or (`Err` inside) the ordinal of the first term after it.
    pub fn ord_of(&self, term: &[u8]) -> Result<Result<u64, u64>, ReadError> {
        let _ = term;
        todo!()
    }
}
