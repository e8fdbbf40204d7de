//! The shard's front door.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::inner::{Inner, Listener};
use super::{
    CopyRole, DeleteOp, GetOptions, GetResult, IndexOp, OpenShardError, SegmentSummary, ShardError,
    ShardParts, ShardReader, ShardStats, WriteError, WriteResult, maintain, recover, report,
    verify,
};
use crate::directory::Directory;
use crate::ids::{PrimaryTerm, SeqNo};
use crate::schema::IndexSchema;
use crate::segment::ReadError;
use crate::translog::{JournalError, Location, Operations};
use crate::writer::merge_scheduler::MergeGoal;

/// One copy of a shard. All methods take `&self`; searches through [`Shard::reader`] never wait for writers.
#[derive(Debug)]
pub struct Shard {
    pub(super) inner: Arc<Inner>,
}

impl Shard {
    /// Tells whether a folder (of segments and commit points) holds a shard.
    pub fn exists(directory: &dyn Directory) -> io::Result<bool> {
        recover::exists(directory)
    }

    /// Makes a shard or recovers one: the last commit point, then the translog. Everything acknowledged is there
    /// and searchable when this returns.
    pub fn open(parts: ShardParts) -> Result<Shard, OpenShardError> {
        let inner = Arc::new(recover::open(parts)?);
        Ok(Shard { inner })
    }

    /// Puts a document. Searchable after the next refresh, durable after [`Shard::ensure_synced`].
    pub fn index(&self, op: IndexOp) -> Result<WriteResult, WriteError> {
        self.inner.index(op)
    }

    /// Removes a document; one that does not exist is not an error.
    pub fn delete(&self, op: DeleteOp) -> Result<WriteResult, WriteError> {
        self.inner.delete(op)
    }

    /// Gives a number a primary used up without an operation its place.
    pub fn noop(
        &self,
        seq_no: SeqNo,
        primary_term: PrimaryTerm,
        reason: &str,
    ) -> Result<WriteResult, WriteError> {
        self.inner.noop(seq_no, primary_term, reason)
    }

    /// Returns when the operation at this place in the translog is on the device; one device sync serves all who
    /// wait. The first failure ends the shard's taking of writes.
    pub fn ensure_synced(&self, location: Location) -> Result<(), JournalError> {
        self.inner.ensure_synced(location)
    }

    /// Makes all operations so far durable.
    pub fn sync_translog(&self) -> Result<(), JournalError> {
        self.inner.sync_translog()
    }

    /// Operations of the translog, from the start of the oldest file kept: what another copy may catch up from.
    pub fn operations(&self) -> Result<Operations, JournalError> {
        self.inner.translog.operations(0)
    }

    /// Looks a document up by its `_id`.
    pub fn get(&self, id: &str, options: GetOptions) -> Result<Option<GetResult>, ReadError> {
        self.inner.get(id, options)
    }

    /// What a search sees: the state of the last refresh.
    pub fn reader(&self) -> Arc<ShardReader> {
        self.inner.visible.load().reader.clone()
    }

    /// Makes all operations so far searchable; true when that changed anything.
    pub fn refresh(&self) -> Result<bool, ShardError> {
        self.inner.refresh()
    }

    /// Calls back once everything up to `seq_no` is searchable: at a refresh to come, or at once when there is
    /// nothing to wait for. The callback runs on the thread that refreshes and must not block. It is dropped
    /// uncalled when the shard is closed or fails.
    pub fn on_refreshed(&self, seq_no: SeqNo, callback: Box<dyn FnOnce() + Send>) {
        let call = {
            let mut listeners = self.inner.listeners.lock();
            let view = self.inner.view.load();
            let seen = view.reader.generation == self.inner.visible.load().reader.generation;
            if seen && seq_no <= self.inner.shown_to() {
                callback
            } else if self.inner.check().is_err() {
                return;
            } else {
                let call = callback;
                listeners.push(Listener { seq_no, call });
                return;
            }
        };
        call();
    }

    /// Whether there are operations that no search sees yet.
    pub fn needs_refresh(&self) -> bool {
        self.inner.needs_refresh()
    }

    /// Makes all operations so far part of a commit point and trims the translog. Without `force` nothing is done
    /// when nothing changed; without `wait`, false is returned when a flush is under way already.
    pub fn flush(&self, force: bool, wait: bool) -> Result<bool, ShardError> {
        self.inner.flush(force, wait)
    }

    /// Merges, on a primary, down to `max_segments`, or, with neither given, whatever the policy finds;
    /// `only_expunge_deletes`: only segments with many dead documents. Waits until it is done.
    pub fn force_merge(
        &self,
        max_segments: Option<usize>,
        only_expunge_deletes: bool,
    ) -> Result<(), ShardError> {
        self.inner.check()?;
        if self.inner.role.get() != CopyRole::Primary {
            return Ok(());
        }
        self.inner.freeze_buffers()?;
        let goal = match (max_segments, only_expunge_deletes) {
            (_, true) => MergeGoal::Expunge,
            (Some(count), false) => MergeGoal::MaxSegments(count),
            (None, false) => MergeGoal::Policy,
        };
        self.inner.merge_to(goal)?;
        // Merging changes nothing that a search finds; let searches profit.
        self.inner.refresh().map(|_| ())
    }

    /// Replaces mapping and settings for all operations to come; searches see them after the next refresh.
    pub fn update_schema(&self, schema: Arc<IndexSchema>) {
        self.inner.update_schema(schema);
    }

    /// The schema in force.
    pub fn schema(&self) -> Arc<IndexSchema> {
        self.inner.schema.load_full()
    }

    /// Counts an update that changed nothing, and so wrote nothing.
    pub fn note_noop_update(&self) {
        self.inner.counters.noops.fetch_add(1, Ordering::Relaxed);
    }

    /// Does what is due: refresh, translog sync, merges, clean-up. Call it often, about every 100 ms, from a thread
    /// that may block.
    pub fn maintain(&self) -> Result<(), ShardError> {
        maintain::maintain(&self.inner)
    }

    /// Flushes when it is time to. Call it as often, from another thread: a flush may take long, and no refresh shall
    /// wait for it.
    pub fn flush_if_due(&self) -> Result<(), ShardError> {
        maintain::flush_if_due(&self.inner)
    }

    /// Counters.
    pub fn stats(&self) -> ShardStats {
        report::stats(&self.inner)
    }

    /// Forgets the fielddata of the fields that are chosen by their path.
    pub fn drop_fielddata(&self, is_chosen: &dyn Fn(&str) -> bool) {
        for entry in &self.inner.view.load().segments {
            entry.reader.drop_fielddata(is_chosen);
        }
    }

    /// Empties the filter cache of the shard's segments.
    pub fn drop_filters(&self) {
        for entry in &self.inner.view.load().segments {
            entry.reader.drop_filters();
        }
    }

    /// What a shard that is not open holds, by its last commit point: documents, segments and bytes on disk.
    pub fn closed_stats(directory: &dyn Directory) -> Result<ShardStats, OpenShardError> {
        report::closed(directory)
    }

    /// All segments, oldest first.
    pub fn segments(&self) -> Vec<SegmentSummary> {
        report::segments(&self.inner)
    }

    /// Checks every byte of every file that the last commit point needs, the translog, and the segments in memory.
    pub fn verify(&self) -> Result<(), ShardError> {
        verify::verify(&self.inner)
    }

    /// Why the shard takes no more writes, if so. A failed shard must be opened anew.
    pub fn failure(&self) -> Option<String> {
        self.inner.failure()
    }

    /// The reign in force.
    pub fn primary_term(&self) -> PrimaryTerm {
        self.inner.term()
    }

    /// Identity of this copy's data.
    pub fn allocation_id(&self) -> &str {
        &self.inner.allocation_id
    }

    /// Identity of the history of operations; a new one means that operations may have been lost.
    pub fn history_uuid(&self) -> String {
        self.inner.history_uuid()
    }

    /// Highest operation number given out, or -1.
    pub fn max_seq_no(&self) -> SeqNo {
        self.inner.checkpoints.max()
    }

    /// Every operation up to this one is durable here.
    pub fn local_checkpoint(&self) -> SeqNo {
        self.inner.checkpoints.persisted()
    }

    /// Takes note of what every in-sync copy has; never beyond what is durable here.
    pub fn advance_global_checkpoint(&self, seq_no: SeqNo) {
        self.inner.checkpoints.advance_global(seq_no);
    }

    /// Has a running merge end soon, and no other begin. For a shard that is about to be closed.
    pub fn cancel_merges(&self) {
        self.inner.merge_cancel.store(true, Ordering::SeqCst);
    }

    /// Flushes, and takes no more operations. A failed shard is only closed.
    pub fn close(&self) -> Result<(), ShardError> {
        self.inner.close()
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.inner.merge_cancel.store(true, Ordering::SeqCst);
    }
}
