//! Filters that are used again are kept by segment, and nobody can tell by the answers.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use quidditch_engine::directory::faulty::Disk;
use quidditch_engine::query::*;
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::search::{
    self, MemoryAccount, SearchContext, SearchRequest, ShardQueryResult, TrackTotalHits,
};
use quidditch_engine::shard::{Shard, ShardReader};
use quidditch_engine::value::Value;

use crate::shards::{delete_op, index_op, open};

/// Enough for a segment whose filters are kept.
const DOCS: u32 = 10_500;

fn schema(is_cached: bool) -> Arc<IndexSchema> {
    let mapping = serde_json::json!({"properties": {
        "t": {"type": "text"}, "k": {"type": "keyword"}, "n": {"type": "integer"}, "m": {"type": "integer"}
    }});
    let name = "index.queries.cache.enabled".to_owned();
    let settings = BTreeMap::from([(name, is_cached.to_string())]);
    Arc::new(IndexSchema::new(&mapping, &settings).unwrap())
}

fn put(shard: &Shard, number: u32) {
    let mut op = index_op(&number.to_string(), 0);
    let mut body = serde_json::json!({
        "t": format!("w{} w{}", number % 7, number % 11),
        "k": format!("k{}", number % 40),
        "n": number,
    });
    if number.is_multiple_of(3) {
        body["m"] = (number % 100).into();
    }
    op.source = body.to_string().into();
    shard.index(op).unwrap();
}

fn shop(disk: &Disk) -> Shard {
    let shard = open(disk, &schema(true)).unwrap();
    (0..DOCS).for_each(|number| put(&shard, number));
    shard.refresh().unwrap();
    shard.force_merge(Some(1), false).unwrap();
    shard.refresh().unwrap();
    shard
}

fn run(reader: &ShardReader, request: &SearchRequest) -> ShardQueryResult {
    let (cancelled, memory) = (AtomicBool::new(false), MemoryAccount::new(1 << 30));
    let context = SearchContext::new("things", 0, &cancelled, &memory);
    search::query(reader, request, &context).unwrap()
}

fn count(reader: &ShardReader, query: &Query) -> u64 {
    let (cancelled, memory) = (AtomicBool::new(false), MemoryAccount::new(1 << 30));
    let context = SearchContext::new("things", 0, &cancelled, &memory);
    search::count(reader, query, &context).unwrap()
}

/// The same documents, to a search that keeps nothing.
fn forgetful(reader: &ShardReader) -> ShardReader {
    ShardReader::new(reader.segments.clone(), schema(false))
}

fn text(text: impl Into<String>) -> Value {
    Value::Str(text.into())
}

fn range(field: &str, from: u32, to: u32) -> Query {
    let [from, to] = [from, to].map(|end| Bound::Included(Value::I64(i64::from(end))));
    Query::Range(RangeQuery::new(field, from, to))
}

fn of(must: Vec<Query>, filter: Vec<Query>, must_not: Vec<Query>) -> Query {
    Query::Bool(BoolQuery {
        must,
        filter,
        must_not,
        ..BoolQuery::default()
    })
}

fn word(number: u32) -> Query {
    Query::Term(TermQuery::new("t", text(format!("w{}", number % 11))))
}

/// One of few filters, so that they come again.
fn filter(rng: &mut impl Rng) -> Query {
    let number = rng.next_u32();
    match number % 9 {
        0 => range("n", 100, 6000),
        1 => range("n", 6000, 6100),
        2 => range("m", 10, 30),
        3 => Query::Terms(TermsQuery::new(
            "k",
            vec![text("k1"), text("k2"), text("k30")],
        )),
        4 => Query::Prefix(PrefixQuery::new("k", "k2")),
        5 => Query::Wildcard(WildcardQuery::new("k", "k*3")),
        6 => Query::Exists(ExistsQuery::new("m")),
        7 => of(
            vec![],
            vec![range("n", 5, 9000), word(3)],
            vec![range("m", 0, 50)],
        ),
        _ => Query::MatchPhrase(MatchPhraseQuery::new("t", text("w1 w2"))),
    }
}

fn query(rng: &mut impl Rng) -> Query {
    let number = rng.next_u32();
    let words = vec![word(number / 64), word(number / 1024)];
    match number % 7 {
        0 => of(vec![word(number / 64)], vec![filter(rng)], vec![]),
        1 => of(words, vec![filter(rng)], vec![filter(rng)]),
        2 => of(vec![], vec![filter(rng), filter(rng)], vec![]),
        3 => Query::ConstantScore(ConstantScoreQuery::new(filter(rng))),
        4 => of(vec![word(number / 64)], vec![], vec![filter(rng)]),
        5 => of(vec![filter(rng)], vec![], vec![]),
        _ => Query::Bool(BoolQuery {
            should: words,
            filter: vec![filter(rng)],
            minimum_should_match: Some(MinimumShouldMatch::parse("1").unwrap()),
            ..BoolQuery::default()
        }),
    }
}

fn assert_same(reader: &ShardReader, rng: &mut impl Rng) {
    let mut request = SearchRequest::new(query(rng));
    request.size = 20;
    request.track_total_hits = match rng.next_u32() % 3 {
        0 => TrackTotalHits::No,
        1 => TrackTotalHits::UpTo(100),
        _ => TrackTotalHits::All,
    };
    if rng.next_u32().is_multiple_of(5) {
        request.post_filter = Some(filter(rng));
    }
    let hits = |result: &ShardQueryResult| {
        let hits = result.hits.iter();
        let place = |hit: &search::ShardHit| (hit.doc, hit.score.to_bits());
        hits.map(place).collect::<Vec<_>>()
    };
    let uncached = forgetful(reader);
    let (found, expected) = (run(reader, &request), run(&uncached, &request));
    assert_eq!(hits(&found), hits(&expected), "{request:?}");
    if request.track_total_hits == TrackTotalHits::All {
        assert_eq!(found.total, expected.total, "{request:?}");
    }
    let query = &request.query;
    assert_eq!(count(reader, query), count(&uncached, query), "{query:?}");
}

#[test]
fn answers_are_the_same_whether_filters_are_kept_or_not() {
    for seed in 0..3 {
        let disk = Disk::new();
        let shard = shop(&disk);
        let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        let mut next = DOCS;
        for _ in 0..150 {
            match rng.next_u32() % 12 {
                0 => {
                    for _ in 0..50 {
                        let victim = rng.next_u32() % next;
                        shard.delete(delete_op(&victim.to_string())).unwrap();
                    }
                    shard.refresh().unwrap();
                }
                1 => {
                    (next..next + 30).for_each(|number| put(&shard, number));
                    next += 30;
                    shard.refresh().unwrap();
                }
                2 if rng.next_u32().is_multiple_of(4) => {
                    shard.force_merge(Some(1), false).unwrap();
                    shard.refresh().unwrap();
                }
                _ => assert_same(&shard.reader(), &mut rng),
            }
        }
        let stats = shard.stats().filter_cache;
        assert!(stats.hits > 50 && stats.misses > 10, "{stats:?}");
        assert!(stats.entries > 0 && stats.memory_bytes > 0, "{stats:?}");
    }
}

#[test]
fn a_filter_is_kept_from_its_second_use_on_and_goes_with_its_segment() {
    let disk = Disk::new();
    let shard = shop(&disk);
    let ask = || {
        let wanted = of(vec![word(1)], vec![range("n", 100, 6000)], vec![]);
        run(&shard.reader(), &SearchRequest::new(wanted));
        let stats = shard.stats().filter_cache;
        (stats.entries, stats.hits > 0)
    };
    assert_eq!(ask(), (0, false), "who knows whether it comes again");
    assert_eq!(ask().0, 1);
    assert_eq!(ask(), (1, true));
    assert!(shard.stats().filter_cache.memory_bytes > 0);

    shard.drop_filters();
    let stats = shard.stats().filter_cache;
    assert_eq!(
        (stats.entries, stats.memory_bytes, stats.evictions()),
        (0, 0, 1)
    );
    assert_eq!(ask().0, 1, "it is used as often as before");

    put(&shard, DOCS);
    shard.force_merge(Some(1), false).unwrap();
    shard.refresh().unwrap();
    let stats = shard.stats().filter_cache;
    assert_eq!(
        (stats.entries, stats.evictions()),
        (0, 2),
        "its segment is gone"
    );
}

#[test]
fn neither_single_terms_nor_filters_of_small_segments_are_kept() {
    let disk = Disk::new();
    let shard = shop(&disk);
    (DOCS..DOCS + 100).for_each(|number| put(&shard, number));
    shard.refresh().unwrap();
    let term = Query::Term(TermQuery::new("k", text("k3")));
    let late = range("n", DOCS, DOCS + 50);
    for _ in 0..10 {
        for filter in [&term, &late] {
            let wanted = of(vec![word(1)], vec![filter.clone()], vec![]);
            run(&shard.reader(), &SearchRequest::new(wanted));
        }
    }
    let stats = shard.stats().filter_cache;
    assert_eq!(stats.entries, 1, "the range, in the large segment");
    assert!(
        stats.memory_bytes < 1000,
        "it finds nothing there: {stats:?}"
    );
}

#[test]
fn what_finds_far_more_than_a_search_looks_at_is_not_worked_out_for_it() {
    let disk = Disk::new();
    let shard = shop(&disk);
    let rare = Query::Term(TermQuery::new("k", text("k3")));
    for _ in 0..10 {
        let wanted = of(vec![rare.clone()], vec![range("n", 0, DOCS)], vec![]);
        assert_eq!(
            count(&shard.reader(), &wanted),
            u64::from(DOCS.div_ceil(40))
        );
    }
    assert_eq!(shard.stats().filter_cache.entries, 0);
}
