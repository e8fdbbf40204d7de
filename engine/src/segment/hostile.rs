//! Bytes that nobody wrote, under checksums that are right: every door answers or says what is wrong.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::{PostingsNeed, SectionKind, SegmentReader};
use crate::buffer::{Buffer, DocMeta, FrozenSegment};
use crate::directory::ByteView;
use crate::document::{
    ColumnKind, FieldSpec, IndexOptions, ParsedDocument, ParsedField, StoredValue, TermBuffer,
};
use crate::format::envelope::EnvelopeWriter;
use crate::ids::{DocId, PrimaryTerm, SegmentId, SeqNo};
use crate::inspect;
use crate::schema::Reorder;
use crate::simd::scoring::Weights;
use crate::translog::frame::crc32c;
use crate::writer::merge::merge_segments;

fn field(path: &str, index: IndexOptions, column: ColumnKind) -> ParsedField {
    ParsedField {
        path: path.into(),
        spec: FieldSpec {
            index,
            norms: index == IndexOptions::Positions,
            column,
            points: column == ColumnKind::Numeric,
            stored: false,
        },
        terms: TermBuffer::default(),
        numbers: Vec::new(),
        stored: Vec::new(),
    }
}

/// Some of everything, with terms of more than one block.
fn segment() -> FrozenSegment {
    let mut buffer = Buffer::new();
    for number in 0..300u32 {
        let mut tag = field("tag", IndexOptions::Docs, ColumnKind::Ordinals);
        let mut text = field("text", IndexOptions::Positions, ColumnKind::None);
        for position in 0..1 + number % 4 {
            tag.terms
                .push(format!("t{}", number * position % 50).as_bytes(), 0);
            text.terms
                .push(format!("w{}", position * number % 3).as_bytes(), position);
        }
        text.terms.length = 1 + number % 4;
        tag.stored.push(StoredValue::I64(5));
        let mut price = field("price", IndexOptions::None, ColumnKind::Numeric);
        price
            .numbers
            .extend((0..number % 3).map(|value| i64::from(value * number)));
        let document = ParsedDocument {
            id: format!("id-{number}"),
            routing: None,
            source: "{}".into(),
            fields: vec![price, tag, text],
            mapping_update: None,
        };
        let meta = DocMeta {
            seq_no: SeqNo(number.into()),
            primary_term: PrimaryTerm(1),
            version: 1,
        };
        buffer.add(&document, meta);
    }
    buffer.freeze().expect("live documents")
}

/// The same segment with some bytes of its sections changed, and checksums to match.
fn rewrite(clean: &SegmentReader, bytes: &[u8], changes: &[(u64, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (place, value) in changes {
        let place = *place as usize % bytes.len();
        bytes[place] = *value;
    }
    let mut out = Vec::new();
    let mut writer = EnvelopeWriter::new(&mut out, clean.id(), clean.max_doc()).unwrap();
    for section in clean.sections() {
        let range = section.offset as usize..(section.offset + section.len) as usize;
        match section.kind {
            SectionKind::PageSums => {}
            SectionKind::TermIndex => {
                let index = with_fst_sum(&bytes[range]);
                writer.section(section.kind, section.field, &index).unwrap();
            }
            _ => writer
                .section(section.kind, section.field, &bytes[range])
                .unwrap(),
        }
    }
    writer.finish().unwrap();
    out
}

/// An fst with the checksum its crate wants at its end: CRC-32C, turned and shifted.
fn with_fst_sum(bytes: &[u8]) -> Vec<u8> {
    let body = &bytes[..bytes.len() - 4];
    let sum = crc32c(body).rotate_right(15).wrapping_add(0xa282_ead8);
    [body, &sum.to_le_bytes()].concat()
}

fn open(id: SegmentId, bytes: Vec<u8>) -> Option<SegmentReader> {
    SegmentReader::open(id, ByteView::new(bytes)).ok()
}

fn read_terms(reader: &SegmentReader, path: &str) {
    let Ok(Some(terms)) = reader.terms(path) else {
        return;
    };
    let _ = terms.get(b"w1");
    let _ = terms.rank(b"t7");
    let _ = terms.by_ord(3, &mut Vec::new());
    let mut iter = terms.iter();
    let mut infos = Vec::new();
    while let Ok(Some((_, info))) = iter.next() {
        infos.push(info);
    }
    let mut positions = Vec::new();
    for info in infos {
        let _ = inspect::postings(&terms, &info).is_ok();
        let Ok(mut cursor) = terms.postings(&info, PostingsNeed::Positions) else {
            continue;
        };
        let _ = cursor.impacts().is_ok();
        let _ = cursor.max_impacts().is_ok();
        let inverse = [1.0; 256];
        let weights = Weights {
            weight: 1.0,
            inverse: &inverse,
        };
        let _ = cursor.window_bounds(weights);
        let mut target = 0;
        while let Ok(doc) = cursor.advance(DocId(target)) {
            if doc == DocId::NO_MORE {
                break;
            }
            assert!(doc.0 < reader.max_doc(), "a document past the end");
            cursor.freq();
            let _ = cursor.positions(&mut positions);
            target = doc.0 + 1 + target % 5;
        }
    }
}

fn read_all(reader: &SegmentReader) {
    let _ = reader.verify();
    let paths: Vec<Arc<str>> = reader.field_names().cloned().collect();
    for path in &paths {
        read_terms(reader, path);
        let _ = reader.docs_with_field(path);
        if let Ok(Some(column)) = reader.ordinals(path) {
            column.ords(DocId(17), &mut Vec::new());
        }
        if let Ok(Some(column)) = reader.numeric(path) {
            column.values(DocId(17), &mut Vec::new());
            inspect::column_chunks(&column);
            column.fill_range_window(DocId(0), 3, 100, &mut super::Window::empty());
        }
        if let Ok(Some(points)) = reader.points(path) {
            let _ = points.range(3, 100, &mut |_| {});
        }
    }
    for doc in 0..reader.max_doc().min(400) {
        let _ = reader.stored(DocId(doc));
    }
    let _ = reader.find_id("id-7");
}

#[test]
fn an_untouched_rewrite_is_sound() {
    let frozen = segment();
    let clean = open(frozen.id, frozen.bytes.clone()).unwrap();
    let again = open(frozen.id, rewrite(&clean, &frozen.bytes, &[])).unwrap();
    again.verify().unwrap();
    assert!(
        again
            .terms("text")
            .unwrap()
            .unwrap()
            .get(b"w1")
            .unwrap()
            .is_some()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changed_bytes_are_an_answer_or_an_error(
        changes in proptest::collection::vec((any::<u64>(), prop_oneof![any::<u8>(), Just(0), Just(255)]), 1..6),
    ) {
        let frozen = segment();
        let clean = open(frozen.id, frozen.bytes.clone()).unwrap();
        let changed = rewrite(&clean, &frozen.bytes, &changes);
        if let Some(reader) = open(frozen.id, changed) {
            read_all(&reader);
            let inputs = [(Arc::new(reader), None)];
            let _ = merge_segments(&inputs, Reorder::Full, &mut Vec::new(), &AtomicBool::new(false));
            let _ = merge_segments(&inputs, Reorder::None, &mut Vec::new(), &AtomicBool::new(false));
        }
    }
}
