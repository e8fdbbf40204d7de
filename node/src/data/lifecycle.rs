//! Shards follow the cluster state: made, opened, changed, closed, removed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use quidditch_engine::directory::Directory;
use quidditch_engine::directory::fs::FsDirectory;
use quidditch_engine::ids::PrimaryTerm;
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::shard::{CopyRole, OpenShardError, Shard, ShardOptions, ShardParts};
use tracing::{error, info, warn};

use super::failed::Refused;
use super::local::{LocalShard, LocalShards, ShardKey};
use super::resize;
use super::service::{RecoverySummary, ShardTarget};
use crate::cluster::{ClusterState, IndexMetadata, IndexState, ShardState};
use crate::master::{AppliedState, ShardReport, StateApplier};

/// Written beside a shard's data once it exists: from then on missing data is an error, not a new shard.
const BORN: &str = "born";
/// Uuid of the index that a new one takes its documents from.
const RESIZE_SOURCE: &str = "index.resize.source.uuid";
/// Behind the name of an index folder that is being removed.
const DELETED: &str = ".deleted";

/// A shard that was there before is checked byte by byte so long after it was opened: first it shall serve.
pub(super) const CHECK_AFTER: Duration = Duration::from_secs(5);

/// A copy that the state gives to this node.
struct Wanted {
    target: ShardTarget,
    allocation_id: String,
    primary_term: u64,
    schema: Arc<IndexSchema>,
    index: Arc<IndexMetadata>,
    initializing: bool,
}

#[async_trait]
impl StateApplier for LocalShards {
    async fn apply(&self, state: &Arc<ClusterState>) -> AppliedState {
        let _one_at_a_time = self.applying.lock().await;
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
                    if wanted.initializing {
                        applied.reports.push(report(&wanted, None));
                    }
                }
                // A failed one is tried again when the masters say so, and not before the old one is closed.
                None if self.must_wait(&key, wanted.initializing) => {}
                None if wanted.index.setting(RESIZE_SOURCE).is_some() => {
                    filling.push(self.open_one(key, wanted));
                }
                None => opening.push(self.open_one(key, wanted)),
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

fn report(wanted: &Wanted, failure: Option<String>) -> ShardReport {
    ShardReport {
        index_uuid: wanted.target.index_uuid.clone(),
        shard: wanted.target.shard,
        allocation_id: wanted.allocation_id.clone(),
        failure,
    }
}

impl LocalShards {
    /// Removes what deletions left behind when the process ended too early. Call it once, before the first state is
    /// applied.
    pub fn clean_up(&self) {
        let Ok(entries) = std::fs::read_dir(self.indices_dir()) else {
            return;
        };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().ends_with(DELETED) {
                remove(&entry.path());
            }
        }
    }

    /// Compares the folders of indices with the state: those of deleted indices are removed, those that the state
    /// never knew are only reported, since they may hold somebody's data.
    async fn sweep(&self, state: &ClusterState) {
        let Ok(entries) = std::fs::read_dir(self.indices_dir()) else {
            return;
        };
        let mut deleted = Vec::new();
        for entry in entries.flatten() {
            let uuid = entry.file_name().to_string_lossy().into_owned();
            if uuid.ends_with(DELETED) || state.index_by_uuid(&uuid).is_some() {
                continue;
            }
            match state.graveyard.iter().find(|grave| grave.uuid == uuid) {
                Some(grave) => {
                    info!(index = %grave.name, %uuid, "removing what a deletion left behind");
                    deleted.push(uuid);
                }
                None => warn!(
                    path = %entry.path().display(),
                    "this folder belongs to no index of the cluster state and is left alone; move it away once nobody needs it"
                ),
            }
        }
        self.remove_folders(deleted).await;
    }

    fn indices_dir(&self) -> PathBuf {
        self.data_dir.join("indices")
    }

    fn wanted(&self, state: &ClusterState) -> BTreeMap<ShardKey, Wanted> {
        let mut wanted = BTreeMap::new();
        for (name, index) in &state.indices {
            if index.state != IndexState::Open {
                continue;
            }
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
                            primary_term: term,
                            schema: index.schema.clone(),
                            index: index.clone(),
                            initializing: copy.state == ShardState::Initializing,
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
                .keys()
                .filter(|key| !wanted.contains_key(*key))
                .cloned()
                .collect();
            for key in gone {
                if let Some(shard) = open.remove(&key) {
                    closing.push((key, shard));
                }
            }
        }
        closing.extend(self.forget_failed(state));
        for (_, shard) in &closing {
            shard.shard.cancel_merges();
        }
        let mut deleted: Vec<String> = Vec::new();
        for (key, shard) in closing {
            let index_exists = state.index_by_uuid(&key.0).is_some();
            let target = shard.target.clone();
            self.contexts.free_index(&key.0);
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
            let from = self.indices_dir().join(&uuid);
            let to = self.indices_dir().join(format!("{uuid}{DELETED}"));
            let done = self
                .pools
                .management
                .run(move || {
                    // a crash after the rename is cleaned up at the next start
                    if std::fs::rename(&from, &to).is_ok() {
                        remove(&to);
                    }
                })
                .await;
            if let Err(failure) = done {
                warn!(%uuid, error = %failure, "could not remove the files of a deleted index");
            }
        }
    }

    /// The open shards that a resized index takes its documents from.
    fn sources_of(&self, index: &IndexMetadata) -> Vec<Arc<LocalShard>> {
        let Some(uuid) = index.setting(RESIZE_SOURCE) else {
            return Vec::new();
        };
        let open = self.open.read();
        let mut sources: Vec<Arc<LocalShard>> = open
            .iter()
            .filter(|((of, _), _)| of == uuid)
            .map(|(_, shard)| shard.clone())
            .collect();
        sources.sort_by_key(|shard| shard.target.shard);
        sources
    }

    async fn open_one(&self, key: ShardKey, wanted: Wanted) -> ShardReport {
        let dir = self.indices_dir().join(&key.0).join(key.1.to_string());
        let parts = OpenParts {
            dir,
            schema: wanted.schema.clone(),
            clock: self.clock.clone(),
            primary_term: wanted.primary_term,
            allocation_id: wanted.allocation_id.clone(),
            number: wanted.target.shard,
            sources: self.sources_of(&wanted.index),
            index: wanted.index.clone(),
        };
        let (began_ms, began) = (self.clock.now_ms(), self.clock.monotonic());
        let opened = self.pools.management.run(move || open_shard(parts)).await;
        let failure = match opened {
            Ok(Ok((shard, is_new))) => {
                self.failed.lock().remove(&key);
                info!(index = %wanted.target.index, shard = wanted.target.shard, "opened");
                let took = self.clock.monotonic().saturating_sub(began);
                let stats = shard.stats();
                let (files, bytes) = match is_new {
                    true => (0, 0),
                    false => (stats.segments, stats.segments_bytes),
                };
                let recovery = RecoverySummary {
                    kind: match (is_new, wanted.index.setting(RESIZE_SOURCE)) {
                        (false, _) => "EXISTING_STORE",
                        (true, None) => "EMPTY_STORE",
                        (true, Some(_)) => "LOCAL_SHARDS",
                    }
                    .to_owned(),
                    began_ms,
                    took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                    files,
                    bytes,
                    operations: stats.translog.uncommitted_operations,
                };
                let local = LocalShard::new(
                    wanted.target.clone(),
                    wanted.allocation_id.clone(),
                    shard,
                    recovery,
                );
                if !is_new {
                    *local.check_at.lock() = Some(self.clock.monotonic() + CHECK_AFTER);
                }
                self.open.write().insert(key, Arc::new(local));
                None
            }
            Ok(Err(refused)) => {
                self.note_refusal(key, &wanted.target, &wanted.allocation_id, &refused);
                Some(refused.reason)
            }
            Err(failure) => {
                let refused = Refused {
                    reason: failure.to_string(),
                    may_pass: true,
                };
                self.note_refusal(key, &wanted.target, &wanted.allocation_id, &refused);
                Some(refused.reason)
            }
        };
        if let Some(reason) = &failure {
            error!(index = %wanted.target.index, shard = wanted.target.shard, error = %reason, "could not open");
        }
        report(&wanted, failure)
    }
}

struct OpenParts {
    dir: PathBuf,
    schema: Arc<IndexSchema>,
    clock: Arc<dyn crate::sys::clock::Clock>,
    primary_term: u64,
    allocation_id: String,
    number: u32,
    index: Arc<IndexMetadata>,
    /// The open shards of the index that this one takes its documents from, if any.
    sources: Vec<Arc<LocalShard>>,
}

/// Opens what is there; makes a shard only where there never was one. `true`: it is new.
fn open_shard(parts: OpenParts) -> Result<(Shard, bool), Refused> {
    let dir = &parts.dir;
    let shown = |error: std::io::Error| Refused {
        reason: format!("{}: {error}", dir.display()),
        may_pass: true,
    };
    let born = dir.join(BORN);
    let create = !born.try_exists().map_err(shown)?;
    if create && parts.index.started.contains(&parts.number) {
        return Err(Refused {
            reason: format!(
                "{}: the shard's data is missing; put its folder back and retry, or delete the index",
                dir.display()
            ),
            may_pass: false,
        });
    }
    std::fs::create_dir_all(dir.join("index")).map_err(shown)?;
    std::fs::create_dir_all(dir.join("translog")).map_err(shown)?;
    let open = |create: bool| -> Result<Result<Shard, OpenShardError>, Refused> {
        let directory: Arc<dyn Directory> =
            Arc::new(FsDirectory::open(dir.join("index")).map_err(shown)?);
        let translog: Arc<dyn Directory> =
            Arc::new(FsDirectory::open(dir.join("translog")).map_err(shown)?);
        Ok(Shard::open(ShardParts {
            directory,
            translog,
            schema: parts.schema.clone(),
            clock: parts.clock.clone(),
            primary_term: PrimaryTerm(parts.primary_term),
            role: CopyRole::Primary,
            alone: true,
            options: ShardOptions::default(),
            allocation_id: parts.allocation_id.clone(),
            create,
        }))
    };
    let takes_over = create && parts.index.setting(RESIZE_SOURCE).is_some();
    let shard = match open(create)? {
        // made, but the process ended before all documents were in
        Err(OpenShardError::Exists) if takes_over => {
            for part in ["index", "translog"] {
                std::fs::remove_dir_all(dir.join(part)).map_err(shown)?;
                std::fs::create_dir_all(dir.join(part)).map_err(shown)?;
            }
            open(true)?
        }
        // made, but the process ended before that was noted
        Err(OpenShardError::Exists) if create => open(false)?,
        other => other,
    };
    let shard = shard.map_err(|error| Refused {
        reason: format!("{}: {error}", dir.display()),
        may_pass: error.may_pass(),
    })?;
    if takes_over {
        resize::fill(&shard, &parts.sources, &parts.index, parts.number).map_err(|reason| {
            Refused {
                reason: format!("{}: {reason}", dir.display()),
                may_pass: true,
            }
        })?;
    }
    if create {
        note_birth(dir, &born).map_err(shown)?;
    }
    Ok((shard, create))
}

/// Makes the marker durable, and with it the names of the folders above.
fn note_birth(dir: &Path, born: &Path) -> std::io::Result<()> {
    std::fs::File::create(born)?.sync_all()?;
    let mut folder = Some(dir);
    for _ in 0..3 {
        let Some(path) = folder else { break };
        std::fs::File::open(path)?.sync_all()?;
        folder = path.parent();
    }
    Ok(())
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path) {
        warn!(path = %path.display(), %error, "could not remove a folder");
    }
}
