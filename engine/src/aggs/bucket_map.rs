//! Buckets that come up while documents are collected, numbered in the order in which they do.

use std::hash::Hash;

use hashbrown::{Equivalent, HashMap};

use super::collector::Held;
use crate::search::SearchError;

/// Buckets by the parent's bucket and a key of its own.
pub(crate) struct BucketMap<K> {
    map: HashMap<(u32, K), u32>,
    /// Parent bucket of each.
    owners: Vec<u32>,
    /// Documents in each.
    pub counts: Vec<u64>,
    /// Bytes of keys on the heap.
    key_bytes: usize,
    by_owner: Option<Vec<Vec<(u32, K)>>>,
}

/// Looks a key up by a borrowed form of it.
struct Borrowed<'k, Q: ?Sized>(u32, &'k Q);

impl<Q: Hash + ?Sized> Hash for Borrowed<'_, Q> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        self.1.hash(state);
    }
}

impl<K, Q: Equivalent<K> + ?Sized> Equivalent<(u32, K)> for Borrowed<'_, Q> {
    fn equivalent(&self, key: &(u32, K)) -> bool {
        self.0 == key.0 && self.1.equivalent(&key.1)
    }
}

impl<K: Hash + Eq + Clone> BucketMap<K> {
    pub fn new() -> BucketMap<K> {
        BucketMap {
            map: HashMap::new(),
            owners: Vec::new(),
            counts: Vec::new(),
            key_bytes: 0,
            by_owner: None,
        }
    }

    /// The bucket of a key, made if new; `heap_bytes` is what the key holds outside itself.
    pub fn bucket<Q>(
        &mut self,
        owner: u32,
        key: &Q,
        heap_bytes: usize,
        make: impl FnOnce(&Q) -> K,
    ) -> u32
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        if let Some(bucket) = self.map.get(&Borrowed(owner, key)) {
            return *bucket;
        }
        let bucket = self.owners.len() as u32;
        self.map.insert((owner, make(key)), bucket);
        self.owners.push(owner);
        self.counts.push(0);
        self.key_bytes += heap_bytes;
        bucket
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// Bytes held, with the lists that [`BucketMap::take_owner`] makes of them.
    pub fn bytes(&self) -> usize {
        // a table is at most seven eighths full, with a byte of its own for each place
        let place = (size_of::<((u32, K), u32)>() + 1) * 8 / 7;
        let numbers =
            size_of::<u32>() * self.owners.capacity() + size_of::<u64>() * self.counts.capacity();
        let lists = size_of::<(u32, K)>() * self.owners.len();
        self.map.capacity() * place + numbers + lists + self.key_bytes
    }

    /// Pays for what is held.
    pub fn account(&self, held: &mut Held<'_>) -> Result<(), SearchError> {
        held.set(self.bytes())
    }

    /// The buckets of one parent bucket with their keys, in no order; taken out, so once only.
    pub fn take_owner(&mut self, owner: u32) -> Vec<(u32, K)> {
        let by_owner = self.by_owner.get_or_insert_with(|| {
            let owners = self
                .owners
                .iter()
                .max()
                .map_or(0, |owner| *owner as usize + 1);
            let mut lists: Vec<Vec<(u32, K)>> = vec![Vec::new(); owners];
            for ((owner, key), bucket) in self.map.drain() {
                lists[owner as usize].push((bucket, key));
            }
            lists
        });
        by_owner
            .get_mut(owner as usize)
            .map(std::mem::take)
            .unwrap_or_default()
    }
}
