//! The best hits are the same, to the last bit, whether a search may leave documents out or has to look at all of them: for
//! queries of every shape, over rare and frequent terms, with deletes, in one segment and in several.

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
    self, HitRelation, MemoryAccount, SearchContext, SearchRequest, ShardQueryResult,
    TrackTotalHits,
};
use quidditch_engine::shard::{Shard, ShardReader};
use quidditch_engine::value::Value;

use crate::shards::{delete_op, index_op, open};

/// Documents: enough for several windows, blocks and bitmaps.
const DOCS: u32 = 14_000;
/// Words, each of them about three quarters as frequent as the one before.
const WORDS: u32 = 30;

fn schema(k1: &str) -> Arc<IndexSchema> {
    let mapping = serde_json::json!({"properties": {"t": {"type": "text"}, "k": {"type": "keyword"}, "n": {"type": "integer"}}});
    let settings = BTreeMap::from([("index.similarity.default.k1".to_owned(), k1.to_owned())]);
    Arc::new(IndexSchema::new(&mapping, &settings).unwrap())
}

fn word(rng: &mut impl Rng) -> String {
    let mut number = 0;
    while number + 1 < WORDS && rng.next_u32() % 4 < 3 {
        number += 1;
    }
    format!("w{number}")
}

fn text(rng: &mut impl Rng) -> String {
    // Some documents are much longer than others, some say the same many times.
    let len = 1 + rng.next_u32()
        % if rng.next_u32().is_multiple_of(20) {
            90
        } else {
            12
        };
    let words: Vec<String> = (0..len).map(|_| word(rng)).collect();
    words.join(" ")
}

fn fill(disk: &Disk, k1: &str, deletes: bool, segments: u32) -> Shard {
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let shard = open(disk, &schema(k1)).unwrap();
    for number in 0..DOCS {
        let mut op = index_op(&number.to_string(), 0);
        let body =
            serde_json::json!({"t": text(&mut rng), "k": format!("k{}", number % 3), "n": number});
        op.source = body.to_string().into();
        shard.index(op).unwrap();
        if (number + 1).is_multiple_of(DOCS / segments) {
            shard.refresh().unwrap();
        }
    }
    if segments == 1 {
        shard.force_merge(Some(1), false).unwrap();
    }
    if deletes {
        for number in (0..DOCS).step_by(9) {
            shard.delete(delete_op(&number.to_string())).unwrap();
        }
    }
    shard.refresh().unwrap();
    shard
}

fn run(reader: &ShardReader, request: &SearchRequest) -> ShardQueryResult {
    let (cancelled, memory) = (AtomicBool::new(false), MemoryAccount::new(1 << 30));
    let context = SearchContext::new("things", 0, &cancelled, &memory);
    search::query(reader, request, &context).unwrap()
}

fn hits(result: &ShardQueryResult) -> Vec<(u32, u32, u32)> {
    let place = |hit: &search::ShardHit| (hit.doc.segment, hit.doc.doc.0, hit.score.to_bits());
    result.hits.iter().map(place).collect()
}

/// Compares the two ways to count, of a query and of its better half: what only adds to scores is left out of a count, unless a
/// lower bound has them decide.
fn check_counts(reader: &ShardReader, query: &Query, shape: &str) {
    let mut request = SearchRequest::new(query.clone());
    request.size = 100;
    let scores = run(reader, &request).hits;
    let mut bounded = FunctionScoreQuery::new(query.clone(), Vec::new());
    bounded.min_score = scores.get(scores.len() / 2).map(|hit| hit.score);
    let bounded = Query::FunctionScore(bounded);
    for query in [query, &bounded] {
        let mut request = SearchRequest::new(query.clone());
        request.size = 1;
        request.track_total_hits = TrackTotalHits::All;
        let total = run(reader, &request).total.unwrap();
        let (cancelled, memory) = (AtomicBool::new(false), MemoryAccount::new(1 << 30));
        let context = SearchContext::new("things", 0, &cancelled, &memory);
        let count = search::count(reader, query, &context).unwrap();
        assert_eq!(count, total.value, "{shape}");
    }
}

/// Compares every way to ask with the one that looks at all documents: a lower bound of scores forbids to leave any out.
fn check(reader: &ShardReader, query: &Query, shape: &str) {
    for size in [1, 10, 100, 400] {
        let mut request = SearchRequest::new(query.clone());
        request.size = size;
        request.track_total_hits = TrackTotalHits::All;
        request.min_score = Some(f32::NEG_INFINITY);
        let all = run(reader, &request);
        let total = all.total.unwrap();
        assert_eq!(total.relation, HitRelation::Eq);
        request.min_score = None;
        for track in [
            TrackTotalHits::No,
            TrackTotalHits::UpTo(50),
            TrackTotalHits::All,
        ] {
            request.track_total_hits = track;
            let found = run(reader, &request);
            let (found_hits, all_hits) = (hits(&found), hits(&all));
            let differ = found_hits.iter().zip(&all_hits).position(|(a, b)| a != b);
            let found_len = found_hits.len();
            assert_eq!(
                (differ, found_len),
                (None, all_hits.len()),
                "{shape}, {size} best, {track:?}"
            );
            assert_eq!(
                found.max_score.map(f32::to_bits),
                all.max_score.map(f32::to_bits)
            );
            match (track, found.total) {
                (TrackTotalHits::No, total) => assert_eq!(total, None),
                (_, Some(count)) if count.relation == HitRelation::Eq => {
                    assert_eq!(count.value, total.value, "{shape}");
                }
                (TrackTotalHits::UpTo(limit), Some(count)) => {
                    assert!(count.value == limit && total.value > limit, "{shape}");
                }
                other => panic!("{shape}: {other:?}"),
            }
        }
        request.size = 0;
        request.track_total_hits = TrackTotalHits::All;
        assert_eq!(
            run(reader, &request).total.unwrap().value,
            total.value,
            "{shape}"
        );
    }
}

fn text_value(text: impl Into<String>) -> Value {
    Value::Str(text.into())
}

fn term(rng: &mut impl Rng) -> Query {
    Query::Term(TermQuery::new("t", text_value(word(rng))))
}

fn terms(rng: &mut impl Rng, count: u32) -> Vec<Query> {
    (0..count).map(|_| term(rng)).collect()
}

fn phrase(rng: &mut impl Rng) -> Query {
    let words: Vec<String> = (0..2 + rng.next_u32() % 2).map(|_| word(rng)).collect();
    Query::MatchPhrase(MatchPhraseQuery::new("t", text_value(words.join(" "))))
}

fn numbers(rng: &mut impl Rng) -> Vec<Query> {
    let from = rng.next_u32() % DOCS;
    let bounds = [from, from + DOCS / 2].map(|number| Value::I64(i64::from(number)));
    let [from, to] = bounds.map(Bound::Included);
    vec![Query::Range(RangeQuery::new("n", from, to))]
}

fn some_of(should: Vec<Query>, needed: &str, filter: Vec<Query>, must_not: Vec<Query>) -> Query {
    Query::Bool(BoolQuery {
        should,
        filter,
        must_not,
        minimum_should_match: Some(MinimumShouldMatch::parse(needed).unwrap()),
        ..BoolQuery::default()
    })
}

fn one_of_each_shape(rng: &mut impl Rng) -> Vec<(&'static str, Query)> {
    let shape = |must, should, must_not, filter| {
        Query::Bool(BoolQuery {
            must,
            should,
            must_not,
            filter,
            ..BoolQuery::default()
        })
    };
    let keyword = || vec![Query::Term(TermQuery::new("k", text_value("k1")))];
    vec![
        ("a", term(rng)),
        ("a b", shape(vec![], terms(rng, 2), vec![], vec![])),
        ("a b c d e", shape(vec![], terms(rng, 5), vec![], vec![])),
        ("+a +b", shape(terms(rng, 2), vec![], vec![], vec![])),
        ("+a +b +c", shape(terms(rng, 3), vec![], vec![], vec![])),
        ("+a b", shape(terms(rng, 1), terms(rng, 1), vec![], vec![])),
        (
            "+a b c",
            shape(terms(rng, 1), terms(rng, 2), vec![], vec![]),
        ),
        (
            "+a +b c d",
            shape(terms(rng, 2), terms(rng, 2), vec![], vec![]),
        ),
        ("+a -b", shape(terms(rng, 1), vec![], terms(rng, 1), vec![])),
        (
            "+a -b -c",
            shape(terms(rng, 1), vec![], terms(rng, 2), vec![]),
        ),
        (
            "+a -\"b c\"",
            shape(terms(rng, 1), vec![], vec![phrase(rng)], vec![]),
        ),
        (
            "+a +b -c",
            shape(terms(rng, 2), vec![], terms(rng, 1), vec![]),
        ),
        ("+a #f", shape(terms(rng, 1), vec![], vec![], keyword())),
        (
            "+a b -c #f",
            shape(terms(rng, 1), terms(rng, 1), terms(rng, 1), keyword()),
        ),
        (
            "+(a b) #f",
            shape(
                vec![shape(vec![], terms(rng, 2), vec![], vec![])],
                vec![],
                vec![],
                keyword(),
            ),
        ),
        (
            "a b c -d",
            shape(vec![], terms(rng, 3), terms(rng, 1), vec![]),
        ),
        (
            "+(a b c) #numbers -\"d e\"",
            shape(
                vec![shape(vec![], terms(rng, 3), vec![], vec![])],
                vec![],
                vec![phrase(rng)],
                numbers(rng),
            ),
        ),
        (
            "a b #f, one needed",
            Query::Bool(BoolQuery {
                should: terms(rng, 2),
                filter: keyword(),
                minimum_should_match: Some(MinimumShouldMatch::parse("1").unwrap()),
                ..BoolQuery::default()
            }),
        ),
        ("2 of a b c", some_of(terms(rng, 3), "2", vec![], vec![])),
        (
            "3 of a b c d e",
            some_of(terms(rng, 5), "3", vec![], vec![]),
        ),
        ("2 of a b and what nobody has", {
            let mut words = terms(rng, 2);
            words.push(Query::Term(TermQuery::new("t", text_value("nobody"))));
            some_of(words, "2", vec![], vec![])
        }),
        ("7 of ten", some_of(terms(rng, 10), "70%", vec![], vec![])),
        (
            "2 of a b c -d #f",
            some_of(terms(rng, 3), "2", keyword(), terms(rng, 1)),
        ),
        (
            "2 of a b c -\"d e\" #numbers",
            some_of(terms(rng, 3), "2", numbers(rng), vec![phrase(rng)]),
        ),
        ("#f", shape(vec![], vec![], vec![], keyword())),
        ("#numbers", shape(vec![], vec![], vec![], numbers(rng))),
        (
            "#f #numbers -a",
            shape(
                vec![],
                vec![],
                terms(rng, 1),
                [keyword(), numbers(rng)].concat(),
            ),
        ),
        (
            "#a -numbers",
            shape(vec![], vec![], numbers(rng), terms(rng, 1)),
        ),
        ("-a", shape(vec![], vec![], terms(rng, 1), vec![])),
        (
            "+numbers #a",
            shape(numbers(rng), vec![], vec![], terms(rng, 1)),
        ),
        (
            "+numbers +numbers -a",
            shape(
                [numbers(rng), numbers(rng)].concat(),
                vec![],
                terms(rng, 1),
                vec![],
            ),
        ),
        (
            "constant a b",
            Query::ConstantScore(ConstantScoreQuery::new(shape(
                vec![],
                terms(rng, 2),
                vec![],
                vec![],
            ))),
        ),
        (
            "constant numbers",
            Query::ConstantScore(ConstantScoreQuery::new(numbers(rng).remove(0))),
        ),
        ("all", Query::MatchAll(MatchAllQuery::default())),
        ("\"a b\"", phrase(rng)),
        (
            "+\"a b\" +c",
            shape(vec![phrase(rng), term(rng)], vec![], vec![], vec![]),
        ),
        (
            "+\"a b\" c",
            shape(vec![phrase(rng)], terms(rng, 1), vec![], vec![]),
        ),
        (
            "+\"a b\" -\"c d\"",
            shape(vec![phrase(rng)], vec![], vec![phrase(rng)], vec![]),
        ),
    ]
}

fn compare(k1: &str, deletes: bool, segments: u32, rounds: u32) {
    let disk = Disk::new();
    let shard = fill(&disk, k1, deletes, segments);
    let reader = shard.reader();
    assert_eq!(reader.segments.len() == 1, segments == 1);
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[segments as u8; 32]);
    for _ in 0..rounds {
        for (shape, query) in one_of_each_shape(&mut rng) {
            let shape = format!("{shape}: {query:?}");
            check(&reader, &query, &shape);
            check_counts(&reader, &query, &shape);
        }
    }
}

#[test]
fn the_best_of_one_segment_are_those_of_a_full_look() {
    compare("1.2", false, 1, 4);
}

#[test]
fn the_best_of_some_segments_with_deletes_are_those_of_a_full_look() {
    compare("1.2", true, 4, 3);
}

#[test]
fn neither_frequencies_that_count_nothing_nor_scores_of_zero_lose_a_document() {
    compare("0", false, 1, 1);
    compare("1e30", false, 1, 1);
    // so flat that scores of neighbours differ by little more than rounding
    compare("2000", false, 1, 1);
}

#[test]
fn the_best_of_a_merge_of_segments_with_deletes_are_those_of_a_full_look() {
    let disk = Disk::new();
    let shard = fill(&disk, "1.2", true, 4);
    shard.force_merge(Some(1), false).unwrap();
    shard.refresh().unwrap();
    let reader = shard.reader();
    assert_eq!(reader.segments.len(), 1);
    assert_eq!(reader.max_doc(), u64::from(DOCS - DOCS.div_ceil(9)));
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]);
    for (shape, query) in one_of_each_shape(&mut rng) {
        check(&reader, &query, &format!("{shape}: {query:?}"));
    }
}

#[test]
fn a_term_that_stands_twice_at_one_position_counts_twice_in_a_phrase() {
    let mapping = serde_json::json!({"properties": {"t": {
        "type": "text", "analyzer": "twice", "search_analyzer": "standard"
    }}});
    let name = |name: &str| format!("index.analysis.analyzer.twice.{name}");
    let settings = BTreeMap::from([
        (name("type"), "custom".to_owned()),
        (name("tokenizer"), "standard".to_owned()),
        (name("filter.0"), "keyword_repeat".to_owned()),
        (name("filter.1"), "porter_stem".to_owned()),
    ]);
    let schema = Arc::new(IndexSchema::new(&mapping, &settings).unwrap());
    let shard = open(&Disk::new(), &schema).unwrap();
    // `red` stays as it is, twice; of the two cats one loses its end.
    for (number, text) in ["red cats", "blue cats", "cats red", "grey cat"]
        .iter()
        .enumerate()
    {
        let mut op = index_op(&number.to_string(), 0);
        op.source = serde_json::json!({ "t": text }).to_string().into();
        shard.index(op).unwrap();
    }
    shard.refresh().unwrap();
    for text in ["red cat", "red cats", "cat red"] {
        let phrase = MatchPhraseQuery::new("t", Value::Str(text.to_owned()));
        check(&shard.reader(), &Query::MatchPhrase(phrase.clone()), text);
        let found = run(
            &shard.reader(),
            &SearchRequest::new(Query::MatchPhrase(phrase)),
        );
        assert_eq!(found.hits.len(), 1, "{text}");
    }
}
