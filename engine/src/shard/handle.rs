//! The shard's front door.
#![allow(clippy::todo)]

use std::sync::Arc;

use super::{
    DeleteOp, GetOptions, GetResult, IndexOp, OpenShardError, SegmentSummary, ShardError,
    ShardParts, ShardReader, ShardStats, WriteError, WriteResult,
};
use crate::ids::{PrimaryTerm, SeqNo};
use crate::schema::IndexSchema;
use crate::segment::ReadError;
use crate::translog::{JournalError, Location};

/// One copy of a shard. All methods take `&self`; searches through [`Shard::reader`] never wait for writers.
#[derive(Debug)]
pub struct Shard {}

impl Shard {
    /// Makes a shard or recovers one: the last commit point, then the translog. Everything acknowledged is there
    /// and searchable when this returns.
    pub fn open(parts: ShardParts) -> Result<Shard, OpenShardError> {
        let _ = parts;
        todo!()
    }

    /// Puts a document. Searchable after the next refresh, durable after [`Shard::ensure_synced`].
    pub fn index(&self, op: IndexOp) -> Result<WriteResult, WriteError> {
        let _ = op;
        todo!()
    }

    /// Removes a document; one that does not exist is not an error.
    pub fn delete(&self, op: DeleteOp) -> Result<WriteResult, WriteError> {
        let _ = op;
        todo!()
    }

    /// Gives a number a primary used up without an operation its place.
    pub fn noop(
        &self,
        seq_no: SeqNo,
        primary_term: PrimaryTerm,
        reason: &str,
    ) -> Result<WriteResult, WriteError> {
        let _ = (seq_no, primary_term, reason);
        todo!()
    }

    /// Returns when the operation at this place in the translog is on the device.
    pub fn ensure_synced(&self, location: Location) -> Result<(), JournalError> {
        let _ = location;
        todo!()
    }

    /// Makes all operations so far durable.
    pub fn sync_translog(&self) -> Result<(), JournalError> {
        todo!()
    }

    /// Looks a document up by its `_id`.
    pub fn get(&self, id: &str, options: GetOptions) -> Result<Option<GetResult>, ReadError> {
        let _ = (id, options);
        todo!()
    }

    /// What a search sees: the state of the last refresh.
    pub fn reader(&self) -> Arc<ShardReader> {
        todo!()
    }

    /// Makes all operations so far searchable; true when that changed anything.
    pub fn refresh(&self) -> Result<bool, ShardError> {
        todo!()
    }

    /// Calls back once everything up to `seq_no` is searchable, which may be at once.
    pub fn on_refreshed(&self, seq_no: SeqNo, callback: Box<dyn FnOnce() + Send>) {
        let _ = (seq_no, callback);
        todo!()
    }

    /// Whether there are operations that no search sees yet.
    pub fn needs_refresh(&self) -> bool {
        todo!()
    }

    /// Makes all operations so far part of a commit point and trims the translog. Without `force` nothing is done
    /// when nothing changed; without `wait`, false is returned when a flush is under way already.
    pub fn flush(&self, force: bool, wait: bool) -> Result<bool, ShardError> {
        let _ = (force, wait);
        todo!()
    }

    /// Merges down to `max_segments`, or, with neither given, whatever the policy finds;
    /// `only_expunge_deletes`: only segments with many dead documents.
    pub fn force_merge(
        &self,
        max_segments: Option<usize>,
        only_expunge_deletes: bool,
    ) -> Result<(), ShardError> {
        let _ = (max_segments, only_expunge_deletes);
        todo!()
    }

    /// Replaces mapping and settings for all operations and searches to come.
    pub fn update_schema(&self, schema: Arc<IndexSchema>) {
        let _ = schema;
        todo!()
    }

    /// The schema in force.
    pub fn schema(&self) -> Arc<IndexSchema> {
        todo!()
    }

    /// Does what is due: refresh, translog sync, flush, merges, clean-up. Call it often, about every 100 ms, from a
    /// thread that may block.
    pub fn maintain(&self) -> Result<(), ShardError> {
        todo!()
    }

    /// Counters.
    pub fn stats(&self) -> ShardStats {
        todo!()
    }

    /// All segments, oldest first.
    pub fn segments(&self) -> Vec<SegmentSummary> {
        todo!()
    }

    /// Checks every byte of every file of the last commit point.
    pub fn verify(&self) -> Result<(), ShardError> {
        todo!()
    }

    /// Why the shard takes no more writes, if so. A failed shard must be opened anew.
    pub fn failure(&self) -> Option<String> {
        todo!()
    }

    /// The reign in force.
    pub fn primary_term(&self) -> PrimaryTerm {
        todo!()
    }

    /// Identity of the history of operations; a new one means that operations may have been lost.
    pub fn history_uuid(&self) -> String {
        todo!()
    }

    /// Flushes, and takes no more operations. A failed shard is only closed.
    pub fn close(&self) -> Result<(), ShardError> {
        todo!()
    }
}
