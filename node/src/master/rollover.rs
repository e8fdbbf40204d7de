//! Rollover: a new index takes over the writes of an alias.

use std::sync::Arc;

use serde_json::{Value, json};

use super::command::{CommandError, Rollover};
use super::event::Event;
use super::ids::Ids;
use super::{aliases, create_index};
use crate::cluster::error::StateError;
use crate::cluster::index_metadata::AliasMetadata;
use crate::cluster::{ClusterState, IndexMetadata};

/// Decides on a rollover, in one step: no write falls between the two indices.
pub(super) fn roll_over(
    state: &ClusterState,
    request: Rollover,
    now_ms: i64,
    ids: &mut dyn Ids,
) -> Result<Vec<Event>, CommandError> {
    let alias = request.alias;
    let target = state.write_target(&alias, false, now_ms)?;
    let old = match target {
        Some(target) if target.through_alias && target.metadata.name == request.old_index => {
            target.metadata
        }
        _ => {
            return Err(StateError::illegal_argument(format!(
                "rollover target [{alias}] no longer points to [{}]",
                request.old_index
            )));
        }
    };
    let old_alias = &old.aliases[&alias];
    let is_explicit = old_alias.is_write_index == Some(true);
    let mut new_index = request.new_index;
    let mut metadata = new_index
        .aliases
        .remove(&alias)
        .unwrap_or_else(|| AliasMetadata {
            is_hidden: old_alias.is_hidden,
            ..AliasMetadata::default()
        });
    metadata.is_write_index = is_explicit.then_some(true);
    // The old index gives the alias up first: two write indices are refused.
    let mut rolled = IndexMetadata::clone(&old);
    if is_explicit {
        if let Some(old_alias) = rolled.aliases.get_mut(&alias) {
            old_alias.is_write_index = Some(false);
        }
    } else {
        rolled.aliases.remove(&alias);
    }
    rolled.version += 1;
    rolled.aliases_version += 1;
    let conditions: Vec<Value> = request
        .met_conditions
        .into_iter()
        .map(|(name, value)| json!({ name: value }))
        .collect();
    rolled.rollover_info.insert(
        alias.clone(),
        json!({"met_conditions": conditions, "time": now_ms}),
    );
    let mut between = state.clone();
    between
        .indices
        .insert(rolled.name.clone(), Arc::new(rolled.clone()));
    let mut events = create_index::create(&between, new_index, now_ms, ids)?;
    if let Some(Event::IndexPut(created)) = events.first_mut() {
        let mut with_alias = IndexMetadata::clone(created);
        with_alias.aliases.insert(alias, metadata);
        aliases::check_write_indices(&between, std::slice::from_ref(&with_alias))?;
        *created = Arc::new(with_alias);
    }
    events.insert(0, Event::IndexPut(Arc::new(rolled)));
    Ok(events)
}
