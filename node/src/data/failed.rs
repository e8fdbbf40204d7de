//! Shards of this node that cannot serve: closed, told to the masters, tried again later.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use quidditch_engine::shard::ShardError as EngineError;
use tracing::{error, warn};

use super::local::{LocalShard, LocalShards, ShardKey};
use super::opening::shard_path;
use super::service::{ShardError, ShardTarget};
use crate::cluster::{ClusterState, IndexState};
use crate::master::{Command, Masters, ShardReport};

/// How often failures are looked for.
const TICK: Duration = Duration::from_millis(200);
/// The first try to open a failed shard again comes after this; each further one after twice the time.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// But never later than this.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// A shard that cannot serve.
pub(super) struct FailedShard {
    target: ShardTarget,
    allocation_id: String,
    reason: String,
    /// How often it failed in a row.
    attempts: u32,
    /// Its bytes are not what was written: nobody may copy from them.
    is_damaged: bool,
    /// When it is tried again, on the monotonic clock; `None`: not by itself, its data is damaged.
    retry_at: Option<Duration>,
    /// Not closed and told yet.
    open: Option<Arc<LocalShard>>,
}

/// Why a shard was not opened.
#[derive(Debug)]
pub(super) struct Refused {
    /// For people, with the file's name.
    pub reason: String,
    /// Whether trying again may help.
    pub may_pass: bool,
}

fn back_off(attempts: u32) -> Duration {
    RETRY_FIRST
        .saturating_mul(2u32.saturating_pow(attempts.saturating_sub(1)))
        .min(RETRY_MAX)
}

impl LocalShards {
    /// The error that tells why a shard does not serve, if it failed.
    pub(super) fn failure_of(&self, key: &ShardKey) -> Option<ShardError> {
        let failed = self.failed.lock();
        let shard = failed.get(key)?;
        if self.cluster().is_some() {
            // Another copy may take over, or has: whoever asks looks at a newer state.
            return Some(ShardError::NotPrimary {
                index: shard.target.index.clone(),
                shard: shard.target.shard,
                reason: shard.reason.clone(),
            });
        }
        Some(ShardError::Other {
            status: 503,
            kind: "no_shard_available_action_exception".to_owned(),
            reason: format!(
                "[{}][{}] cannot serve: {}",
                shard.target.index, shard.target.shard, shard.reason
            ),
            caused_by: None,
        })
    }

    /// Takes a shard that failed out of service. It is closed, told and tried again by [`look_after`].
    pub(super) fn give_up(&self, shard: &Arc<LocalShard>, reason: String, is_damaged: bool) {
        let target = shard.target.clone();
        let key = (target.index_uuid.clone(), target.shard);
        let mut open = self.open.write();
        if !open
            .get(&key)
            .is_some_and(|current| Arc::ptr_eq(current, shard))
        {
            return;
        }
        error!(index = %target.index, shard = target.shard, %reason, "the shard failed and is out of service");
        open.remove(&key);
        let retry_at = (!is_damaged).then(|| self.clock.monotonic() + back_off(1));
        self.failed.lock().insert(
            key,
            FailedShard {
                target,
                allocation_id: shard.allocation_id.clone(),
                reason,
                attempts: 1,
                is_damaged,
                retry_at,
                open: Some(shard.clone()),
            },
        );
    }

    /// Notes that a shard could not be opened.
    pub(super) fn note_refusal(
        &self,
        key: ShardKey,
        target: &ShardTarget,
        allocation_id: &str,
        refused: &Refused,
    ) {
        let mut failed = self.failed.lock();
        let before = failed.get(&key);
        let attempts = before.map_or(0, |before| before.attempts) + 1;
        let is_damaged = before.is_some_and(|before| before.is_damaged);
        let retry_at = refused
            .may_pass
            .then(|| self.clock.monotonic() + back_off(attempts));
        failed.insert(
            key,
            FailedShard {
                target: target.clone(),
                allocation_id: allocation_id.to_owned(),
                reason: refused.reason.clone(),
                attempts,
                is_damaged,
                retry_at,
                open: None,
            },
        );
    }

    /// Whether what the folder of a shard has was found damaged since it was last opened.
    pub(super) fn is_damaged(&self, key: &ShardKey) -> bool {
        let failed = self.failed.lock();
        failed.get(key).is_some_and(|shard| shard.is_damaged)
    }

    /// Whether a shard that is not open has to stay so for now.
    pub(super) fn must_wait(&self, key: &ShardKey, is_initializing: bool) -> bool {
        match self.failed.lock().get(key) {
            Some(shard) => shard.open.is_some() || !is_initializing,
            None => false,
        }
    }

    /// Forgets the failures of indices that are gone or closed; returns shards that are still to be closed.
    pub(super) fn forget_failed(&self, state: &ClusterState) -> Vec<(ShardKey, Arc<LocalShard>)> {
        let mut closing = Vec::new();
        self.failed.lock().retain(|key, shard| {
            let stays = state
                .index_by_uuid(&key.0)
                .is_some_and(|index| index.state == IndexState::Open);
            if !stays && let Some(open) = shard.open.take() {
                closing.push((key.clone(), open));
            }
            stays
        });
        closing
    }

    /// Checks every byte of a shard, and takes it out of service if one is wrong.
    pub(super) fn check(&self, shard: &Arc<LocalShard>) {
        let target = &shard.target;
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shard.shard.verify()));
        match done {
            Ok(Ok(())) => {}
            Ok(Err(EngineError::Closed)) => {}
            Ok(Err(failure)) if failure.is_damage() => {
                let folder = self.folders.shown(&shard_path(target));
                self.give_up(shard, format!("{folder}: {failure}"), true);
            }
            Ok(Err(failure)) => {
                warn!(index = %target.index, shard = target.shard, error = %failure, "the check of the shard's files did not end");
            }
            Err(_) => error!(index = %target.index, shard = target.shard, "the check panicked"),
        }
    }

    /// Closes the shards that failed since the last call; what there is to tell about them.
    async fn close_failed(&self) -> Vec<ShardReport> {
        let is_quiet = self
            .failed
            .lock()
            .values()
            .all(|shard| shard.open.is_none());
        if is_quiet {
            return Vec::new();
        }
        let _one_at_a_time = self.applying.lock().await;
        let mut untold = Vec::new();
        for shard in self.failed.lock().values_mut() {
            if let Some(open) = shard.open.take() {
                let report = ShardReport {
                    index_uuid: shard.target.index_uuid.clone(),
                    shard: shard.target.shard,
                    allocation_id: shard.allocation_id.clone(),
                    primary_term: None,
                    failure: Some(shard.reason.clone()),
                };
                untold.push((open, report));
            }
        }
        let mut reports = Vec::with_capacity(untold.len());
        for (open, report) in untold {
            self.contexts.free_shard(&report.index_uuid, report.shard);
            let closed = self.pools.management.run(move || open.shard.close()).await;
            if let Err(failure) = closed {
                error!(uuid = %report.index_uuid, shard = report.shard, error = %failure, "could not close a failed shard");
            }
            reports.push(report);
        }
        reports
    }

    /// Whether a failure is the last that is known of a shard: it was not opened again since, nor is it forgotten.
    fn is_failed_still(&self, report: &ShardReport) -> bool {
        let failed = self.failed.lock();
        let shard = failed.get(&(report.index_uuid.clone(), report.shard));
        shard.is_some_and(|shard| shard.allocation_id == report.allocation_id)
    }

    /// Failed shards whose time to be tried again has come.
    fn due(&self) -> Vec<ShardKey> {
        let now = self.clock.monotonic();
        let mut due = Vec::new();
        for (key, shard) in self.failed.lock().iter_mut() {
            if shard.open.is_none() && shard.retry_at.is_some_and(|at| at <= now) {
                shard.retry_at = None;
                due.push(key.clone());
            }
        }
        due
    }
}

/// Tells the masters about shards that failed, and has them tried again, until the shards are dropped. What they do not
/// take is said again.
pub async fn look_after(shards: Weak<LocalShards>, masters: Arc<dyn Masters>) {
    let mut untold: Vec<ShardReport> = Vec::new();
    let mut due = BTreeSet::new();
    loop {
        tokio::time::sleep(TICK).await;
        let Some(shards) = shards.upgrade() else {
            return;
        };
        untold.extend(shards.close_failed().await);
        untold.retain(|report| shards.is_failed_still(report));
        if !untold.is_empty() {
            match masters.submit(Command::ReportShards(untold.clone())).await {
                Ok(_) => untold.clear(),
                Err(refused) => {
                    error!(error = %refused, "could not tell that shards failed; trying again");
                    // Those who do not know that it failed would not try it again.
                    continue;
                }
            }
        }
        due.extend(shards.due());
        if !due.is_empty() {
            let retry = Command::RetryShards(Some(due.iter().cloned().collect()));
            match masters.submit(retry).await {
                Ok(_) => due.clear(),
                Err(refused) => {
                    error!(error = %refused, "could not have failed shards tried again; trying again");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_after_each_failure_up_to_a_minute() {
        let waits: Vec<u64> = [1, 2, 3, 7, 8, 4_000_000_000]
            .map(|attempts| back_off(attempts).as_secs())
            .to_vec();
        assert_eq!(waits, [1, 2, 4, 60, 60, 60]);
    }
}
