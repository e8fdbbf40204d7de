//! What somebody sees who looks after a server.

use serde_json::{Value, json};

use super::shop::Shop;

/// The rows of a table of `_cat`.
fn rows(shop: &Shop, path: &str) -> Vec<Value> {
    let (status, rows) = shop.get(path);
    assert_eq!(status, 200, "{path}: {rows}");
    rows.as_array().cloned().unwrap_or_default()
}

fn node_stats(shop: &Shop, metric: &str) -> Value {
    let (_, stats) = shop.get(&format!("/_nodes/stats/{metric}"));
    let nodes = stats["nodes"].as_object().expect("nodes");
    nodes.values().next().expect("one node")[metric].clone()
}

#[test]
fn connections_and_bodies_are_counted() {
    let shop = Shop::open();
    shop.put("/hats/_doc/1", json!({"colour": "red"}));
    let http = node_stats(&shop, "http");
    assert!(http["current_open"].as_u64() >= Some(1), "{http}");
    let before = http["total_opened"].as_u64();
    shop.node()
        .send_verbatim("GET", "/")
        .expect("a connection of its own");
    let after = node_stats(&shop, "http")["total_opened"].as_u64();
    assert!(after > before, "{before:?} {after:?}");
    let pressure = node_stats(&shop, "indexing_pressure");
    let total = pressure["memory"]["total"]["coordinating_in_bytes"].as_u64();
    assert!(total > Some(0), "{pressure}");
}

#[test]
fn loaded_fielddata_is_seen_by_field_and_can_be_dropped() {
    let shop = Shop::open();
    let text = json!({"type": "text", "fielddata": true});
    shop.put(
        "/hats",
        json!({"mappings": {"properties": {"name": text, "notes": text}}}),
    );
    shop.put(
        "/hats/_doc/1?refresh=true",
        json!({"name": "red hat", "notes": "warm"}),
    );
    assert!(rows(&shop, "/_cat/fielddata?format=json").is_empty());
    let (status, found) = shop.post("/hats/_search", json!({"sort": ["name", "notes"]}));
    assert_eq!(status, 200, "{found}");
    let fields = |path: &str| -> Vec<Value> {
        let rows = rows(&shop, path);
        rows.iter().map(|row| row["field"].clone()).collect()
    };
    assert_eq!(fields("/_cat/fielddata?format=json"), ["name", "notes"]);
    assert_eq!(fields("/_cat/fielddata/n*e?format=json"), ["name"]);
    let loaded = |path: &str| shop.get(path).1["_all"]["total"]["fielddata"].clone();
    let stats = loaded("/hats/_stats/fielddata?fields=na*");
    assert!(stats["fields"]["name"]["memory_size_in_bytes"].as_u64() > Some(0));
    assert_eq!(stats["fields"]["notes"], Value::Null);
    assert_eq!(loaded("/hats/_stats/fielddata")["fields"], Value::Null);

    shop.node().ok("POST", "/hats/_cache/clear?query=true", "");
    assert_eq!(fields("/_cat/fielddata?format=json").len(), 2);
    shop.node()
        .ok("POST", "/hats/_cache/clear?fielddata=true&fields=name", "");
    assert_eq!(fields("/_cat/fielddata?format=json"), ["notes"]);
    shop.node().ok("POST", "/_cache/clear", "");
    assert!(fields("/_cat/fielddata?format=json").is_empty());
}

#[test]
fn filters_that_come_again_are_kept_until_their_cache_is_cleared() {
    let shop = Shop::open();
    let lines = (0..10_100).map(|n| format!("{{\"index\":{{}}}}\n{{\"price\":{n}}}\n"));
    shop.node()
        .ok("POST", "/hats/_bulk", &lines.collect::<String>());
    shop.node()
        .ok("POST", "/hats/_forcemerge?max_num_segments=1", "");
    shop.node().ok("POST", "/hats/_refresh", "");
    let cache = || shop.get("/hats/_stats/query_cache").1["_all"]["total"]["query_cache"].clone();
    assert_eq!(cache()["cache_size"], 0);
    for _ in 0..3 {
        let cheap = json!({"range": {"price": {"lt": 500}}});
        let body = json!({"query": {"bool": {"filter": cheap}}, "track_total_hits": true});
        let (status, found) = shop.post("/hats/_search", body);
        assert_eq!(
            (status, &found["hits"]["total"]["value"]),
            (200, &json!(500)),
            "{found}"
        );
    }
    let kept = cache();
    assert_eq!(
        (&kept["cache_size"], &kept["evictions"]),
        (&json!(1), &json!(0)),
        "{kept}"
    );
    assert!(kept["hit_count"].as_u64() > Some(0) && kept["miss_count"].as_u64() > Some(0));
    assert!(kept["memory_size_in_bytes"].as_u64() > Some(0));

    for kept in ["fielddata=true", "fields=price"] {
        shop.node()
            .ok("POST", &format!("/hats/_cache/clear?{kept}"), "");
        assert_eq!(cache()["cache_size"], 1, "{kept}");
    }
    shop.node().ok("POST", "/hats/_cache/clear?query=true", "");
    let cleared = cache();
    assert_eq!(
        (&cleared["cache_size"], &cleared["evictions"]),
        (&json!(0), &json!(1)),
        "{cleared}"
    );
    assert_eq!(
        (&cleared["memory_size_in_bytes"], &cleared["cache_count"]),
        (&json!(0), &json!(1))
    );
}

#[test]
fn long_jobs_are_in_the_table_of_tasks() {
    let shop = Shop::open();
    for id in 0..3 {
        shop.put(&format!("/hats/_doc/{id}"), json!({"colour": "red"}));
    }
    shop.node().ok("POST", "/hats/_refresh", "");
    // one document a page, and one page in a very long time
    let (_, begun) = shop.post(
        "/hats/_delete_by_query?wait_for_completion=false&scroll_size=1&requests_per_second=0.001",
        json!({"query": {"match_all": {}}}),
    );
    let task = begun["task"].as_str().expect("a task").to_owned();
    let listed = rows(
        &shop,
        "/_cat/tasks?format=json&h=action,task_id,description",
    );
    let job = listed.iter().find(|row| row["task_id"] == task.as_str());
    assert_eq!(
        job,
        Some(&json!({
            "action": "indices:data/write/delete/byquery",
            "task_id": task,
            "description": "delete-by-query [hats]",
        }))
    );
    assert!(
        listed
            .iter()
            .any(|row| row["action"] == "cluster:monitor/tasks/lists")
    );
    assert_eq!(
        rows(&shop, "/_cat/tasks?format=json&actions=*byquery").len(),
        1
    );
    shop.node()
        .ok("POST", &format!("/_tasks/{task}/_cancel"), "");
}

#[test]
fn settings_are_kept_and_shown_as_they_were_written() {
    let shop = Shop::open();
    let words: Vec<String> = (0..12).map(|n| format!("w{n}")).collect();
    let analysis = json!({
        "filter": {
            "some": {"type": "stop", "stopwords": words},
            "none": {"type": "stop", "stopwords": []},
        },
        "analyzer": {"a": {"type": "custom", "tokenizer": "standard", "filter": ["none"]}},
    });
    let (status, answer) = shop.put("/hats", json!({"settings": {"analysis": analysis}}));
    assert_eq!(status, 200, "{answer}");
    let (_, shown) = shop.get("/hats/_settings");
    let filters = &shown["hats"]["settings"]["index"]["analysis"]["filter"];
    assert_eq!(filters, &analysis["filter"]);
    let (_, flat) = shop.get("/hats/_settings?flat_settings=true");
    assert_eq!(
        flat["hats"]["settings"]["index.analysis.filter.some.stopwords"],
        json!(words)
    );
    let (_, tokens) = shop.post(
        "/hats/_analyze",
        json!({"analyzer": "a", "text": "the hat"}),
    );
    assert_eq!(
        tokens["tokens"].as_array().map(Vec::len),
        Some(2),
        "{tokens}"
    );
}

#[test]
fn limits_that_the_cluster_sets_hold() {
    let shop = Shop::open();
    shop.put(
        "/hats",
        json!({
            "settings": {"number_of_shards": 2},
            "mappings": {"properties": {"name": {"type": "text", "fielddata": true}}},
        }),
    );
    shop.put("/hats/_doc/1?refresh=true", json!({"name": "red hat"}));
    let set = |key: &str, value: Value| {
        let (status, answer) = shop.put("/_cluster/settings", json!({"transient": {key: value}}));
        assert_eq!(status, 200, "{answer}");
    };
    let search = |body: Value| shop.post("/hats/_search", body);
    let reason = |answer: &Value| answer["error"].to_string();

    set("action.search.shard_count.limit", json!(1));
    let (status, answer) = search(json!({}));
    assert_eq!(status, 400, "{answer}");
    assert!(reason(&answer).contains("Trying to query 2 shards"));
    set("action.search.shard_count.limit", Value::Null);

    set("indices.breaker.fielddata.limit", json!("1b"));
    let (status, answer) = search(json!({"sort": ["name"]}));
    assert_eq!((status, &answer["_shards"]["failed"]), (200, &json!(1)));
    set("search.default_allow_partial_results", json!(false));
    let (status, answer) = search(json!({"sort": ["name"]}));
    assert!(status >= 400, "{answer}");
    assert!(reason(&answer).contains("[fielddata] Data too large"));
    set("indices.breaker.fielddata.limit", Value::Null);
    assert_eq!(search(json!({"sort": ["name"]})).0, 200);

    let (_, pit) = shop.post("/hats/_search/point_in_time?keep_alive=1m", json!({}));
    shop.put("/hats/_settings", json!({"index.max_slices_per_pit": 2}));
    let slices = |max: u32| {
        let slice = json!({"id": 0, "max": max});
        shop.post(
            "/_search",
            json!({"pit": {"id": pit["pit_id"]}, "slice": slice}),
        )
    };
    assert_eq!(slices(2).0, 200);
    let (status, answer) = slices(3);
    assert_eq!(status, 400, "{answer}");
    assert!(reason(&answer).contains("[index.max_slices_per_pit]"));
}

#[test]
fn an_index_says_how_many_copies_a_write_waits_for() {
    let shop = Shop::open();
    let wanted = json!({"index.write.wait_for_active_shards": "all", "number_of_replicas": 1});
    shop.put("/hats", json!({"settings": wanted}));
    let put = |path: &str| shop.put(path, json!({"colour": "red"}));
    let (status, answer) = put("/hats/_doc/1?timeout=10ms");
    assert_eq!(
        (status, &answer["error"]["type"]),
        (503, &json!("unavailable_shards_exception"))
    );
    assert_eq!(put("/hats/_doc/1?wait_for_active_shards=1").0, 201);
    let wrong = json!({"index.write.wait_for_active_shards": "many"});
    assert_eq!(shop.put("/hats/_settings", wrong).0, 400);
    let one = json!({"index.write.wait_for_active_shards": "1"});
    assert_eq!(shop.put("/hats/_settings", one).0, 200);
    assert_eq!(put("/hats/_doc/2").0, 201);
}
