//! The shard service over the shards of this very node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;
use quidditch_engine::document::{DocumentError, StoredValue};
use quidditch_engine::ids::SeqNo;
use quidditch_engine::schema::{Durability, simple_match};
use quidditch_engine::shard::{self, GetOptions, Shard, ShardOptions, ShardReader, WriteError};
use serde_json::Value;

use super::contexts::Contexts;
use super::failed::FailedShard;
use super::local_search::ShardReaders;
use super::opening::shard_path;
use super::pool::Pools;
use super::recovery::{Recovery, Sessions, Throttle};
use super::replication::group::Undecided;
use super::replication::primary::{self, ReplicationError};
use super::replication::{Cluster, Group, Role, publisher};
use super::search_counters::SearchCounters;
use super::service::{
    CachesToClear, GetOp, RecoverySummary, RefreshPolicy, SegmentSummary, ShardError, ShardService,
    ShardStats, ShardTarget, StoredDocument, WriteKind, WriteOp, WriteOutcome,
};
use super::writes::Writes;
use crate::cluster::ClusterState;
use crate::sys::clock::Clock;
use crate::sys::folders::Folders;
use crate::sys::signal::Signal;

/// What was read, or refused, is known to last within this time, or another primary is asked.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);
/// Requests that may wait for one refresh; one more makes it happen at once.
const REFRESH_WAITERS_MAX: usize = 1000;

/// The open shards of this node.
pub struct LocalShards {
    pub(super) folders: Arc<dyn Folders>,
    /// Knobs of every shard.
    pub(super) shard_options: ShardOptions,
    pub(super) node_id: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) open: RwLock<BTreeMap<ShardKey, Arc<LocalShard>>>,
    /// Uuids of the indices of the last state.
    pub(super) known: parking_lot::Mutex<std::collections::BTreeSet<String>>,
    /// Shards that cannot serve.
    pub(super) failed: parking_lot::Mutex<BTreeMap<ShardKey, FailedShard>>,
    /// Whether the folders of indices were compared with the state.
    pub(super) is_swept: AtomicBool,
    /// One state at a time is carried out: the last one.
    pub(super) applying: tokio::sync::Mutex<Option<Arc<ClusterState>>>,
    /// Version of the state that is carried out.
    pub(super) applied_version: AtomicU64,
    /// Told of it, and of shards that were opened.
    pub(super) moved: Signal,
    /// Shards that something long is done to.
    pub(super) busy: parking_lot::Mutex<BTreeSet<ShardKey>>,
    /// The rest of the cluster, if there is one.
    pub(super) cluster: OnceLock<Cluster>,
    /// What copies on other nodes are reading.
    pub(super) sessions: Sessions,
    /// What recoveries may copy.
    pub(super) throttle: Throttle,
    pub(super) me: Weak<LocalShards>,
    /// Readers that searches keep open.
    pub contexts: Arc<Contexts>,
    /// Threads for everything that blocks.
    pub pools: Arc<Pools>,
    /// Spreads writes over some of them.
    writes: Writes,
}

/// Uuid of the index and number of the shard.
pub(super) type ShardKey = (String, u32);

/// One open shard.
pub struct LocalShard {
    /// Which one.
    pub target: ShardTarget,
    /// Identity of this copy.
    pub allocation_id: String,
    /// The engine.
    pub shard: Shard,
    /// The scheduler is at it.
    pub(super) maintained: AtomicBool,
    /// When every byte of it is to be checked, on the monotonic clock; `None`: it was, or is new.
    pub(super) check_at: parking_lot::Mutex<Option<std::time::Duration>>,
    /// How it came up.
    pub(super) recovery: Recovery,
    role: RwLock<Role>,
    /// It has all that it needs to be what it is.
    recovered: AtomicBool,
    /// Counts its searches.
    pub(super) searches: Arc<SearchCounters>,
    waiters: AtomicUsize,
}

impl LocalShard {
    pub(super) fn new(
        target: ShardTarget,
        allocation_id: String,
        shard: Shard,
        role: Role,
        recovery: Recovery,
    ) -> LocalShard {
        LocalShard {
            recovered: AtomicBool::new(role.group().is_some()),
            role: RwLock::new(role),
            target,
            allocation_id,
            shard,
            maintained: AtomicBool::new(false),
            check_at: parking_lot::Mutex::new(None),
            recovery,
            searches: Arc::default(),
            waiters: AtomicUsize::new(0),
        }
    }

    /// Primary or replica.
    pub fn role(&self) -> Role {
        self.role.read().clone()
    }

    /// A replica takes over.
    pub(super) fn become_primary(&self, group: Arc<Group>) {
        *self.role.write() = Role::Primary(group);
        self.note_recovered();
    }

    /// It has all that it needs.
    pub(super) fn note_recovered(&self) {
        self.recovered.store(true, Ordering::Release);
    }

    /// Whether it has all that it needs.
    pub(super) fn is_recovered(&self) -> bool {
        self.recovered.load(Ordering::Acquire)
    }

    fn group(&self) -> Result<Arc<Group>, ShardError> {
        match self.role() {
            Role::Primary(group) => Ok(group),
            Role::Replica(_) => Err(self.not_primary("this copy is a replica")),
        }
    }

    /// Refuses what a primary does before the masters count it as started.
    fn check_serves(&self, group: &Group) -> Result<(), ShardError> {
        match group.serves() {
            true => Ok(()),
            false => Err(self.not_primary("the copy is not started yet")),
        }
    }

    fn not_primary(&self, reason: &str) -> ShardError {
        ShardError::NotPrimary {
            index: self.target.index.clone(),
            shard: self.target.shard,
            reason: reason.to_owned(),
        }
    }
}

impl LocalShards {
    /// A node without shards; they come with the cluster state.
    pub fn new(
        folders: Arc<dyn Folders>,
        node_id: String,
        clock: Arc<dyn Clock>,
        contexts: Arc<Contexts>,
        pools: Arc<Pools>,
    ) -> Arc<LocalShards> {
        let options = ShardOptions::default();
        LocalShards::with_options(folders, node_id, clock, contexts, pools, options)
    }

    /// The same, with other knobs for every shard.
    pub fn with_options(
        folders: Arc<dyn Folders>,
        node_id: String,
        clock: Arc<dyn Clock>,
        contexts: Arc<Contexts>,
        pools: Arc<Pools>,
        shard_options: ShardOptions,
    ) -> Arc<LocalShards> {
        Arc::new_cyclic(|me| LocalShards {
            me: me.clone(),
            applied_version: AtomicU64::new(0),
            moved: Signal::default(),
            busy: parking_lot::Mutex::default(),
            cluster: OnceLock::new(),
            sessions: Sessions::default(),
            throttle: Throttle::default(),
            folders,
            shard_options,
            node_id,
            clock,
            open: RwLock::default(),
            known: parking_lot::Mutex::default(),
            failed: parking_lot::Mutex::default(),
            is_swept: AtomicBool::new(false),
            applying: tokio::sync::Mutex::new(None),
            contexts,
            writes: Writes::new(pools.clone()),
            pools,
        })
    }

    /// The open shard, or the error that says that it is not here.
    pub fn shard(&self, target: &ShardTarget) -> Result<Arc<LocalShard>, ShardError> {
        let key = (target.index_uuid.clone(), target.shard);
        match self.open.read().get(&key) {
            Some(shard) => Ok(shard.clone()),
            None => Err(self
                .failure_of(&key)
                .unwrap_or_else(|| ShardError::NotFound {
                    index: target.index.clone(),
                    shard: target.shard,
                })),
        }
    }

    /// All open shards.
    pub fn all(&self) -> Vec<Arc<LocalShard>> {
        self.open.read().values().cloned().collect()
    }

    /// Flushes and closes all shards: the end of the process.
    pub async fn close(&self) {
        let shards: Vec<Arc<LocalShard>> = {
            let open = std::mem::take(&mut *self.open.write());
            open.into_values().collect()
        };
        for shard in &shards {
            shard.shard.cancel_merges();
        }
        for shard in shards {
            let target = shard.target.clone();
            match self.pools.management.run(move || shard.shard.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(index = %target.index, shard = target.shard, %error, "could not flush at the end; the translog will be replayed");
                }
                Err(error) => {
                    tracing::error!(index = %target.index, shard = target.shard, %error, "could not close")
                }
            }
        }
    }
}

impl ShardReaders for LocalShards {
    fn reader(&self, target: &ShardTarget) -> Option<Arc<ShardReader>> {
        // One that still recovers has not all that it is to show.
        let shard = self.shard(target).ok()?;
        shard.is_recovered().then(|| shard.shard.reader())
    }

    fn counters(&self, target: &ShardTarget) -> Option<Arc<SearchCounters>> {
        Some(self.shard(target).ok()?.searches.clone())
    }
}

#[async_trait]
impl ShardService for LocalShards {
    async fn write(
        &self,
        target: &ShardTarget,
        ops: Vec<WriteOp>,
        refresh: RefreshPolicy,
    ) -> Result<Vec<Result<WriteOutcome, ShardError>>, ShardError> {
        let shard = self.shard(target)?;
        let group = shard.group()?;
        let mut results = match self.cluster() {
            None => self.writes.run(&shard, ops).await?,
            Some(_) => self.write_to_all(&shard, &group, ops).await?,
        };
        let is_cut = |result: &Result<_, _>| matches!(result, Err(ShardError::MappingUpdate(_)));
        if results.iter().any(is_cut) {
            return Ok(results);
        }
        let last_seq_no = results
            .iter()
            .flatten()
            .filter(|outcome| outcome.result != WriteKind::Noop)
            .map(|outcome| outcome.seq_no)
            .max();
        let Some(last_seq_no) = last_seq_no else {
            return Ok(results);
        };
        let forced = match refresh {
            RefreshPolicy::None => false,
            RefreshPolicy::Immediate => {
                let worker = shard.clone();
                self.pools
                    .write
                    .run_on(move || worker.shard.refresh())
                    .await?
                    .map_err(admin_error)?;
                true
            }
            RefreshPolicy::WaitFor => self.wait_for_refresh(&shard, last_seq_no).await?,
        };
        if refresh != RefreshPolicy::None
            && let Err(failure) = self.show_everywhere(&shard, &group).await
        {
            // The write itself is done, on every copy that counts.
            tracing::warn!(index = %target.index, shard = target.shard, error = %failure, "not every copy shows the write yet");
        }
        if forced {
            for outcome in results.iter_mut().flatten() {
                outcome.forced_refresh = true;
            }
        }
        Ok(results)
    }

    async fn confirm(
        &self,
        target: &ShardTarget,
        operations: Vec<(i64, u64)>,
    ) -> Result<Vec<bool>, ShardError> {
        let shard = self.shard(target)?;
        let group = shard.group()?;
        let worker = shard.clone();
        let find = move || find_operations(&worker.shard, &operations);
        let (are_here, encoded) = self.pools.management.run(find).await??;
        if let Some(cluster) = self.cluster() {
            shard.check_serves(&group)?;
            let sent = primary::replicate(cluster, &shard, &group, &encoded, true).await;
            sent.map_err(|failure| failure.for_shard(&shard))?;
        }
        Ok(are_here)
    }

    async fn get(
        &self,
        target: &ShardTarget,
        op: GetOp,
    ) -> Result<Option<StoredDocument>, ShardError> {
        let shard = self.shard(target)?;
        if !op.realtime || self.cluster().is_none() {
            if !shard.is_recovered() {
                return Err(shard.not_primary("the copy is being recovered"));
            }
            return self.pools.get.run(move || get(&shard.shard, &op)).await?;
        }
        self.get_from_primary(shard, op).await
    }

    async fn refresh(&self, target: &ShardTarget) -> Result<(), ShardError> {
        let shard = self.shard(target)?;
        let role = shard.role();
        let worker = shard.clone();
        let done = self
            .pools
            .management
            .run(move || worker.shard.refresh())
            .await?;
        done.map_err(admin_error)?;
        match role {
            Role::Primary(group) => {
                let shown = self.show_everywhere(&shard, &group).await;
                shown.map_err(|failure| failure.for_shard(&shard))
            }
            // Its segments are its primary's, whose refresh waits for it; what was due was the mapping.
            Role::Replica(_) => Ok(()),
        }
    }

    async fn flush(
        &self,
        target: &ShardTarget,
        force: bool,
        wait_if_ongoing: bool,
    ) -> Result<(), ShardError> {
        let shard = self.shard(target)?;
        let done = self
            .pools
            .management
            .run(move || shard.shard.flush(force, wait_if_ongoing))
            .await?;
        done.map(|_| ()).map_err(admin_error)
    }

    async fn force_merge(
        &self,
        target: &ShardTarget,
        max_segments: Option<usize>,
        only_expunge_deletes: bool,
    ) -> Result<(), ShardError> {
        let shard = self.shard(target)?;
        let done = self
            .pools
            .force_merge
            .run(move || shard.shard.force_merge(max_segments, only_expunge_deletes))
            .await?;
        done.map_err(admin_error)
    }

    async fn clear_caches(
        &self,
        target: &ShardTarget,
        caches: CachesToClear,
    ) -> Result<(), ShardError> {
        let shard = self.shard(target)?;
        if let Some(patterns) = &caches.fielddata {
            shard.shard.drop_fielddata(&|path| {
                patterns.is_empty() || patterns.iter().any(|pattern| simple_match(pattern, path))
            });
        }
        if caches.filters {
            shard.shard.drop_filters();
        }
        Ok(())
    }

    async fn stats(&self, target: &ShardTarget) -> Result<ShardStats, ShardError> {
        let shard = self.shard(target)?;
        // the translog's lock may be held while the disk syncs
        self.pools
            .management
            .run(move || {
                let mut stats = shard.shard.stats();
                shard.searches.fill(&mut stats);
                stats
            })
            .await
    }

    async fn recovery(&self, target: &ShardTarget) -> Result<RecoverySummary, ShardError> {
        Ok(self.shard(target)?.recovery.summary())
    }

    async fn closed_stats(&self, target: &ShardTarget) -> Result<ShardStats, ShardError> {
        let (folders, path) = (self.folders.clone(), shard_path(target));
        let read = self
            .pools
            .management
            .run(move || {
                let folder = folders.open(&format!("{path}/index"));
                let folder = folder.map_err(|error| error.to_string())?;
                Shard::closed_stats(&*folder).map_err(|error| error.to_string())
            })
            .await?;
        read.map_err(ShardError::internal)
    }

    async fn segments(&self, target: &ShardTarget) -> Result<Vec<SegmentSummary>, ShardError> {
        Ok(self.shard(target)?.shard.segments())
    }
}

impl LocalShards {
    /// Does operations here and on all other copies.
    ///
    /// Once begun it goes on to its end, whether or not the asker waits: an operation that only some copies have would
    /// hold them all up.
    async fn write_to_all(
        &self,
        shard: &Arc<LocalShard>,
        group: &Arc<Group>,
        ops: Vec<WriteOp>,
    ) -> Result<Vec<Result<WriteOutcome, ShardError>>, ShardError> {
        let gone = || ShardError::internal("the node is shutting down");
        let shards = self.me.upgrade().ok_or_else(gone)?;
        let (shard, group) = (shard.clone(), group.clone());
        let work = async move {
            let done = shards.append_and_replicate(&shard, &group, ops).await;
            shards.pay_debts(&shard, &group);
            done
        };
        tokio::spawn(work).await.map_err(|_| gone())?
    }

    async fn append_and_replicate(
        &self,
        shard: &Arc<LocalShard>,
        group: &Arc<Group>,
        ops: Vec<WriteOp>,
    ) -> Result<Vec<Result<WriteOutcome, ShardError>>, ShardError> {
        let cluster = self
            .cluster()
            .ok_or_else(|| ShardError::internal("the node has left its cluster"))?;
        shard.check_serves(group)?;
        let ids: Vec<String> = ops.iter().map(|op| op.id().to_owned()).collect();
        let pending = group.begin(ids.clone());
        let mut done = match self.writes.append(shard, ops).await {
            Ok(done) => done,
            Err(refused @ ShardError::Rejected { .. }) => {
                // Nothing was done that anybody could have seen.
                pending.acknowledge();
                return Err(refused);
            }
            Err(failure) => return Err(failure),
        };
        let sync = shard.shard.schema().settings.durability == Durability::Request;
        // The members are asked for now: whoever was tracked before the last operation got its number has to have it.
        let sent = primary::replicate(cluster, shard, group, &done.operations, sync);
        let (synced, sent) = tokio::join!(self.writes.sync(shard, done.last), sent);
        synced?;
        let reached = match sent {
            Ok(reached) => reached,
            Err(ReplicationError::Deposed) => {
                return Err(ShardError::Unconfirmed {
                    outcomes: done.outcomes,
                });
            }
            Err(failure) => return Err(failure.for_shard(shard)),
        };
        for outcome in done.outcomes.iter_mut().flatten() {
            outcome.copies += reached.copies;
            outcome.failures.clone_from(&reached.failures);
        }
        primary::advance_global(shard, group);
        pending.acknowledge();
        // What was refused because of another write is only true if that one lasts.
        for (id, outcome) in std::iter::zip(&ids, &done.outcomes) {
            if rests_on_others(outcome) && settle(group, id).await.is_err() {
                return Err(ShardError::Unconfirmed {
                    outcomes: done.outcomes,
                });
            }
        }
        Ok(done.outcomes)
    }

    /// Has the searches of all copies show what this one shows.
    async fn show_everywhere(
        &self,
        shard: &LocalShard,
        group: &Group,
    ) -> Result<(), ReplicationError> {
        match self.cluster() {
            Some(cluster) if !group.is_alone() => publisher::publish(cluster, shard, group).await,
            _ => Ok(()),
        }
    }

    /// Reads a document as its last acknowledged write left it: no write that may be lost, none left out.
    async fn get_from_primary(
        &self,
        shard: Arc<LocalShard>,
        op: GetOp,
    ) -> Result<Option<StoredDocument>, ShardError> {
        let group = shard.group()?;
        let id = op.id.clone();
        // Another copy may have taken over, unless the masters promised not to let one.
        let check = || match self.cluster() {
            Some(cluster) if !group.is_alone() && !(cluster.is_leased)() => {
                Err(shard.not_primary("the node has lost touch with the cluster manager"))
            }
            Some(_) => shard.check_serves(&group),
            None => Ok(()),
        };
        check()?;
        let worker = shard.clone();
        let found = self
            .pools
            .get
            .run(move || get(&worker.shard, &op))
            .await??;
        let settled = settle(&group, &id).await;
        settled.map_err(|_| shard.not_primary("a write to the document has an unknown outcome"))?;
        // Also after reading: the process may have stood still in between.
        check()?;
        if let Some(cluster) = self.cluster()
            && group.is_moving()
        {
            // No promise holds against a move that the masters decided; the copy that takes over would say so.
            let asked = primary::replicate(cluster, &shard, &group, &[], false).await;
            asked.map_err(|_| shard.not_primary("the copy is being moved"))?;
        }
        Ok(found)
    }

    /// Waits until a search sees the operation. `true`: too many wait already, a refresh was made.
    async fn wait_for_refresh(
        &self,
        shard: &Arc<LocalShard>,
        seq_no: i64,
    ) -> Result<bool, ShardError> {
        let before = shard.waiters.fetch_add(1, Ordering::Relaxed);
        struct Waiter<'a>(&'a AtomicUsize);
        impl Drop for Waiter<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let _waiter = Waiter(&shard.waiters);
        if before >= REFRESH_WAITERS_MAX {
            let worker = shard.clone();
            self.pools
                .write
                .run_on(move || worker.shard.refresh())
                .await?
                .map_err(admin_error)?;
            return Ok(true);
        }
        let (done, waiting) = tokio::sync::oneshot::channel();
        shard.shard.on_refreshed(
            SeqNo(seq_no),
            Box::new(move || {
                // nobody may be waiting any more: the client went away
                let _ = done.send(());
            }),
        );
        // dropped unanswered: the shard was closed, its operations are in the translog
        let _ = waiting.await;
        Ok(false)
    }
}

/// Waits until all that was seen of a document is known to last.
async fn settle(group: &Group, id: &str) -> Result<(), Undecided> {
    let settled = tokio::time::timeout(SETTLED_WITHIN, group.settle(id)).await;
    settled.unwrap_or(Err(Undecided))
}

/// Whether an outcome rests on what other writes left, and is true only if those last.
pub(super) fn rests_on_others(outcome: &Result<WriteOutcome, ShardError>) -> bool {
    match outcome {
        Ok(outcome) => outcome.result == WriteKind::Noop,
        Err(ShardError::VersionConflict { .. } | ShardError::DocumentMissing { .. }) => true,
        Err(_) => false,
    }
}

/// Which of the operations (number, term) the shard has, and those, encoded.
fn find_operations(
    shard: &Shard,
    wanted: &[(i64, u64)],
) -> Result<(Vec<bool>, Vec<Bytes>), ShardError> {
    let Some(first) = wanted.iter().map(|(seq_no, _)| *seq_no).min() else {
        return Ok((Vec::new(), Vec::new()));
    };
    shard
        .sync_translog()
        .map_err(|error| ShardError::internal(error.to_string()))?;
    let history = shard
        .operations_from(SeqNo(first))
        .map_err(|error| ShardError::internal(error.to_string()))?;
    let history = history.ok_or_else(|| {
        ShardError::internal(format!("operations from [{first}] on are no longer kept"))
    })?;
    let names: BTreeSet<(i64, u64)> = wanted.iter().copied().collect();
    let mut encoded = Vec::new();
    let mut found = BTreeSet::new();
    for operation in history {
        let identity = (operation.seq_no.0, operation.primary_term.0);
        if names.contains(&identity) {
            encoded.push(Bytes::from(operation.encode()));
            found.insert(identity);
        }
    }
    let are_here = wanted.iter().map(|operation| found.contains(operation));
    Ok((are_here.collect(), encoded))
}

fn get(shard: &Shard, op: &GetOp) -> Result<Option<StoredDocument>, ShardError> {
    if op.refresh {
        shard.refresh().map_err(admin_error)?;
    }
    let options = GetOptions {
        realtime: op.realtime,
        stored_fields: !op.stored_fields.is_empty(),
    };
    let found = shard
        .get(&op.id, options)
        .map_err(|error| ShardError::internal(error.to_string()))?;
    let Some(found) = found else {
        return Ok(None);
    };
    let mut fields = Vec::new();
    for (path, values) in found.fields {
        if op.stored_fields.iter().any(|wanted| **wanted == *path) {
            let values = values.iter().map(stored_value).collect();
            fields.push((path.to_string(), values));
        }
    }
    Ok(Some(StoredDocument {
        id: found.id,
        routing: found.routing,
        version: found.version,
        seq_no: found.seq_no.0,
        primary_term: found.primary_term.0,
        source: found.source,
        fields,
    }))
}

fn stored_value(value: &StoredValue) -> Value {
    use base64::Engine;
    match value {
        StoredValue::I64(number) => Value::from(*number),
        StoredValue::U64(number) => Value::from(*number),
        StoredValue::F64(number) => Value::from(*number),
        StoredValue::Bool(flag) => Value::from(*flag),
        StoredValue::Str(text) => Value::from(text.as_str()),
        StoredValue::Bytes(bytes) => {
            Value::from(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
    }
}

/// The engine's refusal of a write, for coordination.
pub(super) fn write_error(error: WriteError) -> ShardError {
    match error {
        WriteError::VersionConflict { reason } => ShardError::VersionConflict { reason },
        WriteError::MappingUpdate(update) => ShardError::MappingUpdate(update),
        WriteError::Document(error) => document_error(error),
        WriteError::Invalid { reason } => ShardError::Other {
            status: 400,
            kind: "illegal_argument_exception".to_owned(),
            reason,
            caused_by: None,
        },
        WriteError::Failed { .. } | WriteError::Translog(_) => ShardError::Other {
            status: 503,
            kind: "unavailable_shards_exception".to_owned(),
            reason: format!("the shard failed and will be opened again: {error}"),
            caused_by: None,
        },
        WriteError::NotPrimary => ShardError::internal("a replica was asked to order writes"),
        WriteError::Closed => ShardError::Other {
            status: 503,
            kind: "alias_or_index_closed_exception".to_owned(),
            reason: "the shard is closed".to_owned(),
            caused_by: None,
        },
        other => ShardError::internal(other.to_string()),
    }
}

fn document_error(error: DocumentError) -> ShardError {
    ShardError::Other {
        status: 400,
        kind: error.kind.to_owned(),
        reason: error.reason,
        caused_by: error
            .caused_by
            .map(|cause| Box::new(document_error(*cause))),
    }
}

fn admin_error(error: shard::ShardError) -> ShardError {
    ShardError::internal(error.to_string())
}
