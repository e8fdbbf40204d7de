//! Documents not yet in a segment: an inverted index, columns and stored bytes in memory.

mod freeze;
mod occurrences;
mod order;
mod terms;

use std::sync::Arc;

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use self::occurrences::Occurrences;
use self::terms::TermTable;
use crate::document::{
    ColumnKind, FieldSpec, IndexOptions, ParsedDocument, ParsedField, StoredValue,
};
use crate::ids::{DocId, PrimaryTerm, SegmentId, SeqNo};
use crate::random;
use crate::segment::ID_FIELD;

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
/// The fields that every document has, in order of their places in a buffer.
const SYSTEM_FIELDS: [(&str, FieldSpec); 4] = [
    (ID_FIELD, ID_SPEC),
    ("_primary_term", NUMBER_SPEC),
    ("_seq_no", NUMBER_SPEC),
    ("_version", NUMBER_SPEC),
];

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
    /// Empty for `_id`: the rows have these.
    terms: TermTable,
    occurrences: Occurrences,
    total_term_freq: u64,
    /// Documents with a term or a number.
    doc_count: u32,
    /// A document per number, and the numbers, ascending in each document.
    number_docs: Vec<u32>,
    numbers: Vec<i64>,
}

/// What is stored of one document.
#[derive(Debug)]
struct BufferedRow {
    /// Where its source and its `_id` end in their arenas.
    source_end: usize,
    id_end: usize,
    routing: Option<Box<str>>,
    /// Values by index of the field.
    fields: Vec<(usize, Vec<StoredValue>)>,
}

/// One thread's documents.
#[derive(Debug, Default)]
pub struct Buffer {
    fields: Vec<BufferedField>,
    by_path: HashMap<Arc<str>, usize>,
    rows: Vec<BufferedRow>,
    sources: Vec<u8>,
    ids: String,
    /// Bytes of routings, stored values, numbers, rows: what `bytes_used` would otherwise have to count anew.
    small_bytes: usize,
    /// Bytes of terms and their occurrences, likewise.
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
        if number == 0 {
            for (path, spec) in SYSTEM_FIELDS {
                self.field_index(&Arc::from(path), spec);
            }
        }
        self.fields[0].doc_count += 1;
        self.add_number(number, 1, meta.primary_term.0 as i64);
        self.add_number(number, 2, meta.seq_no.0);
        self.add_number(number, 3, meta.version as i64);
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
        self.ids.push_str(&doc.id);
        self.small_bytes += size_of::<BufferedRow>();
        self.rows.push(BufferedRow {
            source_end: self.sources.len(),
            id_end: self.ids.len(),
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
            occurrences: Occurrences::default(),
            total_term_freq: 0,
            doc_count: 0,
            number_docs: Vec::new(),
            numbers: Vec::new(),
        });
        self.by_path.insert(path.clone(), index);
        index
    }

    fn add_number(&mut self, doc: u32, index: usize, value: i64) {
        let field = &mut self.fields[index];
        field.number_docs.push(doc);
        field.numbers.push(value);
        field.doc_count += 1;
        self.small_bytes += 12;
    }

    fn add_field(&mut self, doc: u32, index: usize, parsed: &ParsedField) {
        let field = &mut self.fields[index];
        let spans = &parsed.terms.spans;
        if !spans.is_empty() {
            let bytes_before = field.terms.bytes_used() + field.occurrences.bytes_used();
            let positions = field.spec.index == IndexOptions::Positions;
            let mut run = field.occurrences.begin(spans.len());
            field.terms.intern_all(
                &parsed.terms.bytes,
                spans,
                |span| (span.start, span.len),
                |span, term| match positions {
                    true => run.push_at(term, span.position),
                    false => run.push(term),
                },
            );
            field.occurrences.end(doc, parsed.terms.length.max(1));
            if field.spec.index != IndexOptions::None {
                field.total_term_freq += spans.len() as u64;
            }
            self.term_bytes +=
                field.terms.bytes_used() + field.occurrences.bytes_used() - bytes_before;
        }
        if field.spec.points || field.spec.column == ColumnKind::Numeric {
            let start = field.numbers.len();
            field.numbers.extend_from_slice(&parsed.numbers);
            field.numbers[start..].sort_unstable();
            field.number_docs.resize(field.numbers.len(), doc);
            self.small_bytes += parsed.numbers.len() * 12;
        }
        if !spans.is_empty() || !parsed.numbers.is_empty() {
            field.doc_count += 1;
        }
    }

    /// The `_id` of a document taken in.
    fn id_of(&self, doc: u32) -> &str {
        let end = self.rows[doc as usize].id_end;
        let start = match doc {
            0 => 0,
            doc => self.rows[doc as usize - 1].id_end,
        };
        &self.ids[start..end]
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
        self.term_bytes + self.ids.len() + self.sources.len() + self.small_bytes
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
    SegmentId(random::draw_u128().expect("the operating system gives random numbers"))
}
