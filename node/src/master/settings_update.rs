//! New values of index settings, blocks and cluster settings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quidditch_engine::schema::IndexSchema;

use super::command::{CommandError, UpdateSettings};
use super::create_index::{check_shard_limit_of, replace_settings};
use super::decide::{existing, from_schema};
use super::event::Event;
use crate::cluster::allocation::{auto_expanded, fill_replicas};
use crate::cluster::cluster_settings::CLUSTER_SETTINGS;
use crate::cluster::error::StateError;
use crate::cluster::index_settings::{INDEX_SETTINGS, unsupported};
use crate::cluster::names::matches_pattern;
use crate::cluster::setting_values::{Scope, find, unknown};
use crate::cluster::{ClusterState, IndexMetadata, IndexState};

/// Decides on new index settings: for all indices or none.
pub(super) fn index_settings(
    state: &ClusterState,
    request: UpdateSettings,
    now_ms: i64,
) -> Result<Vec<Event>, CommandError> {
    let mut not_dynamic: BTreeSet<&str> = BTreeSet::new();
    for (key, value) in &request.settings {
        let Some(setting) = find(INDEX_SETTINGS, key) else {
            if key.contains('*') && value.is_none() {
                continue;
            }
            return Err(unknown(INDEX_SETTINGS, key));
        };
        match (setting.scope, value) {
            (Scope::Private, _) => {
                return Err(StateError::illegal_argument(format!(
                    "can not update private setting [{key}]; this setting is managed by OpenSearch"
                )));
            }
            (Scope::Unsupported, Some(value)) if !value.eq_ignore_ascii_case(setting.default) => {
                return Err(unsupported(key));
            }
            (Scope::Static | Scope::Final, _) => {
                not_dynamic.insert(key);
            }
            _ => {}
        }
        if let Some(value) = value {
            setting.check(key, value)?;
        }
    }
    let mut open: Vec<String> = Vec::new();
    for name in &request.indices {
        let index = existing(state, name)?;
        if index.state == IndexState::Open {
            open.push(format!("[{}/{}]", index.name, index.uuid));
        }
    }
    if !not_dynamic.is_empty() && !open.is_empty() {
        let keys: Vec<&str> = not_dynamic.into_iter().collect();
        return Err(StateError::illegal_argument(format!(
            "Can't update non dynamic settings [[{}]] for open indices [{}]",
            keys.join(", "),
            open.join(", ")
        )));
    }
    let mut events = Vec::new();
    let mut added = 0;
    for name in &request.indices {
        let index = existing(state, name)?;
        let Some(changed) = changed_index(state, index, &request)? else {
            continue;
        };
        let more = changed
            .number_of_replicas
            .saturating_sub(index.number_of_replicas);
        added += u64::from(more) * u64::from(index.number_of_shards);
        if changed.number_of_replicas != index.number_of_replicas {
            let mut shards = state
                .routing
                .indices
                .get(name)
                .map_or_else(Vec::new, |shards| shards.to_vec());
            for copies in &mut shards {
                fill_replicas(copies, changed.number_of_replicas, "REPLICA_ADDED", now_ms);
            }
            events.push(Event::IndexPut(Arc::new(changed)));
            events.push(Event::ShardsRouted {
                index: name.clone(),
                shards,
            });
        } else {
            events.push(Event::IndexPut(Arc::new(changed)));
        }
    }
    if added > 0 {
        check_shard_limit_of(state, added)?;
    }
    Ok(events)
}

/// One index with its new settings; `None` when nothing changes.
fn changed_index(
    state: &ClusterState,
    index: &Arc<IndexMetadata>,
    request: &UpdateSettings,
) -> Result<Option<IndexMetadata>, CommandError> {
    let mut settings = index.settings.clone();
    let mut set = BTreeMap::new();
    for (key, value) in &request.settings {
        let setting = find(INDEX_SETTINGS, key);
        if setting.is_some_and(|setting| setting.scope == Scope::Final)
            && settings.get(key) != value.as_ref()
        {
            return Err(StateError::illegal_argument(format!(
                "final {} setting [{key}], not updateable",
                index.name
            )));
        }
        match value {
            Some(value) => {
                let list = key.rsplit_once('.').map_or("", |(list, _)| list);
                let is_set =
                    settings.contains_key(key) || settings.contains_key(&format!("{list}.0"));
                if !(request.preserve_existing && is_set) {
                    set.insert(key.clone(), value.clone());
                }
            }
            None => reset(&mut settings, key),
        }
    }
    replace_settings(&mut settings, set);
    let mut replicas: u32 = settings
        .get("index.number_of_replicas")
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| {
            u32::try_from(state.setting_number("cluster.default_number_of_replicas", 1))
                .unwrap_or(1)
        });
    if let Some(expanded) = settings
        .get("index.auto_expand_replicas")
        .and_then(|setting| auto_expanded(setting, state.data_nodes().count()))
    {
        replicas = expanded;
    }
    settings.insert("index.number_of_replicas".to_owned(), replicas.to_string());
    if settings == index.settings {
        return Ok(None);
    }
    let schema =
        IndexSchema::new(&index.mapping, &settings).map_err(|error| from_schema(&error))?;
    let mut changed = IndexMetadata::clone(index);
    changed.settings = settings;
    changed.schema = Arc::new(schema);
    changed.number_of_replicas = replicas;
    changed.version += 1;
    changed.settings_version += 1;
    Ok(Some(changed))
}

/// Takes a key, the elements of a list, or what a pattern covers away; private settings stay.
fn reset(settings: &mut BTreeMap<String, String>, key: &str) {
    let elements = format!("{key}.");
    settings.retain(|known, _| {
        let is_meant = known == key
            || (key.contains('*') && matches_pattern(key, known))
            || known
                .strip_prefix(&elements)
                .is_some_and(|rest| rest.parse::<u32>().is_ok());
        let is_fixed = find(INDEX_SETTINGS, known)
            .is_some_and(|setting| matches!(setting.scope, Scope::Private | Scope::Final));
        !is_meant || is_fixed
    });
}

/// Decides on a block of the API `PUT /{index}/_block/{block}`.
pub(super) fn add_block(
    state: &ClusterState,
    names: &[String],
    block: &str,
) -> Result<Vec<Event>, CommandError> {
    if !["metadata", "read", "read_only", "write"].contains(&block) {
        return Err(StateError::illegal_argument(format!(
            "no block found with name {block}"
        )));
    }
    let key = format!("index.blocks.{block}");
    let mut events = Vec::new();
    for name in names {
        let index = existing(state, name)?;
        if index.flag(&key) {
            continue;
        }
        let mut changed = IndexMetadata::clone(index);
        changed.settings.insert(key.clone(), "true".to_owned());
        changed.version += 1;
        changed.settings_version += 1;
        events.push(Event::IndexPut(Arc::new(changed)));
    }
    Ok(events)
}

/// Decides on new cluster settings.
pub(super) fn cluster_settings(
    state: &ClusterState,
    persistent: &BTreeMap<String, Option<String>>,
    transient: &BTreeMap<String, Option<String>>,
) -> Result<Vec<Event>, CommandError> {
    let new_transient = changed_settings(&state.transient, transient, "transient")?;
    let new_persistent = changed_settings(&state.persistent, persistent, "persistent")?;
    if new_persistent == state.persistent && new_transient == state.transient {
        return Ok(Vec::new());
    }
    check_watermarks(&new_persistent, &new_transient)?;
    Ok(vec![Event::ClusterSettings {
        persistent: new_persistent,
        transient: new_transient,
    }])
}

fn changed_settings(
    old: &BTreeMap<String, String>,
    changes: &BTreeMap<String, Option<String>>,
    kind: &str,
) -> Result<BTreeMap<String, String>, CommandError> {
    let mut settings = old.clone();
    let mut set = BTreeMap::new();
    for (key, value) in changes {
        let setting = find(CLUSTER_SETTINGS, key);
        let Some(value) = value else {
            let elements = format!("{key}.");
            let is_known = setting.is_some()
                || settings
                    .keys()
                    .any(|known| known == key || known.starts_with(&elements))
                || key.contains('*');
            if !is_known {
                return Err(StateError::illegal_argument(format!(
                    "{kind} setting [{key}], not recognized"
                )));
            }
            settings.retain(|known, _| {
                let is_element = known
                    .strip_prefix(&elements)
                    .is_some_and(|rest| rest.parse::<u32>().is_ok());
                !(known == key || is_element || (key.contains('*') && matches_pattern(key, known)))
            });
            continue;
        };
        let Some(setting) = setting else {
            return Err(StateError::illegal_argument(format!(
                "{kind} setting [{key}], not recognized"
            )));
        };
        match setting.scope {
            Scope::Dynamic => {}
            Scope::Unsupported if value.eq_ignore_ascii_case(setting.default) => {}
            Scope::Unsupported => return Err(unsupported(key)),
            _ => {
                return Err(StateError::illegal_argument(format!(
                    "{kind} setting [{key}], not dynamically updateable"
                )));
            }
        }
        setting.check(key, value)?;
        set.insert(key.clone(), value.clone());
    }
    replace_settings(&mut settings, set);
    Ok(settings)
}

/// The disk watermarks must rise: low, high, flood stage (when all are percentages).
fn check_watermarks(
    persistent: &BTreeMap<String, String>,
    transient: &BTreeMap<String, String>,
) -> Result<(), CommandError> {
    const PREFIX: &str = "cluster.routing.allocation.disk.watermark.";
    let percent = |name: &str| -> Option<f64> {
        let key = format!("{PREFIX}{name}");
        let text = transient
            .get(&key)
            .or_else(|| persistent.get(&key))
            .map(String::as_str)
            .or_else(|| find(CLUSTER_SETTINGS, &key).map(|setting| setting.default))?;
        text.strip_suffix('%')?.parse().ok()
    };
    let (Some(low), Some(high), Some(flood)) =
        (percent("low"), percent("high"), percent("flood_stage"))
    else {
        return Ok(());
    };
    if low > high {
        return Err(StateError::illegal_argument(format!(
            "low disk watermark [{low}%] more than high disk watermark [{high}%]"
        )));
    }
    if high > flood {
        return Err(StateError::illegal_argument(format!(
            "high disk watermark [{high}%] more than flood stage disk watermark [{flood}%]"
        )));
    }
    Ok(())
}
