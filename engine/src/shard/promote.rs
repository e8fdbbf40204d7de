//! How a replica becomes the primary: what its translog has beyond its segments is done, in order of the numbers, and
//! numbers that no operation has are filled.

use std::sync::atomic::Ordering;

use super::inner::Inner;
use super::recover::replay_one;
use super::role::CopyRole;
use super::{OpenShardError, ShardError};
use crate::ids::{PrimaryTerm, SeqNo};
use crate::translog::Mark;

impl Inner {
    /// See [`Shard::promote`](super::Shard::promote).
    pub fn promote(&self, term: PrimaryTerm) -> Result<(), ShardError> {
        // Nothing is installed, rolled back or flushed meanwhile.
        let _staging = self.staging.lock();
        let _flushing = self.flushing.lock();
        if !self.begin_promotion(term)? {
            return Ok(());
        }
        let _half_done = self.fail_on_panic("a promotion");
        // A copy that stopped half way has documents twice, or not at all, and must be opened anew.
        let caught_up = self.catch_up(term);
        let promoted = caught_up.inspect_err(|error| self.fail(error))?;
        {
            let _publishing = self.publishing.lock();
            let _gate = self.gate.write();
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
            kept_to: Mark::ALL,
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

    /// Does what the segments lack; answers how many operations that were.
    fn catch_up(&self, term: PrimaryTerm) -> Result<usize, OpenShardError> {
        let searchable = self.view.load().reach.local_checkpoint;
        // The deletes among them are done again, each in its place.
        self.versions.forget_deletes_beyond(searchable);
        self.checkpoints.reprocess_from(searchable);
        let history = self.translog.history_from(SeqNo(searchable.0 + 1))?;
        let count = history.len();
        for operation in history {
            replay_one(self, operation)?;
        }
        self.fill_gaps(term)?;
        self.translog.sync_all()?;
        Ok(count)
    }
}
