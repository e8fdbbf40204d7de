//! Two nodes in one process: what a client of one sees of the shards of the other.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::routed::{RoutedSearch, RoutedShards};
use super::search::{CopyPreference, Purpose, SearchService, ShardQuery, ShardSearchError};
use super::service::{
    GetOp, RefreshPolicy, ShardError, ShardService, UpdateOp, VersionRule, WriteKind, WriteOp,
};
use super::testing::{TestCluster, index, put};
use crate::cluster::NodeId;
use crate::coordination::dsl::search_body::parse_search_body;
use crate::coordination::search::limits_of;
use crate::coordination::search_input::SearchInput;
use crate::coordination::searcher::Searcher;

const MAPPING: &str = r#"{"properties": {"colour": {"type": "keyword"}, "price": {"type": "long"},
    "text": {"type": "text"}}}"#;

fn hat(n: u64) -> String {
    let colour = ["red", "green", "blue"][(n % 3) as usize];
    json!({"colour": colour, "price": n * 7 % 101, "text": format!("a {colour} hat, the {n}th")})
        .to_string()
}

fn get(id: &str) -> GetOp {
    GetOp {
        id: id.to_owned(),
        realtime: true,
        refresh: false,
        stored_fields: Vec::new(),
    }
}

/// 100 hats, spread over the shards as they come.
async fn fill(cluster: &TestCluster, shards: &RoutedShards, count: u32) {
    for shard in 0..count {
        let ops = (0..100u64)
            .filter(|n| *n % u64::from(count) == u64::from(shard))
            .map(|n| index(n, hat(n)))
            .collect();
        put(shards, &cluster.target(shard), ops).await;
    }
}

fn input(body: Value) -> SearchInput {
    let body = parse_search_body(&body).unwrap();
    SearchInput::new(vec!["hats".to_owned()], body)
}

/// What is left of an answer when what may differ is taken out of it.
async fn answer(searcher: &Searcher, input: &SearchInput) -> Value {
    let answer = searcher.search(input).await.unwrap();
    let mut shown = serde_json::to_value(&answer).unwrap();
    shown.as_object_mut().unwrap().remove("took");
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn documents_go_to_the_node_of_their_shard_and_come_back() {
    let cluster = TestCluster::start(2, 2, MAPPING, false).await;
    let shards = cluster.shards(Some(0));
    for shard in 0..2 {
        let target = cluster.target(shard);
        let created = shards
            .write(&target, vec![index("1", hat(1))], RefreshPolicy::None)
            .await
            .unwrap();
        assert_eq!(created[0].as_ref().unwrap().result, WriteKind::Created);
        let update = WriteOp::Update(UpdateOp {
            id: "1".to_owned(),
            routing: None,
            doc: Some(r#"{"price": 9}"#.into()),
            upsert: None,
            script_lang: None,
            scripted_upsert: false,
            detect_noop: true,
            retry_on_conflict: 0,
            version: VersionRule::Any,
            return_source: true,
        });
        let missing = WriteOp::Delete {
            id: "2".to_owned(),
            version: VersionRule::Any,
        };
        let conflict = WriteOp::Delete {
            id: "1".to_owned(),
            version: VersionRule::External(1),
        };
        let unmapped = index("3", r#"{"price": "dear"}"#);
        let ops = vec![update, missing, conflict, unmapped];
        let results = shards.write(&target, ops, RefreshPolicy::WaitFor);
        // a refresh that was asked for makes the waiting one end
        let refreshing = async {
            loop {
                tokio::task::yield_now().await;
                shards.refresh(&target).await.unwrap();
            }
        };
        let results = tokio::select! {
            results = results => results.unwrap(),
            () = refreshing => unreachable!(),
        };
        let updated = results[0].as_ref().unwrap();
        assert_eq!(updated.result, WriteKind::Updated);
        let source: Value = serde_json::from_slice(updated.source.as_ref().unwrap()).unwrap();
        assert_eq!(source["price"], 9);
        assert_eq!(results[1].as_ref().unwrap().result, WriteKind::NotFound);
        assert!(matches!(
            results[2],
            Err(ShardError::VersionConflict { .. })
        ));
        let Err(ShardError::Other { status, kind, .. }) = &results[3] else {
            panic!("{results:?}");
        };
        assert_eq!((*status, kind.as_str()), (400, "mapper_parsing_exception"));
        let found = shards.get(&target, get("1")).await.unwrap().unwrap();
        assert_eq!(found.version, 2);
        assert_eq!(shards.get(&target, get("2")).await.unwrap(), None);
        shards.flush(&target, false, true).await.unwrap();
        shards.force_merge(&target, Some(1), false).await.unwrap();
        let stats = shards.stats(&target).await.unwrap();
        assert_eq!((stats.docs, stats.segments), (1, 1));
        assert_eq!(shards.segments(&target).await.unwrap().len(), 1);
        let recovery = shards.recovery(&target).await.unwrap();
        assert_eq!(recovery.kind, "EMPTY_STORE");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_search_over_two_nodes_finds_what_one_node_would() {
    let spread = TestCluster::start(2, 4, MAPPING, false).await;
    fill(&spread, &spread.shards(None), 4).await;
    let alone = TestCluster::start(1, 4, MAPPING, false).await;
    fill(&alone, &alone.shards(Some(0)), 4).await;
    for body in [
        json!({"query": {"match": {"text": "red hat"}}, "size": 7}),
        json!({"query": {"term": {"colour": "blue"}}, "sort": [{"price": "desc"}], "from": 3,
            "_source": ["price"], "highlight": {"fields": {"text": {}}}}),
        json!({"size": 0, "aggs": {
            "colours": {"terms": {"field": "colour"}, "aggs": {"mean": {"avg": {"field": "price"}}}},
            "spread": {"percentiles": {"field": "price"}},
            "best": {"top_hits": {"size": 2, "sort": [{"price": "asc"}]}},
        }}),
        json!({"query": {"range": {"price": {"gte": 50}}}, "collapse": {"field": "colour"},
            "sort": ["price"], "track_total_hits": true}),
    ] {
        let expected = answer(&alone.searcher(Some(0)), &input(body.clone())).await;
        for seen_from in [None, Some(0), Some(1)] {
            let found = answer(&spread.searcher(seen_from), &input(body.clone())).await;
            assert_eq!(found, expected, "{body} from {seen_from:?}");
        }
        let mut dfs = input(body);
        dfs.dfs = true;
        let expected = answer(&alone.searcher(Some(0)), &dfs).await;
        assert_eq!(answer(&spread.searcher(None), &dfs).await, expected);
    }
    let nothing_left_open = |cluster: &TestCluster| {
        let mut nodes = cluster.nodes.iter();
        nodes.all(|node| node.shards.contexts.is_empty())
    };
    while !nothing_left_open(&spread) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_that_does_not_answer_is_replaced_by_another() {
    let cluster = TestCluster::start(2, 1, MAPPING, true).await;
    let target = cluster.target(0);
    for node in &cluster.nodes {
        put(
            &*node.shards,
            &target,
            (0..10).map(|n| index(n, hat(n))).collect(),
        )
        .await;
    }
    let searcher = cluster.searcher(None);
    let all = input(json!({"query": {"match_all": {}}, "size": 3}));
    let before = answer(&searcher, &all).await;
    cluster.nodes[0].kill();
    for _ in 0..4 {
        assert_eq!(answer(&searcher, &all).await, before);
    }
    // nobody is left: the failure names the node that was asked last
    cluster.nodes[1].kill();
    let error = searcher.search(&all).await.unwrap_err();
    assert_eq!(
        (error.status, error.reason.as_str()),
        (503, "all shards failed")
    );
    let shown = error.cause_json(false);
    let failure = &shown["failed_shards"][0];
    assert!(
        ["a", "b"].contains(&failure["node"].as_str().unwrap()),
        "{shown}"
    );
    assert_eq!(failure["reason"]["type"], "node_disconnected_exception");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shard_that_lost_its_only_copy_is_a_failure_of_that_shard() {
    let cluster = TestCluster::start(2, 2, MAPPING, false).await;
    fill(&cluster, &cluster.shards(None), 2).await;
    cluster.nodes[1].kill();
    let searcher = cluster.searcher(Some(0));
    let mut all = input(json!({"query": {"match_all": {}}}));
    let found = answer(&searcher, &all).await;
    assert_eq!(found["_shards"]["failed"], 1, "{found}");
    assert_eq!(found["_shards"]["successful"], 1);
    assert_eq!(found["_shards"]["failures"][0]["node"], "b");
    assert_eq!(found["hits"]["total"]["value"], 50);
    all.allow_partial = Some(false);
    let error = searcher.search(&all).await.unwrap_err();
    assert_eq!(error.reason, "Partial shards failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_for_another_copy_cluster_or_node_are_refused_before_they_are_done() {
    let cluster = TestCluster::start(2, 2, MAPPING, false).await;
    let shards = cluster.shards(None);
    let target = cluster.target(1);
    let refused = async || {
        let ops = vec![index("1", hat(1))];
        let error = shards.write(&target, ops, RefreshPolicy::None).await;
        let error = error.unwrap_err();
        assert!(error.is_misplaced(), "{error}");
        error.to_string()
    };
    cluster.change(|state| {
        let copies = state.routing.shards_of_mut("hats").unwrap();
        copies[1][0].allocation_id = Some("another".to_owned());
    });
    assert!(refused().await.contains("is [copy1], not [another]"));
    cluster.change(|state| {
        let copies = state.routing.shards_of_mut("hats").unwrap();
        copies[1][0].allocation_id = Some("copy1".to_owned());
        let index = Arc::make_mut(state.indices.get_mut("hats").unwrap());
        index.primary_terms[1] += 1;
    });
    assert!(refused().await.contains("primary term"));
    let identity = crate::data::grpc::Identity {
        node: NodeId("a".to_owned()),
        masters: cluster.masters.clone(),
    };
    let state = cluster.masters.0.borrow().clone();
    let good = super::remote::envelope(&state, &NodeId("a".to_owned()));
    assert!(identity.check(Some(&good)).is_ok());
    let with = |change: fn(&mut quidditch_proto::data::v1::Envelope)| {
        let mut wrong = good.clone();
        change(&mut wrong);
        wrong
    };
    for (wrong, reason) in [
        (
            with(|e| e.cluster_name = "x".into()),
            "cluster [c], not [x]",
        ),
        (with(|e| e.cluster_uuid = "x".into()), "uuid [u], not [x]"),
        (with(|e| e.node_id = "x".into()), "the node [a], not [x]"),
    ] {
        let status = identity.check(Some(&wrong)).unwrap_err();
        assert!(status.message().contains(reason), "{status}");
        assert!(!super::channels::is_maybe_done(&status));
    }
    // nothing of it was done
    cluster.change(|state| {
        let index = Arc::make_mut(state.indices.get_mut("hats").unwrap());
        index.primary_terms[1] -= 1;
    });
    assert_eq!(shards.get(&target, get("1")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_to_a_node_that_leaves_the_cluster_ends() {
    let cluster = TestCluster::start(1, 1, MAPPING, false).await;
    let shards = cluster.shards(None);
    let target = cluster.target(0);
    put(&shards, &target, vec![index("0", hat(0))]).await;
    // it waits for a refresh that nobody makes
    let waiting = shards.write(&target, vec![index("1", hat(1))], RefreshPolicy::WaitFor);
    let leaving = async {
        while cluster.nodes[0]
            .shards
            .stats(&target)
            .await
            .unwrap()
            .max_seq_no
            < 1
        {
            tokio::task::yield_now().await;
        }
        cluster.change(|state| state.nodes.clear());
    };
    let (written, ()) = tokio::join!(waiting, leaving);
    let error = written.unwrap_err();
    assert!(
        matches!(
            &error,
            ShardError::Unreachable {
                maybe_done: true,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(!error.is_misplaced());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_large_document_passes() {
    let cluster = TestCluster::start(1, 1, r#"{"dynamic": false}"#, false).await;
    let shards = cluster.shards(None);
    let target = cluster.target(0);
    // a text may have 50,000,000 characters
    let text = "x".repeat(49_999_990);
    let source = format!(r#"{{"text": "{text}", "more": "{text}"}}"#);
    put(&shards, &target, vec![index("1", &source)]).await;
    let found = shards.get(&target, get("1")).await.unwrap().unwrap();
    assert_eq!(found.source.len(), source.len());
    let searcher = cluster.searcher(None);
    let found = searcher
        .search(&input(json!({"query": {"match_all": {}}})))
        .await
        .unwrap();
    assert_eq!(found.hits.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn preferences_reach_the_copies_that_they_name() {
    let cluster = TestCluster::start(2, 1, MAPPING, true).await;
    let target = cluster.target(0);
    // the copies differ, so that each tells itself
    for (at, node) in cluster.nodes.iter().enumerate() {
        let ops = (0..=at as u64).map(|n| index(n, hat(n))).collect();
        put(&*node.shards, &target, ops).await;
    }
    let searcher = cluster.searcher(Some(1));
    for (preference, expected) in [
        ("_local", 2),
        ("_only_local", 2),
        ("_primary", 1),
        ("_replica", 2),
        ("_prefer_nodes:a", 1),
        ("_only_nodes:b", 2),
        ("_shards:0|_primary_first", 1),
    ] {
        for _ in 0..3 {
            let mut all = input(json!({"query": {"match_all": {}}}));
            all.preference = Some(preference.to_owned());
            let found = searcher.search(&all).await.unwrap();
            assert_eq!(found.hits.len(), expected, "{preference}");
        }
    }
    let mut nowhere = input(json!({"query": {"match_all": {}}}));
    nowhere.preference = Some("_only_nodes:c".to_owned());
    let refused = searcher.search(&nowhere).await.unwrap_err();
    assert_eq!(
        (refused.status, refused.kind.as_str()),
        (400, "illegal_argument_exception")
    );
    assert!(
        refused.reason.contains("no data nodes with criteria [c]"),
        "{}",
        refused.reason
    );
}

fn ids(answer: &crate::coordination::search_response::SearchAnswer) -> Vec<String> {
    let shown = serde_json::to_value(answer).unwrap();
    let hits = shown["hits"]["hits"].as_array().unwrap();
    let ids = hits
        .iter()
        .map(|hit| hit["_id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_scroll_goes_on_at_any_coordinating_node() {
    let cluster = TestCluster::start(2, 3, MAPPING, false).await;
    fill(&cluster, &cluster.shards(None), 3).await;
    let nodes = [cluster.searcher(None), cluster.searcher(None)];
    let mut begin = input(json!({"query": {"match_all": {}}, "sort": ["price"], "size": 7}));
    begin.scroll = Some(Duration::from_secs(60));
    let mut page = nodes[0].search(&begin).await.unwrap();
    let id = page.scroll_id.clone().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let mut pages = 0;
    while !page.hits.is_empty() {
        for hit in ids(&page) {
            assert!(seen.insert(hit.clone()), "{hit} is shown twice");
        }
        pages += 1;
        // one node after the other, and one twice
        let node = &nodes[usize::from(pages % 3 > 0)];
        page = node.continue_scroll(&id, None, false).await.unwrap();
    }
    assert_eq!((seen.len(), pages), (100, 15));
    let third = cluster.searcher(None);
    assert_eq!(
        third
            .clear_scrolls(std::slice::from_ref(&id))
            .await
            .unwrap(),
        3
    );
    assert_eq!(
        third
            .continue_scroll(&id, None, false)
            .await
            .unwrap_err()
            .status,
        404
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_scroll_goes_on_at_the_node_that_holds_its_readers() {
    let cluster = TestCluster::start(2, 1, MAPPING, false).await;
    fill(&cluster, &cluster.shards(None), 1).await;
    let nodes = [cluster.searcher(Some(0)), cluster.searcher(Some(1))];
    let mut begin = input(json!({"query": {"match_all": {}}, "size": 40}));
    begin.scroll = Some(Duration::from_secs(60));
    for first in 0..2 {
        let mut page = nodes[first].search(&begin).await.unwrap();
        let id = page.scroll_id.clone().unwrap();
        let mut seen = page.hits.len();
        for turn in 1..4 {
            let node = &nodes[(first + turn) % 2];
            page = node.continue_scroll(&id, None, false).await.unwrap();
            seen += page.hits.len();
        }
        assert_eq!(seen, 100, "from {first}");
    }
    // every scroll, wherever it began
    assert_eq!(
        nodes[0].clear_scrolls(&["_all".to_owned()]).await.unwrap(),
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_point_in_time_is_the_same_for_all_coordinating_nodes() {
    let cluster = TestCluster::start(2, 2, MAPPING, false).await;
    let shards = cluster.shards(None);
    fill(&cluster, &shards, 2).await;
    let first = cluster.searcher(None);
    let options = crate::cluster::IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED;
    let names = ["hats".to_owned()];
    let minute = Duration::from_secs(60);
    let pit = first
        .create_pit(&names, &options, None, None, minute, false)
        .await;
    let id = pit.unwrap().id;
    put(&shards, &cluster.target(0), vec![index("new", hat(1))]).await;
    let mut within = input(json!({"pit": {"id": id}, "track_total_hits": true, "size": 3}));
    within.indices.clear();
    let found = answer(&cluster.searcher(Some(1)), &within).await;
    assert_eq!(found["hits"]["total"]["value"], 100);
    let now = answer(&first, &input(json!({"track_total_hits": true}))).await;
    assert_eq!(now["hits"]["total"]["value"], 101);
    // each node knows of it, whoever made it
    for node in [cluster.searcher(None), cluster.searcher(Some(0))] {
        let open = node.pits().await;
        assert_eq!(open.len(), 1);
        assert_eq!((&open[0].pit_id, open[0].keep_alive), (&id, 60_000));
    }
    assert!(cluster.searcher(None).delete_pit(&id).await.unwrap());
    assert!(first.pits().await.is_empty());
    assert!(first.search(&within).await.is_err());
}

/// A search's answer with the shards looked at before, and without.
async fn with_and_without_looking(searcher: &Searcher, body: &Value) -> (Value, Value) {
    let mut looking = input(body.clone());
    looking.pre_filter_size = Some(1);
    let mut asking_all = looking.clone();
    asking_all.pre_filter_size = Some(1000);
    let looked = answer(searcher, &looking).await;
    (looked, answer(searcher, &asking_all).await)
}

fn take_skipped(answer: &mut Value) -> u64 {
    let skipped = answer["_shards"].as_object_mut().unwrap().remove("skipped");
    skipped.unwrap().as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn shards_that_cannot_match_are_skipped_and_the_answer_stays_the_same() {
    let cluster = TestCluster::start(2, 4, MAPPING, false).await;
    // every shard has prices of its own, the last one has none
    for shard in 0..4u64 {
        let ops = (0..25u64).map(|n| {
            let mut hat: Value = serde_json::from_str(&hat(n * 4 + shard)).unwrap();
            hat["price"] = match shard {
                3 => Value::Null,
                _ => json!(shard * 100 + n * n % 25),
            };
            index(n * 4 + shard, hat)
        });
        let target = cluster.target(u32::try_from(shard).unwrap());
        put(&cluster.shards(None), &target, ops.collect()).await;
    }
    let searcher = cluster.searcher(None);
    for (body, expected) in [
        (
            json!({"query": {"range": {"price": {"gte": 100, "lt": 200}}}}),
            3,
        ),
        (json!({"query": {"range": {"price": {"gte": 1000}}}}), 3),
        (json!({"query": {"term": {"nothing": 1}}}), 3),
        (json!({"query": {"term": {"_index": "socks"}}}), 3),
        (json!({"query": {"term": {"colour": "purple"}}}), 0),
        (json!({"query": {"match_all": {}}, "sort": ["price"]}), 0),
        (
            json!({"query": {"bool": {"must": [{"match": {"text": "hat"}}],
            "filter": [{"range": {"price": {"gt": 30}}}]}}}),
            2,
        ),
        (
            json!({"query": {"bool": {"should": [{"range": {"price": {"gt": 205}}},
            {"range": {"price": {"lt": 5}}}]}}}),
            2,
        ),
        // what is wrong is told, whether there are hits or not
        (
            json!({"query": {"bool": {"must": [{"range": {"price": {"gt": 150}}},
            {"range": {"price": {"gt": "dear"}}}]}}}),
            0,
        ),
    ] {
        let mut looking = input(body.clone());
        looking.pre_filter_size = Some(1);
        let found = searcher.search(&looking).await;
        let skipped = match &found {
            Ok(answer) => answer.shards.skipped,
            Err(_) => Some(0),
        };
        assert_eq!(skipped, Some(expected), "{body}");
        if found.is_ok() {
            let (mut looked, mut all) = with_and_without_looking(&searcher, &body).await;
            assert_eq!(
                (take_skipped(&mut looked), take_skipped(&mut all)),
                (expected as u64, 0)
            );
            assert_eq!(looked, all, "{body}");
        }
    }
    let mut seed = 1729u64;
    let mut next = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut skipped = 0;
    for _ in 0..120 {
        let (lo, width) = (next(330), next(120));
        let range = json!({"range": {"price": {"gte": lo, "lte": lo + width}}});
        let other = [
            json!({"match": {"text": "red hat"}}),
            json!({"term": {"nothing": "x"}}),
            json!({"range": {"price": {"lt": next(300)}}}),
            json!({"exists": {"field": "colour"}}),
        ][next(4) as usize]
            .clone();
        let query = match next(5) {
            0 => range,
            1 => json!({"bool": {"filter": [range], "must": [other]}}),
            2 => json!({"bool": {"should": [range, other]}}),
            3 => {
                json!({"bool": {"must_not": [range], "should": [other], "minimum_should_match": 1}})
            }
            _ => json!({"constant_score": {"filter": {"bool": {"must": [other, range]}}}}),
        };
        let mut body = json!({"query": query, "from": next(3), "size": next(30)});
        body["sort"] = match next(5) {
            0 => json!([{"price": "asc"}]),
            1 => json!([{"price": {"order": "desc", "missing": "_first"}}, "_doc"]),
            2 => json!([{"colour": "desc"}, {"price": "desc"}]),
            _ => json!(["_score"]),
        };
        body["track_total_hits"] = [json!(true), json!(false), json!(5)][next(3) as usize].clone();
        if next(3) == 0 {
            body["collapse"] = json!({"field": "colour"});
        } else if next(2) == 0 {
            body["aggs"] = json!({"colours": {"terms": {"field": "colour", "min_doc_count": next(2)}},
                "mean": {"avg": {"field": "price"}}, "all": {"filter": {"match_all": {}}}});
        }
        let (mut looked, mut all) = with_and_without_looking(&searcher, &body).await;
        skipped += take_skipped(&mut looked);
        take_skipped(&mut all);
        assert_eq!(looked, all, "{body}");
    }
    assert!(skipped > 50, "{skipped}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shard_that_cannot_be_looked_at_is_asked() {
    let cluster = TestCluster::start(2, 4, MAPPING, false).await;
    fill(&cluster, &cluster.shards(None), 4).await;
    cluster.nodes[1].kill();
    let searcher = cluster.searcher(Some(0));
    let body = json!({"query": {"range": {"price": {"gt": 5000}}}});
    let mut looking = input(body);
    looking.pre_filter_size = Some(1);
    let found = answer(&searcher, &looking).await;
    let shards = &found["_shards"];
    assert_eq!(
        (&shards["total"], &shards["skipped"], &shards["failed"]),
        (&json!(4), &json!(2), &json!(2))
    );
    assert_eq!(shards["successful"], 2);
}

/// A search that takes seconds on its shard.
async fn long_search(cluster: &TestCluster) -> SearchInput {
    let shards = cluster.shards(None);
    for start in (0..20_000u64).step_by(4000) {
        let ops = (start..start + 4000).map(|n| index(n, json!({"price": n})));
        put(&shards, &cluster.target(0), ops.collect()).await;
    }
    let many = (0..3000).map(|n| {
        let agg = json!({"percentiles": {"field": "price"}});
        (format!("p{n}"), agg)
    });
    let aggs: serde_json::Map<String, Value> = many.collect();
    input(json!({"query": {"range": {"price": {"gte": 0}}}, "size": 0, "aggs": aggs}))
}

/// Waits until a shard searches, or no longer does; gives how many searches of it ended well, and how many did not.
async fn until_searching(cluster: &TestCluster, is_searching: bool) -> (u64, u64) {
    loop {
        let stats = cluster.nodes[0].shards.stats(&cluster.target(0)).await;
        let query = stats.unwrap().search.query;
        if (query.current > 0) == is_searching {
            return (query.total, query.failed);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_search_that_nobody_waits_for_ends_on_its_node() {
    let cluster = TestCluster::start(1, 1, MAPPING, false).await;
    let mut long = long_search(&cluster).await;
    let searcher = cluster.searcher(None);
    // the caller goes away
    tokio::select! {
        biased;
        _ = searcher.search(&long) => panic!("the search was too short"),
        _ = until_searching(&cluster, true) => {}
    }
    assert_eq!(until_searching(&cluster, false).await, (0, 1));
    // its time is over
    long.cancel_after = Some(Duration::from_millis(300));
    let error = searcher.search(&long).await.unwrap_err();
    assert_eq!(error.kind, "task_cancelled_exception");
    assert_eq!(until_searching(&cluster, false).await, (0, 2));
    // the call ends by itself, whoever waits for it
    let state = cluster.masters.0.borrow().clone();
    let mut limits = limits_of(&state, state.index("hats").unwrap(), None);
    limits.cancel_by = Some(tokio::time::Instant::now());
    let query = ShardQuery {
        request: long.request(0),
        limits,
        context: None,
        preference: CopyPreference::Any,
        keep_alive: None,
        purpose: Purpose::Fetch,
        fetch: None,
    };
    let search = RoutedSearch::new(cluster.router(None));
    let error = search.query(&cluster.target(0), query).await.unwrap_err();
    assert!(
        matches!(error, ShardSearchError::Unreachable { .. }),
        "{error}"
    );
    assert_eq!(until_searching(&cluster, false).await, (0, 3));
}
