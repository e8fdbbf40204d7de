//! The types that raft carries.

use std::fmt;

use bytes::Bytes;
use openraft::alias;
use serde::{Deserialize, Serialize};

use super::state_machine::StateMachine;

openraft::declare_raft_types!(
    /// Raft as the masters use it: entries are encoded batches, members are data directories.
    pub TypeConfig:
        D = Proposal,
        R = Outcome,
        NodeId = u64,
        Node = MasterNode,
);

/// One member's raft.
pub type Raft = openraft::Raft<TypeConfig, StateMachine>;
/// One entry of the log.
pub type Entry = alias::EntryOf<TypeConfig>;
/// Where an entry stands, and whose it was.
pub type LogId = alias::LogIdOf<TypeConfig>;
/// Who leads in a term, and whether a majority agreed.
pub type Vote = alias::VoteOf<TypeConfig>;
/// Who is a member, and since which entry.
pub type StoredMembership = alias::StoredMembershipOf<TypeConfig>;
/// Who is a member.
pub type Membership = openraft::Membership<u64, MasterNode>;
/// What a snapshot covers.
pub type SnapshotMeta = alias::SnapshotMetaOf<TypeConfig>;
/// A snapshot: an encoded image of the state.
pub type Snapshot = alias::SnapshotOf<TypeConfig, Bytes>;

/// Why a change was not agreed on.
pub type ChangeError =
    openraft::errors::RaftError<TypeConfig, openraft::errors::ClientWriteError<TypeConfig>>;

/// A master as the others reach it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterNode {
    /// Name a person gave it.
    pub name: String,
    /// `host:port` where raft answers.
    pub raft_address: String,
    /// `host:port` where nodes ask.
    pub grpc_address: String,
}

/// An encoded [`crate::wire::batch::Batch`]: what the log, the snapshots' hash and the watchers all see.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal(pub Bytes);

impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proposal({} bytes)", self.0.len())
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What came of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It changed nothing by its nature.
    Nothing,
    /// It made the state of this version.
    Applied(u64),
    /// It had been decided on another version than this one, and did nothing.
    Outdated(u64),
}
