//! What takes long with the copies that a cluster gives to this node: opening, recovering, becoming the primary.
//!
//! Each runs as a job beside the applying of states; one job at a time for a shard. When it ends, the newest state is
//! applied again, since the copy may have been meant for something else meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quidditch_engine::ids::PrimaryTerm;
use tracing::{error, info, warn};

use super::lifecycle::Wanted;
use super::local::{LocalShard, LocalShards, ShardKey};
use super::recovery::target;
use super::replication::{Cluster, Group, PeerError, Role, primary, publisher};
use crate::cluster::setting_values::parse_bytes;
use crate::master::{Command, ShardReport};

/// Shards that a resized index is made of are open, and show their last writes, within this time.
const FED_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks at them.
const FED_PAUSE: Duration = Duration::from_millis(200);
/// `indices.recovery.max_bytes_per_sec` when nobody set it: OpenSearch's 40 MB.
const RECOVERY_BYTES_PER_SECOND: u64 = 40 << 20;
/// A report that the masters did not take is sent again after this.
const REPORT_AGAIN: Duration = Duration::from_millis(500);
/// Between two tries of a primary to tell the other copies what they lack.
const RESYNC_PAUSE: Duration = Duration::from_millis(500);

impl LocalShards {
    /// Joins a cluster: from now on copies on other nodes count. Call it before the first state is applied.
    pub fn attach(self: &Arc<Self>, cluster: Cluster) {
        if self.cluster.set(cluster).is_err() {
            warn!("the shards have a cluster already");
            return;
        }
        tokio::spawn(publisher::run(Arc::downgrade(self)));
    }

    /// The rest of the cluster, if there is one.
    pub(super) fn cluster(&self) -> Option<&Cluster> {
        self.cluster.get()
    }

    /// An open copy of a shard.
    pub(super) fn open_shard(&self, index_uuid: &str, shard: u32) -> Option<Arc<LocalShard>> {
        self.open
            .read()
            .get(&(index_uuid.to_owned(), shard))
            .cloned()
    }

    /// Whether this node has begun to carry out a state of this version.
    pub(super) fn has_applied(&self, version: u64) -> bool {
        self.applied_version.load(Ordering::Acquire) >= version
    }

    /// Returns when this node has carried out a state of this version.
    pub(super) async fn wait_for_state(
        &self,
        version: u64,
        within: Duration,
    ) -> Result<(), PeerError> {
        let arrived = self.moved.until(|| self.has_applied(version));
        let arrived = tokio::time::timeout(within, arrived).await;
        arrived.map_err(|_| {
            PeerError::NoCopy(format!(
                "the cluster state [{version}] has not arrived there"
            ))
        })
    }

    /// What recoveries may copy together, in bytes a second; 0: without a limit.
    pub(super) fn recovery_bytes_per_second(&self) -> u64 {
        const SETTING: &str = "indices.recovery.max_bytes_per_sec";
        let state = self.cluster().map(|cluster| cluster.masters.state());
        let text = state
            .as_ref()
            .and_then(|state| state.cluster_setting(SETTING));
        let parsed = text.and_then(|text| parse_bytes(text, SETTING).ok());
        parsed.map_or(RECOVERY_BYTES_PER_SECOND, |bytes| {
            u64::try_from(bytes).unwrap_or(0)
        })
    }

    /// Has an open copy be what the state says. `true`: it is, and has all that it needs.
    pub(super) fn keep(&self, shard: &Arc<LocalShard>, wanted: &Wanted) -> bool {
        match shard.role() {
            Role::Primary(group) => {
                self.follow(shard, &group, wanted);
                true
            }
            Role::Replica(_) if wanted.primary => {
                let (shard, wanted) = (shard.clone(), wanted.clone());
                self.job(&wanted.clone(), move |shards| async move {
                    shards.promote(&shard, &wanted).await
                });
                false
            }
            Role::Replica(follower) => {
                follower.look();
                shard.is_recovered()
            }
        }
    }

    /// Opens a copy, or has it recover from the primary, beside everything else.
    pub(super) fn begin(&self, wanted: Wanted) {
        self.job(&wanted.clone(), move |shards| async move {
            match wanted.primary {
                true => Some(shards.open_when_fed(wanted).await),
                false => shards.recover_replica(wanted).await,
            }
        });
    }

    /// Opens a primary. One that takes its documents from other shards waits a while for those to show them.
    async fn open_when_fed(&self, wanted: Wanted) -> ShardReport {
        let began = self.clock.monotonic();
        loop {
            let report = self.open_primary(wanted.clone()).await;
            let waited = self.clock.monotonic().saturating_sub(began);
            if report.failure.is_none()
                || wanted.resized_from == 0
                || waited > FED_WITHIN
                || !self.is_routed(&report)
            {
                return report;
            }
            tokio::time::sleep(FED_PAUSE).await;
        }
    }

    /// Runs a job for a shard that has none; its report goes to the masters.
    fn job<W, F>(&self, wanted: &Wanted, work: W)
    where
        W: FnOnce(Arc<LocalShards>) -> F + Send + 'static,
        F: Future<Output = Option<ShardReport>> + Send + 'static,
    {
        let (key, wanted) = (wanted.key(), wanted.clone());
        let Some(shards) = self.me.upgrade() else {
            return;
        };
        if !self.busy.lock().insert(key.clone()) {
            return;
        }
        tokio::spawn(async move {
            // A panic ends the job alone, and must not leave the shard busy for ever.
            let done = tokio::spawn(work(shards.clone())).await;
            shards.busy.lock().remove(&key);
            let report = done.unwrap_or_else(|failure| {
                error!(uuid = %key.0, shard = key.1, error = %failure, "work on a shard ended in a panic; please report this");
                Some(wanted.report(Some("work on it ended in a panic".to_owned())))
            });
            // The masters hear of a failure first: as long as they do not know, the copy would be begun again at once. All else
            // is told last, since that may take long.
            let (failed, opened) = match report {
                Some(report) if report.failure.is_some() => (Some(report), None),
                report => (None, report),
            };
            if let Some(report) = failed {
                shards.tell(report).await;
            }
            let applied = shards.apply_again().await;
            if opened.is_some() {
                shards.show_mapping(&key).await;
            }
            for report in opened.into_iter().chain(applied.reports) {
                shards.tell(report).await;
            }
        });
    }

    /// A copy shows the mapping of now before anybody searches it: it may be newer than the one that it was opened with.
    async fn show_mapping(&self, key: &ShardKey) {
        let Some(shard) = self.open_shard(&key.0, key.1) else {
            return;
        };
        let worker = shard.clone();
        let refresh = self.pools.management.run_on(move || worker.shard.refresh());
        if let Ok(Err(error)) = refresh.await {
            warn!(index = %shard.target.index, shard = shard.target.shard, %error, "a copy could not be refreshed");
        }
    }

    /// Tells the masters what became of a copy; for as long as they have it initializing, or it failed.
    async fn tell(&self, report: ShardReport) {
        let Some(cluster) = self.cluster() else {
            return;
        };
        loop {
            let told = Command::ReportShards(vec![report.clone()]);
            match cluster.masters.submit(told).await {
                Ok(_) => return,
                Err(refused) => {
                    warn!(error = %refused, "could not tell what became of a shard; trying again");
                    tokio::time::sleep(REPORT_AGAIN).await;
                }
            }
            if !self.is_routed(&report) {
                return;
            }
        }
    }

    fn is_routed(&self, report: &ShardReport) -> bool {
        let Some(cluster) = self.cluster() else {
            return false;
        };
        let state = cluster.masters.state();
        let index = state.index_by_uuid(&report.index_uuid);
        index.is_some_and(|index| {
            let copies = state.routing.copies(&index.name, report.shard);
            copies
                .iter()
                .any(|copy| copy.allocation_id.as_ref() == Some(&report.allocation_id))
        })
    }

    /// Makes the primary of a replica.
    async fn promote(
        self: &Arc<Self>,
        shard: &Arc<LocalShard>,
        wanted: &Wanted,
    ) -> Option<ShardReport> {
        if let Role::Replica(follower) = shard.role() {
            follower.stop();
        }
        let began = self.clock.monotonic();
        let (worker, term) = (shard.clone(), PrimaryTerm(wanted.primary_term));
        let promoted = self
            .pools
            .management
            .run(move || worker.shard.promote(term))
            .await;
        let failure = match promoted {
            Ok(Ok(())) => {
                let took = self.clock.monotonic().saturating_sub(began);
                info!(index = %wanted.target.index, shard = wanted.target.shard, primary_term = wanted.primary_term, took_ms = took.as_millis() as u64, "became the primary");
                let group = Group::promoted(&wanted.allocation_id, wanted.primary_term);
                let group = Arc::new(group);
                self.follow(shard, &group, wanted);
                shard.become_primary(group.clone());
                self.pay_debts(shard, &group);
                return None;
            }
            Ok(Err(failure)) => failure.to_string(),
            Err(failure) => failure.to_string(),
        };
        error!(index = %wanted.target.index, shard = wanted.target.shard, error = %failure, "could not become the primary");
        self.give_up(
            shard,
            format!("it could not become the primary: {failure}"),
            true,
        );
        Some(wanted.report(Some(failure)))
    }

    /// Takes over what the masters say of the copies of a primary here.
    fn follow(&self, shard: &LocalShard, group: &Group, wanted: &Wanted) {
        let is_lone = self.cluster().is_none();
        // one that does not serve yet is not alone: a copy that is away may take its place
        let set_alone = |alone: bool| shard.shard.set_alone(alone && (is_lone || group.serves()));
        let (index, number) = (&wanted.index, wanted.target.shard);
        group.follow(index, number, &wanted.copies, set_alone);
    }

    /// Brings the other copies to where the primary is, if they may lack anything: beside everything else.
    pub(super) fn pay_debts(self: &Arc<Self>, shard: &Arc<LocalShard>, group: &Arc<Group>) {
        if group.begin_paying() {
            tokio::spawn(self.clone().tell_copies(shard.clone(), group.clone()));
        }
    }

    async fn tell_copies(self: Arc<Self>, shard: Arc<LocalShard>, group: Arc<Group>) {
        let Some(cluster) = self.cluster() else {
            return;
        };
        while let Some(debt) = group.debt() {
            // As long as this copy is what it is: without it the others would never show what they lack.
            if !self.is_open(&shard) {
                return group.end_paying();
            }
            match primary::resync(cluster, &self.pools, &shard, &group).await {
                Ok(()) => group.pay(debt),
                Err(primary::ReplicationError::Deposed) => return group.end_paying(),
                Err(failure) => {
                    warn!(index = %shard.target.index, shard = shard.target.shard, error = %failure, "the other copies could not be told what they lack; trying again");
                    tokio::time::sleep(RESYNC_PAUSE).await;
                }
            }
        }
    }

    /// Whether this very copy is open still.
    pub(super) fn is_open(&self, shard: &Arc<LocalShard>) -> bool {
        let open = self.open_shard(&shard.target.index_uuid, shard.target.shard);
        open.is_some_and(|open| Arc::ptr_eq(&open, shard))
    }

    async fn recover_replica(self: Arc<Self>, wanted: Wanted) -> Option<ShardReport> {
        match target::recover(&self, &wanted).await {
            Ok(()) => Some(wanted.report(None)),
            Err(target::RecoveryError::NotWanted) => None,
            Err(failure) => {
                let reason = failure.to_string();
                warn!(index = %wanted.target.index, shard = wanted.target.shard, error = %reason, "could not recover a copy");
                Some(wanted.report(Some(reason)))
            }
        }
    }
}
