//! The live version map: what was done to documents since the last refresh, and which were removed lately.
//!
//! Ids are spread over stripes. Whoever works on a document holds its stripe, so operations on one `_id` are in
//! order. A stripe has three layers, newest first: operations since the last refresh began (`current`), those of a
//! refresh under way (`old`), and deletes kept for `index.gc_deletes` (`tombstones`).

use std::hash::BuildHasher;

use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashMap};
use parking_lot::{Mutex, MutexGuard};

use crate::ids::{DocId, PrimaryTerm, SeqNo};

const STRIPES: usize = 64;

/// Names a buffer, and the segment made from it, inside one open shard.
pub(crate) type SourceKey = u64;

/// Where a document that was not refreshed yet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BufferPlace {
    pub slot: usize,
    pub key: SourceKey,
    pub doc: DocId,
}

/// The outcome of the last operation on a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub seq_no: SeqNo,
    pub primary_term: PrimaryTerm,
    pub version: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Live {
        stamp: Stamp,
        place: BufferPlace,
        routing: Option<String>,
        source: Bytes,
    },
    Deleted(Tombstone),
}

/// A delete that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tombstone {
    pub stamp: Stamp,
    pub at_ms: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Stripe {
    current: HashMap<Box<str>, Entry>,
    old: HashMap<Box<str>, Entry>,
    tombstones: HashMap<Box<str>, Tombstone>,
}

impl Stripe {
    /// The last operation on a document, if it is remembered here.
    pub fn find(&self, id: &str) -> Option<Entry> {
        if let Some(entry) = self.current.get(id).or_else(|| self.old.get(id)) {
            return Some(entry.clone());
        }
        self.tombstones.get(id).map(|tomb| Entry::Deleted(*tomb))
    }

    pub fn put(&mut self, id: &str, entry: Entry) {
        self.current.insert(id.into(), entry);
    }
}

#[derive(Debug)]
pub(crate) struct Versions {
    stripes: Vec<Mutex<Stripe>>,
    hasher: DefaultHashBuilder,
}

impl Versions {
    pub fn new() -> Versions {
        Versions {
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// Locks the stripe of a document.
    pub fn lock(&self, id: &str) -> MutexGuard<'_, Stripe> {
        let hash = self.hasher.hash_one(id);
        self.stripes[(hash >> 32) as usize % STRIPES].lock()
    }

    /// A refresh begins: what was current becomes old.
    pub fn rotate(&self) {
        for stripe in &self.stripes {
            let mut stripe = stripe.lock();
            debug_assert!(stripe.old.is_empty(), "one refresh at a time");
            stripe.old = std::mem::take(&mut stripe.current);
        }
    }

    /// A refresh ended: segments know what was old, except for deletes, which become tombstones.
    pub fn drop_old(&self) {
        for stripe in &self.stripes {
            let mut stripe = stripe.lock();
            for (id, entry) in std::mem::take(&mut stripe.old) {
                match entry {
                    Entry::Deleted(tomb) => {
                        stripe.tombstones.insert(id, tomb);
                    }
                    Entry::Live { .. } => {
                        stripe.tombstones.remove(&id);
                    }
                }
            }
        }
    }

    /// Puts a tombstone found in a commit point.
    pub fn restore(&self, id: &str, tombstone: Tombstone) {
        self.lock(id).tombstones.insert(id.into(), tombstone);
    }

    /// A replica's: a delete that no segment will show, unless a later operation on the document is known.
    pub fn note_delete(&self, id: &str, tombstone: Tombstone) {
        let mut stripe = self.lock(id);
        let known = stripe.tombstones.get(id);
        if known.is_none_or(|known| known.stamp.seq_no < tombstone.stamp.seq_no) {
            stripe.tombstones.insert(id.into(), tombstone);
        }
    }

    /// A replica's: the document is there again, unless it was deleted later.
    pub fn note_index(&self, id: &str, stamp: Stamp) {
        let mut stripe = self.lock(id);
        let known = stripe.tombstones.get(id);
        if known.is_some_and(|known| known.stamp.seq_no < stamp.seq_no) {
            stripe.tombstones.remove(id);
        }
    }

    /// Forgets deletes of which `stands` says no.
    pub fn retain_deletes<E>(
        &self,
        mut stands: impl FnMut(&str) -> Result<bool, E>,
    ) -> Result<(), E> {
        for stripe in &self.stripes {
            let mut stripe = stripe.lock();
            let mut undone = Vec::new();
            for id in stripe.tombstones.keys() {
                if !stands(id)? {
                    undone.push(id.clone());
                }
            }
            for id in undone {
                stripe.tombstones.remove(&id);
            }
        }
        Ok(())
    }

    /// Forgets deletes with a higher number.
    pub fn forget_deletes_beyond(&self, seq_no: SeqNo) {
        for stripe in &self.stripes {
            let mut stripe = stripe.lock();
            stripe
                .tombstones
                .retain(|_, tomb| tomb.stamp.seq_no <= seq_no);
        }
    }

    /// Forgets deletes done before this time, except those beyond `settled`: an operation that came before one of them
    /// may still be on its way, and would bring the document back.
    pub fn forget_deletes_before(&self, time_ms: i64, settled: SeqNo) {
        for stripe in &self.stripes {
            let mut stripe = stripe.lock();
            if !stripe.tombstones.is_empty() {
                let kept = |tomb: &Tombstone| tomb.at_ms >= time_ms || tomb.stamp.seq_no > settled;
                stripe.tombstones.retain(|_, tomb| kept(tomb));
            }
        }
    }

    /// The deletes that segments do not show, newest first, at most `limit`; of operations up to `max`.
    pub fn tombstones(&self, max: SeqNo, limit: usize) -> Vec<(String, Tombstone)> {
        let mut all = Vec::new();
        for stripe in &self.stripes {
            let stripe = stripe.lock();
            for (id, tomb) in &stripe.tombstones {
                if tomb.stamp.seq_no <= max {
                    all.push((id.to_string(), *tomb));
                }
            }
        }
        all.sort_by_key(|(_, tomb)| std::cmp::Reverse(tomb.stamp.seq_no));
        all.truncate(limit);
        all
    }

    /// Memory in use, in bytes, roughly.
    pub fn bytes_used(&self) -> u64 {
        let mut bytes = 0;
        for stripe in &self.stripes {
            let stripe = stripe.lock();
            let entry = size_of::<(Box<str>, Entry)>() + 24;
            bytes += (stripe.current.len() + stripe.old.len()) * entry;
            bytes += stripe.tombstones.len() * (size_of::<(Box<str>, Tombstone)>() + 24);
        }
        bytes as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deleted(seq_no: i64, at_ms: i64) -> Entry {
        Entry::Deleted(Tombstone {
            stamp: Stamp {
                seq_no: SeqNo(seq_no),
                primary_term: PrimaryTerm(1),
                version: 2,
            },
            at_ms,
        })
    }

    #[test]
    fn deletes_are_remembered_until_they_are_old() {
        let versions = Versions::new();
        versions.lock("a").put("a", deleted(1, 100));
        versions.rotate();
        versions.lock("b").put("b", deleted(2, 200));
        assert!(versions.lock("a").find("a").is_some());
        versions.drop_old();
        assert_eq!(versions.tombstones(SeqNo(9), 10).len(), 1);
        versions.forget_deletes_before(150, SeqNo(0));
        assert!(versions.lock("a").find("a").is_some(), "not settled yet");
        versions.forget_deletes_before(150, SeqNo(1));
        assert!(versions.lock("a").find("a").is_none());
        assert!(versions.lock("b").find("b").is_some());
    }
}
