//! How a master and its group fare.

use openraft::async_runtime::watch::WatchReceiver;

use super::RaftMaster;

/// One member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterMember {
    /// Random number of its data directory.
    pub raft_id: u64,
    /// Name a person gave it.
    pub name: String,
    /// `host:port` where its raft answers.
    pub raft_address: String,
    /// `host:port` where nodes ask it.
    pub grpc_address: String,
    /// Whether it votes.
    pub is_voter: bool,
    /// Whether it leads.
    pub is_leader: bool,
}

/// How raft fares on one master.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RaftStatus {
    /// `leader`, `follower`, `candidate`, `learner`, or `forming` before it belongs to a group.
    pub role: String,
    /// The term it is in.
    pub term: u64,
    /// Name of the leader.
    pub leader: Option<String>,
    /// Whether this one leads and decides.
    pub is_leader: bool,
    /// Index of the last entry on disk.
    pub last_log_index: Option<u64>,
    /// Index of the last entry agreed on, as far as it knows.
    pub committed: Option<u64>,
    /// Index of the last entry that its state follows.
    pub applied: Option<u64>,
    /// Index of the last entry in its snapshot.
    pub snapshot: Option<u64>,
    /// Bytes of the entries that are kept.
    pub log_bytes: u64,
    /// Members that vote.
    pub voters: usize,
    /// Members that only follow.
    pub learners: usize,
}

impl RaftMaster {
    /// How raft fares here.
    pub fn raft_status(&self) -> RaftStatus {
        // cloned at once: the core waits for whoever holds it
        let metrics = self.raft.metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let leader = metrics.current_leader;
        let leader = leader.and_then(|id| membership.get_node(&id).cloned());
        let role = match self.log.is_initialized() {
            false => "forming".to_owned(),
            true => format!("{:?}", metrics.state).to_lowercase(),
        };
        RaftStatus {
            role,
            term: metrics.current_term,
            leader: leader.map(|node| node.name),
            is_leader: self.leads(),
            last_log_index: metrics.last_log_index,
            committed: metrics.cluster_committed.map(|id| id.index()),
            applied: metrics.last_applied.map(|id| id.index()),
            snapshot: metrics.snapshot.map(|id| id.index()),
            log_bytes: self.log.entry_bytes(),
            voters: membership.voter_ids().count(),
            learners: membership.learner_ids().count(),
        }
    }

    /// Who belongs to the group, by name.
    pub fn members(&self) -> Vec<MasterMember> {
        let server = self.raft.server_metrics().borrow_watched().clone();
        let membership = server.membership_config.membership();
        let voters: std::collections::BTreeSet<u64> = membership.voter_ids().collect();
        let mut members = Vec::new();
        for (id, node) in membership.nodes() {
            members.push(MasterMember {
                raft_id: *id,
                name: node.name.clone(),
                raft_address: node.raft_address.clone(),
                grpc_address: node.grpc_address.clone(),
                is_voter: voters.contains(id),
                is_leader: server.current_leader == Some(*id),
            });
        }
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }
}
