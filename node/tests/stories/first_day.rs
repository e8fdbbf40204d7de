//! The first day of a new user: store, read, change, remove, stop, start, find all of it again.

use serde_json::json;

use super::shop::Shop;

#[test]
fn numbers_come_back_to_the_last_bit() {
    let shop = Shop::open();
    let node = shop.node();
    node.ok(
        "PUT",
        "/hats",
        r#"{"mappings": {"properties": {"price": {"type": "double"}}}}"#,
    );
    // each is the shortest text of its double, and easily read as a neighbour
    let prices = [
        117918703.67106105,
        94.52706955539223,
        0.009221885624698875,
        1.8984972911602638,
        0.0009571162814602269,
    ];
    for (id, price) in prices.iter().enumerate() {
        node.ok(
            "PUT",
            &format!("/hats/_doc/{id}?refresh=true"),
            &format!("{{\"price\": {price:?}}}"),
        );
        let query = json!({"query": {"term": {"price": price}}, "docvalue_fields": ["price"]});
        let found = node.ok("POST", "/hats/_search", &query.to_string());
        assert_eq!(found["hits"]["hits"][0]["_id"], json!(id.to_string()));
        assert_eq!(found["hits"]["hits"][0]["fields"]["price"][0], json!(price));
    }
}

#[test]
fn slices_by_a_number_share_the_hats_out() {
    let shop = Shop::open();
    let node = shop.node();
    let mut lines = String::new();
    for id in 0..50 {
        lines += &format!("{{\"index\": {{\"_id\": \"{id}\"}}}}\n{{\"size\": {id}}}\n");
    }
    node.ok("POST", "/hats/_bulk?refresh=true", &lines);
    for field in ["_id", "size"] {
        let mut seen = std::collections::BTreeSet::new();
        for slice in 0..3 {
            let body = json!({"size": 50, "slice": {"field": field, "id": slice, "max": 3}});
            let page = node.ok("POST", "/hats/_search?scroll=1m", &body.to_string());
            for hit in page["hits"]["hits"].as_array().unwrap() {
                let id = hit["_id"].as_str().unwrap().to_owned();
                assert!(seen.insert(id), "{field}: {hit} is in two slices");
            }
        }
        assert_eq!(seen.len(), 50, "{field}");
    }
}

#[test]
fn the_same_seed_draws_the_same_hats() {
    let shop = Shop::open();
    let node = shop.node();
    let mut lines = String::new();
    for id in 0..20 {
        lines += &format!("{{\"index\": {{\"_id\": \"{id}\"}}}}\n{{\"size\": {id}}}\n");
    }
    node.ok("POST", "/hats/_bulk?refresh=true", &lines);
    for random in [r#"{"seed": 7}"#, r#"{"seed": "red", "field": "size"}"#] {
        let body = format!(
            "{{\"size\": 20, \"query\": {{\"function_score\": {{\"random_score\": {random}}}}}}}"
        );
        let draw = || node.ok("POST", "/hats/_search", &body)["hits"].clone();
        let first = draw();
        assert_eq!(first["total"]["value"], 20);
        assert_eq!(first, draw());
    }
    let unmapped =
        r#"{"query": {"function_score": {"random_score": {"seed": 7, "field": "none"}}}}"#;
    let (status, refused) = node.send("POST", "/hats/_search", unmapped);
    assert_eq!(status, 400, "{refused}");
}

#[test]
fn documents_outlive_a_restart_and_a_power_cut() {
    let mut shop = Shop::open();
    let (status, body) = shop.put("/hats/_doc/1", json!({"colour": "red", "size": {"cm": 57}}));
    assert_eq!(
        (status, &body["result"]),
        (201, &json!("created")),
        "{body}"
    );
    assert_eq!(
        body["_shards"],
        json!({"total": 2, "successful": 1, "failed": 0})
    );
    let (status, body) = shop.post("/hats/_update/1", json!({"doc": {"size": {"inch": 22}}}));
    assert_eq!((status, &body["_version"]), (200, &json!(2)), "{body}");
    let (status, body) = shop.node().send(
        "POST",
        "/hats/_bulk",
        "{\"index\":{\"_id\":2}}\n{\"colour\":\"blue\"}\n\
         {\"create\":{\"_id\":\"1\"}}\n{\"colour\":\"green\"}\n\
         {\"update\":{\"_id\":\"3\"}}\n{\"doc\":{\"colour\":\"grey\"},\"doc_as_upsert\":true}\n\
         {\"delete\":{\"_id\":\"4\"}}\n",
    );
    assert_eq!((status, &body["errors"]), (200, &json!(true)), "{body}");
    let statuses: Vec<&serde_json::Value> = ["index", "create", "update", "delete"]
        .iter()
        .zip(body["items"].as_array().unwrap())
        .map(|(action, item)| &item[action]["status"])
        .collect();
    assert_eq!(statuses, [201, 409, 201, 404]);

    shop.restart();
    check_all_there(&shop);
    let (_, body) = shop.delete("/hats/_doc/2");
    assert_eq!(
        (&body["result"], &body["_version"]),
        (&json!("deleted"), &json!(2)),
        "{body}"
    );

    shop.kill_9_and_restart();
    assert_eq!(shop.get("/hats/_doc/2").0, 404);
    let (_, body) = shop.get("/hats/_doc/3?_source_includes=col*");
    assert_eq!(body["_source"], json!({"colour": "grey"}));
}

fn check_all_there(shop: &Shop) {
    let (status, body) = shop.get("/hats/_doc/1");
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        (&body["_version"], &body["_seq_no"], &body["_source"]),
        (
            &json!(2),
            &json!(1),
            &json!({"colour": "red", "size": {"cm": 57, "inch": 22}})
        )
    );
    let (_, body) = shop.post("/hats/_mget", json!({"ids": ["2", "3", "4"]}));
    let found: Vec<bool> = body["docs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|doc| doc["found"].as_bool().unwrap())
        .collect();
    assert_eq!(found, [true, true, false]);
}

#[test]
fn a_writer_who_was_overtaken_is_told_so() {
    let shop = Shop::open();
    shop.put("/hats/_doc/1", json!({"n": 1}));
    shop.put("/hats/_doc/1", json!({"n": 2}));
    let (status, body) = shop.put(
        "/hats/_doc/1?if_seq_no=0&if_primary_term=1",
        json!({"n": 3}),
    );
    assert_eq!(status, 409);
    let error = &body["error"];
    assert_eq!(error["type"], "version_conflict_engine_exception");
    assert_eq!(
        (
            &error["index"],
            &error["shard"],
            error["index_uuid"].is_string()
        ),
        (&json!("hats"), &json!("0"), true)
    );
    let (status, body) = shop.post("/hats/_update/9", json!({"doc": {"n": 3}}));
    assert_eq!(
        (status, &body["error"]["type"]),
        (404, &json!("document_missing_exception"))
    );
    let (status, body) = shop.post("/hats/_update/1", json!({"doc": {"n": 2}}));
    assert_eq!((status, &body["result"]), (200, &json!("noop")), "{body}");
}

#[test]
fn one_folder_has_one_server() {
    let shop = Shop::open();
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_quidditch"))
        .arg("--data-dir")
        .arg(shop.data_dir())
        .args(["--http-addr", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(
        said.contains("another process") && said.contains("--data-dir"),
        "{said}"
    );
}

#[test]
fn it_answers_for_its_health_and_stops_in_peace() {
    let shop = Shop::open();
    let address = shop.node().url().trim_start_matches("http://").to_owned();
    let health = |address: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_quidditch"))
            .args(["health", "--http-addr", address])
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(health(&address));
    shop.close();
    assert!(!health(&address));
}

#[test]
fn writes_that_bring_new_fields_are_all_visible_at_once() {
    let shop = Shop::open();
    shop.put(
        "/hats",
        json!({"settings": {"number_of_shards": 1, "refresh_interval": "-1"},
               "mappings": {"properties": {"a": {"type": "long"}}}}),
    );
    // the second is refused after a mapping update was asked for: no round after the first writes anything
    let (status, body) = shop.node().send(
        "POST",
        "/hats/_bulk?refresh=true",
        "{\"index\":{\"_id\":1}}\n{\"a\":1}\n{\"index\":{\"_id\":2}}\n{\"b\":1,\"a\":\"x\"}\n\
         {\"index\":{\"_id\":3}}\n{\"a\":3,\"c\":1}\n",
    );
    assert_eq!((status, &body["errors"]), (200, &json!(true)), "{body}");
    assert_eq!(body["items"][0]["index"]["forced_refresh"], true, "{body}");
    let (_, body) = shop.get("/hats/_search");
    assert_eq!(body["hits"]["total"]["value"], 2, "{body}");
}
