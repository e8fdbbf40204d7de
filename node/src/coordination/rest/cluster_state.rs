//! `_cluster/state`: the state that the masters keep, in the shape that tools read.

use std::collections::{BTreeMap, BTreeSet};
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
use crate::cluster::allocation::is_primary_target;
use crate::cluster::template::TemplateBody;
use crate::cluster::{
    BlockLevel, ClusterState, IndexMetadata, IndexState, NodeId, NodeInfo, RecoverySource,
    ShardCopy, ShardState,
};
use crate::master::Electorate;

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
    let electorate = electorate(&app, &wanted).await;
    let indices = indices.as_deref();
    let shown = show(&state, &electorate, &wanted, indices, &request.params)?;
    Ok(RestResponse::ok(&shown))
}

/// Who votes, when it is to be shown; nobody when no master tells.
pub(super) async fn electorate(app: &App, wanted: &BTreeSet<&'static str>) -> Electorate {
    match wanted.contains("metadata") {
        true => app.masters.electorate().await.unwrap_or_default(),
        false => Electorate::default(),
    }
}

/// The wanted parts of a state.
///
/// * `indices`: only these; `None` shows all.
pub(super) fn show(
    state: &ClusterState,
    electorate: &Electorate,
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
            show_metadata(state, electorate, &is_chosen, params)?,
        );
    }
    if wanted.contains("routing_table") {
        let mut tables = Map::new();
        for (name, shards) in &state.routing.indices {
            if !is_chosen(name) {
                continue;
            }
            let mut table = Map::new();
            for (number, copies) in (0..).zip(shards.iter()) {
                let copies: Vec<Value> = state
                    .routing
                    .counted(name, number)
                    .map(|copy| show_copy(state, (name, number), copies, copy))
                    .collect();
                table.insert(number.to_string(), Value::Array(copies));
            }
            tables.insert(name.clone(), json!({"shards": table}));
        }
        shown.insert("routing_table".to_owned(), json!({"indices": tables}));
    }
    if wanted.contains("routing_nodes") {
        let mut unassigned = Vec::new();
        let mut nodes: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for node in state.data_nodes() {
            nodes.insert(&node.id.0, Vec::new());
        }
        for (name, number, copy) in state.routing.all().filter(|(name, ..)| is_chosen(name)) {
            let copies = state.routing.copies(name, number);
            let shown = show_copy(state, (name, number), copies, copy);
            match &copy.node {
                None => unassigned.push(shown),
                Some(node) => nodes.entry(&node.0).or_default().push(shown),
            }
        }
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

fn show_copy(
    state: &ClusterState,
    (index, shard): (&str, u32),
    copies: &[ShardCopy],
    copy: &ShardCopy,
) -> Value {
    // the new end of a primary's move is shown as what it is going to be
    let is_primary = copy.primary || is_primary_target(copies, copy);
    let mut shown = json!({
        "state": copy.state.name(),
        "primary": is_primary,
        "node": copy.node,
        "relocating_node": copy.relocating_node,
        "shard": shard,
        "index": index,
    });
    if let Some(id) = &copy.allocation_id {
        shown["allocation_id"] = json!({"id": id});
        let other = |other: &&ShardCopy| {
            copy.relocating_node.is_some() && other.node == copy.relocating_node
        };
        if let Some(other) = copies.iter().find(other) {
            shown["allocation_id"]["relocation_id"] = json!(other.allocation_id);
        }
    }
    let source = copy.recovery.map(RecoverySource::name);
    let waits_for = || {
        if copy.primary {
            "EXISTING_STORE"
        } else {
            "PEER"
        }
    };
    if let Some(kind) = source.or_else(|| copy.unassigned.as_ref().map(|_| waits_for())) {
        shown["recovery_source"] = json!({"type": kind});
    }
    if let Some(unassigned) = &copy.unassigned {
        let is_delayed = unassigned.delayed_until_ms.is_some();
        shown["unassigned_info"] = json!({
            "reason": unassigned.reason,
            "at": super::index_body::show_date(unassigned.at_ms),
            "delayed": is_delayed,
            "allocation_status": allocation_status(state, (index, shard), copy, is_delayed),
        });
        if unassigned.failed_allocations > 0 {
            shown["unassigned_info"]["failed_attempts"] = json!(unassigned.failed_allocations);
        }
        if let Some(details) = &unassigned.details {
            shown["unassigned_info"]["details"] = json!(details);
        }
    }
    shown
}

/// What came of the last try to give a copy to a node, as far as the state alone tells.
fn allocation_status(
    state: &ClusterState,
    (index, shard): (&str, u32),
    copy: &ShardCopy,
    is_delayed: bool,
) -> &'static str {
    let waits = copy.state == ShardState::Unassigned;
    let index = state.index(index);
    let is_homeless = index.is_some_and(|index| {
        let homes = &index.homes[shard as usize];
        index.started.contains(&shard)
            && !homes.is_empty()
            && homes.values().all(|node| !state.nodes.contains_key(node))
    });
    match () {
        () if waits && copy.primary && is_homeless => "no_valid_shard_copy",
        () if waits && is_delayed => "delayed_allocation",
        () => "no_attempt",
    }
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
    electorate: &Electorate,
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
    let voters = electorate.voters.iter();
    let voters: Vec<&NodeId> = voters
        .filter_map(|name| state.node_named(name))
        .map(|node| &node.id)
        .collect();
    Ok(json!({
        "cluster_uuid": state.cluster_uuid,
        "cluster_uuid_committed": true,
        "cluster_coordination": {
            "term": electorate.term,
            "last_committed_config": voters,
            "last_accepted_config": voters,
            "voting_config_exclusions": state.voting_exclusions,
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
