//! Laws that hold for all aggregations: one shard equals five, merge order is irrelevant, zero documents work, partials
//! survive the wire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::*;
use crate::buffer::{Buffer, DocMeta};
use crate::directory::ByteView;
use crate::document::parse_document;
use crate::ids::{PrimaryTerm, SeqNo};
use crate::query::{Query, TermQuery};
use crate::schema::IndexSchema;
use crate::search::{MemoryAccount, SearchContext, SearchRequest, Slice, WindowCollector};
use crate::segment::{LiveDocs, SegmentReader, WINDOW_DOCS, Window};
use crate::shard::{SegmentSnapshot, ShardReader};
use crate::value::Value;

fn schema() -> Arc<IndexSchema> {
    let mapping = json!({"properties": {
        "colour": {"type": "keyword"},
        "tags": {"type": "keyword"},
        "price": {"type": "double"},
        "stock": {"type": "long"},
        "sold": {"type": "date"},
        "used": {"type": "boolean"},
        "client": {"type": "ip"},
        "name": {"type": "text"},
        "shelf": {"type": "long_range"},
        "size": {"type": "double_range"},
        "season": {"type": "date_range", "format": "yyyy-MM-dd"},
        "network": {"type": "ip_range"},
    }});
    Arc::new(IndexSchema::new(&mapping, &BTreeMap::new()).unwrap())
}

/// A shard with a segment per list of documents.
fn shard(segments: &[Vec<serde_json::Value>]) -> ShardReader {
    let schema = schema();
    let mut snapshots = Vec::new();
    for docs in segments {
        let mut buffer = Buffer::new();
        for (i, doc) in docs.iter().enumerate() {
            let source = serde_json::to_vec(doc).unwrap();
            let parsed = parse_document(&schema, &i.to_string(), None, &source).unwrap();
            let meta = DocMeta {
                seq_no: SeqNo(i as i64),
                primary_term: PrimaryTerm(1),
                version: 1,
            };
            buffer.add(&parsed, meta);
        }
        let Some(frozen) = buffer.freeze() else {
            continue;
        };
        let reader = SegmentReader::open(frozen.id, ByteView::new(frozen.bytes)).unwrap();
        let max_doc = reader.max_doc();
        snapshots.push(SegmentSnapshot {
            reader: Arc::new(reader),
            live: Some(Arc::new(LiveDocs::new(max_doc, frozen.deleted))),
        });
    }
    ShardReader::new(snapshots, schema)
}

/// What a shard knows when a query finds the documents that `found` picks.
fn collect_some(reader: &ShardReader, aggs: &[AggRequest], found: fn(u32) -> bool) -> AggPartials {
    try_collect(reader, aggs, found, 1 << 30).unwrap()
}

fn try_collect(
    reader: &ShardReader,
    aggs: &[AggRequest],
    found: fn(u32) -> bool,
    memory: u64,
) -> Result<AggPartials, crate::search::SearchError> {
    let cancelled = AtomicBool::new(false);
    let memory = MemoryAccount::new(memory);
    let search = SearchContext::new("hats", 0, &cancelled, &memory);
    let request = of_all(aggs);
    let mut collector = collector(&request, reader, &search)?;
    let mut docs = Vec::new();
    for (ord, segment) in reader.segments.iter().enumerate() {
        collector.begin_segment(ord as u32, segment)?;
        let mut base = 0;
        while base < segment.reader.max_doc() {
            super::collector::live_docs_of_window(segment, base, &mut docs);
            docs.retain(|doc| found(*doc));
            let mut bits = Window::empty();
            docs.iter().for_each(|doc| bits.set(doc - base));
            if !docs.is_empty() {
                let scores = if collector.needs_scores() {
                    vec![1.0; docs.len()]
                } else {
                    Vec::new()
                };
                collector.collect(&docs, &bits, &scores)?;
            }
            base += WINDOW_DOCS;
        }
    }
    collector.into_partials()
}

/// A request for these aggregations over all documents.
fn of_all(aggs: &[AggRequest]) -> SearchRequest {
    SearchRequest {
        aggs: aggs.to_vec(),
        ..SearchRequest::new(Query::match_all())
    }
}

fn answer(reader: &ShardReader, agg: AggRequest) -> AggResult {
    let aggs = [agg];
    let partials = collect_some(reader, &aggs, |_| true);
    partials
        .finish(&aggs, MAX_BUCKETS_DEFAULT)
        .unwrap()
        .remove(0)
}

fn field(path: &str) -> FieldSource {
    FieldSource::field(path)
}

fn avg(name: &str, path: &str) -> AggRequest {
    AggRequest::new(
        name,
        AggKind::Avg(avg::AvgAgg {
            source: field(path),
        }),
    )
}

fn terms_of(path: &str) -> terms::TermsAgg {
    terms::TermsAgg::new(field(path))
}

fn histogram_of(path: &str, interval: f64) -> histogram::HistogramAgg {
    histogram::HistogramAgg {
        source: field(path),
        interval,
        offset: 0.0,
        min_doc_count: 0,
        extended_bounds: None,
        hard_bounds: None,
        keyed: false,
        order: vec![BucketOrder::key(true)],
    }
}

fn date_histogram_of(unit: CalendarUnit, zone: Option<&str>) -> date_histogram::DateHistogramAgg {
    date_histogram::DateHistogramAgg {
        source: FieldSource {
            time_zone: zone.map(str::to_owned),
            ..field("sold")
        },
        interval: Interval::Calendar(unit),
        offset_ms: 0,
        min_doc_count: 0,
        extended_bounds: None,
        hard_bounds: None,
        keyed: false,
        order: vec![BucketOrder::key(true)],
    }
}

/// An example of every aggregation that needs no query.
fn examples() -> Vec<AggRequest> {
    let price = || field("price");
    let kinds = vec![
        AggKind::Avg(avg::AvgAgg { source: price() }),
        AggKind::Sum(sum::SumAgg {
            source: field("stock"),
        }),
        AggKind::Min(min::MinAgg { source: price() }),
        AggKind::Max(max::MaxAgg {
            source: field("sold"),
        }),
        AggKind::ValueCount(value_count::ValueCountAgg {
            source: field("tags"),
        }),
        AggKind::Histogram(histogram_of("shelf", 2.0)),
        AggKind::DateHistogram(date_histogram::DateHistogramAgg {
            source: field("season"),
            ..date_histogram_of(CalendarUnit::Week, None)
        }),
        AggKind::Stats(stats::StatsAgg {
            source: field("stock"),
        }),
        AggKind::ExtendedStats(extended_stats::ExtendedStatsAgg {
            source: field("stock"),
            sigma: 2.0,
        }),
        AggKind::Cardinality(cardinality::CardinalityAgg {
            source: field("tags"),
            precision_threshold: 3000,
        }),
        AggKind::Percentiles(percentiles::PercentilesAgg {
            source: field("stock"),
            percents: vec![0.0, 50.0, 99.0],
            keyed: true,
            method: DigestMethod::DEFAULT,
        }),
        AggKind::PercentileRanks(percentile_ranks::PercentileRanksAgg {
            source: field("stock"),
            values: vec![3.0],
            keyed: true,
            method: DigestMethod::Hdr { digits: 3 },
        }),
        AggKind::MedianAbsoluteDeviation(median_absolute_deviation::MedianAbsoluteDeviationAgg {
            source: field("stock"),
            compression: 1000.0,
        }),
        AggKind::WeightedAvg(weighted_avg::WeightedAvgAgg {
            value: field("stock"),
            weight: field("stock"),
            format: None,
        }),
        AggKind::Missing(missing::MissingAgg {
            source: field("tags"),
        }),
        AggKind::Global(global::GlobalAgg {}),
        AggKind::Terms(terms_of("tags")),
        AggKind::Terms(terms_of("stock")),
        AggKind::Terms(terms_of("used")),
        AggKind::Terms(terms_of("client")),
        AggKind::Terms(terms_of("no_such_field")),
        AggKind::RareTerms(rare_terms::RareTermsAgg::new(
            field("tags"),
            include_exclude::IncludeExclude::default(),
            20,
        )),
        AggKind::SignificantTerms(significant_terms::SignificantTermsAgg {
            terms: terms::TermsAgg {
                size: usize::MAX,
                ..terms_of("tags")
            },
            size: 5,
            shard_size: 100,
            significance: significance::Significance::Percentage,
            background: None,
        }),
        AggKind::MultiTerms(multi_terms::MultiTermsAgg {
            sources: vec![field("tags"), field("used")],
            terms: terms_of("-"),
        }),
        AggKind::Composite(composite::CompositeAgg {
            sources: vec![
                composite::CompositeSource {
                    name: "month".to_owned(),
                    source: field("sold"),
                    kind: composite::CompositeKind::DateHistogram {
                        interval: Interval::Calendar(CalendarUnit::Month),
                        offset_ms: 0,
                    },
                    descending: true,
                    missing_bucket: true,
                    missing_last: None,
                },
                composite::CompositeSource {
                    name: "tag".to_owned(),
                    source: field("tags"),
                    kind: composite::CompositeKind::Terms,
                    descending: false,
                    missing_bucket: false,
                    missing_last: None,
                },
            ],
            size: 5,
            after: None,
        }),
        AggKind::AutoDateHistogram(auto_date_histogram::AutoDateHistogramAgg {
            source: field("sold"),
            buckets: 7,
            first_step: 0,
        }),
        AggKind::AdjacencyMatrix(adjacency_matrix::AdjacencyMatrixAgg {
            filters: vec![
                ("all".to_owned(), crate::query::Query::match_all()),
                ("none".to_owned(), crate::query::Query::match_all()),
            ],
            separator: "&".to_owned(),
        }),
        AggKind::Filters(filters::FiltersAgg {
            filters: vec![("all".to_owned(), crate::query::Query::match_all())],
            keyed: true,
            other_bucket: Some("rest".to_owned()),
        }),
        AggKind::Histogram(histogram_of("stock", 3.0)),
        AggKind::DateHistogram(date_histogram_of(CalendarUnit::Month, Some("Europe/Paris"))),
        AggKind::Range(range::RangeAgg {
            source: field("stock"),
            ranges: vec![
                range::NumberRange {
                    to: Some(5.0),
                    ..Default::default()
                },
                range::NumberRange {
                    from: Some(3.0),
                    ..Default::default()
                },
            ],
            keyed: false,
        }),
        AggKind::DateRange(date_range::DateRangeAgg {
            source: field("sold"),
            ranges: vec![date_range::ScalarRange {
                from: Some(Value::Str("2026-02".to_owned())),
                ..Default::default()
            }],
            keyed: false,
        }),
        AggKind::IpRange(ip_range::IpRangeAgg {
            source: field("client"),
            ranges: vec![ip_range::IpRange::of_network("10.0.0.0/30").unwrap()],
            keyed: false,
        }),
    ];
    let mut aggs = Vec::new();
    for (i, kind) in kinds.into_iter().enumerate() {
        let buckets = matches!(
            kind,
            AggKind::Missing(_)
                | AggKind::Global(_)
                | AggKind::Terms(_)
                | AggKind::RareTerms(_)
                | AggKind::SignificantTerms(_)
                | AggKind::MultiTerms(_)
                | AggKind::Composite(_)
                | AggKind::AutoDateHistogram(_)
                | AggKind::AdjacencyMatrix(_)
                | AggKind::Filters(_)
                | AggKind::Histogram(_)
                | AggKind::DateHistogram(_)
                | AggKind::Range(_)
                | AggKind::DateRange(_)
                | AggKind::IpRange(_)
        );
        let mut agg = AggRequest::new(format!("a{i}"), kind);
        if buckets {
            let colours = AggRequest::new("colours", AggKind::Terms(terms_of("colour")));
            agg = agg.with(colours.with(avg("mean", "stock")));
        }
        aggs.push(agg);
    }
    aggs
}

fn document(i: u64) -> serde_json::Value {
    let colours = ["red", "green", "blue"];
    json!({
        "colour": colours[(i % 3) as usize],
        "tags": if i.is_multiple_of(4) { json!([]) } else { json!([format!("t{}", i % 5), format!("t{}", i % 7)]) },
        "price": (i % 10) as f64 / 4.0,
        "stock": i % 9,
        "sold": format!("2026-{:02}-15T23:30:00Z", 1 + i % 5),
        "used": i.is_multiple_of(2),
        "client": format!("10.0.0.{}", i % 8),
        "shelf": [{"gte": i % 9, "lte": i % 9 + 2}, {"gt": i % 11, "lt": i % 11 + 3}],
        "season": {"gte": format!("2026-{:02}-20", 1 + i % 5), "lte": format!("2026-{:02}-20", 2 + i % 5 + i % 3)},
    })
}

fn documents(n: u64) -> Vec<serde_json::Value> {
    (0..n).map(document).collect()
}

/// The documents of `all` on so many shards, in two segments each.
fn spread(all: &[serde_json::Value], shards: usize) -> Vec<ShardReader> {
    let mut readers = Vec::new();
    for at in 0..shards {
        let docs: Vec<_> = all.iter().skip(at).step_by(shards).cloned().collect();
        let (left, right) = docs.split_at(docs.len() / 2);
        readers.push(shard(&[left.to_vec(), right.to_vec()]));
    }
    readers
}

fn merged(mut partials: Vec<AggPartials>) -> AggPartials {
    let first = partials.remove(0);
    partials
        .into_iter()
        .fold(first, |all, next| all.merge(next).unwrap())
}

#[test]
fn five_shards_equal_one_in_any_order() {
    let aggs = examples();
    let all = documents(200);
    let one = collect_some(&spread(&all, 1)[0], &aggs, |_| true);
    let expected = one.finish(&aggs, MAX_BUCKETS_DEFAULT).unwrap();
    let five: Vec<AggPartials> = spread(&all, 5)
        .iter()
        .map(|reader| collect_some(reader, &aggs, |_| true))
        .collect();
    let mut backwards = five.clone();
    backwards.reverse();
    for partials in [five, backwards] {
        let found = merged(partials).finish(&aggs, MAX_BUCKETS_DEFAULT).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{}", found.type_name);
        }
    }
}

#[test]
fn no_documents_are_no_trouble() {
    let aggs = examples();
    let nothing = AggPartials::empty(&aggs)
        .finish(&aggs, MAX_BUCKETS_DEFAULT)
        .unwrap();
    let empty_shard = collect_some(&shard(&[]), &aggs, |_| true);
    let found = empty_shard.finish(&aggs, MAX_BUCKETS_DEFAULT).unwrap();
    assert_eq!(found.len(), nothing.len());
    let full = collect_some(&shard(&[documents(20)]), &aggs, |_| true);
    let alone = full.clone().finish(&aggs, MAX_BUCKETS_DEFAULT).unwrap();
    let with_nothing = full.merge(AggPartials::empty(&aggs)).unwrap();
    assert_eq!(
        with_nothing.finish(&aggs, MAX_BUCKETS_DEFAULT).unwrap(),
        alone
    );
}

#[test]
fn partials_survive_the_wire() {
    let aggs = examples();
    for docs in [0, 50] {
        let partials = collect_some(&shard(&[documents(docs)]), &aggs, |_| true);
        let mut bytes = Vec::new();
        ciborium::into_writer(&partials, &mut bytes).unwrap();
        let back: AggPartials = ciborium::from_reader(bytes.as_slice()).unwrap();
        assert_eq!(back, partials);
    }
}

fn keys_and_counts(result: &AggResult) -> Vec<(String, u64)> {
    let ResultBody::Buckets(buckets) = &result.body else {
        panic!("no buckets: {result:?}");
    };
    buckets
        .buckets
        .iter()
        .map(|bucket| (bucket.key.to_text(), bucket.doc_count))
        .collect()
}

fn check(result: &AggResult, expected: &[(&str, u64)]) {
    let expected: Vec<(String, u64)> = expected
        .iter()
        .map(|(key, count)| ((*key).to_owned(), *count))
        .collect();
    assert_eq!(keys_and_counts(result), expected);
}

#[test]
fn terms_are_sorted_by_count_then_key_or_by_a_metric() {
    let reader = shard(&[
        vec![
            json!({"colour": "red", "stock": 1}),
            json!({"colour": "blue", "stock": 9}),
        ],
        vec![
            json!({"colour": "red", "stock": 3}),
            json!({"colour": "amber", "stock": 5}),
        ],
    ]);
    let by_count = AggRequest::new("c", AggKind::Terms(terms_of("colour")));
    check(
        &answer(&reader, by_count),
        &[("red", 2), ("amber", 1), ("blue", 1)],
    );
    let mut agg = terms_of("colour");
    agg.order = vec![BucketOrder {
        by: OrderKey::parse("mean"),
        ascending: false,
    }];
    agg.size = 2;
    let by_metric = AggRequest::new("c", AggKind::Terms(agg)).with(avg("mean", "stock"));
    check(&answer(&reader, by_metric), &[("blue", 1), ("amber", 1)]);
}

#[test]
fn terms_nobody_found_show_with_a_min_doc_count_of_zero() {
    let reader = shard(&[vec![json!({"colour": "red"}), json!({"colour": "blue"})]]);
    let mut agg = terms_of("colour");
    agg.min_doc_count = 0;
    let aggs = [AggRequest::new("c", AggKind::Terms(agg))];
    let partials = collect_some(&reader, &aggs, |doc| doc == 0);
    let found = partials.finish(&aggs, MAX_BUCKETS_DEFAULT).unwrap();
    check(&found[0], &[("red", 1), ("blue", 0)]);
}

#[test]
fn histograms_fill_gaps_and_bounds() {
    let reader = shard(&[vec![
        json!({"stock": 1}),
        json!({"stock": 51}),
        json!({"stock": 151}),
    ]]);
    let mut agg = histogram_of("stock", 50.0);
    check(
        &answer(
            &reader,
            AggRequest::new("h", AggKind::Histogram(agg.clone())),
        ),
        &[("0.0", 1), ("50.0", 1), ("100.0", 0), ("150.0", 1)],
    );
    agg.extended_bounds = Some(histogram::NumberBounds {
        min: Some(-60.0),
        max: Some(210.0),
    });
    check(
        &answer(&reader, AggRequest::new("h", AggKind::Histogram(agg))),
        &[
            ("-100.0", 0),
            ("-50.0", 0),
            ("0.0", 1),
            ("50.0", 1),
            ("100.0", 0),
            ("150.0", 1),
            ("200.0", 0),
        ],
    );
}

#[test]
fn ranges_count_in_every_bucket_that_they_reach_into() {
    let reader = shard(&[vec![
        json!({"shelf": {"lte": 10}, "size": {"gte": 0.5, "lt": 2}}),
        // two that overlap, and one of one number, count once in each bucket
        json!({"shelf": [{"gte": 3, "lte": 7}, {"gte": 5, "lt": 12}, {"gte": 4, "lte": 4}], "size": {"gte": 9, "lte": 9}}),
        json!({"shelf": {"gte": 15}}),
        json!({"colour": "red"}),
    ]]);
    let within = |agg: histogram::HistogramAgg, min: f64, max: f64| histogram::HistogramAgg {
        hard_bounds: Some(histogram::NumberBounds {
            min: Some(min),
            max: Some(max),
        }),
        ..agg
    };
    let ask = |agg| AggRequest::new("h", AggKind::Histogram(agg));
    check(
        &answer(&reader, ask(within(histogram_of("shelf", 5.0), 0.0, 20.0))),
        &[
            ("0.0", 2),
            ("5.0", 2),
            ("10.0", 2),
            ("15.0", 1),
            ("20.0", 1),
        ],
    );
    check(
        &answer(
            &reader,
            ask(histogram::HistogramAgg {
                min_doc_count: 1,
                ..histogram_of("size", 1.0)
            }),
        ),
        &[("0.0", 1), ("1.0", 1), ("9.0", 1)],
    );
    let with_metric = AggRequest::new(
        "h",
        AggKind::Histogram(within(histogram_of("shelf", 5.0), 5.0, 14.0)),
    );
    let counted = answer(&reader, with_metric.with(avg("mean", "stock")));
    check(&counted, &[("5.0", 2), ("10.0", 2)]);
    let error = try_collect(
        &reader,
        &[ask(histogram_of("shelf", 1.0))],
        |_| true,
        1 << 30,
    );
    assert_eq!(error.unwrap_err().kind(), "too_many_buckets_exception");
    for agg in [histogram_of("network", 1.0), histogram_of("season", 1.0)] {
        let error = try_collect(&reader, &[ask(agg)], |_| true, 1 << 30).unwrap_err();
        assert!(
            error
                .reason()
                .ends_with("is not supported for aggregation [histogram]"),
            "{error}"
        );
    }
}

#[test]
fn ranges_of_dates_count_in_every_interval_that_they_reach_into() {
    let reader = shard(&[vec![
        json!({"season": {"gte": "2016-01-01", "lt": "2016-01-02"}}),
        json!({"season": {"gte": "2016-01-31", "lte": "2016-03-01"}}),
        json!({"season": {"gte": "2016-03-05"}}),
    ]]);
    let agg = date_histogram::DateHistogramAgg {
        source: FieldSource {
            format: Some("yyyy-MM".to_owned()),
            ..field("season")
        },
        hard_bounds: Some(date_histogram::DateBounds {
            min: None,
            max: Some(Value::Str("2016-04".to_owned())),
        }),
        ..date_histogram_of(CalendarUnit::Month, None)
    };
    let found = answer(
        &reader,
        AggRequest::new("d", AggKind::DateHistogram(agg.clone())),
    );
    let ResultBody::Buckets(buckets) = &found.body else {
        panic!("no buckets: {found:?}");
    };
    let shown: Vec<(&str, u64)> = buckets
        .buckets
        .iter()
        .map(|bucket| (bucket.key_as_string.as_deref().unwrap(), bucket.doc_count))
        .collect();
    assert_eq!(
        shown,
        [
            ("2016-01", 2),
            ("2016-02", 1),
            ("2016-03", 2),
            ("2016-04", 1)
        ]
    );
    let endless = AggKind::DateHistogram(date_histogram::DateHistogramAgg {
        hard_bounds: None,
        ..agg
    });
    let error = try_collect(&reader, &[AggRequest::new("d", endless)], |_| true, 1 << 30);
    assert_eq!(error.unwrap_err().kind(), "too_many_buckets_exception");
}

#[test]
fn fields_of_the_wrong_kind_are_refused() {
    let reader = shard(&[documents(1)]);
    for (path, expected) in [
        (
            "colour",
            "Field [colour] of type [keyword] is not supported for aggregation [avg]",
        ),
        ("name", "Text fields are not optimised for operations"),
    ] {
        let aggs = [avg("a", path)];
        let error = try_collect(&reader, &aggs, |_| true, 1 << 30).unwrap_err();
        assert!(error.reason().starts_with(expected), "{error}");
    }
}

#[test]
fn buckets_and_memory_have_limits() {
    let reader = shard(&[documents(50)]);
    let aggs = [AggRequest::new("c", AggKind::Terms(terms_of("tags")))];
    let partials = collect_some(&reader, &aggs, |_| true);
    let error = partials.finish(&aggs, 3).unwrap_err();
    assert_eq!(error, AggError::TooManyBuckets { limit: 3, found: 4 });
    let error = try_collect(&reader, &aggs, |_| true, 100).unwrap_err();
    assert_eq!(error.kind(), "circuit_breaking_exception");
}

/// The shard's best buckets show the same when their sub-aggregations waited for them as when they did not.
#[test]
fn waiting_sub_aggregations_see_what_they_would_have_seen_at_once() {
    let mut many = Vec::new();
    for n in 0..300_u64 {
        let tags = [format!("t{}", n % 7), format!("u{}", n % 11)];
        many.push(json!({"tags": tags, "stock": n % 13}));
    }
    let reader = shard(&[many[..100].to_vec(), many[100..].to_vec()]);
    let nested = |shard_size: usize| {
        let mut outer = AggRequest::new(
            "outer",
            AggKind::Terms(terms::TermsAgg {
                size: 3,
                shard_size: Some(shard_size),
                ..terms_of("tags")
            }),
        );
        let mut middle = AggRequest::new(
            "middle",
            AggKind::Terms(terms::TermsAgg {
                size: 2,
                shard_size: Some(shard_size),
                ..terms_of("stock")
            }),
        );
        middle.sub = vec![AggRequest::new(
            "inner",
            AggKind::Terms(terms::TermsAgg {
                size: 2,
                shard_size: Some(shard_size),
                ..terms_of("tags")
            }),
        )];
        outer.sub = vec![middle, avg("a", "stock")];
        answer(&reader, outer)
    };
    // usize::MAX leaves nothing out, so nobody waits
    assert_eq!(nested(3), nested(usize::MAX));
}

#[test]
fn past_its_deadline_a_search_collects_nothing_more_and_a_cancelled_one_fails() {
    let reader = shard(&[documents(20)]);
    let mut outer = AggRequest::new("g", AggKind::Terms(terms_of("tags")));
    outer.sub = vec![AggRequest::new("t", AggKind::Terms(terms_of("tags")))];
    let aggs = [outer];
    let cancelled = AtomicBool::new(false);
    let memory = MemoryAccount::new(1 << 30);
    let mut search = SearchContext::new("hats", 0, &cancelled, &memory);
    search.deadline = Some(std::time::Instant::now());
    let request = of_all(&aggs);
    let mut late = collector(&request, &reader, &search).unwrap();
    late.begin_segment(0, &reader.segments[0]).unwrap();
    let mut three = Window::empty();
    three.set_range(0, 3);
    late.collect(&[0, 1, 2], &three, &[]).unwrap();
    let results = late.into_partials().unwrap().finish(&aggs, 100).unwrap();
    check(&results[0], &[]);
    let mut stopped = collector(&request, &reader, &search).unwrap();
    stopped.begin_segment(0, &reader.segments[0]).unwrap();
    cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = stopped.collect(&[0, 1, 2], &three, &[]).unwrap_err();
    assert_eq!(error.kind(), "task_cancelled_exception");
    assert!(stopped.into_partials().is_err());
}

#[test]
fn global_sees_no_more_than_the_request_may() {
    let doc = |tag: &str| json!({"tags": tag});
    let reader = shard(&[
        vec![doc("mine"), doc("yours"), doc("mine")],
        vec![doc("yours")],
    ]);
    let mut global = AggRequest::new("g", AggKind::Global(global::GlobalAgg {}));
    global.sub = vec![AggRequest::new("t", AggKind::Terms(terms_of("tags")))];
    let cancelled = AtomicBool::new(false);
    let memory = MemoryAccount::new(1 << 30);
    let search = SearchContext::new("hats", 0, &cancelled, &memory);
    let seen = |request: &SearchRequest| {
        let found = crate::search::query(&reader, request, &search).unwrap();
        let results = found.aggs.unwrap().finish(&request.aggs, 100).unwrap();
        let ResultBody::Single { doc_count, .. } = &results[0].body else {
            panic!("{:?}", results[0].body)
        };
        *doc_count
    };
    let mut request = SearchRequest {
        query: Query::match_none(),
        ..of_all(&[global])
    };
    assert_eq!(seen(&request), 4);
    let parts: u64 = (0..3)
        .map(|id| {
            request.slice = Some(Slice {
                id,
                max: 3,
                field: None,
            });
            seen(&request)
        })
        .sum();
    assert_eq!(parts, 4);
    request.slice = None;
    request.visible = Some(Query::Term(TermQuery::new(
        "tags",
        Value::Str("mine".to_owned()),
    )));
    assert_eq!(seen(&request), 2);
}

#[test]
fn rare_terms_are_rare_on_all_shards_together() {
    let doc = |tag: &str| json!({"tags": tag});
    let shards = [
        shard(&[vec![doc("a"), doc("b"), doc("c"), doc("c")]]),
        shard(&[vec![doc("a"), doc("c")]]),
    ];
    let aggs = [AggRequest::new(
        "r",
        AggKind::RareTerms(rare_terms::RareTermsAgg::new(
            field("tags"),
            include_exclude::IncludeExclude::default(),
            1,
        )),
    )];
    let mut partials = Vec::new();
    for reader in &shards {
        partials.push(collect_some(reader, &aggs, |_| true));
    }
    let results = merged(partials).finish(&aggs, MAX_BUCKETS_DEFAULT).unwrap();
    check(&results[0], &[("b", 1)]);
}

#[test]
fn pages_of_a_composite_follow_each_other() {
    let reader = shard(&[documents(60)]);
    let page = |size: usize, after: Option<Vec<Value>>| {
        let source = composite::CompositeSource {
            name: "tag".to_owned(),
            source: field("tags"),
            kind: composite::CompositeKind::Terms,
            descending: false,
            missing_bucket: false,
            missing_last: None,
        };
        let agg = composite::CompositeAgg {
            sources: vec![source],
            size,
            after,
        };
        let result = answer(&reader, AggRequest::new("c", AggKind::Composite(agg)));
        keys_and_counts(&result)
    };
    let all = page(100, None);
    assert!(all.len() > 1);
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let next = page(1, after);
        let Some((key, _)) = next.first() else { break };
        let tag = key.trim_start_matches("{tag=").trim_end_matches('}');
        after = Some(vec![Value::Str(tag.to_owned())]);
        pages.extend(next);
    }
    assert_eq!(pages, all);
}

#[test]
fn automatic_intervals_grow_until_the_buckets_fit() {
    let doc = |day: &str| json!({"sold": day});
    let days = ["2020-03-01", "2020-03-02", "2020-03-08", "2020-03-09"];
    let reader = shard(&[days.iter().map(|day| doc(day)).collect()]);
    let agg = auto_date_histogram::AutoDateHistogramAgg {
        source: field("sold"),
        buckets: 2,
        first_step: 0,
    };
    let result = answer(
        &reader,
        AggRequest::new("h", AggKind::AutoDateHistogram(agg)),
    );
    let ResultBody::Buckets(buckets) = &result.body else {
        panic!("{result:?}");
    };
    assert_eq!(buckets.interval.as_deref(), Some("7d"));
    let counts: Vec<u64> = buckets
        .buckets
        .iter()
        .map(|bucket| bucket.doc_count)
        .collect();
    assert_eq!(counts, [2, 2]);
}

#[test]
fn significant_terms_are_more_frequent_in_what_was_found() {
    let doc = |tag: &str| json!({"tags": tag});
    // the query finds the first four documents
    let mut docs = vec![doc("a"), doc("a"), doc("a"), doc("b")];
    docs.extend((0..12).map(|_| doc("b")));
    let reader = shard(&[docs]);
    let agg = significant_terms::SignificantTermsAgg {
        terms: terms::TermsAgg {
            size: usize::MAX,
            ..terms_of("tags")
        },
        size: 10,
        shard_size: 10,
        significance: significance::Significance::Jlh,
        background: None,
    };
    let aggs = [AggRequest::new("s", AggKind::SignificantTerms(agg))];
    let partials = collect_some(&reader, &aggs, |doc| doc < 4);
    let result = partials
        .finish(&aggs, MAX_BUCKETS_DEFAULT)
        .unwrap()
        .remove(0);
    check(&result, &[("a", 3)]);
    let ResultBody::Buckets(buckets) = &result.body else {
        panic!("{result:?}");
    };
    assert_eq!(buckets.counts, Some((4, 16)));
    assert_eq!(
        buckets.buckets[0].significance.map(|(_, usual)| usual),
        Some(3)
    );
}
