//! The cluster state: what indices, templates, settings, nodes and shard copies there are.
//!
//! One typed, versioned value. It is changed only by commands, through the pure functions of [`crate::master`];
//! everybody else holds an `Arc<ClusterState>` and reads.

pub mod allocation;
pub mod blocks;
pub mod cluster_settings;
pub mod date_math;
pub mod error;
pub mod identity;
pub mod index_metadata;
pub mod index_settings;
pub mod names;
pub mod node;
pub mod node_filter;
pub mod resolve;
pub mod routing;
pub mod setting_values;
pub mod settings;
pub mod state;
pub mod template;

pub use blocks::BlockLevel;
pub use error::StateError;
pub use index_metadata::{AliasMetadata, IndexMetadata, IndexState};
pub use node::{NodeId, NodeInfo, NodeUsage, VotingExclusion};
pub use resolve::{IndicesOptions, ResolveError, ResolvedIndex, WriteTarget};
pub use routing::{RecoverySource, RoutingTable, ShardCopy, ShardState, UnassignedInfo};
pub use state::ClusterState;
