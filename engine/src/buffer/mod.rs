//! Documents not yet in a segment: an inverted index, columns and stored bytes in memory.

mod freeze;
mod slices;
mod terms;

use std::sync::Arc;

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use self::slices::SlicePool;
use self::terms::TermTable;
use crate::document::{
    ColumnKind, FieldSpec, IndexOptions, ParsedDocument, ParsedField, StoredValue,
};
use crate::ids::{DocId, PrimaryTerm, SegmentId, SeqNo};

/// Above this many bytes a buffer must be frozen.
const FULL_BYTES: usize = 1 << 30;

const ID_SPEC: FieldSpec = FieldSpec {
    index: IndexOptions::Docs,
    norms: false,
    column: ColumnKind::None,
    points: false,
    stored: false,
};
const NUMBER_SPEC: FieldSpec = FieldSpec {
    index: IndexOptions::None,
    norms: false,
    column: ColumnKind::Numeric,
    points: false,
    stored: false,
};

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

/// One field of all documents of the buffer.
#[derive(Debug)]
struct BufferedField {
    path: Arc<str>,
    spec: FieldSpec,
    terms: TermTable,
    total_term_freq: u64,
    /// Documents with a term or a number, and the last of them.
    doc_count: u32,
    last_doc: Option<u32>,
    /// Documents with a length, and the lengths.
    norm_docs: Vec<u32>,
    norm_lengths: Vec<u32>,
    /// A document per number, and the numbers, ascending in each document.
    number_docs: Vec<u32>,
    numbers: Vec<i64>,
    /// A document per value of the ordinal column, and the index of the term.
    ordinal_docs: Vec<u32>,
    ordinal_terms: Vec<u32>,
}

/// What is stored of one document.
#[derive(Debug)]
struct BufferedRow {
    /// Where its source ends in the arena.
    source_end: usize,
    id: Box<str>,
    routing: Option<Box<str>>,
    /// Values by index of the field.
    fields: Vec<(usize, Vec<StoredValue>)>,
}

/// One thread's documents.
#[derive(Debug, Default)]
pub struct Buffer {
    fields: Vec<BufferedField>,
    by_path: HashMap<Arc<str>, usize>,
    pool: SlicePool,
    rows: Vec<BufferedRow>,
    sources: Vec<u8>,
    /// Bytes of ids, routings, stored values, numbers, rows: what `bytes_used` would otherwise have to count anew.
    small_bytes: usize,
    /// Bytes of the term tables, likewise.
    term_bytes: usize,
    deleted: RoaringBitmap,
}

impl Buffer {
    /// An empty buffer.
    pub fn new() -> Buffer {
        Buffer::default()
    }

    /// Takes a document in; the first gets id 0.
    pub fn add(&mut self, doc: &ParsedDocument, meta: DocMeta) -> DocId {
        let number = self.rows.len() as u32;
        self.add_id(number, &doc.id);
        self.add_number(number, "_primary_term", meta.primary_term.0 as i64);
        self.add_number(number, "_seq_no", meta.seq_no.0);
        self.add_number(number, "_version", meta.version as i64);
        let mut stored = Vec::new();
        for field in &doc.fields {
            let index = self.field_index(&field.path, field.spec);
            self.add_field(number, index, field);
            if !field.stored.is_empty() {
                self.small_bytes += field.stored.len() * 48;
                stored.push((index, field.stored.clone()));
            }
        }
        self.sources.extend_from_slice(&doc.source);
        self.small_bytes += doc.id.len() + size_of::<BufferedRow>();
        self.rows.push(BufferedRow {
            source_end: self.sources.len(),
            id: doc.id.as_str().into(),
            routing: doc.routing.as_deref().map(Into::into),
            fields: stored,
        });
        DocId(number)
    }

    fn field_index(&mut self, path: &Arc<str>, spec: FieldSpec) -> usize {
        if let Some(&index) = self.by_path.get(path) {
            // What a mapping update may have added since; what is indexed of a field never changes.
            let known = &mut self.fields[index].spec;
            known.stored |= spec.stored;
            known.points |= spec.points;
            if known.column == ColumnKind::None {
                known.column = spec.column;
            }
            return index;
        }
        let index = self.fields.len();
        self.fields.push(BufferedField {
            path: path.clone(),
            spec,
            terms: TermTable::default(),
            total_term_freq: 0,
            doc_count: 0,
            last_doc: None,
            norm_docs: Vec::new(),
            norm_lengths: Vec::new(),
            number_docs: Vec::new(),
            numbers: Vec::new(),
            ordinal_docs: Vec::new(),
            ordinal_terms: Vec::new(),
        });
        self.by_path.insert(path.clone(), index);
        index
    }

    fn system_field(&mut self, path: &str, spec: FieldSpec) -> usize {
        match self.by_path.get(path) {
            Some(&index) => index,
            None => self.field_index(&Arc::from(path), spec),
        }
    }

    fn add_id(&mut self, doc: u32, id: &str) {
        let index = self.system_field("_id", ID_SPEC);
        let field = &mut self.fields[index];
        let bytes_before = field.terms.bytes_used();
        let term = field.terms.intern(id.as_bytes());
        field.terms.occur(term, doc, None, &mut self.pool);
        self.term_bytes += field.terms.bytes_used() - bytes_before;
        field.total_term_freq += 1;
        field.doc_count += 1;
    }

    fn add_number(&mut self, doc: u32, path: &str, value: i64) {
        let index = self.system_field(path, NUMBER_SPEC);
        let field = &mut self.fields[index];
        field.number_docs.push(doc);
        field.numbers.push(value);
        field.doc_count += 1;
        self.small_bytes += 12;
    }

    fn add_field(&mut self, doc: u32, index: usize, parsed: &ParsedField) {
        let field = &mut self.fields[index];
        let indexed = field.spec.index != IndexOptions::None;
        let positions = field.spec.index == IndexOptions::Positions;
        let ordinals = field.spec.column == ColumnKind::Ordinals;
        let bytes_before = field.terms.bytes_used();
        for span in &parsed.terms.spans {
            let start = span.start as usize;
            let Some(bytes) = parsed.terms.bytes.get(start..start + span.len as usize) else {
                continue;
            };
            let term = field.terms.intern(bytes);
            if indexed {
                let position = positions.then_some(span.position);
                field.terms.occur(term, doc, position, &mut self.pool);
                field.total_term_freq += 1;
            }
            if ordinals {
                field.ordinal_docs.push(doc);
                field.ordinal_terms.push(term);
                self.small_bytes += 8;
            }
        }
        self.term_bytes += field.terms.bytes_used() - bytes_before;
        if field.spec.norms && !parsed.terms.spans.is_empty() {
            field.norm_docs.push(doc);
            field.norm_lengths.push(parsed.terms.length.max(1));
            self.small_bytes += 8;
        }
        if field.spec.points || field.spec.column == ColumnKind::Numeric {
            let start = field.numbers.len();
            field.numbers.extend_from_slice(&parsed.numbers);
            field.numbers[start..].sort_unstable();
            field.number_docs.resize(field.numbers.len(), doc);
            self.small_bytes += parsed.numbers.len() * 12;
        }
        let has_value = !parsed.terms.spans.is_empty() || !parsed.numbers.is_empty();
        if has_value && field.last_doc != Some(doc) {
            field.last_doc = Some(doc);
            field.doc_count += 1;
        }
    }

    /// Marks a document dead.
    pub fn delete(&mut self, doc: DocId) {
        if doc.0 < self.doc_count() {
            self.deleted.insert(doc.0);
        }
    }

    /// Documents taken in, dead ones included.
    pub fn doc_count(&self) -> u32 {
        self.rows.len() as u32
    }

    /// Memory in use, in bytes, roughly.
    pub fn bytes_used(&self) -> usize {
        self.term_bytes + self.pool.bytes_used() + self.sources.len() + self.small_bytes
    }

    /// Whether it must be frozen before the next document.
    pub fn is_full(&self) -> bool {
        self.bytes_used() >= FULL_BYTES
    }

    /// Makes a segment of it; `None` when it holds no document, or only dead ones.
    pub fn freeze(self) -> Option<FrozenSegment> {
        if self.deleted.len() == u64::from(self.doc_count()) {
            return None;
        }
        let id = random_segment_id();
        let bytes = freeze::encode(&self, id)
            .expect("memory takes all bytes, terms are sorted and distinct, a full buffer is frozen below 4 GiB");
        Some(FrozenSegment {
            id,
            bytes,
            deleted: self.deleted,
        })
    }
}

/// A name for a new segment.
pub(crate) fn random_segment_id() -> SegmentId {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    SegmentId(u128::from_le_bytes(bytes))
}
