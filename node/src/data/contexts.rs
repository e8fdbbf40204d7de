//! Readers that stay open between two requests, and when they close.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use quidditch_engine::shard::ShardReader;

use super::search::{ContextId, Purpose, ReaderNote};
use super::search_counters::OpenContext;
use crate::cluster::NodeId;
use crate::sys::clock::Clock;

/// Most readers that are open at one time: each holds on to files and memory of segments that are gone otherwise.
pub const OPEN_MAX: usize = 10_000;

/// Longest note that is left with a reader, in bytes.
const NOTE_BYTES_MAX: usize = 4 << 20;

/// The open readers of a node.
#[derive(Debug)]
pub struct Contexts {
    node: NodeId,
    session: u64,
    next: AtomicU64,
    clock: Arc<dyn Clock>,
    open: Mutex<HashMap<u64, OpenReader>>,
}

#[derive(Debug)]
struct OpenReader {
    index_uuid: String,
    purpose: Purpose,
    reader: Arc<ShardReader>,
    keep_alive: Duration,
    /// On the clock's monotonic scale.
    expires: Duration,
    /// What the last one left who used it.
    note: Bytes,
    /// Counts it among the shard's open ones.
    _counted: Option<OpenContext>,
}

impl Contexts {
    /// No readers yet.
    ///
    /// * `node`: where they are.
    /// * `session`: a random number that sets this run of the process apart from all others.
    pub fn new(node: NodeId, session: u64, clock: Arc<dyn Clock>) -> Contexts {
        Contexts {
            node,
            session,
            next: AtomicU64::new(1),
            clock,
            open: Mutex::new(HashMap::new()),
        }
    }

    /// Keeps a reader. `None`: [`OPEN_MAX`] are open already, or `most` for this purpose.
    ///
    /// * `counted`: counts it as long as it is open.
    pub fn open(
        &self,
        index_uuid: &str,
        reader: Arc<ShardReader>,
        keep_alive: Duration,
        purpose: Purpose,
        most: usize,
        counted: Option<OpenContext>,
    ) -> Option<ContextId> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.monotonic();
        let expires = now.saturating_add(keep_alive);
        let kept = OpenReader {
            index_uuid: index_uuid.to_owned(),
            purpose,
            reader,
            keep_alive,
            expires,
            note: Bytes::new(),
            _counted: counted,
        };
        let mut open = self.open.lock();
        let is_like = |kept: &&OpenReader| kept.purpose == purpose && kept.expires > now;
        if open.len() >= OPEN_MAX
            || most < OPEN_MAX && open.values().filter(is_like).count() >= most
        {
            return None;
        }
        open.insert(id, kept);
        Some(ContextId {
            node: self.node.clone(),
            session: self.session,
            id,
        })
    }

    /// The reader, whose time starts anew; at least `keep_alive` if given. `None`: it is closed.
    pub fn get(&self, id: &ContextId, keep_alive: Option<Duration>) -> Option<Arc<ShardReader>> {
        if id.session != self.session {
            return None;
        }
        let now = self.clock.monotonic();
        let mut open = self.open.lock();
        let kept = open.get_mut(&id.id)?;
        if kept.expires <= now {
            open.remove(&id.id);
            return None;
        }
        if let Some(longer) = keep_alive {
            kept.keep_alive = kept.keep_alive.max(longer);
        }
        kept.expires = kept.expires.max(now.saturating_add(kept.keep_alive));
        Some(kept.reader.clone())
    }

    /// Leaves a note with a reader; false if it is closed, or the note too long.
    pub fn write_note(&self, id: &ContextId, note: Bytes) -> bool {
        if note.len() > NOTE_BYTES_MAX {
            return false;
        }
        let now = self.clock.monotonic();
        let mut open = self.open.lock();
        let kept = open.get_mut(&id.id).filter(|_| id.session == self.session);
        let kept = kept.filter(|kept| kept.expires > now);
        kept.map(|kept| kept.note = note).is_some()
    }

    /// The note that was left with a reader. `None`: it is closed.
    pub fn read_note(&self, id: &ContextId) -> Option<Bytes> {
        let now = self.clock.monotonic();
        let open = self.open.lock();
        let kept = open.get(&id.id).filter(|_| id.session == self.session)?;
        if kept.expires <= now {
            return None;
        }
        Some(kept.note.clone())
    }

    /// Closes a reader; false if it was closed already.
    pub fn free(&self, id: &ContextId) -> bool {
        if id.session != self.session {
            return false;
        }
        match self.open.lock().remove(&id.id) {
            Some(kept) => kept.expires > self.clock.monotonic(),
            None => false,
        }
    }

    /// The notes of the readers that are open for a purpose.
    pub fn notes(&self, purpose: Purpose) -> Vec<ReaderNote> {
        let now = self.clock.monotonic();
        let open = self.open.lock();
        let alike = open
            .values()
            .filter(|kept| kept.purpose == purpose && kept.expires > now && !kept.note.is_empty());
        let notes = alike.map(|kept| ReaderNote {
            note: kept.note.clone(),
            keep_alive: kept.keep_alive,
        });
        notes.collect()
    }

    /// Closes the readers that are open for a purpose; gives how many there were.
    pub fn free_all(&self, purpose: Purpose) -> u64 {
        let now = self.clock.monotonic();
        let mut freed = 0;
        self.open.lock().retain(|_, kept| {
            let is_like = kept.purpose == purpose;
            freed += u64::from(is_like && kept.expires > now);
            !is_like
        });
        freed
    }

    /// Closes all readers of an index, which was closed or deleted.
    pub fn free_index(&self, index_uuid: &str) {
        self.open
            .lock()
            .retain(|_, kept| kept.index_uuid != index_uuid);
    }

    /// Closes the readers whose time is over; called every few seconds.
    pub fn expire(&self) {
        let now = self.clock.monotonic();
        self.open.lock().retain(|_, kept| kept.expires > now);
    }

    /// How many readers are open, also those that are due to close.
    pub fn len(&self) -> usize {
        self.open.lock().len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
