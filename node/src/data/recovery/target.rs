//! The new copy's side of a recovery.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::shard::{FileName, SegmentList};
use quidditch_engine::translog::Operation;
use tokio::time::Instant;
use tracing::{debug, info};

use super::progress::{Recovery, Stage};
use super::transfer::{self, Pace};
use crate::cluster::NodeId;
use crate::data::failed::Refused;
use crate::data::lifecycle::{CHECK_AFTER, Wanted};
use crate::data::local::{LocalShard, LocalShards};
use crate::data::replication::follower::{self, FollowError, Follower, primary_of};
use crate::data::replication::peers::{
    CopyId, FinishRecovery, Finished, OperationBatch, PeerError, Peers, ReadFile, RecoveryPlan,
    StartRecovery,
};
use crate::data::replication::{Cluster, Role, replica};

/// Without a step forward for so long a recovery fails; the masters begin another one.
const STEP_WITHIN: Duration = Duration::from_secs(60);
/// A session that is not needed for a while is used so often.
const TOUCH_EVERY: Duration = Duration::from_secs(20);
/// What is in the segments is on every in-sync copy within this time, or the recovery ends without.
const GLOBAL_WITHIN: Duration = Duration::from_secs(5);
/// After what may pass.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a copy could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The masters have other plans.
    #[error("the copy is not wanted any more")]
    NotWanted,
    /// The folder cannot be used.
    #[error("{0}")]
    Refused(String),
    /// The primary did not answer as hoped.
    #[error("recovery from the primary failed: {0}")]
    Source(#[from] PeerError),
    /// The segments could not be taken over.
    #[error("recovery of segments failed: {0}")]
    Segments(#[from] FollowError),
    /// Something here.
    #[error("{0}")]
    Local(String),
    /// It went on for too long without a step forward.
    #[error("nothing came from the primary for {} s; last: {last}", STEP_WITHIN.as_secs())]
    Stalled {
        /// What it failed with at last.
        last: String,
    },
}

impl From<Refused> for RecoveryError {
    fn from(refused: Refused) -> RecoveryError {
        RecoveryError::Refused(refused.reason)
    }
}

/// What a recovery works with.
struct Target<'a> {
    shards: &'a Arc<LocalShards>,
    cluster: &'a Cluster,
    wanted: &'a Wanted,
    began: Duration,
}

/// Makes a copy that has all that the primary has, and follows it from then on.
pub(in crate::data) async fn recover(
    shards: &Arc<LocalShards>,
    wanted: &Wanted,
) -> Result<(), RecoveryError> {
    let Some(cluster) = shards.cluster() else {
        return Err(RecoveryError::NotWanted);
    };
    let target = Target {
        shards,
        cluster,
        wanted,
        began: shards.clock.monotonic(),
    };
    let mut deadline = Instant::now() + STEP_WITHIN;
    loop {
        let tried = target.attempt(&mut deadline).await;
        let failure = match tried {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        target.drop_copy().await;
        if !target.is_wanted() {
            return Err(RecoveryError::NotWanted);
        }
        let may_pass = match &failure {
            RecoveryError::Source(error) | RecoveryError::Segments(FollowError::Peer(error)) => {
                error.may_pass()
                    || matches!(error, PeerError::NoSession | PeerError::StaleTerm { .. })
            }
            RecoveryError::Segments(FollowError::NoPrimary) => true,
            _ => false,
        };
        if !may_pass {
            return Err(failure);
        }
        if Instant::now() > deadline {
            return Err(RecoveryError::Stalled {
                last: failure.to_string(),
            });
        }
        debug!(index = %wanted.target.index, shard = wanted.target.shard, error = %failure, "recovery begins again");
        tokio::time::sleep(PAUSE).await;
    }
}

impl Target<'_> {
    /// Whether the masters still want this copy to be made here.
    fn is_wanted(&self) -> bool {
        let state = self.cluster.masters.state();
        let target = &self.wanted.target;
        let index = state.index_by_uuid(&target.index_uuid);
        index.is_some_and(|index| {
            let copies = state.routing.copies(&index.name, target.shard);
            copies.iter().any(|copy| {
                copy.allocation_id.as_ref() == Some(&self.wanted.allocation_id)
                    && copy.node.as_ref() == Some(&self.cluster.node)
                    && !copy.primary
            })
        })
    }

    /// The reign by the newest state: it may have changed since the copy was given to this node.
    fn primary_term(&self) -> u64 {
        let state = self.cluster.masters.state();
        let target = &self.wanted.target;
        let index = state.index_by_uuid(&target.index_uuid);
        let term = index.and_then(|index| index.primary_terms.get(target.shard as usize).copied());
        term.unwrap_or(self.wanted.primary_term)
    }

    /// Closes what was opened for a try that failed.
    async fn drop_copy(&self) {
        let key = self.wanted.key();
        let open = {
            let mut open = self.shards.open.write();
            match open.get(&key) {
                Some(shard) if shard.allocation_id == self.wanted.allocation_id => {
                    open.remove(&key)
                }
                _ => None,
            }
        };
        if let Some(shard) = open {
            let closed = self
                .shards
                .pools
                .management
                .run(move || shard.shard.close());
            if let Ok(Err(failure)) = closed.await {
                debug!(error = %failure, "a copy that was being made did not close well");
            }
        }
    }

    async fn attempt(&self, deadline: &mut Instant) -> Result<(), RecoveryError> {
        let (node, source) = self.find_primary(deadline).await?;
        let shard = self.open_copy(&node, self.primary_term()).await?;
        let plan = self.start(&node, &source, &shard).await?;
        let (session, list) = match plan {
            RecoveryPlan::Copy { session, list, .. } => (session, list),
            RecoveryPlan::StartOver => {
                info!(index = %self.wanted.target.index, shard = self.wanted.target.shard, "the data here belongs to another history; beginning with nothing");
                self.drop_copy().await;
                let opening = self.shards.opening(self.wanted);
                let wiped = self
                    .shards
                    .pools
                    .management
                    .run(move || opening.wipe())
                    .await;
                wiped.map_err(local)??;
                return Err(RecoveryError::Source(PeerError::NoSession));
            }
        };
        let taken = self.take(&node, session, &list, &shard, deadline).await;
        if taken.is_err() {
            // It ends by itself if this does not arrive.
            let _ = self.cluster.peers.close_session(&node, session).await;
        }
        taken
    }

    /// The node and copy of the primary, once it has started.
    async fn find_primary(
        &self,
        deadline: &mut Instant,
    ) -> Result<(NodeId, CopyId), RecoveryError> {
        let mut states = self.cluster.masters.watch();
        loop {
            if !self.is_wanted() {
                return Err(RecoveryError::NotWanted);
            }
            if let Some(found) = primary_of(self.shards, &self.wanted.target) {
                return Ok(found);
            }
            // Without a primary there is nothing to wait for that this copy could be blamed for.
            *deadline = Instant::now() + STEP_WITHIN;
            if states.changed().await.is_err() {
                return Err(RecoveryError::NotWanted);
            }
        }
    }

    /// Opens what is in the folder, as a replica, and lets it be found: from the first word to the primary on it is sent
    /// operations.
    async fn open_copy(
        &self,
        source: &NodeId,
        primary_term: u64,
    ) -> Result<Arc<LocalShard>, RecoveryError> {
        let opening = self.shards.opening(&Wanted {
            primary_term,
            ..self.wanted.clone()
        });
        let term = PrimaryTerm(primary_term);
        let is_damaged = self.shards.is_damaged(&self.wanted.key());
        let open = move || -> Result<_, RecoveryError> {
            if is_damaged {
                // Opening does not read every byte: they would be taken for good ones.
                opening.wipe()?;
            }
            let (shard, is_new) = opening.replica()?;
            if !is_new {
                // What lies beyond may never have happened.
                let known = shard.global_checkpoint();
                shard.roll_back(term, known).map_err(local)?;
            }
            Ok(shard)
        };
        let shard = self
            .shards
            .pools
            .management
            .run(open)
            .await
            .map_err(local)??;
        let recovery = Recovery::begin("PEER", self.shards.clock.now_ms(), Some(source.0.clone()));
        let role = Role::Replica(Arc::new(Follower::new(primary_term)));
        Ok(self.shards.put_open(self.wanted, shard, role, recovery))
    }

    async fn start(
        &self,
        node: &NodeId,
        source: &CopyId,
        shard: &LocalShard,
    ) -> Result<RecoveryPlan, RecoveryError> {
        let has_data = shard.shard.max_seq_no() != SeqNo::NONE;
        let ask = StartRecovery {
            to: source.clone(),
            target: self.wanted.allocation_id.clone(),
            node: self.cluster.node.clone(),
            state_version: self.cluster.masters.state().version,
            history_uuid: has_data.then(|| shard.shard.history_uuid()),
        };
        Ok(self.cluster.peers.start_recovery(node, ask).await?)
    }

    fn enter(&self, shard: &LocalShard, stage: Stage) {
        let took = self.shards.clock.monotonic().saturating_sub(self.began);
        shard.recovery.enter(stage, took);
    }

    async fn take(
        &self,
        node: &NodeId,
        session: u64,
        list: &SegmentList,
        shard: &Arc<LocalShard>,
        deadline: &mut Instant,
    ) -> Result<(), RecoveryError> {
        self.enter(shard, Stage::Index);
        let shards = self.shards;
        let on_step = || *deadline = Instant::now() + STEP_WITHIN;
        transfer::fetch(shards, shard, node, session, list, Pace::Shared, on_step).await?;
        *deadline = Instant::now() + STEP_WITHIN;
        let (worker, base) = (shard.clone(), list.clone());
        let install = move || worker.shard.install_base(&base);
        let pool = &self.shards.pools.recovery;
        let peers = &*self.cluster.peers;
        let installed = keeping_alive(peers, node, session, pool.run_on(install)).await;
        installed.map_err(local)?.map_err(FollowError::from)?;
        *deadline = Instant::now() + STEP_WITHIN;
        self.enter(shard, Stage::Translog);
        self.take_operations(node, session, list.primary_term, shard, deadline)
            .await?;
        self.enter(shard, Stage::Finalize);
        let term = list.primary_term;
        // A copy whose segments hold what another primary may roll back cannot be promoted until it got others. Only for a
        // while: copies that sync late tell late what they have.
        let until = Instant::now() + GLOBAL_WITHIN;
        while shard.shard.global_checkpoint() < list.max_seq_no && Instant::now() < until {
            tokio::time::sleep(PAUSE).await;
            self.take_operations(node, session, term, shard, deadline)
                .await?;
        }
        loop {
            let progress = replica::progress(shard);
            let ask = FinishRecovery { session, progress };
            match self.cluster.peers.finish_recovery(node, ask).await? {
                Finished::InSync => break,
                Finished::NotYet => {
                    self.take_operations(node, session, term, shard, deadline)
                        .await?;
                    if replica::progress(shard) == progress {
                        // What is missing is on its way.
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
            if Instant::now() > *deadline {
                return Err(RecoveryError::Stalled {
                    last: "operations are missing".to_owned(),
                });
            }
        }
        let opening = self.shards.opening(self.wanted);
        let taken = self
            .shards
            .pools
            .management
            .run(move || opening.take_identity())
            .await;
        taken.map_err(local)??;
        self.catch_up(shard, list, deadline).await?;
        self.enter(shard, Stage::Done);
        self.follow(shard);
        Ok(())
    }

    /// Shows what the primary showed while this copy did not count yet: who refreshed then was not kept waiting for it. From
    /// here on refreshes wait.
    async fn catch_up(
        &self,
        shard: &Arc<LocalShard>,
        list: &SegmentList,
        deadline: &mut Instant,
    ) -> Result<(), RecoveryError> {
        let Role::Replica(follower) = shard.role() else {
            return Err(RecoveryError::NotWanted);
        };
        follower.show((list.primary_term.0, list.generation));
        *deadline = Instant::now() + STEP_WITHIN;
        loop {
            match follower::look(self.shards, shard, &follower).await {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > *deadline => return Err(error.into()),
                Err(_) if !self.is_wanted() => return Err(RecoveryError::NotWanted),
                Err(error) => {
                    debug!(index = %shard.target.index, shard = shard.target.shard, %error, "could not show yet what the primary shows");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn take_operations(
        &self,
        node: &NodeId,
        session: u64,
        term: PrimaryTerm,
        shard: &Arc<LocalShard>,
        deadline: &mut Instant,
    ) -> Result<(), RecoveryError> {
        let before = replica::progress(shard);
        loop {
            let batch = self.cluster.peers.next_operations(node, session).await?;
            let is_last = batch.is_last;
            shard
                .recovery
                .took_operations(batch.operations.len() as u64);
            let worker = shard.clone();
            let work = move || append(&worker, term, &batch);
            self.shards
                .pools
                .recovery
                .run_on(work)
                .await
                .map_err(local)??;
            if replica::progress(shard) != before {
                *deadline = Instant::now() + STEP_WITHIN;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// From here on it shows what the primary shows.
    fn follow(&self, shard: &Arc<LocalShard>) {
        if shard.recovery.has_reused() {
            // Those bytes were not read.
            let at = self.shards.clock.monotonic() + CHECK_AFTER;
            *shard.check_at.lock() = Some(at);
        }
        shard.note_recovered();
        if let Role::Replica(follower) = shard.role() {
            let shards = Arc::downgrade(self.shards);
            tokio::spawn(follower::run(shards, Arc::downgrade(shard), follower));
        }
    }
}

/// Does something long here that the source hears nothing of, and has it keep the session meanwhile.
pub(in crate::data) async fn keeping_alive<T>(
    peers: &dyn Peers,
    node: &NodeId,
    session: u64,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        if let Ok(done) = tokio::time::timeout(TOUCH_EVERY, &mut work).await {
            return done;
        }
        let touch = ReadFile {
            session,
            file: FileName::Tombstones,
            offset: 0,
            len: 0,
        };
        // Any question does, whatever is answered.
        let _ = peers.read_file(node, touch).await;
    }
}

fn local(error: impl std::fmt::Display) -> RecoveryError {
    RecoveryError::Local(error.to_string())
}

fn append(
    shard: &LocalShard,
    term: PrimaryTerm,
    batch: &OperationBatch,
) -> Result<(), RecoveryError> {
    let decode = |bytes: &Bytes| Operation::decode(bytes).map_err(local);
    let operations = batch
        .operations
        .iter()
        .map(decode)
        .collect::<Result<Vec<_>, _>>()?;
    let global = SeqNo(batch.global_checkpoint);
    let last = shard
        .shard
        .append_replicated(term, &operations, global)
        .map_err(local)?;
    if let Some(location) = last {
        shard.shard.ensure_synced(location).map_err(local)?;
    }
    Ok(())
}
