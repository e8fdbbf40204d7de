//! Opening a segment, and the doors to its parts.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use roaring::RoaringBitmap;

use super::fielddata::{Fielddata, FielddataError};
use super::filter_cache::SegmentFilters;
use super::stored::StoredReader;
use super::{
    DocSet, FilterKey, NormsReader, NumericColumn, OpenSegmentError, OrdinalColumn, PointsReader,
    PostingsNeed, ReadError, ShardFilters, StoredDocument, TermsReader,
};
use crate::directory::ByteView;
use crate::document::{ColumnKind, FieldSpec, IndexOptions};
use crate::format::bytes::hash64;
use crate::format::envelope::{Envelope, Section, SectionEntry, SectionKind};
use crate::format::v1::{fields, id_filter};
use crate::ids::{DocId, SegmentId};

/// The field that holds the user's names of the documents.
pub const ID_FIELD: &str = "_id";

/// What a segment knows about a field as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// Full path.
    pub path: Arc<str>,
    /// What is kept of it.
    pub spec: FieldSpec,
    /// Documents with a term (or, without terms, a value) of the field, dead ones included.
    pub doc_count: u32,
    /// Occurrences of all terms, dead documents included.
    pub sum_total_term_freq: u64,
    /// Pairs of term and document, dead documents included.
    pub sum_doc_freq: u64,
}

/// Readers made so far for one field, kept because making one checks all its bytes.
#[derive(Debug, Default)]
struct OpenParts {
    dictionary: OnceLock<TermsReader>,
    points: OnceLock<PointsReader>,
    numeric: OnceLock<NumericColumn>,
    ordinals: OnceLock<OrdinalColumn>,
    /// The one part that may be forgotten again.
    fielddata: RwLock<Option<Fielddata>>,
    norms: OnceLock<NormsReader>,
}

/// One segment, open for reading. Every read checks the bytes it touches, once.
#[derive(Debug)]
pub struct SegmentReader {
    file: Arc<Envelope>,
    fields: Vec<FieldInfo>,
    sections: HashMap<(SectionKind, Option<u32>), SectionEntry>,
    stored: StoredReader,
    id_filter: Section,
    /// By number of the field.
    open: Box<[OpenParts]>,
    filters: SegmentFilters,
}

impl SegmentReader {
    /// Opens a segment: checks structure, and the checksums of header, table and field list. Takes microseconds
    /// to milliseconds; all other bytes are checked when they are first read.
    pub fn open(id: SegmentId, bytes: ByteView) -> Result<SegmentReader, OpenSegmentError> {
        let file = Arc::new(Envelope::open(id, bytes)?);
        let mut sections = HashMap::new();
        for entry in file.entries() {
            if sections.insert((entry.kind, entry.field), *entry).is_some() {
                return Err(OpenSegmentError::Damaged {
                    segment: id,
                    section: "section table".to_owned(),
                    what: format!("names {} twice", entry.kind.name()),
                });
            }
        }
        let section = |kind: SectionKind| {
            let entry = sections.get(&(kind, None));
            let entry = entry.ok_or_else(|| OpenSegmentError::Damaged {
                segment: id,
                section: "section table".to_owned(),
                what: format!("has no {}", kind.name()),
            })?;
            Ok(Section::new(&file, entry, None))
        };
        let list = section(SectionKind::Fields)?;
        let fields = list
            .all()
            .and_then(|bytes| fields::decode(bytes).map_err(|what| list.malformed(what)))
            .map_err(damaged)?;
        let stored = StoredReader::open(
            section(SectionKind::StoredData)?,
            section(SectionKind::StoredIndex)?,
            file.max_doc(),
        )
        .map_err(damaged)?;
        let id_filter = section(SectionKind::IdFilter)?;
        Ok(SegmentReader {
            open: fields.iter().map(|_| OpenParts::default()).collect(),
            fields,
            stored,
            id_filter,
            sections,
            file,
            filters: SegmentFilters::new(),
        })
    }

    /// The name that a file gives itself, at its end; `None` when that end is no sound end of a segment file.
    pub fn id_of(bytes: &[u8]) -> Option<SegmentId> {
        Envelope::id_of(bytes)
    }

    /// Its name.
    pub fn id(&self) -> SegmentId {
        self.file.id()
    }

    /// Number of documents, dead ones included.
    pub fn max_doc(&self) -> u32 {
        self.file.max_doc()
    }

    /// Length of the file.
    pub fn size_bytes(&self) -> u64 {
        self.file.len()
    }

    /// The file itself, unchecked.
    pub(crate) fn bytes(&self) -> &ByteView {
        self.file.bytes()
    }

    /// The table of the file's sections, in order of offset.
    pub fn sections(&self) -> &[SectionEntry] {
        self.file.entries()
    }

    /// Paths of all fields, sorted.
    pub fn field_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.fields.iter().map(|field| &field.path)
    }

    /// All fields, sorted by path: the index is the number of the field in the file.
    pub fn fields(&self) -> &[FieldInfo] {
        &self.fields
    }

    /// What is known of a field; `None` when no document has it.
    pub fn field(&self, path: &str) -> Option<&FieldInfo> {
        self.fields.get(self.number(path)? as usize)
    }

    fn number(&self, path: &str) -> Option<u32> {
        let found = self
            .fields
            .binary_search_by(|field| (*field.path).cmp(path));
        found.ok().map(|index| index as u32)
    }

    pub(super) fn section(&self, kind: SectionKind, number: u32) -> Option<Section> {
        let path = self.fields.get(number as usize)?.path.clone();
        let entry = self.sections.get(&(kind, Some(number)))?;
        Some(Section::new(&self.file, entry, Some(path)))
    }

    /// Like [`section`](Self::section), for one that must be there because the list of fields says so.
    fn required(&self, kind: SectionKind, number: u32) -> Result<Section, ReadError> {
        self.section(kind, number).ok_or_else(|| ReadError {
            segment: self.id(),
            section: "section table".to_owned(),
            what: format!(
                "has no {} of field [{}]",
                kind.name(),
                self.fields[number as usize].path
            ),
        })
    }

    fn opened<T>(
        &self,
        number: u32,
        part: fn(&OpenParts) -> &OnceLock<T>,
        make: impl FnOnce() -> Result<Option<T>, ReadError>,
    ) -> Result<Option<&T>, ReadError> {
        let Some(kept) = self.open.get(number as usize).map(part) else {
            return Ok(None);
        };
        if let Some(found) = kept.get() {
            return Ok(Some(found));
        }
        // Two threads may do the same work once, neither waits for the other's disk.
        Ok(make()?.map(|made| kept.get_or_init(|| made)))
    }

    /// The terms of a field that has any, be it for postings or an ordinal column.
    pub(super) fn dictionary(&self, number: u32) -> Result<Option<&TermsReader>, ReadError> {
        self.opened(
            number,
            |parts| &parts.dictionary,
            || {
                let Some(blocks) = self.section(SectionKind::TermBlocks, number) else {
                    return Ok(None);
                };
                let spec = self.fields[number as usize].spec;
                let norms = self.norms_of(number)?.cloned();
                let reader = TermsReader::open(
                    self.required(SectionKind::TermIndex, number)?,
                    blocks,
                    self.required(SectionKind::Postings, number)?,
                    self.required(SectionKind::Skips, number)?,
                    norms,
                    spec.index,
                    self.max_doc(),
                )?;
                Ok(Some(reader))
            },
        )
    }

    /// The inverted terms of a field; `None` when it has none here.
    pub fn terms(&self, path: &str) -> Result<Option<TermsReader>, ReadError> {
        let Some(number) = self.number(path) else {
            return Ok(None);
        };
        if self.fields[number as usize].spec.index == IndexOptions::None {
            return Ok(None);
        }
        Ok(self.dictionary(number)?.cloned())
    }

    /// The points of a field; `None` when it has none here.
    pub fn points(&self, path: &str) -> Result<Option<PointsReader>, ReadError> {
        let Some(number) = self.number(path) else {
            return Ok(None);
        };
        let opened = self.opened(
            number,
            |parts| &parts.points,
            || {
                let section = self.section(SectionKind::Points, number);
                section.map(PointsReader::open).transpose()
            },
        )?;
        Ok(opened.cloned())
    }

    /// The numeric column of a field; `None` when it has none here.
    pub fn numeric(&self, path: &str) -> Result<Option<NumericColumn>, ReadError> {
        let Some(number) = self.number(path) else {
            return Ok(None);
        };
        let opened = self.opened(
            number,
            |parts| &parts.numeric,
            || {
                let section = self.section(SectionKind::Numeric, number);
                section
                    .map(|section| NumericColumn::open(&section, self.max_doc()))
                    .transpose()
            },
        )?;
        Ok(opened.cloned())
    }

    /// The ordinal column of a field; `None` when it has none here.
    pub fn ordinals(&self, path: &str) -> Result<Option<OrdinalColumn>, ReadError> {
        let Some(number) = self.number(path) else {
            return Ok(None);
        };
        let Some(section) = self.section(SectionKind::Ordinals, number) else {
            return Ok(None);
        };
        let opened = self.opened(
            number,
            |parts| &parts.ordinals,
            || {
                let Some(terms) = self.dictionary(number)? else {
                    return Ok(None);
                };
                let numbers = NumericColumn::open(&section, self.max_doc())?;
                OrdinalColumn::open(numbers, terms.clone(), &section).map(Some)
            },
        )?;
        Ok(opened.cloned())
    }

    /// The ordinal column of a field, or one made from its postings and kept until the segment goes; `None` when it has
    /// no terms here. Only for fields whose mapping allows it: it may take much memory.
    pub fn fielddata(&self, path: &str) -> Result<Option<OrdinalColumn>, FielddataError> {
        if let Some(column) = self.ordinals(path)? {
            return Ok(Some(column));
        }
        let (Some(number), Some(terms)) = (self.number(path), self.terms(path)?) else {
            return Ok(None);
        };
        let kept = &self.open[number as usize].fielddata;
        if let Some(loaded) = &*kept.read() {
            return Ok(Some(loaded.column().clone()));
        }
        let info = &self.fields[number as usize];
        let loaded = Fielddata::load(&info.path, terms.clone(), info.sum_doc_freq, self.max_doc())?;
        let column = loaded.column().clone();
        *kept.write() = Some(loaded);
        Ok(Some(column))
    }

    /// The fields whose fielddata is loaded, each with its memory in bytes.
    pub fn fielddata_loaded(&self) -> Vec<(Arc<str>, u64)> {
        let mut loaded = Vec::new();
        for (field, parts) in self.fields.iter().zip(&self.open) {
            if let Some(fielddata) = &*parts.fielddata.read() {
                loaded.push((field.path.clone(), fielddata.bytes()));
            }
        }
        loaded
    }

    /// Forgets the fielddata of the fields that are chosen by their path; it is loaded again when it is asked for.
    pub fn drop_fielddata(&self, is_chosen: &dyn Fn(&str) -> bool) {
        for (field, parts) in self.fields.iter().zip(&self.open) {
            if is_chosen(&field.path) {
                *parts.fielddata.write() = None;
            }
        }
    }

    /// The documents of a filter, dead ones included, if they are kept.
    pub(crate) fn kept_filter(&self, key: &FilterKey) -> Option<Arc<DocSet>> {
        self.filters.get(key)
    }

    /// Keeps the documents of a filter, dead ones included, in the [filter cache](super::FILTERS).
    pub(crate) fn keep_filter(&self, key: &FilterKey, set: Arc<DocSet>, shard: Arc<ShardFilters>) {
        self.filters.put(key, set, shard);
    }

    /// Forgets what filters found.
    pub fn drop_filters(&self) {
        self.filters.clear();
    }

    /// The norms of a field; `None` when it keeps none.
    pub fn norms(&self, path: &str) -> Result<Option<NormsReader>, ReadError> {
        match self.number(path) {
            Some(number) => Ok(self.norms_of(number)?.cloned()),
            None => Ok(None),
        }
    }

    fn norms_of(&self, number: u32) -> Result<Option<&NormsReader>, ReadError> {
        self.opened(
            number,
            |parts| &parts.norms,
            || {
                let section = self.section(SectionKind::Norms, number);
                section
                    .map(|section| NormsReader::open(&section, self.max_doc()))
                    .transpose()
            },
        )
    }

    /// The stored fields of a document; one past the end is an error.
    pub fn stored(&self, doc: DocId) -> Result<StoredDocument, ReadError> {
        self.stored.document(doc, &self.fields)
    }

    /// The stored documents from the first on, for merges: gives raw records.
    pub(crate) fn stored_reader(&self) -> &StoredReader {
        &self.stored
    }

    /// The last document of an `_id`, dead or alive.
    pub fn find_id(&self, id: &str) -> Result<Option<DocId>, ReadError> {
        let hash = hash64(id.as_bytes());
        if let Some(range) = id_filter::block_range(hash, self.id_filter.len()) {
            let block = self
                .id_filter
                .read(range.start as u64, range.len() as u64)?;
            if !id_filter::may_contain(block, hash) {
                return Ok(None);
            }
        }
        let Some(terms) = self.terms(ID_FIELD)? else {
            return Ok(None);
        };
        let Some(term) = terms.get(id.as_bytes())? else {
            return Ok(None);
        };
        let mut postings = terms.postings(&term, PostingsNeed::Docs)?;
        let mut last = None;
        loop {
            match postings.next()? {
                DocId::NO_MORE => return Ok(last),
                doc => last = Some(doc),
            }
        }
    }

    /// Documents with a value of the field: by column, else by norms; `None` when it has neither.
    pub fn docs_with_field(&self, path: &str) -> Result<Option<RoaringBitmap>, ReadError> {
        let column = match self.field(path).map(|field| field.spec.column) {
            Some(ColumnKind::Numeric) => self.numeric(path)?,
            Some(ColumnKind::Ordinals) => {
                self.ordinals(path)?.map(|column| column.numbers().clone())
            }
            _ => None,
        };
        let mut docs = Vec::new();
        if let Some(column) = column {
            for chunk in 0..column.chunk_count() {
                let mut window = super::Window::empty();
                let base = chunk * super::WINDOW_DOCS;
                column.fill_present_window(DocId(base), &mut window);
                window.push_docs(base, &mut docs);
            }
        } else if let Some(norms) = self.norms(path)? {
            let present = norms
                .bytes()
                .iter()
                .enumerate()
                .filter(|(_, norm)| **norm != 0);
            docs.extend(present.map(|(doc, _)| doc as u32));
        } else if self
            .field(path)
            .is_none_or(|field| field.spec.column == ColumnKind::None)
        {
            return Ok(None);
        }
        let all = RoaringBitmap::from_sorted_iter(docs);
        Ok(Some(all.map_err(|_| self.error("documents out of order"))?))
    }

    pub(super) fn error(&self, what: &str) -> ReadError {
        ReadError {
            segment: self.id(),
            section: "segment".to_owned(),
            what: what.to_owned(),
        }
    }

    pub(super) fn file(&self) -> &Envelope {
        &self.file
    }

    pub(super) fn id_filter(&self) -> &Section {
        &self.id_filter
    }
}

fn damaged(error: ReadError) -> OpenSegmentError {
    OpenSegmentError::Damaged {
        segment: error.segment,
        section: error.section,
        what: error.what,
    }
}
