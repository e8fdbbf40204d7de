//! `_cluster/allocation/explain`: why a copy is where it is, or why no node has it.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::index_params::body_object;
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::allocation::explain::{Explained, OnNode, Started, explain, first_unassigned};
use crate::cluster::allocation::{Said, Verdict};
use crate::cluster::setting_values::show_ms;
use crate::cluster::{ClusterState, NodeId, NodeInfo, NodeUsage};
use crate::coordination::dsl::json::token_of;
use crate::master::RandomIds;

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "cluster.allocation_explain",
    routes: &[
        (Method::GET, "/_cluster/allocation/explain"),
        (Method::POST, "/_cluster/allocation/explain"),
    ],
    params: &[&["include_disk_info", "include_yes_decisions"]],
    handler: |app, request| Box::pin(allocation_explain(app, request)),
}];

async fn allocation_explain(
    app: Arc<App>,
    request: RestRequest,
) -> Result<RestResponse, RestError> {
    let include_disk_info = request.params.bool("include_disk_info", false)?;
    let with_yes = request.params.bool("include_yes_decisions", false)?;
    let state = app.state();
    let body = body_object(&request)?.unwrap_or_default();
    let (index, shard, primary) = chosen(&state, &body)?;
    let on = body.get("current_node").and_then(Value::as_str);
    let on = on.map(|named| node_named(&state, named)).transpose()?;
    let asked = (index.as_str(), shard, primary);
    let explained = explain(&state, asked, on.as_ref(), app.now_ms(), &mut RandomIds);
    let Some(explained) = explained else {
        return Err(RestError::illegal_argument(match on {
            Some(node) => {
                format!("unable to find a copy of [{index}][{shard}] on node [{node}] to explain")
            }
            None => format!("unable to find any replica of [{index}][{shard}] to explain"),
        }));
    };
    let mut answer = Map::new();
    answer.insert("index".to_owned(), json!(index));
    answer.insert("shard".to_owned(), json!(shard));
    answer.insert("primary".to_owned(), json!(primary));
    show(&state, &explained, with_yes, &mut answer);
    if include_disk_info {
        answer.insert(
            "cluster_info".to_owned(),
            json!({"nodes": show_disks(&app, &state)}),
        );
    }
    Ok(RestResponse::ok(&answer))
}

/// The copy that a body asks about; without one the first that no node has.
fn chosen(
    state: &ClusterState,
    body: &Map<String, Value>,
) -> Result<(String, u32, bool), RestError> {
    check_explain_body(body)?;
    let Some(index) = body.get("index").and_then(Value::as_str) else {
        return first_unassigned(state).ok_or_else(|| {
            RestError::illegal_argument(
                "unable to find any unassigned shards to explain [ClusterAllocationExplainRequest[useAnyUnassignedShard=true,includeYesDecisions?=false]",
            )
        });
    };
    if state.index(index).is_none() {
        return Err(RestError::index_not_found(index));
    }
    let shard = body.get("shard").and_then(Value::as_u64);
    let Some(shard) = shard.and_then(|shard| u32::try_from(shard).ok()) else {
        return Err(RestError::validation(&[
            "shard must be specified".to_owned()
        ]));
    };
    let Some(primary) = body.get("primary").and_then(Value::as_bool) else {
        return Err(RestError::validation(&[
            "primary must be specified".to_owned()
        ]));
    };
    if state.routing.copies(index, shard).is_empty() {
        return Err(RestError::illegal_argument(format!(
            "No shard was specified in the request which means the response should explain a randomly-chosen unassigned shard, but shard [{shard}] of [{index}] does not exist"
        )));
    }
    Ok((index.to_owned(), shard, primary))
}

fn node_named(state: &ClusterState, named: &str) -> Result<NodeId, RestError> {
    let node = state
        .nodes
        .values()
        .find(|node| node.id.0 == named || node.name == named);
    node.map(|node| node.id.clone()).ok_or_else(|| {
        RestError::illegal_argument(format!("failed to resolve [{named}], no matching nodes"))
    })
}

fn show(
    state: &ClusterState,
    explained: &Explained,
    with_yes: bool,
    answer: &mut Map<String, Value>,
) {
    let copy = &explained.copy;
    let mut put = |key: &str, value: Value| {
        answer.insert(key.to_owned(), value);
    };
    put("current_state", json!(copy.state.name().to_lowercase()));
    if let Some(unassigned) = &copy.unassigned {
        let mut info = json!({
            "reason": unassigned.reason,
            "at": super::index_body::show_date(unassigned.at_ms),
            "details": unassigned.details,
            "last_allocation_status": explained.can_allocate.as_ref().map_or("no_attempt", |(word, _)| match *word {
                "no" => "no",
                "throttled" => "throttled",
                "no_valid_shard_copy" => "no_valid_shard_copy",
                _ => "no_attempt",
            }),
        });
        if unassigned.failed_allocations > 0 {
            info["failed_allocation_attempts"] = json!(unassigned.failed_allocations);
        }
        put("unassigned_info", info);
    }
    let node = copy.node.as_ref().and_then(|id| state.nodes.get(id));
    if let Some(node) = node {
        let mut shown = show_node(node);
        if let Some(started) = &explained.started {
            shown["weight_ranking"] = json!(started.rank);
        }
        put("current_node", shown);
    }
    if let Some((word, why)) = &explained.can_allocate {
        put("can_allocate", json!(word));
        put("allocate_explanation", json!(why));
    }
    if let Some((configured, left)) = explained.delay {
        put("configured_delay", json!(show_ms(configured)));
        put("configured_delay_in_millis", json!(configured));
        put("remaining_delay", json!(show_ms(left)));
        put("remaining_delay_in_millis", json!(left));
    }
    if let Some(started) = &explained.started {
        show_started(started, with_yes, &mut put);
    }
    if let Some(wait) = &explained.wait {
        put("explanation", json!(wait));
    }
    if !explained.nodes.is_empty() {
        let nodes = explained.nodes.iter();
        let nodes = nodes.map(|node| show_on_node(node, with_yes)).collect();
        put("node_allocation_decisions", Value::Array(nodes));
    }
    if !explained.remedies.is_empty() {
        put("remedies", json!(explained.remedies));
    }
}

fn show_started(started: &Started, with_yes: bool, put: &mut impl FnMut(&str, Value)) {
    let word = |verdict: Verdict| match verdict {
        Verdict::Yes => "yes",
        Verdict::Throttle => "throttled",
        Verdict::No => "no",
    };
    let (goes, why) = started.goes;
    put(
        "can_remain_on_current_node",
        json!(word(started.remain.verdict)),
    );
    if started.remain.verdict != Verdict::Yes {
        put("can_remain_decisions", show_said(&started.remain, with_yes));
        put("can_move_to_other_node", json!(goes));
        put("move_explanation", json!(why));
        return;
    }
    put(
        "can_rebalance_cluster",
        json!(word(started.rebalance.verdict)),
    );
    if started.rebalance.verdict != Verdict::Yes {
        put(
            "can_rebalance_cluster_decisions",
            show_said(&started.rebalance, with_yes),
        );
    }
    put("can_rebalance_to_other_node", json!(goes));
    put("rebalance_explanation", json!(why));
}

fn show_node(node: &NodeInfo) -> Value {
    json!({
        "id": node.id,
        "name": node.name,
        "transport_address": node.transport_address,
        "attributes": node.attributes,
    })
}

fn show_on_node(on: &OnNode, with_yes: bool) -> Value {
    let mut shown = json!({
        "node_id": on.node.id,
        "node_name": on.node.name,
        "transport_address": on.node.transport_address,
        "node_attributes": on.node.attributes,
        "node_decision": on.decision,
        "weight_ranking": on.rank,
    });
    if let Some(id) = &on.in_sync {
        shown["store"] = json!({"in_sync": true, "allocation_id": id});
    }
    let deciders = show_said(&on.said, with_yes);
    if deciders
        .as_array()
        .is_some_and(|deciders| !deciders.is_empty())
    {
        shown["deciders"] = deciders;
    }
    shown
}

/// What each rule said; those that agree only when they are asked for.
fn show_said(said: &Said, with_yes: bool) -> Value {
    let mut shown = Vec::new();
    for (name, decision) in &said.each {
        if decision.verdict != Verdict::Yes || with_yes {
            shown.push(json!({
                "decider": name,
                "decision": decision.verdict.name(),
                "explanation": decision.why,
            }));
        }
    }
    Value::Array(shown)
}

/// The disks of the nodes: this one's as it is now, the others' as they last told.
fn show_disks(app: &App, state: &ClusterState) -> Map<String, Value> {
    let mut nodes = Map::new();
    for node in state.nodes.values() {
        let told = state.usage.get(&node.id);
        let Some(usage) = disk_of(app, node, told) else {
            continue;
        };
        let free = usage.free_bytes as f64 * 100.0 / usage.total_bytes.max(1) as f64;
        let path = match node.id == app.node.id {
            true => app.config.data_dir.display().to_string(),
            false => String::new(),
        };
        let shown = json!({
            "path": path,
            "total_bytes": usage.total_bytes,
            "used_bytes": usage.total_bytes.saturating_sub(usage.free_bytes),
            "free_bytes": usage.free_bytes,
            "free_disk_percent": free,
            "used_disk_percent": 100.0 - free,
        });
        nodes.insert(
            node.id.0.clone(),
            json!({"node_name": node.name, "least_available": shown, "most_available": shown}),
        );
    }
    nodes
}

/// The disk of a node, if anything is known of it.
fn disk_of(app: &App, node: &NodeInfo, told: Option<&NodeUsage>) -> Option<NodeUsage> {
    if node.id != app.node.id {
        return told.cloned();
    }
    let disk = super::machine_stats::disk(&app.config.data_dir);
    Some(NodeUsage {
        node: node.id.clone(),
        total_bytes: disk.total,
        free_bytes: disk.available,
        copies: told.map(|usage| usage.copies.clone()).unwrap_or_default(),
    })
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
            "current_node" => value.is_string(),
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
