//! What can be asked of the masters.

use std::collections::BTreeMap;

use quidditch_engine::schema::UpdateReason;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::aliases::AliasAction;
use super::shards::ShardReport;
use crate::cluster::allocation::RerouteCommand;
use crate::cluster::error::StateError;
use crate::cluster::index_metadata::AliasMetadata;
use crate::cluster::node::{NodeId, NodeInfo, NodeUsage, VotingExclusion};
use crate::cluster::template::{ComponentTemplate, IndexTemplate, LegacyTemplate};

/// Why a command was refused.
pub type CommandError = StateError;

/// One wanted change of the cluster state. Names are concrete: expressions are resolved before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Command {
    /// Makes an index.
    CreateIndex(CreateIndex),
    /// Makes an index that takes over the documents of another one.
    ResizeIndex(ResizeIndex),
    /// Makes an index for a first write, by templates; one that exists is fine.
    AutoCreate {
        /// Concrete name.
        index: String,
    },
    /// Removes indices and their data.
    DeleteIndices {
        /// Concrete names.
        names: Vec<String>,
    },
    /// Lets closed indices serve again.
    OpenIndices {
        /// Concrete names.
        names: Vec<String>,
    },
    /// Stops indices from serving, keeps their data.
    CloseIndices {
        /// Concrete names.
        names: Vec<String>,
    },
    /// Merges a mapping into one index's; the way of dynamic mapping.
    UpdateMapping {
        /// Concrete name.
        index: String,
        /// Its uuid: an index that took the name meanwhile is another one.
        uuid: String,
        /// Mapping to merge, `{"properties": …}`.
        update: Value,
        /// Put by a user, or by a document.
        reason: UpdateReason,
    },
    /// Merges a mapping into several indices', all or none.
    PutMapping {
        /// Concrete names.
        indices: Vec<String>,
        /// Mapping to merge, `{"properties": …}`.
        update: Value,
    },
    /// Changes index settings.
    UpdateSettings(UpdateSettings),
    /// Adds a block (`write`, `read`, `read_only`, `metadata`, `read_only_allow_delete`).
    AddBlock {
        /// Concrete names.
        indices: Vec<String>,
        /// Name of the block.
        block: String,
    },
    /// Changes aliases, all or none.
    UpdateAliases {
        /// In order.
        actions: Vec<AliasAction>,
    },
    /// Makes a new index behind an alias and moves writes to it.
    Rollover(Rollover),
    /// Stores a composable index template.
    PutIndexTemplate {
        /// Its name.
        name: String,
        /// What it is.
        template: IndexTemplate,
        /// Refuse to replace one.
        create: bool,
    },
    /// Removes composable index templates; a wildcard may match none, a name may not.
    DeleteIndexTemplates {
        /// Name or pattern.
        name: String,
    },
    /// Stores a component template.
    PutComponentTemplate {
        /// Its name.
        name: String,
        /// What it is.
        template: ComponentTemplate,
        /// Refuse to replace one.
        create: bool,
    },
    /// Removes component templates that no index template uses.
    DeleteComponentTemplates {
        /// Name or pattern.
        name: String,
    },
    /// Stores a template of the older kind.
    PutLegacyTemplate {
        /// Its name.
        name: String,
        /// What it is.
        template: LegacyTemplate,
        /// Refuse to replace one.
        create: bool,
    },
    /// Removes templates of the older kind.
    DeleteLegacyTemplates {
        /// Name or pattern.
        name: String,
    },
    /// Changes cluster settings; `None` resets, keys may hold `*` then.
    UpdateClusterSettings {
        /// Outliving a restart.
        persistent: BTreeMap<String, Option<String>>,
        /// Until the next restart.
        transient: BTreeMap<String, Option<String>>,
    },
    /// Stores (`Some`) or removes (`None`) an ingest pipeline.
    PutPipeline {
        /// Its id.
        id: String,
        /// The definition as given.
        pipeline: Option<Value>,
    },
    /// Stores (`Some`) or removes (`None`) a script.
    PutStoredScript {
        /// Its id.
        id: String,
        /// The definition as given.
        script: Option<Value>,
    },
    /// A node came up. One that is known under another `ephemeral_id` has restarted: it has left, then joined.
    JoinNode(NodeInfo),
    /// Nodes are gone; one that has joined again since, with another `ephemeral_id`, stays.
    NodesLeft {
        /// Ids, with the `ephemeral_id` of the run that ended.
        nodes: Vec<(NodeId, String)>,
        /// For people.
        reason: String,
    },
    /// The masters have a new leader.
    MasterElected(NodeId),
    /// Disks of data nodes.
    NodeUsage(Vec<NodeUsage>),
    /// What became of shard copies on a node.
    ReportShards(Vec<ShardReport>),
    /// A copy misses a write that its primary wants to acknowledge, or one that is in sync has no node: the primary
    /// asks that it no longer counts. Refused as `stale_primary` when who asks is not the primary of now.
    FailCopy {
        /// Uuid of the index.
        index_uuid: String,
        /// Number of the shard.
        shard: u32,
        /// The copy.
        allocation_id: String,
        /// Term of the primary that asks.
        primary_term: u64,
        /// For people.
        reason: String,
    },
    /// Looks at all copies anew: delays that have passed, disks, balance.
    Reroute {
        /// For people.
        reason: String,
    },
    /// Moves, cancels or forces copies as somebody said, then looks at all copies anew.
    RerouteBy {
        /// In order.
        commands: Vec<RerouteCommand>,
        /// Lets copies that failed too often be tried again.
        retry_failed: bool,
        /// Leaves out what cannot be done; else the first such command is refused, with all others.
        is_lenient: bool,
    },
    /// Nodes that shall have no vote, besides those that have none already.
    ExcludeVoters(Vec<VotingExclusion>),
    /// All nodes may vote again.
    ClearVotingExclusions,
    /// Has shard copies that failed opened again: uuid of the index and number of the shard, or all of them.
    RetryShards(Option<Vec<(String, u32)>>),
}

impl Command {
    /// Whether whoever asks waits until all nodes follow the change. What nodes tell about themselves and each other, and
    /// what nobody asked for, holds as soon as the masters agreed on it.
    pub fn wants_followers(&self) -> bool {
        !matches!(
            self,
            Command::JoinNode(_)
                | Command::NodesLeft { .. }
                | Command::MasterElected(_)
                | Command::ReportShards(_)
                | Command::FailCopy { .. }
                | Command::NodeUsage(_)
                | Command::Reroute { .. }
                | Command::RetryShards(_)
        )
    }

    /// What it is, for people: as `_cluster/pending_tasks` shows it.
    pub fn source(&self) -> String {
        let with = |what: &str, names: &[String]| format!("{what} [{}]", names.join(", "));
        match self {
            Command::CreateIndex(request) => {
                format!("create-index [{}], cause [api]", request.name)
            }
            Command::ResizeIndex(request) => {
                format!(
                    "create-index [{}], cause [{}_index]",
                    request.name,
                    request.kind.name()
                )
            }
            Command::AutoCreate { index } => {
                format!("create-index [{index}], cause [auto(bulk api)]")
            }
            Command::DeleteIndices { names } => with("delete-index", names),
            Command::OpenIndices { names } => with("open-indices", names),
            Command::CloseIndices { names } => with("close-indices", names),
            Command::UpdateMapping { index, .. } => format!("put-mapping [{index}]"),
            Command::PutMapping { indices, .. } => with("put-mapping", indices),
            Command::UpdateSettings(request) => with("update-settings", &request.indices),
            Command::AddBlock { indices, .. } => with("add-index-block", indices),
            Command::UpdateAliases { .. } => "index-aliases".to_owned(),
            Command::Rollover(request) => format!("rollover_index source [{}]", request.alias),
            Command::PutIndexTemplate { name, .. } => format!("create-index-template-v2 [{name}]"),
            Command::DeleteIndexTemplates { name } => format!("remove-index-template-v2 [{name}]"),
            Command::PutComponentTemplate { name, .. } => {
                format!("create-component-template [{name}]")
            }
            Command::DeleteComponentTemplates { name } => {
                format!("remove-component-template [{name}]")
            }
            Command::PutLegacyTemplate { name, .. } => format!("create-index-template [{name}]"),
            Command::DeleteLegacyTemplates { name } => format!("remove-index-template [{name}]"),
            Command::UpdateClusterSettings { .. } => "cluster_update_settings".to_owned(),
            Command::PutPipeline { id, .. } => format!("put-pipeline-{id}"),
            Command::PutStoredScript { id, .. } => format!("put-stored-script [{id}]"),
            Command::JoinNode(node) => format!("node-join [{}]", node.name),
            Command::NodesLeft { nodes, reason } => {
                let ids: Vec<String> = nodes.iter().map(|(id, _)| id.0.clone()).collect();
                format!("node-left [{}], reason [{reason}]", ids.join(", "))
            }
            Command::MasterElected(node) => format!("elected-as-cluster-manager [{node}]"),
            Command::NodeUsage(_) => "node-usage".to_owned(),
            Command::ReportShards(reports) => match reports.iter().all(|r| r.failure.is_some()) {
                true => "shard-failed".to_owned(),
                false => "shard-started".to_owned(),
            },
            Command::FailCopy {
                shard,
                allocation_id,
                ..
            } => format!("shard-failed, shard [{shard}], allocation id [{allocation_id}]"),
            Command::Reroute { reason } => format!("cluster_reroute({reason})"),
            Command::RerouteBy { .. } => "cluster_reroute (api)".to_owned(),
            Command::ExcludeVoters(_) => "add-voting-config-exclusions".to_owned(),
            Command::ClearVotingExclusions => "clear-voting-config-exclusions".to_owned(),
            Command::RetryShards(_) => "reroute-retry-failed".to_owned(),
        }
    }
}

/// A new index.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateIndex {
    /// Concrete name.
    pub name: String,
    /// The name as the user wrote it (date math); empty means the same.
    pub provided_name: String,
    /// Flat settings, `index.*` (see [`crate::cluster::settings::flatten`]).
    pub settings: BTreeMap<String, String>,
    /// Mapping, `{"properties": …}`; `Null` when none was given.
    pub mapping: Value,
    /// Aliases; filters are already checked.
    pub aliases: BTreeMap<String, AliasMetadata>,
    /// The index whose documents it takes over; templates are not asked then.
    pub resized_from: Option<ResizeSource>,
}

/// The index that a resized one takes its documents from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResizeSource {
    /// Concrete name.
    pub name: String,
    /// Its uuid.
    pub uuid: String,
    /// The hash space of the new index, when the old one's has to stay.
    pub routing_num_shards: Option<u32>,
}

/// How an index is resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResizeKind {
    /// To fewer shards.
    Shrink,
    /// To more shards.
    Split,
    /// To as many shards.
    Clone,
}

impl ResizeKind {
    /// `shrink`, `split` or `clone`.
    pub fn name(self) -> &'static str {
        match self {
            ResizeKind::Shrink => "shrink",
            ResizeKind::Split => "split",
            ResizeKind::Clone => "clone",
        }
    }
}

/// A new index that takes over the documents of another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResizeIndex {
    /// Concrete name of the new index.
    pub name: String,
    /// Its name as the user wrote it.
    pub provided_name: String,
    /// Concrete name of the old one.
    pub source: String,
    /// To how many shards.
    pub kind: ResizeKind,
    /// Flat settings, `index.*`, over the old index's; `None`: do not take that one over.
    pub settings: BTreeMap<String, Option<String>>,
    /// Aliases of the new index.
    pub aliases: BTreeMap<String, AliasMetadata>,
}

/// New values of index settings.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateSettings {
    /// Concrete names.
    pub indices: Vec<String>,
    /// Flat settings, `index.*`; `None` resets to the default, the key may hold `*` then.
    pub settings: BTreeMap<String, Option<String>>,
    /// Leave settings alone that have a value.
    pub preserve_existing: bool,
}

/// A rollover whose conditions were met (or that has none).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollover {
    /// The alias.
    pub alias: String,
    /// The index that had the writes; the command is refused when it no longer has.
    pub old_index: String,
    /// Name, settings, mapping and aliases of the new index.
    pub new_index: CreateIndex,
    /// Conditions that were met, as the REST interface shows them.
    pub met_conditions: serde_json::Map<String, Value>,
}
