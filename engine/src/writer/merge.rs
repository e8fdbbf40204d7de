//! Several segments become one; dead documents are dropped.
//!
//! Documents keep their order: first those of the first input, and so on. Everything streams but the dictionary of the
//! field at hand and one byte a document for its norms.
//!
//! Or documents get a new order, in which those that share terms are neighbours: postings become shorter and bounds on scores
//! tighter. A search finds the same documents with the same scores; only where documents tie, the one with the smaller id
//! goes first, and ids are different ones. What then does not stream: the postings of the term at hand, the
//! column at hand, a part of the stored documents.

mod bisection;
mod columns;
mod moved;
mod positions;
mod postings;
mod reorder;
mod stored;
mod term_merge;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::buffer::random_segment_id;
use crate::document::{ColumnKind, FieldSpec};
use crate::format::envelope::{EnvelopeWriter, SectionKind};
use crate::format::v1::{fields, id_filter};
use crate::ids::{DocId, SegmentId};
use crate::schema::Reorder;
use crate::segment::{FieldInfo, LiveDocs, MergeError, ReadError, SegmentReader, VerifyError};

/// What a document that is dropped has for its new id.
const DROPPED: u32 = u32::MAX;

/// What a merge made.
#[derive(Clone, Debug)]
pub struct MergeOutcome {
    /// Name of the new segment.
    pub id: SegmentId,
    /// For each input, the new id of each of its documents; `u32::MAX` for those dropped.
    pub doc_map: Vec<Vec<u32>>,
    /// Documents of the new segment. With 0 nothing was written, and there is no segment.
    pub max_doc: u32,
    /// Length of the new file.
    pub len: u64,
}

/// Writes the live documents of all inputs as one segment, in order or as `reorder` says. Verifies the checksums of the
/// inputs first; looks at `cancel` often.
pub fn merge_segments(
    inputs: &[(Arc<SegmentReader>, Option<Arc<LiveDocs>>)],
    reorder: Reorder,
    out: &mut dyn Write,
    cancel: &AtomicBool,
) -> Result<MergeOutcome, MergeError> {
    for (reader, _) in inputs {
        check_cancel(cancel)?;
        reader.verify_checksums().map_err(read_error)?;
    }
    let (doc_map, max_doc) = map_documents(inputs)?;
    let id = random_segment_id();
    let mut len = 0;
    let mut merge = Merge {
        inputs,
        specs: specs(inputs),
        base_of: bases(&doc_map),
        doc_map,
        max_doc,
        reordered: false,
        cancel,
    };
    if max_doc > 0 {
        if let Some(doc_map) = merge.reorder(reorder)? {
            merge.base_of.fill(None);
            merge.doc_map = doc_map;
            merge.reordered = true;
        }
        let out = EnvelopeWriter::new(out, id, max_doc)?;
        len = merge.run(out).map_err(|error| match error {
            MergeError::Write(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                MergeError::TooLarge(error.to_string())
            }
            other => other,
        })?;
    }
    Ok(MergeOutcome {
        id,
        doc_map: merge.doc_map,
        max_doc,
        len,
    })
}

fn read_error(error: VerifyError) -> ReadError {
    ReadError {
        segment: error.segment,
        section: error.section,
        what: error.what,
    }
}

fn check_cancel(cancel: &AtomicBool) -> Result<(), MergeError> {
    if cancel.load(Ordering::Relaxed) {
        return Err(MergeError::Cancelled);
    }
    Ok(())
}

fn map_documents(
    inputs: &[(Arc<SegmentReader>, Option<Arc<LiveDocs>>)],
) -> Result<(Vec<Vec<u32>>, u32), MergeError> {
    let mut next = 0u32;
    let mut maps = Vec::with_capacity(inputs.len());
    for (reader, live) in inputs {
        let mut map = Vec::with_capacity(reader.max_doc() as usize);
        for doc in 0..reader.max_doc() {
            if live.as_ref().is_none_or(|live| live.is_live(DocId(doc))) {
                map.push(next);
                next += 1;
            } else {
                map.push(DROPPED);
            }
            if next == u32::MAX {
                return Err(MergeError::TooLarge(
                    "more than 2^32 - 2 documents".to_owned(),
                ));
            }
        }
        maps.push(map);
    }
    Ok((maps, next))
}

/// What is added to the ids of each input, where none is dropped.
fn bases(doc_map: &[Vec<u32>]) -> Vec<Option<u32>> {
    let base = |map: &Vec<u32>| {
        let whole = map.iter().all(|new| *new != DROPPED);
        map.first().copied().filter(|_| whole)
    };
    doc_map.iter().map(base).collect()
}

/// The fields of all inputs together.
fn specs(inputs: &[(Arc<SegmentReader>, Option<Arc<LiveDocs>>)]) -> BTreeMap<Arc<str>, FieldSpec> {
    let mut specs = BTreeMap::new();
    for field in inputs.iter().flat_map(|(reader, _)| reader.fields()) {
        let spec = specs.entry(field.path.clone()).or_insert(field.spec);
        *spec = join(*spec, field.spec);
    }
    specs
}

/// Documents of the new segment as bits.
struct DocSet(Vec<u64>);

impl DocSet {
    fn new(max_doc: u32) -> DocSet {
        DocSet(vec![0; max_doc.div_ceil(64) as usize])
    }

    fn insert(&mut self, doc: u32) {
        self.0[doc as usize / 64] |= 1 << (doc % 64);
    }

    fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// A merge under way.
struct Merge<'a> {
    inputs: &'a [(Arc<SegmentReader>, Option<Arc<LiveDocs>>)],
    /// All fields of the inputs, by path.
    specs: BTreeMap<Arc<str>, FieldSpec>,
    /// For each input, the new id of each of its documents; ascending through all of them unless `reordered`.
    doc_map: Vec<Vec<u32>>,
    /// For each input of which all documents stay in order, the new id of its first.
    base_of: Vec<Option<u32>>,
    max_doc: u32,
    reordered: bool,
    cancel: &'a AtomicBool,
}

impl Merge<'_> {
    fn check_cancel(&self) -> Result<(), MergeError> {
        check_cancel(self.cancel)
    }

    fn readers(&self) -> impl Iterator<Item = (usize, &SegmentReader)> {
        self.inputs
            .iter()
            .enumerate()
            .map(|(input, (reader, _))| (input, &**reader))
    }

    fn run(&self, mut out: EnvelopeWriter<'_>) -> Result<u64, MergeError> {
        let mut infos = Vec::with_capacity(self.specs.len());
        let mut id_hashes = Vec::new();
        for (number, (path, spec)) in self.specs.iter().enumerate() {
            let (path, spec) = (path.clone(), *spec);
            infos.push(self.merge_field(number as u32, path, spec, &mut id_hashes, &mut out)?);
        }
        out.section(SectionKind::IdFilter, None, &id_filter::encode(&id_hashes))?;
        self.merge_stored(&infos, &mut out)?;
        out.section(SectionKind::Fields, None, &fields::encode(&infos))?;
        Ok(out.finish()?)
    }

    fn merge_field(
        &self,
        number: u32,
        path: Arc<str>,
        spec: FieldSpec,
        id_hashes: &mut Vec<u64>,
        out: &mut EnvelopeWriter<'_>,
    ) -> Result<FieldInfo, MergeError> {
        let mut docs = DocSet::new(self.max_doc);
        let mut norms = Vec::new();
        let mut norms_tell = false;
        if spec.norms {
            (norms, norms_tell) = self.merge_norms(&path)?;
            out.section(SectionKind::Norms, Some(number), &norms)?;
        }
        let field = postings::Field {
            number,
            path: &path,
            spec,
            norms: &norms,
            norms_tell,
        };
        let merged = self.merge_terms(&field, &mut docs, id_hashes, out)?;
        match spec.column {
            ColumnKind::None => {}
            ColumnKind::Numeric => self.merge_numeric(number, &path, &mut docs, out)?,
            ColumnKind::Ordinals => self.merge_ordinals(number, &path, &merged, &mut docs, out)?,
        }
        if spec.points {
            self.merge_points(number, &path, &mut docs, out)?;
        }
        let doc_count = match norms_tell {
            true => norms.iter().filter(|norm| **norm != 0).count() as u32,
            false => docs.len(),
        };
        Ok(FieldInfo {
            path,
            spec,
            doc_count,
            sum_total_term_freq: merged.sum_total_term_freq,
            sum_doc_freq: merged.sum_doc_freq,
        })
    }

    /// The norms by new document, and whether they tell which documents have the field: not where an input has none.
    fn merge_norms(&self, path: &str) -> Result<(Vec<u8>, bool), MergeError> {
        let mut merged = vec![0; self.max_doc as usize];
        let mut tell = true;
        for (input, reader) in self.readers() {
            self.check_cancel()?;
            let Some(norms) = reader.norms(path)? else {
                tell &= reader.field(path).is_none();
                continue;
            };
            for (new, norm) in self.doc_map[input].iter().zip(norms.bytes()) {
                if *new != DROPPED {
                    merged[*new as usize] = *norm;
                }
            }
        }
        Ok((merged, tell))
    }
}

/// What two segments both have of a field; what a mapping update may have added counts from now on.
fn join(a: FieldSpec, b: FieldSpec) -> FieldSpec {
    FieldSpec {
        index: a.index.min(b.index),
        norms: a.norms || b.norms,
        column: match a.column {
            ColumnKind::None => b.column,
            column => column,
        },
        points: a.points || b.points,
        stored: a.stored || b.stored,
    }
}
