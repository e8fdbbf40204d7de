//! Decompressed blocks of stored documents, kept for whoever asks next.
//!
//! All segments of the process share one cache of a fixed size. A block goes when room is needed and nobody asked for it
//! since the hand of the clock last passed it (Corbató, "A paging experiment with the Multics system", 1968).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::stored::Block;

/// Most that all blocks together may take, in bytes.
const BYTES_MAX: usize = 32 << 20;
/// A longer block would push out too many others.
const BLOCK_BYTES_MAX: usize = BYTES_MAX / 32;

/// The cache of the process.
pub(super) static BLOCKS: BlockCache = BlockCache::new(BYTES_MAX);

/// One block of one reader.
type Key = (OwnerId, u32);

/// Names a reader for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct OwnerId(u64);

impl OwnerId {
    pub fn next() -> OwnerId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        OwnerId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A bounded number of bytes in blocks.
#[derive(Debug)]
pub(super) struct BlockCache {
    bytes_max: usize,
    ring: Mutex<Option<Ring>>,
}

#[derive(Debug, Default)]
struct Ring {
    places: HashMap<Key, usize>,
    slots: Vec<Slot>,
    /// The slot that is looked at next when room is needed.
    hand: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    block: Arc<Block>,
    /// Somebody asked for it since the hand passed.
    is_wanted: bool,
}

impl BlockCache {
    const fn new(bytes_max: usize) -> BlockCache {
        BlockCache {
            bytes_max,
            ring: Mutex::new(None),
        }
    }

    pub fn get(&self, owner: OwnerId, number: u32) -> Option<Arc<Block>> {
        let mut ring = self.ring.lock();
        let ring = ring.as_mut()?;
        let slot = &mut ring.slots[*ring.places.get(&(owner, number))?];
        slot.is_wanted = true;
        Some(slot.block.clone())
    }

    pub fn put(&self, owner: OwnerId, number: u32, block: &Arc<Block>) {
        let bytes = block.memory_bytes();
        if bytes > BLOCK_BYTES_MAX {
            return;
        }
        let mut ring = self.ring.lock();
        let ring = ring.get_or_insert_default();
        if ring.places.contains_key(&(owner, number)) {
            return;
        }
        while ring.bytes + bytes > self.bytes_max && ring.drop_one() {}
        ring.places.insert((owner, number), ring.slots.len());
        ring.bytes += bytes;
        ring.slots.push(Slot {
            key: (owner, number),
            block: block.clone(),
            is_wanted: false,
        });
    }

    /// Drops the blocks of a reader that is gone.
    pub fn forget(&self, owner: OwnerId) {
        let mut ring = self.ring.lock();
        let Some(ring) = ring.as_mut() else { return };
        let mut at = 0;
        while at < ring.slots.len() {
            match ring.slots[at].key.0 == owner {
                true => ring.remove(at),
                false => at += 1,
            }
        }
    }
}

impl Ring {
    /// Drops the next block that nobody asked for; `false`: there is none left.
    fn drop_one(&mut self) -> bool {
        while !self.slots.is_empty() {
            let at = self.hand % self.slots.len();
            let slot = &mut self.slots[at];
            if std::mem::take(&mut slot.is_wanted) {
                self.hand = at + 1;
                continue;
            }
            self.hand = at;
            self.remove(at);
            return true;
        }
        false
    }

    /// Takes a slot out; the last one moves to its place.
    fn remove(&mut self, at: usize) {
        let slot = self.slots.swap_remove(at);
        self.places.remove(&slot.key);
        self.bytes -= slot.block.memory_bytes();
        if let Some(moved) = self.slots.get(at) {
            self.places.insert(moved.key, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(bytes: usize) -> Arc<Block> {
        Arc::new(Block::of_bytes(vec![0; bytes]))
    }

    #[test]
    fn blocks_that_are_asked_for_stay_when_room_is_needed() {
        let one = block(1000).memory_bytes();
        let cache = BlockCache::new(3 * one);
        let owner = OwnerId::next();
        for number in 0..3 {
            cache.put(owner, number, &block(1000));
        }
        assert!(cache.get(owner, 1).is_some());
        for number in 3..7 {
            cache.put(owner, number, &block(1000));
            assert!(cache.get(owner, 1).is_some(), "after block {number}");
        }
        let kept = (0..7).filter(|number| cache.get(owner, *number).is_some());
        assert_eq!(kept.count(), 3);
    }

    #[test]
    fn a_reader_that_is_gone_leaves_nothing_and_the_others_alone() {
        let cache = BlockCache::new(1 << 20);
        let (gone, stays) = (OwnerId::next(), OwnerId::next());
        for number in 0..5 {
            cache.put(gone, number, &block(10));
            cache.put(stays, number, &block(20));
        }
        cache.forget(gone);
        for number in 0..5 {
            assert!(cache.get(gone, number).is_none());
            assert!(cache.get(stays, number).is_some());
        }
        cache.forget(stays);
        assert_eq!(cache.ring.lock().as_ref().unwrap().bytes, 0);
    }

    #[test]
    fn one_long_block_does_not_push_out_all_others() {
        let cache = BlockCache::new(BYTES_MAX);
        let owner = OwnerId::next();
        cache.put(owner, 0, &block(BLOCK_BYTES_MAX + 1));
        assert!(cache.get(owner, 0).is_none());
    }
}
