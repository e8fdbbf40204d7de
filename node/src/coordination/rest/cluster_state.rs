//! `_cluster/state`: the state that the masters keep, in the shape that tools read.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::alias_body::show_aliases;
use super::cluster::state_indices;
use super::endpoints::{INDICES_PARAMS, MASTER_PARAMS};
use super::index_body::show_settings;
use super::index_params::timeouts;
use super::stats_sections::unrecognized;
use super::{App, Endpoint, Params, RestError, RestRequest, RestResponse};
use crate::cluster::template::TemplateBody;
use crate::cluster::{BlockLevel, ClusterState, IndexMetadata, IndexState, NodeInfo, ShardCopy};

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    name: "cluster.state",
    routes: &[
        (Method::GET, "/_cluster/state"),
        (Method::GET, "/_cluster/state/{metric}"),
        (Method::GET, "/_cluster/state/{metric}/{index}"),
    ],
    params: &[
        MASTER_PARAMS,
        INDICES_PARAMS,
        &[
            "flat_settings",
            "local",
            "wait_for_metadata_version",
            "wait_for_timeout",
        ],
    ],
    handler: |app, request| Box::pin(state(app, request)),
}];

const METRICS: &[&str] = &[
    "version",
    "master_node",
    "cluster_manager_node",
    "blocks",
    "nodes",
    "metadata",
    "routing_table",
    "routing_nodes",
    "customs",
];

/// Reads the names of metrics; none and `_all` mean all.
pub(super) fn parse_metrics(
    names: &[String],
    path: &str,
) -> Result<BTreeSet<&'static str>, RestError> {
    let mut wanted = BTreeSet::new();
    if names.is_empty() || names.iter().any(|name| name == "_all") {
        wanted.extend(METRICS);
        return Ok(wanted);
    }
    for name in names {
        match METRICS.iter().find(|known| *known == name) {
            Some(known) => {
                wanted.insert(*known);
            }
            None => return Err(unrecognized(path, "metric", name, METRICS.iter().copied())),
        }
    }
    Ok(wanted)
}

async fn state(app: Arc<App>, request: RestRequest) -> Result<RestResponse, RestError> {
    timeouts(&request.params)?;
    let wanted = parse_metrics(&request.list_var("metric"), &request.path)?;
    let timeout = request
        .params
        .duration("wait_for_timeout", std::time::Duration::from_secs(60))?
        .unwrap_or(std::time::Duration::MAX);
    if let Some(version) = request.params.opt_long("wait_for_metadata_version")? {
        let mut states = app.masters.watch();
        let reached =
            states.wait_for(|state| i64::try_from(state.version).is_ok_and(|is| is >= version));
        if tokio::time::timeout(timeout, reached).await.is_err() {
            return Ok(RestResponse::ok(&json!({
                "cluster_name": app.state().cluster_name,
                "wait_for_timed_out": true,
            })));
        }
    }
    let indices = state_indices(&app, &request)?;
    let state = app.state();
    let shown = show(&app, &state, &wanted, indices.as_deref(), &request.params)?;
    Ok(RestResponse::ok(&shown))
}

/// The wanted parts of a state.
///
/// * `indices`: only these; `None` shows all.
pub(super) fn show(
    app: &App,
    state: &ClusterState,
    wanted: &BTreeSet<&'static str>,
    indices: Option<&[String]>,
    params: &Params,
) -> Result<Value, RestError> {
    let is_chosen =
        |name: &str| indices.is_none_or(|indices| indices.iter().any(|index| index == name));
    let mut shown = Map::new();
    shown.insert("cluster_name".to_owned(), json!(state.cluster_name));
    shown.insert("cluster_uuid".to_owned(), json!(state.cluster_uuid));
    if wanted.contains("version") {
        shown.insert("version".to_owned(), json!(state.version));
        shown.insert("state_uuid".to_owned(), json!(state.state_uuid));
    }
    if wanted.contains("master_node") {
        shown.insert("master_node".to_owned(), json!(state.master));
    }
    if wanted.contains("cluster_manager_node") {
        shown.insert("cluster_manager_node".to_owned(), json!(state.master));
    }
    if wanted.contains("blocks") {
        shown.insert("blocks".to_owned(), show_blocks(state, &is_chosen));
    }
    if wanted.contains("nodes") {
        let mut nodes = Map::new();
        for (id, node) in &state.nodes {
            nodes.insert(id.0.clone(), show_node(node));
        }
        shown.insert("nodes".to_owned(), Value::Object(nodes));
    }
    if wanted.contains("metadata") {
        shown.insert(
            "metadata".to_owned(),
            show_metadata(state, &is_chosen, params)?,
        );
    }
    if wanted.contains("routing_table") {
        let mut tables = Map::new();
        for (name, shards) in &state.routing.indices {
            if !is_chosen(name) {
                continue;
            }
            let mut table = Map::new();
            for (number, copies) in shards.iter().enumerate() {
                let copies: Vec<Value> = copies
                    .iter()
                    .map(|copy| show_copy(name, number, copy))
                    .collect();
                table.insert(number.to_string(), Value::Array(copies));
            }
            tables.insert(name.clone(), json!({"shards": table}));
        }
        shown.insert("routing_table".to_owned(), json!({"indices": tables}));
    }
    if wanted.contains("routing_nodes") {
        let mut unassigned = Vec::new();
        let mut held = Vec::new();
        for (name, shards) in &state.routing.indices {
            for (number, copies) in shards.iter().enumerate() {
                for copy in copies.iter().filter(|_| is_chosen(name)) {
                    match copy.node {
                        None => unassigned.push(show_copy(name, number, copy)),
                        Some(_) => held.push(show_copy(name, number, copy)),
                    }
                }
            }
        }
        let mut nodes = Map::new();
        nodes.insert(app.node.id.0.clone(), Value::Array(held));
        shown.insert(
            "routing_nodes".to_owned(),
            json!({"unassigned": unassigned, "nodes": nodes}),
        );
    }
    Ok(Value::Object(shown))
}

fn show_node(node: &NodeInfo) -> Value {
    json!({
        "name": node.name,
        "ephemeral_id": node.ephemeral_id,
        "transport_address": node.transport_address,
        "attributes": node.attributes,
    })
}

fn show_copy(index: &str, shard: usize, copy: &ShardCopy) -> Value {
    let mut shown = json!({
        "state": copy.state.name(),
        "primary": copy.primary,
        "node": copy.node,
        "relocating_node": null,
        "shard": shard,
        "index": index,
    });
    if let Some(id) = &copy.allocation_id {
        shown["allocation_id"] = json!({"id": id});
    }
    if let Some(unassigned) = &copy.unassigned {
        shown["recovery_source"] =
            json!({"type": if copy.primary { "EXISTING_STORE" } else { "PEER" }});
        shown["unassigned_info"] = json!({
            "reason": unassigned.reason,
            "at": super::index_body::show_date(unassigned.at_ms),
            "delayed": false,
            "allocation_status": "no_attempt",
        });
    }
    shown
}

fn show_blocks(state: &ClusterState, is_chosen: &dyn Fn(&str) -> bool) -> Value {
    const BLOCKS: &[(&str, &str, &str, &[&str])] = &[
        (
            "index.blocks.read_only",
            "5",
            "index read-only (api)",
            &["write", "metadata_write"],
        ),
        ("index.blocks.read", "7", "index read (api)", &["read"]),
        ("index.blocks.write", "8", "index write (api)", &["write"]),
        (
            "index.blocks.metadata",
            "9",
            "index metadata (api)",
            &["metadata_read", "metadata_write"],
        ),
        (
            "index.blocks.read_only_allow_delete",
            "12",
            "disk usage exceeded flood-stage watermark, index has read-only-allow-delete block",
            &["write", "metadata_write"],
        ),
    ];
    let mut blocks = Map::new();
    if state.check_cluster_block(BlockLevel::Write).is_err() {
        blocks.insert(
            "global".to_owned(),
            json!({"6": {"description": "cluster read-only (api)", "retryable": false, "levels": ["write", "metadata_write"]}}),
        );
    }
    let mut indices = Map::new();
    for index in state
        .indices
        .values()
        .filter(|index| is_chosen(&index.name))
    {
        let mut own = Map::new();
        if index.state == IndexState::Close {
            own.insert(
                "4".to_owned(),
                json!({"description": "index closed", "retryable": false, "levels": ["read", "write"]}),
            );
        }
        for (key, id, description, levels) in BLOCKS {
            if index.flag(key) {
                own.insert(
                    (*id).to_owned(),
                    json!({"description": description, "retryable": false, "levels": levels}),
                );
            }
        }
        if !own.is_empty() {
            indices.insert(index.name.clone(), Value::Object(own));
        }
    }
    if !indices.is_empty() {
        blocks.insert("indices".to_owned(), Value::Object(indices));
    }
    Value::Object(blocks)
}

fn show_metadata(
    state: &ClusterState,
    is_chosen: &dyn Fn(&str) -> bool,
    params: &Params,
) -> Result<Value, RestError> {
    let mut indices = Map::new();
    for index in state
        .indices
        .values()
        .filter(|index| is_chosen(&index.name))
    {
        indices.insert(index.name.clone(), show_index(index, params)?);
    }
    let mut legacy = Map::new();
    for (name, template) in &state.legacy_templates {
        let mut shown = show_template_body(&template.body, params)?;
        shown.insert("index_patterns".to_owned(), json!(template.index_patterns));
        shown.insert("order".to_owned(), json!(template.order));
        legacy.insert(name.clone(), Value::Object(shown));
    }
    let mut index_templates = Map::new();
    for (name, template) in &state.index_templates {
        let mut shown = Map::new();
        shown.insert("index_patterns".to_owned(), json!(template.index_patterns));
        shown.insert("composed_of".to_owned(), json!(template.composed_of));
        if let Some(body) = &template.template {
            shown.insert(
                "template".to_owned(),
                Value::Object(show_template_body(body, params)?),
            );
        }
        index_templates.insert(name.clone(), Value::Object(shown));
    }
    let mut components = Map::new();
    for (name, template) in &state.component_templates {
        components.insert(
            name.clone(),
            json!({"template": show_template_body(&template.template, params)?}),
        );
    }
    let mut tombstones = Vec::new();
    for grave in &state.graveyard {
        tombstones.push(json!({
            "index": {"index_name": grave.name, "index_uuid": grave.uuid},
            "delete_date_in_millis": grave.deleted_ms,
        }));
    }
    Ok(json!({
        "cluster_uuid": state.cluster_uuid,
        "cluster_uuid_committed": true,
        "cluster_coordination": {
            "term": 1,
            "last_committed_config": [state.master],
            "last_accepted_config": [state.master],
            "voting_config_exclusions": [],
        },
        "templates": legacy,
        "indices": indices,
        "index-graveyard": {"tombstones": tombstones},
        "index_template": {"index_template": index_templates},
        "component_template": {"component_template": components},
    }))
}

fn show_template_body(
    body: &TemplateBody,
    params: &Params,
) -> Result<Map<String, Value>, RestError> {
    let mut shown = Map::new();
    if let Some(settings) = &body.settings {
        shown.insert("settings".to_owned(), show_settings(settings, params)?);
    }
    if let Some(mappings) = &body.mappings {
        shown.insert("mappings".to_owned(), mappings.clone());
    }
    if let Some(aliases) = &body.aliases {
        shown.insert("aliases".to_owned(), show_aliases(aliases));
    }
    Ok(shown)
}

fn show_index(index: &IndexMetadata, params: &Params) -> Result<Value, RestError> {
    let mut primary_terms = Map::new();
    let mut in_sync = Map::new();
    for (shard, term) in index.primary_terms.iter().enumerate() {
        primary_terms.insert(shard.to_string(), json!(term));
    }
    for (shard, ids) in index.in_sync.iter().enumerate() {
        in_sync.insert(shard.to_string(), json!(ids));
    }
    let aliases: Vec<&String> = index.aliases.keys().collect();
    Ok(json!({
        "version": index.version,
        "mapping_version": index.mapping_version,
        "settings_version": index.settings_version,
        "aliases_version": index.aliases_version,
        "routing_num_shards": index.routing_num_shards,
        "state": index.state.name(),
        "settings": show_settings(&index.settings, params)?,
        "mappings": {"_doc": index.mapping},
        "aliases": aliases,
        "primary_terms": primary_terms,
        "in_sync_allocations": in_sync,
        "rollover_info": index.rollover_info,
        "system": false,
    }))
}
