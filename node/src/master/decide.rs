//! What a command means for a state.

use std::sync::Arc;

use quidditch_engine::schema::{SchemaError, UpdateReason};
use serde_json::Value;

use super::command::{Command, CommandError};
use super::event::{Event, LEVELS_MAX};
use super::ids::Ids;
use super::outcome::rerouted;
use super::{aliases, copies, create_index, nodes, resize, rollover, settings_update, templates};
use crate::cluster::allocation::{carry_out, unassigned_index};
use crate::cluster::error::StateError;
use crate::cluster::{ClusterState, IndexMetadata, IndexState, ShardCopy};

/// The events that carry a command out, or why it is refused. Pure.
///
/// No events: nothing has to change, the command is answered as done.
pub fn decide(
    state: &ClusterState,
    command: Command,
    now_ms: i64,
    ids: &mut dyn Ids,
) -> Result<Vec<Event>, CommandError> {
    let reroutes = changes_copies(&command);
    let events = decide_one(state, command, now_ms, ids)?;
    check_levels(state, &events)?;
    match reroutes && !events.is_empty() {
        true => rerouted(state, events, now_ms, ids, |_| Ok(Vec::new())),
        false => Ok(events),
    }
}

/// Refuses what would be written but never read again. An index that is nested deeper already may change otherwise.
fn check_levels(state: &ClusterState, events: &[Event]) -> Result<(), CommandError> {
    for event in events {
        let levels = event.levels();
        if levels <= LEVELS_MAX {
            continue;
        }
        let known = match event {
            Event::IndexPut(index) => state.index(&index.name).cloned(),
            _ => None,
        };
        if known.is_none_or(|known| Event::IndexPut(known).levels() < levels) {
            return Err(StateError::illegal_argument(format!(
                "the change of the cluster state is nested to [{levels}] levels, more than [{LEVELS_MAX}]"
            )));
        }
    }
    Ok(())
}

fn decide_one(
    state: &ClusterState,
    command: Command,
    now_ms: i64,
    ids: &mut dyn Ids,
) -> Result<Vec<Event>, CommandError> {
    match command {
        Command::CreateIndex(request) => create_index::create(state, request, now_ms, ids),
        Command::ResizeIndex(request) => resize::resize(state, request, now_ms, ids),
        Command::AutoCreate { index } => create_index::auto_create(state, &index, now_ms, ids),
        Command::DeleteIndices { names } => delete_indices(state, names, now_ms),
        Command::OpenIndices { names } => open_indices(state, &names, now_ms),
        Command::CloseIndices { names } => close_indices(state, &names),
        Command::UpdateMapping {
            index,
            uuid,
            update,
            reason,
        } => match existing(state, &index)?.uuid == uuid {
            true => update_mappings(state, &[index], &update, reason),
            false => Err(StateError::index_not_found(&index)),
        },
        Command::PutMapping { indices, update } => {
            update_mappings(state, &indices, &update, UpdateReason::Put)
        }
        Command::UpdateSettings(request) => settings_update::index_settings(state, request, now_ms),
        Command::AddBlock { indices, block } => settings_update::add_block(state, &indices, &block),
        Command::UpdateAliases { actions } => aliases::update(state, actions, now_ms),
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
        Command::MasterElected(node) => Ok(match node == state.master {
            true => Vec::new(),
            false => vec![Event::MasterElected { node }],
        }),
        Command::ExcludeVoters(more) => nodes::exclude_voters(state, more),
        Command::ClearVotingExclusions => Ok(match state.voting_exclusions.is_empty() {
            true => Vec::new(),
            false => vec![Event::VotingExclusions(Vec::new())],
        }),
        Command::JoinNode(node) => {
            copies::change(state, now_ms, ids, |table| Ok(nodes::join(table, node)))
        }
        Command::NodesLeft {
            nodes: gone,
            reason,
        } => copies::change(state, now_ms, ids, |table| {
            Ok(nodes::left(table, &gone, &reason))
        }),
        Command::NodeUsage(usages) => {
            copies::change(state, now_ms, ids, |table| Ok(nodes::usage(table, usages)))
        }
        Command::ReportShards(reports) => copies::change(state, now_ms, ids, |table| {
            copies::report(table, &reports);
            Ok(Vec::new())
        }),
        Command::FailCopy {
            index_uuid,
            shard,
            allocation_id,
            primary_term,
            reason,
        } => copies::change(state, now_ms, ids, |table| {
            copies::fail_copy(
                table,
                (&index_uuid, shard),
                &allocation_id,
                primary_term,
                &reason,
            )
        }),
        Command::RetryShards(shards) => copies::change(state, now_ms, ids, |table| {
            copies::retry(table, shards.as_deref());
            Ok(Vec::new())
        }),
        Command::Reroute { .. } => copies::change(state, now_ms, ids, |table| {
            table.looks_at_disks = true;
            Ok(Vec::new())
        }),
        Command::RerouteBy {
            commands,
            retry_failed,
            is_lenient,
        } => copies::change(state, now_ms, ids, |table| {
            carry_out(table, &commands, retry_failed, is_lenient)?;
            Ok(Vec::new())
        }),
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

fn delete_indices(
    state: &ClusterState,
    names: Vec<String>,
    now_ms: i64,
) -> Result<Vec<Event>, CommandError> {
    let mut events = Vec::with_capacity(names.len());
    for name in names {
        existing(state, &name)?;
        events.push(Event::IndexRemoved {
            name,
            at_ms: now_ms,
        });
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
        let shards = reopened(state, &opened, now_ms);
        events.push(Event::IndexPut(Arc::new(opened)));
        events.push(Event::ShardsRouted {
            index: name.clone(),
            shards,
        });
    }
    Ok(events)
}

/// The copies of an index that opens again: nobody has them yet, but it is known who had.
fn reopened(state: &ClusterState, index: &IndexMetadata, now_ms: i64) -> Vec<Vec<ShardCopy>> {
    let mut shards = unassigned_index(index, "INDEX_REOPENED", now_ms);
    for (shard, copies) in (0..).zip(&mut shards) {
        let known = state.routing.copies(&index.name, shard);
        for (copy, before) in copies.iter_mut().zip(known) {
            if let (Some(info), Some(node)) = (&mut copy.unassigned, &before.node) {
                info.last_node = Some(node.clone());
                info.last_allocation_id = before.allocation_id.clone();
            }
        }
    }
    shards
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

/// Whether a command can leave copies without a node, or give nodes too many.
fn changes_copies(command: &Command) -> bool {
    matches!(
        command,
        Command::CreateIndex(_)
            | Command::ResizeIndex(_)
            | Command::AutoCreate { .. }
            | Command::DeleteIndices { .. }
            | Command::OpenIndices { .. }
            | Command::CloseIndices { .. }
            | Command::UpdateSettings(_)
            | Command::UpdateAliases { .. }
            | Command::Rollover(_)
            | Command::UpdateClusterSettings { .. }
    )
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::*;
    use crate::cluster::template::{IndexTemplate, TemplateBody};
    use crate::cluster::{AliasMetadata, ShardState};
    use crate::master::testing::{Cluster, create, node};
    use crate::master::{AliasAction, CreateIndex, Rollover, ShardReport, UpdateSettings};
    use crate::wire::batch::Image;

    fn with_settings(name: &str, settings: &[(&str, &str)]) -> Command {
        Command::CreateIndex(CreateIndex {
            name: name.to_owned(),
            settings: settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..CreateIndex::default()
        })
    }

    fn add_alias(index: &str, alias: &str, is_write_index: Option<bool>) -> Command {
        Command::UpdateAliases {
            actions: vec![AliasAction::Add {
                index: index.to_owned(),
                alias: alias.to_owned(),
                metadata: AliasMetadata {
                    is_write_index,
                    ..AliasMetadata::default()
                },
            }],
        }
    }

    fn set(index: &str, key: &str, value: Option<&str>) -> Command {
        Command::UpdateSettings(UpdateSettings {
            indices: vec![index.to_owned()],
            settings: BTreeMap::from([(key.to_owned(), value.map(str::to_owned))]),
            preserve_existing: false,
        })
    }

    #[test]
    fn refusals_speak_as_the_reference_does() {
        let mut cluster = Cluster::new();
        cluster.run(create("a")).unwrap();
        cluster.run(add_alias("a", "al", None)).unwrap();
        let uuid = cluster.state.indices["a"].uuid.clone();
        for (command, kind, reason) in [
            (
                create("a"),
                "resource_already_exists_exception",
                format!("index [a/{uuid}] already exists"),
            ),
            (
                create("al"),
                "invalid_index_name_exception",
                "Invalid index name [al], already exists as alias".to_owned(),
            ),
            (
                with_settings("b", &[("index.number_of_shards", "0")]),
                "illegal_argument_exception",
                "Failed to parse value [0] for setting [index.number_of_shards] must be >= 1".to_owned(),
            ),
            (
                with_settings("b", &[("index.number_of_shards", "1001")]),
                "validation_exception",
                "Validation Failed: 1: this action would add [2002] total shards, but this cluster currently has [2]/[1000] maximum shards open;".to_owned(),
            ),
            (
                set("a", "index.number_of_shards", Some("2")),
                "illegal_argument_exception",
                format!("Can't update non dynamic settings [[index.number_of_shards]] for open indices [[a/{uuid}]]"),
            ),
            (
                Command::DeleteIndices { names: vec!["x".to_owned()] },
                "index_not_found_exception",
                "no such index [x]".to_owned(),
            ),
            (
                Command::DeleteIndexTemplates { name: "x".to_owned() },
                "index_template_missing_exception",
                "index_template [x] missing".to_owned(),
            ),
        ] {
            let refused = cluster.run(command).unwrap_err();
            assert_eq!((refused.kind.as_str(), refused.reason), (kind, reason));
        }
    }

    #[test]
    fn what_is_nested_too_deep_to_be_read_again_is_refused() {
        let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"a": inner}));
        let named = || "a".to_owned();
        let meta = |levels| match nested(levels) {
            Value::Object(meta) => Some(meta),
            _ => None,
        };
        let template = |levels| IndexTemplate {
            index_patterns: vec!["x*".to_owned()],
            meta: meta(levels),
            ..IndexTemplate::default()
        };
        // how many levels of what was given lie at once in the command
        let commands: [(usize, &dyn Fn(usize) -> Command); 4] = [
            (3, &|levels| Command::PutMapping {
                indices: vec![named()],
                update: json!({"_meta": nested(levels)}),
            }),
            (2, &|levels| Command::PutPipeline {
                id: named(),
                pipeline: Some(nested(levels)),
            }),
            (2, &|levels| Command::PutStoredScript {
                id: named(),
                script: Some(nested(levels)),
            }),
            (3, &|levels| Command::PutIndexTemplate {
                name: named(),
                template: template(levels),
                create: false,
            }),
        ];
        for (around, command) in commands {
            let mut cluster = Cluster::new();
            cluster.run(create("a")).unwrap();
            let refused = cluster.run(command(LEVELS_MAX - around + 1)).unwrap_err();
            assert_eq!(refused.status, 400, "{refused}");
            cluster.run(command(LEVELS_MAX - around)).unwrap();
            let image = Image {
                state: cluster.state.clone(),
                hash: 0,
                done: Vec::new(),
            };
            Image::decode(&image.encode().unwrap()).unwrap();
        }
    }

    #[test]
    fn settings_are_set_kept_and_reset() {
        let mut cluster = Cluster::new();
        cluster.run(create("a")).unwrap();
        assert_eq!(
            cluster.run(set("a", "index.refresh_interval", Some("5s"))),
            Ok(1)
        );
        assert_eq!(
            cluster.run(set("a", "index.refresh_interval", Some("5s"))),
            Ok(0)
        );
        assert_eq!(cluster.state.indices["a"].settings_version, 2);
        cluster
            .run(set("a", "index.refresh_interval", None))
            .unwrap();
        assert_eq!(
            cluster.state.indices["a"].setting("index.refresh_interval"),
            None
        );
        cluster.run(set("a", "index.*", None)).unwrap();
        assert!(cluster.state.indices["a"].setting("index.uuid").is_some());
        cluster
            .run(set("a", "index.number_of_replicas", Some("0")))
            .unwrap();
        assert_eq!(cluster.state.routing.copies("a", 0).len(), 1);
    }

    #[test]
    fn cluster_settings_are_checked_and_reset_by_pattern() {
        let mut cluster = Cluster::new();
        let command = |key: &str, value: Option<&str>| Command::UpdateClusterSettings {
            persistent: BTreeMap::from([(key.to_owned(), value.map(str::to_owned))]),
            transient: BTreeMap::new(),
        };
        cluster
            .run(command("search.max_buckets", Some("10")))
            .unwrap();
        assert_eq!(cluster.state.setting_number("search.max_buckets", 0), 10);
        let refused = cluster.run(command("nope", Some("1"))).unwrap_err();
        assert_eq!(refused.reason, "persistent setting [nope], not recognized");
        cluster.run(command("search.*", None)).unwrap();
        assert_eq!(
            cluster.state.effective_setting("search.max_buckets"),
            "65535"
        );
    }

    #[test]
    fn the_template_of_the_highest_priority_applies() {
        let mut cluster = Cluster::new();
        for (name, priority, shards) in [("low", 1, "2"), ("high", 2, "3")] {
            let template = IndexTemplate {
                index_patterns: vec!["logs-*".to_owned()],
                priority: Some(priority),
                template: Some(TemplateBody {
                    settings: Some(BTreeMap::from([(
                        "index.number_of_shards".to_owned(),
                        shards.to_owned(),
                    )])),
                    aliases: Some(BTreeMap::from([(
                        "{index}-alias".to_owned(),
                        AliasMetadata::default(),
                    )])),
                    mappings: Some(json!({"properties": {"f": {"type": "keyword"}}})),
                }),
                ..IndexTemplate::default()
            };
            let name = name.to_owned();
            cluster
                .run(Command::PutIndexTemplate {
                    name,
                    template,
                    create: true,
                })
                .unwrap();
        }
        cluster
            .run(Command::AutoCreate {
                index: "logs-1".to_owned(),
            })
            .unwrap();
        let index = &cluster.state.indices["logs-1"];
        assert_eq!(index.number_of_shards, 3);
        assert!(index.aliases.contains_key("logs-1-alias"));
        assert!(index.schema.mapping.field("f").is_some());
        assert_eq!(
            cluster.run(Command::AutoCreate {
                index: "logs-1".to_owned()
            }),
            Ok(0)
        );
    }

    #[test]
    fn an_alias_has_one_write_index_and_rolls_over() {
        let mut cluster = Cluster::new();
        cluster.run(create("l-000001")).unwrap();
        cluster.run(create("b")).unwrap();
        cluster.run(add_alias("l-000001", "l", Some(true))).unwrap();
        let refused = cluster.run(add_alias("b", "l", Some(true))).unwrap_err();
        assert_eq!(
            refused.reason,
            "alias [l] has more than one write index [b,l-000001]"
        );
        cluster
            .run(Command::Rollover(Rollover {
                alias: "l".to_owned(),
                old_index: "l-000001".to_owned(),
                new_index: CreateIndex {
                    name: "l-000002".to_owned(),
                    ..CreateIndex::default()
                },
                met_conditions: serde_json::Map::new(),
            }))
            .unwrap();
        let target = cluster.state.write_target("l", false, 0).unwrap().unwrap();
        assert_eq!(target.metadata.name, "l-000002");
        assert_eq!(cluster.state.alias_members("l").len(), 2);
    }

    #[test]
    fn a_failed_shard_is_told_and_tried_again() {
        let mut cluster = Cluster::new();
        cluster.run(create("a")).unwrap();
        let index_uuid = cluster.state.indices["a"].uuid.clone();
        let before = cluster.state.routing.primary("a", 0).unwrap().clone();
        let report = ShardReport {
            index_uuid: index_uuid.clone(),
            shard: 0,
            allocation_id: before.allocation_id.clone().unwrap(),
            primary_term: None,
            failure: Some("0.qsg: damaged".to_owned()),
        };
        cluster.run(Command::ReportShards(vec![report])).unwrap();
        let failed = cluster.state.routing.primary("a", 0).unwrap();
        assert_eq!(
            (failed.state, &failed.node),
            (ShardState::Unassigned, &None)
        );
        let details = failed.unassigned.as_ref().unwrap().details.as_deref();
        assert_eq!(details, Some("0.qsg: damaged"));
        let other = Some(vec![("other".to_owned(), 0)]);
        assert_eq!(cluster.run(Command::RetryShards(other)), Ok(0));
        let this = Some(vec![(index_uuid, 0)]);
        assert_eq!(cluster.run(Command::RetryShards(this)), Ok(1));
        let again = cluster.state.routing.primary("a", 0).unwrap();
        assert_eq!(again.state, ShardState::Initializing);
        assert_eq!(
            (&again.node, &again.allocation_id),
            (&before.node, &before.allocation_id)
        );
    }

    #[test]
    fn a_shard_that_started_once_gets_a_new_term_with_each_assignment() {
        let mut cluster = Cluster::new();
        cluster.run(create("a")).unwrap();
        cluster.run(create("never_started")).unwrap();
        let primary = cluster.state.routing.primary("a", 0).unwrap();
        let report = |failure: Option<&str>| {
            Command::ReportShards(vec![ShardReport {
                index_uuid: cluster.state.indices["a"].uuid.clone(),
                shard: 0,
                allocation_id: primary.allocation_id.clone().unwrap(),
                primary_term: None,
                failure: failure.map(str::to_owned),
            }])
        };
        let (started, failed) = (report(None), report(Some("damaged")));
        cluster.run(started.clone()).unwrap();
        let index = &cluster.state.indices["a"];
        assert_eq!(index.started, BTreeSet::from([0]));
        assert_eq!(index.primary_terms, [1], "the first reign");
        let names = vec!["a".to_owned()];
        let close = Command::CloseIndices {
            names: names.clone(),
        };
        for (term, command) in [
            (2, vec![Command::JoinNode(node("n")), started]),
            (3, vec![failed, Command::RetryShards(None)]),
            (4, vec![close, Command::OpenIndices { names }]),
        ] {
            for command in command {
                cluster.run(command).unwrap();
            }
            assert_eq!(cluster.state.indices["a"].primary_terms, [term]);
        }
        assert_eq!(cluster.state.indices["never_started"].primary_terms, [1]);
    }

    #[test]
    fn a_deleted_index_is_remembered() {
        let mut cluster = Cluster::new();
        cluster.run(create("a")).unwrap();
        let uuid = cluster.state.indices["a"].uuid.clone();
        let names = vec!["a".to_owned()];
        cluster.run(Command::DeleteIndices { names }).unwrap();
        assert_eq!(cluster.state.graveyard[0].uuid, uuid);
    }

    #[test]
    fn a_closed_index_opens_with_the_same_data() {
        let mut cluster = Cluster::new();
        cluster.run(create("a")).unwrap();
        let before = cluster
            .state
            .routing
            .primary("a", 0)
            .unwrap()
            .allocation_id
            .clone();
        let names = vec!["a".to_owned()];
        cluster
            .run(Command::CloseIndices {
                names: names.clone(),
            })
            .unwrap();
        assert_eq!(cluster.state.indices["a"].state, IndexState::Close);
        cluster.run(Command::OpenIndices { names }).unwrap();
        let primary = cluster.state.routing.primary("a", 0).unwrap();
        assert_eq!(primary.allocation_id, before);
        assert_eq!(primary.state, ShardState::Initializing);
    }
}
