//! Wrong and hostile requests get the 4xx that OpenSearch gives, and the process lives.

use serde_json::Value;

use super::hostile_table::ROWS;
use super::node::Node;

/// What a request carries.
pub(super) enum Body {
    /// These bytes.
    Text(&'static str),
    /// What this makes.
    Made(fn() -> Vec<u8>),
}

/// One request and what has to come back.
pub(super) struct Row {
    /// The verb; `POST item`: the answer is 200 and its first bulk item has the error.
    pub method: &'static str,
    pub path: &'static str,
    pub content_type: &'static str,
    pub body: Body,
    pub status: u16,
    /// The error's type or that of its first root cause; alternatives divided by `|`; empty: an error without a type.
    pub kind: &'static str,
}

fn prepare(node: &Node) {
    let mapping = r#"{"mappings": {"properties": {
        "name": {"type": "text"}, "tag": {"type": "keyword"}, "price": {"type": "long"}, "small": {"type": "byte"},
        "open": {"type": "boolean"}, "sold": {"type": "date"}, "addr": {"type": "ip"},
        "place": {"properties": {"city": {"type": "keyword"}}}}},
        "aliases": {"caps": {}}}"#;
    node.ok("PUT", "/hats", mapping);
    node.ok(
        "PUT",
        "/strict",
        r#"{"mappings": {"dynamic": "strict", "properties": {"known": {"type": "keyword"}}}}"#,
    );
    node.ok("PUT", "/closed", "");
    node.ok("POST", "/closed/_close", "");
    for id in 1..=3 {
        let hat = format!(
            r#"{{"name": "red hat {id}", "tag": "t{id}", "price": {id}, "sold": "2024-01-0{id}", "open": true, "addr": "10.0.0.{id}"}}"#
        );
        node.ok("PUT", &format!("/hats/_doc/{id}?refresh=true"), &hat);
    }
}

/// The types that an error names: its own and those of its root causes.
fn kinds(error: &Value) -> Vec<&str> {
    let mut kinds: Vec<&str> = error["type"].as_str().into_iter().collect();
    for cause in error["root_cause"].as_array().into_iter().flatten() {
        kinds.extend(cause["type"].as_str());
    }
    kinds
}

fn judge(row: &Row, status: u16, answer: &Value) -> Result<(), String> {
    let (status, error) = match row.method {
        "POST item" => {
            let item = answer["items"][0]
                .as_object()
                .and_then(|item| item.values().next());
            let item = item.unwrap_or(&Value::Null);
            (item["status"].as_u64().unwrap_or(0) as u16, &item["error"])
        }
        _ => (status, &answer["error"]),
    };
    if status != row.status {
        return Err(format!("status {status}, expected {}", row.status));
    }
    if error.is_null() {
        return Err("no error in the body".to_owned());
    }
    let wanted: Vec<&str> = row.kind.split('|').collect();
    let found = kinds(error);
    if found.is_empty() && wanted.contains(&"") {
        return Ok(());
    }
    match found.iter().any(|kind| wanted.contains(kind)) {
        true => Ok(()),
        false => Err(format!("type {found:?}, expected {wanted:?}")),
    }
}

#[test]
fn wrong_requests_get_their_4xx_and_the_server_lives() {
    assert!(ROWS.len() >= 300, "only {} rows", ROWS.len());
    let folder = tempfile::tempdir().expect("a folder");
    let mut node = Node::start(folder.path());
    prepare(&node);
    let mut failures = Vec::new();
    for (number, row) in ROWS.iter().enumerate() {
        let body = match &row.body {
            Body::Text(text) => text.as_bytes().to_vec(),
            Body::Made(make) => make(),
        };
        let shown = String::from_utf8_lossy(&body[..body.len().min(160)]).to_string();
        let method = row.method.split(' ').next().expect("a verb");
        let tidied = row.path.contains("..") || row.path.to_ascii_lowercase().contains("%2e");
        let answer = match tidied && body.is_empty() {
            true => node
                .send_verbatim(method, row.path)
                .map_err(|err| err.to_string()),
            false => node
                .try_send(method, row.path, row.content_type, body)
                .map(|answer| (answer.status().as_u16(), answer.text().unwrap_or_default()))
                .map_err(|err| err.to_string()),
        };
        let problem = match answer {
            Ok((status, text)) => {
                let parsed = serde_json::from_str(&text).unwrap_or(Value::Null);
                judge(row, status, &parsed).err().map(|why| {
                    format!(
                        "{why}; it says {}",
                        text.chars().take(300).collect::<String>()
                    )
                })
            }
            Err(why) => Some(why),
        };
        if let Some(problem) = problem {
            failures.push(format!(
                "row {number}: {method} {} {shown}\n      {problem}",
                row.path
            ));
        }
        assert!(
            node.is_alive(),
            "the server died at row {number}: {method} {}",
            row.path
        );
    }
    let count = node.ok("GET", "/hats/_count", "");
    assert_eq!(count["count"], 3, "a refused request left something behind");
    assert!(
        failures.is_empty(),
        "{} of {} rows differ:\n{}",
        failures.len(),
        ROWS.len(),
        failures.join("\n")
    );
}
