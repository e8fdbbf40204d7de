//! A replica and the operations of its primary: taking them, doubting them when another reign begins, and how a primary
//! becomes a replica.
//!
//! A replica *follows* a reign: what it counts as its own, the reign's primary has, or will send. It may have *seen* a later
//! one, and refuses what is older than that; but until it followed it, what it has beyond the global checkpoint may be of
//! its own. So the first call under a later reign rolls back first, durably: such operations count no more, and the primary
//! sends what it has in their places. Until it did they stay in the translog, see [`Mark`]: a copy that becomes the primary
//! before would else have lost what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::{MutexGuard, RwLockWriteGuard};

use super::commit::Commit;
use super::inner::{Flushing, Inner, Publishing, Reach, SegmentEntry, Slot, View};
use super::install::Staging;
use super::recover::open_segment;
use super::role::CopyRole;
use super::versions::{Stamp, Tombstone};
use super::{ShardError, WriteError};
use crate::buffer::Buffer;
use crate::ids::{PrimaryTerm, SeqNo};
use crate::translog::{JournalError, Location, Mark, Operation, OperationKind};

/// Whom a replica follows, and how far.
#[derive(Debug)]
pub(crate) struct Following {
    /// The reign whose history this is.
    pub followed: PrimaryTerm,
    /// The segments hold operations beyond this one that were rolled back.
    pub needs_segments: Option<SeqNo>,
    /// The global checkpoint that the translog has.
    pub noted_global: SeqNo,
}

/// How a roll back ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollBack {
    /// Nothing of what was rolled back is left.
    Done,
    /// The segments, those of the last commit point too, still show some of it: a list of the new primary must be
    /// installed before this copy can be promoted or flushed.
    NeedsSegments,
}

impl Following {
    fn state(&self) -> RollBack {
        match self.needs_segments {
            None => RollBack::Done,
            Some(_) => RollBack::NeedsSegments,
        }
    }
}

impl Inner {
    /// See [`Shard::append_replicated`](super::Shard::append_replicated).
    pub fn append_replicated(
        &self,
        term: PrimaryTerm,
        operations: &[Operation],
        global_checkpoint: SeqNo,
    ) -> Result<Option<Location>, WriteError> {
        loop {
            let following = self.following.lock();
            self.check_follows(term)?;
            if term <= following.followed {
                return self.append_following(following, term, operations, global_checkpoint);
            }
            drop(following);
            self.roll_back(term, SeqNo::NONE)?;
        }
    }

    fn check_follows(&self, term: PrimaryTerm) -> Result<(), ShardError> {
        self.check()?;
        if self.role.get() != CopyRole::Replica {
            return Err(ShardError::NotReplica);
        }
        let current = self.term();
        if term < current {
            return Err(ShardError::StaleTerm {
                found: term.0,
                current: current.0,
            });
        }
        Ok(())
    }

    fn append_following(
        &self,
        mut following: MutexGuard<'_, Following>,
        term: PrimaryTerm,
        operations: &[Operation],
        global_checkpoint: SeqNo,
    ) -> Result<Option<Location>, WriteError> {
        let _gate = self.gate.read();
        self.check_writable()?;
        let mut last = None;
        let mut all_durable = true;
        for operation in operations {
            let (seq_no, found) = (operation.seq_no, operation.primary_term);
            if found > term || !seq_no.is_operation() {
                return Err(WriteError::Invalid {
                    reason: format!(
                        "operation [{}] of primary term [{}] cannot come from primary term [{}]",
                        seq_no.0, found.0, term.0
                    ),
                });
            }
            if self.checkpoints.is_processed(seq_no) {
                all_durable &= self.checkpoints.is_persisted(seq_no);
                continue;
            }
            last = Some(self.append(operation)?);
            self.checkpoints.advance_max(seq_no);
            self.remember_delete(operation);
            self.checkpoints.mark_processed(seq_no);
        }
        if last.is_some() {
            let now = self.clock.now_ms();
            self.last_write_ms.store(now, Ordering::Relaxed);
        } else if !all_durable {
            last = self.translog.last_unsynced();
        }
        self.checkpoints.advance_global(global_checkpoint);
        self.note_global(&mut following)
            .map_err(|error| self.refused(error))?;
        Ok(last)
    }

    /// A delete that segments will not show must keep the document's version.
    pub(super) fn remember_delete(&self, operation: &Operation) {
        let stamp = Stamp {
            seq_no: operation.seq_no,
            primary_term: operation.primary_term,
            version: operation.version,
        };
        match &operation.kind {
            OperationKind::Index { id, .. } => self.versions.note_index(id, stamp),
            OperationKind::Delete { id } => {
                let at_ms = self.clock.now_ms();
                self.versions.note_delete(id, Tombstone { stamp, at_ms });
            }
            OperationKind::NoOp { .. } => {}
        }
    }

    /// Has the translog keep the global checkpoint; with the next sync it is durable.
    fn note_global(&self, following: &mut Following) -> Result<(), JournalError> {
        let global_checkpoint = self.checkpoints.global();
        if global_checkpoint > following.noted_global {
            self.translog.note(Mark {
                sure_to: Mark::ALL,
                primary_term: following.followed,
                global_checkpoint,
            })?;
            following.noted_global = global_checkpoint;
        }
        Ok(())
    }

    /// Has the translog of a copy that is not alone keep what is known of the others.
    pub fn note_progress(&self) -> Result<(), JournalError> {
        if self.role.get() == CopyRole::Primary && self.alone.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut following = self.following.lock();
        let noted = self.note_global(&mut following);
        noted.inspect_err(|error| self.fail(error))
    }

    /// See [`Shard::roll_back`](super::Shard::roll_back).
    pub fn roll_back(&self, term: PrimaryTerm, to: SeqNo) -> Result<RollBack, ShardError> {
        let staging = self.staging.lock();
        self.roll_back_holding(&staging, term, to)
    }

    pub(super) fn roll_back_holding(
        &self,
        _staging: &MutexGuard<'_, Staging>,
        term: PrimaryTerm,
        to: SeqNo,
    ) -> Result<RollBack, ShardError> {
        let flushing = self.flushing.lock();
        let mut publishing = self.publishing.lock();
        let mut following = self.following.lock();
        let gate = self.gate.write();
        self.check_follows(term)?;
        if term <= following.followed {
            return Ok(following.state());
        }
        let _half_done = self.fail_on_panic("a roll back");
        // What every in-sync copy has, the new primary has.
        let to = to.max(self.checkpoints.global());
        let doubts = self.checkpoints.max() > to;
        let mark = Mark {
            sure_to: if doubts { to } else { Mark::ALL },
            primary_term: term,
            global_checkpoint: self.checkpoints.global(),
        };
        self.doubt(mark).inspect_err(|error| self.fail(error))?;
        self.primary_term.fetch_max(term.0, Ordering::SeqCst);
        following.followed = term;
        following.noted_global = mark.global_checkpoint;
        if doubts {
            self.discount_beyond(to, &flushing.commit, &publishing, &gate)
                .inspect_err(|error| self.fail(error))?;
            if self.view.load().reach.max_seq_no > to {
                if flushing.commit.max_seq_no <= to {
                    self.return_to_commit(&flushing, &mut publishing)
                        .inspect_err(|error| self.fail(error))?;
                } else {
                    let before = following.needs_segments.unwrap_or(to);
                    following.needs_segments = Some(before.min(to));
                }
            }
            tracing::info!(
                allocation_id = self.allocation_id,
                primary_term = term.0,
                to = to.0,
                outcome = ?following.state(),
                "rolled back what another primary may not have"
            );
        }
        Ok(following.state())
    }

    /// Makes a mark durable.
    fn doubt(&self, mark: Mark) -> Result<(), JournalError> {
        if mark.sure_to != Mark::ALL {
            return self.translog.doubt(mark);
        }
        let location = self.translog.note(mark)?;
        self.translog.sync(location)
    }

    /// Counts the operations no more that a mark just made doubtful.
    fn discount_beyond(
        &self,
        to: SeqNo,
        commit: &Commit,
        publishing: &Publishing,
        _gate: &RwLockWriteGuard<'_, ()>,
    ) -> Result<(), JournalError> {
        // All of them are synced. Whoever waits for that finds them noted here, and not once more later.
        self.note_durable();
        self.checkpoints.roll_back(to);
        // A delete that a doubtful operation hid is remembered again.
        self.versions.forget_deletes_beyond(SeqNo::NONE);
        for (id, tombstone) in &commit.tombstones {
            if tombstone.stamp.seq_no <= to {
                self.versions.restore(id, *tombstone);
            }
        }
        let lacks_from = SeqNo(commit.local_checkpoint.0 + 1);
        let history = self
            .translog
            .history_from(lacks_from, publishing.segments_term)?;
        for operation in history.sure() {
            self.remember_delete(&operation);
        }
        Ok(())
    }

    /// Goes back to what the last commit point has. Searches go on with what they see until the next list comes: most of
    /// it is right, and much of it may be missing in a commit point.
    fn return_to_commit(
        &self,
        flushing: &Flushing,
        publishing: &mut Publishing,
    ) -> Result<(), ShardError> {
        let (commit, view) = (&flushing.commit, self.view.load_full());
        let mut segments = Vec::new();
        for committed in &commit.segments {
            let mut known = view.segments.iter();
            if let Some(entry) = known.find(|entry| entry.is_committed_as(committed)) {
                segments.push(entry.clone());
                continue;
            }
            let opened = open_segment(&*self.directory, publishing.next_key, committed);
            publishing.next_key += 1;
            segments.push(opened?);
        }
        publishing.segments_term = commit.segments_term;
        let reach = Reach {
            max_seq_no: commit.max_seq_no,
            local_checkpoint: commit.local_checkpoint,
        };
        let view = self.replace_view(publishing, segments, reach);
        self.view.store(view);
        Ok(())
    }

    /// Lets operations and searches see other segments.
    pub(super) fn show(
        &self,
        publishing: &mut Publishing,
        segments: Vec<SegmentEntry>,
        reach: Reach,
    ) {
        let view = self.replace_view(publishing, segments, reach);
        self.visible.store(view.clone());
        self.view.store(view);
    }

    /// A view of other segments. Files that these need are taken out of the graveyard, those of the others go there, and
    /// stay until nobody reads them.
    fn replace_view(
        &self,
        publishing: &mut Publishing,
        segments: Vec<SegmentEntry>,
        reach: Reach,
    ) -> Arc<View> {
        let before = self.view.load_full();
        let is_gone = |entry: &&SegmentEntry| {
            let id = entry.reader.id();
            !segments.iter().any(|kept| kept.reader.id() == id)
        };
        let gone: Vec<_> = before.segments.iter().filter(is_gone).cloned().collect();
        self.unbury(&segments);
        self.bury_segments(&gone);
        publishing.generation += 1;
        let schema = self.schema.load_full();
        Arc::new(View::new(
            segments,
            schema,
            publishing.generation,
            reach,
            &self.filters,
        ))
    }

    /// See [`Shard::demote`](super::Shard::demote).
    pub fn demote(&self, term: PrimaryTerm) -> Result<(), ShardError> {
        self.merge_cancel.store(true, Ordering::SeqCst);
        let merging = self.merging.lock();
        let outcome = self.demote_now(term);
        // A shard that is about to go keeps its merges cancelled.
        if self.check().is_ok() {
            self.merge_cancel.store(false, Ordering::SeqCst);
        }
        drop(merging);
        outcome
    }

    fn demote_now(&self, term: PrimaryTerm) -> Result<(), ShardError> {
        let _staging = self.staging.lock();
        let _flushing = self.flushing.lock();
        let mut publishing = self.publishing.lock();
        let mut following = self.following.lock();
        let _gate = self.gate.write();
        self.check()?;
        let current = self.primary_term.fetch_max(term.0, Ordering::SeqCst);
        if term.0 < current {
            return Err(ShardError::StaleTerm {
                found: term.0,
                current,
            });
        }
        if self.role.get() != CopyRole::Primary {
            return Ok(());
        }
        let _half_done = self.fail_on_panic("a demotion");
        self.role.set(CopyRole::Replica);
        following.followed = PrimaryTerm(current);
        following.needs_segments = None;
        following.noted_global = SeqNo::NONE;
        publishing.segments_term = PrimaryTerm(current);
        // What the buffers have, the translog has too.
        for slot in &self.buffers {
            let key = publishing.next_key;
            publishing.next_key += 1;
            *slot.lock() = Slot {
                key,
                buffer: Buffer::new(),
            };
        }
        self.pending_deletes.lock().clear();
        self.versions.rotate();
        self.versions.drop_old();
        self.unrefreshed.store(0, Ordering::SeqCst);
        self.visible.store(self.view.load_full());
        Ok(())
    }
}
