//! `_search_shards`: which shards a search would ask, and where they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::endpoints::INDICES_PARAMS;
use super::search_params::{body_value, indices_options, locate};
use super::{App, Endpoint, RestError, RestRequest, RestResponse};
use crate::cluster::names::matches_pattern;
use crate::cluster::{ClusterState, IndicesOptions, ResolvedIndex};
use crate::coordination::dsl::Json;
use crate::coordination::dsl::search_body::parse_slice;
use crate::coordination::route::{Route, routes};

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "search_shards",
    routes: &[
        (Method::GET, "/_search_shards"),
        (Method::POST, "/_search_shards"),
        (Method::GET, "/{index}/_search_shards"),
        (Method::POST, "/{index}/_search_shards"),
    ],
    params: &[
        INDICES_PARAMS,
        &["ignore_throttled", "routing", "preference", "local"],
    ],
    handler: |app, request| Box::pin(search_shards(app, request)),
}];

async fn search_shards(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    let params = &request.params;
    params.opt_bool("local")?;
    let options = indices_options(params, IndicesOptions::STRICT_EXPAND_OPEN)?;
    let mut slice = None;
    if let Some(body) = body_value(&request)? {
        for (key, value) in Json::root(&body).members() {
            if key != "slice" {
                let error =
                    value.parsing(format!("Unknown key for a {} in [{key}].", value.token()));
                return Err(locate(&request, error));
            }
            slice = Some(parse_slice(&value).map_err(|error| locate(&request, error))?);
        }
    }
    let state = app.state();
    let names = request.list_var("index");
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let indices = state.resolve_all(&asked, &options, app.now_ms())?;
    let routes = routes(
        &indices,
        params.get("routing"),
        params.get("preference"),
        slice.as_ref(),
    )?;
    let mut nodes = Map::new();
    for (id, node) in &state.nodes {
        nodes.insert(
            id.0.clone(),
            json!({
                "name": node.name, "ephemeral_id": node.ephemeral_id, "transport_address": node.transport_address,
                "attributes": node.attributes,
            }),
        );
    }
    let mut described = BTreeMap::new();
    for index in &indices {
        described.insert(index.metadata.name.clone(), describe(index, &names));
    }
    let shards: Vec<Value> = routes.iter().map(|route| copies(&state, route)).collect();
    Ok(RestResponse::ok(
        &json!({"nodes": nodes, "indices": described, "shards": shards}),
    ))
}

/// The aliases an index was reached through, and what they let see.
fn describe(index: &ResolvedIndex, asked: &[String]) -> Value {
    let mut shown = Map::new();
    let used: Vec<&String> = index
        .metadata
        .aliases
        .keys()
        .filter(|alias| asked.iter().any(|pattern| matches_pattern(pattern, alias)))
        .collect();
    if !used.is_empty() {
        shown.insert("aliases".into(), json!(used));
    }
    match index.filters.as_deref() {
        Some([only]) => {
            shown.insert("filter".into(), only.clone());
        }
        Some(several) if !several.is_empty() => {
            let any =
                json!({"bool": {"should": several, "adjust_pure_negative": true, "boost": 1.0}});
            shown.insert("filter".into(), any);
        }
        _ => {}
    }
    Value::Object(shown)
}

/// The copies of a shard that can be searched.
fn copies(state: &ClusterState, route: &Route) -> Value {
    let target = &route.target;
    let known = state.routing.copies(&target.index, target.shard);
    let mut shown = Vec::new();
    for copy in known {
        let Some(node) = &copy.node else { continue };
        shown.push(json!({
            "state": copy.state.name(), "primary": copy.primary, "node": node.0, "relocating_node": null,
            "shard": route.target.shard, "index": route.target.index, "allocation_id": {"id": copy.allocation_id},
        }));
    }
    Value::Array(shown)
}
