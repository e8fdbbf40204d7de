//! The masters as other processes see them: over the network, any one of several.
//!
//! A node follows the stream of states of one master, makes its shards follow each, and tells the leader so each second
//! and after each state; the answer is a lease. Commands go to any master.

mod admin;
mod follow;
mod heart;
mod lease;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use quidditch_proto as proto;
use quidditch_proto::master_client::MasterClient;
use quidditch_proto::submit_response::Outcome;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use tracing::{error, warn};

pub use self::admin::{AdminError, add_master, health, list_masters, remove_master};
pub use self::lease::Lease;

use super::command::{Command, CommandError};
use super::ids::random_request;
use super::links::{Links, within};
use super::publish::Published;
use super::queue::NotDone;
use super::raft::{
    ASK_TIMEOUT, asked_until, follows, not_done, pending_from, publish_timeout, unknown_outcome,
};
use super::shards::{AppliedState, ShardReport, StateApplier};
use super::{Changed, Electorate, Masters, PendingTasks};
use crate::cluster::error::StateError;
use crate::cluster::node::NodeUsage;
use crate::cluster::{ClusterState, NodeInfo};
use crate::sys::clock::Clock;
use crate::wire::batch::{decode_refusal, encode_command};

/// How long a command looks for a master that takes it, when its asker sets no limit.
const MASTER_WAIT: Duration = Duration::from_secs(30);
/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// How long a node that stops waits until the others know.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Tells what this node's shards take of its disk; `None` on a node that keeps none.
pub type UsageSource = Arc<dyn Fn() -> Option<NodeUsage> + Send + Sync>;

/// What a node's door to the masters is made of.
pub struct RemoteParts {
    /// Masters, `host:port` of their gRPC; one is enough, the others are found.
    pub addresses: Vec<String>,
    /// Name of the cluster; masters of another one refuse.
    pub cluster_name: String,
    /// This process.
    pub node: NodeInfo,
    /// Who makes shards follow the state.
    pub applier: Arc<dyn StateApplier>,
    /// What the shards take.
    pub usage: UsageSource,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Where masters may be found.
#[derive(Debug)]
struct Addresses {
    /// As configured.
    given: Vec<String>,
    /// As the cluster state tells.
    found: Vec<String>,
    /// The one that leads, as the last answer said.
    leader: Option<String>,
    /// Which one of all is tried next.
    next: usize,
}

impl Addresses {
    /// The leader, or when it is not known one after the other.
    fn pick(&mut self) -> String {
        if let Some(leader) = &self.leader {
            return leader.clone();
        }
        self.any()
    }

    /// One after the other.
    fn any(&mut self) -> String {
        let mut all: Vec<&String> = self.given.iter().collect();
        all.extend(
            self.found
                .iter()
                .filter(|found| !self.given.contains(found)),
        );
        self.next = self.next.wrapping_add(1);
        match all.is_empty() {
            true => String::new(),
            false => all[self.next % all.len()].clone(),
        }
    }
}

/// The door of one node to the masters.
pub struct RemoteMasters {
    links: Links,
    addresses: Mutex<Addresses>,
    cluster_name: String,
    node: NodeInfo,
    applier: Arc<dyn StateApplier>,
    usage: UsageSource,
    clock: Arc<dyn Clock>,
    lease: Arc<Lease>,
    /// The newest state that came.
    received: watch::Sender<Published>,
    /// The newest state that the shards follow.
    states: watch::Sender<Arc<ClusterState>>,
    /// A heartbeat is wanted now.
    beat: Notify,
    /// The stream of states is behind what the leader has: another one is wanted.
    stale: Notify,
    /// Why no master takes this node.
    refused: watch::Sender<Option<String>>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl RemoteMasters {
    /// Returns at once; finds masters, follows the state and joins in the background, for as long as it takes. Call it
    /// inside a tokio runtime.
    pub fn connect(parts: RemoteParts) -> Arc<RemoteMasters> {
        let nothing = Published::nothing();
        let masters = Arc::new(RemoteMasters {
            links: Links::default(),
            addresses: Mutex::new(Addresses {
                given: parts.addresses,
                found: Vec::new(),
                leader: None,
                next: 0,
            }),
            cluster_name: parts.cluster_name,
            node: parts.node,
            applier: parts.applier,
            usage: parts.usage,
            lease: Lease::new(parts.clock.clone()),
            clock: parts.clock,
            states: watch::channel(nothing.state.clone()).0,
            received: watch::channel(nothing).0,
            beat: Notify::new(),
            stale: Notify::new(),
            refused: watch::channel(None).0,
            stop: watch::channel(false).0,
            tasks: Mutex::default(),
        });
        let (reports, reported) = mpsc::unbounded_channel();
        let tasks = vec![
            tokio::spawn(follow::run(masters.clone())),
            tokio::spawn(heart::run(masters.clone())),
            tokio::spawn(apply(masters.clone(), reports)),
            tokio::spawn(report(masters.clone(), reported)),
        ];
        *masters.tasks.lock() = tasks;
        masters
    }

    /// The lease under which this node may serve what only one node may.
    pub fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// Whether the leader of the masters knows this node and heard of it lately.
    pub fn is_connected(&self) -> bool {
        self.lease.is_valid()
    }

    /// Waits until the masters refuse this node for good and tells why, e.g. because they are another cluster's.
    pub async fn refused(&self) -> String {
        let mut refused = self.refused.subscribe();
        loop {
            if let Some(reason) = refused.borrow_and_update().clone() {
                return reason;
            }
            if refused.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until this node is part of the cluster; it follows the state then.
    pub async fn joined(&self) -> Arc<ClusterState> {
        let mut states = self.states.subscribe();
        let own = |state: &Arc<ClusterState>| {
            let known = state.nodes.get(&self.node.id);
            known.is_some_and(|known| known.ephemeral_id == self.node.ephemeral_id)
        };
        match states.wait_for(own).await {
            Ok(state) => state.clone(),
            // cannot be: this node holds the sender
            Err(_) => std::future::pending().await,
        }
    }

    /// Stops following the cluster, then leaves it: a state without this node is none for its shards to follow.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            task.abort();
            // cut off or ended: nothing of it runs any more
            let _ = task.await;
        }
        let is_member = self.is_connected();
        self.lease.end();
        let leave = Command::NodesLeft {
            nodes: vec![(self.node.id.clone(), self.node.ephemeral_id.clone())],
            reason: "shutdown".to_owned(),
        };
        if is_member {
            let left = self.carry(leave, Some(LEAVE_TIMEOUT));
            match tokio::time::timeout(LEAVE_TIMEOUT, left).await {
                Ok(Ok(_)) => {}
                Ok(Err(refused)) => warn!(%refused, "the masters did not let this node leave"),
                Err(_) => warn!("the masters did not let this node leave in time"),
            }
        }
    }

    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // an error cannot be: this node holds the sender
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// Notes an answer that nothing will change.
    fn note(&self, address: &str, status: &Status) {
        if status.code() == Code::FailedPrecondition {
            let reason = format!("[{address}]: {}", status.message());
            error!(reason, "the masters refuse this node");
            self.refused.send_replace(Some(reason));
        }
    }

    /// Has a command carried out, by whichever master takes it; waits for nothing here.
    async fn carry(
        &self,
        command: Command,
        wait: Option<Duration>,
    ) -> Result<proto::Accepted, CommandError> {
        let command_json = encode_command(&command).map_err(|error| {
            StateError::new(
                500,
                "exception",
                format!("the command has no JSON form: {error}"),
            )
        })?;
        let source = command.source();
        let limit = wait.unwrap_or(MASTER_WAIT);
        let end = Instant::now() + limit;
        let mut request = proto::SubmitRequest {
            cluster_name: self.cluster_name.clone(),
            request_id: random_request().to_vec(),
            command_json,
            wait_ms: None,
            hops: 0,
        };
        // whether a try may have been carried out although nobody said so
        let mut is_unknown = false;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            request.wait_ms = wait.map(|_| left.as_millis() as u64);
            let answer_by = left + publish_timeout(&self.state());
            match self.try_submit(&request, answer_by).await {
                Ok(accepted) => return Ok(accepted),
                // whoever refuses a second try says nothing of the first
                Err(NotDone::Refused(refused)) if refused.status != 503 || !is_unknown => {
                    return Err(refused);
                }
                Err(NotDone::Refused(_)) => return Err(unknown_outcome(&source)),
                Err(NotDone::NotBegun) => {}
                Err(NotDone::Unknown) => is_unknown = true,
            }
            if Instant::now() >= end {
                return Err(match is_unknown {
                    true => unknown_outcome(&source),
                    false => not_discovered(),
                });
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// Asks a master, the leader when it is known. One that does not answer is not the one to ask next.
    async fn ask<T, F>(
        &self,
        question: impl FnOnce(MasterClient<Channel>) -> F + Send,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<Response<T>, Status>> + Send,
    {
        let address = self.addresses.lock().pick();
        let answered = match self.links.master(&address) {
            Ok(client) => within(ASK_TIMEOUT, question(client)).await,
            Err(status) => Err(status),
        };
        if answered.is_err() {
            let mut addresses = self.addresses.lock();
            if addresses.leader.as_ref() == Some(&address) {
                addresses.leader = None;
            }
        }
        answered
    }

    /// One try to have a command carried out.
    async fn try_submit(
        &self,
        request: &proto::SubmitRequest,
        limit: Duration,
    ) -> Result<proto::Accepted, NotDone> {
        let address = self.addresses.lock().pick();
        let Ok(mut client) = self.links.master(&address) else {
            self.addresses.lock().leader = None;
            return Err(NotDone::NotBegun);
        };
        let outcome = match within(limit, client.submit(request.clone())).await {
            Ok(answer) => answer.outcome,
            Err(status) => {
                self.note(&address, &status);
                self.addresses.lock().leader = None;
                return Err(match status.code() {
                    // a master of another cluster
                    Code::FailedPrecondition => NotDone::NotBegun,
                    _ => not_done(&status),
                });
            }
        };
        match outcome {
            Some(Outcome::Accepted(accepted)) => Ok(accepted),
            Some(Outcome::RefusedJson(bytes)) => {
                let refused = decode_refusal(&bytes);
                match refused.kind == "cluster_manager_not_discovered_exception" {
                    // that one has no leader; another may have
                    true => {
                        self.addresses.lock().leader = None;
                        Err(NotDone::NotBegun)
                    }
                    false => Err(NotDone::Refused(refused)),
                }
            }
            Some(Outcome::NotLeader(leader)) => {
                self.addresses.lock().leader = Some(leader).filter(|leader| !leader.is_empty());
                Err(NotDone::NotBegun)
            }
            None => Err(NotDone::Unknown),
        }
    }
}

fn not_discovered() -> CommandError {
    StateError::new(
        503,
        "cluster_manager_not_discovered_exception",
        "no cluster manager that leads can be reached",
    )
}

/// Makes the shards follow each state, then shows it and tells the masters.
async fn apply(masters: Arc<RemoteMasters>, reports: mpsc::UnboundedSender<Vec<ShardReport>>) {
    let mut received = masters.received.subscribe();
    while received.changed().await.is_ok() {
        let state = received.borrow_and_update().state.clone();
        let AppliedState { reports: found } = masters.applier.apply(&state).await;
        masters.states.send_replace(state);
        masters.beat.notify_one();
        if !found.is_empty() && reports.send(found).is_err() {
            return;
        }
    }
}

/// Tells the masters what became of shard copies. Apart from following: a report makes a new state, and is answered only
/// when this node follows it.
async fn report(
    masters: Arc<RemoteMasters>,
    mut reported: mpsc::UnboundedReceiver<Vec<ShardReport>>,
) {
    while let Some(mut reports) = reported.recv().await {
        while let Ok(more) = reported.try_recv() {
            reports.extend(more);
        }
        loop {
            match masters.submit(Command::ReportShards(reports.clone())).await {
                Ok(_) => break,
                Err(refused) if refused.status == 503 => {
                    warn!(%refused, "the masters took no report of shards; it is sent again");
                    tokio::time::sleep(TRY_AGAIN).await;
                }
                Err(refused) => {
                    error!(%refused, "a report of shards was refused");
                    break;
                }
            }
        }
    }
}

#[async_trait]
impl Masters for RemoteMasters {
    async fn submit_within(
        &self,
        command: Command,
        wait: Option<Duration>,
    ) -> Result<Arc<ClusterState>, CommandError> {
        Ok(self.change_within(command, wait).await?.state)
    }

    async fn change_within(
        &self,
        command: Command,
        wait: Option<Duration>,
    ) -> Result<Changed, CommandError> {
        let wants_followers = command.wants_followers();
        let accepted = self.carry(command, wait).await?;
        if wants_followers {
            let limit = publish_timeout(&self.state());
            let mut states = self.states.subscribe();
            let reached = states.wait_for(|state| state.version >= accepted.version);
            // late or not: the newest that the shards follow
            let _ = tokio::time::timeout(limit, reached).await;
        }
        Ok(Changed {
            state: self.state(),
            acknowledged: accepted.acknowledged,
        })
    }

    fn state(&self) -> Arc<ClusterState> {
        self.states.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.states.subscribe()
    }

    async fn pending_at_leader(&self) -> Result<PendingTasks, CommandError> {
        let request = proto::PendingRequest {
            cluster_name: self.cluster_name.clone(),
            hops: 0,
        };
        let asked = self.ask(|mut master| async move { master.pending(request).await });
        match asked.await {
            Ok(answer) if !answer.not_leader => Ok(pending_from(answer)),
            _ => Err(not_discovered()),
        }
    }

    async fn current(&self, wait: Duration) -> Result<Arc<ClusterState>, CommandError> {
        let end = Instant::now().checked_add(wait);
        let newest = || async {
            let request = proto::NewestRequest {
                cluster_name: self.cluster_name.clone(),
                hops: 0,
            };
            let asked = self.ask(|mut master| async move { master.newest(request).await });
            let answer = asked.await.ok()?;
            (!answer.not_leader).then_some(answer.version)
        };
        let version = asked_until(end, newest).await;
        follows(
            &self.states.subscribe(),
            version.ok_or_else(not_discovered)?,
            end,
        )
        .await
    }

    async fn electorate(&self) -> Result<Electorate, CommandError> {
        let request = proto::MembersRequest {};
        let asked = self.ask(|mut master| async move { master.members(request).await });
        let answer = asked.await.map_err(|_| not_discovered())?;
        let members = answer.members.into_iter();
        let voters = members.filter(|member| member.is_voter);
        Ok(Electorate {
            term: answer.term,
            voters: voters.map(|member| member.name).collect(),
        })
    }

    fn has_leader(&self) -> bool {
        self.is_connected()
    }
}
