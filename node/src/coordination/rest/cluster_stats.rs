//! `_cluster/stats`: all indices and all nodes, together.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::cluster_health::count_all;
use super::index_params::timeouts;
use super::node_calls::{NodeCalls, figures_of, shard_sums};
use super::nodes::metrics;
use super::stats_sections::{Sections, show};
use super::{App, Endpoint, RestError, RestRequest, RestResponse, root};
use crate::cluster::ClusterState;
use crate::nodes::NodeFigures;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "cluster.stats",
    routes: &[
        (Method::GET, "/_cluster/stats"),
        (Method::GET, "/_cluster/stats/nodes/{node_id}"),
        (Method::GET, "/_cluster/stats/{metric}/nodes/{node_id}"),
        (
            Method::GET,
            "/_cluster/stats/{metric}/{index_metric}/nodes/{node_id}",
        ),
    ],
    params: &[&["flat_settings", "timeout"]],
    handler: |app, request| Box::pin(cluster_stats(app, request)),
}];

const CLUSTER_METRICS: &[&str] = &[
    "indices",
    "os",
    "process",
    "jvm",
    "fs",
    "plugins",
    "ingest",
    "network_types",
    "discovery_types",
    "packaging_types",
];

const CLUSTER_INDEX_METRICS: &[&str] = &[
    "shards",
    "docs",
    "store",
    "fielddata",
    "query_cache",
    "completion",
    "segments",
    "analysis",
    "mappings",
];

async fn cluster_stats(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let limit = timeouts(&request.params)?;
    let wanted: Vec<String> = request.list_var("metric");
    let index_wanted = request.list_var("index_metric");
    metrics(&wanted, CLUSTER_METRICS, &request.path)?;
    metrics(&index_wanted, CLUSTER_INDEX_METRICS, &request.path)?;
    let state = app.state();
    let calls = figures_of(&app, &state, request.var("node_id"), limit).await;
    let sums = shard_sums(&app, &state, limit).await;
    let sum = sums.all(calls.answers.iter().map(|(node, _)| *node));
    let counts = count_all(&state, state.indices.keys().map(String::as_str));
    let all = show(&sum, &Sections::all());
    let indices = state.indices.len() as u64;
    let per_index = |count: u64| {
        if indices == 0 {
            0.0
        } else {
            count as f64 / indices as f64
        }
    };
    let mut index_stats = Map::new();
    index_stats.insert("count".to_owned(), json!(indices));
    index_stats.insert(
        "shards".to_owned(),
        json!({
            "total": counts.active,
            "primaries": counts.active_primary,
            "replication": 0.0,
            "index": {"shards": {"avg": per_index(counts.active)}, "primaries": {"avg": per_index(counts.active_primary)}},
        }),
    );
    for key in [
        "docs",
        "store",
        "fielddata",
        "query_cache",
        "completion",
        "segments",
    ] {
        if let Some(section) = all.get(key) {
            index_stats.insert(key.to_owned(), section.clone());
        }
    }
    index_stats.insert("mappings".to_owned(), mapping_stats(&state));
    index_stats.insert("analysis".to_owned(), json!({}));
    if !index_wanted.is_empty() && !index_wanted.iter().any(|name| name == "_all") {
        index_stats.retain(|key, _| key == "count" || index_wanted.contains(key));
    }
    let mut node_part = node_part(&state, &calls);
    let is_wanted = |name: &str| {
        wanted.is_empty()
            || wanted
                .iter()
                .any(|metric| metric == name || metric == "_all")
    };
    if let Value::Object(parts) = &mut node_part {
        parts.retain(|key, _| ["count", "versions"].contains(&key.as_str()) || is_wanted(key));
    }
    let mut answer = Map::new();
    answer.insert("_nodes".to_owned(), calls.header());
    answer.insert("cluster_name".to_owned(), json!(state.cluster_name));
    answer.insert("cluster_uuid".to_owned(), json!(state.cluster_uuid));
    answer.insert("timestamp".to_owned(), json!(app.now_ms()));
    answer.insert("status".to_owned(), json!(counts.status()));
    if is_wanted("indices") {
        answer.insert("indices".to_owned(), Value::Object(index_stats));
    }
    answer.insert("nodes".to_owned(), node_part);
    Ok(RestResponse::ok(&answer))
}

/// What the chosen nodes are and use, together.
fn node_part(state: &ClusterState, calls: &NodeCalls<'_, NodeFigures>) -> Value {
    let count = calls.answers.len();
    let with_role = |role: &str| {
        let nodes = calls.answers.iter();
        let has = nodes.filter(|(node, _)| node.roles.iter().any(|own| own == role));
        has.count()
    };
    let sum = |of: fn(&NodeFigures) -> u64| -> u64 {
        calls.answers.iter().map(|(_, figures)| of(figures)).sum()
    };
    let files = |figures: &NodeFigures| figures.process.open_files;
    let open_files = calls.answers.iter().map(|(_, figures)| files(figures));
    let by_os = |shown: &str| {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, figures) in &calls.answers {
            *counts.entry(figures.os.as_str()).or_default() += 1;
        }
        let names = counts.into_iter();
        let names = names.map(|(name, count)| json!({shown: name, "count": count}));
        names.collect::<Vec<Value>>()
    };
    let (total, free) = (
        sum(|figures| figures.machine.memory_total),
        sum(|figures| figures.machine.memory_free),
    );
    let used = total.saturating_sub(free);
    let used_percent = (100 * used).checked_div(total).unwrap_or(0);
    let percents = sum(NodeFigures::cpu_percent);
    let without_roles = calls.answers.iter();
    let without_roles = without_roles.filter(|(node, _)| node.roles.is_empty());
    let uptimes = calls.answers.iter().map(|(_, figures)| figures.uptime_ms());
    let discovery = match state.nodes.len() {
        1 => "single-node",
        _ => "zen",
    };
    json!({
        "count": {
            "total": count, "cluster_manager": with_role("cluster_manager"),
            "master": with_role("cluster_manager"), "data": with_role("data"), "ingest": with_role("ingest"),
            "coordinating_only": without_roles.count(),
            "remote_cluster_client": with_role("remote_cluster_client"), "search": 0, "warm": 0,
        },
        "versions": [root::OPENSEARCH_VERSION],
        "os": {
            "available_processors": sum(|figures| figures.processors),
            "allocated_processors": sum(|figures| figures.processors),
            "names": by_os("name"),
            "pretty_names": by_os("pretty_name"),
            "mem": {
                "total_in_bytes": total,
                "free_in_bytes": free,
                "used_in_bytes": used,
                "free_percent": 100 - used_percent,
                "used_percent": used_percent,
            },
        },
        "process": {
            "cpu": {"percent": percents},
            "open_file_descriptors": {
                "min": open_files.clone().min().unwrap_or(0),
                "max": open_files.max().unwrap_or(0),
                "avg": sum(files).checked_div(count as u64).unwrap_or(0),
            },
        },
        "jvm": {
            "max_uptime_in_millis": uptimes.max().unwrap_or(0),
            "versions": [],
            "mem": {
                "heap_used_in_bytes": sum(|figures| figures.process.resident),
                "heap_max_in_bytes": sum(|figures| figures.usable_memory),
            },
            "threads": sum(|figures| figures.process.threads),
        },
        "fs": {
            "total_in_bytes": sum(|figures| figures.disk.total),
            "free_in_bytes": sum(|figures| figures.disk.free),
            "available_in_bytes": sum(|figures| figures.disk.available),
            "cache_reserved_in_bytes": 0,
        },
        "plugins": [],
        "network_types": {"transport_types": {"none": count}, "http_types": {"hyper": count}},
        "discovery_types": {discovery: count},
        "packaging_types": [{"type": "tar", "count": count}],
        "ingest": {"number_of_pipelines": state.pipelines.len(), "processor_stats": {}},
    })
}

/// How many fields of each type there are, and in how many indices.
fn mapping_stats(state: &ClusterState) -> Value {
    let mut types: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for index in state.indices.values() {
        let mut own: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, field) in index.schema.mapping.fields() {
            *own.entry(field.type_name()).or_default() += 1;
        }
        for (kind, count) in own {
            let entry = types.entry(kind.to_owned()).or_default();
            entry.0 += count;
            entry.1 += 1;
        }
    }
    let shown: Vec<Value> = types
        .into_iter()
        .map(|(name, (count, indices))| json!({"name": name, "count": count, "index_count": indices}))
        .collect();
    json!({"field_types": shown})
}
