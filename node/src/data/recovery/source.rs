//! The primary's side of a recovery, and of a replica that follows: what it keeps for others while they copy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use quidditch_engine::ids::SeqNo;
use quidditch_engine::shard::Shipment as Kept;
use quidditch_engine::translog::History;
use tracing::info;

use crate::data::local::{LocalShard, LocalShards};
use crate::data::replication::peers::{
    FinishRecovery, Finished, OpenShipment, OperationBatch, PeerError, READ_BYTES_MAX, ReadFile,
    RecoveryPlan, Shipment, StartRecovery,
};
use crate::data::replication::{Group, primary};

/// A session that nobody uses for so long ends.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Sessions of a node at one time.
const SESSIONS_MAX: usize = 1000;
/// Bytes of operations sent at once; one operation may be longer.
const BATCH_BYTES: usize = 1 << 20;
/// The state that gave the target its copy is here within this time.
const STATE_WITHIN: Duration = Duration::from_secs(10);

/// What a node keeps for copies on other nodes.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<BTreeMap<u64, Arc<Session>>>,
    next: AtomicU64,
}

struct Session {
    shard: Arc<LocalShard>,
    kept: Kept,
    /// The recovery that it serves, if it is one.
    recovery: Option<Recovering>,
    used: Mutex<Duration>,
}

struct Recovering {
    group: Arc<Group>,
    target: String,
    /// The first operation that is not in the segments.
    from: SeqNo,
    operations: Mutex<Cursor>,
}

/// Where reading the translog stands.
struct Cursor {
    from: SeqNo,
    reading: Option<History>,
}

impl Sessions {
    fn put(&self, session: Session) -> Result<u64, PeerError> {
        let mut open = self.open.lock();
        if open.len() >= SESSIONS_MAX {
            return Err(PeerError::Failed(format!(
                "{SESSIONS_MAX} copies are being made from this node already"
            )));
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        open.insert(id, Arc::new(session));
        Ok(id)
    }

    fn get(&self, id: u64, now: Duration) -> Result<Arc<Session>, PeerError> {
        let session = self.open.lock().get(&id).cloned();
        let session = session.ok_or(PeerError::NoSession)?;
        *session.used.lock() = now;
        Ok(session)
    }

    /// Ends a session.
    pub fn close(&self, id: u64) {
        let session = self.open.lock().remove(&id);
        if let Some(session) = session {
            self.retain(&session.shard);
        }
    }

    /// Whether a copy recovers.
    fn serves(&self, target: &str) -> bool {
        let open = self.open.lock();
        let mut recoveries = open
            .values()
            .filter_map(|session| session.recovery.as_ref());
        recoveries.any(|recovery| recovery.target == target)
    }

    /// Has a shard's translog keep what its recoveries have still to read.
    fn retain(&self, shard: &Arc<LocalShard>) {
        let open = self.open.lock();
        let of_shard = open
            .values()
            .filter(|session| Arc::ptr_eq(&session.shard, shard));
        let needed = of_shard
            .filter_map(|session| Some(session.recovery.as_ref()?.from))
            .min();
        shard.shard.retain_from(needed.unwrap_or(SeqNo(i64::MAX)));
    }

    /// Ends those that nobody uses, and those of a shard that is closed.
    pub fn expire(&self, now: Duration, is_open: impl Fn(&Arc<LocalShard>) -> bool) {
        let mut ended = Vec::new();
        self.open.lock().retain(|_, session| {
            let idle = now.saturating_sub(*session.used.lock());
            let stays = idle < IDLE_MAX && is_open(&session.shard);
            if !stays {
                ended.push(session.clone());
            }
            stays
        });
        for session in ended {
            self.retain(&session.shard);
            // a target that is only tracked and went away is not waited for any more; one that began anew is there
            if let Some(recovery) = &session.recovery
                && !self.serves(&recovery.target)
            {
                recovery.group.forget_unless_required(&recovery.target);
            }
        }
    }
}

impl LocalShards {
    /// Ends the sessions that nobody uses any more.
    pub(in crate::data) fn expire_sessions(&self) {
        self.sessions
            .expire(self.clock.monotonic(), |shard| self.is_open(shard));
    }

    fn primary_copy(
        &self,
        id: &crate::data::replication::CopyId,
    ) -> Result<(Arc<LocalShard>, Arc<Group>), PeerError> {
        let shard = self.copy(id)?;
        let group = shard.role().group().cloned();
        let group = group.ok_or_else(|| PeerError::NoCopy("it is not the primary".to_owned()))?;
        Ok((shard, group))
    }

    /// Shows what the primary shows now, unless the asker has it.
    pub async fn on_open_shipment(&self, ask: OpenShipment) -> Result<Shipment, PeerError> {
        let (shard, group) = self.primary_copy(&ask.to)?;
        if ask.primary_term > group.primary_term() {
            return Err(PeerError::NoCopy(
                "it has not heard of that term".to_owned(),
            ));
        }
        let generation = shard.shard.reader().generation;
        if ask.has == Some((group.primary_term(), generation)) {
            return Ok(Shipment::Same);
        }
        let kept = shard.shard.shipment();
        let list = kept.list().clone();
        let session = self.sessions.put(Session {
            shard,
            kept,
            recovery: None,
            used: Mutex::new(self.clock.monotonic()),
        })?;
        Ok(Shipment::List {
            session,
            list: Box::new(list),
        })
    }

    /// Reads a part of a file that a session keeps.
    pub async fn on_read_file(&self, ask: ReadFile) -> Result<Bytes, PeerError> {
        let session = self.sessions.get(ask.session, self.clock.monotonic())?;
        let len = ask.len.min(READ_BYTES_MAX) as usize;
        let read = move || session.kept.read(&ask.file, ask.offset, len);
        let read = self.pools.recovery.run_on(read).await.map_err(failed)?;
        read.map_err(failed)
    }

    /// Begins a recovery of another copy of a shard whose primary is here.
    pub async fn on_start_recovery(&self, ask: StartRecovery) -> Result<RecoveryPlan, PeerError> {
        self.wait_for_state(ask.state_version, STATE_WITHIN).await?;
        let (shard, group) = self.primary_copy(&ask.to)?;
        let worker = shard.clone();
        let ask_target = ask.target.clone();
        let now = self.clock.monotonic();
        let plan = move || plan(worker, group, ask, now);
        let planned = self.pools.recovery.run_on(plan).await.map_err(failed)?;
        let (mut plan, session) = planned?;
        if let (RecoveryPlan::Copy { session: id, .. }, Some(session)) = (&mut plan, session) {
            let (group, target) = (session.group(), ask_target);
            *id = self.sessions.put(session).inspect_err(|_| {
                // Nobody would ever forget it otherwise.
                if let Some(group) = group {
                    group.forget_unless_required(&target);
                }
            })?;
            self.sessions.retain(&shard);
            info!(index = %shard.target.index, shard = shard.target.shard, session = *id, "another copy begins to recover from here");
        }
        Ok(plan)
    }

    /// Lets go of a session.
    pub fn on_close_session(&self, session: u64) {
        self.sessions.close(session);
    }

    /// The next operations of a recovery.
    pub async fn on_next_operations(&self, session: u64) -> Result<OperationBatch, PeerError> {
        let session = self.sessions.get(session, self.clock.monotonic())?;
        if let Some(recovery) = &session.recovery {
            // The target waits for it, and perhaps nobody writes.
            primary::advance_global(&session.shard, &recovery.group);
        }
        let read = move || session.next_operations();
        self.pools.recovery.run_on(read).await.map_err(failed)?
    }

    /// Ends a recovery, if the target has everything.
    pub async fn on_finish_recovery(&self, ask: FinishRecovery) -> Result<Finished, PeerError> {
        let session = self.sessions.get(ask.session, self.clock.monotonic())?;
        let recovery = session.recovery.as_ref().ok_or(PeerError::NoSession)?;
        let required = recovery
            .group
            .require(&recovery.target, ask.progress.persisted);
        match required {
            // It failed to take an operation meanwhile: from the beginning.
            None => Err(PeerError::NoSession),
            Some(false) => Ok(Finished::NotYet),
            Some(true) => {
                primary::advance_global(&session.shard, &recovery.group);
                self.sessions.close(ask.session);
                Ok(Finished::InSync)
            }
        }
    }
}

fn failed(error: impl std::fmt::Display) -> PeerError {
    PeerError::Failed(error.to_string())
}

/// Begins to track the target, and keeps what it needs.
fn plan(
    shard: Arc<LocalShard>,
    group: Arc<Group>,
    ask: StartRecovery,
    now: Duration,
) -> Result<(RecoveryPlan, Option<Session>), PeerError> {
    let engine = &shard.shard;
    if ask
        .history_uuid
        .is_some_and(|held| held != engine.history_uuid())
    {
        return Ok((RecoveryPlan::StartOver, None));
    }
    // From here on its translog is not only for itself.
    let set_alone = |alone| engine.set_alone(alone);
    let max_seq_no = || engine.max_seq_no().0;
    group.track(&ask.target, &ask.node, set_alone, max_seq_no);
    let kept = engine.shipment();
    let list = kept.list().clone();
    let from = SeqNo(list.searchable_checkpoint.0 + 1);
    let plan = RecoveryPlan::Copy {
        session: 0,
        global_checkpoint: engine.global_checkpoint().0,
        list: Box::new(list),
    };
    let session = Session {
        kept,
        recovery: Some(Recovering {
            group,
            target: ask.target,
            from,
            operations: Mutex::new(Cursor {
                from,
                reading: None,
            }),
        }),
        used: Mutex::new(now),
        shard: shard.clone(),
    };
    Ok((plan, Some(session)))
}

impl Session {
    /// The book in which the target of a recovery is.
    fn group(&self) -> Option<Arc<Group>> {
        Some(self.recovery.as_ref()?.group.clone())
    }

    fn next_operations(&self) -> Result<OperationBatch, PeerError> {
        let recovery = self.recovery.as_ref().ok_or(PeerError::NoSession)?;
        let engine = &self.shard.shard;
        let mut cursor = recovery.operations.lock();
        if cursor.reading.is_none() {
            let reading = engine.operations_from(cursor.from).map_err(failed)?;
            cursor.reading = Some(reading.ok_or(PeerError::NoSession)?);
        }
        let mut operations = Vec::new();
        let mut bytes = 0;
        let mut is_last = true;
        while let Some(operation) = cursor.reading.as_mut().and_then(Iterator::next) {
            cursor.from = SeqNo(operation.seq_no.0 + 1);
            let encoded = Bytes::from(operation.encode());
            bytes += encoded.len();
            operations.push(encoded);
            if bytes >= BATCH_BYTES {
                is_last = false;
                break;
            }
        }
        if is_last {
            // asked again, it reads what has come since
            cursor.reading = None;
        }
        Ok(OperationBatch {
            operations,
            is_last,
            global_checkpoint: engine.global_checkpoint().0,
        })
    }
}
