//! What every client relies on, whatever it asks for.

use serde_json::{Value, json};

use super::shop::Shop;

#[test]
fn says_who_it_is() {
    let shop = Shop::open();
    let (status, body) = shop.get("/");
    assert_eq!(status, 200);
    assert_eq!(body["version"]["distribution"], "opensearch");
    assert_eq!(
        body["version"]["number"]
            .as_str()
            .unwrap()
            .split('.')
            .count(),
        3
    );
    assert_eq!(
        body["tagline"],
        "The OpenSearch Project: https://opensearch.org/"
    );
    assert_eq!(body["cluster_uuid"].as_str().unwrap().len(), 22);
    assert_eq!(shop.node().send("HEAD", "/", ""), (200, json!(null)));
}

#[test]
fn refuses_in_the_words_of_the_reference() {
    let shop = Shop::open();
    let (status, body) = shop.get("/no/such/path");
    assert_eq!(
        (status, body),
        (
            400,
            json!({"error": "no handler found for uri [/no/such/path] and method [GET]"})
        )
    );
    let (status, body) = shop.delete("/_bulk");
    assert_eq!(status, 405);
    assert_eq!(
        body["error"],
        "Incorrect HTTP method for uri [/_bulk] and method [DELETE], allowed: [POST, PUT]"
    );
    let (status, body) = shop.get("/?pretti");
    assert_eq!(status, 400);
    assert_eq!(
        body["error"]["reason"],
        "request [/] contains unrecognized parameter: [pretti] -> did you mean [pretty]?"
    );
    let (status, body) = shop.get("/hats/_doc/1");
    assert_eq!(
        (status, &body["error"]["type"]),
        (404, &json!("index_not_found_exception"))
    );
    let (status, body) = shop.get("/?error_trace&filter_path=**.number,-name");
    assert_eq!(
        (status, body),
        (200, json!({"version": {"number": "3.6.0"}}))
    );
}

#[test]
fn bodies_may_come_in_other_formats() {
    let shop = Shop::open();
    let put = |kind: &str, body: &str| -> (u16, Value) {
        let answer = shop
            .node()
            .try_send("PUT", "/hats/_doc/1", kind, body.into())
            .unwrap();
        (
            answer.status().as_u16(),
            serde_json::from_str(&answer.text().unwrap()).unwrap(),
        )
    };
    assert_eq!(put("application/yaml", "colour: red\n").0, 201);
    assert_eq!(shop.get("/hats/_source/1"), (200, json!({"colour": "red"})));
    let (status, body) = put("text/plain", "colour: red");
    assert_eq!(
        (status, &body["error"]),
        (
            406,
            &json!("Content-Type header [text/plain] is not supported")
        )
    );
    assert_eq!(put("application/json", "{\"a\":").0, 400);
    let yaml = shop
        .node()
        .try_send("GET", "/hats/_source/1?format=yaml", "", Vec::new())
        .unwrap();
    assert_eq!(yaml.text().unwrap(), "---\ncolour: red\n");
}

#[test]
fn what_people_type_without_escapes_is_understood() {
    let shop = Shop::open();
    shop.put(
        "/hats/_doc/<1>?refresh=true",
        json!({"size": 7, "name": "{tall}"}),
    );
    let ask = |path: &str| -> (u16, Value) {
        let (status, body) = shop.node().send_verbatim("GET", path).unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    };
    let (status, found) = ask("/hats/_search?q=size:>6");
    assert_eq!((status, &found["hits"]["total"]["value"]), (200, &json!(1)));
    let (status, found) = ask(
        "/hats/_search?q=name:\"tall\"&source={\"size\":0}&source_content_type=application/json",
    );
    assert_eq!((status, &found["hits"]["total"]["value"]), (200, &json!(1)));
    let (status, found) = ask("/hats/_doc/<1>");
    assert_eq!((status, &found["_id"]), (200, &json!("<1>")));
    let (status, answer) = ask("/hats/_doc/\\^`{|}#");
    assert_eq!((status, &answer["_id"]), (404, &json!("\\^`{|}#")));
}

#[test]
fn bodies_beyond_the_limit_are_refused() {
    let shop = Shop::open_with(&["http.max_content_length=1kb"]);
    let (status, body) = shop.put("/hats/_doc/1", json!({"long": "x".repeat(2000)}));
    assert_eq!(
        (status, &body["error"]["type"]),
        (413, &json!("content_too_long_exception"))
    );
    assert_eq!(shop.put("/hats/_doc/1", json!({"short": "x"})).0, 201);
}

#[test]
fn the_client_finds_its_own_mark_on_the_answer() {
    let shop = Shop::open();
    let request = reqwest::blocking::Client::new()
        .get(shop.node().url())
        .header("x-opaque-id", "my-request");
    assert_eq!(
        request.send().unwrap().headers()["x-opaque-id"],
        "my-request"
    );
}
