//! Many documents in one request.

use serde_json::{Value, json};

use super::shop::Shop;

const IDS: usize = 200;

/// The lines of one action on each document that `pick` picks.
fn lines(action: &str, step: usize, pick: impl Fn(usize) -> bool) -> String {
    let mut body = String::new();
    for n in (0..IDS).filter(|n| pick(*n)) {
        body.push_str(&json!({action: {"_id": format!("d{n}")}}).to_string());
        body.push('\n');
        if action == "delete" {
            continue;
        }
        // each step brings a field that the mapping does not know, in the middle of the request
        let late = format!("from_step_{step}_on");
        let mut source = json!({"step": step, "text": "a long line ".repeat(100)});
        if n > IDS / 2 {
            source[late] = json!(n);
        }
        body.push_str(&source.to_string());
        body.push('\n');
    }
    body
}

/// Id, status and version of each item.
fn items(answer: &Value) -> Vec<(String, u64, u64)> {
    let items = answer["items"].as_array().expect("items");
    let shown = |item: &Value| {
        let item = item.as_object().and_then(|item| item.values().next());
        let item = item.expect("one action an item");
        let id = item["_id"].as_str().expect("an id").to_owned();
        let version = item["_version"].as_u64().unwrap_or(0);
        (id, item["status"].as_u64().expect("a status"), version)
    };
    items.iter().map(shown).collect()
}

#[test]
fn a_large_bulk_keeps_the_order_of_each_document() {
    let shop = Shop::open_with(&["node.processors=4"]);
    let body = lines("index", 1, |_| true)
        + &lines("index", 2, |_| true)
        + &lines("delete", 3, |n| n % 4 == 0)
        + &lines("create", 4, |n| n % 4 < 2);
    let (status, answer) = shop.node().send("POST", "/hats/_bulk", &body);
    assert_eq!(status, 200, "{answer}");
    let mut expected = Vec::new();
    let all = 0..IDS;
    let id = |n: usize| format!("d{n}");
    expected.extend(all.clone().map(|n| (id(n), 201, 1)));
    expected.extend(all.clone().map(|n| (id(n), 200, 2)));
    expected.extend(all.clone().step_by(4).map(|n| (id(n), 200, 3)));
    expected.extend(all.filter(|n| n % 4 < 2).map(|n| match n % 4 {
        0 => (id(n), 201, 4),
        _ => (id(n), 409, 0),
    }));
    assert_eq!(items(&answer), expected);
    for n in 0..IDS {
        let (_, found) = shop.get(&format!("/hats/_doc/d{n}"));
        let step = if n % 4 == 0 { 4 } else { 2 };
        assert_eq!(found["_source"]["step"], step, "{n}: {found}");
    }
    shop.post("/hats/_refresh", json!({}));
    let count = |step: usize| {
        let field = format!("from_step_{step}_on");
        let query = json!({"query": {"exists": {"field": field}}});
        shop.post("/hats/_count", query).1["count"].clone()
    };
    let late = |pick: fn(usize) -> bool| (IDS / 2 + 1..IDS).filter(|n| pick(*n)).count();
    assert_eq!(count(1), 0);
    assert_eq!(count(2), late(|n| n % 4 != 0));
    assert_eq!(count(4), late(|n| n % 4 == 0));
    shop.close();
}

#[test]
fn an_acknowledged_large_bulk_survives_a_power_cut_in_its_order() {
    let mut shop = Shop::open_with(&["node.processors=4"]);
    let body = lines("index", 1, |_| true);
    let (status, answer) = shop.node().send("POST", "/hats/_bulk", &body);
    assert_eq!(
        (status, &answer["errors"]),
        (200, &json!(false)),
        "{answer}"
    );
    shop.kill_9_and_restart();
    for n in 0..IDS {
        let (status, found) = shop.get(&format!("/hats/_doc/d{n}"));
        assert_eq!((status, &found["_source"]["step"]), (200, &json!(1)), "{n}");
        assert_eq!(found["_seq_no"], n, "{found}");
    }
    shop.post("/hats/_refresh", json!({}));
    let (_, found) = shop.post("/hats/_search", json!({"size": IDS}));
    let hits = found["hits"]["hits"].as_array().unwrap();
    let ids: Vec<&str> = hits
        .iter()
        .map(|hit| hit["_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, (0..IDS).map(|n| format!("d{n}")).collect::<Vec<_>>());
    shop.close();
}
