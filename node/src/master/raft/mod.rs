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
use tracing::{error, info};

pub use self::liveness::LEASE;
pub use self::log_store::OpenLogError;
pub use self::status::{MasterMember, RaftStatus};

use self::liveness::Liveness;
use self::log_store::LogStore;
use self::network::Network;
use self::state_machine::StateMachine;
use self::types::{MasterNode, Raft};
use super::command::{Command, CommandError};
use super::ids::random_request;
use super::links::{Links, within};
use super::publish::Publisher;
use super::queue::{NotDone, Queue, timed_out};
use super::{Changed, Masters, PendingTasks};
use crate::cluster::error::StateError;
use crate::cluster::{ClusterState, NodeInfo};
use crate::sys::clock::Clock;
use crate::wire::batch::{RequestId, decode_refusal, encode_command};

/// Exit code of a process whose master can no longer keep what it promised (`EX_IOERR`).
pub const EXIT_STORAGE: u8 = 74;

/// How long a change may take until every live node follows it (`cluster.publish.timeout`).
pub(crate) const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a command looks for a leader when its asker sets no limit.
const LEADER_WAIT: Duration = Duration::from_secs(30);
/// Entries that stay in the log although a snapshot has them: whoever is a little behind needs no snapshot.
const LOG_ENTRIES_KEPT: u64 = 500;
/// How often it looks.
const LEADER_LOOK: Duration = Duration::from_millis(50);
/// Masters that may pass a request on, one after the other.
const HOPS_MAX: u32 = 3;

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
    /// Who belongs to the group changes one step at a time.
    membership: tokio::sync::Mutex<()>,
    /// Why this master cannot go on.
    failed: watch::Sender<Option<String>>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
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
        let config = raft_config().validate();
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
            tokio::spawn(master_service::serve(master.clone(), parts.grpc_listener)),
            tokio::spawn(leading::run(master.clone(), queue_end)),
            tokio::spawn(formation::form(master.clone(), peers, parts.bootstrap)),
            tokio::spawn(members::attend(master.clone())),
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
        loop {
            if *self.stop.borrow() || self.failed.borrow().is_some() {
                return Err(no_leader("this cluster manager is stopping"));
            }
            let outcome = if self.leads() {
                let left = wait.map(|_| end.saturating_duration_since(Instant::now()));
                self.decide_here(request, command.clone(), left).await?
            } else {
                if encoded.is_none() {
                    let bytes = encode_command(&command).map_err(unspeakable)?;
                    encoded = Some(bytes);
                }
                let bytes = encoded.clone().unwrap_or_default();
                self.decide_there(request, bytes, wait, hops).await?
            };
            if let Some(done) = outcome {
                return Ok(done);
            }
            if Instant::now() >= end {
                return Err(match self.leader() {
                    Some(_) => timed_out(&source, limit),
                    None => no_leader("no cluster manager is elected"),
                });
            }
            tokio::time::sleep(LEADER_LOOK).await;
        }
    }

    /// Carries a command out as the leader; `None`: it does not lead any more, and what came of it is not known.
    async fn decide_here(
        &self,
        request: RequestId,
        command: Command,
        wait: Option<Duration>,
    ) -> Result<Option<(u64, bool)>, CommandError> {
        let version = match self.publisher.done(&request) {
            Some(version) => version,
            None => match self.queue.submit(request, command, wait).await {
                Ok(state) => state.version,
                Err(NotDone::Refused(refused)) => return Err(refused),
                Err(NotDone::Dropped) => return Ok(None),
            },
        };
        let acknowledged = self.followed(version).await;
        Ok(Some((version, acknowledged)))
    }

    /// Passes a command on to the leader; `None`: it cannot be reached, or does not lead.
    async fn decide_there(
        &self,
        request: RequestId,
        command_json: Vec<u8>,
        wait: Option<Duration>,
        hops: u32,
    ) -> Result<Option<(u64, bool)>, CommandError> {
        let Some((_, leader)) = self.leader().filter(|(id, _)| *id != self.raft_id) else {
            return Ok(None);
        };
        if hops >= HOPS_MAX {
            return Ok(None);
        }
        let message = proto::SubmitRequest {
            cluster_name: self.cluster_name.clone(),
            request_id: request.to_vec(),
            command_json,
            wait_ms: wait.map(|wait| wait.as_millis() as u64),
            hops: hops + 1,
        };
        let Ok(mut client) = self.links.master(&leader.grpc_address) else {
            return Ok(None);
        };
        let limit = wait.unwrap_or(LEADER_WAIT) + PUBLISH_TIMEOUT;
        // an error: what came of it is not known, and the request is tried again under the same name
        let Ok(answer) = within(limit, client.submit(message)).await else {
            return Ok(None);
        };
        match answer.outcome {
            Some(proto::submit_response::Outcome::Accepted(accepted)) => {
                Ok(Some((accepted.version, accepted.acknowledged)))
            }
            Some(proto::submit_response::Outcome::RefusedJson(bytes)) => {
                Err(decode_refusal(&bytes))
            }
            Some(proto::submit_response::Outcome::NotLeader(_)) | None => Ok(None),
        }
    }

    /// Waits until every node that serves follows a version.
    async fn followed(&self, version: u64) -> bool {
        let newest = || self.publisher.newest().state;
        let states = self.publisher.watch();
        self.liveness
            .followed(version, newest, states, PUBLISH_TIMEOUT)
            .await
    }

    /// Waits until this master itself has a version.
    async fn reached(&self, version: u64) -> Arc<ClusterState> {
        let mut states = self.publisher.watch();
        let reached = states.wait_for(|state| state.version >= version);
        // late or not: the newest there is
        let _ = tokio::time::timeout(PUBLISH_TIMEOUT, reached).await;
        self.publisher.newest().state
    }
}

fn no_leader(reason: &str) -> CommandError {
    StateError::new(503, "cluster_manager_not_discovered_exception", reason)
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
}
