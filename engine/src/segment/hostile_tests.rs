//! Bytes that nobody wrote, under checksums that are right: every door answers or says what is wrong.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

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
use crate::query::*;
use crate::schema::{IndexSchema, Reorder};
use crate::search::{self, MemoryAccount, SearchContext, SearchRequest, TrackTotalHits};
use crate::shard::{SegmentSnapshot, ShardReader};
use crate::simd::scoring::Weights;
use crate::translog::frame::crc32c;
use crate::value::Value;
use crate::writer::merge::merge_segments;

pub(super) fn field(path: &str, index: IndexOptions, column: ColumnKind) -> ParsedField {
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

/// A segment of documents with these fields.
pub(super) fn frozen(documents: impl Iterator<Item = Vec<ParsedField>>) -> FrozenSegment {
    let mut buffer = Buffer::new();
    for (number, fields) in documents.enumerate() {
        let document = ParsedDocument {
            id: format!("id-{number}"),
            routing: None,
            source: "{}".into(),
            fields,
            mapping_update: None,
        };
        let meta = DocMeta {
            seq_no: SeqNo(number as i64),
            primary_term: PrimaryTerm(1),
            version: 1,
        };
        buffer.add(&document, meta);
    }
    buffer.freeze().expect("live documents")
}

/// Some of everything, with terms of more than one block.
fn segment(docs: u32) -> FrozenSegment {
    frozen((0..docs).map(|number| {
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
        vec![price, tag, text]
    }))
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
        if section.kind != SectionKind::PageSums {
            writer.set_codec(section.codec);
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

/// Queries for every way to run one.
fn queries() -> Vec<Query> {
    let text = |text: &str| Value::Str(text.to_owned());
    let word = |number: u32| Query::Term(TermQuery::new("text", text(&format!("w{number}"))));
    let tag = |number: u32| Query::Term(TermQuery::new("tag", text(&format!("t{number}"))));
    let prices = || {
        let [low, high] = [3, 400].map(|end| Bound::Included(Value::I64(end)));
        Query::Range(RangeQuery::new("price", low, high))
    };
    let phrase = || Query::MatchPhrase(MatchPhraseQuery::new("text", text("w0 w1")));
    let of = |must, should, filter, must_not| BoolQuery {
        must,
        should,
        filter,
        must_not,
        ..BoolQuery::default()
    };
    let words = || vec![word(0), word(1), word(2)];
    let some = BoolQuery {
        minimum_should_match: MinimumShouldMatch::parse("2").ok(),
        ..of(vec![], words(), vec![], vec![])
    };
    let mut queries = vec![word(1), tag(7), phrase(), prices(), Query::Bool(some)];
    queries.extend(
        [
            of(vec![], words(), vec![], vec![]),
            of(vec![], words(), vec![tag(3)], vec![prices()]),
            of(vec![word(1), word(2)], vec![], vec![], vec![]),
            of(vec![word(1), tag(1)], vec![word(2)], vec![], vec![tag(2)]),
            of(vec![word(0)], vec![], vec![], vec![word(2)]),
            of(vec![phrase()], vec![word(2)], vec![prices()], vec![]),
            of(vec![], vec![], vec![tag(0), prices()], vec![word(2)]),
        ]
        .map(Query::Bool),
    );
    queries
}

fn search_all(reader: SegmentReader) {
    let mapping = serde_json::json!({"properties": {
        "text": {"type": "text"}, "tag": {"type": "keyword"}, "price": {"type": "long"}
    }});
    let schema = IndexSchema::new(&mapping, &BTreeMap::new()).unwrap();
    let max_doc = reader.max_doc();
    let snapshot = SegmentSnapshot {
        reader: Arc::new(reader),
        live: None,
    };
    let shard = ShardReader::new(vec![snapshot], Arc::new(schema));
    let (cancelled, memory) = (AtomicBool::new(false), MemoryAccount::new(1 << 30));
    let context = SearchContext::new("things", 0, &cancelled, &memory);
    for query in queries() {
        for (size, track) in [
            (0, TrackTotalHits::All),
            (1, TrackTotalHits::No),
            (200, TrackTotalHits::All),
        ] {
            let mut request = SearchRequest::new(query.clone());
            (request.size, request.track_total_hits) = (size, track);
            if let Ok(found) = search::query(&shard, &request, &context) {
                let docs = found.hits.iter().map(|hit| hit.doc.doc.0);
                assert!(
                    docs.max() < Some(max_doc),
                    "a document past the end: {query:?}"
                );
            }
        }
    }
}

fn merge_all(reader: SegmentReader) {
    let inputs = [(Arc::new(reader), None)];
    for reorder in [Reorder::Full, Reorder::None] {
        let _ = merge_segments(&inputs, reorder, &mut Vec::new(), &AtomicBool::new(false));
    }
}

#[test]
fn an_untouched_rewrite_is_sound() {
    let frozen = segment(300);
    let clean = open(frozen.id, frozen.bytes.clone()).unwrap();
    let again = open(frozen.id, rewrite(&clean, &frozen.bytes, &[])).unwrap();
    again.verify().unwrap();
    search_all(open(frozen.id, frozen.bytes.clone()).unwrap());
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
    fn searches_of_changed_bytes_are_an_answer_or_an_error(
        changes in proptest::collection::vec((any::<u64>(), prop_oneof![any::<u8>(), Just(0), Just(255)]), 1..6),
    ) {
        // Enough for lists of several blocks, bitmaps and windows.
        static SEGMENT: OnceLock<FrozenSegment> = OnceLock::new();
        let frozen = SEGMENT.get_or_init(|| segment(5000));
        let clean = open(frozen.id, frozen.bytes.clone()).unwrap();
        let changed = rewrite(&clean, &frozen.bytes, &changes);
        if let Some(reader) = open(frozen.id, changed.clone()) {
            search_all(reader);
        }
        if let Some(reader) = open(frozen.id, changed) {
            merge_all(reader);
        }
    }

    #[test]
    fn changed_bytes_of_codec_2_are_an_answer_or_an_error(
        changes in proptest::collection::vec((any::<u64>(), prop_oneof![any::<u8>(), Just(0), Just(255)]), 1..6),
    ) {
        let bytes = include_bytes!("../../tests/golden/postings_v2/index/fbb6ec0b6de4992296e2c6618897898c.qsg");
        let id = SegmentId(0xfbb6_ec0b_6de4_9922_96e2_c661_8897_898c);
        let clean = open(id, bytes.to_vec()).unwrap();
        let changed = rewrite(&clean, bytes, &changes);
        if let Some(reader) = open(id, changed.clone()) {
            read_all(&reader);
            search_all(reader);
        }
        if let Some(reader) = open(id, changed) {
            merge_all(reader);
        }
    }

    #[test]
    fn changed_bytes_are_an_answer_or_an_error(
        changes in proptest::collection::vec((any::<u64>(), prop_oneof![any::<u8>(), Just(0), Just(255)]), 1..6),
    ) {
        let frozen = segment(300);
        let clean = open(frozen.id, frozen.bytes.clone()).unwrap();
        let changed = rewrite(&clean, &frozen.bytes, &changes);
        if let Some(reader) = open(frozen.id, changed) {
            read_all(&reader);
            merge_all(reader);
        }
    }
}
