//! The cluster: `_cluster/state`, `settings`, `stats`, `pending_tasks`, `reroute`, `allocation/explain`; `_remote/info`.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::endpoints::{CHANGE_PARAMS, MASTER_PARAMS};
use super::index_body::show_settings;
use super::index_params::{self, body_object, change, timeouts};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::{IndicesOptions, ShardCopy, ShardState, cluster_settings, settings};
use crate::coordination::dsl::json::token_of;
use crate::master::Command;

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "cluster.get_settings",
        routes: &[(Method::GET, "/_cluster/settings")],
        params: &[
            CHANGE_PARAMS,
            &["flat_settings", "include_defaults", "local"],
        ],
        handler: |app, request| Box::pin(get_settings(app, request)),
    },
    Endpoint {
        name: "cluster.put_settings",
        routes: &[(Method::PUT, "/_cluster/settings")],
        params: &[CHANGE_PARAMS, &["flat_settings"]],
        handler: |app, request| Box::pin(put_settings(app, request)),
    },
    Endpoint {
        name: "cluster.pending_tasks",
        routes: &[(Method::GET, "/_cluster/pending_tasks")],
        params: &[MASTER_PARAMS, &["local"]],
        handler: |app, request| Box::pin(pending_tasks(app, request)),
    },
    Endpoint {
        name: "cluster.allocation_explain",
        routes: &[
            (Method::GET, "/_cluster/allocation/explain"),
            (Method::POST, "/_cluster/allocation/explain"),
        ],
        params: &[&["include_disk_info", "include_yes_decisions"]],
        handler: |app, request| Box::pin(allocation_explain(app, request)),
    },
    Endpoint {
        name: "cluster.remote_info",
        routes: &[(Method::GET, "/_remote/info")],
        params: &[],
        handler: |_, _| Box::pin(async { Ok(RestResponse::ok(&json!({}))) }),
    },
];

async fn get_settings(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let state = app.state();
    let mut answer = Map::new();
    answer.insert(
        "persistent".to_owned(),
        show_settings(&state.persistent, &request.params)?,
    );
    answer.insert(
        "transient".to_owned(),
        show_settings(&state.transient, &request.params)?,
    );
    if request.params.bool("include_defaults", false)? {
        let mut defaults = cluster_settings::defaults_beside(&state);
        defaults.insert("cluster.name".to_owned(), state.cluster_name.clone());
        defaults.insert("node.name".to_owned(), app.node.name.clone());
        for (name, value) in &app.node.attributes {
            defaults.insert(format!("node.attr.{name}"), value.clone());
        }
        answer.insert(
            "defaults".to_owned(),
            show_settings(&defaults, &request.params)?,
        );
    }
    Ok(RestResponse::ok(&answer))
}

async fn put_settings(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let body = body_object(&request)?
        .ok_or_else(|| RestError::new(400, "parse_exception", "request body is required"))?;
    let mut persistent = BTreeMap::new();
    let mut transient = BTreeMap::new();
    for (key, value) in &body {
        let part = match key.as_str() {
            "persistent" => &mut persistent,
            "transient" => &mut transient,
            other => {
                return Err(RestError::new(
                    400,
                    "x_content_parse_exception",
                    format!(
                        "[cluster_update_settings_request] unknown field [{other}], parser not found"
                    ),
                ));
            }
        };
        match value {
            Value::Object(object) => *part = settings::flatten(object, ""),
            Value::Null => {}
            _ => {
                return Err(RestError::new(
                    400,
                    "x_content_parse_exception",
                    format!("[cluster_update_settings_request] [{key}] must be an object"),
                ));
            }
        }
    }
    if persistent.is_empty() && transient.is_empty() {
        return Err(RestError::validation(&["no settings to update".to_owned()]));
    }
    let asked = (persistent.clone(), transient.clone());
    change(
        &app,
        &request.params,
        Command::UpdateClusterSettings {
            persistent,
            transient,
        },
    )
    .await?;
    let set = |part: BTreeMap<String, Option<String>>| -> BTreeMap<String, String> {
        part.into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    };
    let mut answer = Map::new();
    answer.insert("acknowledged".to_owned(), json!(true));
    answer.insert(
        "persistent".to_owned(),
        show_settings(&set(asked.0), &request.params)?,
    );
    answer.insert(
        "transient".to_owned(),
        show_settings(&set(asked.1), &request.params)?,
    );
    Ok(RestResponse::ok(&answer))
}

async fn pending_tasks(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let mut tasks = Vec::new();
    for task in app.masters.pending().tasks {
        tasks.push(json!({
            "insert_order": task.insert_order,
            "priority": "NORMAL",
            "source": task.source,
            "executing": task.executing,
            "time_in_queue_millis": task.waited_ms,
            "time_in_queue": crate::cluster::setting_values::show_ms(i64::try_from(task.waited_ms).unwrap_or(i64::MAX)),
        }));
    }
    Ok(RestResponse::ok(&json!({"tasks": tasks})))
}

async fn allocation_explain(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    let include_disk_info = request.params.bool("include_disk_info", false)?;
    request.params.bool("include_yes_decisions", false)?;
    let state = app.state();
    let body = body_object(&request)?.unwrap_or_default();
    check_explain_body(&body)?;
    let (index, shard, copy) = match body.get("index").and_then(Value::as_str) {
        Some(index) => {
            if state.index(index).is_none() {
                return Err(RestError::index_not_found(index));
            }
            let Some(shard) = body.get("shard").and_then(Value::as_u64).and_then(|shard| u32::try_from(shard).ok()) else {
                return Err(RestError::validation(&["shard must be specified".to_owned()]));
            };
            let Some(primary) = body.get("primary").and_then(Value::as_bool) else {
                return Err(RestError::validation(&["primary must be specified".to_owned()]));
            };
            let copies = state.routing.copies(index, shard);
            if copies.is_empty() {
                return Err(RestError::illegal_argument(format!(
                    "No shard was specified in the request which means the response should explain a randomly-chosen unassigned shard, but shard [{shard}] of [{index}] does not exist"
                )));
            }
            match copies.iter().find(|copy| copy.primary == primary) {
                Some(copy) => (index.to_owned(), shard, copy.clone()),
                None => {
                    return Err(RestError::illegal_argument(format!(
                        "unable to find any replica of [{index}][{shard}] to explain"
                    )));
                }
            }
        }
        None => first_unassigned(&state).ok_or_else(|| {
            RestError::illegal_argument(
                "unable to find any unassigned shards to explain [ClusterAllocationExplainRequest[useAnyUnassignedShard=true,includeYesDecisions?=false]",
            )
        })?,
    };
    let mut answer = Map::new();
    answer.insert("index".to_owned(), json!(index));
    answer.insert("shard".to_owned(), json!(shard));
    answer.insert("primary".to_owned(), json!(copy.primary));
    answer.insert(
        "current_state".to_owned(),
        json!(copy.state.name().to_lowercase()),
    );
    if let Some(unassigned) = &copy.unassigned {
        answer.insert(
            "unassigned_info".to_owned(),
            json!({
                "reason": unassigned.reason,
                "at": super::index_body::show_date(unassigned.at_ms),
                "details": unassigned.details,
                "last_allocation_status": "no_attempt",
            }),
        );
    }
    let node = json!({
        "id": app.node.id,
        "name": app.node.name,
        "transport_address": app.node.transport_address,
        "attributes": app.node.attributes,
    });
    if include_disk_info {
        let disk = super::machine_stats::disk(&app.config.data_dir);
        let mut nodes = Map::new();
        let usage = json!({
            "path": app.config.data_dir,
            "total_bytes": disk.total,
            "used_bytes": disk.total.saturating_sub(disk.available),
            "free_bytes": disk.available,
            "free_disk_percent": 100.0 - disk.used_percent(),
            "used_disk_percent": disk.used_percent(),
        });
        nodes.insert(
            app.node.id.0.clone(),
            json!({"node_name": app.node.name, "least_available": usage, "most_available": usage}),
        );
        answer.insert("cluster_info".to_owned(), json!({"nodes": nodes}));
    }
    if copy.state == ShardState::Started {
        answer.insert("current_node".to_owned(), node);
        answer.insert("can_remain_on_current_node".to_owned(), json!("yes"));
        answer.insert("can_rebalance_cluster".to_owned(), json!("yes"));
        answer.insert("can_rebalance_to_other_node".to_owned(), json!("no"));
        answer.insert(
            "rebalance_explanation".to_owned(),
            json!("cannot rebalance as no target node exists that can both allocate this shard and improve the cluster balance"),
        );
    } else {
        answer.insert("can_allocate".to_owned(), json!("no"));
        answer.insert(
            "allocate_explanation".to_owned(),
            json!("cannot allocate because allocation is not permitted to any of the nodes"),
        );
        answer.insert(
            "node_allocation_decisions".to_owned(),
            json!([{
                "node_id": app.node.id,
                "node_name": app.node.name,
                "transport_address": app.node.transport_address,
                "node_attributes": app.node.attributes,
                "node_decision": "no",
                "deciders": [{
                    "decider": "same_shard",
                    "decision": "NO",
                    "explanation": format!("a copy of this shard is already allocated to this node [[{index}][{shard}], node[{}]]", app.node.id),
                }],
            }]),
        );
    }
    Ok(RestResponse::ok(&answer))
}

/// Refuses what does not say which shard is meant.
fn check_explain_body(body: &Map<String, Value>) -> Result<(), RestError> {
    let refused = |what: String| {
        RestError::new(
            400,
            "x_content_parse_exception",
            format!("[cluster/allocation/explain] {what}"),
        )
    };
    for (key, value) in body {
        let fits = match key.as_str() {
            "index" => value.is_string(),
            "shard" => value.is_u64(),
            "primary" => value.is_boolean(),
            "current_node" => {
                return Err(refused("[current_node] is not supported".to_owned()));
            }
            _ => return Err(refused(format!("unknown field [{key}]"))),
        };
        if !fits {
            return Err(refused(format!(
                "{key} doesn't support values of type: {}",
                token_of(value)
            )));
        }
    }
    if !body.is_empty() && !body.contains_key("index") {
        return Err(RestError::validation(&[
            "index must be specified".to_owned()
        ]));
    }
    Ok(())
}

fn first_unassigned(state: &crate::cluster::ClusterState) -> Option<(String, u32, ShardCopy)> {
    for (index, shards) in &state.routing.indices {
        for (shard, copies) in shards.iter().enumerate() {
            if let Some(copy) = copies
                .iter()
                .find(|copy| copy.state == ShardState::Unassigned)
            {
                return Some((index.clone(), u32::try_from(shard).ok()?, copy.clone()));
            }
        }
    }
    None
}

/// The indices an expression leads to, closed and hidden ones too: what `_cluster/state` filters by.
pub(super) fn state_indices(
    app: &App,
    request: &RestRequest,
) -> Result<Option<Vec<String>>, RestError> {
    if request.var("index").is_none() {
        return Ok(None);
    }
    let base = IndicesOptions {
        ignore_unavailable: true,
        expand_closed: true,
        expand_hidden: true,
        ..IndicesOptions::STRICT_EXPAND_OPEN
    };
    let (_, found) = index_params::resolve(app, request, base)?;
    Ok(Some(index_params::names(&found)))
}
