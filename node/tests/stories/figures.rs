//! Somebody who watches the server: what it counts is what happened.

use serde_json::{Value, json};

use super::shop::Shop;

/// A shop with ten hats in one shard.
fn ten_hats() -> Shop {
    let shop = Shop::open();
    shop.node().ok(
        "PUT",
        "/hats",
        r#"{"settings": {"number_of_shards": 1, "number_of_replicas": 0}}"#,
    );
    let mut lines = String::new();
    for id in 0..10 {
        lines += &format!("{{\"index\": {{\"_id\": \"{id}\"}}}}\n{{\"size\": {id}}}\n");
    }
    shop.node().ok("POST", "/hats/_bulk?refresh=true", &lines);
    shop
}

fn search_counters(shop: &Shop) -> Value {
    let stats = shop.node().ok("GET", "/hats/_stats/search", "");
    stats["_all"]["total"]["search"].clone()
}

#[test]
fn scrolls_and_points_in_time_are_counted_while_open_and_when_over() {
    let shop = ten_hats();
    let node = shop.node();
    let scroll = node.ok("POST", "/hats/_search?scroll=1m&size=2", "");
    let pit = node.ok("POST", "/hats/_search/point_in_time?keep_alive=1m", "");
    let open = search_counters(&shop);
    assert_eq!(
        (
            &open["scroll_current"],
            &open["scroll_total"],
            &open["open_contexts"]
        ),
        (&json!(1), &json!(0), &json!(2))
    );
    assert_eq!(
        (&open["point_in_time_current"], &open["point_in_time_total"]),
        (&json!(1), &json!(0))
    );
    let shown = node.ok(
        "GET",
        "/_cat/shards/hats?format=json&h=search.open_contexts,search.scroll_current,search.point_in_time_current",
        "",
    );
    assert_eq!(
        shown[0],
        json!({"search.open_contexts": "2", "search.scroll_current": "1", "search.point_in_time_current": "1"})
    );
    let ended = json!({"scroll_id": scroll["_scroll_id"]}).to_string();
    node.ok("DELETE", "/_search/scroll", &ended);
    let ended = json!({"pit_id": pit["pit_id"]}).to_string();
    node.ok("DELETE", "/_search/point_in_time", &ended);
    let over = search_counters(&shop);
    assert_eq!(
        (
            &over["scroll_current"],
            &over["scroll_total"],
            &over["open_contexts"]
        ),
        (&json!(0), &json!(1), &json!(0))
    );
    assert_eq!(
        (&over["point_in_time_current"], &over["point_in_time_total"]),
        (&json!(0), &json!(1))
    );
}

#[test]
fn searches_show_in_their_thread_pool() {
    let shop = ten_hats();
    shop.node().ok("GET", "/hats/_search", "");
    let pools = shop.node().ok(
        "GET",
        "/_cat/thread_pool/search?format=json&h=name,completed",
        "",
    );
    let completed = pools[0]["completed"].as_str().unwrap();
    assert!(completed.parse::<u64>().unwrap() > 0, "{pools}");
}

#[test]
fn both_tables_tell_the_same_of_a_recovery() {
    let mut shop = ten_hats();
    shop.node().ok("POST", "/hats/_flush", "");
    shop.restart();
    let told = shop.node().ok("GET", "/hats/_recovery", "");
    let told = &told["hats"]["shards"][0];
    let shown = shop.node().ok(
        "GET",
        "/_cat/recovery/hats?format=json&bytes=b&time=ms&h=type,stage,start_time_millis,time,files_total,bytes_total,translog_ops",
        "",
    );
    let number = |value: &Value| value.as_i64().unwrap().to_string();
    assert_eq!(
        shown[0],
        json!({
            "type": "existing_store", "stage": "done",
            "start_time_millis": number(&told["start_time_in_millis"]),
            "time": number(&told["total_time_in_millis"]),
            "files_total": number(&told["index"]["files"]["total"]),
            "bytes_total": number(&told["index"]["size"]["total_in_bytes"]),
            "translog_ops": number(&told["translog"]["total"]),
        })
    );
    assert_eq!(told["index"]["files"]["total"], 1);
}

#[test]
fn updates_that_change_nothing_are_counted_and_deletes_of_nothing_are_not() {
    let shop = ten_hats();
    let node = shop.node();
    let same = r#"{"doc": {"size": 1}}"#;
    assert_eq!(node.ok("POST", "/hats/_update/1", same)["result"], "noop");
    let lines = format!(
        "{{\"update\": {{\"_id\": \"1\"}}}}\n{same}\n{{\"delete\": {{\"_id\": \"none\"}}}}\n"
    );
    node.ok("POST", "/hats/_bulk", &lines);
    let stats = node.ok("GET", "/hats/_stats/indexing", "");
    let indexing = &stats["_all"]["total"]["indexing"];
    assert_eq!(indexing["noop_update_total"], 2);
    assert_eq!(indexing["delete_total"], 1);
}
