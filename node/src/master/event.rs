//! What has happened to the cluster state. Events are what the journal keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::index_metadata::IndexMetadata;
use crate::cluster::node::{NodeId, NodeInfo, NodeUsage, VotingExclusion};
use crate::cluster::routing::ShardCopy;
use crate::cluster::state::Tombstone;
use crate::cluster::template::{ComponentTemplate, IndexTemplate, LegacyTemplate};

/// Levels to which the JSON form of an event may be nested. What reads it stops after 127, and a whole state has the parts of
/// events one level deeper than they have them.
pub const LEVELS_MAX: usize = 120;

/// One change. Applying the same events to the same state always gives the same state. A release that does not know a part
/// of one refuses it by name: left out in silence, the part would be missing from its state alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    /// An index is new or changed; the whole of its metadata.
    IndexPut(Arc<IndexMetadata>),
    /// An index is gone.
    IndexRemoved {
        /// Its name.
        name: String,
        /// When, in ms since the epoch.
        #[serde(default)]
        at_ms: i64,
    },
    /// Indices that were deleted lately; all that are remembered.
    Graveyard(Vec<Tombstone>),
    /// What an index's metadata says about the copies of one shard.
    CopiesTracked {
        /// The index.
        index: String,
        /// Version of its metadata now.
        version: u64,
        /// Number of the shard.
        shard: u32,
        /// Reign of its primary.
        primary_term: u64,
        /// Allocation ids in sync.
        in_sync: BTreeSet<String>,
        /// Where they lie.
        homes: BTreeMap<String, NodeId>,
        /// Whether a primary has started once.
        is_started: bool,
    },
    /// Where the copies of one shard are now. Not journaled by a lone node.
    ShardRouted {
        /// The index.
        index: String,
        /// Number of the shard.
        shard: u32,
        /// Its copies.
        copies: Vec<ShardCopy>,
    },
    /// Where the copies of an index's shards are now. Not journaled by a lone node.
    ShardsRouted {
        /// The index.
        index: String,
        /// `shards[n]` lists the copies of shard `n`.
        shards: Vec<Vec<ShardCopy>>,
    },
    /// A composable index template is new or changed.
    IndexTemplatePut {
        /// Its name.
        name: String,
        /// What it is.
        template: Arc<IndexTemplate>,
    },
    /// A composable index template is gone.
    IndexTemplateRemoved {
        /// Its name.
        name: String,
    },
    /// A component template is new or changed.
    ComponentTemplatePut {
        /// Its name.
        name: String,
        /// What it is.
        template: Arc<ComponentTemplate>,
    },
    /// A component template is gone.
    ComponentTemplateRemoved {
        /// Its name.
        name: String,
    },
    /// A template of the older kind is new or changed.
    LegacyTemplatePut {
        /// Its name.
        name: String,
        /// What it is.
        template: Arc<LegacyTemplate>,
    },
    /// A template of the older kind is gone.
    LegacyTemplateRemoved {
        /// Its name.
        name: String,
    },
    /// The cluster settings now, all of them.
    ClusterSettings {
        /// Outliving a restart.
        persistent: BTreeMap<String, String>,
        /// Until the next restart.
        transient: BTreeMap<String, String>,
    },
    /// An ingest pipeline is new, changed (`Some`) or gone (`None`).
    Pipeline {
        /// Its id.
        id: String,
        /// The definition as given.
        pipeline: Option<Value>,
    },
    /// A stored script is new, changed (`Some`) or gone (`None`).
    StoredScript {
        /// Its id.
        id: String,
        /// The definition as given.
        script: Option<Value>,
    },
    /// A node is here. Not journaled by a lone node.
    NodeJoined(Box<NodeInfo>),
    /// The cluster begins: the first of all events.
    ClusterFounded {
        /// Name a person gave it.
        name: String,
        /// Made once; 22 characters.
        uuid: String,
    },
    /// Another master decides from here on. Not journaled.
    MasterElected {
        /// Which one.
        node: NodeId,
    },
    /// A node is gone.
    NodeLeft(NodeId),
    /// The disk of a data node.
    NodeUsage(NodeUsage),
    /// Nodes that shall have no vote, all of them.
    VotingExclusions(Vec<VotingExclusion>),
}

impl Event {
    /// Whether the event must survive a restart of a lone node. In a cluster every event does.
    pub fn is_durable(&self) -> bool {
        !matches!(
            self,
            Event::ShardRouted { .. }
                | Event::ShardsRouted { .. }
                | Event::NodeJoined(_)
                | Event::NodeLeft(_)
                | Event::MasterElected { .. }
                | Event::NodeUsage(_)
        )
    }

    /// How deep its JSON form is nested; 0 for those whose form is always the same.
    pub fn levels(&self) -> usize {
        match self {
            Event::IndexPut(_)
            | Event::IndexTemplatePut { .. }
            | Event::ComponentTemplatePut { .. }
            | Event::LegacyTemplatePut { .. }
            | Event::Pipeline { .. }
            | Event::StoredScript { .. } => {
                let mut levels = Levels::default();
                // One that has no JSON form is refused where it is written.
                let _ = serde_json::to_writer(&mut levels, self);
                levels.deepest
            }
            Event::IndexRemoved { .. }
            | Event::Graveyard(_)
            | Event::CopiesTracked { .. }
            | Event::ShardRouted { .. }
            | Event::ShardsRouted { .. }
            | Event::IndexTemplateRemoved { .. }
            | Event::ComponentTemplateRemoved { .. }
            | Event::LegacyTemplateRemoved { .. }
            | Event::ClusterSettings { .. }
            | Event::NodeJoined(_)
            | Event::ClusterFounded { .. }
            | Event::MasterElected { .. }
            | Event::NodeLeft(_)
            | Event::NodeUsage(_)
            | Event::VotingExclusions(_) => 0,
        }
    }
}

/// Counts how deep the JSON that is written is nested.
#[derive(Default)]
struct Levels {
    open: usize,
    deepest: usize,
    is_text: bool,
    is_escaped: bool,
}

impl std::io::Write for Levels {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for byte in bytes {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.is_text = !self.is_text,
                b'{' | b'[' if !self.is_text => {
                    self.open += 1;
                    self.deepest = self.deepest.max(self.open);
                }
                b'}' | b']' if !self.is_text => self.open -= 1,
                _ => {}
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn levels_are_those_of_brackets_outside_of_text() {
        let levels = |pipeline: Value| {
            let id = "{[".to_owned();
            let pipeline = Some(pipeline);
            Event::Pipeline { id, pipeline }.levels()
        };
        assert_eq!(levels(json!(1)), 2);
        assert_eq!(levels(json!({"a": [], "b": [[1]]})), 5);
        assert_eq!(levels(json!({r#"\{"#: r#"["{\"#, "": {}})), 4);
        assert_eq!(Event::NodeLeft(NodeId("a".to_owned())).levels(), 0);
    }

    #[test]
    fn a_part_of_an_event_that_is_not_known_is_refused_by_name() {
        let read =
            |text: &str| serde_json::from_str::<Event>(text).map_err(|error| error.to_string());
        assert!(read(r#"{"IndexRemoved": {"name": "a", "at_ms": 1}}"#).is_ok());
        for newer in [
            r#"{"IndexRemoved": {"name": "a", "at_ms": 1, "newer": 2}}"#,
            r#"{"Graveyard": [{"name": "a", "uuid": "u", "deleted_ms": 1, "newer": 2}]}"#,
            r#"{"newer": {}}"#,
        ] {
            let refused = read(newer).unwrap_err();
            assert!(refused.contains("`newer`"), "{refused}");
        }
    }
}
