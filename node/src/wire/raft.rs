//! What masters say to one another, and keep in their log.

use openraft::EntryPayload;
use openraft::alias::LeaderIdOf;
use openraft::entry::RaftEntry;
use openraft::vote::RaftLeaderId;
use quidditch_proto::raft as proto;

use crate::master::raft::types::{
    Entry, LogId, MasterNode, Membership, Proposal, SnapshotMeta, StoredMembership, TypeConfig,
    Vote,
};

type LeaderId = LeaderIdOf<TypeConfig>;

/// A message that lacks what it must have, or whose parts disagree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

fn missing(what: &str) -> Malformed {
    Malformed(format!("{what} is missing"))
}

fn leader_id_to(id: &LeaderId) -> proto::LeaderId {
    proto::LeaderId {
        term: id.term,
        node_id: id.node_id,
    }
}

fn leader_id_from(id: Option<proto::LeaderId>) -> Result<LeaderId, Malformed> {
    let id = id.ok_or_else(|| missing("a leader id"))?;
    Ok(LeaderId::new(id.term, id.node_id))
}

/// A vote as a message.
pub fn vote_to(vote: &Vote) -> proto::Vote {
    proto::Vote {
        leader_id: Some(leader_id_to(&vote.leader_id)),
        committed: vote.committed,
    }
}

/// The vote of a message.
pub fn vote_from(vote: Option<proto::Vote>) -> Result<Vote, Malformed> {
    let vote = vote.ok_or_else(|| missing("a vote"))?;
    Ok(Vote {
        leader_id: leader_id_from(vote.leader_id)?,
        committed: vote.committed,
    })
}

/// A log id as a message.
pub fn log_id_to(id: &LogId) -> proto::LogId {
    proto::LogId {
        leader_id: Some(leader_id_to(id.committed_leader_id())),
        index: id.index(),
    }
}

/// The log id of a message, when it has one.
pub fn log_id_from(id: Option<proto::LogId>) -> Result<Option<LogId>, Malformed> {
    let Some(id) = id else { return Ok(None) };
    Ok(Some(LogId::new(leader_id_from(id.leader_id)?, id.index)))
}

/// A member as a message.
pub fn node_to(node: &MasterNode) -> proto::Node {
    proto::Node {
        name: node.name.clone(),
        raft_address: node.raft_address.clone(),
        grpc_address: node.grpc_address.clone(),
    }
}

/// The member of a message.
pub fn node_from(node: Option<proto::Node>) -> Result<MasterNode, Malformed> {
    let node = node.ok_or_else(|| missing("a node"))?;
    Ok(MasterNode {
        name: node.name,
        raft_address: node.raft_address,
        grpc_address: node.grpc_address,
    })
}

/// A membership as a message.
pub fn membership_to(membership: &Membership) -> proto::Membership {
    let mut configs = Vec::new();
    for config in membership.get_joint_config() {
        configs.push(proto::VoterSet {
            node_ids: config.iter().copied().collect(),
        });
    }
    let mut nodes = Vec::new();
    for (id, node) in membership.nodes() {
        nodes.push(proto::Member {
            node_id: *id,
            node: Some(node_to(node)),
        });
    }
    proto::Membership { configs, nodes }
}

/// The membership of a message.
pub fn membership_from(membership: proto::Membership) -> Result<Membership, Malformed> {
    let mut configs = Vec::with_capacity(membership.configs.len());
    for config in membership.configs {
        configs.push(config.node_ids.into_iter().collect());
    }
    let mut nodes = std::collections::BTreeMap::new();
    for member in membership.nodes {
        nodes.insert(member.node_id, node_from(member.node)?);
    }
    if configs.is_empty() && nodes.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(configs, nodes).map_err(|error| Malformed(format!("a membership: {error}")))
}

/// A membership with its place in the log, as a message.
pub fn stored_membership_to(stored: &StoredMembership) -> proto::StoredMembership {
    proto::StoredMembership {
        log_id: stored.log_id().as_ref().map(log_id_to),
        membership: Some(membership_to(stored.membership())),
    }
}

/// The membership of a message, with its place in the log.
pub fn stored_membership_from(
    stored: Option<proto::StoredMembership>,
) -> Result<StoredMembership, Malformed> {
    let stored = stored.ok_or_else(|| missing("a stored membership"))?;
    let membership = stored.membership.ok_or_else(|| missing("a membership"))?;
    Ok(StoredMembership::new(
        log_id_from(stored.log_id)?,
        membership_from(membership)?,
    ))
}

/// An entry as a message.
pub fn entry_to(entry: &Entry) -> proto::Entry {
    let payload = match &entry.payload {
        EntryPayload::Blank => None,
        EntryPayload::Normal(proposal) => Some(proto::entry::Payload::Batch(proposal.0.clone())),
        EntryPayload::Membership(membership) => {
            Some(proto::entry::Payload::Membership(membership_to(membership)))
        }
    };
    proto::Entry {
        log_id: Some(log_id_to(&entry.log_id())),
        payload,
    }
}

/// The entry of a message.
pub fn entry_from(entry: proto::Entry) -> Result<Entry, Malformed> {
    let log_id = log_id_from(entry.log_id)?.ok_or_else(|| missing("the log id of an entry"))?;
    let payload = match entry.payload {
        None => EntryPayload::Blank,
        Some(proto::entry::Payload::Batch(bytes)) => EntryPayload::Normal(Proposal(bytes)),
        Some(proto::entry::Payload::Membership(membership)) => {
            EntryPayload::Membership(membership_from(membership)?)
        }
    };
    Ok(Entry::new(log_id, payload))
}

/// What a snapshot covers, as a message.
pub fn snapshot_meta_to(meta: &SnapshotMeta) -> proto::SnapshotMeta {
    proto::SnapshotMeta {
        last_log_id: meta.last_log_id.as_ref().map(log_id_to),
        last_membership: Some(stored_membership_to(&meta.last_membership)),
    }
}

/// What the snapshot of a message covers.
pub fn snapshot_meta_from(meta: Option<proto::SnapshotMeta>) -> Result<SnapshotMeta, Malformed> {
    let meta = meta.ok_or_else(|| missing("the header of a snapshot"))?;
    Ok(SnapshotMeta {
        last_log_id: log_id_from(meta.last_log_id)?,
        last_membership: stored_membership_from(meta.last_membership)?,
    })
}
