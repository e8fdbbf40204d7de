//! The whole state in one value.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::index_metadata::{AliasMetadata, IndexMetadata};
use super::node::{NodeId, NodeInfo, NodeUsage, VotingExclusion};
use super::routing::RoutingTable;
use super::settings::EMPTY_LIST;
use super::template::{ComponentTemplate, IndexTemplate, LegacyTemplate};

/// What the cluster agrees on. Cheap to share (`Arc`), never changed in place.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterState {
    /// Raised by every change.
    pub version: u64,
    /// Name of this very version, random.
    pub state_uuid: String,
    /// Name a person gave the cluster.
    pub cluster_name: String,
    /// Made once, with the cluster; 22 characters.
    pub cluster_uuid: String,
    /// The node that decides.
    pub master: NodeId,
    /// All nodes, by id.
    pub nodes: BTreeMap<NodeId, NodeInfo>,
    /// In which version each of them joined: one that has not carried that version out may still do what it did before.
    #[serde(default)]
    pub joined: BTreeMap<NodeId, u64>,
    /// All indices, by concrete name.
    pub indices: BTreeMap<String, Arc<IndexMetadata>>,
    /// Composable index templates, by name.
    pub index_templates: BTreeMap<String, Arc<IndexTemplate>>,
    /// Component templates, by name.
    pub component_templates: BTreeMap<String, Arc<ComponentTemplate>>,
    /// Templates of the older kind, by name.
    pub legacy_templates: BTreeMap<String, Arc<LegacyTemplate>>,
    /// Cluster settings that outlive a restart, flat; lists as `key.0`, `key.1`.
    pub persistent: BTreeMap<String, String>,
    /// Cluster settings that win over the persistent ones until the next restart, flat.
    pub transient: BTreeMap<String, String>,
    /// Ingest pipelines as given, by id.
    pub pipelines: BTreeMap<String, serde_json::Value>,
    /// Stored scripts as given, by id.
    pub stored_scripts: BTreeMap<String, serde_json::Value>,
    /// Indices that were deleted lately, oldest first: their files may be removed wherever they are found.
    pub graveyard: Vec<Tombstone>,
    /// Where the shard copies are. A lone node rebuilds it from the indices at start.
    pub routing: RoutingTable,
    /// Disks of the data nodes, as last told.
    #[serde(default)]
    pub usage: BTreeMap<NodeId, NodeUsage>,
    /// Nodes that shall have no vote.
    #[serde(default)]
    pub voting_exclusions: Vec<VotingExclusion>,
    /// Whether this is all of the cluster: one process, whose node has every shard, and no other ever joins.
    #[serde(default)]
    pub is_alone: bool,
}

/// An index that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone {
    /// Its name.
    pub name: String,
    /// Its uuid, and the name of its folder.
    pub uuid: String,
    /// When, in ms since the epoch.
    pub deleted_ms: i64,
}

impl ClusterState {
    /// The node with this name.
    pub fn node_named(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes.values().find(|node| node.name == name)
    }

    /// A cluster without nodes and indices.
    pub fn empty(cluster_name: &str, cluster_uuid: &str, master: NodeId) -> ClusterState {
        ClusterState {
            version: 0,
            state_uuid: "_na_".to_owned(),
            cluster_name: cluster_name.to_owned(),
            cluster_uuid: cluster_uuid.to_owned(),
            master,
            nodes: BTreeMap::new(),
            joined: BTreeMap::new(),
            indices: BTreeMap::new(),
            index_templates: BTreeMap::new(),
            component_templates: BTreeMap::new(),
            legacy_templates: BTreeMap::new(),
            persistent: BTreeMap::new(),
            transient: BTreeMap::new(),
            pipelines: BTreeMap::new(),
            stored_scripts: BTreeMap::new(),
            graveyard: Vec::new(),
            routing: RoutingTable::default(),
            usage: BTreeMap::new(),
            voting_exclusions: Vec::new(),
            is_alone: false,
        }
    }

    /// The same, for one process that no other ever joins: its node takes every primary.
    pub fn alone(mut self) -> ClusterState {
        self.is_alone = true;
        self
    }

    /// The nodes that hold shards.
    pub fn data_nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.values().filter(|node| node.is_data())
    }

    /// The index of this concrete name.
    pub fn index(&self, name: &str) -> Option<&Arc<IndexMetadata>> {
        self.indices.get(name)
    }

    /// The index of this uuid.
    pub fn index_by_uuid(&self, uuid: &str) -> Option<&Arc<IndexMetadata>> {
        self.indices.values().find(|index| index.uuid == uuid)
    }

    /// The indices behind an alias, by name; empty when there is no such alias.
    pub fn alias_members(&self, alias: &str) -> Vec<(&Arc<IndexMetadata>, &AliasMetadata)> {
        let mut members = Vec::new();
        for index in self.indices.values() {
            if let Some(metadata) = index.aliases.get(alias) {
                members.push((index, metadata));
            }
        }
        members
    }

    /// A cluster setting in force that is a list, in whichever form it was written: transient before persistent; `None`
    /// means its default.
    pub fn setting_list(&self, key: &str) -> Option<Vec<String>> {
        let layers = [&self.transient, &self.persistent];
        layers.into_iter().find_map(|layer| list(layer, key))
    }

    /// A cluster setting in force: transient before persistent; `None` means its default.
    pub fn cluster_setting(&self, key: &str) -> Option<&str> {
        self.transient
            .get(key)
            .or_else(|| self.persistent.get(key))
            .map(String::as_str)
    }
}

fn list(settings: &BTreeMap<String, String>, key: &str) -> Option<Vec<String>> {
    match settings.get(key).map(String::as_str) {
        Some(EMPTY_LIST) => Some(Vec::new()),
        Some(text) => Some(text.split(',').map(|part| part.trim().to_owned()).collect()),
        None => {
            let elements: Vec<String> = (0..)
                .map_while(|n| settings.get(&format!("{key}.{n}")).cloned())
                .collect();
            (!elements.is_empty()).then_some(elements)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_that_of_the_layer_that_wins() {
        let mut state = ClusterState::empty("c", "u", NodeId("n".to_owned()));
        let set = |layer: &mut BTreeMap<String, String>, key: &str, value: &str| {
            layer.insert(key.to_owned(), value.to_owned());
        };
        assert_eq!(state.setting_list("k"), None);
        set(&mut state.persistent, "k", "a, b");
        assert_eq!(state.setting_list("k").unwrap(), ["a", "b"]);
        for n in 0..11 {
            set(&mut state.transient, &format!("k.{n}"), &n.to_string());
        }
        let numbers: Vec<String> = (0..11).map(|n| n.to_string()).collect();
        assert_eq!(state.setting_list("k").unwrap(), numbers);
        state.transient.clear();
        set(&mut state.transient, "k", EMPTY_LIST);
        assert!(state.setting_list("k").unwrap().is_empty());
    }
}
