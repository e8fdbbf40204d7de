//! What an event does to the state.

use std::sync::Arc;

use crate::cluster::ClusterState;
use crate::cluster::state::Tombstone;

use super::event::Event;

/// Deleted indices that are remembered.
const TOMBSTONES_MAX: usize = 500;

/// The state after an event. Pure; the version is raised by whoever publishes.
pub fn apply(mut state: ClusterState, event: &Event) -> ClusterState {
    match event {
        Event::IndexPut(index) => {
            state.indices.insert(index.name.clone(), index.clone());
        }
        Event::IndexRemoved { name, at_ms } => {
            if let Some(index) = state.indices.remove(name) {
                state.graveyard.push(Tombstone {
                    name: index.name.clone(),
                    uuid: index.uuid.clone(),
                    deleted_ms: *at_ms,
                });
                let too_many = state.graveyard.len().saturating_sub(TOMBSTONES_MAX);
                state.graveyard.drain(..too_many);
            }
            state.routing.indices.remove(name);
        }
        Event::Graveyard(graveyard) => state.graveyard = graveyard.clone(),
        Event::CopiesTracked {
            index,
            version,
            shard,
            primary_term,
            in_sync,
            homes,
            is_started,
        } => {
            let place = *shard as usize;
            if let Some(index) = state.indices.get_mut(index)
                && place < index.primary_terms.len()
            {
                let index = Arc::make_mut(index);
                index.version = *version;
                index.primary_terms[place] = *primary_term;
                index.in_sync[place] = in_sync.clone();
                index.homes[place] = homes.clone();
                match is_started {
                    true => index.started.insert(*shard),
                    false => index.started.remove(shard),
                };
            }
        }
        Event::ShardRouted {
            index,
            shard,
            copies,
        } => {
            let known = state.routing.shards_of_mut(index);
            if let Some(known) = known.and_then(|shards| shards.get_mut(*shard as usize)) {
                known.clone_from(copies);
            }
        }
        Event::ShardsRouted { index, shards } => {
            if state.indices.contains_key(index) {
                let shards = Arc::new(shards.clone());
                state.routing.indices.insert(index.clone(), shards);
            }
        }
        Event::IndexTemplatePut { name, template } => {
            state.index_templates.insert(name.clone(), template.clone());
        }
        Event::IndexTemplateRemoved { name } => {
            state.index_templates.remove(name);
        }
        Event::ComponentTemplatePut { name, template } => {
            state
                .component_templates
                .insert(name.clone(), template.clone());
        }
        Event::ComponentTemplateRemoved { name } => {
            state.component_templates.remove(name);
        }
        Event::LegacyTemplatePut { name, template } => {
            state
                .legacy_templates
                .insert(name.clone(), template.clone());
        }
        Event::LegacyTemplateRemoved { name } => {
            state.legacy_templates.remove(name);
        }
        Event::ClusterSettings {
            persistent,
            transient,
        } => {
            state.persistent = persistent.clone();
            state.transient = transient.clone();
        }
        Event::Pipeline { id, pipeline } => match pipeline {
            Some(pipeline) => {
                state.pipelines.insert(id.clone(), pipeline.clone());
            }
            None => {
                state.pipelines.remove(id);
            }
        },
        Event::StoredScript { id, script } => match script {
            Some(script) => {
                state.stored_scripts.insert(id.clone(), script.clone());
            }
            None => {
                state.stored_scripts.remove(id);
            }
        },
        Event::ClusterFounded { name, uuid } => {
            state.cluster_name = name.clone();
            state.cluster_uuid = uuid.clone();
        }
        Event::MasterElected { node } => state.master = node.clone(),
        Event::NodeJoined(node) => {
            state.nodes.insert(node.id.clone(), (**node).clone());
            // the version that this event is part of
            state.joined.insert(node.id.clone(), state.version + 1);
        }
        Event::NodeLeft(node) => {
            state.nodes.remove(node);
            state.joined.remove(node);
            state.usage.remove(node);
        }
        Event::NodeUsage(usage) => {
            state.usage.insert(usage.node.clone(), usage.clone());
        }
        Event::VotingExclusions(exclusions) => state.voting_exclusions = exclusions.clone(),
    }
    state
}
