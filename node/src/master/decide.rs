//! What a command means for a state.

use std::collections::BTreeMap;
use std::sync::Arc;

use quidditch_engine::schema::{SchemaError, UpdateReason};
use serde_json::Value;

use super::command::{Command, CommandError};
use super::event::Event;
use super::ids::Ids;
use super::shards::ShardReport;
use super::{aliases, create_index, rollover, settings_update, templates};
use crate::cluster::allocation::route_index;
use crate::cluster::error::StateError;
use crate::cluster::routing::{ShardState, UnassignedInfo};
use crate::cluster::{ClusterState, IndexMetadata, IndexState};

/// The events that carry a command out, or why it is refused. Pure.
///
/// No events: nothing has to change, the command is answered as done.
pub fn decide(
    state: &ClusterState,
    command: Command,
    now_ms: i64,
    ids: &mut dyn Ids,
) -> Result<Vec<Event>, CommandError> {
    match command {
        Command::CreateIndex(request) => create_index::create(state, request, now_ms, ids),
        Command::AutoCreate { index } => create_index::auto_create(state, &index, now_ms, ids),
        Command::DeleteIndices { names } => delete_indices(state, names),
        Command::OpenIndices { names } => open_indices(state, &names, now_ms),
        Command::CloseIndices { names } => close_indices(state, &names),
        Command::UpdateMapping {
            index,
            update,
            reason,
        } => update_mappings(state, &[index], &update, reason),
        Command::PutMapping { indices, update } => {
            update_mappings(state, &indices, &update, UpdateReason::Put)
        }
        Command::UpdateSettings(request) => settings_update::index_settings(state, request, now_ms),
        Command::AddBlock { indices, block } => settings_update::add_block(state, &indices, &block),
        Command::UpdateAliases { actions } => aliases::update(state, actions),
        Command::Rollover(request) => rollover::roll_over(state, request, now_ms, ids),
        Command::PutIndexTemplate {
            name,
            template,
            create,
        } => templates::put_index_template(state, name, template, create),
        Command::DeleteIndexTemplates { name } => templates::delete_index_templates(state, &name),
        Command::PutComponentTemplate {
            name,
            template,
            create,
        } => templates::put_component_template(state, name, template, create),
        Command::DeleteComponentTemplates { name } => {
            templates::delete_component_templates(state, &name)
        }
        Command::PutLegacyTemplate {
            name,
            template,
            create,
        } => templates::put_legacy_template(state, name, template, create),
        Command::DeleteLegacyTemplates { name } => templates::delete_legacy_templates(state, &name),
        Command::UpdateClusterSettings {
            persistent,
            transient,
        } => settings_update::cluster_settings(state, &persistent, &transient),
        Command::PutPipeline { id, pipeline } => Ok(vec![Event::Pipeline { id, pipeline }]),
        Command::PutStoredScript { id, script } => Ok(vec![Event::StoredScript { id, script }]),
        Command::JoinNode(node) => Ok(join(state, node, now_ms)),
        Command::ReportShards(reports) => Ok(report_shards(state, &reports, now_ms)),
    }
}

/// The index of a name, or the refusal.
pub(super) fn existing<'a>(
    state: &'a ClusterState,
    name: &str,
) -> Result<&'a Arc<IndexMetadata>, CommandError> {
    state
        .index(name)
        .ok_or_else(|| StateError::index_not_found(name))
}

/// An engine's refusal of a mapping or analysis, as a command's.
pub(super) fn from_schema(error: &SchemaError) -> CommandError {
    let refused = StateError::new(400, error.kind, error.reason.clone());
    match &error.caused_by {
        Some(cause) => refused.caused_by(from_schema(cause)),
        None => refused,
    }
}

fn delete_indices(state: &ClusterState, names: Vec<String>) -> Result<Vec<Event>, CommandError> {
    let mut events = Vec::with_capacity(names.len());
    for name in names {
        existing(state, &name)?;
        events.push(Event::IndexRemoved { name });
    }
    Ok(events)
}

fn open_indices(
    state: &ClusterState,
    names: &[String],
    now_ms: i64,
) -> Result<Vec<Event>, CommandError> {
    let mut events = Vec::new();
    for name in names {
        let index = existing(state, name)?;
        if index.state == IndexState::Open {
            continue;
        }
        let mut opened = IndexMetadata::clone(index);
        opened.state = IndexState::Open;
        opened.version += 1;
        opened.settings_version += 1;
        opened.settings.remove("index.verified_before_close");
        let shards = route_index(&opened, &state.master, "INDEX_REOPENED", now_ms);
        events.push(Event::IndexPut(Arc::new(opened)));
        events.push(Event::ShardsRouted {
            index: name.clone(),
            shards,
        });
    }
    Ok(events)
}

fn close_indices(state: &ClusterState, names: &[String]) -> Result<Vec<Event>, CommandError> {
    if state.effective_setting("cluster.indices.close.enable") == "false" {
        return Err(StateError::new(
            500,
            "illegal_state_exception",
            "closing indices is disabled - set [cluster.indices.close.enable: true] to enable it. \
             NOTE: closed indices still consume a significant amount of diskspace",
        ));
    }
    let mut events = Vec::new();
    for name in names {
        let index = existing(state, name)?;
        if index.state == IndexState::Close {
            continue;
        }
        let mut closed = IndexMetadata::clone(index);
        closed.state = IndexState::Close;
        closed.version += 1;
        closed.settings_version += 1;
        closed
            .settings
            .insert("index.verified_before_close".to_owned(), "true".to_owned());
        events.push(Event::IndexPut(Arc::new(closed)));
    }
    Ok(events)
}

fn update_mappings(
    state: &ClusterState,
    names: &[String],
    update: &Value,
    reason: UpdateReason,
) -> Result<Vec<Event>, CommandError> {
    let mut events = Vec::new();
    for name in names {
        let index = existing(state, name)?;
        let schema = index
            .schema
            .with_mapping_update(update, reason)
            .map_err(|error| from_schema(&error))?;
        let mapping = schema.mapping.to_json();
        if mapping == index.mapping {
            continue;
        }
        let mut changed = IndexMetadata::clone(index);
        changed.mapping = mapping;
        changed.schema = Arc::new(schema);
        changed.version += 1;
        changed.mapping_version += 1;
        events.push(Event::IndexPut(Arc::new(changed)));
    }
    Ok(events)
}

/// A node that comes up takes the primaries of all indices; nothing runs there yet.
fn join(state: &ClusterState, node: crate::cluster::NodeInfo, now_ms: i64) -> Vec<Event> {
    let id = node.id.clone();
    let mut events = vec![Event::NodeJoined(Box::new(node))];
    for index in state.indices.values() {
        events.push(Event::ShardsRouted {
            index: index.name.clone(),
            shards: route_index(index, &id, "CLUSTER_RECOVERED", now_ms),
        });
    }
    events
}

fn report_shards(state: &ClusterState, reports: &[ShardReport], now_ms: i64) -> Vec<Event> {
    let mut changed: BTreeMap<String, Vec<Vec<crate::cluster::ShardCopy>>> = BTreeMap::new();
    for report in reports {
        let Some(index) = state.index_by_uuid(&report.index_uuid) else {
            continue;
        };
        let Some(known) = state.routing.indices.get(&index.name) else {
            continue;
        };
        let shards = changed
            .entry(index.name.clone())
            .or_insert_with(|| known.clone());
        let Some(copies) = shards.get_mut(report.shard as usize) else {
            continue;
        };
        for copy in copies {
            if copy.allocation_id.as_ref() != Some(&report.allocation_id) {
                continue;
            }
            match &report.failure {
                None => {
                    copy.state = ShardState::Started;
                    copy.unassigned = None;
                }
                Some(failure) => {
                    copy.state = ShardState::Unassigned;
                    copy.node = None;
                    copy.unassigned = Some(UnassignedInfo {
                        reason: "ALLOCATION_FAILED".to_owned(),
                        at_ms: now_ms,
                        details: Some(failure.clone()),
                    });
                }
            }
        }
    }
    changed
        .into_iter()
        .map(|(index, shards)| Event::ShardsRouted { index, shards })
        .collect()
}
