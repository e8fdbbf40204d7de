//! A new index: its name, settings, mapping and aliases, with what templates bring.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quidditch_engine::schema::IndexSchema;
use serde_json::{Map, Value, json};

use super::aliases;
use super::command::{CommandError, CreateIndex};
use super::decide::from_schema;
use super::event::Event;
use super::ids::Ids;
use super::templates::{self, Composed};
use crate::cluster::allocation::{auto_expanded, unassigned_index};
use crate::cluster::error::StateError;
use crate::cluster::index_metadata::{RESIZE_SOURCE, default_routing_num_shards};
use crate::cluster::names::{matches_pattern, validate_index_name};
use crate::cluster::{ClusterState, IndexMetadata, IndexState, NodeInfo, index_settings};

/// `version.created` of an index made by this build: the number of OpenSearch 3.6.0 (3060099) with the bit that
/// sets its versions apart (0x08000000).
pub const VERSION_CREATED: &str = "137277827";

/// Decides on a new index that somebody asked for.
pub(super) fn create(
    state: &ClusterState,
    request: CreateIndex,
    now_ms: i64,
    ids: &mut dyn Ids,
) -> Result<Vec<Event>, CommandError> {
    validate_index_name(&request.name)?;
    check_free(state, &request.name)?;
    if state.effective_setting("cluster.blocks.create_index") == "true" {
        return Err(StateError::new(
            403,
            "cluster_block_exception",
            "blocked by: [FORBIDDEN/10/cluster create-index blocked (api)];",
        ));
    }
    let index = build(state, request, now_ms, ids)?;
    check_shard_limit(state, &index)?;
    aliases::check_write_indices(state, std::slice::from_ref(&index))?;
    let shards = unassigned_index(&index, "INDEX_CREATED", now_ms);
    Ok(vec![
        Event::IndexPut(Arc::new(index.clone())),
        Event::ShardsRouted {
            index: index.name,
            shards,
        },
    ])
}

/// Decides on an index that a first write needs; one that is there already is fine.
pub(super) fn auto_create(
    state: &ClusterState,
    name: &str,
    now_ms: i64,
    ids: &mut dyn Ids,
) -> Result<Vec<Event>, CommandError> {
    if state.index(name).is_some() || !state.alias_members(name).is_empty() {
        return Ok(Vec::new());
    }
    check_auto_create(state, name)?;
    let request = CreateIndex {
        name: name.to_owned(),
        ..CreateIndex::default()
    };
    create(state, request, now_ms, ids)
}

fn check_free(state: &ClusterState, name: &str) -> Result<(), CommandError> {
    if let Some(index) = state.index(name) {
        return Err(StateError::index_exists(name, &index.uuid));
    }
    if !state.alias_members(name).is_empty() {
        return Err(StateError::invalid_index_name(
            name,
            "already exists as alias",
        ));
    }
    Ok(())
}

/// Whether `action.auto_create_index` lets a first write make this index.
pub fn check_auto_create(state: &ClusterState, name: &str) -> Result<(), CommandError> {
    let refused = |why: String| {
        Err(StateError::new(
            404,
            "index_not_found_exception",
            format!("no such index [{name}] and {why}"),
        )
        .with("index", name)
        .with("index_uuid", "_na_"))
    };
    let Some(parts) = state.setting_list("action.auto_create_index") else {
        return Ok(());
    };
    match parts.as_slice() {
        [only] if only == "true" || only.is_empty() => return Ok(()),
        [only] if only == "false" => {
            return refused("[action.auto_create_index] is [false]".to_owned());
        }
        _ => {}
    }
    for part in &parts {
        let (pattern, allowed) = match part.split_at_checked(1) {
            Some(("-", rest)) => (rest, false),
            Some(("+", rest)) => (rest, true),
            _ => (part.as_str(), true),
        };
        if matches_pattern(pattern, name) {
            if allowed {
                return Ok(());
            }
            return refused(format!(
                "[action.auto_create_index] contains [-{pattern}] which forbids automatic creation of the index"
            ));
        }
    }
    let text = parts.join(",");
    refused(format!(
        "[action.auto_create_index] ([{text}]) doesn't match"
    ))
}

/// The new index, without looking at limits of the cluster.
fn build(
    state: &ClusterState,
    request: CreateIndex,
    now_ms: i64,
    ids: &mut dyn Ids,
) -> Result<IndexMetadata, CommandError> {
    let name = request.name;
    let composed = if request.resized_from.is_some() {
        Composed::default()
    } else {
        templates::composed_for(
            state,
            &name,
            request.settings.get("index.hidden").map(String::as_str) == Some("true"),
        )
    };
    let mut settings = composed.settings;
    private_settings(&request.settings)?;
    index_settings::validate(&request.settings, true)?;
    replace_settings(&mut settings, request.settings);
    index_settings::validate(&settings, true)?;

    let mut aliases = BTreeMap::new();
    for (alias, metadata) in composed.aliases {
        aliases.insert(alias.replace("{index}", &name), metadata);
    }
    for (alias, metadata) in request.aliases {
        aliases.insert(alias, metadata);
    }
    for alias in aliases.keys() {
        aliases::validate_name(state, alias, Some(&name))?;
    }

    let number_of_shards = number(&settings, "index.number_of_shards", 1);
    let kept = request
        .resized_from
        .as_ref()
        .and_then(|source| source.routing_num_shards);
    let routing_num_shards = kept.unwrap_or_else(|| {
        number(
            &settings,
            "index.number_of_routing_shards",
            default_routing_num_shards(number_of_shards),
        )
    });
    if routing_num_shards < number_of_shards || !routing_num_shards.is_multiple_of(number_of_shards)
    {
        return Err(StateError::illegal_argument(
            if routing_num_shards < number_of_shards {
                format!(
                    "index.number_of_routing_shards [{routing_num_shards}] must be >= index.number_of_shards [{number_of_shards}]"
                )
            } else {
                format!(
                    "the number of source shards [{number_of_shards}] must be a factor of [{routing_num_shards}]"
                )
            },
        ));
    }
    let routing_partition_size = number(&settings, "index.routing_partition_size", 1);
    if routing_partition_size != 1 && routing_partition_size >= routing_num_shards {
        return Err(StateError::illegal_argument(format!(
            "partition size [{routing_partition_size}] should be a positive number less than the number of routing shards [{routing_num_shards}] for [{name}]"
        )));
    }
    let default_replicas =
        u32::try_from(state.setting_number("cluster.default_number_of_replicas", 1)).unwrap_or(1);
    let mut number_of_replicas = number(&settings, "index.number_of_replicas", default_replicas);
    if let Some(replicas) = settings
        .get("index.auto_expand_replicas")
        .and_then(|setting| auto_expanded(setting, state.data_nodes().count()))
    {
        number_of_replicas = replicas;
    }
    let uuid = ids.next_uuid();
    for (key, value) in [
        ("index.number_of_shards", number_of_shards.to_string()),
        ("index.number_of_replicas", number_of_replicas.to_string()),
        ("index.uuid", uuid.clone()),
        ("index.creation_date", now_ms.to_string()),
        ("index.version.created", VERSION_CREATED.to_owned()),
        (
            "index.provided_name",
            if request.provided_name.is_empty() {
                name.clone()
            } else {
                request.provided_name
            },
        ),
    ] {
        settings.insert(key.to_owned(), value);
    }
    if let Some(source) = request.resized_from {
        settings.insert("index.resize.source.name".to_owned(), source.name);
        settings.insert(RESIZE_SOURCE.to_owned(), source.uuid);
    }
    settings
        .entry("index.replication.type".to_owned())
        .or_insert_with(|| "DOCUMENT".to_owned());

    let mapping = match request.mapping {
        Value::Null => composed.mapping,
        mapping => templates::merge_mappings(composed.mapping, mapping, composed.is_legacy)?,
    };
    let schema = schema_of(&mapping, &settings)?;
    let mapping = schema.mapping.to_json();
    if routing_partition_size > 1
        && mapping.pointer("/_routing/required") != Some(&Value::Bool(true))
    {
        return Err(StateError::illegal_argument(format!(
            "mapping type [_doc] must have routing required for partitioned index [{name}]"
        )));
    }
    let mut in_sync = Vec::with_capacity(number_of_shards as usize);
    for _ in 0..number_of_shards {
        in_sync.push(BTreeSet::from([ids.next_uuid()]));
    }
    Ok(IndexMetadata {
        name,
        uuid,
        state: IndexState::Open,
        version: 1,
        mapping_version: 1,
        settings_version: 1,
        aliases_version: 1,
        creation_date: now_ms,
        number_of_shards,
        routing_num_shards,
        routing_partition_size,
        number_of_replicas,
        settings,
        mapping,
        aliases,
        primary_terms: vec![1; number_of_shards as usize],
        in_sync,
        homes: vec![BTreeMap::new(); number_of_shards as usize],
        started: BTreeSet::new(),
        rollover_info: Map::new(),
        schema: Arc::new(schema),
    })
}

/// The schema of a mapping, with refusals wrapped as the reference wraps them at creation.
pub(super) fn schema_of(
    mapping: &Value,
    settings: &BTreeMap<String, String>,
) -> Result<IndexSchema, CommandError> {
    let empty = json!({});
    let mapping = if mapping.is_null() { &empty } else { mapping };
    IndexSchema::new(mapping, settings).map_err(|error| {
        let refused = from_schema(&error);
        if refused.kind != "mapper_parsing_exception"
            || refused.reason.starts_with("Failed to parse mapping")
        {
            return refused;
        }
        StateError::new(
            400,
            "mapper_parsing_exception",
            format!("Failed to parse mapping [_doc]: {}", refused.reason),
        )
        .caused_by(refused)
    })
}

/// Puts new settings over old ones; a list replaces the whole of an older list.
pub(super) fn replace_settings(
    into: &mut BTreeMap<String, String>,
    from: BTreeMap<String, String>,
) {
    for key in from.keys() {
        if let Some((list, number)) = key.rsplit_once('.')
            && number.parse::<u32>().is_ok()
        {
            let prefix = format!("{list}.");
            into.remove(list);
            into.retain(|old, _| {
                old.strip_prefix(&prefix)
                    .is_none_or(|rest| rest.parse::<u32>().is_err())
            });
        } else {
            let prefix = format!("{key}.");
            into.retain(|old, _| {
                old.strip_prefix(&prefix)
                    .is_none_or(|rest| rest.parse::<u32>().is_err())
            });
        }
    }
    into.extend(from);
}

/// Private settings are refused in the words of index creation.
fn private_settings(settings: &BTreeMap<String, String>) -> Result<(), CommandError> {
    use crate::cluster::setting_values::{Scope, find};
    let mut errors = Vec::new();
    for key in settings.keys() {
        if find(index_settings::INDEX_SETTINGS, key)
            .is_some_and(|setting| setting.scope == Scope::Private)
        {
            errors.push(format!(
                "private index setting [{key}] can not be set explicitly"
            ));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    // the exception around it is a mere wrapper, which answers leave out
    Err(validation_failed(&errors))
}

/// `validation_exception` with numbered reasons.
pub(super) fn validation_failed(errors: &[String]) -> CommandError {
    let mut reason = "Validation Failed: ".to_owned();
    for (i, error) in errors.iter().enumerate() {
        reason.push_str(&format!("{}: {error};", i + 1));
    }
    StateError::new(400, "validation_exception", reason)
}

fn check_shard_limit(state: &ClusterState, index: &IndexMetadata) -> Result<(), CommandError> {
    if index.is_hidden() && index.name.starts_with('.') {
        return Ok(());
    }
    let added = u64::from(index.number_of_shards) * (1 + u64::from(index.number_of_replicas));
    check_shard_limit_of(state, added)
}

/// Refuses so many more shards when the cluster would hold more than `cluster.max_shards_per_node` allows.
pub(super) fn check_shard_limit_of(state: &ClusterState, added: u64) -> Result<(), CommandError> {
    let per_node = state
        .setting_number("cluster.max_shards_per_node", 1000)
        .max(0) as u64;
    // a node may say that it takes fewer
    let of_node = |node: &NodeInfo| {
        let own = node.attributes.get("max_shards");
        let own = own.and_then(|text| text.parse().ok());
        own.unwrap_or(per_node).min(per_node)
    };
    let limit: u64 = match state.data_nodes().count() {
        0 => per_node,
        _ => state.data_nodes().map(of_node).fold(0, u64::saturating_add),
    };
    let mut open = 0u64;
    for index in state.indices.values() {
        if index.state == IndexState::Open {
            open += u64::from(index.number_of_shards) * (1 + u64::from(index.number_of_replicas));
        }
    }
    if open.saturating_add(added) <= limit {
        return Ok(());
    }
    Err(validation_failed(&[format!(
        "this action would add [{added}] total shards, but this cluster currently has [{open}]/[{limit}] maximum shards open"
    )]))
}

fn number(settings: &BTreeMap<String, String>, key: &str, default: u32) -> u32 {
    settings
        .get(key)
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// What an index of this name would take over from the templates now.
pub fn simulate_index(state: &ClusterState, name: &str) -> Composed {
    templates::composed_for(state, name, false)
}
