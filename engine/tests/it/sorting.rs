//! Sorted by numbers over many windows: the same hits as sorting all documents, whatever is skipped on the way.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use quidditch_engine::buffer::{Buffer, DocMeta};
use quidditch_engine::directory::ByteView;
use quidditch_engine::document::parse_document;
use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::query::{MatchAllQuery, Query, RangeQuery};
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::search::{
    self, CanMatch, MemoryAccount, SearchContext, SearchRequest, SortKey, SortMissing, SortOrder,
    SortValue, TrackTotalHits,
};
use quidditch_engine::segment::{LiveDocs, SegmentReader};
use quidditch_engine::shard::{SegmentSnapshot, ShardReader};
use quidditch_engine::value::Value;

/// Documents of the two segments.
const SIZES: [i64; 2] = [17_000, 9_000];

/// `time` grows, `wild` does not, `few` has three values, `some` is missing from most.
fn field_value(field: &str, doc: i64) -> Option<i64> {
    let wild = doc.wrapping_mul(6_364_136_223_846_793_005) >> 40;
    match field {
        "time" => Some(doc * 10 + wild % 7),
        "wild" => Some(wild),
        "few" => Some(wild.rem_euclid(3)),
        _ => (doc % 3 == 0).then_some(wild % 1000),
    }
}

fn is_dead(doc: i64) -> bool {
    doc % 11 == 5
}

fn shard() -> ShardReader {
    let fields = ["time", "wild", "few", "some"];
    let properties: serde_json::Map<_, _> = fields
        .iter()
        .map(|field| ((*field).to_owned(), serde_json::json!({"type": "long"})))
        .collect();
    let mapping = serde_json::json!({"properties": properties});
    let schema = Arc::new(IndexSchema::new(&mapping, &BTreeMap::new()).unwrap());
    let mut segments = Vec::new();
    let mut next = 0;
    for size in SIZES {
        let mut buffer = Buffer::new();
        let mut dead = roaring::RoaringBitmap::new();
        for doc in next..next + size {
            let values = fields.iter().filter_map(|field| {
                let value = field_value(field, doc)?;
                Some(((*field).to_owned(), serde_json::json!(value)))
            });
            let source = serde_json::Value::Object(values.collect()).to_string();
            let parsed = parse_document(&schema, &doc.to_string(), None, source.as_bytes());
            let meta = DocMeta {
                seq_no: SeqNo(doc),
                primary_term: PrimaryTerm(1),
                version: 1,
            };
            let local = buffer.add(&parsed.unwrap(), meta);
            if is_dead(doc) {
                dead.insert(local.0);
            }
        }
        next += size;
        let frozen = buffer.freeze().unwrap();
        let reader = SegmentReader::open(frozen.id, ByteView::new(frozen.bytes)).unwrap();
        let live = LiveDocs::new(reader.max_doc(), dead);
        segments.push(SegmentSnapshot {
            reader: Arc::new(reader),
            live: Some(Arc::new(live)),
        });
    }
    ShardReader::new(segments, schema)
}

/// What a shard tells of a range of a field, sorted by that field.
fn look(reader: &ShardReader, field: &str, lo: i64, hi: i64, order: SortOrder) -> CanMatch {
    let (cancelled, memory) = (AtomicBool::new(false), MemoryAccount::new(1 << 30));
    let context = SearchContext::new("i", 0, &cancelled, &memory);
    let ends = (
        Bound::Included(Value::I64(lo)),
        Bound::Included(Value::I64(hi)),
    );
    let request = SearchRequest {
        sort: vec![SortKey::field(field, order)],
        ..SearchRequest::new(Query::Range(RangeQuery::new(field, ends.0, ends.1)))
    };
    search::can_match(reader, &request, &context).unwrap()
}

#[test]
fn a_shard_tells_the_ends_of_its_numbers_and_whether_a_range_meets_them() {
    let reader = shard();
    let docs = 0..SIZES[0] + SIZES[1];
    for field in ["time", "wild", "few", "some"] {
        let values = docs.clone().filter_map(|doc| field_value(field, doc));
        let (min, max) = (values.clone().min().unwrap(), values.max().unwrap());
        for (lo, hi, expected) in [
            (min, max, true),
            (min - 9, min, true),
            (max, max + 9, true),
            (min - 9, min - 1, false),
            (max + 1, i64::MAX, false),
        ] {
            for order in [SortOrder::Asc, SortOrder::Desc] {
                let told = look(&reader, field, lo, hi, order);
                assert_eq!(told.can_match, expected, "{field} {lo}..={hi}");
                let bounds = (SortValue::I64(min), SortValue::I64(max));
                assert_eq!(told.sort_bounds, Some(bounds), "{field}");
            }
        }
    }
    // between the two segments nobody is
    let gap = (SIZES[0] - 1) * 10 + 7;
    assert!(!look(&reader, "time", gap, gap + 2, SortOrder::Asc).can_match);
}

/// The documents that a request finds, in its order.
fn found(reader: &ShardReader, request: &SearchRequest) -> Vec<i64> {
    let (cancelled, memory) = (AtomicBool::new(false), MemoryAccount::new(1 << 30));
    let context = SearchContext::new("i", 0, &cancelled, &memory);
    let result = search::query(reader, request, &context).unwrap();
    let first = [0, SIZES[0]];
    let doc = |hit: &search::ShardHit| first[hit.doc.segment as usize] + i64::from(hit.doc.doc.0);
    result.hits.iter().map(doc).collect()
}

/// What sorting all documents gives.
fn expected(field: &str, key: &SortKey, docs: &[i64]) -> Vec<i64> {
    let mut docs = docs.to_vec();
    let last = key.missing == SortMissing::Last;
    docs.sort_by_key(|doc| {
        let value = field_value(field, *doc);
        let ascending = key.order == SortOrder::Asc;
        let order = value.map(|value| if ascending { value } else { -value });
        (value.is_none() == last, order, *doc)
    });
    docs
}

#[test]
fn the_first_documents_are_those_of_a_full_sort() {
    let reader = shard();
    let all: Vec<i64> = (0..SIZES.iter().sum())
        .filter(|doc| !is_dead(*doc))
        .collect();
    let old = |doc: &i64| field_value("time", *doc) < Some(100_000);
    let some: Vec<i64> = all.iter().copied().filter(old).collect();
    let below = Bound::Excluded(Value::I64(100_000));
    let range = RangeQuery::new("time", Bound::Unbounded, below);
    for (query, docs) in [
        (Query::MatchAll(MatchAllQuery::default()), &all),
        (Query::Range(range), &some),
    ] {
        for field in ["time", "wild", "few", "some"] {
            for (order, missing) in [
                (SortOrder::Asc, SortMissing::Last),
                (SortOrder::Asc, SortMissing::First),
                (SortOrder::Desc, SortMissing::Last),
                (SortOrder::Desc, SortMissing::First),
            ] {
                let key = SortKey {
                    missing,
                    ..SortKey::field(field, order)
                };
                let expected = expected(field, &key, docs);
                check(&reader, &query, &key, &expected, field);
            }
        }
    }
}

fn check(reader: &ShardReader, query: &Query, key: &SortKey, expected: &[i64], field: &str) {
    for (size, total) in [
        (1, TrackTotalHits::No),
        (10, TrackTotalHits::UpTo(100)),
        (500, TrackTotalHits::No),
        (10, TrackTotalHits::All),
    ] {
        let mut request = SearchRequest::new(query.clone());
        request.size = size;
        request.track_total_hits = total;
        request.sort = vec![key.clone()];
        let hits = found(reader, &request);
        assert_eq!(hits, expected[..size], "{key:?}, {size}");
        // a second criterion decides between equals, against the order of the documents
        request.sort.push(SortKey::field("time", SortOrder::Desc));
        let hits = found(reader, &request);
        let first_keys = |docs: &[i64]| -> Vec<Option<i64>> {
            docs.iter().map(|doc| field_value(field, *doc)).collect()
        };
        assert_eq!(first_keys(&hits), first_keys(&expected[..size]), "{key:?}");
        let by_time = |pair: &[i64]| {
            field_value(field, pair[0]) != field_value(field, pair[1])
                || Reverse(field_value("time", pair[0])) <= Reverse(field_value("time", pair[1]))
        };
        assert!(hits.windows(2).all(by_time), "{key:?}");
        // the page behind some document
        request.sort.pop();
        let after = field_value(field, expected[expected.len() / 3]);
        if let Some(after) = after {
            request.search_after = Some(vec![Value::I64(after)]);
            let behind = expected.iter().copied().filter(|doc| {
                let value = field_value(field, *doc);
                match (value, key.order) {
                    (None, _) => key.missing == SortMissing::Last,
                    (Some(value), SortOrder::Asc) => value > after,
                    (Some(value), SortOrder::Desc) => value < after,
                }
            });
            let behind: Vec<i64> = behind.take(size).collect();
            assert_eq!(found(reader, &request), behind, "{key:?} after {after}");
        }
    }
}
