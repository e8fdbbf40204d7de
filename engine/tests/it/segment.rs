//! A segment gives back what went into the buffer, before and after merges; a plain list of documents is the oracle.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use proptest::prelude::*;
use quidditch_engine::buffer::{Buffer, DocMeta, FrozenSegment};
use quidditch_engine::directory::ByteView;
use quidditch_engine::document::{
    ColumnKind, FieldSpec, IndexOptions, ParsedDocument, ParsedField, StoredValue, TermBuffer,
};
use quidditch_engine::ids::{DocId, PrimaryTerm, SegmentId, SeqNo};
use quidditch_engine::schema::Reorder;
use quidditch_engine::segment::{
    ColumnWindow, Impact, LiveDocs, MergeError, OpenSegmentError, PostingsNeed, SectionEntry,
    SegmentReader, Window, norm_of_length,
};
use quidditch_engine::writer::merge::merge_segments;

const TEXT: FieldSpec = FieldSpec {
    index: IndexOptions::Positions,
    norms: true,
    column: ColumnKind::None,
    points: false,
    stored: false,
};
const KEYWORD: FieldSpec = FieldSpec {
    index: IndexOptions::Docs,
    norms: false,
    column: ColumnKind::Ordinals,
    points: false,
    stored: true,
};
const NUMBER: FieldSpec = FieldSpec {
    index: IndexOptions::None,
    norms: false,
    column: ColumnKind::Numeric,
    points: true,
    stored: false,
};
const BYTES: FieldSpec = FieldSpec {
    index: IndexOptions::None,
    norms: false,
    column: ColumnKind::Ordinals,
    points: false,
    stored: false,
};

/// One document of the oracle.
#[derive(Clone, Debug)]
struct Doc {
    id: String,
    routing: Option<String>,
    body: Vec<String>,
    tags: Vec<String>,
    numbers: Vec<i64>,
    blobs: Vec<Vec<u8>>,
    seq_no: i64,
}

fn field(path: &str, spec: FieldSpec) -> ParsedField {
    ParsedField {
        path: Arc::from(path),
        spec,
        terms: TermBuffer::default(),
        numbers: Vec::new(),
        stored: Vec::new(),
    }
}

fn parsed(doc: &Doc) -> ParsedDocument {
    let mut fields = Vec::new();
    if !doc.blobs.is_empty() {
        let mut blob = field("blob", BYTES);
        for value in &doc.blobs {
            blob.terms.push(value, 0);
        }
        fields.push(blob);
    }
    if !doc.body.is_empty() {
        let mut body = field("body", TEXT);
        for (position, word) in doc.body.iter().enumerate() {
            body.terms.push(word.as_bytes(), position as u32);
        }
        body.terms.length = doc.body.len() as u32;
        fields.push(body);
    }
    if !doc.numbers.is_empty() {
        let mut number = field("n", NUMBER);
        number.numbers = doc.numbers.clone();
        fields.push(number);
    }
    if !doc.tags.is_empty() {
        let mut tag = field("tag", KEYWORD);
        for value in &doc.tags {
            tag.terms.push(value.as_bytes(), 0);
            tag.stored.push(StoredValue::Str(value.clone()));
        }
        fields.push(tag);
    }
    ParsedDocument {
        id: doc.id.clone(),
        routing: doc.routing.clone(),
        source: Bytes::from(source(doc)),
        fields,
        mapping_update: None,
    }
}

fn source(doc: &Doc) -> String {
    format!("{{\"body\":{:?}}}", doc.body.join(" "))
}

fn freeze(docs: &[Doc]) -> FrozenSegment {
    let mut buffer = Buffer::new();
    for (number, doc) in docs.iter().enumerate() {
        let meta = DocMeta {
            seq_no: SeqNo(doc.seq_no),
            primary_term: PrimaryTerm(3),
            version: doc.seq_no as u64 + 1,
        };
        assert_eq!(buffer.add(&parsed(doc), meta), DocId(number as u32));
    }
    assert_eq!(buffer.doc_count(), docs.len() as u32);
    buffer.freeze().unwrap()
}

fn open(frozen: &FrozenSegment) -> SegmentReader {
    SegmentReader::open(frozen.id, ByteView::new(frozen.bytes.clone())).unwrap()
}

fn some_docs(max: usize) -> impl Strategy<Value = Vec<Doc>> {
    let word = (0u32..40).prop_map(|word| format!("w{word}"));
    let doc = (
        0u32..500,
        proptest::option::weighted(0.2, "[a-z]{1,4}"),
        proptest::collection::vec(word, 0..60),
        proptest::collection::vec("[a-c]{0,3}", 0..4),
        proptest::collection::vec(prop_oneof![Just(7i64), -1000i64..1000, any::<i64>()], 0..3),
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3), 0..3),
    );
    proptest::collection::vec(doc, 1..max).prop_map(|docs| {
        let numbered = docs.into_iter().enumerate();
        numbered
            .map(|(number, (id, routing, body, tags, numbers, blobs))| Doc {
                id: format!("id-{id}"),
                routing,
                body,
                tags,
                numbers,
                blobs,
                seq_no: number as i64,
            })
            .collect()
    })
}

/// Documents with positions by term.
type Postings = BTreeMap<Vec<u8>, Vec<(u32, Vec<u32>)>>;

fn check(reader: &SegmentReader, docs: &[Doc]) {
    assert_eq!(reader.max_doc(), docs.len() as u32);
    reader.verify().unwrap();
    check_body(reader, docs);
    check_tags(reader, docs);
    check_blobs(reader, docs);
    check_numbers(reader, docs);
    for (number, doc) in docs.iter().enumerate() {
        let stored = reader.stored(DocId(number as u32)).unwrap();
        assert_eq!(stored.id, doc.id);
        assert_eq!(stored.routing, doc.routing);
        assert_eq!(stored.source, source(doc).as_bytes());
        let tags: Vec<StoredValue> = doc.tags.iter().cloned().map(StoredValue::Str).collect();
        let expected = (!tags.is_empty()).then(|| (Arc::from("tag"), tags));
        assert_eq!(stored.fields, Vec::from_iter(expected));
        let last = docs.iter().rposition(|other| other.id == doc.id).unwrap();
        assert_eq!(reader.find_id(&doc.id).unwrap(), Some(DocId(last as u32)));
    }
    assert_eq!(reader.find_id("nobody").unwrap(), None);
    assert!(reader.stored(DocId(docs.len() as u32)).is_err());
}

fn check_body(reader: &SegmentReader, docs: &[Doc]) {
    let mut model: Postings = BTreeMap::new();
    for (number, doc) in docs.iter().enumerate() {
        for (position, word) in doc.body.iter().enumerate() {
            let list = model.entry(word.clone().into_bytes()).or_default();
            match list.last_mut() {
                Some((last, positions)) if *last == number as u32 => {
                    positions.push(position as u32)
                }
                _ => list.push((number as u32, vec![position as u32])),
            }
        }
    }
    let Some(terms) = reader.terms("body").unwrap() else {
        assert!(model.is_empty());
        return;
    };
    let info = reader.field("body").unwrap();
    let with_body = docs.iter().filter(|doc| !doc.body.is_empty()).count();
    assert_eq!(info.doc_count, with_body as u32);
    assert_eq!(
        info.sum_total_term_freq,
        docs.iter().map(|doc| doc.body.len() as u64).sum::<u64>()
    );
    assert_eq!(
        info.sum_doc_freq,
        model.values().map(|list| list.len() as u64).sum::<u64>()
    );
    assert_eq!(terms.len(), model.len() as u64);
    let norms = reader.norms("body").unwrap().unwrap();
    for (number, doc) in docs.iter().enumerate() {
        assert_eq!(
            norms.norm(DocId(number as u32)),
            norm_of_length(doc.body.len() as u32)
        );
    }
    let mut iter = terms.iter();
    for (ord, (term, list)) in model.iter().enumerate() {
        let (found, info) = iter.next().unwrap().unwrap();
        assert_eq!((found, info.ord), (term.as_slice(), ord as u64));
        assert_eq!(terms.get(term).unwrap(), Some(info));
        let mut by_ord = Vec::new();
        assert_eq!(terms.by_ord(ord as u64, &mut by_ord).unwrap(), info);
        assert_eq!(&by_ord, term);
        assert_eq!(info.doc_freq, list.len() as u32);
        check_postings(
            reader,
            &terms
                .postings(&info, PostingsNeed::Positions)
                .unwrap()
                .cost(),
            &info,
            list,
        );
    }
    assert!(iter.next().unwrap().is_none());
}

fn check_postings(
    reader: &SegmentReader,
    cost: &u32,
    info: &quidditch_engine::segment::TermInfo,
    list: &[(u32, Vec<u32>)],
) {
    assert_eq!(*cost, list.len() as u32);
    let terms = reader.terms("body").unwrap().unwrap();
    let norms = reader.norms("body").unwrap().unwrap();
    let mut cursor = terms.postings(info, PostingsNeed::Positions).unwrap();
    let mut positions = Vec::new();
    for (doc, expected) in list {
        assert_eq!(cursor.next().unwrap(), DocId(*doc));
        assert_eq!(cursor.freq(), expected.len() as u32);
        cursor.positions(&mut positions).unwrap();
        assert_eq!(&positions, expected);
        let (freq, norm) = (cursor.freq(), norms.norm(DocId(*doc)));
        let bounds = |impacts: &[Impact]| {
            impacts
                .iter()
                .any(|impact| impact.freq >= freq && impact.norm <= norm)
        };
        assert!(bounds(cursor.impacts().unwrap()));
        assert!(bounds(cursor.max_impacts().unwrap()));
    }
    assert_eq!(cursor.next().unwrap(), DocId::NO_MORE);
    assert_eq!(cursor.next().unwrap(), DocId::NO_MORE);

    // Every target, from a fresh cursor and from one that walks.
    let mut walking = terms.postings(info, PostingsNeed::Freqs).unwrap();
    for target in (0..reader.max_doc() + 2).step_by(3) {
        let expected = list.iter().find(|(doc, _)| *doc >= target);
        let expected_doc = expected.map_or(DocId::NO_MORE, |(doc, _)| DocId(*doc));
        assert_eq!(walking.advance(DocId(target)).unwrap(), expected_doc);
        if let Some((doc, occurrences)) = expected {
            let (freq, norm) = (occurrences.len() as u32, norms.norm(DocId(*doc)));
            let impacts = walking.impacts().unwrap();
            let bounded = |impact: &Impact| impact.freq >= freq && impact.norm <= norm;
            assert!(impacts.iter().any(bounded));
        }
        let mut fresh = terms.postings(info, PostingsNeed::Docs).unwrap();
        assert_eq!(fresh.advance(DocId(target)).unwrap(), expected_doc);
        if let Some((_, occurrences)) = expected {
            assert_eq!(walking.freq(), occurrences.len() as u32);
        }
    }

    let mut windowed = terms.postings(info, PostingsNeed::Docs).unwrap();
    let mut found = Vec::new();
    for base in (0..reader.max_doc()).step_by(4096) {
        let mut window = Window::empty();
        windowed.fill_window(DocId(base), &mut window).unwrap();
        window.push_docs(base, &mut found);
    }
    assert!(found.iter().eq(list.iter().map(|(doc, _)| doc)));

    let mut blocks = terms.postings(info, PostingsNeed::Freqs).unwrap();
    let (mut docs, mut freqs) = ([0; 128], [0; 128]);
    let mut all = Vec::new();
    blocks.next().unwrap();
    while blocks.doc() != DocId::NO_MORE {
        let end = (blocks.doc().0 | 1023) + 1;
        let count = blocks
            .take_block(DocId(end), &mut docs, &mut freqs)
            .unwrap();
        assert!(count > 0 && docs[count - 1] < end);
        all.extend(
            docs[..count]
                .iter()
                .copied()
                .zip(freqs[..count].iter().copied()),
        );
    }
    assert!(
        all.into_iter().eq(list
            .iter()
            .map(|(doc, positions)| (*doc, positions.len() as u32)))
    );
}

fn check_ordinals(reader: &SegmentReader, path: &str, rows: &[BTreeSet<Vec<u8>>]) {
    let all: BTreeSet<&Vec<u8>> = rows.iter().flatten().collect();
    let Some(column) = reader.ordinals(path).unwrap() else {
        assert!(all.is_empty());
        return;
    };
    assert_eq!(column.value_count(), all.len() as u64);
    let mut term = Vec::new();
    for (ord, value) in all.iter().enumerate() {
        column.term(ord as u64, &mut term).unwrap();
        assert_eq!(&&term, value);
        assert_eq!(column.ord_of(value).unwrap(), Ok(ord as u64));
        let after = [value.as_slice(), b"\0"].concat();
        if !all.contains(&after) {
            assert_eq!(column.ord_of(&after).unwrap(), Err(ord as u64 + 1));
        }
    }
    let mut ords = Vec::new();
    for (number, values) in rows.iter().enumerate() {
        column.ords(DocId(number as u32), &mut ords);
        let expected = values
            .iter()
            .map(|value| all.iter().position(|other| *other == value).unwrap() as u64);
        assert!(expected.eq(ords.iter().copied()));
        assert_eq!(
            column.first_ord(DocId(number as u32)),
            ords.first().copied()
        );
    }
    let present = reader.docs_with_field(path).unwrap().unwrap();
    let with_value = rows
        .iter()
        .enumerate()
        .filter(|(_, values)| !values.is_empty());
    assert!(
        present
            .iter()
            .eq(with_value.map(|(number, _)| number as u32))
    );
}

fn check_tags(reader: &SegmentReader, docs: &[Doc]) {
    let rows: Vec<BTreeSet<Vec<u8>>> = docs
        .iter()
        .map(|doc| {
            doc.tags
                .iter()
                .map(|tag| tag.clone().into_bytes())
                .collect()
        })
        .collect();
    check_ordinals(reader, "tag", &rows);
    let Some(terms) = reader.terms("tag").unwrap() else {
        return;
    };
    let all: BTreeSet<&Vec<u8>> = rows.iter().flatten().collect();
    for tag in &all {
        let info = terms.get(tag).unwrap().unwrap();
        let mut cursor = terms.postings(&info, PostingsNeed::Positions).unwrap();
        for (number, row) in rows.iter().enumerate() {
            if row.contains(*tag) {
                assert_eq!(cursor.next().unwrap(), DocId(number as u32));
                assert_eq!(cursor.freq(), 1);
            }
        }
        assert_eq!(cursor.next().unwrap(), DocId::NO_MORE);
    }
    // Ranges and automata against a filter over all terms.
    let bound = b"b".as_slice();
    let mut iter = terms.range(Bound::Excluded(bound), Bound::Included(b"ca"));
    for tag in all
        .iter()
        .filter(|tag| tag.as_slice() > bound && tag.as_slice() <= b"ca".as_slice())
    {
        assert_eq!(iter.next().unwrap().unwrap().0, tag.as_slice());
    }
    assert!(iter.next().unwrap().is_none());
    let subsequence = fst::automaton::Subsequence::new("b");
    let mut search = terms.search(&subsequence);
    for tag in all.iter().filter(|tag| tag.contains(&b'b')) {
        assert_eq!(search.next().unwrap().unwrap().0, tag.as_slice());
    }
    assert!(search.next().unwrap().is_none());
    let prefix = fst::Automaton::starts_with(fst::automaton::Str::new("b"));
    let mut search = terms.search(&prefix);
    for tag in all.iter().filter(|tag| tag.starts_with(b"b")) {
        assert_eq!(search.next().unwrap().unwrap().0, tag.as_slice());
    }
    assert!(search.next().unwrap().is_none());
}

fn check_blobs(reader: &SegmentReader, docs: &[Doc]) {
    let rows: Vec<BTreeSet<Vec<u8>>> = docs
        .iter()
        .map(|doc| doc.blobs.iter().cloned().collect())
        .collect();
    check_ordinals(reader, "blob", &rows);
    assert!(reader.terms("blob").unwrap().is_none());
}

fn check_numbers(reader: &SegmentReader, docs: &[Doc]) {
    let seq_no = reader.numeric("_seq_no").unwrap().unwrap();
    let version = reader.numeric("_version").unwrap().unwrap();
    let primary_term = reader.numeric("_primary_term").unwrap().unwrap();
    for (number, doc) in docs.iter().enumerate() {
        let number = DocId(number as u32);
        assert_eq!(seq_no.first(number), Some(doc.seq_no));
        assert_eq!(version.first(number), Some(doc.seq_no + 1));
        assert_eq!(primary_term.first(number), Some(3));
    }
    let Some(column) = reader.numeric("n").unwrap() else {
        assert!(docs.iter().all(|doc| doc.numbers.is_empty()));
        return;
    };
    let points = reader.points("n").unwrap();
    let all: Vec<i64> = docs
        .iter()
        .flat_map(|doc| doc.numbers.iter().copied())
        .collect();
    assert_eq!(column.value_count(), all.len() as u64);
    if let (Some(min), Some(max)) = (all.iter().min(), all.iter().max()) {
        assert_eq!((column.min(), column.max()), (*min, *max));
        let points = points.as_ref().unwrap();
        assert_eq!((points.min(), points.max()), (*min, *max));
    }
    let mut window = ColumnWindow::default();
    let mut values = Vec::new();
    for (number, doc) in docs.iter().enumerate() {
        let mut expected = doc.numbers.clone();
        expected.sort_unstable();
        let number = number as u32;
        if number.is_multiple_of(4096) {
            column.read_window(DocId(number), &mut window);
        }
        column.values(DocId(number), &mut values);
        assert_eq!(values, expected);
        assert_eq!(window.values_of(number), expected);
        assert_eq!(column.first(DocId(number)), expected.first().copied());
        assert_eq!(column.doc_value_count(DocId(number)), expected.len() as u32);
    }
    for (lo, hi) in [
        (7, 7),
        (-500, 300),
        (i64::MIN, i64::MAX),
        (0, i64::MAX),
        (5, 4),
    ] {
        let inside = |doc: &&Doc| doc.numbers.iter().any(|value| (lo..=hi).contains(value));
        let expected: BTreeSet<u32> = (0..docs.len() as u32)
            .filter(|doc| inside(&&docs[*doc as usize]))
            .collect();
        let mut by_column = Vec::new();
        for base in (0..docs.len() as u32).step_by(4096) {
            let mut bits = Window::empty();
            column.fill_range_window(DocId(base), lo, hi, &mut bits);
            bits.push_docs(base, &mut by_column);
        }
        assert!(by_column.iter().eq(&expected), "{lo}..={hi}");
        if let Some(points) = &points {
            let mut by_points = Vec::new();
            points
                .range(lo, hi, &mut |docs| by_points.extend_from_slice(docs))
                .unwrap();
            assert!(by_points.len() <= points.range_cost(lo, hi) as usize);
            assert_eq!(BTreeSet::from_iter(by_points), expected, "{lo}..={hi}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_frozen_buffer_gives_back_what_it_took(docs in some_docs(400)) {
        check(&open(&freeze(&docs)), &docs);
    }
}

type Input = (Arc<SegmentReader>, Option<Arc<LiveDocs>>);

/// Merges in order, checks the document map, opens the result; `None` when nobody is left.
fn merge(inputs: &[Input]) -> Option<SegmentReader> {
    let (merged, places) = merge_as(inputs, Reorder::None)?;
    assert!(places.is_sorted(), "documents keep their order");
    Some(merged)
}

/// Merges, checks that every live document has a place of its own, opens the result; gives the places in the order of the
/// inputs.
fn merge_as(inputs: &[Input], reorder: Reorder) -> Option<(SegmentReader, Vec<u32>)> {
    let mut bytes = Vec::new();
    let outcome = merge_segments(inputs, reorder, &mut bytes, &AtomicBool::new(false)).unwrap();
    let mut places = Vec::new();
    for ((reader, live), map) in inputs.iter().zip(&outcome.doc_map) {
        assert_eq!(map.len(), reader.max_doc() as usize);
        for (doc, new) in map.iter().enumerate() {
            if live
                .as_ref()
                .is_none_or(|live| live.is_live(DocId(doc as u32)))
            {
                places.push(*new);
            } else {
                assert_eq!(*new, u32::MAX);
            }
        }
    }
    let distinct: BTreeSet<u32> = places.iter().copied().collect();
    assert!(distinct.into_iter().eq(0..places.len() as u32));
    assert_eq!(outcome.max_doc as usize, places.len());
    assert_eq!(outcome.len, bytes.len() as u64);
    let open = || SegmentReader::open(outcome.id, ByteView::new(bytes)).unwrap();
    (outcome.max_doc > 0).then(|| (open(), places))
}

/// Documents at their places.
fn placed(docs: &[Doc], places: &[u32]) -> Vec<Doc> {
    let mut order: Vec<usize> = (0..docs.len()).collect();
    order.sort_by_key(|doc| places[*doc]);
    order.into_iter().map(|doc| docs[doc].clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn merges_keep_the_living_and_drop_the_dead(
        segments in proptest::collection::vec((some_docs(150), proptest::collection::vec(any::<bool>(), 150), any::<bool>()), 1..4),
        full: bool,
    ) {
        let mut inputs: Vec<Input> = Vec::new();
        let mut alive = Vec::new();
        for (docs, dead, no_deletes) in &segments {
            let reader = Arc::new(open(&freeze(docs)));
            let is_dead = |doc: usize| !no_deletes && dead[doc];
            alive.extend((0..docs.len()).filter(|doc| !is_dead(*doc)).map(|doc| docs[doc].clone()));
            let deleted = (0..docs.len() as u32).filter(|doc| is_dead(*doc as usize)).collect();
            let live = (!no_deletes).then(|| Arc::new(LiveDocs::new(docs.len() as u32, deleted)));
            inputs.push((reader, live));
        }
        let reorder = if full { Reorder::Full } else { Reorder::Light };
        if let Some((merged, places)) = merge_as(&inputs, reorder) {
            check(&merged, &placed(&alive, &places));
        }
        match merge(&inputs) {
            Some(merged) => {
                check(&merged, &alive);
                // A merge of a merge is the same again.
                check(&merge(&[(Arc::new(merged), None)]).unwrap(), &alive);
            }
            None => prop_assert!(alive.is_empty()),
        }
    }
}

/// Two topics that come in turns, as stored text long enough for many blocks of it.
#[test]
fn a_reordered_segment_parts_topics_and_keeps_every_document_whole() {
    let mut docs = many_docs(6000);
    for (number, doc) in docs.iter_mut().enumerate() {
        let topic = ["cat", "ship"][number % 2];
        doc.body
            .extend((0..20).map(|word| format!("{topic}{}", word * number % 40)));
    }
    let (first, second) = docs.split_at(3500);
    let dead: Vec<u32> = (0..3500).step_by(9).collect();
    let inputs = [
        (
            Arc::new(open(&freeze(first))),
            Some(Arc::new(LiveDocs::new(
                3500,
                dead.iter().copied().collect(),
            ))),
        ),
        (Arc::new(open(&freeze(second))), None),
    ];
    let living: Vec<Doc> = (0..docs.len())
        .filter(|doc| !dead.contains(&(*doc as u32)))
        .map(|doc| docs[doc].clone())
        .collect();
    for reorder in [Reorder::Light, Reorder::Full] {
        let (merged, places) = merge_as(&inputs, reorder).unwrap();
        let placed = placed(&living, &places);
        assert_eq!(merged.verify().map_err(|error| error.to_string()), Ok(()));
        check(&merged, &placed);
        let is_cat = |doc: &Doc| doc.body.iter().any(|word| word.starts_with("cat"));
        let changes = placed
            .windows(2)
            .filter(|pair| is_cat(&pair[0]) != is_cat(&pair[1]));
        assert!(changes.count() < 200, "the topics lie side by side");
        let again = merge(&[(Arc::new(merged), None)]).unwrap();
        check(&again, &placed);
    }
    let in_order = merge(&inputs).unwrap();
    check(&in_order, &living);
}

/// Documents enough for several posting blocks and column chunks, made without chance.
fn many_docs(count: usize) -> Vec<Doc> {
    let make = |number: usize| Doc {
        id: format!("doc-{number}"),
        routing: None,
        body: (0..number % 7 + 1)
            .map(|word| format!("w{}", (number * (word + 1)) % (5 + word * 11)))
            .collect(),
        tags: (0..number % 3)
            .map(|tag| format!("t{}", (number + tag) % 200))
            .collect(),
        numbers: if number.is_multiple_of(5) {
            vec![]
        } else {
            vec![number as i64 * 1000, -((number % 17) as i64)][..1 + number % 2].to_vec()
        },
        blobs: vec![],
        seq_no: 40_000 - number as i64,
    };
    (0..count).map(make).collect()
}

#[test]
fn long_postings_and_many_chunks_come_back() {
    let docs = many_docs(9000);
    let reader = open(&freeze(&docs));
    assert_eq!(reader.verify().map_err(|error| error.to_string()), Ok(()));
    check_numbers(&reader, &docs);
    let terms = reader.terms("body").unwrap().unwrap();
    let norms = reader.norms("body").unwrap().unwrap();
    for word in ["w0", "w1", "w13"] {
        let info = terms.get(word.as_bytes()).unwrap().unwrap();
        let with_word = |doc: &usize| docs[*doc].body.iter().any(|other| other == word);
        let expected: Vec<u32> = (0..docs.len())
            .filter(with_word)
            .map(|doc| doc as u32)
            .collect();
        assert_eq!(info.doc_freq as usize, expected.len());
        let mut cursor = terms.postings(&info, PostingsNeed::Positions).unwrap();
        let mut positions = Vec::new();
        // Leaps of growing length, blocks skipped on the way.
        let mut target = 0;
        while let Some(doc) = expected.iter().find(|doc| **doc >= target) {
            assert_eq!(cursor.advance(DocId(target)).unwrap(), DocId(*doc));
            let body = &docs[*doc as usize].body;
            cursor.positions(&mut positions).unwrap();
            let expected = body.iter().enumerate().filter(|(_, other)| *other == word);
            assert!(
                expected
                    .map(|(position, _)| position as u32)
                    .eq(positions.iter().copied())
            );
            let (freq, norm) = (cursor.freq(), norms.norm(DocId(*doc)));
            let impacts = cursor.impacts().unwrap();
            assert!(impacts.len() <= 4);
            assert!(
                impacts
                    .iter()
                    .any(|impact| impact.freq >= freq && impact.norm <= norm)
            );
            target = doc + 1 + (target / 3) % 700;
        }
        assert_eq!(cursor.advance(DocId(target)).unwrap(), DocId::NO_MORE);
    }
    let merged = merge(&[
        (Arc::new(reader), None),
        (Arc::new(open(&freeze(&docs[..500]))), None),
    ])
    .unwrap();
    assert_eq!(merged.verify().map_err(|error| error.to_string()), Ok(()));
    assert_eq!(merged.max_doc(), 9500);
    assert_eq!(merged.find_id("doc-499").unwrap(), Some(DocId(9499)));
}

#[test]
fn a_buffer_of_dead_documents_leaves_no_segment() {
    assert!(Buffer::new().freeze().is_none());
    let meta = DocMeta {
        seq_no: SeqNo(0),
        primary_term: PrimaryTerm(1),
        version: 1,
    };
    let docs = many_docs(2);
    let mut buffer = Buffer::new();
    let first = buffer.add(&parsed(&docs[0]), meta);
    let second = buffer.add(&parsed(&docs[1]), meta);
    buffer.delete(first);
    buffer.delete(DocId(77));
    let mut other = Buffer::new();
    let only = other.add(&parsed(&docs[0]), meta);
    other.delete(only);
    assert!(other.freeze().is_none());
    let frozen = buffer.freeze().unwrap();
    assert_eq!(Vec::from_iter(&frozen.deleted), [0]);
    assert_eq!(open(&frozen).find_id("doc-1").unwrap(), Some(second));
}

/// Every door of a segment, errors and all; what counts is that nothing panics.
fn read_everything(reader: &SegmentReader) -> bool {
    let mut sound = true;
    let names: Vec<Arc<str>> = reader.field_names().cloned().collect();
    for name in &names {
        sound &= reader.norms(name).is_ok();
        sound &= reader.numeric(name).is_ok();
        sound &= reader.ordinals(name).is_ok();
        sound &= reader.docs_with_field(name).is_ok();
        match reader.points(name) {
            Ok(Some(points)) => sound &= points.range(i64::MIN, i64::MAX, &mut |_| {}).is_ok(),
            other => sound &= other.is_ok(),
        }
        match reader.terms(name) {
            Ok(Some(terms)) => {
                let mut iter = terms.iter();
                let mut infos = Vec::new();
                loop {
                    match iter.next() {
                        Ok(Some((_, info))) => infos.push(info),
                        Ok(None) => break,
                        Err(_) => {
                            sound = false;
                            break;
                        }
                    }
                }
                for info in infos {
                    let Ok(mut cursor) = terms.postings(&info, PostingsNeed::Positions) else {
                        sound = false;
                        continue;
                    };
                    let mut positions = Vec::new();
                    while !matches!(cursor.next(), Ok(DocId::NO_MORE) | Err(_)) {
                        sound &=
                            cursor.positions(&mut positions).is_ok() && cursor.impacts().is_ok();
                    }
                }
            }
            other => sound &= other.is_ok(),
        }
    }
    for doc in 0..reader.max_doc().min(1000) {
        sound &= reader.stored(DocId(doc)).is_ok();
    }
    sound
}

#[test]
fn every_flipped_bit_is_found() {
    let frozen = freeze(&many_docs(12));
    let (id, bytes) = (frozen.id, frozen.bytes);
    let clean = SegmentReader::open(id, ByteView::new(bytes.clone())).unwrap();
    assert!(clean.verify().is_ok() && read_everything(&clean));
    for byte in 0..bytes.len() {
        // All bits of the ends, where most of the structure is, one bit of every other byte.
        let ends = byte < 64 || byte + 1200 > bytes.len();
        for bit in 0..8 {
            if !ends && bit != byte % 8 {
                continue;
            }
            let mut flipped = bytes.clone();
            flipped[byte] ^= 1 << bit;
            let Ok(reader) = SegmentReader::open(id, ByteView::new(flipped)) else {
                continue;
            };
            let error = reader.verify().expect_err("a flipped bit");
            assert!(error.to_string().contains("the file is damaged"), "{error}");
            assert!(reader.verify_checksums().is_err());
            // One page: the first read of anything finds it. Zeros behind the last section are never served.
            let end = |last: &SectionEntry| last.offset + last.len;
            let gap = reader
                .sections()
                .last()
                .map(end)
                .is_some_and(|end| byte as u64 >= end);
            assert!(
                gap || !read_everything(&reader),
                "byte {byte} bit {bit} was served"
            );
            let inputs = [(Arc::new(reader), None)];
            let merged = merge_segments(
                &inputs,
                Reorder::None,
                &mut Vec::new(),
                &AtomicBool::new(false),
            );
            assert!(matches!(merged, Err(MergeError::Read(_))));
        }
    }
}

#[test]
fn every_cut_is_found() {
    let frozen = freeze(&many_docs(3));
    for len in 0..frozen.bytes.len() {
        let cut = ByteView::new(frozen.bytes[..len].to_vec());
        assert!(SegmentReader::open(frozen.id, cut).is_err(), "{len} bytes");
    }
    let other = SegmentReader::open(SegmentId(5), ByteView::new(frozen.bytes));
    assert!(
        matches!(other, Err(OpenSegmentError::OtherSegment { found, .. }) if found == frozen.id)
    );
}

#[test]
fn a_cancelled_merge_says_so() {
    let reader = Arc::new(open(&freeze(&many_docs(10))));
    for reorder in [Reorder::None, Reorder::Full] {
        let inputs = [(reader.clone(), None)];
        let merged = merge_segments(&inputs, reorder, &mut Vec::new(), &AtomicBool::new(true));
        assert!(matches!(merged, Err(MergeError::Cancelled)));
    }
}

proptest! {
    #[test]
    fn any_bytes_open_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(SegmentReader::open(SegmentId(1), ByteView::new(bytes)).is_err());
    }
}
