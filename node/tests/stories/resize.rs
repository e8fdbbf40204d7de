//! An index gets more shards, then fewer, and keeps its documents with their versions.

use serde_json::json;

use super::shop::Shop;

const DOCS: usize = 60;

#[test]
fn documents_and_versions_outlive_split_shrink_clone_and_a_power_cut() {
    let mut shop = Shop::open();
    let settings = json!({"settings": {
        "number_of_shards": 2, "number_of_replicas": 0, "number_of_routing_shards": 8,
    }});
    shop.put("/hats", settings);
    for number in 0..DOCS {
        // the first ten are written twice, and some go where their routing value says
        for _ in 0..if number < 10 { 2 } else { 1 } {
            let path = match number % 3 {
                0 => format!("/hats/_doc/{number}?routing=shelf{}", number % 4),
                _ => format!("/hats/_doc/{number}"),
            };
            let (status, body) = shop.put(&path, json!({"number": number}));
            assert!((200..300).contains(&status), "{body}");
        }
    }
    shop.delete("/hats/_doc/59");
    let (status, body) = shop.post(
        "/hats/_split/more",
        json!({"settings": {"number_of_shards": 4}}),
    );
    assert_eq!(
        (status, &body["error"]["type"]),
        (500, &json!("illegal_state_exception")),
        "{body}"
    );
    shop.put("/hats/_settings", json!({"index.blocks.write": true}));
    for (path, shards) in [
        ("/hats/_split/more", Some(8)),
        ("/more/_shrink/fewer", Some(1)),
        ("/hats/_clone/same", None),
    ] {
        let body = match shards {
            Some(shards) => json!({"settings": {"number_of_shards": shards}}),
            None => json!({}),
        };
        let (status, body) = shop.post(path, body);
        assert_eq!(
            (status, &body["shards_acknowledged"]),
            (200, &json!(true)),
            "{path}: {body}"
        );
    }
    check(&shop);
    shop.kill_9_and_restart();
    check(&shop);
}

fn check(shop: &Shop) {
    for index in ["hats", "more", "fewer", "same"] {
        let (_, body) = shop.get(&format!("/{index}/_count"));
        assert_eq!(body["count"], json!(DOCS - 1), "{index}");
        for number in 0..DOCS - 1 {
            let routing = match number % 3 {
                0 => format!("?routing=shelf{}", number % 4),
                _ => String::new(),
            };
            let (status, body) = shop.get(&format!("/{index}/_doc/{number}{routing}"));
            let version = if number < 10 { 2 } else { 1 };
            assert_eq!(
                (status, &body["_version"], &body["_source"]),
                (200, &json!(version), &json!({"number": number})),
                "{index}: {body}"
            );
        }
    }
}
