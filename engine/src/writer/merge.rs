//! Several segments become one; dead documents are dropped.
//!
//! Documents keep their order: first those of the first input, and so on. Everything streams but the dictionary of the
//! field at hand and one byte a document for its norms.

mod columns;
mod postings;
mod stored;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::buffer::random_segment_id;
use crate::document::{ColumnKind, FieldSpec};
use crate::format::envelope::{EnvelopeWriter, SectionKind};
use crate::format::v1::{fields, id_filter};
use crate::ids::{DocId, SegmentId};
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

/// Writes the live documents of all inputs, in order, as one segment. Verifies the checksums of the inputs first;
/// looks at `cancel` often.
pub fn merge_segments(
    inputs: &[(Arc<SegmentReader>, Option<Arc<LiveDocs>>)],
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
    if max_doc > 0 {
        let merge = Merge {
            inputs,
            doc_map: &doc_map,
            max_doc,
            cancel,
        };
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
        doc_map,
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
    doc_map: &'a [Vec<u32>],
    max_doc: u32,
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
        let mut specs: BTreeMap<Arc<str>, FieldSpec> = BTreeMap::new();
        for (_, reader) in self.readers() {
            for field in reader.fields() {
                let spec = specs.entry(field.path.clone()).or_insert(field.spec);
                *spec = join(*spec, field.spec);
            }
        }
        let mut infos = Vec::with_capacity(specs.len());
        let mut id_hashes = Vec::new();
        for (number, (path, spec)) in specs.into_iter().enumerate() {
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
        if spec.norms {
            norms = self.merge_norms(&path)?;
            out.section(SectionKind::Norms, Some(number), &norms)?;
        }
        let field = postings::Field {
            number,
            path: &path,
            spec,
            norms: &norms,
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
        Ok(FieldInfo {
            path,
            spec,
            doc_count: docs.len(),
            sum_total_term_freq: merged.sum_total_term_freq,
            sum_doc_freq: merged.sum_doc_freq,
        })
    }

    fn merge_norms(&self, path: &str) -> Result<Vec<u8>, MergeError> {
        let mut merged = vec![0; self.max_doc as usize];
        for (input, reader) in self.readers() {
            self.check_cancel()?;
            let Some(norms) = reader.norms(path)? else {
                continue;
            };
            for (new, norm) in self.doc_map[input].iter().zip(norms.bytes()) {
                if *new != DROPPED {
                    merged[*new as usize] = *norm;
                }
            }
        }
        Ok(merged)
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
