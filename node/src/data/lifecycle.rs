//! Shards follow the cluster state: made, opened, changed, closed, removed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::shard::Shard;
use tracing::{error, info, warn};

use super::failed::Refused;
use super::local::{LocalShard, LocalShards, ShardKey};
use super::recovery::Recovery;
use super::recovery::progress::Stage;
use super::replication::{Group, Role};
use super::service::ShardTarget;
use crate::cluster::index_metadata::RESIZE_SOURCE;
use crate::cluster::{
    ClusterState, IndexMetadata, IndexState, RecoverySource, ShardCopy, ShardState,
};
use crate::master::{AppliedState, ShardReport, StateApplier};

/// The folder of the folders of indices.
pub(super) const INDICES: &str = "indices";
/// Behind the name of an index folder that is being removed.
const DELETED: &str = ".deleted";

/// A shard that was there before is checked byte by byte so long after it was opened: first it shall serve.
pub(super) const CHECK_AFTER: Duration = Duration::from_secs(5);

/// A copy that the state gives to this node.
#[derive(Clone)]
pub(super) struct Wanted {
    pub target: ShardTarget,
    pub allocation_id: String,
    pub primary: bool,
    pub primary_term: u64,
    pub schema: Arc<IndexSchema>,
    pub index: Arc<IndexMetadata>,
    pub initializing: bool,
    pub recovery: Option<RecoverySource>,
    /// Shards of the index that this one is made of; 0: it is made of none.
    pub resized_from: u32,
    /// All copies of the shard.
    pub copies: Vec<ShardCopy>,
}

impl Wanted {
    pub fn key(&self) -> ShardKey {
        (self.target.index_uuid.clone(), self.target.shard)
    }

    pub fn report(&self, failure: Option<String>) -> ShardReport {
        ShardReport {
            index_uuid: self.target.index_uuid.clone(),
            shard: self.target.shard,
            allocation_id: self.allocation_id.clone(),
            primary_term: self.primary.then_some(self.primary_term),
            failure,
        }
    }

    /// Whether an open shard can be this copy without being opened anew: the same data, in no other part than before,
    /// except that a replica can become the primary.
    fn can_be(&self, shard: &LocalShard) -> bool {
        if shard.allocation_id != self.allocation_id {
            return false;
        }
        match shard.role() {
            Role::Primary(group) => self.primary && group.primary_term() == self.primary_term,
            Role::Replica(_) => true,
        }
    }
}

#[async_trait]
impl StateApplier for LocalShards {
    async fn apply(&self, state: &Arc<ClusterState>) -> AppliedState {
        let mut newest = self.applying.lock().await;
        if newest
            .as_ref()
            .is_some_and(|newest| state.version < newest.version)
        {
            return AppliedState::default();
        }
        *newest = Some(state.clone());
        self.carry_out(state).await
    }
}

impl LocalShards {
    /// Carries out once more what was carried out last: a job may have ended with a copy that is meant for something else.
    pub(super) async fn apply_again(&self) -> AppliedState {
        let newest = self.applying.lock().await;
        match &*newest {
            Some(state) => self.carry_out(state).await,
            None => AppliedState::default(),
        }
    }

    /// Makes the shards follow a state. The caller holds `applying`, and the state is no older than the one before: an older
    /// one would close, or remove, what a newer one gave.
    async fn carry_out(&self, state: &Arc<ClusterState>) -> AppliedState {
        self.applied_version.store(state.version, Ordering::Release);
        self.moved.raise();
        if !self.is_swept.swap(true, Ordering::Relaxed) {
            self.sweep(state).await;
        }
        let wanted = self.wanted(state);
        self.close_unwanted(state, &wanted).await;
        let mut applied = AppliedState::default();
        let mut opening = Vec::new();
        // These read the shards of other indices, which have to be open before.
        let mut filling = Vec::new();
        for (key, wanted) in wanted {
            let open = self.open.read().get(&key).cloned();
            match open {
                Some(shard) => {
                    if !Arc::ptr_eq(&shard.shard.schema(), &wanted.schema) {
                        shard.shard.update_schema(wanted.schema.clone());
                    }
                    let is_ready = self.keep(&shard, &wanted);
                    if wanted.initializing && is_ready {
                        applied.reports.push(wanted.report(None));
                    }
                }
                // A failed one is tried again when the masters say so, and not before the old one is closed.
                None if self.must_wait(&key, wanted.initializing) => {}
                None if self.cluster().is_some() => self.begin(wanted),
                None if wanted.index.setting(RESIZE_SOURCE).is_some() => {
                    filling.push(self.open_primary(wanted));
                }
                None => opening.push(self.open_primary(wanted)),
            }
        }
        applied
            .reports
            .extend(futures::future::join_all(opening).await);
        applied
            .reports
            .extend(futures::future::join_all(filling).await);
        applied
    }
}

impl LocalShards {
    /// Removes what deletions left behind when the process ended too early. Call it once, before the first state is
    /// applied.
    pub fn clean_up(&self) {
        for name in self.index_folders() {
            if name.ends_with(DELETED) {
                self.remove_folder(&format!("{INDICES}/{name}"));
            }
        }
    }

    /// Names of the folders of indices.
    fn index_folders(&self) -> Vec<String> {
        self.folders.children(INDICES).unwrap_or_else(|error| {
            warn!(path = %self.folders.shown(INDICES), %error, "could not list the folders of indices");
            Vec::new()
        })
    }

    fn remove_folder(&self, path: &str) {
        if let Err(error) = self.folders.remove(path) {
            warn!(path = %self.folders.shown(path), %error, "could not remove a folder");
        }
    }

    /// Compares the folders of indices with the state: those of deleted indices are removed, those that the state
    /// never knew are only reported, since they may hold somebody's data.
    async fn sweep(&self, state: &ClusterState) {
        let mut deleted = Vec::new();
        for uuid in self.index_folders() {
            if uuid.ends_with(DELETED) || state.index_by_uuid(&uuid).is_some() {
                continue;
            }
            match state.graveyard.iter().find(|grave| grave.uuid == uuid) {
                Some(grave) => {
                    info!(index = %grave.name, %uuid, "removing what a deletion left behind");
                    deleted.push(uuid);
                }
                None => warn!(
                    path = %self.folders.shown(&format!("{INDICES}/{uuid}")),
                    "this folder belongs to no index of the cluster state and is left alone; move it away once nobody needs it"
                ),
            }
        }
        self.remove_folders(deleted).await;
    }

    /// Whether the state knows this run of the process. Until it does, what it gives to this node was given to an earlier
    /// run: a primary that went on in its reign would give out numbers again that copies may have under the same term.
    fn is_member(&self, state: &ClusterState) -> bool {
        let Some(cluster) = self.cluster() else {
            return true;
        };
        let node = state.nodes.get(&cluster.node);
        node.is_some_and(|node| node.ephemeral_id == cluster.ephemeral_id)
    }

    fn wanted(&self, state: &ClusterState) -> BTreeMap<ShardKey, Wanted> {
        let mut wanted = BTreeMap::new();
        if !self.is_member(state) {
            return wanted;
        }
        for (name, index) in &state.indices {
            if index.state != IndexState::Open {
                continue;
            }
            let source = index.setting(RESIZE_SOURCE);
            let source = source.and_then(|uuid| state.index_by_uuid(uuid));
            let resized_from = source.map_or(0, |source| source.number_of_shards);
            for shard in 0..index.number_of_shards {
                for copy in state.routing.copies(name, shard) {
                    let here = copy
                        .node
                        .as_ref()
                        .is_some_and(|node| node.0 == self.node_id);
                    let (true, Some(allocation_id)) = (here, &copy.allocation_id) else {
                        continue;
                    };
                    if copy.state == ShardState::Unassigned {
                        continue;
                    }
                    let term = index
                        .primary_terms
                        .get(shard as usize)
                        .copied()
                        .unwrap_or(1);
                    let target = ShardTarget {
                        index: name.clone(),
                        index_uuid: index.uuid.clone(),
                        shard,
                    };
                    wanted.insert(
                        (index.uuid.clone(), shard),
                        Wanted {
                            target,
                            allocation_id: allocation_id.clone(),
                            primary: copy.primary,
                            primary_term: term,
                            schema: index.schema.clone(),
                            index: index.clone(),
                            initializing: copy.state == ShardState::Initializing,
                            recovery: copy.recovery,
                            resized_from,
                            copies: state.routing.copies(name, shard).to_vec(),
                        },
                    );
                }
            }
        }
        wanted
    }

    /// Closes shards that are no longer given to this node; those of deleted indices lose their files.
    async fn close_unwanted(&self, state: &ClusterState, wanted: &BTreeMap<ShardKey, Wanted>) {
        let mut closing: Vec<(ShardKey, Arc<LocalShard>)> = Vec::new();
        {
            let mut open = self.open.write();
            let gone: Vec<ShardKey> = open
                .iter()
                .filter(|(key, shard)| !wanted.get(key).is_some_and(|wanted| wanted.can_be(shard)))
                .map(|(key, _)| key.clone())
                .collect();
            for key in gone {
                if let Some(shard) = open.remove(&key) {
                    closing.push((key, shard));
                }
            }
        }
        closing.extend(self.forget_failed(state));
        for (_, shard) in &closing {
            if let Role::Replica(follower) = shard.role() {
                follower.stop();
            }
            shard.shard.cancel_merges();
        }
        // the readers of a copy that only moved away live on
        self.contexts.retain_indices(|uuid| {
            let index = state.index_by_uuid(uuid);
            index.is_some_and(|index| index.state == IndexState::Open)
        });
        let mut deleted: Vec<String> = Vec::new();
        for (key, shard) in closing {
            let index_exists = state.index_by_uuid(&key.0).is_some();
            let target = shard.target.clone();
            if !index_exists && !deleted.contains(&key.0) {
                deleted.push(key.0.clone());
            }
            let done = self.pools.management.run(move || shard.shard.close()).await;
            match done {
                Ok(Ok(())) => info!(index = %target.index, shard = target.shard, "closed"),
                Ok(Err(failure)) if index_exists => {
                    warn!(index = %target.index, shard = target.shard, error = %failure, "closed, but could not flush");
                }
                Ok(Err(_)) => {}
                Err(failure) => {
                    error!(index = %target.index, shard = target.shard, error = %failure, "could not close");
                }
            }
        }
        self.remove_deleted(state, deleted).await;
    }

    /// Removes the folders of deleted indices, also of those that were closed.
    async fn remove_deleted(&self, state: &ClusterState, mut deleted: Vec<String>) {
        for uuid in self.known.lock().iter() {
            if state.index_by_uuid(uuid).is_none() && !deleted.contains(uuid) {
                deleted.push(uuid.clone());
            }
        }
        {
            let mut known = self.known.lock();
            known.retain(|uuid| !deleted.contains(uuid));
            known.extend(state.indices.values().map(|index| index.uuid.clone()));
        }
        self.remove_folders(deleted).await;
    }

    async fn remove_folders(&self, uuids: Vec<String>) {
        for uuid in uuids {
            let from = format!("{INDICES}/{uuid}");
            let to = format!("{from}{DELETED}");
            let Some(shards) = self.me.upgrade() else {
                return;
            };
            let done = self
                .pools
                .management
                .run(move || {
                    // a crash after the rename is cleaned up at the next start
                    if shards.folders.rename(&from, &to).is_ok() {
                        shards.remove_folder(&to);
                    }
                })
                .await;
            if let Err(failure) = done {
                warn!(%uuid, error = %failure, "could not remove the files of a deleted index");
            }
        }
    }

    /// Opens a primary; what came of it.
    pub(super) async fn open_primary(&self, wanted: Wanted) -> ShardReport {
        let key = wanted.key();
        let opening = self.opening(&wanted);
        let (began_ms, began) = (self.clock.now_ms(), self.clock.monotonic());
        let opened = self.pools.management.run(move || opening.primary()).await;
        let opened = opened.unwrap_or_else(|failure| {
            Err(Refused {
                reason: failure.to_string(),
                may_pass: true,
            })
        });
        let failure = match opened {
            Ok((shard, is_new)) => {
                info!(index = %wanted.target.index, shard = wanted.target.shard, primary_term = wanted.primary_term, "opened");
                let kind = match (is_new, wanted.index.setting(RESIZE_SOURCE)) {
                    (false, _) => "EXISTING_STORE",
                    (true, None) => "EMPTY_STORE",
                    (true, Some(_)) => "LOCAL_SHARDS",
                };
                let recovery = Recovery::begin(kind, began_ms, None);
                let stats = shard.stats();
                if !is_new {
                    let bytes = stats.segments_bytes;
                    recovery.plan(stats.segments, 0, bytes, bytes);
                }
                recovery.took_operations(stats.translog.uncommitted_operations);
                let took = self.clock.monotonic().saturating_sub(began);
                recovery.enter(Stage::Done, took);
                let group = Group::new(&wanted.allocation_id, wanted.primary_term);
                let role = Role::Primary(Arc::new(group));
                let local = self.put_open(&wanted, shard, role, recovery);
                if !is_new {
                    *local.check_at.lock() = Some(self.clock.monotonic() + CHECK_AFTER);
                }
                self.keep(&local, &wanted);
                None
            }
            Err(refused) => {
                self.note_refusal(key, &wanted.target, &wanted.allocation_id, &refused);
                Some(refused.reason)
            }
        };
        if let Some(reason) = &failure {
            error!(index = %wanted.target.index, shard = wanted.target.shard, error = %reason, "could not open");
        }
        wanted.report(failure)
    }

    /// Lets a shard be found.
    pub(super) fn put_open(
        &self,
        wanted: &Wanted,
        shard: Shard,
        role: Role,
        recovery: Recovery,
    ) -> Arc<LocalShard> {
        let local = Arc::new(LocalShard::new(
            wanted.target.clone(),
            wanted.allocation_id.clone(),
            shard,
            role,
            recovery,
        ));
        self.failed.lock().remove(&wanted.key());
        self.open.write().insert(wanted.key(), local.clone());
        self.moved.raise();
        local
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::service::ShardService;
    use crate::data::testing::TestCluster;
    use crate::master::Masters;

    #[tokio::test]
    async fn a_state_that_arrives_after_a_newer_one_changes_nothing() {
        let cluster = TestCluster::start(1, 1, "{}", false).await;
        let (shards, target) = (&cluster.nodes[0].shards, cluster.target(0));
        let with_index = cluster.masters.state();
        cluster.change(|state| {
            state.indices.clear();
            state.routing.indices.clear();
        });
        let without = cluster.masters.state();
        assert!(shards.stats(&target).await.is_ok());
        shards.apply(&without).await;
        assert!(shards.stats(&target).await.is_err());
        shards.apply(&with_index).await;
        assert!(shards.stats(&target).await.is_err(), "it came back");
        shards.apply_again().await;
        assert!(shards.stats(&target).await.is_err(), "it came back");
    }
}
