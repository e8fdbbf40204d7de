//! A replica shows what the primary shows: it compares lists of segments, copies what it lacks, and swaps.
//!
//! A word from the primary only makes it look sooner. It looks by itself as well, so that a lost word costs time and
//! nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use quidditch_engine::shard::InstallError;
use tokio::sync::Notify;
use tracing::{debug, warn};

use super::peers::{CopyId, OpenShipment, PeerError, Shipment};
use crate::cluster::{NodeId, ShardState};
use crate::data::local::{LocalShard, LocalShards};
use crate::data::recovery::transfer::{self, Pace};
use crate::data::service::ShardTarget;
use crate::sys::signal::Signal;

/// A replica looks at its primary's list at least so often.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After a failure it looks again in so long.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Operations of a list that are on their way take less.
const OPERATIONS_WITHIN: Duration = Duration::from_secs(10);

/// What a replica shows: reign and generation of the list.
pub type Shown = (u64, u64);

/// The state of one replica.
#[derive(Debug)]
pub struct Follower {
    primary_term: Mutex<u64>,
    wake: Notify,
    shown: Mutex<Option<Shown>>,
    stopped: AtomicBool,
    /// Told of both.
    changed: Signal,
}

impl Follower {
    /// A replica in this reign, which shows nothing yet.
    pub fn new(primary_term: u64) -> Follower {
        Follower {
            primary_term: Mutex::new(primary_term),
            wake: Notify::new(),
            shown: Mutex::new(None),
            stopped: AtomicBool::new(false),
            changed: Signal::default(),
        }
    }

    /// The newest reign that the replica knows.
    pub fn primary_term(&self) -> u64 {
        *self.primary_term.lock()
    }

    /// Takes note of a reign. `true`: it is a newer one.
    pub fn see_term(&self, term: u64) -> bool {
        let mut known = self.primary_term.lock();
        let is_newer = term > *known;
        *known = term.max(*known);
        is_newer
    }

    /// Notes what is shown now.
    pub fn show(&self, shown: Shown) {
        *self.shown.lock() = Some(shown);
        self.changed.raise();
    }

    /// Looks at the primary's list soon.
    pub fn look(&self) {
        self.wake.notify_one();
    }

    /// Ends the following; nothing is asked any more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.changed.raise();
        self.wake.notify_one();
    }

    /// Returns when the replica shows a list of this reign and generation, or a later one; false when it ends before.
    pub async fn shows(&self, wanted: Shown) -> bool {
        self.look();
        let shows = || self.shown().is_some_and(|shown| shown >= wanted);
        self.changed.until(|| shows() || self.is_stopped()).await;
        shows()
    }

    fn shown(&self) -> Option<Shown> {
        *self.shown.lock()
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

/// Follows until the replica is stopped or gone.
pub async fn run(shards: Weak<LocalShards>, shard: Weak<LocalShard>, follower: Arc<Follower>) {
    let mut pause = Duration::ZERO;
    loop {
        if !pause.is_zero() {
            // Either: somebody says that there is something new, or it is time.
            let _ = tokio::time::timeout(pause, follower.wake.notified()).await;
        }
        if follower.is_stopped() {
            return;
        }
        let (Some(shards), Some(shard)) = (shards.upgrade(), shard.upgrade()) else {
            return;
        };
        pause = match look(&shards, &shard, &follower).await {
            Ok(()) => LOOK_EVERY,
            Err(error) => {
                debug!(index = %shard.target.index, shard = shard.target.shard, %error, "could not follow the primary");
                LOOK_AGAIN
            }
        };
    }
}

/// Why a replica does not show what the primary shows.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// There is no primary now.
    #[error("the shard has no primary now")]
    NoPrimary,
    /// The primary did not answer as hoped.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The list could not be taken over.
    #[error("{0}")]
    Install(#[from] InstallError),
    /// Something local.
    #[error("{0}")]
    Local(String),
}

/// Where the primary of a copy's shard is, by the newest state: its node and its allocation id.
pub fn primary_of(shards: &LocalShards, target: &ShardTarget) -> Option<(NodeId, CopyId)> {
    let cluster = shards.cluster()?;
    let state = cluster.masters.state();
    let index = state.index_by_uuid(&target.index_uuid)?;
    let primary = state.routing.primary(&index.name, target.shard)?;
    if !matches!(primary.state, ShardState::Started | ShardState::Relocating) {
        return None;
    }
    let copy = CopyId {
        index_uuid: target.index_uuid.clone(),
        shard: target.shard,
        allocation_id: primary.allocation_id.clone()?,
    };
    Some((primary.node.clone()?, copy))
}

/// Brings what the primary shows now here, and shows it.
pub async fn look(
    shards: &Arc<LocalShards>,
    shard: &Arc<LocalShard>,
    follower: &Follower,
) -> Result<(), FollowError> {
    let cluster = shards.cluster().ok_or(FollowError::NoPrimary)?;
    let (node, to) = primary_of(shards, &shard.target).ok_or(FollowError::NoPrimary)?;
    let has = follower.shown();
    let ask = OpenShipment {
        to,
        primary_term: follower.primary_term(),
        has,
    };
    let (session, list) = match cluster.peers.open_shipment(&node, ask).await? {
        Shipment::Same => return Ok(()),
        Shipment::List { session, list } => (session, list),
    };
    let taken = async {
        transfer::fetch(shards, shard, &node, session, &list, Pace::Full, || ()).await?;
        install(shards, shard, &list).await
    }
    .await;
    if let Err(error) = cluster.peers.close_session(&node, session).await {
        debug!(%error, "a session was not closed; it ends by itself");
    }
    taken?;
    follower.show((list.primary_term.0, list.generation));
    Ok(())
}

/// Takes a list over once the operations in it are on disk here.
async fn install(
    shards: &LocalShards,
    shard: &Arc<LocalShard>,
    list: &quidditch_engine::shard::SegmentList,
) -> Result<(), FollowError> {
    let deadline = tokio::time::Instant::now() + OPERATIONS_WITHIN;
    loop {
        let (worker, list) = (shard.clone(), list.clone());
        let done = shards
            .pools
            .recovery
            .run_on(move || match worker.shard.needs_segments() {
                // What was rolled back was in the segments: nothing may be kept until others are there.
                true => worker.shard.install_base(&list),
                false => worker.shard.install(&list),
            })
            .await
            .map_err(|error| FollowError::Local(error.to_string()))?;
        match done {
            Err(InstallError::NotYet { .. }) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => {
                if !matches!(error, InstallError::NotYet { .. }) {
                    warn!(index = %shard.target.index, shard = shard.target.shard, %error, "could not take over the primary's segments");
                }
                return Err(error.into());
            }
            Ok(_) => return Ok(()),
        }
    }
}
