//! Somebody watches the server: figures for Prometheus and a health check, on a port of their own.

use std::collections::BTreeMap;

use crate::node::Node;

/// What `GET` answers: status, content type, body.
fn get(url: &str) -> (u16, String, String) {
    let answer = reqwest::blocking::get(url).expect("an answer");
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    (answer.status().as_u16(), kind, answer.text().unwrap())
}

/// The samples by name and labels.
fn samples(node: &Node) -> BTreeMap<String, f64> {
    let url = format!("{}/metrics", node.metrics_url().expect("an address"));
    let (status, kind, text) = get(&url);
    assert_eq!(status, 200, "{text}");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(text.ends_with("# EOF\n"));
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a sample");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

#[test]
fn the_figures_are_those_of_what_was_done() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start_with(data.path(), &["metrics.port=0"]);
    node.ok(
        "PUT",
        "/hats",
        r#"{"settings": {"number_of_shards": 2, "number_of_replicas": 1}}"#,
    );
    let lines: String = (0..10)
        .map(|n| format!("{{\"index\":{{\"_id\":\"{n}\"}}}}\n{{\"n\":{n}}}\n"))
        .collect();
    node.ok("POST", "/hats/_bulk?refresh=true", &lines);
    node.ok("DELETE", "/hats/_doc/3", "");
    node.ok("POST", "/hats/_search", r#"{"query": {"match_all": {}}}"#);
    let samples = samples(&node);
    for (name, wanted) in [
        (
            "quidditch_shard_operations_total{operation=\"index\"}",
            10.0,
        ),
        (
            "quidditch_shard_operations_total{operation=\"delete\"}",
            1.0,
        ),
        ("quidditch_shard_operations_total{operation=\"query\"}", 2.0),
        ("quidditch_shard_copies", 2.0),
        ("quidditch_cluster_indices", 1.0),
        ("quidditch_cluster_nodes{role=\"data\"}", 1.0),
        ("quidditch_cluster_shard_copies{state=\"started\"}", 2.0),
        ("quidditch_cluster_shard_copies{state=\"unassigned\"}", 2.0),
        ("quidditch_cluster_primaries_inactive", 0.0),
        ("quidditch_translog_unsynced_operations", 0.0),
    ] {
        assert_eq!(samples.get(name), Some(&wanted), "{name}: {samples:#?}");
    }
    assert!(samples["quidditch_process_resident_bytes"] > 0.0);
    assert!(samples["quidditch_cluster_state_version"] > 1.0);
}

#[test]
fn a_health_check_names_the_node() {
    let data = tempfile::tempdir().unwrap();
    let settings = ["metrics.port=0", "node.name=hatter", "cluster.name=shop"];
    let node = Node::start_with(data.path(), &settings);
    let url = node.metrics_url().expect("an address").to_owned();
    let (status, _, text) = get(&format!("{url}/health"));
    let health: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(status, 200);
    assert_eq!(
        (
            &health["status"],
            &health["name"],
            &health["cluster_name"],
            &health["role"]
        ),
        (
            &"ok".into(),
            &"hatter".into(),
            &"shop".into(),
            &"all".into()
        )
    );
    assert_eq!(get(&format!("{url}/nothing")).0, 404);
}
