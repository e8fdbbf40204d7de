//! A buffer becomes the bytes of a segment file.

use std::io;

use super::occurrences::Occurrence;
use super::{Buffer, BufferedField, order};
use crate::document::{ColumnKind, IndexOptions};
use crate::format::bytes::hash64;
use crate::format::envelope::{EnvelopeWriter, SectionKind};
use crate::format::v1::points::PointsWriter;
use crate::format::v1::stored::{StoredWriter, put_field, put_record};
use crate::format::v1::terms::TermsWriter;
use crate::format::v1::{fields, id_filter};
use crate::format::v2::columns::ColumnWriter;
use crate::format::v2::postings::PostingsEncoder;
use crate::ids::SegmentId;
use crate::segment::{FieldInfo, ID_FIELD, norm_of_length};

pub(super) fn encode(buffer: &Buffer, id: SegmentId) -> io::Result<Vec<u8>> {
    let max_doc = buffer.doc_count();
    let mut bytes = Vec::with_capacity(buffer.bytes_used() / 2);
    let mut out = EnvelopeWriter::new(&mut bytes, id, max_doc)?;
    let mut order: Vec<usize> = (0..buffer.fields.len()).collect();
    order.sort_by(|a, b| buffer.fields[*a].path.cmp(&buffer.fields[*b].path));
    let mut infos = Vec::with_capacity(order.len());
    let mut id_hashes = Vec::with_capacity(max_doc as usize);
    for (number, &index) in order.iter().enumerate() {
        let field = &buffer.fields[index];
        let number = number as u32;
        infos.push(if field.path.as_ref() == ID_FIELD {
            encode_ids(buffer, field, number, &mut id_hashes, &mut out)?
        } else {
            encode_field(field, number, max_doc, &mut out)?
        });
    }
    out.section(SectionKind::IdFilter, None, &id_filter::encode(&id_hashes))?;
    encode_stored(buffer, &order, &mut out)?;
    out.section(SectionKind::Fields, None, &fields::encode(&infos))?;
    out.finish()?;
    Ok(bytes)
}

fn encode_field(
    field: &BufferedField,
    number: u32,
    max_doc: u32,
    out: &mut EnvelopeWriter<'_>,
) -> io::Result<FieldInfo> {
    let mut norms = Vec::new();
    if field.spec.norms {
        norms.resize(max_doc as usize, 0);
        for (doc, length) in field.occurrences.lengths() {
            norms[doc as usize] = norm_of_length(length);
        }
        out.section(SectionKind::Norms, Some(number), &norms)?;
    }
    let mut info = info_of(field);
    if field.terms.len() > 0 {
        let order = field.terms.sorted();
        info.sum_doc_freq = encode_terms(field, number, &order, &norms, max_doc, out)?;
        if field.spec.index == IndexOptions::Docs {
            info.sum_total_term_freq = info.sum_doc_freq;
        }
        if field.spec.column == ColumnKind::Ordinals {
            encode_ordinals(field, number, &order, max_doc, out)?;
        }
    }
    if field.spec.column == ColumnKind::Numeric {
        out.begin(SectionKind::Numeric, Some(number));
        encode_column(&field.number_docs, &field.numbers, max_doc, out)?;
    }
    if field.spec.points && !field.numbers.is_empty() {
        let mut pairs: Vec<(i64, u32)> = field
            .numbers
            .iter()
            .copied()
            .zip(field.number_docs.iter().copied())
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        out.begin(SectionKind::Points, Some(number));
        let mut writer = PointsWriter::default();
        for (value, doc) in pairs {
            writer.push(out, value, doc)?;
        }
        writer.finish(out)?;
        out.end()?;
    }
    Ok(info)
}

fn info_of(field: &BufferedField) -> FieldInfo {
    FieldInfo {
        path: field.path.clone(),
        spec: field.spec,
        doc_count: field.doc_count,
        sum_total_term_freq: field.total_term_freq,
        sum_doc_freq: 0,
    }
}

/// Writes postings and dictionary; answers the sum of doc freqs.
fn encode_terms(
    field: &BufferedField,
    number: u32,
    order: &[u32],
    norms: &[u8],
    max_doc: u32,
    out: &mut EnvelopeWriter<'_>,
) -> io::Result<u64> {
    let freqs_kept = field.spec.index >= IndexOptions::DocsFreqs;
    let positions_kept = field.spec.index >= IndexOptions::Positions;
    let mut writer = TermsWriter::begin(out, number, freqs_kept, positions_kept);
    if field.spec.index == IndexOptions::None {
        for term in order {
            writer.add_bare(field.terms.bytes_of(*term))?;
        }
        writer.finish(out)?;
        return Ok(0);
    }
    let mut encoder = PostingsEncoder::new(freqs_kept, positions_kept, max_doc);
    let mut postings = Postings::default();
    field.occurrences.for_each_term(order, |term, list| {
        postings.read(list, norms);
        encoder.start(postings.docs.len() as u32);
        postings.encode(positions_kept, &mut encoder);
        let last_doc = postings.docs.last().copied().unwrap_or(0);
        writer.add(out, field.terms.bytes_of(term), last_doc, &mut encoder)
    })?;
    let sum_doc_freq = writer.sum_doc_freq();
    writer.finish(out)?;
    Ok(sum_doc_freq)
}

/// Documents that are encoded at once.
const AT_ONCE: usize = 4096;

/// The documents of one term.
#[derive(Default)]
struct Postings {
    docs: Vec<u32>,
    freqs: Vec<u32>,
    norms: Vec<u8>,
    /// The first position in each document.
    firsts: Vec<u32>,
    /// In those with more: the distance of each position from the one before.
    gaps: Vec<u32>,
}

impl Postings {
    /// Takes the occurrences of a term, by document and position.
    fn read(&mut self, list: &[Occurrence], norms: &[u8]) {
        self.docs.clear();
        self.freqs.clear();
        self.norms.clear();
        self.firsts.clear();
        self.gaps.clear();
        let mut before = 0;
        for one in list {
            match self.freqs.last_mut() {
                Some(freq) if self.docs.last() == Some(&one.doc) => {
                    *freq += 1;
                    self.gaps.push(one.position.wrapping_sub(before));
                }
                _ => {
                    self.docs.push(one.doc);
                    self.freqs.push(1);
                    self.firsts.push(one.position);
                }
            }
            before = one.position;
        }
        let norm = |doc: &u32| norms.get(*doc as usize).copied().unwrap_or(1).max(1);
        self.norms.extend(self.docs.iter().map(norm));
    }

    /// Adds all to an encoder, some documents at a time, so that their positions need not wait there all together.
    fn encode(&self, with_positions: bool, encoder: &mut PostingsEncoder) {
        let mut gaps = &self.gaps[..];
        let mut from = 0;
        while from < self.docs.len() {
            let some = from..self.docs.len().min(from + AT_ONCE);
            let freqs = &self.freqs[some.clone()];
            if with_positions {
                let more = freqs.iter().map(|freq| *freq as usize - 1).sum();
                let (now, later) = gaps.split_at(more);
                encoder.add_positions(&self.firsts[some.clone()], now);
                gaps = later;
            }
            encoder.add_all(&self.docs[some.clone()], freqs, &self.norms[some.clone()]);
            from = some.end;
        }
    }
}

/// Writes the terms of `_id`, and gives their hashes.
fn encode_ids(
    buffer: &Buffer,
    field: &BufferedField,
    number: u32,
    hashes: &mut Vec<u64>,
    out: &mut EnvelopeWriter<'_>,
) -> io::Result<FieldInfo> {
    let id_of = |doc| buffer.id_of(doc).as_bytes();
    let docs = order::sorted(buffer.doc_count(), id_of);
    let mut writer = TermsWriter::begin(out, number, false, false);
    let mut encoder = PostingsEncoder::new(false, false, buffer.doc_count());
    for same in docs.chunk_by(|a, b| id_of(*a) == id_of(*b)) {
        let id = id_of(same[0]);
        encoder.start(same.len() as u32);
        for doc in same {
            encoder.add(*doc, 1, 1, &[]);
        }
        writer.add(out, id, same[same.len() - 1], &mut encoder)?;
        hashes.push(hash64(id));
    }
    let mut info = info_of(field);
    info.sum_doc_freq = writer.sum_doc_freq();
    info.sum_total_term_freq = info.sum_doc_freq;
    writer.finish(out)?;
    Ok(info)
}

fn encode_ordinals(
    field: &BufferedField,
    number: u32,
    order: &[u32],
    max_doc: u32,
    out: &mut EnvelopeWriter<'_>,
) -> io::Result<()> {
    let mut ranks = vec![0i64; order.len()];
    for (rank, &term) in order.iter().enumerate() {
        ranks[term as usize] = rank as i64;
    }
    let mut docs = Vec::new();
    let mut ords = Vec::new();
    let mut row: Vec<i64> = Vec::new();
    field.occurrences.for_each_document(|doc, terms| {
        row.clear();
        row.extend(terms.map(|term| ranks[term as usize]));
        row.sort_unstable();
        row.dedup();
        ords.extend_from_slice(&row);
        docs.resize(ords.len(), doc);
    });
    out.begin(SectionKind::Ordinals, Some(number));
    encode_column(&docs, &ords, max_doc, out)
}

/// Writes the rest of a column's section: values with their documents, which ascend.
fn encode_column(
    docs: &[u32],
    values: &[i64],
    max_doc: u32,
    out: &mut EnvelopeWriter<'_>,
) -> io::Result<()> {
    let mut writer = ColumnWriter::new();
    let mut start = 0;
    while start < docs.len() {
        let doc = docs[start];
        let len = docs[start..].partition_point(|other| *other <= doc);
        writer.push(out, doc, &values[start..start + len])?;
        start += len;
    }
    writer.finish(out, max_doc)?;
    out.end()
}

fn encode_stored(buffer: &Buffer, order: &[usize], out: &mut EnvelopeWriter<'_>) -> io::Result<()> {
    let mut numbers = vec![0; order.len()];
    for (number, &index) in order.iter().enumerate() {
        numbers[index] = number as u32;
    }
    out.begin(SectionKind::StoredData, None);
    let mut writer = StoredWriter::new()?;
    let mut record = Vec::new();
    let mut source_start = 0;
    for (doc, row) in buffer.rows.iter().enumerate() {
        let source = &buffer.sources[source_start..row.source_end];
        source_start = row.source_end;
        record.clear();
        put_record(
            &mut record,
            buffer.id_of(doc as u32),
            row.routing.as_deref(),
            source,
            row.fields.len(),
        );
        for (index, values) in &row.fields {
            put_field(&mut record, numbers[*index], values);
        }
        writer.push(out, &record)?;
    }
    let index = writer.finish(out)?;
    out.end()?;
    out.section(SectionKind::StoredIndex, None, &index)
}
