//! The processes of the cluster.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Persistent name of a node: 22 characters, made once for a data directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub String);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a node tells about itself when it joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeInfo {
    /// Persistent id.
    pub id: NodeId,
    /// Random name of this run of the process.
    pub ephemeral_id: String,
    /// Name a person gave it, or the host's.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Address without port.
    pub ip: String,
    /// `ip:port` of the transport between nodes.
    pub transport_address: String,
    /// `ip:port` where REST answers, as clients reach it.
    pub http_address: String,
    /// Role names, sorted: `cluster_manager`, `data`, `ingest`, `remote_cluster_client`.
    pub roles: Vec<String>,
    /// `node.attr.*` of the configuration, without the prefix.
    pub attributes: BTreeMap<String, String>,
    /// OpenSearch version that the interface follows, e.g. `3.6.0`.
    pub version: String,
    /// When the process started, in ms since the epoch.
    pub started_ms: i64,
}

impl NodeInfo {
    /// Whether it holds shards.
    pub fn is_data(&self) -> bool {
        self.roles.iter().any(|role| role == "data")
    }

    /// Whether it may become the master.
    pub fn is_master_eligible(&self) -> bool {
        self.roles.iter().any(|role| role == "cluster_manager")
    }
}

/// The disk of a node, and what lies there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeUsage {
    /// The node.
    pub node: NodeId,
    /// Size of the disk under its data.
    pub total_bytes: u64,
    /// What is free there.
    pub free_bytes: u64,
    /// Sizes of its shard copies, by allocation id; those not listed count as empty.
    #[serde(default)]
    pub copies: BTreeMap<String, u64>,
}

/// A node that shall have no vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VotingExclusion {
    /// Its id, `_absent_` when it was named by a name that no node has.
    pub node_id: String,
    /// Its name, `_absent_` when it was named by an id that no node has.
    pub node_name: String,
}

impl VotingExclusion {
    /// Whether it is about a node with this name, and with this id as far as that is known.
    pub fn covers(&self, id: Option<&NodeId>, name: &str) -> bool {
        self.node_name == name || id.is_some_and(|id| self.node_id == id.0)
    }
}
