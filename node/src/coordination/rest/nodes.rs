//! Nodes: `_nodes`, `_nodes/stats`, `_nodes/hot_threads`, `_nodes/usage`, and `_cluster/stats`.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::Method;
use quidditch_engine::shard::ShardStats;
use serde_json::{Map, Value, json};

use super::index_params::timeouts;
use super::node_calls::{ShardSums, ask_nodes, figures_of, shard_sums};
use super::stats_sections::{Sections, show, unrecognized};
use super::{App, Endpoint, RestError, RestRequest, RestResponse, root};
use crate::cluster::{ClusterState, NodeInfo, settings};
use crate::nodes::{HotThread, NodeFigures};

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

pub(super) fn metrics<'a>(
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

async fn info(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let limit = timeouts(&request.params)?;
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
    let calls = figures_of(&app, &state, filter.as_deref(), limit).await;
    let answer = calls.answer(&state, |node, figures| {
        show_info(&state, node, figures, &wanted, flat)
    });
    Ok(RestResponse::ok(&answer))
}

fn show_info(
    state: &ClusterState,
    node: &NodeInfo,
    figures: &NodeFigures,
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
                own.insert("path.data".to_owned(), figures.data_dir.clone());
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
                "name": figures.os,
                "pretty_name": figures.os,
                "arch": figures.arch,
                "version": "",
                "available_processors": figures.processors,
                "allocated_processors": figures.processors,
            }),
            "process" => json!({
                "refresh_interval_in_millis": 1000,
                "id": figures.pid,
                "mlockall": false,
            }),
            // There is no JVM; its bound is the memory that the process may use.
            "jvm" => json!({
                "pid": figures.pid,
                "version": env!("CARGO_PKG_VERSION"),
                "vm_name": "none",
                "vm_version": env!("CARGO_PKG_VERSION"),
                "vm_vendor": "quidditch",
                "start_time_in_millis": node.started_ms,
                "mem": {
                    "heap_init_in_bytes": 0,
                    "heap_max_in_bytes": figures.usable_memory,
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
                for pool in &figures.pools {
                    pools.insert(
                        pool.name.clone(),
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
                "max_content_length_in_bytes": figures.content_length_max,
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
                    json!(figures.usable_memory / 10),
                );
                continue;
            }
        };
        shown.insert((*metric).to_owned(), value);
    }
    Value::Object(shown)
}

async fn stats(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let limit = timeouts(&request.params)?;
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
    let calls = figures_of(&app, &state, request.var("node_id"), limit).await;
    let sums = match wanted.contains("indices") {
        true => shard_sums(&app, &state, limit).await,
        false => ShardSums::default(),
    };
    let answer = calls.answer(&state, |node, figures| {
        let mut shown = Map::new();
        shown.insert("timestamp".to_owned(), json!(figures.now_ms));
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
            let key = match *metric {
                "breaker" => "breakers",
                metric => metric,
            };
            if let Some(value) = stats_section(&state, figures, metric, sums.of(node), &sections) {
                shown.insert(key.to_owned(), value);
            }
        }
        Value::Object(shown)
    });
    Ok(RestResponse::ok(&answer))
}

/// One section of a node's counters; `None` for parts of the reference that have nothing to count here.
fn stats_section(
    state: &ClusterState,
    figures: &NodeFigures,
    metric: &str,
    sum: &ShardStats,
    sections: &Sections,
) -> Option<Value> {
    let now_ms = figures.now_ms;
    let (process, machine) = (&figures.process, &figures.machine);
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
            let used = machine.memory_total.saturating_sub(machine.memory_free);
            json!({
                "timestamp": now_ms,
                "cpu": {
                    "percent": figures.cpu_percent(),
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
            json!({
                "timestamp": now_ms,
                "open_file_descriptors": process.open_files,
                "max_file_descriptors": process.open_files_max,
                "cpu": {"percent": figures.cpu_percent(), "total_in_millis": process.cpu_ms},
                "mem": {"total_virtual_in_bytes": process.virtual_size, "resident_in_bytes": process.resident},
            })
        }
        // There is no JVM: its heap is what this process holds of the memory that it may use.
        "jvm" => {
            let usable = figures.usable_memory;
            json!({
                "timestamp": now_ms,
                "uptime_in_millis": figures.uptime_ms(),
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
            for pool in &figures.pools {
                pools.insert(
                    pool.name.clone(),
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
            let disk = &figures.disk;
            let space = json!({
                "total_in_bytes": disk.total, "free_in_bytes": disk.free, "available_in_bytes": disk.available,
                "cache_reserved_in_bytes": 0,
            });
            json!({
                "timestamp": now_ms,
                "total": space,
                "data": [{
                    "path": figures.data_dir,
                    "mount": figures.data_dir,
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
            "current_open": figures.connections_open,
            "total_opened": figures.connections_opened,
        }),
        "breaker" => {
            let usable = figures.usable_memory;
            json!({"parent": {
                "limit_size_in_bytes": usable,
                "limit_size": crate::cluster::setting_values::show_bytes(usable),
                "estimated_size_in_bytes": process.resident,
                "estimated_size": crate::cluster::setting_values::show_bytes(process.resident),
                "overhead": 1.0,
                "tripped": 0,
            }})
        }
        "script" => {
            json!({"compilations": 0, "cache_evictions": 0, "compilation_limit_triggered": 0})
        }
        "discovery" => json!({
            "cluster_state_queue": {"total": 0, "pending": figures.pending_tasks, "committed": 0},
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
        "adaptive_selection" => {
            let mut nodes = Map::new();
            for asked in &figures.selection {
                nodes.insert(
                    asked.node.clone(),
                    json!({
                        "outgoing_searches": asked.outstanding,
                        "avg_queue_size": asked.outstanding,
                        "avg_service_time_ns": asked.response_nanos,
                        "avg_response_time_ns": asked.response_nanos,
                        "rank": format!("{:.1}", asked.response_nanos as f64 / 1e6),
                    }),
                );
            }
            Value::Object(nodes)
        }
        "script_cache" => json!({
            "sum": {"compilations": 0, "cache_evictions": 0, "compilation_limit_triggered": 0},
        }),
        "indexing_pressure" => {
            let bodies = &figures.in_flight;
            let (used, total) = (bodies.current_bytes, bodies.total_bytes);
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
                    "coordinating_rejections": bodies.rejections,
                    "primary_rejections": 0,
                    "replica_rejections": 0,
                },
                "limit_in_bytes": bodies.limit,
            }})
        }
        _ => return None,
    })
}

/// The busiest threads by processor time, in text.
async fn hot_threads(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let limit = timeouts(&request.params)?;
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
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let calls = ask_nodes(&app, &state, request.var("node_id"), limit, |node| {
        let app = app.clone();
        async move { app.nodes.hot_threads(&node).await }
    })
    .await;
    let mut text = String::new();
    for (node, threads) in &calls.answers {
        text.push_str(&format!(
            "::: {{{}}}{{{}}}{{{}}}{{{}}}\n   Hot threads by processor time since their start:\n\n",
            node.name, node.id, node.ephemeral_id, node.transport_address
        ));
        for thread in threads.iter().take(count) {
            let HotThread { name, cpu_ms } = thread;
            text.push_str(&format!("   {cpu_ms}ms cpu usage by thread '{name}'\n"));
        }
        text.push('\n');
    }
    Ok(RestResponse::text(200, text))
}

async fn usage(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let limit = timeouts(&request.params)?;
    let wanted = metrics(
        &request.list_var("metric"),
        &["rest_actions", "aggregations"],
        &request.path,
    )?;
    let state = app.state();
    let nothing_to_ask = |_| async { Ok(()) };
    let calls = ask_nodes(&app, &state, request.var("node_id"), limit, nothing_to_ask).await;
    let answer = calls.answer(&state, |node, ()| {
        let mut shown = Map::new();
        shown.insert("timestamp".to_owned(), json!(app.now_ms()));
        shown.insert("since".to_owned(), json!(node.started_ms));
        for metric in &wanted {
            shown.insert((*metric).to_owned(), json!({}));
        }
        Value::Object(shown)
    });
    Ok(RestResponse::ok(&answer))
}
