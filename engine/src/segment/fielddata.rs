//! Fielddata: the terms of an analysed field by document, made from its postings when a sort or an aggregation first
//! asks for them, and kept with the segment.
//!
//! It is an ordinal column like one in a file, in memory. All segments of the process share one account.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{NumericColumn, OrdinalColumn, PostingsNeed, ReadError, TermsReader};
use crate::directory::ByteView;
use crate::format::envelope::{Envelope, EnvelopeWriter, Section, SectionKind};
use crate::format::v2::columns::ColumnWriter;
use crate::ids::{DocId, SegmentId};

/// Memory that fielddata takes, and may take.
#[derive(Debug)]
pub struct FielddataMemory {
    used: AtomicU64,
    limit: AtomicU64,
}

/// The account of the process.
pub static FIELDDATA: FielddataMemory = FielddataMemory {
    used: AtomicU64::new(0),
    limit: AtomicU64::new(u64::MAX),
};

/// Why a field's terms could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum FielddataError {
    /// The segment cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It would pass the limit.
    #[error(
        "[fielddata] Data too large, data for [{field}] would be [{wanted}b], which is larger than the limit of [{limit}b]"
    )]
    TooLarge {
        /// The field.
        field: String,
        /// Bytes in all.
        wanted: u64,
        /// Bytes allowed.
        limit: u64,
    },
}

impl FielddataMemory {
    /// Bytes taken now.
    pub fn used_bytes(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Changes the limit; what is taken already stays.
    pub fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    fn take(&'static self, bytes: u64, field: &str) -> Result<Taken, FielddataError> {
        let taken = Taken(bytes);
        let wanted = self
            .used
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes);
        let limit = self.limit.load(Ordering::Relaxed);
        if wanted > limit {
            // dropping `taken` gives the bytes back
            return Err(FielddataError::TooLarge {
                field: field.to_owned(),
                wanted,
                limit,
            });
        }
        Ok(taken)
    }
}

/// Bytes taken from [`FIELDDATA`] until this is dropped.
#[derive(Debug)]
struct Taken(u64);

impl Drop for Taken {
    fn drop(&mut self) {
        FIELDDATA.used.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// A loaded field.
#[derive(Clone, Debug)]
pub(super) struct Fielddata {
    column: OrdinalColumn,
    taken: Arc<Taken>,
}

impl Fielddata {
    /// Turns postings into rows.
    ///
    /// * `pairs`: of a term and a document, an upper bound.
    pub fn load(
        field: &Arc<str>,
        terms: TermsReader,
        pairs: u64,
        max_doc: u32,
    ) -> Result<Fielddata, FielddataError> {
        let work = FIELDDATA.take(pairs.saturating_mul(size_of::<(u32, u32)>() as u64), field)?;
        let mut rows: Vec<(u32, i64)> = Vec::new();
        let mut all = terms.iter();
        let mut ord = 0;
        while let Some((_, term)) = all.next()? {
            let mut postings = terms.postings(&term, PostingsNeed::Docs)?;
            loop {
                match postings.next()? {
                    DocId::NO_MORE => break,
                    DocId(doc) => rows.push((doc, ord)),
                }
            }
            ord += 1;
        }
        // Stable, so the ordinals of a document stay in order.
        rows.sort_by_key(|(doc, _)| *doc);
        let section = encode(&rows, max_doc, field).map_err(|error| ReadError {
            segment: SegmentId(0),
            section: format!("fielddata of [{field}]"),
            what: error.to_string(),
        })?;
        drop(rows);
        let taken = FIELDDATA.take(section.len() as u64, field)?;
        drop(work);
        let numbers = NumericColumn::open(&section, max_doc)?;
        Ok(Fielddata {
            column: OrdinalColumn::open(numbers, terms, &section)?,
            taken: Arc::new(taken),
        })
    }

    pub fn column(&self) -> &OrdinalColumn {
        &self.column
    }

    /// Memory it takes.
    pub fn bytes(&self) -> u64 {
        self.taken.0
    }
}

/// The rows as the section of an ordinal column, in an envelope of its own.
fn encode(rows: &[(u32, i64)], max_doc: u32, field: &Arc<str>) -> io::Result<Section> {
    let id = SegmentId(0);
    let mut bytes = Vec::new();
    let mut out = EnvelopeWriter::new(&mut bytes, id, max_doc)?;
    out.begin(SectionKind::Ordinals, Some(0));
    let mut writer = ColumnWriter::new();
    let mut ords = Vec::new();
    for row in rows.chunk_by(|(one, _), (other, _)| one == other) {
        ords.clear();
        ords.extend(row.iter().map(|(_, ord)| *ord));
        writer.push(&mut out, row[0].0, &ords)?;
    }
    writer.finish(&mut out, max_doc)?;
    out.end()?;
    out.finish()?;
    let file = Envelope::open(id, ByteView::new(bytes)).map_err(io::Error::other)?;
    let entry = file.entries()[0];
    Ok(Section::new(&Arc::new(file), &entry, Some(field.clone())))
}
