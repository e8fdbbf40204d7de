//! Readers that stay open between two requests, and when they close.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use quidditch_engine::shard::ShardReader;

use super::search::{ContextId, Purpose, ReaderNote};
use super::search_counters::OpenContext;
use super::service::ShardTarget;
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
    shard: u32,
    purpose: Purpose,
    reader: Arc<ShardReader>,
    keep_alive: Duration,
    /// On the clock's monotonic scale; says nothing while the reader is in use.
    expires: Duration,
    /// How many use it right now.
    users: usize,
    /// What the last one left who used it.
    note: Bytes,
    /// Counts it among the shard's open ones.
    _counted: Option<OpenContext>,
}

impl OpenReader {
    fn is_alive(&self, now: Duration) -> bool {
        self.users > 0 || self.expires > now
    }
}

/// A reader that somebody works with; one that is kept open does not close meanwhile.
#[derive(Debug)]
pub struct ReaderInUse {
    reader: Arc<ShardReader>,
    /// `None`: nobody keeps it.
    kept: Option<(Arc<Contexts>, u64)>,
}

impl From<Arc<ShardReader>> for ReaderInUse {
    fn from(reader: Arc<ShardReader>) -> ReaderInUse {
        ReaderInUse { reader, kept: None }
    }
}

impl Deref for ReaderInUse {
    type Target = Arc<ShardReader>;

    fn deref(&self) -> &Arc<ShardReader> {
        &self.reader
    }
}

impl Drop for ReaderInUse {
    fn drop(&mut self) {
        let Some((contexts, id)) = &self.kept else {
            return;
        };
        let now = contexts.clock.monotonic();
        if let Some(kept) = contexts.open.lock().get_mut(id) {
            kept.users -= 1;
            kept.expires = kept.expires.max(now.saturating_add(kept.keep_alive));
        }
    }
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
        target: &ShardTarget,
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
            index_uuid: target.index_uuid.clone(),
            shard: target.shard,
            purpose,
            reader,
            keep_alive,
            expires,
            users: 0,
            note: Bytes::new(),
            _counted: counted,
        };
        let mut open = self.open.lock();
        let is_like = |kept: &&OpenReader| kept.purpose == purpose && kept.is_alive(now);
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

    /// The reader, whose time starts anew when it is let go; at least `keep_alive` if given. `None`: it is closed.
    pub fn get(
        self: &Arc<Contexts>,
        id: &ContextId,
        keep_alive: Option<Duration>,
    ) -> Option<ReaderInUse> {
        if id.session != self.session {
            return None;
        }
        let now = self.clock.monotonic();
        let mut open = self.open.lock();
        let kept = open.get_mut(&id.id)?;
        if !kept.is_alive(now) {
            open.remove(&id.id);
            return None;
        }
        if let Some(longer) = keep_alive {
            kept.keep_alive = kept.keep_alive.max(longer);
        }
        kept.users += 1;
        Some(ReaderInUse {
            reader: kept.reader.clone(),
            kept: Some((self.clone(), id.id)),
        })
    }

    /// Leaves a note with a reader; false if it is closed, or the note too long.
    pub fn write_note(&self, id: &ContextId, note: Bytes) -> bool {
        if note.len() > NOTE_BYTES_MAX {
            return false;
        }
        let now = self.clock.monotonic();
        let mut open = self.open.lock();
        let kept = open.get_mut(&id.id).filter(|_| id.session == self.session);
        let kept = kept.filter(|kept| kept.is_alive(now));
        kept.map(|kept| kept.note = note).is_some()
    }

    /// The note that was left with a reader. `None`: it is closed.
    pub fn read_note(&self, id: &ContextId) -> Option<Bytes> {
        let now = self.clock.monotonic();
        let open = self.open.lock();
        let kept = open.get(&id.id).filter(|_| id.session == self.session)?;
        if !kept.is_alive(now) {
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
            Some(kept) => kept.is_alive(self.clock.monotonic()),
            None => false,
        }
    }

    /// The notes of the readers that are open for a purpose.
    pub fn notes(&self, purpose: Purpose) -> Vec<ReaderNote> {
        let now = self.clock.monotonic();
        let open = self.open.lock();
        let alike = open
            .values()
            .filter(|kept| kept.purpose == purpose && kept.is_alive(now) && !kept.note.is_empty());
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
            freed += u64::from(is_like && kept.is_alive(now));
            !is_like
        });
        freed
    }

    /// Closes the readers of all indices but some: of those that were closed or deleted.
    pub fn retain_indices(&self, is_open: impl Fn(&str) -> bool) {
        self.open.lock().retain(|_, kept| is_open(&kept.index_uuid));
    }

    /// Closes all readers of a shard, whose files cannot be trusted any more.
    pub fn free_shard(&self, index_uuid: &str, shard: u32) {
        self.open
            .lock()
            .retain(|_, kept| kept.index_uuid != index_uuid || kept.shard != shard);
    }

    /// Closes the readers whose time is over; called every few seconds.
    pub fn expire(&self) {
        let now = self.clock.monotonic();
        self.open.lock().retain(|_, kept| kept.is_alive(now));
    }

    /// How many readers are open for a purpose.
    pub fn count(&self, purpose: Purpose) -> usize {
        let now = self.clock.monotonic();
        let open = self.open.lock();
        let alike = open
            .values()
            .filter(|kept| kept.purpose == purpose && kept.is_alive(now));
        alike.count()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::ManualClock;
    use quidditch_engine::schema::IndexSchema;

    const MINUTE: Duration = Duration::from_secs(60);

    fn contexts() -> (Arc<Contexts>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let node = NodeId("n".to_owned());
        (Arc::new(Contexts::new(node, 7, clock.clone())), clock)
    }

    fn open(contexts: &Contexts, shard: u32, purpose: Purpose, most: usize) -> Option<ContextId> {
        let schema = IndexSchema::new(&serde_json::Value::Null, &Default::default()).unwrap();
        let reader = ShardReader::new(Vec::new(), Arc::new(schema));
        let target = ShardTarget {
            index: "hats".to_owned(),
            index_uuid: "uuid".to_owned(),
            shard,
        };
        contexts.open(&target, Arc::new(reader), MINUTE, purpose, most, None)
    }

    #[test]
    fn a_reader_in_use_does_not_close() {
        let (contexts, clock) = contexts();
        let id = open(&contexts, 0, Purpose::Fetch, OPEN_MAX).unwrap();
        let in_use = contexts.get(&id, None).unwrap();
        clock.advance(2 * MINUTE);
        contexts.expire();
        assert!(contexts.get(&id, None).is_some());
        drop(in_use);
        // its time starts anew with the end of its use
        clock.advance(MINUTE / 2);
        contexts.expire();
        assert!(contexts.get(&id, None).is_some());
        clock.advance(2 * MINUTE);
        assert!(contexts.get(&id, None).is_none());
    }

    #[test]
    fn a_failed_shard_takes_no_reader_of_another_with_it() {
        let (contexts, _) = contexts();
        let ids = [0, 1].map(|shard| open(&contexts, shard, Purpose::Scroll, OPEN_MAX).unwrap());
        contexts.free_shard("uuid", 0);
        assert!(contexts.get(&ids[0], None).is_none());
        assert!(contexts.get(&ids[1], None).is_some());
        contexts.retain_indices(|uuid| uuid != "uuid");
        assert!(contexts.is_empty());
    }

    #[test]
    fn points_in_time_are_limited_listed_and_ended_by_themselves() {
        let (contexts, clock) = contexts();
        let scroll = open(&contexts, 0, Purpose::Scroll, OPEN_MAX).unwrap();
        let pit = open(&contexts, 0, Purpose::PointInTime, 1).unwrap();
        assert_eq!(open(&contexts, 1, Purpose::PointInTime, 1), None);
        assert!(contexts.write_note(&pit, Bytes::from_static(b"pit")));
        assert!(contexts.write_note(&scroll, Bytes::from_static(b"scroll")));
        let listed = contexts.notes(Purpose::PointInTime);
        assert_eq!(
            listed,
            [ReaderNote {
                note: Bytes::from_static(b"pit"),
                keep_alive: MINUTE
            }]
        );
        assert_eq!(contexts.free_all(Purpose::Scroll), 1);
        assert!(contexts.get(&pit, None).is_some());
        clock.advance(2 * MINUTE);
        assert_eq!(contexts.notes(Purpose::PointInTime), []);
        assert!(open(&contexts, 1, Purpose::PointInTime, 1).is_some());
    }
}
