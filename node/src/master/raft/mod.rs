//! Masters as a group that agrees by raft.
//!
//! Every master keeps the whole state and shows it; the one that leads decides. A command goes to the leader, wherever it
//! arrives. The leader decides on its newest state with the same pure functions as a single master does, and proposes what
//! came of it as one entry of the log ([`crate::wire::batch::Batch`]); when a majority has it on disk, every master
//! applies it, and watchers are told. A batch names the version that it was decided on and does nothing on another one, and
//! a request that is tried again is recognised, so a change happens once.

mod formation;
mod leading;
mod liveness;
mod log_store;
mod master_service;
mod members;
mod network;
mod raft_service;
mod snapshot_file;
mod state_machine;
mod status;
#[cfg(test)]
mod storage_tests;
#[cfg(test)]
pub(in crate::master) mod testing;
#[cfg(test)]
mod tests;
pub mod types;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use async_trait::async_trait;
use openraft::Config;
use openraft::async_runtime::watch::WatchReceiver;
use parking_lot::Mutex;
use quidditch_engine::directory::Directory;
use quidditch_engine::directory::fs::FsDirectory;
use quidditch_proto as proto;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::service::RoutesBuilder;
use tracing::{error, info};

pub use self::liveness::LEASE;
pub use self::log_store::OpenLogError;
pub use self::status::{MasterMember, RaftStatus};

use self::liveness::{CONFIRMED_MAX, Liveness, SILENCE_MAX};
use self::log_store::LogStore;
use self::network::Network;
use self::state_machine::StateMachine;
use self::types::{MasterNode, Raft};
use super::command::{Command, CommandError};
use super::ids::random_request;
use super::links::{Links, never_sent, within};
use super::publish::Publisher;
use super::queue::{CHANGE_BYTES_MAX, NotDone, Queue, timed_out};
use super::{Changed, Electorate, Masters, PendingTask, PendingTasks};
use crate::cluster::error::StateError;
use crate::cluster::{ClusterState, NodeInfo};
use crate::sys::clock::Clock;
use crate::wire::batch::{RequestId, decode_refusal, encode_command};

/// Exit code of a process whose master can no longer keep what it promised (`EX_IOERR`).
pub const EXIT_STORAGE: u8 = 74;

/// How long a command looks for a leader when its asker sets no limit.
const LEADER_WAIT: Duration = Duration::from_secs(30);
/// A master that stops while it leads has another one lead within this time, or is missed.
const HAND_OVER_AT_END: Duration = Duration::from_secs(2);
/// Entries that stay in the log although a snapshot has them: whoever is a little behind needs no snapshot.
const LOG_ENTRIES_KEPT: u64 = 500;
/// By when the leader answers a question.
pub(super) const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// How often it looks.
const LEADER_LOOK: Duration = Duration::from_millis(50);
/// Masters that may pass a request on, one after the other.
const HOPS_MAX: u32 = 3;

/// Adds what else is answered where nodes ask.
pub type MoreServices = Box<dyn FnOnce(Arc<RaftMaster>, &mut RoutesBuilder) + Send>;

/// What a master of a group is made of.
pub struct RaftMasterParts {
    /// Where the raft log and the snapshots live; nobody else's files are in it.
    pub data_dir: PathBuf,
    /// Name of the cluster; masters and nodes of another one are refused.
    pub cluster_name: String,
    /// This process. `transport_address` is where nodes reach its gRPC.
    pub node: NodeInfo,
    /// Where raft listens.
    pub raft_listener: TcpListener,
    /// Where nodes ask.
    pub grpc_listener: TcpListener,
    /// What else is answered there.
    pub services: MoreServices,
    /// `host:port` where the other masters reach its raft.
    pub raft_address: String,
    /// The masters, this one among them or not: `host:port` of their raft, or `name=host:port`.
    pub peers: Vec<String>,
    /// Found the cluster, if there is none yet and this data directory is empty.
    pub bootstrap: bool,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Why a master of a group cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenRaftError {
    /// Its log.
    #[error(transparent)]
    Log(#[from] OpenLogError),
    /// Its snapshot, or the file system.
    #[error("cluster state: {0}")]
    Io(#[from] std::io::Error),
    /// Raft itself.
    #[error("raft: {0}")]
    Raft(String),
    /// The data directory is another cluster's.
    #[error(
        "the data directory belongs to cluster [{found}], this master is configured for [{wanted}]; \
         correct the cluster's name, or choose another data directory"
    )]
    OtherCluster {
        /// Whose it is.
        found: String,
        /// Who came.
        wanted: String,
    },
    /// A peer that is no address.
    #[error("[{0}] is no master: expected host:port or name=host:port")]
    Peer(String),
    /// Opening was cut off, e.g. by the end of the process.
    #[error("opening was cut off")]
    Aborted,
}

/// A reign of this master: it leads, and has caught up with all that was agreed before.
type Reign = Option<u64>;

/// One master of a group.
pub struct RaftMaster {
    raft: Raft,
    log: LogStore,
    publisher: Arc<Publisher>,
    queue: Queue,
    links: Arc<Links>,
    liveness: Liveness,
    raft_id: u64,
    own: MasterNode,
    node: NodeInfo,
    cluster_name: String,
    clock: Arc<dyn Clock>,
    reign: watch::Sender<Reign>,
    /// Whether it founds the cluster when none is there.
    bootstraps: bool,
    /// This master leads, and has asked another one to.
    is_resigning: AtomicBool,
    /// When this master may vote: it may have forgotten which leader it heard just before it was started.
    votes_from: Instant,
    /// When the leader last answered this one.
    led_at: watch::Sender<Option<Instant>>,
    /// Bytes of a change that is not proposed; tests have less.
    change_bytes_max: AtomicUsize,
    /// Who belongs to the group changes one step at a time.
    membership: tokio::sync::Mutex<()>,
    /// Why this master cannot go on.
    failed: watch::Sender<Option<String>>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// Whether a leader answered so lately that it may be counted on.
fn is_led_lately(at: &Option<Instant>) -> bool {
    at.is_some_and(|at| at.elapsed() < SILENCE_MAX)
}

fn raft_config() -> Config {
    Config {
        heartbeat_interval: 250,
        // on top of the longest, for which nobody votes for another leader: an election after 1.5 to 2 s of silence
        election_timeout_min: 500,
        election_timeout_max: 1_000,
        install_snapshot_timeout: 10_000,
        max_in_snapshot_log_to_keep: LOG_ENTRIES_KEPT,
        enable_pre_vote: Some(true),
        allow_log_reversion: Some(false),
        ..Config::default()
    }
}

impl RaftMaster {
    /// Takes up what is on disk, listens, and goes on as the member it was; a new one waits until it is taken into the
    /// group, or founds it. Call it inside a tokio runtime.
    pub async fn open(parts: RaftMasterParts) -> Result<Arc<RaftMaster>, OpenRaftError> {
        let directory = Arc::new(FsDirectory::open(&parts.data_dir)?);
        RaftMaster::open_in(parts, directory).await
    }

    async fn open_in(
        parts: RaftMasterParts,
        directory: Arc<dyn Directory>,
    ) -> Result<Arc<RaftMaster>, OpenRaftError> {
        let peers = formation::parse_peers(&parts.peers)?;
        let opened = tokio::task::spawn_blocking(move || {
            let log = LogStore::open(directory.clone())?;
            Ok::<_, OpenRaftError>((log, StateMachine::open(directory)?))
        });
        let (log, machine) = opened.await.map_err(|_| OpenRaftError::Aborted)??;
        let publisher = machine.publisher().clone();
        let raft_id = log.raft_id();
        let links = Arc::new(Links::default());
        let network = Network {
            links: links.clone(),
            own: raft_id,
        };
        // a new one has promised nobody anything
        let forgets = match log.is_initialized() {
            true => CONFIRMED_MAX,
            false => Duration::ZERO,
        };
        let config = Config {
            enable_elect: forgets.is_zero(),
            ..raft_config()
        };
        let config = config.validate();
        let config = config.map_err(|error| OpenRaftError::Raft(error.to_string()))?;
        let raft = Raft::new(raft_id, Arc::new(config), network, log.clone(), machine).await;
        let raft = raft.map_err(|error| OpenRaftError::Raft(error.to_string()))?;
        let found = publisher.newest().state;
        if found.version > 0 && found.cluster_name != parts.cluster_name {
            let _ = raft.shutdown().await;
            return Err(OpenRaftError::OtherCluster {
                found: found.cluster_name.clone(),
                wanted: parts.cluster_name,
            });
        }
        let clock = parts.clock.clone();
        let (queue, queue_end) = Queue::new(Arc::new(move || clock.now_ms()));
        let master = Arc::new(RaftMaster {
            raft,
            log,
            publisher,
            queue,
            links,
            liveness: Liveness::new(),
            raft_id,
            own: MasterNode {
                name: parts.node.name.clone(),
                raft_address: parts.raft_address,
                grpc_address: parts.node.transport_address.clone(),
            },
            node: parts.node,
            cluster_name: parts.cluster_name,
            clock: parts.clock,
            reign: watch::channel(None).0,
            bootstraps: parts.bootstrap,
            is_resigning: AtomicBool::new(false),
            votes_from: Instant::now() + forgets,
            led_at: watch::channel(None).0,
            change_bytes_max: AtomicUsize::new(CHANGE_BYTES_MAX),
            membership: tokio::sync::Mutex::new(()),
            failed: watch::channel(None).0,
            stop: watch::channel(false).0,
            tasks: Mutex::default(),
        });
        info!(
            raft_id,
            name = master.own.name,
            raft_address = master.own.raft_address,
            is_initialized = master.log.is_initialized(),
            "this master is open"
        );
        let tasks = vec![
            tokio::spawn(raft_service::serve(master.clone(), parts.raft_listener)),
            tokio::spawn(master_service::serve(
                master.clone(),
                parts.grpc_listener,
                parts.services,
            )),
            tokio::spawn(leading::run(master.clone(), queue_end)),
            tokio::spawn(formation::form(master.clone(), peers)),
            tokio::spawn(members::attend(master.clone())),
            tokio::spawn(liveness::mind_pauses(Arc::downgrade(&master))),
            tokio::spawn(liveness::vote_later(Arc::downgrade(&master))),
            tokio::spawn(members::keep(master.clone())),
        ];
        *master.tasks.lock() = tasks;
        Ok(master)
    }

    /// Waits until this master cannot go on and tells why: its disk failed, or it belongs elsewhere. The process has to
    /// end then, with [`EXIT_STORAGE`]. Never returns on a master that is closed.
    pub async fn failed(&self) -> String {
        let mut failed = self.failed.subscribe();
        loop {
            if let Some(reason) = failed.borrow_and_update().clone() {
                return reason;
            }
            if failed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn fail(&self, reason: String) {
        error!(reason, "this master cannot go on");
        self.failed.send_replace(Some(reason));
    }

    /// Stops: takes no more requests, ends its part in the group. What was agreed is on disk.
    pub async fn close(&self) {
        if self.leads() {
            // nobody has to miss it first
            let _ = tokio::time::timeout(HAND_OVER_AT_END, self.hand_over()).await;
        }
        let _ = self.stop.send_replace(true);
        // an error means that raft's task is gone, which is what is wanted
        let _ = self.raft.shutdown().await;
        let tasks = std::mem::take(&mut *self.tasks.lock());
        let end = Instant::now() + Duration::from_secs(1);
        for mut task in tasks {
            if tokio::time::timeout_at(end, &mut task).await.is_err() {
                task.abort();
                // cut off or ended: nothing of it runs any more
                let _ = task.await;
            }
        }
        let log = self.log.clone();
        let closed = tokio::task::spawn_blocking(move || log.close()).await;
        if let Ok(Err(error)) = closed {
            info!(%error, "the raft log did not close well");
        }
    }

    /// Returns when this master stops.
    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // an error cannot be: this master holds the sender
        let _ = stop.wait_for(|stop| *stop).await;
    }

    fn leads(&self) -> bool {
        self.reign.borrow().is_some()
    }

    /// The member that leads, as far as this one knows.
    fn leader(&self) -> Option<(u64, MasterNode)> {
        let metrics = self.raft.server_metrics().borrow_watched().clone();
        let id = metrics.current_leader?;
        let node = metrics.membership_config.get_node(&id)?;
        Some((id, node.clone()))
    }

    /// gRPC address of the leader; empty when it is not known.
    fn leader_address(&self) -> String {
        self.leader()
            .map_or(String::new(), |(_, node)| node.grpc_address)
    }

    /// Has the leader carry a command out, whoever it is. The version after it, and whether all nodes follow it.
    async fn decide(
        &self,
        request: RequestId,
        command: Command,
        wait: Option<Duration>,
        hops: u32,
    ) -> Result<(u64, bool), CommandError> {
        let source = command.source();
        let limit = wait.unwrap_or(LEADER_WAIT);
        let end = Instant::now() + limit;
        let mut encoded = None;
        // whether a try may have been carried out although nobody said so
        let mut is_unknown = false;
        loop {
            if *self.stop.borrow() || self.failed.borrow().is_some() {
                return Err(match is_unknown {
                    true => unknown_outcome(&source),
                    false => no_leader("this cluster manager is stopping"),
                });
            }
            let left = wait.map(|_| end.saturating_duration_since(Instant::now()));
            let tried = if self.leads() {
                self.decide_here(request, command.clone(), left).await
            } else {
                if encoded.is_none() {
                    let bytes = encode_command(&command).map_err(unspeakable)?;
                    encoded = Some(bytes);
                }
                let bytes = encoded.clone().unwrap_or_default();
                self.decide_there(request, bytes, left, hops).await
            };
            match tried {
                Ok(done) => return Ok(done),
                // whoever refuses a second try says nothing of the first
                Err(NotDone::Refused(refused)) if refused.status != 503 || !is_unknown => {
                    return Err(refused);
                }
                Err(NotDone::Refused(_)) => return Err(unknown_outcome(&source)),
                Err(NotDone::NotBegun) => {}
                Err(NotDone::Unknown) => is_unknown = true,
            }
            if Instant::now() >= end {
                return Err(match self.leader() {
                    _ if is_unknown => unknown_outcome(&source),
                    Some(_) => timed_out(&source, limit),
                    None => no_leader("no cluster manager is elected"),
                });
            }
            tokio::time::sleep(LEADER_LOOK).await;
        }
    }

    /// Carries a command out as the leader.
    async fn decide_here(
        &self,
        request: RequestId,
        command: Command,
        wait: Option<Duration>,
    ) -> Result<(u64, bool), NotDone> {
        let wants_followers = command.wants_followers();
        let version = match self.publisher.done(&request) {
            Some(version) => version,
            None => self.queue.submit(request, command, wait).await?.version,
        };
        let acknowledged = !wants_followers || self.followed(version).await;
        Ok((version, acknowledged))
    }

    /// Passes a command on to the leader.
    async fn decide_there(
        &self,
        request: RequestId,
        command_json: Vec<u8>,
        wait: Option<Duration>,
        hops: u32,
    ) -> Result<(u64, bool), NotDone> {
        let Some((_, leader)) = self.leader().filter(|(id, _)| *id != self.raft_id) else {
            return Err(NotDone::NotBegun);
        };
        if hops >= HOPS_MAX {
            return Err(NotDone::NotBegun);
        }
        let message = proto::SubmitRequest {
            cluster_name: self.cluster_name.clone(),
            request_id: request.to_vec(),
            command_json,
            wait_ms: wait.map(|wait| wait.as_millis() as u64),
            hops: hops + 1,
        };
        let Ok(mut client) = self.links.master(&leader.grpc_address) else {
            return Err(NotDone::NotBegun);
        };
        let limit = wait.unwrap_or(LEADER_WAIT) + publish_timeout(&self.state());
        // when it fails it is tried again under the same name
        let answer = within(limit, client.submit(message)).await;
        let answer = answer.map_err(|status| not_done(&status))?;
        match answer.outcome {
            Some(proto::submit_response::Outcome::Accepted(accepted)) => {
                Ok((accepted.version, accepted.acknowledged))
            }
            Some(proto::submit_response::Outcome::RefusedJson(bytes)) => {
                Err(NotDone::Refused(decode_refusal(&bytes)))
            }
            Some(proto::submit_response::Outcome::NotLeader(_)) => Err(NotDone::NotBegun),
            None => Err(NotDone::Unknown),
        }
    }

    /// The commands that wait at the leader, whoever it is; `None`: nobody leads, or it does not answer.
    async fn pending_for(&self, hops: u32) -> Option<PendingTasks> {
        if self.leads() {
            return Some(self.queue.pending());
        }
        let (_, leader) = self.leader().filter(|(id, _)| *id != self.raft_id)?;
        if hops >= HOPS_MAX {
            return None;
        }
        let request = proto::PendingRequest {
            cluster_name: self.cluster_name.clone(),
            hops: hops + 1,
        };
        let mut client = self.links.master(&leader.grpc_address).ok()?;
        let answer = within(ASK_TIMEOUT, client.pending(request)).await.ok()?;
        (!answer.not_leader).then(|| pending_from(answer))
    }

    /// Version of the leader's state, whoever it is; `None`: nobody leads for certain, or it does not answer.
    async fn newest_for(&self, hops: u32) -> Option<u64> {
        if self.leads_alone() {
            return Some(self.publisher.newest().state.version);
        }
        let (_, leader) = self.leader().filter(|(id, _)| *id != self.raft_id)?;
        if hops >= HOPS_MAX {
            return None;
        }
        let request = proto::NewestRequest {
            cluster_name: self.cluster_name.clone(),
            hops: hops + 1,
        };
        let mut client = self.links.master(&leader.grpc_address).ok()?;
        let answer = within(ASK_TIMEOUT, client.newest(request)).await.ok()?;
        (!answer.not_leader).then_some(answer.version)
    }

    /// Waits until every node that serves follows a version.
    async fn followed(&self, version: u64) -> bool {
        let newest = || self.publisher.newest().state;
        let states = self.publisher.watch();
        let limit = publish_timeout(&newest());
        self.liveness.followed(version, newest, states, limit).await
    }

    /// Waits until this master itself has a version.
    async fn reached(&self, version: u64) -> Arc<ClusterState> {
        let mut states = self.publisher.watch();
        let reached = states.wait_for(|state| state.version >= version);
        // late or not: the newest there is
        let _ = tokio::time::timeout(publish_timeout(&self.state()), reached).await;
        self.publisher.newest().state
    }
}

/// Asks until there is an answer, or the time is over; `None` of time: for as long as it takes.
pub(super) async fn asked_until<T, F: Future<Output = Option<T>>>(
    end: Option<Instant>,
    ask: impl Fn() -> F,
) -> Option<T> {
    loop {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            return None;
        }
        tokio::time::sleep(LEADER_LOOK).await;
    }
}

/// Waits until a version is followed.
pub(super) async fn follows(
    states: &watch::Receiver<Arc<ClusterState>>,
    version: u64,
    end: Option<Instant>,
) -> Result<Arc<ClusterState>, CommandError> {
    let mut states = states.clone();
    let reached = async {
        let reached = states.wait_for(|state| state.version >= version).await;
        reached.map(|state| state.clone()).ok()
    };
    let over = async {
        match end {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    let found = tokio::select! {
        biased;
        found = reached => found,
        () = over => None,
    };
    found.ok_or_else(|| no_leader("this node does not follow the cluster manager"))
}

/// Commands that wait, as another master told them.
pub(super) fn pending_from(answer: proto::PendingResponse) -> PendingTasks {
    let tasks = answer.tasks.into_iter().map(|task| PendingTask {
        insert_order: task.insert_order,
        source: task.source,
        waited_ms: task.waited_ms,
        executing: task.executing,
    });
    PendingTasks {
        tasks: tasks.collect(),
    }
}

fn no_leader(reason: &str) -> CommandError {
    StateError::new(503, "cluster_manager_not_discovered_exception", reason)
}

/// A change of which nobody can say whether it was made.
pub(super) fn unknown_outcome(source: &str) -> CommandError {
    StateError::new(
        503,
        "failed_to_commit_cluster_state_exception",
        format!(
            "what came of [{source}] is not known: it may or may not have happened; look at the cluster state before it is asked for again"
        ),
    )
}

/// What a call that failed says of the command that it was to bring.
pub(super) fn not_done(status: &tonic::Status) -> NotDone {
    match status.code() {
        tonic::Code::InvalidArgument => {
            NotDone::Refused(StateError::illegal_argument(status.message()))
        }
        _ if never_sent(status) => NotDone::NotBegun,
        _ => NotDone::Unknown,
    }
}

/// How long a change may take until every live node follows it.
pub(super) fn publish_timeout(state: &ClusterState) -> Duration {
    state.setting_duration("cluster.publish.timeout")
}

fn unspeakable(error: serde_json::Error) -> CommandError {
    StateError::new(
        500,
        "exception",
        format!("the command has no JSON form: {error}"),
    )
}

#[async_trait]
impl Masters for RaftMaster {
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
        let decided = self.decide(random_request(), command, wait, 0).await;
        let (version, acknowledged) = decided?;
        Ok(Changed {
            state: self.reached(version).await,
            acknowledged,
        })
    }

    fn state(&self) -> Arc<ClusterState> {
        self.publisher.newest().state
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.publisher.watch()
    }

    fn pending(&self) -> PendingTasks {
        self.queue.pending()
    }

    async fn pending_at_leader(&self) -> Result<PendingTasks, CommandError> {
        let asked = self.pending_for(0).await;
        asked.ok_or_else(|| no_leader("no cluster manager that leads can be asked"))
    }

    async fn current(&self, wait: Duration) -> Result<Arc<ClusterState>, CommandError> {
        let end = Instant::now().checked_add(wait);
        let asked = asked_until(end, || self.newest_for(0)).await;
        let version = asked.ok_or_else(|| no_leader("no cluster manager leads"))?;
        follows(&self.publisher.watch(), version, end).await
    }

    async fn electorate(&self) -> Result<Electorate, CommandError> {
        let members = self.members().into_iter();
        let voters = members.filter(|member| member.is_voter);
        Ok(Electorate {
            term: self.raft_status().term,
            voters: voters.map(|member| member.name).collect(),
        })
    }

    fn has_leader(&self) -> bool {
        // raft itself goes on naming a leader that is gone, until there is another one
        is_led_lately(&self.led_at.borrow()) || self.leads_confirmed(SILENCE_MAX)
    }
}
