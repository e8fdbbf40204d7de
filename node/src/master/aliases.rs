//! Alias changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::command::CommandError;
use super::decide::existing;
use super::event::Event;
use crate::cluster::error::StateError;
use crate::cluster::index_metadata::AliasMetadata;
use crate::cluster::names::validate_alias_name;
use crate::cluster::{ClusterState, IndexMetadata};

/// One action of a change of aliases; names are concrete.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum AliasAction {
    /// Gives an index a name, or changes what goes with it.
    Add {
        /// Concrete index name.
        index: String,
        /// Alias name.
        alias: String,
        /// What goes with it; the filter is already checked.
        metadata: AliasMetadata,
    },
    /// Takes a name from an index.
    Remove {
        /// Concrete index name.
        index: String,
        /// Alias name, without wildcards.
        alias: String,
        /// `Some(true)`: it is an error when the index has no such name.
        must_exist: Option<bool>,
    },
    /// Removes an index with all its data.
    RemoveIndex {
        /// Concrete index name.
        index: String,
    },
}

/// Decides on a list of actions: all or none.
pub(super) fn update(
    state: &ClusterState,
    actions: Vec<AliasAction>,
    now_ms: i64,
) -> Result<Vec<Event>, CommandError> {
    let mut removed: Vec<String> = Vec::new();
    for action in &actions {
        if let AliasAction::RemoveIndex { index } = action {
            existing(state, index)?;
            if !removed.contains(index) {
                removed.push(index.clone());
            }
        }
    }
    let mut changed: BTreeMap<String, IndexMetadata> = BTreeMap::new();
    for action in actions {
        match action {
            AliasAction::RemoveIndex { .. } => {}
            AliasAction::Add {
                index,
                alias,
                metadata,
            } => {
                let known = existing(state, &index)?;
                if !removed.contains(&alias) {
                    validate_name(state, &alias, None)?;
                }
                if removed.contains(&index) {
                    return Err(StateError::index_not_found(&index));
                }
                let entry = changed
                    .entry(index)
                    .or_insert_with(|| IndexMetadata::clone(known));
                if entry.aliases.get(&alias) != Some(&metadata) {
                    entry.aliases.insert(alias, metadata);
                }
            }
            AliasAction::Remove {
                index,
                alias,
                must_exist,
            } => {
                let known = existing(state, &index)?;
                let entry = changed
                    .entry(index)
                    .or_insert_with(|| IndexMetadata::clone(known));
                if entry.aliases.remove(&alias).is_none() && must_exist == Some(true) {
                    return Err(StateError::new(
                        404,
                        "resource_not_found_exception",
                        format!("required alias [{alias}] does not exist"),
                    ));
                }
            }
        }
    }
    let mut events = Vec::new();
    for name in &removed {
        changed.remove(name);
        events.push(Event::IndexRemoved {
            name: name.clone(),
            at_ms: now_ms,
        });
    }
    let mut result = Vec::new();
    for (name, mut index) in changed {
        if state.indices[&name].aliases == index.aliases {
            continue;
        }
        index.version += 1;
        index.aliases_version += 1;
        result.push(index);
    }
    let mut after = state.clone();
    for name in &removed {
        after.indices.remove(name);
    }
    check_write_indices(&after, &result)?;
    for index in result {
        events.push(Event::IndexPut(Arc::new(index)));
    }
    Ok(events)
}

/// Checks the name of an alias against the rules and the indices there are.
///
/// * `index`: the index that is being made with it.
pub(super) fn validate_name(
    state: &ClusterState,
    alias: &str,
    index: Option<&str>,
) -> Result<(), CommandError> {
    validate_alias_name(alias)?;
    if state.index(alias).is_some() || index == Some(alias) {
        return Err(StateError::new(
            400,
            "invalid_alias_name_exception",
            format!("Invalid alias name [{alias}], an index or data stream exists with the same name as the alias"),
        )
        .with("index", alias)
        .with("index_uuid", "_na_"));
    }
    Ok(())
}

/// Checks that no alias has two write indices and that its hiddenness is the same everywhere, once the changed
/// indices stand in the state.
pub(super) fn check_write_indices(
    state: &ClusterState,
    changed: &[IndexMetadata],
) -> Result<(), CommandError> {
    let mut aliases: Vec<&String> = Vec::new();
    for index in changed {
        aliases.extend(index.aliases.keys());
    }
    for alias in aliases {
        let mut writers: Vec<&str> = Vec::new();
        let mut hidden: Vec<&str> = Vec::new();
        let mut shown: Vec<&str> = Vec::new();
        let unchanged = state
            .indices
            .values()
            .map(|index| &**index)
            .filter(|index| changed.iter().all(|other| other.name != index.name));
        for index in unchanged.chain(changed) {
            let Some(metadata) = index.aliases.get(alias) else {
                continue;
            };
            if metadata.is_write_index == Some(true) {
                writers.push(&index.name);
            }
            if metadata.is_hidden == Some(true) {
                hidden.push(&index.name);
            } else {
                shown.push(&index.name);
            }
        }
        writers.sort_unstable();
        if writers.len() > 1 {
            return Err(StateError::new(
                500,
                "illegal_state_exception",
                format!(
                    "alias [{alias}] has more than one write index [{}]",
                    writers.join(",")
                ),
            ));
        }
        if !hidden.is_empty() && !shown.is_empty() {
            return Err(StateError::new(
                500,
                "illegal_state_exception",
                format!(
                    "alias [{alias}] has is_hidden set to true on indices [{}] but does not have is_hidden set to true on indices [{}]; \
                     alias must have the same is_hidden setting on all indices",
                    hidden.join(","),
                    shown.join(",")
                ),
            ));
        }
    }
    Ok(())
}
