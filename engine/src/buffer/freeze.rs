//! A buffer becomes the bytes of a segment file.

use std::io;

use super::{Buffer, BufferedField};
use crate::document::{ColumnKind, IndexOptions};
use crate::format::bytes::hash64;
use crate::format::envelope::{EnvelopeWriter, SectionKind};
use crate::format::v1::columns::ColumnWriter;
use crate::format::v1::points::PointsWriter;
use crate::format::v1::stored::{StoredWriter, put_field, put_record};
use crate::format::v1::terms::TermsWriter;
use crate::format::v1::{fields, id_filter};
use crate::format::v2::postings::PostingsEncoder;
use crate::ids::SegmentId;
use crate::segment::{FieldInfo, ID_FIELD, norm_of_length};

/// zstd level of a fresh segment: it will be merged soon, so fast.
const FRESH_LEVEL: i32 = 1;

pub(super) fn encode(buffer: &Buffer, id: SegmentId) -> io::Result<Vec<u8>> {
    let max_doc = buffer.doc_count();
    let mut bytes = Vec::with_capacity(buffer.bytes_used() / 2);
    let mut out = EnvelopeWriter::new(&mut bytes, id, max_doc)?;
    let mut order: Vec<usize> = (0..buffer.fields.len()).collect();
    order.sort_by(|a, b| buffer.fields[*a].path.cmp(&buffer.fields[*b].path));
    let mut infos = Vec::with_capacity(order.len());
    for (number, &index) in order.iter().enumerate() {
        let field = &buffer.fields[index];
        infos.push(encode_field(
            buffer,
            field,
            number as u32,
            max_doc,
            &mut out,
        )?);
    }
    encode_ids(buffer, &mut out)?;
    encode_stored(buffer, &order, &mut out)?;
    out.section(SectionKind::Fields, None, &fields::encode(&infos))?;
    out.finish()?;
    Ok(bytes)
}

fn encode_field(
    buffer: &Buffer,
    field: &BufferedField,
    number: u32,
    max_doc: u32,
    out: &mut EnvelopeWriter<'_>,
) -> io::Result<FieldInfo> {
    let mut norms = Vec::new();
    if field.spec.norms {
        norms.resize(max_doc as usize, 0);
        for (doc, length) in field.norm_docs.iter().zip(&field.norm_lengths) {
            norms[*doc as usize] = norm_of_length(*length);
        }
        out.section(SectionKind::Norms, Some(number), &norms)?;
    }
    let mut info = FieldInfo {
        path: field.path.clone(),
        spec: field.spec,
        doc_count: field.doc_count,
        sum_total_term_freq: field.total_term_freq,
        sum_doc_freq: 0,
    };
    if field.terms.len() > 0 {
        let order = field.terms.sorted();
        info.sum_doc_freq = encode_terms(buffer, field, number, &order, &norms, out)?;
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

/// Writes postings and dictionary; answers the sum of doc freqs.
fn encode_terms(
    buffer: &Buffer,
    field: &BufferedField,
    number: u32,
    order: &[u32],
    norms: &[u8],
    out: &mut EnvelopeWriter<'_>,
) -> io::Result<u64> {
    let freqs_kept = field.spec.index >= IndexOptions::DocsFreqs;
    let positions_kept = field.spec.index >= IndexOptions::Positions;
    let mut writer = TermsWriter::begin(out, number, freqs_kept, positions_kept);
    let mut encoder = PostingsEncoder::new(freqs_kept, positions_kept, buffer.doc_count());
    let mut positions = Vec::new();
    for &index in order {
        let term = field.terms.bytes_of(index);
        if field.spec.index == IndexOptions::None {
            writer.add_bare(term)?;
            continue;
        }
        encoder.start(field.terms.doc_freq(index));
        let mut postings = field.terms.postings(index, &buffer.pool);
        let mut last_doc = 0;
        while let Some((doc, freq)) = postings.next() {
            if positions_kept {
                postings.positions(freq, &mut positions);
            }
            let norm = norms.get(doc as usize).copied().unwrap_or(1).max(1);
            encoder.add(doc, freq, norm, &positions);
            last_doc = doc;
        }
        writer.add(out, term, last_doc, &mut encoder)?;
    }
    let sum_doc_freq = writer.sum_doc_freq();
    writer.finish(out)?;
    Ok(sum_doc_freq)
}

fn encode_ordinals(
    field: &BufferedField,
    number: u32,
    order: &[u32],
    max_doc: u32,
    out: &mut EnvelopeWriter<'_>,
) -> io::Result<()> {
    let mut ranks = vec![0i64; order.len()];
    for (rank, &index) in order.iter().enumerate() {
        ranks[index as usize] = rank as i64;
    }
    let mut docs = Vec::with_capacity(field.ordinal_docs.len());
    let mut ords = Vec::with_capacity(field.ordinal_docs.len());
    let mut row: Vec<i64> = Vec::new();
    let mut at = 0;
    while at < field.ordinal_docs.len() {
        let doc = field.ordinal_docs[at];
        row.clear();
        while field.ordinal_docs.get(at) == Some(&doc) {
            row.push(ranks[field.ordinal_terms[at] as usize]);
            at += 1;
        }
        row.sort_unstable();
        row.dedup();
        ords.extend_from_slice(&row);
        docs.resize(ords.len(), doc);
    }
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

fn encode_ids(buffer: &Buffer, out: &mut EnvelopeWriter<'_>) -> io::Result<()> {
    let mut hashes = Vec::new();
    if let Some(&index) = buffer.by_path.get(ID_FIELD) {
        let terms = &buffer.fields[index].terms;
        hashes.extend((0..terms.len() as u32).map(|term| hash64(terms.bytes_of(term))));
    }
    out.section(SectionKind::IdFilter, None, &id_filter::encode(&hashes))
}

fn encode_stored(buffer: &Buffer, order: &[usize], out: &mut EnvelopeWriter<'_>) -> io::Result<()> {
    let mut numbers = vec![0; order.len()];
    for (number, &index) in order.iter().enumerate() {
        numbers[index] = number as u32;
    }
    out.begin(SectionKind::StoredData, None);
    let mut writer = StoredWriter::new(FRESH_LEVEL)?;
    let mut record = Vec::new();
    let mut source_start = 0;
    for row in &buffer.rows {
        let source = &buffer.sources[source_start..row.source_end];
        source_start = row.source_end;
        record.clear();
        put_record(
            &mut record,
            &row.id,
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
