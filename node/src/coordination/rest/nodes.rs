//! Nodes: `_nodes`, `_nodes/stats`, `_nodes/hot_threads`, `_nodes/usage`, and `_cluster/stats`.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::Method;
use quidditch_engine::shard::ShardStats;
use serde_json::{Map, Value, json};

use super::cluster_health::count_all;
use super::index_params::timeouts;
use super::machine_stats::{disk, machine, process};
use super::shard_calls::ask_all;
use super::stats_sections::{Sections, add, show, unrecognized};
use super::{App, Endpoint, RestError, RestRequest, RestResponse, root};
use crate::cluster::node_filter::is_chosen;
use crate::cluster::{ClusterState, IndicesOptions, NodeInfo, settings};
use crate::sys::machine::usable_memory;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "nodes.hot_threads",
        routes: &[
            (Method::GET, "/_nodes/hot_threads"),
            (Method::GET, "/_nodes/{node_id}/hot_threads"),
            (Method::GET, "/_nodes/hotthreads"),
            (Method::GET, "/_nodes/{node_id}/hotthreads"),
            (Method::GET, "/_cluster/nodes/hotthreads"),
            (Method::GET, "/_cluster/nodes/{node_id}/hotthreads"),
            (Method::GET, "/_cluster/nodes/hot_threads"),
            (Method::GET, "/_cluster/nodes/{node_id}/hot_threads"),
        ],
        params: &[&[
            "ignore_idle_threads",
            "interval",
            "snapshots",
            "threads",
            "timeout",
            "type",
        ]],
        handler: |app, request| Box::pin(hot_threads(app, request)),
    },
    Endpoint {
        name: "nodes.usage",
        routes: &[
            (Method::GET, "/_nodes/usage"),
            (Method::GET, "/_nodes/{node_id}/usage"),
            (Method::GET, "/_nodes/usage/{metric}"),
            (Method::GET, "/_nodes/{node_id}/usage/{metric}"),
        ],
        params: &[&["timeout"]],
        handler: |app, request| Box::pin(usage(app, request)),
    },
    Endpoint {
        name: "nodes.stats",
        routes: &[
            (Method::GET, "/_nodes/stats"),
            (Method::GET, "/_nodes/{node_id}/stats"),
            (Method::GET, "/_nodes/stats/{metric}"),
            (Method::GET, "/_nodes/{node_id}/stats/{metric}"),
            (Method::GET, "/_nodes/stats/{metric}/{index_metric}"),
            (
                Method::GET,
                "/_nodes/{node_id}/stats/{metric}/{index_metric}",
            ),
        ],
        params: &[&[
            "completion_fields",
            "fielddata_fields",
            "fields",
            "groups",
            "include_segment_file_sizes",
            "level",
            "timeout",
            "types",
        ]],
        handler: |app, request| Box::pin(stats(app, request)),
    },
    Endpoint {
        name: "nodes.info",
        routes: &[
            (Method::GET, "/_nodes"),
            (Method::GET, "/_nodes/{node_id}"),
            (Method::GET, "/_nodes/{node_id}/{metric}"),
        ],
        params: &[&["flat_settings", "timeout"]],
        handler: |app, request| Box::pin(info(app, request)),
    },
    Endpoint {
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
    },
];

const INFO_METRICS: &[&str] = &[
    "settings",
    "os",
    "process",
    "jvm",
    "thread_pool",
    "transport",
    "http",
    "plugins",
    "ingest",
    "aggregations",
    "indices",
    "search_pipelines",
];

const STATS_METRICS: &[&str] = &[
    "indices",
    "os",
    "process",
    "jvm",
    "thread_pool",
    "fs",
    "transport",
    "http",
    "breaker",
    "script",
    "discovery",
    "ingest",
    "adaptive_selection",
    "script_cache",
    "indexing_pressure",
    "shard_indexing_pressure",
    "search_backpressure",
    "cluster_manager_throttling",
    "weighted_routing",
    "file_cache",
    "task_cancellation",
    "search_pipeline",
    "resource_usage_stats",
    "segment_replication_backpressure",
    "repositories",
    "admission_control",
    "caches",
    "remote_store",
];

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

/// The counters of all open shards here.
pub(super) async fn node_stats(app: &Arc<App>, state: &ClusterState) -> ShardStats {
    let options = IndicesOptions {
        expand_hidden: true,
        ..IndicesOptions::LENIENT_EXPAND_OPEN
    };
    let found = state
        .resolve("", &options, app.now_ms())
        .unwrap_or_default();
    let calls = ask_all(state, &found, |target| {
        let app = app.clone();
        async move { app.shards.stats(&target).await }
    })
    .await;
    let mut sum = ShardStats::default();
    for (_, stats) in &calls.answers {
        add(&mut sum, stats);
        sum.search_groups.clear();
    }
    sum
}

fn metrics<'a>(
    names: &[String],
    known: &'a [&'a str],
    path: &str,
) -> Result<BTreeSet<&'a str>, RestError> {
    if names.is_empty() || names.iter().any(|name| name == "_all") {
        return Ok(known.iter().copied().collect());
    }
    let mut wanted = BTreeSet::new();
    for name in names {
        match known.iter().find(|metric| *metric == name) {
            Some(metric) => {
                wanted.insert(*metric);
            }
            None => return Err(unrecognized(path, "metric", name, known.iter().copied())),
        }
    }
    Ok(wanted)
}

fn envelope(state: &ClusterState, nodes: Map<String, Value>) -> Value {
    json!({
        "_nodes": {"total": nodes.len(), "successful": nodes.len(), "failed": 0},
        "cluster_name": state.cluster_name,
        "nodes": nodes,
    })
}

async fn info(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let mut filter = request.var("node_id").map(str::to_owned);
    let mut names = request.list_var("metric");
    // `/_nodes/{x}` is a list of metrics when all of x are, else a node filter.
    if names.is_empty()
        && let Some(list) = &filter
        && list.split(',').all(|name| INFO_METRICS.contains(&name))
    {
        names = list.split(',').map(str::to_owned).collect();
        filter = None;
    }
    let wanted: BTreeSet<&str> = if names.iter().any(|name| name == "_none") {
        BTreeSet::new()
    } else {
        // unknown ones are passed over; of them alone nothing is left
        let known: Vec<String> = names
            .iter()
            .filter(|name| *name == "_all" || INFO_METRICS.contains(&name.as_str()))
            .cloned()
            .collect();
        match known.is_empty() && !names.is_empty() {
            true => BTreeSet::new(),
            false => metrics(&known, INFO_METRICS, &request.path)?,
        }
    };
    let state = app.state();
    let flat = request.params.bool("flat_settings", false)?;
    let mut nodes = Map::new();
    for node in state.nodes.values() {
        if is_chosen(&state, node, &app.node.id, filter.as_deref()) {
            nodes.insert(
                node.id.0.clone(),
                show_info(&app, &state, node, &wanted, flat),
            );
        }
    }
    Ok(RestResponse::ok(&envelope(&state, nodes)))
}

fn show_info(
    app: &App,
    state: &ClusterState,
    node: &NodeInfo,
    wanted: &BTreeSet<&str>,
    flat: bool,
) -> Value {
    let mut shown = Map::new();
    for (key, value) in [
        ("name", json!(node.name)),
        ("transport_address", json!(node.transport_address)),
        ("host", json!(node.host)),
        ("ip", json!(node.ip)),
        ("version", json!(node.version)),
        ("build_type", json!("tar")),
        ("build_hash", json!(root::BUILD_HASH)),
        ("roles", json!(node.roles)),
        ("attributes", json!(node.attributes)),
    ] {
        shown.insert(key.to_owned(), value);
    }
    for metric in wanted {
        let value = match *metric {
            "settings" => {
                let mut own = std::collections::BTreeMap::new();
                own.insert("client.type".to_owned(), "node".to_owned());
                own.insert("cluster.name".to_owned(), state.cluster_name.clone());
                own.insert("node.name".to_owned(), node.name.clone());
                own.insert(
                    "path.data".to_owned(),
                    app.config.data_dir.display().to_string(),
                );
                for (name, value) in &node.attributes {
                    own.insert(format!("node.attr.{name}"), value.clone());
                }
                if flat {
                    settings::show_flat(&own)
                } else {
                    settings::nest(&own)
                }
            }
            "os" => json!({
                "refresh_interval_in_millis": 1000,
                "name": std::env::consts::OS,
                "pretty_name": std::env::consts::OS,
                "arch": std::env::consts::ARCH,
                "version": "",
                "available_processors": crate::sys::machine::processors(),
                "allocated_processors": crate::sys::machine::processors(),
            }),
            "process" => json!({
                "refresh_interval_in_millis": 1000,
                "id": std::process::id(),
                "mlockall": false,
            }),
            // There is no JVM; its bound is the memory that the process may use.
            "jvm" => json!({
                "pid": std::process::id(),
                "version": env!("CARGO_PKG_VERSION"),
                "vm_name": "none",
                "vm_version": env!("CARGO_PKG_VERSION"),
                "vm_vendor": "quidditch",
                "start_time_in_millis": node.started_ms,
                "mem": {
                    "heap_init_in_bytes": 0,
                    "heap_max_in_bytes": usable_memory(),
                    "non_heap_init_in_bytes": 0,
                    "non_heap_max_in_bytes": 0,
                    "direct_max_in_bytes": 0,
                },
                "gc_collectors": [],
                "memory_pools": [],
                "input_arguments": [],
            }),
            "thread_pool" => {
                let mut pools = Map::new();
                for pool in app.pools.stats() {
                    pools.insert(
                        pool.name.to_owned(),
                        json!({"type": "fixed", "size": pool.threads, "queue_size": pool.queue_size}),
                    );
                }
                Value::Object(pools)
            }
            "transport" => json!({
                "bound_address": [node.transport_address],
                "publish_address": node.transport_address,
                "profiles": {},
            }),
            "http" => json!({
                "bound_address": [node.http_address],
                "publish_address": node.http_address,
                "max_content_length_in_bytes": app.config.max_content_length,
            }),
            "plugins" => {
                shown.insert("modules".to_owned(), json!([]));
                json!([])
            }
            "ingest" => json!({"processors": []}),
            "aggregations" => json!({}),
            "search_pipelines" => json!({"request_processors": [], "response_processors": []}),
            _ => {
                shown.insert(
                    "total_indexing_buffer_in_bytes".to_owned(),
                    json!(usable_memory() / 10),
                );
                continue;
            }
        };
        shown.insert((*metric).to_owned(), value);
    }
    Value::Object(shown)
}

async fn stats(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let names = request.list_var("metric");
    let wanted = metrics(&names, STATS_METRICS, &request.path)?;
    let index_metrics = request.list_var("index_metric");
    if !index_metrics.is_empty() && !wanted.contains("indices") {
        return Err(RestError::illegal_argument(format!(
            "request [{}] contains index metrics [{}] but indices stats not requested",
            request.path,
            index_metrics.join(",")
        )));
    }
    let sections = Sections::parse(&index_metrics, &request.path, &request.params)?;
    request.params.bool("include_segment_file_sizes", false)?;
    let state = app.state();
    let sum = node_stats(&app, &state).await;
    let mut nodes = Map::new();
    for node in state.nodes.values() {
        if !is_chosen(&state, node, &app.node.id, request.var("node_id")) {
            continue;
        }
        let mut shown = Map::new();
        shown.insert("timestamp".to_owned(), json!(app.now_ms()));
        shown.insert("name".to_owned(), json!(node.name));
        shown.insert(
            "transport_address".to_owned(),
            json!(node.transport_address),
        );
        shown.insert("host".to_owned(), json!(node.host));
        shown.insert("ip".to_owned(), json!(node.ip));
        shown.insert("roles".to_owned(), json!(node.roles));
        shown.insert("attributes".to_owned(), json!(node.attributes));
        for metric in &wanted {
            let key = if *metric == "breaker" {
                "breakers"
            } else {
                metric
            };
            if let Some(value) = stats_section(&app, &state, metric, &sum, &sections) {
                shown.insert(key.to_owned(), value);
            }
        }
        nodes.insert(node.id.0.clone(), Value::Object(shown));
    }
    Ok(RestResponse::ok(&envelope(&state, nodes)))
}

/// One section of a node's counters; `None` for parts of the reference that have nothing to count here.
fn stats_section(
    app: &App,
    state: &ClusterState,
    metric: &str,
    sum: &ShardStats,
    sections: &Sections,
) -> Option<Value> {
    let now_ms = app.now_ms();
    Some(match metric {
        "indices" => {
            let mut shown = show(sum, sections);
            shown.insert(
                "status_counter".to_owned(),
                json!({"doc_status": {}, "search_response_status": {}}),
            );
            Value::Object(shown)
        }
        "os" => {
            let machine = machine();
            let used = machine.memory_total.saturating_sub(machine.memory_free);
            json!({
                "timestamp": now_ms,
                "cpu": {
                    "percent": cpu_percent(app),
                    "load_average": {"1m": machine.load[0], "5m": machine.load[1], "15m": machine.load[2]},
                },
                "mem": {
                    "total_in_bytes": machine.memory_total,
                    "free_in_bytes": machine.memory_free,
                    "used_in_bytes": used,
                    "free_percent": 100 - machine.memory_used_percent(),
                    "used_percent": machine.memory_used_percent(),
                },
                "swap": {
                    "total_in_bytes": machine.swap_total,
                    "free_in_bytes": machine.swap_free,
                    "used_in_bytes": machine.swap_total.saturating_sub(machine.swap_free),
                },
            })
        }
        "process" => {
            let process = process();
            json!({
                "timestamp": now_ms,
                "open_file_descriptors": process.open_files,
                "max_file_descriptors": process.open_files_max,
                "cpu": {"percent": cpu_percent(app), "total_in_millis": process.cpu_ms},
                "mem": {"total_virtual_in_bytes": process.virtual_size, "resident_in_bytes": process.resident},
            })
        }
        // There is no JVM: its heap is what this process holds of the memory that it may use.
        "jvm" => {
            let process = process();
            let usable = usable_memory();
            json!({
                "timestamp": now_ms,
                "uptime_in_millis": now_ms - app.node.started_ms,
                "mem": {
                    "heap_used_in_bytes": process.resident,
                    "heap_used_percent": 100 * process.resident / usable.max(1),
                    "heap_committed_in_bytes": process.resident,
                    "heap_max_in_bytes": usable,
                    "non_heap_used_in_bytes": 0,
                    "non_heap_committed_in_bytes": 0,
                    "pools": {},
                },
                "threads": {"count": process.threads, "peak_count": process.threads},
                "gc": {"collectors": {}},
                "buffer_pools": {
                    "direct": {"count": 0, "used_in_bytes": 0, "total_capacity_in_bytes": 0},
                    "mapped": {"count": 0, "used_in_bytes": 0, "total_capacity_in_bytes": 0},
                },
                "classes": {"current_loaded_count": 0, "total_loaded_count": 0, "total_unloaded_count": 0},
            })
        }
        "thread_pool" => {
            let mut pools = Map::new();
            for pool in app.pools.stats() {
                pools.insert(
                    pool.name.to_owned(),
                    json!({
                        "threads": pool.threads, "queue": pool.queue, "active": pool.active,
                        "rejected": pool.rejected, "largest": pool.threads, "completed": pool.completed,
                        "total_wait_time_in_nanos": pool.waited_nanos,
                    }),
                );
            }
            Value::Object(pools)
        }
        "fs" => {
            let disk = disk(&app.config.data_dir);
            let space = json!({
                "total_in_bytes": disk.total, "free_in_bytes": disk.free, "available_in_bytes": disk.available,
                "cache_reserved_in_bytes": 0,
            });
            json!({
                "timestamp": now_ms,
                "total": space,
                "data": [{
                    "path": app.config.data_dir,
                    "mount": app.config.data_dir,
                    "type": "local",
                    "total_in_bytes": disk.total,
                    "free_in_bytes": disk.free,
                    "available_in_bytes": disk.available,
                    "cache_reserved_in_bytes": 0,
                }],
            })
        }
        "transport" => json!({
            "server_open": 0, "total_outbound_connections": 0,
            "rx_count": 0, "rx_size_in_bytes": 0, "tx_count": 0, "tx_size_in_bytes": 0,
        }),
        "http" => json!({
            "current_open": app.connections.open_now(),
            "total_opened": app.connections.opened(),
        }),
        "breaker" => {
            let usable = usable_memory();
            json!({"parent": {
                "limit_size_in_bytes": usable,
                "limit_size": crate::cluster::setting_values::show_bytes(usable),
                "estimated_size_in_bytes": process().resident,
                "estimated_size": crate::cluster::setting_values::show_bytes(process().resident),
                "overhead": 1.0,
                "tripped": 0,
            }})
        }
        "script" => {
            json!({"compilations": 0, "cache_evictions": 0, "compilation_limit_triggered": 0})
        }
        "discovery" => json!({
            "cluster_state_queue": {"total": 0, "pending": app.masters.pending().tasks.len(), "committed": 0},
            "published_cluster_states": {
                "full_states": state.version, "incompatible_diffs": 0, "compatible_diffs": 0,
            },
            "cluster_state_stats": {
                "overall": {"update_count": state.version, "total_time_in_millis": 0, "failed_count": 0},
            },
        }),
        "ingest" => json!({
            "total": {"count": 0, "time_in_millis": 0, "current": 0, "failed": 0},
            "pipelines": {},
        }),
        "adaptive_selection" => json!({}),
        "script_cache" => json!({
            "sum": {"compilations": 0, "cache_evictions": 0, "compilation_limit_triggered": 0},
        }),
        "indexing_pressure" => {
            let (used, total) = (app.in_flight.current_bytes(), app.in_flight.total_bytes());
            json!({"memory": {
                "current": {
                    "combined_coordinating_and_primary_in_bytes": used,
                    "coordinating_in_bytes": used,
                    "primary_in_bytes": 0,
                    "replica_in_bytes": 0,
                    "all_in_bytes": used,
                },
                "total": {
                    "combined_coordinating_and_primary_in_bytes": total,
                    "coordinating_in_bytes": total,
                    "primary_in_bytes": 0,
                    "replica_in_bytes": 0,
                    "all_in_bytes": total,
                    "coordinating_rejections": app.in_flight.rejections(),
                    "primary_rejections": 0,
                    "replica_rejections": 0,
                },
                "limit_in_bytes": app.in_flight.limit(),
            }})
        }
        _ => return None,
    })
}

/// Processor time of this process since its start, as a part of all processors' time, 0 to 100.
pub(super) fn cpu_percent(app: &App) -> u64 {
    let uptime = u64::try_from(app.now_ms() - app.node.started_ms).unwrap_or(0);
    let all = uptime.saturating_mul(crate::sys::machine::processors() as u64);
    (100 * process().cpu_ms)
        .checked_div(all)
        .map_or(0, |percent| percent.min(100))
}

/// The busiest threads by processor time, in text.
async fn hot_threads(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let count = request.params.int("threads", 3)?;
    if count < 1 {
        return Err(RestError::illegal_argument(format!(
            "[threads] must be positive, not [{count}]"
        )));
    }
    request.params.bool("ignore_idle_threads", true)?;
    request.params.opt_int("snapshots")?;
    request.params.opt_duration("interval")?;
    let kind = request.params.get("type").unwrap_or("cpu");
    if !["cpu", "wait", "block"].contains(&kind) {
        return Err(RestError::illegal_argument(format!(
            "type not supported [{kind}]"
        )));
    }
    let state = app.state();
    let mut text = String::new();
    for node in state.nodes.values() {
        if !is_chosen(&state, node, &app.node.id, request.var("node_id")) {
            continue;
        }
        text.push_str(&format!(
            "::: {{{}}}{{{}}}{{{}}}{{{}}}\n   Hot threads by processor time since their start:\n\n",
            node.name, node.id, node.ephemeral_id, node.transport_address
        ));
        for (name, ms) in threads()
            .into_iter()
            .take(usize::try_from(count).unwrap_or(usize::MAX))
        {
            text.push_str(&format!("   {ms}ms cpu usage by thread '{name}'\n"));
        }
        text.push('\n');
    }
    Ok(RestResponse::text(200, text))
}

/// Threads of this process with their processor time in ms, the busiest first.
fn threads() -> Vec<(String, u64)> {
    let mut threads = Vec::new();
    let Ok(entries) = std::fs::read_dir("/proc/self/task") else {
        return threads;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        let stat = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map_or("", |(_, rest)| rest)
            .split_whitespace()
            .collect();
        let ticks = |at: usize| {
            fields
                .get(at)
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(0)
        };
        threads.push((name.trim().to_owned(), (ticks(11) + ticks(12)) * 10));
    }
    threads.sort_by_key(|(_, ms)| std::cmp::Reverse(*ms));
    threads
}

async fn usage(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let wanted = metrics(
        &request.list_var("metric"),
        &["rest_actions", "aggregations"],
        &request.path,
    )?;
    let state = app.state();
    let mut nodes = Map::new();
    for node in state.nodes.values() {
        if !is_chosen(&state, node, &app.node.id, request.var("node_id")) {
            continue;
        }
        let mut shown = Map::new();
        shown.insert("timestamp".to_owned(), json!(app.now_ms()));
        shown.insert("since".to_owned(), json!(node.started_ms));
        for metric in &wanted {
            shown.insert((*metric).to_owned(), json!({}));
        }
        nodes.insert(node.id.0.clone(), Value::Object(shown));
    }
    Ok(RestResponse::ok(&envelope(&state, nodes)))
}

async fn cluster_stats(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let wanted: Vec<String> = request.list_var("metric");
    let index_wanted = request.list_var("index_metric");
    metrics(&wanted, CLUSTER_METRICS, &request.path)?;
    metrics(&index_wanted, CLUSTER_INDEX_METRICS, &request.path)?;
    let state = app.state();
    let chosen = state
        .nodes
        .values()
        .filter(|node| is_chosen(&state, node, &app.node.id, request.var("node_id")))
        .count();
    let sum = node_stats(&app, &state).await;
    let counts = count_all(&state, state.indices.keys().map(String::as_str));
    let all = show(&sum, &Sections::all());
    let (process, machine, disk) = (process(), machine(), disk(&app.config.data_dir));
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
    let mut node_part = json!({
        "count": {
            "total": chosen, "cluster_manager": chosen, "master": chosen, "data": chosen, "ingest": chosen,
            "coordinating_only": 0, "remote_cluster_client": chosen, "search": 0, "warm": 0,
        },
        "versions": [root::OPENSEARCH_VERSION],
        "os": {
            "available_processors": crate::sys::machine::processors(),
            "allocated_processors": crate::sys::machine::processors(),
            "names": [{"name": std::env::consts::OS, "count": chosen}],
            "pretty_names": [{"pretty_name": std::env::consts::OS, "count": chosen}],
            "mem": {
                "total_in_bytes": machine.memory_total,
                "free_in_bytes": machine.memory_free,
                "used_in_bytes": machine.memory_total.saturating_sub(machine.memory_free),
                "free_percent": 100 - machine.memory_used_percent(),
                "used_percent": machine.memory_used_percent(),
            },
        },
        "process": {
            "cpu": {"percent": cpu_percent(&app)},
            "open_file_descriptors": {"min": process.open_files, "max": process.open_files, "avg": process.open_files},
        },
        "jvm": {
            "max_uptime_in_millis": app.now_ms() - app.node.started_ms,
            "versions": [],
            "mem": {"heap_used_in_bytes": process.resident, "heap_max_in_bytes": usable_memory()},
            "threads": process.threads,
        },
        "fs": {
            "total_in_bytes": disk.total, "free_in_bytes": disk.free, "available_in_bytes": disk.available,
            "cache_reserved_in_bytes": 0,
        },
        "plugins": [],
        "network_types": {"transport_types": {"none": chosen}, "http_types": {"hyper": chosen}},
        "discovery_types": {"single-node": chosen},
        "packaging_types": [{"type": "tar", "count": chosen}],
        "ingest": {"number_of_pipelines": state.pipelines.len(), "processor_stats": {}},
    });
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
    answer.insert(
        "_nodes".to_owned(),
        json!({"total": chosen, "successful": chosen, "failed": 0}),
    );
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

/// How many fields of each type there are, and in how many indices.
fn mapping_stats(state: &ClusterState) -> Value {
    let mut types: std::collections::BTreeMap<String, (u64, u64)> =
        std::collections::BTreeMap::new();
    for index in state.indices.values() {
        let mut own: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
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
