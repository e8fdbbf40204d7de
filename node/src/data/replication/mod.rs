//! Copies of a shard that are one: operations go from the primary to all, segments follow.
//!
//! Kuo et al., "PacificA: Replication in Log-Based Distributed Storage Systems" (2008), with the masters as the
//! configuration manager. The primary orders operations; each in-sync copy has an operation in its translog, on disk,
//! before it is acknowledged. A copy that cannot is taken out of the in-sync set *by the masters*, before the answer.
//! Replicas do not index: what the primary's searches see is copied to them, segment by segment.
//!
//! | file | subject |
//! |---|---|
//! | `peers` | what copies ask each other |
//! | `group` | the primary's book: who has what, which writes are open |
//! | `primary` | operations to the other copies; copies that fail; a new primary's first words |
//! | `replica` | what a copy does when it is asked |
//! | `follower` | a replica shows what the primary shows |
//! | `publisher` | the primary tells that it shows something new |
//! | `grpc` | how it travels |

pub mod follower;
pub mod group;
pub mod grpc;
pub mod peers;
pub mod primary;
pub mod publisher;
pub mod replica;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::cluster::NodeId;
use crate::master::Masters;

pub use follower::Follower;
pub use group::Group;
pub use peers::{CopyId, PeerError, Peers};

/// What a shard copy of a cluster needs to know of the world outside its node.
pub struct Cluster {
    /// Who decides.
    pub masters: Arc<dyn Masters>,
    /// The other nodes.
    pub peers: Arc<dyn Peers>,
    /// This node.
    pub node: NodeId,
    /// This run of its process.
    pub ephemeral_id: String,
    /// Whether the masters have promised, just now, not to give a primary of this node to another one.
    pub is_leased: Box<dyn Fn() -> bool + Send + Sync>,
}

/// What a copy is.
#[derive(Clone)]
pub enum Role {
    /// It orders the operations.
    Primary(Arc<Group>),
    /// It follows.
    Replica(Arc<Follower>),
}

impl Role {
    /// The book, if this is the primary.
    pub fn group(&self) -> Option<&Arc<Group>> {
        match self {
            Role::Primary(group) => Some(group),
            Role::Replica(_) => None,
        }
    }

    /// The reign in which the copy works.
    pub fn primary_term(&self) -> u64 {
        match self {
            Role::Primary(group) => group.primary_term(),
            Role::Replica(follower) => follower.primary_term(),
        }
    }
}
