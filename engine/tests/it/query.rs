//! Queries find exactly what a plain scan of the documents finds: on random documents, in many segments, with deletes, and
//! again after a merge.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use quidditch_engine::directory::faulty::Disk;
use quidditch_engine::query::*;
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::search::{
    self, Collapse, FetchRequest, FieldAndFormat, HitRelation, MemoryAccount, SearchContext,
    SearchRequest, ShardQueryResult, Slice, SortKey, SortMissing, SortMode, SortOrder,
    TrackTotalHits,
};
use quidditch_engine::shard::{Shard, ShardReader};
use quidditch_engine::value::Value;

use crate::shards::{delete_op, index_op, open};

const WORDS: [&str; 8] = [
    "alpha", "beta", "gamma", "delta", "alps", "bet", "gama", "omega",
];

/// A document as the oracle sees it.
#[derive(Clone, Debug)]
struct Doc {
    id: String,
    words: Vec<&'static str>,
    keys: Vec<&'static str>,
    numbers: Vec<i64>,
    truth: Option<bool>,
}

impl Doc {
    fn random(id: String, rng: &mut impl Rng) -> Doc {
        let mut below = |n: u32| rng.next_u32() % n;
        let words = (0..below(12)).map(|_| WORDS[below(8) as usize]).collect();
        let keys = (0..below(3)).map(|_| WORDS[below(8) as usize]).collect();
        let numbers = (0..below(3)).map(|_| i64::from(below(50)) - 10).collect();
        let truth = [None, Some(true), Some(false)][below(3) as usize];
        Doc {
            id,
            words,
            keys,
            numbers,
            truth,
        }
    }

    fn body(&self) -> String {
        let mut body = serde_json::json!({
            "t": self.words.join(" "),
            "k": self.keys,
            "n": self.numbers,
            "c": self.numbers,
        });
        if let Some(truth) = self.truth {
            body["b"] = truth.into();
        }
        body.to_string()
    }

    fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }
}

fn schema() -> Arc<IndexSchema> {
    let mapping = serde_json::json!({
        "properties": {
            "t": {"type": "text"},
            "k": {"type": "keyword"},
            "n": {"type": "long"},
            // no points: the column alone answers
            "c": {"type": "integer", "index": false},
            "b": {"type": "boolean"}
        }
    });
    Arc::new(IndexSchema::new(&mapping, &BTreeMap::new()).unwrap())
}

struct World {
    docs: Vec<Doc>,
    shard: Shard,
    reader: Arc<ShardReader>,
    _disk: Disk,
}

impl World {
    /// Some hundred documents in several segments, some of them replaced or deleted.
    fn new(seed: u8) -> World {
        let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        let disk = Disk::new();
        let shard = open(&disk, &schema()).unwrap();
        let mut docs: BTreeMap<String, Doc> = BTreeMap::new();
        for round in 0..5 {
            for _ in 0..60 {
                let id = format!("d{}", rng.next_u32() % 220);
                if round > 0 && rng.next_u32().is_multiple_of(6) {
                    shard.delete(delete_op(&id)).unwrap();
                    docs.remove(&id);
                    continue;
                }
                let doc = Doc::random(id.clone(), &mut rng);
                let mut op = index_op(&id, 0);
                op.source = doc.body().into();
                shard.index(op).unwrap();
                docs.insert(id, doc);
            }
            shard.refresh().unwrap();
        }
        let reader = shard.reader();
        assert!(reader.segments.len() > 2, "several segments are the point");
        World {
            docs: docs.into_values().collect(),
            shard,
            reader,
            _disk: disk,
        }
    }

    fn merge(&mut self) {
        self.shard.force_merge(Some(1), false).unwrap();
        self.shard.refresh().unwrap();
        self.reader = self.shard.reader();
        assert_eq!(self.reader.segments.len(), 1);
    }

    fn with_context<T>(&self, run: impl FnOnce(&SearchContext<'_>) -> T) -> T {
        let (cancelled, memory) = (AtomicBool::new(false), MemoryAccount::new(1 << 30));
        run(&SearchContext::new("things", 0, &cancelled, &memory))
    }

    fn search(&self, request: &SearchRequest) -> ShardQueryResult {
        self.with_context(|context| search::query(&self.reader, request, context).unwrap())
    }

    fn ids_of(&self, result: &ShardQueryResult) -> Vec<String> {
        let docs: Vec<_> = result.hits.iter().map(|hit| hit.doc).collect();
        let request = FetchRequest::default();
        let hits = self
            .with_context(|context| search::fetch(&self.reader, &docs, &request, context).unwrap());
        hits.into_iter().map(|hit| hit.id).collect()
    }

    fn found(&self, query: &Query) -> BTreeSet<String> {
        let mut request = SearchRequest::new(query.clone());
        request.size = 1000;
        let result = self.search(&request);
        let ids = self.ids_of(&result);
        let set: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(set.len(), ids.len(), "nothing twice");
        let count =
            self.with_context(|context| search::count(&self.reader, query, context).unwrap());
        assert_eq!(count as usize, set.len(), "count of {query:?}");
        assert_eq!(result.total.unwrap().value, count, "total of {query:?}");
        let mut live = 0;
        for ord in 0..self.reader.segments.len() as u32 {
            let docs = self.with_context(|context| {
                search::matching_docs(&self.reader, ord, query, context).unwrap()
            });
            live += docs.len();
        }
        assert_eq!(live, count, "documents of {query:?}");
        set
    }

    fn expect(&self, query: Query, wanted: impl Fn(&Doc) -> bool) {
        let expected: BTreeSet<String> = self
            .docs
            .iter()
            .filter(|doc| wanted(doc))
            .map(|doc| doc.id.clone())
            .collect();
        assert_eq!(self.found(&query), expected, "{query:?}");
    }
}

fn word(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn term(field: &str, text: &str) -> Query {
    Query::Term(TermQuery::new(field, word(text)))
}

fn in_worlds(check: impl Fn(&World)) {
    for seed in 0..3 {
        let mut world = World::new(seed);
        check(&world);
        world.merge();
        check(&world);
    }
}

#[test]
fn exact_values() {
    in_worlds(|world| {
        world.expect(Query::match_all(), |_| true);
        world.expect(Query::match_none(), |_| false);
        for text in WORDS {
            world.expect(term("t", text), |doc| doc.has(text));
            world.expect(term("k", text), |doc| doc.keys.contains(&text));
        }
        world.expect(term("nowhere", "x"), |_| false);
        for number in [-10, 0, 7, 39, 99] {
            for field in ["n", "c"] {
                let query = Query::Term(TermQuery::new(field, Value::I64(number)));
                world.expect(query, |doc| doc.numbers.contains(&number));
            }
        }
        let query = Query::Term(TermQuery::new("b", Value::Bool(true)));
        world.expect(query, |doc| doc.truth == Some(true));
        let values = vec![word("alps"), word("bet"), word("none")];
        world.expect(Query::Terms(TermsQuery::new("k", values)), |doc| {
            doc.keys.contains(&"alps") || doc.keys.contains(&"bet")
        });
        for field in ["n", "c"] {
            let values = vec![Value::I64(3), Value::I64(4), Value::I64(20)];
            world.expect(Query::Terms(TermsQuery::new(field, values)), |doc| {
                doc.numbers.iter().any(|n| [3, 4, 20].contains(n))
            });
        }
        let ids = Query::Ids(IdsQuery::new(vec![
            "d1".into(),
            "d2".into(),
            "d3".into(),
            "no".into(),
        ]));
        world.expect(ids, |doc| ["d1", "d2", "d3"].contains(&doc.id.as_str()));
        world.expect(term("_id", "d7"), |doc| doc.id == "d7");
        world.expect(term("_index", "things"), |_| true);
        let query = Query::Term(TermQuery {
            case_insensitive: true,
            ..TermQuery::new("k", word("ALPHA"))
        });
        world.expect(query, |doc| doc.keys.contains(&"alpha"));
    });
}

#[test]
fn ranges_and_existence() {
    in_worlds(|world| {
        for (low, high) in [(-5, 5), (0, 0), (10, 9), (-100, 100), (30, 60)] {
            for field in ["n", "c"] {
                let bounds = (
                    Bound::Included(Value::I64(low)),
                    Bound::Excluded(Value::I64(high)),
                );
                world.expect(
                    Query::Range(RangeQuery::new(field, bounds.0, bounds.1)),
                    |doc| doc.numbers.iter().any(|n| (low..high).contains(n)),
                );
            }
        }
        let open = RangeQuery::new("n", Bound::Excluded(Value::I64(20)), Bound::Unbounded);
        world.expect(Query::Range(open), |doc| {
            doc.numbers.iter().any(|n| *n > 20)
        });
        let keys = RangeQuery::new(
            "k",
            Bound::Included(word("alps")),
            Bound::Excluded(word("delta")),
        );
        world.expect(Query::Range(keys), |doc| {
            doc.keys.iter().any(|key| ("alps".."delta").contains(key))
        });
        world.expect(Query::Exists(ExistsQuery::new("n")), |doc| {
            !doc.numbers.is_empty()
        });
        world.expect(Query::Exists(ExistsQuery::new("k")), |doc| {
            !doc.keys.is_empty()
        });
        // every document has the text, be it empty: it has a norm
        world.expect(Query::Exists(ExistsQuery::new("t")), |_| true);
        world.expect(Query::Exists(ExistsQuery::new("b")), |doc| {
            doc.truth.is_some()
        });
    });
}

#[test]
fn analysed_text() {
    in_worlds(|world| {
        let text = || word("Alpha, BETA omega");
        let count = |doc: &Doc| {
            ["alpha", "beta", "omega"]
                .iter()
                .filter(|w| doc.has(w))
                .count()
        };
        world.expect(Query::Match(MatchQuery::new("t", text())), |doc| {
            count(doc) > 0
        });
        let all = MatchQuery {
            operator: Operator::And,
            ..MatchQuery::new("t", text())
        };
        world.expect(Query::Match(all), |doc| count(doc) == 3);
        for (rule, needed) in [
            ("2", 2),
            ("-1", 2),
            ("67%", 2),
            ("3", 3),
            ("4", 9),
            ("2<50%", 1),
        ] {
            let query = MatchQuery {
                minimum_should_match: Some(MinimumShouldMatch::parse(rule).unwrap()),
                ..MatchQuery::new("t", text())
            };
            world.expect(Query::Match(query), |doc| count(doc) >= needed);
        }
        let pair = |doc: &Doc, a: &str, b: &str| doc.words.windows(2).any(|w| w == [a, b]);
        let phrase = Query::MatchPhrase(MatchPhraseQuery::new("t", word("alpha beta")));
        world.expect(phrase, |doc| pair(doc, "alpha", "beta"));
        let phrase = Query::MatchPhrase(MatchPhraseQuery::new("t", word("gamma gamma")));
        world.expect(phrase, |doc| pair(doc, "gamma", "gamma"));
        let sloppy = MatchPhraseQuery {
            slop: 1,
            ..MatchPhraseQuery::new("t", word("alpha beta"))
        };
        world.expect(Query::MatchPhrase(sloppy), |doc| {
            pair(doc, "alpha", "beta")
                || doc
                    .words
                    .windows(3)
                    .any(|w| w[0] == "alpha" && w[2] == "beta")
        });
        let prefix = Query::MatchPhrasePrefix(MatchPhrasePrefixQuery::new("t", word("alpha ga")));
        world.expect(prefix, |doc| {
            pair(doc, "alpha", "gamma") || pair(doc, "alpha", "gama")
        });
        let prefix = Query::MatchBoolPrefix(MatchBoolPrefixQuery::new("t", word("omega al")));
        world.expect(prefix, |doc| {
            doc.has("omega") || doc.has("alpha") || doc.has("alps")
        });
        let fuzzy = MatchQuery {
            fuzziness: Some(Fuzziness::AUTO),
            ..MatchQuery::new("t", word("gammx"))
        };
        world.expect(Query::Match(fuzzy), |doc| doc.has("gamma"));
        let fields = vec![
            FieldBoost::parse("t").unwrap(),
            FieldBoost::parse("k^2").unwrap(),
        ];
        for kind in [
            MultiMatchType::BestFields,
            MultiMatchType::MostFields,
            MultiMatchType::CrossFields,
        ] {
            let query = MultiMatchQuery {
                kind,
                ..MultiMatchQuery::new(word("beta"), fields.clone())
            };
            world.expect(Query::MultiMatch(query), |doc| {
                doc.has("beta") || doc.keys.contains(&"beta")
            });
        }
        let query = MultiMatchQuery::new(word("beta"), Vec::new());
        world.expect(Query::MultiMatch(query), |doc| {
            doc.has("beta") || doc.keys.contains(&"beta")
        });
    });
}

#[test]
fn patterns() {
    in_worlds(|world| {
        for field in ["t", "k"] {
            let any = |doc: &Doc, test: fn(&str) -> bool| match field {
                "t" => doc.words.iter().any(|w| test(w)),
                _ => doc.keys.iter().any(|w| test(w)),
            };
            world.expect(Query::Prefix(PrefixQuery::new(field, "al")), |doc| {
                any(doc, |w| w.starts_with("al"))
            });
            world.expect(Query::Wildcard(WildcardQuery::new(field, "?*ta")), |doc| {
                any(doc, |w| w.ends_with("ta") && w.len() > 2)
            });
            world.expect(Query::Regexp(RegexpQuery::new(field, "gam+a|o.*")), |doc| {
                any(doc, |w| w == "gamma" || w == "gama" || w == "omega")
            });
            let fuzzy = FuzzyQuery {
                fuzziness: Fuzziness::Edits(1),
                ..FuzzyQuery::new(field, word("gamma"))
            };
            world.expect(Query::Fuzzy(fuzzy), |doc| {
                any(doc, |w| w == "gamma" || w == "gama")
            });
        }
    });
}

#[test]
fn compounds() {
    in_worlds(|world| {
        let number = |low: i64| {
            Query::Range(RangeQuery::new(
                "n",
                Bound::Included(Value::I64(low)),
                Bound::Unbounded,
            ))
        };
        let query = BoolQuery {
            must: vec![term("t", "alpha")],
            filter: vec![number(0)],
            should: vec![term("t", "beta")],
            must_not: vec![term("k", "gamma"), term("k", "delta")],
            ..BoolQuery::default()
        };
        let base = |doc: &Doc| {
            doc.has("alpha")
                && doc.numbers.iter().any(|n| *n >= 0)
                && !doc.keys.contains(&"gamma")
                && !doc.keys.contains(&"delta")
        };
        world.expect(Query::Bool(query.clone()), base);
        let one = Some(MinimumShouldMatch::Count(1));
        let needed = BoolQuery {
            minimum_should_match: one,
            ..query
        };
        world.expect(Query::Bool(needed), |doc| base(doc) && doc.has("beta"));
        let some = BoolQuery {
            should: vec![
                term("t", "alpha"),
                term("t", "beta"),
                term("k", "bet"),
                number(20),
            ],
            minimum_should_match: Some(MinimumShouldMatch::Count(2)),
            ..BoolQuery::default()
        };
        world.expect(Query::Bool(some), |doc| {
            let clauses = [
                doc.has("alpha"),
                doc.has("beta"),
                doc.keys.contains(&"bet"),
                doc.numbers.iter().any(|n| *n >= 20),
            ];
            clauses.iter().filter(|found| **found).count() >= 2
        });
        let not = BoolQuery {
            must_not: vec![term("t", "alpha")],
            ..BoolQuery::default()
        };
        world.expect(Query::Bool(not.clone()), |doc| !doc.has("alpha"));
        let nested = BoolQuery {
            must: vec![Query::Bool(not)],
            should: vec![term("t", "beta")],
            minimum_should_match: Some(MinimumShouldMatch::Count(1)),
            ..BoolQuery::default()
        };
        world.expect(Query::Bool(nested), |doc| {
            !doc.has("alpha") && doc.has("beta")
        });
        let best = Query::DisMax(DisMaxQuery::new(vec![term("t", "bet"), term("k", "bet")]));
        world.expect(best, |doc| doc.has("bet") || doc.keys.contains(&"bet"));
        let lowered = BoostingQuery::new(term("t", "alpha"), term("t", "beta"), 0.2);
        world.expect(Query::Boosting(lowered), |doc| doc.has("alpha"));
        let constant = Query::ConstantScore(ConstantScoreQuery::new(term("t", "alpha")));
        world.expect(constant, |doc| doc.has("alpha"));
        let functions = FunctionScoreQuery::new(term("t", "alpha"), Vec::new());
        world.expect(Query::FunctionScore(functions), |doc| doc.has("alpha"));
    });
}

#[test]
fn query_strings() {
    in_worlds(|world| {
        let check = |text: &str, wanted: &dyn Fn(&Doc) -> bool| {
            world.expect(Query::QueryString(QueryStringQuery::new(text)), wanted);
        };
        check("t:alpha AND NOT t:beta", &|doc| {
            doc.has("alpha") && !doc.has("beta")
        });
        check("t:(alpha omega)", &|doc| {
            doc.has("alpha") || doc.has("omega")
        });
        check("+t:alpha -k:gamma", &|doc| {
            doc.has("alpha") && !doc.keys.contains(&"gamma")
        });
        check("t:\"alpha beta\"", &|doc| {
            doc.words.windows(2).any(|w| w == ["alpha", "beta"])
        });
        check("n:[0 TO 5}", &|doc| {
            doc.numbers.iter().any(|n| (0..5).contains(n))
        });
        check("n:>=20", &|doc| doc.numbers.iter().any(|n| *n >= 20));
        check("k:al*", &|doc| doc.keys.iter().any(|w| w.starts_with("al")));
        check("_exists_:n", &|doc| !doc.numbers.is_empty());
        check("*", &|_| true);
        check("-t:alpha", &|doc| !doc.has("alpha"));
        check("omega", &|doc| {
            doc.has("omega") || doc.keys.contains(&"omega")
        });
        check("t:/gam+a/", &|doc| doc.has("gamma") || doc.has("gama"));
        let simple = |text: &str, wanted: &dyn Fn(&Doc) -> bool| {
            let mut query = SimpleQueryStringQuery::new(text);
            query.fields = vec![FieldBoost::parse("t").unwrap()];
            world.expect(Query::SimpleQueryString(query), wanted);
        };
        simple("alpha + beta", &|doc| doc.has("alpha") && doc.has("beta"));
        simple("alpha | beta", &|doc| doc.has("alpha") || doc.has("beta"));
        simple("alpha + -beta", &|doc| doc.has("alpha") && !doc.has("beta"));
        simple("al*", &|doc| doc.has("alpha") || doc.has("alps"));
        simple("(alpha + beta) | omega", &|doc| {
            (doc.has("alpha") && doc.has("beta")) || doc.has("omega")
        });
        simple("\"alpha beta\"", &|doc| {
            doc.words.windows(2).any(|w| w == ["alpha", "beta"])
        });
        simple("gammx~1", &|doc| doc.has("gamma"));
    });
}

/// What a document is sorted by, smallest or greatest of its numbers.
fn number_of(doc: &Doc, mode: SortMode) -> Option<i64> {
    match mode {
        SortMode::Max => doc.numbers.iter().max().copied(),
        _ => doc.numbers.iter().min().copied(),
    }
}

#[test]
fn sorts_by_fields() {
    in_worlds(|world| {
        let by_id: BTreeMap<&str, &Doc> = world
            .docs
            .iter()
            .map(|doc| (doc.id.as_str(), doc))
            .collect();
        for (order, mode) in [
            (SortOrder::Asc, SortMode::Min),
            (SortOrder::Desc, SortMode::Max),
        ] {
            for first in [false, true] {
                let mut key = SortKey::field("n", order);
                key.missing = if first {
                    SortMissing::First
                } else {
                    SortMissing::Last
                };
                let mut request = SearchRequest::new(Query::match_all());
                request.size = 1000;
                request.sort = vec![key, SortKey::field("_id", SortOrder::Asc)];
                let result = world.search(&request);
                let ids = world.ids_of(&result);
                let mut expected: Vec<&Doc> = world.docs.iter().collect();
                expected.sort_by(|a, b| {
                    let rank = |doc: &Doc| {
                        let number = number_of(doc, mode);
                        let place = match number {
                            None if first => 0,
                            None => 2,
                            Some(_) => 1,
                        };
                        let number = number.unwrap_or(0);
                        (
                            place,
                            if order == SortOrder::Asc {
                                number
                            } else {
                                -number
                            },
                        )
                    };
                    rank(a).cmp(&rank(b)).then_with(|| a.id.cmp(&b.id))
                });
                let expected: Vec<String> = expected.iter().map(|doc| doc.id.clone()).collect();
                assert_eq!(ids, expected, "{order:?} {first}");
                // pages of search_after are the same list
                let mut paged = Vec::new();
                request.size = 7;
                loop {
                    let page = world.search(&request);
                    let Some(last) = page.hits.last() else { break };
                    request.search_after =
                        Some(last.sort.iter().map(|value| value.to_value()).collect());
                    paged.extend(world.ids_of(&page));
                }
                assert_eq!(paged, expected, "pages, {order:?} {first}");
            }
        }
        let mut request = SearchRequest::new(Query::match_all());
        request.size = 25;
        request.sort = vec![
            SortKey::field("k", SortOrder::Desc),
            SortKey::field("_id", SortOrder::Desc),
        ];
        let ids = world.ids_of(&world.search(&request));
        let mut expected: Vec<&Doc> = world.docs.iter().collect();
        expected.sort_by(|a, b| {
            let key = |doc: &Doc| doc.keys.iter().max().copied().unwrap_or("");
            key(b).cmp(key(a)).then_with(|| b.id.cmp(&a.id))
        });
        let expected: Vec<String> = expected.iter().take(25).map(|doc| doc.id.clone()).collect();
        assert_eq!(ids, expected);
        assert!(by_id.len() > 50);
    });
}

#[test]
fn a_search_cut_short_gives_the_count_known_beforehand() {
    in_worlds(|world| {
        let mut request = SearchRequest::new(Query::MatchAll(Default::default()));
        request.track_total_hits = TrackTotalHits::UpTo(10_000);
        let result = world.with_context(|context| {
            let over = SearchContext {
                deadline: Some(std::time::Instant::now()),
                ..*context
            };
            search::query(&world.reader, &request, &over).unwrap()
        });
        assert!(result.timed_out);
        let total = result.total.unwrap();
        let there = world.docs.len() as u64;
        assert_eq!((total.value, total.relation), (there, HitRelation::Eq));
    });
}

#[test]
fn options_of_a_search() {
    in_worlds(|world| {
        let query = Query::Match(MatchQuery::new("t", word("alpha beta")));
        let mut request = SearchRequest::new(query.clone());
        request.size = 1000;
        let all = world.search(&request);
        let total = all.hits.len();
        assert!(
            all.hits.windows(2).all(|w| w[0].score >= w[1].score),
            "best first"
        );
        assert_eq!(all.max_score, Some(all.hits[0].score));
        // the first of all are the same whatever is counted, and however much is skipped
        for track in [
            TrackTotalHits::No,
            TrackTotalHits::UpTo(3),
            TrackTotalHits::All,
        ] {
            for size in [1, 5, 20] {
                request.size = size;
                request.track_total_hits = track;
                let some = world.search(&request);
                assert_eq!(some.hits, all.hits[..size.min(total)], "{track:?} {size}");
            }
        }
        request.track_total_hits = TrackTotalHits::UpTo(3);
        let count = world.search(&request).total.unwrap();
        assert_eq!((count.value, count.relation), (3, HitRelation::Gte));
        // lower bound of scores
        let mut least = SearchRequest::new(query.clone());
        least.size = 1000;
        least.min_score = Some(all.hits[total / 2].score);
        let kept = world.search(&least);
        assert!(
            kept.hits
                .iter()
                .all(|hit| hit.score >= all.hits[total / 2].score)
        );
        assert_eq!(kept.total.unwrap().value as usize, kept.hits.len());
        // post filter
        let mut filtered = SearchRequest::new(query.clone());
        filtered.size = 1000;
        filtered.post_filter = Some(term("k", "alpha"));
        let both = BoolQuery {
            must: vec![query.clone()],
            filter: vec![term("k", "alpha")],
            ..BoolQuery::default()
        };
        assert_eq!(
            world.ids_of(&world.search(&filtered)).len(),
            world.found(&Query::Bool(both)).len()
        );
        // slices are disjoint and together everything
        let mut seen = BTreeSet::new();
        for id in 0..3 {
            let mut part = SearchRequest::new(query.clone());
            part.size = 1000;
            part.slice = Some(Slice {
                id,
                max: 3,
                field: None,
            });
            for id in world.ids_of(&world.search(&part)) {
                assert!(seen.insert(id), "in two slices");
            }
        }
        assert_eq!(seen, world.found(&query));
        // stops early
        let mut early = SearchRequest::new(query.clone());
        early.terminate_after = Some(4);
        let stopped = world.search(&early);
        assert!(stopped.terminated_early && stopped.hits.len() == 4);
        // one hit per number
        let mut one_each = SearchRequest::new(Query::match_all());
        one_each.size = 1000;
        one_each.collapse = Some(Collapse {
            field: "b".to_owned(),
        });
        assert_eq!(world.search(&one_each).hits.len(), 3, "true, false, none");
    });
}

#[test]
fn fetches_what_is_asked() {
    let world = World::new(9);
    let named = Query::Bool(BoolQuery {
        should: vec![
            Query::Term(TermQuery {
                name: Some("is_alpha".into()),
                ..TermQuery::new("t", word("alpha"))
            }),
            Query::Term(TermQuery {
                name: Some("is_beta".into()),
                ..TermQuery::new("t", word("beta"))
            }),
        ],
        ..BoolQuery::default()
    });
    let mut request = SearchRequest::new(named.clone());
    request.size = 1000;
    let result = world.search(&request);
    let docs: Vec<_> = result.hits.iter().map(|hit| hit.doc).collect();
    let shown = |field: &str| FieldAndFormat {
        field: field.to_owned(),
        format: None,
    };
    let fetch = FetchRequest {
        docvalue_fields: vec![shown("n")],
        fields: vec![shown("k")],
        version: true,
        seq_no_primary_term: true,
        explain: Some(named.clone()),
        named_queries: vec![named],
        ..FetchRequest::default()
    };
    let hits =
        world.with_context(|context| search::fetch(&world.reader, &docs, &fetch, context).unwrap());
    assert!(!hits.is_empty());
    for (hit, found) in hits.iter().zip(&result.hits) {
        let doc = world.docs.iter().find(|doc| doc.id == hit.id).unwrap();
        assert_eq!(hit.source.as_deref(), Some(doc.body().as_bytes()));
        let mut expected = Vec::new();
        expected.extend(doc.has("alpha").then(|| "is_alpha".to_owned()));
        expected.extend(doc.has("beta").then(|| "is_beta".to_owned()));
        let names: Vec<&str> = hit
            .matched_queries
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, expected);
        let of = |name: &str| {
            hit.fields
                .iter()
                .find(|(n, _)| n == name)
                .map_or(Vec::new(), |(_, v)| v.clone())
        };
        let mut numbers = doc.numbers.clone();
        numbers.sort_unstable();
        assert_eq!(
            of("n"),
            numbers.into_iter().map(Value::I64).collect::<Vec<_>>()
        );
        assert_eq!(
            of("k"),
            doc.keys.iter().map(|key| word(key)).collect::<Vec<_>>()
        );
        assert!(hit.version.is_some() && hit.seq_no.is_some() && hit.primary_term == Some(1));
        assert_eq!(hit.explanation.as_ref().unwrap().value as f32, found.score);
    }
}

#[test]
fn refuses_what_makes_no_sense() {
    let world = World::new(1);
    let fails = |query: Query| {
        let request = SearchRequest::new(query);
        world.with_context(|context| search::query(&world.reader, &request, context).unwrap_err())
    };
    let error = fails(Query::Match(MatchQuery::new("n", word("abc"))));
    assert_eq!(error.kind(), "query_shard_exception");
    assert_eq!(
        error.reason(),
        "failed to create query: For input string: \"abc\""
    );
    let error = fails(Query::Prefix(PrefixQuery::new("n", "1")));
    assert_eq!(
        error.reason(),
        "Can only use prefix queries on keyword, text and wildcard fields - not on [n] which is of type [long]"
    );
    let error = fails(Query::QueryString(QueryStringQuery::new("t:(alpha")));
    assert_eq!(error.reason(), "Failed to parse query [t:(alpha]");
    let lenient = MatchQuery {
        lenient: true,
        ..MatchQuery::new("n", word("abc"))
    };
    world.expect(Query::Match(lenient), |_| false);
    let mut request = SearchRequest::new(Query::match_all());
    request.sort = vec![SortKey::field("zzz", SortOrder::Asc)];
    let error =
        world.with_context(|context| search::query(&world.reader, &request, context).unwrap_err());
    assert_eq!(
        error.reason(),
        "No mapping found for [zzz] in order to sort on"
    );
}
