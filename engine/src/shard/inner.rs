//! The parts of an open shard and how they are locked.
//!
//! Locks, in the order in which they may be taken: `staging`, `flushing`, `publishing`, `following`, `gate`, a stripe of
//! `versions`, a slot of `buffers` or `pending_deletes`. Searches take none of them.
//!
//! * `gate`: operations hold it shared for their whole course; whoever swaps buffers or lists of segments holds
//!   it alone, for moments. So an update (old document out, new document in) is never seen half.
//! * `publishing`: one change of the list of segments at a time.
//! * `staging` and `following` are a replica's: what comes to it as files, and what comes as operations. Whoever changes
//!   the role holds both.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use roaring::RoaringBitmap;

use super::checkpoints::Checkpoints;
use super::commit::{Commit, CommittedLiveDocs, CommittedSegment, FileStamp};
use super::counters::Counters;
use super::follow::Following;
use super::install::Staging;
use super::role::{CopyRole, Role};
use super::versions::{SourceKey, Versions};
use super::{Clock, SegmentSnapshot, ShardError, ShardOptions, ShardReader, WriteError};
use crate::buffer::Buffer;
use crate::directory::{ByteView, Directory};
use crate::ids::{DocId, PrimaryTerm, SeqNo};
use crate::schema::IndexSchema;
use crate::segment::{LiveDocs, ReadError, SegmentReader, ShardFilters};
use crate::translog::Translog;

/// All of an open shard; shared with its merge thread.
#[derive(Debug)]
pub(crate) struct Inner {
    /// How searches use the filter cache.
    pub filters: Arc<ShardFilters>,
    pub directory: Arc<dyn Directory>,
    pub translog: Translog,
    pub clock: Arc<dyn Clock>,
    pub options: ShardOptions,
    pub allocation_id: String,
    pub history_id: Mutex<u128>,
    /// The highest reign seen: what is older is refused.
    pub primary_term: AtomicU64,
    pub role: Role,
    /// No other copy has to have what this one has.
    pub alone: AtomicBool,
    /// The translog keeps operations from this number on.
    pub retained_from: AtomicI64,
    pub staging: Mutex<Staging>,
    pub following: Mutex<Following>,
    pub schema: ArcSwap<IndexSchema>,
    pub checkpoints: Checkpoints,
    pub versions: Versions,
    pub buffers: Vec<Mutex<Slot>>,
    /// Documents of segments that died since the last refresh, by segment.
    pub pending_deletes: Mutex<HashMap<SourceKey, RoaringBitmap>>,
    pub gate: RwLock<()>,
    pub publishing: Mutex<Publishing>,
    pub flushing: Mutex<Flushing>,
    /// The last commit point, for those who must not wait for a flush.
    pub committed: ArcSwap<Commit>,
    /// The segments as operations see them.
    pub view: ArcSwap<View>,
    /// The segments as searches see them: `view` at the last refresh. On a replica the same as `view`, except after a roll
    /// back to the last commit point, until the next list is installed.
    pub visible: ArcSwap<View>,
    pub listeners: Mutex<Vec<Listener>>,
    /// Files that no view needs any more, but perhaps the last commit point or a search.
    pub graveyard: Mutex<Vec<Grave>>,
    pub merging: Mutex<()>,
    pub merge_cancel: AtomicBool,
    pub merge_running: AtomicBool,
    pub closed: AtomicBool,
    pub failed: Mutex<Option<String>>,
    pub counters: Counters,
    /// Operations since the last refresh that searches see.
    pub unrefreshed: AtomicU64,
    pub last_refresh_ms: AtomicI64,
    pub last_sync_ms: AtomicI64,
    pub last_write_ms: AtomicI64,
    pub last_flush_ms: AtomicI64,
    pub last_gc_ms: AtomicI64,
    /// No flush by itself before this time: the last one failed.
    pub next_flush_ms: AtomicI64,
    /// The same for merges.
    pub next_merge_ms: AtomicI64,
}

/// A buffer being filled.
#[derive(Debug)]
pub(crate) struct Slot {
    pub key: SourceKey,
    pub buffer: Buffer,
}

/// What changes of the list of segments count on.
#[derive(Debug)]
pub(crate) struct Publishing {
    pub next_key: SourceKey,
    pub next_ordinal: u64,
    /// On a replica: the reign of the primary that the segments are of.
    pub segments_term: PrimaryTerm,
    pub generation: u64,
}

/// What a flush knows of the one before.
#[derive(Debug)]
pub(crate) struct Flushing {
    pub commit: Commit,
    /// The greatest number of any commit point or live docs file seen.
    pub last_generation: u64,
}

/// Somebody who waits for operations to become searchable.
pub(crate) struct Listener {
    pub seq_no: SeqNo,
    pub call: Box<dyn FnOnce() + Send>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listener({})", self.seq_no.0)
    }
}

/// A file to be removed once nobody needs it.
#[derive(Debug)]
pub(crate) struct Grave {
    pub file: String,
    pub reader: std::sync::Weak<SegmentReader>,
}

/// A list of segments, oldest first; replaced as a whole.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub segments: Vec<SegmentEntry>,
    pub reader: Arc<ShardReader>,
    pub reach: Reach,
}

/// How far a view goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// No operation with a higher number is in the segments. On a primary, every one with a number up to this that was
    /// ever begun is.
    pub max_seq_no: SeqNo,
    /// All operations up to here are in the segments.
    pub local_checkpoint: SeqNo,
}

/// One segment of a view.
#[derive(Clone, Debug)]
pub(crate) struct SegmentEntry {
    pub key: SourceKey,
    pub ordinal: u64,
    pub reader: Arc<SegmentReader>,
    pub live: Option<Arc<LiveDocs>>,
    pub backing: Backing,
    /// The file that holds `live`, if it was written.
    pub live_file: Option<CommittedLiveDocs>,
    /// What other copies know `live` by, once one asked.
    pub live_stamp: Arc<OnceLock<FileStamp>>,
}

/// Where the bytes of a segment are.
#[derive(Clone, Debug)]
pub(crate) enum Backing {
    /// In memory only.
    Memory(Arc<InMemory>),
    /// In a file that came from another copy and was not synced yet.
    Unsynced(FileStamp),
    /// In a file, synced.
    File(FileStamp),
}

/// A segment before its first flush.
#[derive(Debug)]
pub(crate) struct InMemory {
    pub bytes: ByteView,
    /// Of all of them, once another copy asked.
    stamp: OnceLock<FileStamp>,
}

impl InMemory {
    pub fn new(bytes: ByteView) -> InMemory {
        InMemory {
            bytes,
            stamp: OnceLock::new(),
        }
    }
}

/// What copies know a live docs file by: its length, and the checksum of all before its last four bytes, which are that
/// checksum. The sum of all bytes is the same for every such file of a length.
pub(crate) fn live_docs_stamp(bytes: &[u8]) -> FileStamp {
    let (body, _) = bytes.split_last_chunk::<4>().unwrap_or((bytes, &[0; 4]));
    FileStamp {
        len: bytes.len() as u64,
        crc: FileStamp::of(body).crc,
    }
}

impl SegmentEntry {
    pub fn snapshot(&self) -> SegmentSnapshot {
        SegmentSnapshot {
            reader: self.reader.clone(),
            live: self.live.clone(),
        }
    }

    /// What the file of the segment is, or will be.
    pub fn stamp(&self) -> FileStamp {
        match &self.backing {
            Backing::Memory(memory) => *memory.stamp.get_or_init(|| FileStamp::of(&memory.bytes)),
            Backing::Unsynced(stamp) | Backing::File(stamp) => *stamp,
        }
    }

    /// What other copies know its live docs by; `None`: no document is dead.
    pub fn live_stamp(&self) -> Option<FileStamp> {
        let live = self.live.as_ref()?;
        let of_bytes = || live_docs_stamp(&live.encode(self.reader.id()));
        Some(*self.live_stamp.get_or_init(of_bytes))
    }

    /// Whether a commit point has this very segment with these live docs.
    pub fn is_committed_as(&self, committed: &CommittedSegment) -> bool {
        self.reader.id() == committed.id
            && match &self.live {
                None => committed.live.is_none(),
                Some(_) => self.live_file.is_some() && self.live_file == committed.live,
            }
    }

    /// Puts other live docs, which no file has yet.
    pub fn set_live(&mut self, live: LiveDocs) {
        self.live = Some(Arc::new(live));
        self.live_file = None;
        self.live_stamp = Arc::default();
    }

    pub fn is_live(&self, doc: DocId) -> bool {
        match &self.live {
            Some(live) => live.is_live(doc),
            None => doc.0 < self.reader.max_doc(),
        }
    }

    pub fn live_count(&self) -> u32 {
        match &self.live {
            Some(live) => live.live_count(),
            None => self.reader.max_doc(),
        }
    }

    /// The live docs with more documents dead; `None` when nothing changed.
    pub fn without(&self, more: &RoaringBitmap) -> Option<LiveDocs> {
        let before = self.live.as_ref().map(|live| live.deleted());
        let mut deleted = before.cloned().unwrap_or_default();
        let count = deleted.len();
        deleted |= more;
        let live = LiveDocs::new(self.reader.max_doc(), deleted);
        (u64::from(live.deleted_count()) != count).then_some(live)
    }
}

impl View {
    pub fn new(
        segments: Vec<SegmentEntry>,
        schema: Arc<IndexSchema>,
        generation: u64,
        reach: Reach,
        filters: &Arc<ShardFilters>,
    ) -> View {
        let snapshots = segments.iter().map(SegmentEntry::snapshot).collect();
        let mut reader = ShardReader::new(snapshots, schema);
        reader.generation = generation;
        reader.filters = filters.clone();
        View {
            segments,
            reader: Arc::new(reader),
            reach,
        }
    }

    /// The live document of an `_id`.
    pub fn find(&self, id: &str) -> Result<Option<(&SegmentEntry, DocId)>, ReadError> {
        find(&self.segments, id)
    }

    /// Bytes of segments that are in memory only.
    pub fn memory_bytes(&self) -> u64 {
        let in_memory = |entry: &SegmentEntry| match &entry.backing {
            Backing::Memory(memory) => memory.bytes.len() as u64,
            Backing::Unsynced(_) | Backing::File(_) => 0,
        };
        self.segments.iter().map(in_memory).sum()
    }
}

/// The live document of an `_id` in a list of segments, oldest first.
pub(crate) fn find<'a>(
    segments: &'a [SegmentEntry],
    id: &str,
) -> Result<Option<(&'a SegmentEntry, DocId)>, ReadError> {
    for entry in segments.iter().rev() {
        if let Some(doc) = entry.reader.find_id(id)?
            && entry.is_live(doc)
        {
            return Ok(Some((entry, doc)));
        }
    }
    Ok(None)
}

/// See [`Inner::fail_on_panic`].
pub(crate) struct FailOnPanic<'a> {
    inner: &'a Inner,
    work: &'static str,
}

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.inner.fail(format!("{} panicked", self.work));
        }
    }
}

impl Inner {
    pub fn history_uuid(&self) -> String {
        format!("{:032x}", *self.history_id.lock())
    }

    /// Searches see every operation up to this one.
    pub fn shown_to(&self) -> SeqNo {
        match self.role.get() {
            CopyRole::Primary => self.visible.load().reach.max_seq_no,
            // Not what they see that was rolled back.
            CopyRole::Replica => self.view.load().reach.local_checkpoint,
            CopyRole::Promoting => self.visible.load().reach.local_checkpoint,
        }
    }

    pub fn term(&self) -> PrimaryTerm {
        PrimaryTerm(self.primary_term.load(Ordering::SeqCst))
    }

    /// Ends the shard's taking of writes; the first reason stays.
    pub fn fail(&self, reason: impl ToString) {
        let mut failed = self.failed.lock();
        if failed.is_none() {
            let reason = reason.to_string();
            tracing::error!(
                allocation_id = self.allocation_id,
                reason,
                "a shard failed and takes no more writes"
            );
            *failed = Some(reason);
        }
        drop(failed);
        self.merge_cancel.store(true, Ordering::SeqCst);
        self.drop_listeners();
    }

    /// Gives up all who wait for a refresh: none comes any more. Call it once the shard is marked as ended.
    pub fn drop_listeners(&self) {
        let listeners = std::mem::take(&mut *self.listeners.lock());
        drop(listeners);
    }

    /// Makes a panic of what follows, up to the guard's end, the shard's failure: whoever catches it must not find
    /// a shard that goes on with half of it done.
    pub fn fail_on_panic(&self, work: &'static str) -> FailOnPanic<'_> {
        FailOnPanic { inner: self, work }
    }

    pub fn failure(&self) -> Option<String> {
        self.failed.lock().clone()
    }

    /// Refuses maintenance of a shard that is closed or failed.
    pub fn check(&self) -> Result<(), ShardError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(ShardError::Closed);
        }
        match self.failure() {
            Some(reason) => Err(ShardError::Failed { reason }),
            None => Ok(()),
        }
    }

    /// Refuses operations on a shard that is closed or failed.
    pub fn check_writable(&self) -> Result<(), WriteError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(WriteError::Closed);
        }
        match self.failure() {
            Some(reason) => Err(WriteError::Failed { reason }),
            None => Ok(()),
        }
    }

    /// Takes note of what a sync made durable.
    pub fn note_durable(&self) {
        let mark = |durable: &[SeqNo]| self.checkpoints.mark_persisted(durable);
        self.translog.newly_durable(mark);
        // Asked for before: what comes once it is not alone any more, others have to have.
        let persisted = self.checkpoints.persisted();
        if self.role.get() == CopyRole::Primary && self.alone.load(Ordering::SeqCst) {
            // What it has durable, every in-sync copy has.
            self.checkpoints.advance_global(persisted);
        }
    }

    /// The operations that the translog must keep whatever a flush no longer needs.
    pub fn kept_from(&self) -> SeqNo {
        let retained = self.retained_from.load(Ordering::SeqCst);
        SeqNo(retained.min(self.checkpoints.global().0.saturating_add(1)))
    }

    /// Marks a document of a buffer or segment dead; searches see it after the next refresh.
    pub fn bury(&self, slot: Option<usize>, key: SourceKey, doc: DocId) {
        if let Some(slot) = slot {
            let mut slot = self.buffers[slot].lock();
            if slot.key == key {
                slot.buffer.delete(doc);
                return;
            }
        }
        let mut pending = self.pending_deletes.lock();
        pending.entry(key).or_default().insert(doc.0);
    }

    /// Memory of all buffers, in bytes.
    pub fn buffer_bytes(&self) -> usize {
        let used = |slot: &Mutex<Slot>| slot.lock().buffer.bytes_used();
        self.buffers.iter().map(used).sum()
    }
}
