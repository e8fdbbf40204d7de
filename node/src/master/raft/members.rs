//! Who belongs to the group: masters come, are replaced, and go, one step at a time, by the leader.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use quidditch_proto as proto;
use quidditch_proto::raft::{IdentifyRequest, Identity};
use tracing::{info, warn};

use super::liveness::LEASE;
use super::status::MasterMember;
use super::types::{ChangeError, MasterNode};
use super::{RaftMaster, is_led_lately};
use crate::master::Masters;
use crate::master::command::Command;
use crate::master::links::within;

/// By when a master says who it is.
pub(super) const IDENTIFY_TIMEOUT: Duration = Duration::from_secs(1);
/// By when a new member has caught up, and by when the others agree to it.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(60);
const CHANGE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a master that does not lead tells the leader that it lives.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
/// A log of so many bytes is shortened.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// How often the leader looks at members that it passed over when votes were dealt out.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Another master leads within this time, once it is asked to.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(2);
/// How often it tries while it is no node of the cluster state.
const JOIN_EVERY: Duration = Duration::from_millis(200);

/// Why a member did not come or go.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// Another master leads, at this gRPC address.
    #[error("another master leads: [{0}]")]
    LedBy(String),
    /// No master leads, as far as is known.
    #[error(
        "no master leads now; that takes a majority of the masters that vote, so see that they run, then try again"
    )]
    NoLeader,
    /// It may be tried again.
    #[error("{0}")]
    NotNow(String),
    /// It may not.
    #[error("{0}")]
    Refused(String),
}

impl RaftMaster {
    /// Shortens a log that is long in bytes to half of that, by a snapshot if need be; raft itself counts entries.
    pub(super) async fn shorten_log(&self, bytes_max: u64) {
        if self.log.entry_bytes() < bytes_max {
            return;
        }
        let status = self.raft_status();
        // the newest entries stay: whoever is a little behind needs no snapshot
        let upto = self.log.last_before(bytes_max / 2).min(status.applied);
        let Some(upto) = upto.filter(|upto| self.log.first_index() <= Some(*upto)) else {
            return;
        };
        // an error: raft has ended, and this master with it
        let _ = match status.snapshot >= Some(upto) {
            true => self.raft.trigger().purge_log(upto).await,
            false => self.raft.trigger().snapshot().await,
        };
    }

    /// Who answers at an address.
    pub(super) async fn identify(&self, raft_address: &str) -> Result<Identity, tonic::Status> {
        let mut client = self.links.raft(raft_address)?;
        let request = IdentifyRequest {
            cluster_name: self.cluster_name.clone(),
        };
        within(IDENTIFY_TIMEOUT, client.identify(request)).await
    }

    /// Whether a member answers at its address, and is still the same data directory.
    async fn answers(&self, member: &MasterMember) -> bool {
        let answer = self.identify(&member.raft_address).await;
        answer.is_ok_and(|found| found.raft_id == member.raft_id)
    }

    /// Takes a master into the group as a voter. One of the same name that is another data directory goes, if it does not
    /// answer any more.
    pub(super) async fn admit(&self, id: u64, node: MasterNode) -> Result<(), MembershipError> {
        let _one = self.membership.lock().await;
        self.check_leads()?;
        let members = self.members();
        if members
            .iter()
            .any(|member| member.raft_id == id && member.is_voter)
        {
            return Ok(());
        }
        let is_excluded = self.excludes(&node.name);
        // asking again and again must not fill the log
        if is_excluded && members.iter().any(|member| member.is_at(id, &node)) {
            return Err(excluded(&node.name));
        }
        let namesakes: Vec<MasterMember> = members
            .into_iter()
            .filter(|member| member.name == node.name && member.raft_id != id)
            .collect();
        for old in &namesakes {
            if self.answers(old).await {
                return Err(MembershipError::Refused(format!(
                    "a master named [{}] is in the group and answers at [{}]; give the new one another name",
                    old.name, old.raft_address
                )));
            }
        }
        info!(
            raft_id = id,
            name = node.name,
            address = node.raft_address,
            "a master joins"
        );
        let learns = self.raft.add_learner(id, node.clone(), true);
        self.step(CATCH_UP_TIMEOUT, "catching up", learns).await?;
        if !is_excluded {
            let votes = ChangeMembers::AddVoterIds(BTreeSet::from([id]));
            self.change(votes, true).await?;
        }
        for old in namesakes {
            info!(
                raft_id = old.raft_id,
                name = old.name,
                "a master is replaced"
            );
            self.expel(&old).await?;
        }
        match is_excluded {
            true => Err(excluded(&node.name)),
            false => Ok(()),
        }
    }

    /// Whether a master shall have no vote.
    pub(super) fn excludes(&self, name: &str) -> bool {
        let state = self.publisher.newest().state;
        let id = state.node_named(name).map(|node| &node.id);
        let mut exclusions = state.voting_exclusions.iter();
        exclusions.any(|exclusion| exclusion.covers(id, name))
    }

    /// Takes a master out of the group.
    pub(super) async fn dismiss(&self, named: &str) -> Result<(), MembershipError> {
        let _one = self.membership.lock().await;
        self.check_leads()?;
        let members = self.members();
        let found: Vec<&MasterMember> = members
            .iter()
            .filter(|member| member.name == named || member.raft_id.to_string() == named)
            .collect();
        let member = match found[..] {
            [member] => member.clone(),
            [] => {
                return Err(MembershipError::Refused(format!(
                    "no master of the group is named [{named}]"
                )));
            }
            _ => {
                return Err(MembershipError::Refused(format!(
                    "several masters are named [{named}]; name one by its number"
                )));
            }
        };
        if member.is_voter && members.iter().filter(|member| member.is_voter).count() == 1 {
            return Err(MembershipError::Refused(format!(
                "[{named}] is the only master that votes"
            )));
        }
        if member.is_voter {
            self.check_majority_without(&member).await?;
        }
        if member.raft_id == self.raft_id {
            // whoever leads next takes it out: by then nobody counts on this one, nor it on others
            self.hand_over().await;
            let (mut reign, mut led) = (self.reign.subscribe(), self.led_at.subscribe());
            let is_led = async {
                let _ = reign.wait_for(Option::is_none).await;
                let _ = led.wait_for(is_led_lately).await;
            };
            return match tokio::time::timeout(HAND_OVER_TIMEOUT, is_led).await {
                Ok(()) => Err(self.not_leader()),
                Err(_) => Err(MembershipError::NotNow(format!(
                    "[{}] leads, and no other master takes its place; try again",
                    member.name
                ))),
            };
        }
        info!(
            raft_id = member.raft_id,
            name = member.name,
            "a master is taken out"
        );
        self.expel(&member).await
    }

    /// Refuses to take a vote away when too few of those that keep theirs answer: the change would never be agreed on, nor
    /// anything after it.
    async fn check_majority_without(&self, gone: &MasterMember) -> Result<(), MembershipError> {
        let mut stay = self.members();
        stay.retain(|member| member.is_voter && member.raft_id != gone.raft_id);
        let asked = stay
            .iter()
            .map(|member| async { member.raft_id == self.raft_id || self.answers(member).await });
        let asked = join_all(asked).await;
        let answering = asked.iter().filter(|answers| **answers).count();
        match answering * 2 > stay.len() {
            true => Ok(()),
            false => Err(MembershipError::Refused(format!(
                "without [{}] only {answering} of {} masters that vote would answer, which is no majority; \
                 take out those that do not answer first, or start them",
                gone.name,
                stay.len()
            ))),
        }
    }

    async fn expel(&self, member: &MasterMember) -> Result<(), MembershipError> {
        let id = BTreeSet::from([member.raft_id]);
        match member.is_voter {
            true => self.change(ChangeMembers::RemoveVoters(id), false).await,
            false => self.change(ChangeMembers::RemoveNodes(id), false).await,
        }
    }

    /// Gives votes to those that may have one, and takes them from those that shall not (voting exclusions); `false`: some
    /// were passed over, and it has to be done again.
    pub(super) async fn align_votes(&self) -> Result<bool, MembershipError> {
        let _one = self.membership.lock().await;
        let mut is_whole = true;
        for member in self.members() {
            let id = BTreeSet::from([member.raft_id]);
            match (member.is_voter, self.excludes(&member.name)) {
                // the only voter keeps its vote: nobody is a majority of none
                (true, true) => match self.check_majority_without(&member).await {
                    Ok(()) if member.raft_id == self.raft_id => {
                        // a leader without a vote would lead on; the next one takes it
                        self.hand_over().await;
                        return Ok(false);
                    }
                    Ok(()) => {
                        info!(name = member.name, "a master has no vote any more");
                        self.change(ChangeMembers::RemoveVoters(id), true).await?;
                    }
                    Err(refused) => {
                        warn!(name = member.name, %refused, "an excluded master keeps its vote");
                        is_whole = false;
                    }
                },
                // one that does not answer would make a majority harder to have, for nothing
                (false, false) if self.answers(&member).await => {
                    info!(name = member.name, "a master has a vote");
                    self.change(ChangeMembers::AddVoterIds(id), true).await?;
                }
                (false, false) => is_whole = false,
                (true, false) | (false, true) => {}
            }
        }
        Ok(is_whole)
    }

    /// Has another voter lead, one that answers and is not excluded; returns when this one leads no more, or when that takes
    /// too long: then whoever is elected leads.
    pub(super) async fn hand_over(&self) {
        let Some(to) = self.successor().await else {
            return;
        };
        info!(name = to.name, "another master is to lead");
        // Before it can be elected: from here on nothing is answered, and no lease given, in the belief that nobody else leads.
        let _resigning = Resigning::begin(&self.is_resigning);
        if self
            .raft
            .trigger()
            .transfer_leader(to.raft_id)
            .await
            .is_err()
        {
            // raft is stopping, and its reign with it
            return;
        }
        let mut server = self.raft.server_metrics();
        let is_over = async {
            while server.borrow_watched().state.is_leader() && server.changed().await.is_ok() {}
        };
        if tokio::time::timeout(HAND_OVER_TIMEOUT, is_over)
            .await
            .is_err()
        {
            warn!(name = to.name, "the other master does not lead yet");
        }
    }

    async fn successor(&self) -> Option<MasterMember> {
        let mut voters = self.members();
        voters.retain(|member| {
            member.is_voter && member.raft_id != self.raft_id && !self.excludes(&member.name)
        });
        for voter in voters {
            if self.answers(&voter).await {
                return Some(voter);
            }
        }
        None
    }

    /// Whether a member follows that may vote: it was taken in, and something came between.
    fn lacks_voters(&self) -> bool {
        let mut members = self.members().into_iter();
        members.any(|member| !member.is_voter && !self.excludes(&member.name))
    }

    /// Ends a change that a leader before this one did not.
    async fn finish_change(&self) -> Result<(), MembershipError> {
        let _one = self.membership.lock().await;
        let server = self.raft.server_metrics().borrow_watched().clone();
        let configs = server
            .membership_config
            .membership()
            .get_joint_config()
            .clone();
        match &configs[..] {
            [_, .., wanted] => {
                info!("ending a change of the group that was begun before");
                let wanted = ChangeMembers::ReplaceAllVoters(wanted.clone());
                self.change(wanted, false).await
            }
            _ => Ok(()),
        }
    }

    async fn change(
        &self,
        change: ChangeMembers<u64, MasterNode>,
        retain: bool,
    ) -> Result<(), MembershipError> {
        let changes = self.raft.change_membership(change, retain);
        self.step(CHANGE_TIMEOUT, "agreeing on it", changes).await
    }

    fn check_leads(&self) -> Result<(), MembershipError> {
        match self.leads() {
            true => Ok(()),
            false => Err(self.not_leader()),
        }
    }

    fn not_leader(&self) -> MembershipError {
        match self.leader().filter(|(id, _)| *id != self.raft_id) {
            Some((_, leader)) if self.has_leader() => MembershipError::LedBy(leader.grpc_address),
            _ => MembershipError::NoLeader,
        }
    }

    /// One step of a change, for which there is so much time.
    async fn step<T>(
        &self,
        limit: Duration,
        what: &str,
        step: impl Future<Output = Result<T, ChangeError>>,
    ) -> Result<(), MembershipError> {
        match tokio::time::timeout(limit, step).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.forward_to_leader().is_some() => Err(MembershipError::NotNow(
                "this master leads no more, and whether the change was agreed on is not known; look at the members, then try again"
                    .to_owned(),
            )),
            Ok(Err(error)) => Err(MembershipError::NotNow(error.to_string())),
            Err(_) => Err(MembershipError::NotNow(format!(
                "{what} took longer than {} s",
                limit.as_secs()
            ))),
        }
    }
}

/// While it lives, this master does not count on being the only one that leads.
struct Resigning<'a>(&'a AtomicBool);

impl Resigning<'_> {
    fn begin(is_resigning: &AtomicBool) -> Resigning<'_> {
        is_resigning.store(true, Ordering::SeqCst);
        Resigning(is_resigning)
    }
}

impl Drop for Resigning<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

fn excluded(name: &str) -> MembershipError {
    MembershipError::NotNow(format!("[{name}] is excluded from voting"))
}

impl MasterMember {
    /// Whether it is this very data directory at these addresses.
    fn is_at(&self, id: u64, node: &MasterNode) -> bool {
        self.raft_id == id
            && self.name == node.name
            && self.raft_address == node.raft_address
            && self.grpc_address == node.grpc_address
    }
}

/// While this master leads: ends changes of the group that another one began, and lets those vote that may.
pub(super) async fn keep(master: Arc<RaftMaster>) {
    let mut reign = master.reign.subscribe();
    let mut states = master.publisher.watch();
    let mut exclusions = None;
    let mut is_whole = true;
    loop {
        if !master.leads() {
            exclusions = None;
        }
        let wanted = states.borrow_and_update().voting_exclusions.clone();
        if master.leads() && exclusions.as_ref() != Some(&wanted) {
            let kept = async {
                master.finish_change().await?;
                master.align_votes().await
            };
            match kept.await {
                Ok(done) => {
                    exclusions = Some(wanted);
                    is_whole = done;
                }
                Err(error) => {
                    warn!(%error, "the group of masters is not as it should be; trying again");
                    tokio::time::sleep(HEARTBEAT_EVERY).await;
                    continue;
                }
            }
        }
        tokio::select! {
            () = master.stopped() => return,
            changed = reign.changed() => if changed.is_err() { return },
            changed = states.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK_AGAIN) => if !is_whole || master.lacks_voters() {
                exclusions = None;
            },
        }
    }
}

/// A master is a node as well: it joins the cluster state, and tells the leader that it lives.
pub(super) async fn attend(master: Arc<RaftMaster>) {
    let mut pause = JOIN_EVERY;
    loop {
        tokio::select! {
            () = master.stopped() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = JOIN_EVERY;
        master.shorten_log(LOG_BYTES_MAX).await;
        if master.leads() {
            continue;
        }
        let Some((_, leader)) = master.leader().filter(|(id, _)| *id != master.raft_id) else {
            continue;
        };
        let Ok(mut client) = master.links.master(&leader.grpc_address) else {
            continue;
        };
        let request = proto::HeartbeatRequest {
            cluster_name: master.cluster_name.clone(),
            node_id: master.node.id.0.clone(),
            ephemeral_id: master.node.ephemeral_id.clone(),
            applied_version: master.publisher.newest().state.version,
            ..proto::HeartbeatRequest::default()
        };
        // an error: the leader is away, or is none; the next one is asked the next time
        let Ok(answer) = within(LEASE, client.heartbeat(request)).await else {
            continue;
        };
        if !answer.not_leader {
            master
                .led_at
                .send_replace(Some(tokio::time::Instant::now()));
        }
        if answer.is_member {
            pause = HEARTBEAT_EVERY;
        } else if !answer.not_leader {
            let joins = Command::JoinNode(master.node.clone());
            if let Err(refused) = master.submit_within(joins, Some(LEASE)).await {
                warn!(%refused, "this master could not join the cluster state");
            }
        }
    }
}

/// The members as a message.
pub(super) fn members_response(master: &RaftMaster) -> proto::MembersResponse {
    let status = master.raft_status();
    let members = master.members().into_iter().map(|member| proto::Member {
        raft_id: member.raft_id,
        name: member.name,
        raft_address: member.raft_address,
        grpc_address: member.grpc_address,
        is_voter: member.is_voter,
        // raft itself goes on naming a leader that is gone
        is_leader: member.is_leader && master.has_leader(),
    });
    proto::MembersResponse {
        members: members.collect(),
        term: status.term,
    }
}
