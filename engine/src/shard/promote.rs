//! How a replica becomes the primary: what its translog has beyond its segments is done, in order of the numbers, and
//! numbers that no operation has are filled.

use std::sync::atomic::Ordering;

use super::ShardError;
use super::inner::Inner;
use super::recover::replay_one;
use super::role::CopyRole;
use crate::ids::{PrimaryTerm, SeqNo};
use crate::segment::ReadError;
use crate::translog::Mark;

impl Inner {
    /// See [`Shard::promote`](super::Shard::promote).
    pub fn promote(&self, term: PrimaryTerm) -> Result<(), ShardError> {
        // Nothing is installed, rolled back or flushed meanwhile.
        let mut staging = self.staging.lock();
        let _flushing = self.flushing.lock();
        if !self.begin_promotion(term)? {
            return Ok(());
        }
        let _half_done = self.fail_on_panic("a promotion");
        self.discard_all(&mut staging);
        // A copy that stopped half way has documents twice, or not at all, and must be opened anew.
        let caught_up = self.catch_up(term);
        let promoted = caught_up.inspect_err(|error| self.fail(error))?;
        {
            let _publishing = self.publishing.lock();
            let _gate = self.gate.write();
            // Whoever gets a list of this reign finds in it all that this copy had when the reign began.
            self.visible.store(self.view.load_full());
            self.role.set(CopyRole::Primary);
        }
        self.note_durable();
        self.refresh()?;
        tracing::info!(
            allocation_id = self.allocation_id,
            primary_term = term.0,
            operations = promoted,
            max_seq_no = self.checkpoints.max().0,
            "a replica became the primary"
        );
        Ok(())
    }

    /// Stops the taking of operations from another primary; false when there is nothing to do.
    fn begin_promotion(&self, term: PrimaryTerm) -> Result<bool, ShardError> {
        let mut following = self.following.lock();
        let _gate = self.gate.write();
        self.check()?;
        let current = self.term();
        if term < current {
            return Err(ShardError::StaleTerm {
                found: term.0,
                current: current.0,
            });
        }
        match self.role.get() {
            CopyRole::Primary if term == current => return Ok(false),
            CopyRole::Replica => {}
            CopyRole::Primary | CopyRole::Promoting => return Err(ShardError::NotReplica),
        }
        if following.needs_segments.is_some() {
            return Err(ShardError::NeedsSegments);
        }
        let mark = Mark {
            sure_to: Mark::ALL,
            primary_term: term,
            global_checkpoint: self.checkpoints.global(),
        };
        let marked = self.translog.note(mark);
        let marked = marked.and_then(|location| self.translog.sync(location));
        marked.inspect_err(|error| self.fail(error))?;
        self.note_durable();
        self.primary_term.fetch_max(term.0, Ordering::SeqCst);
        following.followed = term;
        self.role.set(CopyRole::Promoting);
        Ok(true)
    }

    /// Operations come to a replica in any order, so it may remember a delete of a document that is there again.
    fn forget_undone_deletes(&self) -> Result<(), ReadError> {
        let view = self.view.load_full();
        let stands = |id: &str| Ok(view.find(id)?.is_none());
        self.versions.retain_deletes(stands)
    }

    /// Does what the segments lack; answers how many operations that were.
    fn catch_up(&self, term: PrimaryTerm) -> Result<usize, ShardError> {
        let searchable = self.view.load().reach.local_checkpoint;
        // The deletes among them are done again, each in its place.
        self.versions.forget_deletes_beyond(searchable);
        self.forget_undone_deletes()?;
        self.checkpoints.reprocess_from(searchable);
        let settled = self.publishing.lock().segments_term;
        let lacks_from = SeqNo(searchable.0 + 1);
        let history = self.translog.history_from(lacks_from, settled)?;
        let count = history.len();
        for operation in history {
            replay_one(self, operation)?;
        }
        self.fill_gaps(term)?;
        self.translog.sync_all()?;
        self.freeze_buffers()?;
        Ok(count)
    }
}
