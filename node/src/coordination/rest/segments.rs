//! `_segments`, `_recovery`, `_shard_stores`: what shards are made of and how they came to be.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::endpoints::INDICES_PARAMS;
use super::index_params;
use super::shard_calls::{AskedCopy, ShardCalls, Which, ask_all};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::setting_values::{show_bytes, show_ms};
use crate::cluster::{
    ClusterState, IndexState, IndicesOptions, NodeId, NodeInfo, ResolvedIndex, ShardCopy,
};
use crate::data::service::{RecoverySummary, SegmentSummary, ShardService, ShardTarget};

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "indices.segments",
        routes: &[
            (Method::GET, "/_segments"),
            (Method::GET, "/{index}/_segments"),
        ],
        params: &[INDICES_PARAMS, &["verbose"]],
        handler: |app, request| Box::pin(segments(app, request)),
    },
    Endpoint {
        name: "indices.recovery",
        routes: &[
            (Method::GET, "/_recovery"),
            (Method::GET, "/{index}/_recovery"),
        ],
        params: &[INDICES_PARAMS, &["active_only", "detailed"]],
        handler: |app, request| Box::pin(recovery(app, request)),
    },
    Endpoint {
        name: "indices.shard_stores",
        routes: &[
            (Method::GET, "/_shard_stores"),
            (Method::GET, "/{index}/_shard_stores"),
        ],
        params: &[INDICES_PARAMS, &["status"]],
        handler: |app, request| Box::pin(shard_stores(app, request)),
    },
];

/// Lucene's version in segment listings, as the reference's clients expect to find one.
pub(super) const SEGMENT_VERSION: &str = super::root::LUCENE_VERSION;

async fn segments(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    request.params.bool("verbose", false)?;
    let (state, found) = index_params::resolve(
        &app,
        &request,
        IndicesOptions::STRICT_EXPAND_OPEN_FORBID_CLOSED,
    )?;
    let calls = segments_of(&app, &state, &found).await;
    let mut indices: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for (asked, segments) in &calls.answers {
        let mut listed = Map::new();
        let mut committed = 0;
        for segment in segments {
            committed += u32::from(segment.committed);
            listed.insert(
                segment.name.clone(),
                json!({
                    "generation": segment.generation,
                    "num_docs": segment.docs,
                    "deleted_docs": segment.deleted,
                    "size_in_bytes": segment.size_bytes,
                    "memory_in_bytes": 0,
                    "committed": segment.committed,
                    "search": segment.search,
                    "version": SEGMENT_VERSION,
                    "compound": true,
                    "attributes": {},
                }),
            );
        }
        let shown = json!({
            "routing": {
                "state": asked.copy.state.name(), "primary": asked.copy.primary, "node": asked.copy.node,
            },
            "num_committed_segments": committed,
            "num_search_segments": segments.iter().filter(|segment| segment.search).count(),
            "segments": listed,
        });
        let shards = indices.entry(&asked.target.index).or_default();
        let shard = shards.entry(asked.target.shard.to_string());
        if let Value::Array(copies) = shard.or_insert_with(|| json!([])) {
            copies.push(shown);
        }
    }
    let mut shown = Map::new();
    for (name, shards) in indices {
        shown.insert(name.to_owned(), json!({"shards": shards}));
    }
    Ok(RestResponse::ok(
        &json!({"_shards": calls.header(), "indices": shown}),
    ))
}

/// The segments of all copies that serve.
pub(super) async fn segments_of(
    app: &App,
    state: &ClusterState,
    found: &[ResolvedIndex],
) -> ShardCalls<Vec<SegmentSummary>> {
    let segments =
        |shards: Arc<dyn ShardService>, target| async move { shards.segments(&target).await };
    ask_all(app, state, found, Which::Serving, segments).await
}

/// How the shards came up, closed ones too, or how far they are.
async fn recovery(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let detailed = request.params.bool("detailed", false)?;
    let active_only = request.params.bool("active_only", false)?;
    let human = request.params.bool("human", false)?;
    let (state, found) = index_params::resolve(&app, &request, IndicesOptions::STRICT_EXPAND)?;
    let mut indices: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let recoveries = recoveries(&app, &state, &found).await;
    for (asked, summary) in &recoveries {
        if !active_only || !summary.is_done() {
            let shown = show_recovery(&state, asked, summary, detailed, human);
            indices.entry(&asked.target.index).or_default().push(shown);
        }
    }
    let mut answer = Map::new();
    for (index, shards) in indices {
        answer.insert(index.to_owned(), json!({"shards": shards}));
    }
    Ok(RestResponse::ok(&answer))
}

/// How the shards of some indices came up, open ones first.
pub(super) async fn recoveries(
    app: &Arc<App>,
    state: &ClusterState,
    found: &[ResolvedIndex],
) -> Vec<(AskedCopy, RecoverySummary)> {
    let recovery =
        |shards: Arc<dyn ShardService>, target| async move { shards.recovery(&target).await };
    let calls = ask_all(app, state, found, Which::Assigned, recovery).await;
    let mut known = calls.answers;
    for resolved in found {
        let index = &resolved.metadata;
        if index.state != IndexState::Close {
            continue;
        }
        for shard in 0..index.number_of_shards {
            let target = ShardTarget {
                index: index.name.clone(),
                index_uuid: index.uuid.clone(),
                shard,
            };
            // Nothing is read of a closed shard but its commit point.
            if let Ok(stats) = app.shards.closed_stats(&target).await {
                let summary = RecoverySummary {
                    kind: "EXISTING_STORE".to_owned(),
                    began_ms: index.creation_date.max(app.node.started_ms),
                    files: stats.segments,
                    bytes: stats.segments_bytes,
                    bytes_reused: stats.segments_bytes,
                    stage: "done".to_owned(),
                    ..RecoverySummary::default()
                };
                let copy = state.routing.primary(&index.name, shard);
                let copy = copy.cloned().unwrap_or_else(|| ShardCopy::nowhere(true));
                known.push((AskedCopy { target, copy }, summary));
            }
        }
    }
    known
}

fn show_recovery(
    state: &ClusterState,
    asked: &AskedCopy,
    summary: &RecoverySummary,
    detailed: bool,
    human: bool,
) -> Value {
    let ended_ms = summary.ended_ms();
    let (files_percent, bytes_percent) = summary.percents();
    let show_node = |node: Option<&NodeInfo>| {
        json!({
            "id": node.map(|node| &node.id),
            "host": node.map(|node| &node.host),
            "transport_address": node.map(|node| &node.transport_address),
            "ip": node.map(|node| &node.ip),
            "name": node.map(|node| &node.name),
        })
    };
    let source = summary.source_node.clone().map(NodeId);
    let source = source.map_or_else(|| json!({}), |id| show_node(state.nodes.get(&id)));
    let mut shown = json!({
        "id": asked.target.shard,
        "type": summary.kind,
        "stage": summary.stage.to_uppercase(),
        "primary": asked.copy.primary,
        "start_time_in_millis": summary.began_ms,
        "total_time_in_millis": summary.took_ms,
        "source": source,
        "target": show_node(asked.node(state)),
        "index": {
            "size": {
                "total_in_bytes": summary.bytes,
                "reused_in_bytes": summary.bytes_reused,
                "recovered_in_bytes": summary.bytes_recovered,
                "percent": bytes_percent,
            },
            "files": {
                "total": summary.files,
                "reused": summary.files_reused(),
                "recovered": summary.files_recovered,
                "percent": files_percent,
            },
            "total_time_in_millis": 0,
            "source_throttle_time_in_millis": 0,
            "target_throttle_time_in_millis": summary.throttled_ms,
        },
        "translog": {
            "recovered": summary.operations,
            "total": summary.operations,
            "percent": "100.0%",
            "total_on_start": summary.operations,
            "total_time_in_millis": 0,
        },
        "verify_index": {"check_index_time_in_millis": 0, "total_time_in_millis": 0},
    });
    if summary.is_done() {
        shown["stop_time_in_millis"] = json!(ended_ms);
    }
    if summary.kind == "EXISTING_STORE" {
        shown["source"] = json!({"bootstrap_new_history_uuid": false});
    }
    if detailed {
        shown["index"]["files"]["details"] = json!([]);
    }
    if human {
        shown["start_time"] = json!(super::index_body::show_date(summary.began_ms));
        if summary.is_done() {
            shown["stop_time"] = json!(super::index_body::show_date(ended_ms));
        }
        let took = i64::try_from(summary.took_ms).unwrap_or(i64::MAX);
        shown["total_time"] = json!(show_ms(took));
        for (key, bytes) in [
            ("total", summary.bytes),
            ("reused", summary.bytes_reused),
            ("recovered", summary.bytes_recovered),
        ] {
            shown["index"]["size"][key] = json!(show_bytes(bytes));
        }
    }
    shown
}

async fn shard_stores(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let wanted = match request.params.list("status") {
        list if list.is_empty() => vec!["yellow".to_owned(), "red".to_owned()],
        list => list,
    };
    for status in &wanted {
        if !["green", "yellow", "red", "all"].contains(&status.as_str()) {
            return Err(RestError::illegal_argument(format!(
                "unknown cluster health status [{status}]"
            )));
        }
    }
    let (state, found) = index_params::resolve(&app, &request, IndicesOptions::STRICT_EXPAND)?;
    let mut indices = Map::new();
    for resolved in &found {
        let index = &resolved.metadata;
        let mut shards = Map::new();
        for shard in 0..index.number_of_shards {
            let copies = state.routing.copies(&index.name, shard);
            let status = shard_status(copies);
            if !wanted.iter().any(|name| name == "all" || name == status) {
                continue;
            }
            let mut stores = Vec::new();
            for copy in copies {
                let (Some(id), true) = (&copy.node, index.state == IndexState::Open) else {
                    continue;
                };
                let node = state.nodes.get(id);
                let mut store = Map::new();
                store.insert(
                    id.0.clone(),
                    json!({
                        "name": node.map(|node| &node.name),
                        "ephemeral_id": node.map(|node| &node.ephemeral_id),
                        "transport_address": node.map(|node| &node.transport_address),
                        "attributes": node.map(|node| &node.attributes),
                    }),
                );
                store.insert("allocation_id".to_owned(), json!(copy.allocation_id));
                store.insert(
                    "allocation".to_owned(),
                    json!(if copy.primary { "primary" } else { "replica" }),
                );
                stores.push(Value::Object(store));
            }
            shards.insert(shard.to_string(), json!({"stores": stores}));
        }
        if !shards.is_empty() {
            indices.insert(index.name.clone(), json!({"shards": shards}));
        }
    }
    Ok(RestResponse::ok(&json!({"indices": indices})))
}

/// `green`: all copies serve; `yellow`: the primary does; `red`: it does not.
pub(super) fn shard_status(copies: &[crate::cluster::ShardCopy]) -> &'static str {
    // the new end of a move is no copy more
    let mut counted = copies.iter().filter(|copy| !copy.is_relocation_target());
    if counted.all(|copy| copy.is_active()) && !copies.is_empty() {
        return "green";
    }
    if copies.iter().any(|copy| copy.primary && copy.is_active()) {
        "yellow"
    } else {
        "red"
    }
}
