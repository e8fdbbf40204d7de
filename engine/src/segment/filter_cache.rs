//! The filter cache: which documents of a segment a filter finds, kept for the next search that asks.
//!
//! A set belongs to the segment's reader, whose documents never change; which of them are dead is no part of it. It goes
//! with the reader, or when sets that were asked for more recently need the memory. Whether a filter is worth keeping is
//! decided by how often its shard's searches used it among the filters used last ([`ShardFilters`]).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hashbrown::HashMap;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::DocSet;
use crate::format::bytes::hash64;

/// The cache of the process.
pub static FILTERS: FilterCache = FilterCache::new(LIMIT_DEFAULT);

/// Bytes that the cache may take unless somebody says otherwise.
const LIMIT_DEFAULT: u64 = 64 << 20;
/// What an entry takes besides its documents, roughly.
const ENTRY_BYTES: u64 = 256;
/// Uses of filters that a shard remembers.
const REMEMBERED: usize = 256;

/// Tells a filter from all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FilterKey(Arc<[u8]>);

impl FilterKey {
    /// Of what describes a filter wholly: the same bytes, the same documents in every segment.
    pub fn new(bytes: &[u8]) -> FilterKey {
        FilterKey(bytes.into())
    }

    /// What it was made of.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Sets of documents by segment and filter.
#[derive(Debug)]
pub struct FilterCache {
    kept: Mutex<Option<Kept>>,
    limit: AtomicU64,
    readers: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    by_reader: HashMap<u64, HashMap<FilterKey, Entry>>,
    /// Reader and filter by the time of the last use.
    by_use: BTreeMap<u64, (u64, FilterKey)>,
    uses: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Entry {
    set: Arc<DocSet>,
    bytes: u64,
    used: u64,
    shard: Arc<ShardFilters>,
}

impl FilterCache {
    const fn new(limit: u64) -> FilterCache {
        FilterCache {
            kept: Mutex::new(None),
            limit: AtomicU64::new(limit),
            readers: AtomicU64::new(0),
        }
    }

    /// Bytes taken now.
    pub fn used_bytes(&self) -> u64 {
        self.kept.lock().as_ref().map_or(0, |kept| kept.bytes)
    }

    /// Changes the limit; what is too much already goes.
    pub fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Relaxed);
        if let Some(kept) = &mut *self.kept.lock() {
            kept.shrink(bytes);
        }
    }

    fn get(&self, reader: u64, key: &FilterKey) -> Option<Arc<DocSet>> {
        self.kept.lock().as_mut()?.get(reader, key)
    }

    fn put(&self, reader: u64, key: &FilterKey, set: Arc<DocSet>, shard: Arc<ShardFilters>) {
        let bytes = set.size_bytes() + key.bytes().len() as u64 + ENTRY_BYTES;
        let limit = self.limit.load(Relaxed);
        if bytes > limit {
            return;
        }
        let mut kept = self.kept.lock();
        let kept = kept.get_or_insert_default();
        kept.put(reader, key, set, bytes, shard);
        kept.shrink(limit);
    }

    fn forget(&self, reader: u64) {
        if let Some(kept) = &mut *self.kept.lock() {
            kept.forget(reader);
        }
    }
}

impl Kept {
    fn get(&mut self, reader: u64, key: &FilterKey) -> Option<Arc<DocSet>> {
        let entry = self.by_reader.get_mut(&reader)?.get_mut(key)?;
        self.uses += 1;
        let place = self.by_use.remove(&entry.used)?;
        self.by_use.insert(self.uses, place);
        entry.used = self.uses;
        Some(entry.set.clone())
    }

    fn put(
        &mut self,
        reader: u64,
        key: &FilterKey,
        set: Arc<DocSet>,
        bytes: u64,
        shard: Arc<ShardFilters>,
    ) {
        let of_reader = self.by_reader.entry(reader).or_default();
        if of_reader.contains_key(key) {
            // another search was as fast
            return;
        }
        self.uses += 1;
        shard.add(bytes);
        let entry = Entry {
            set,
            bytes,
            used: self.uses,
            shard,
        };
        of_reader.insert(key.clone(), entry);
        self.by_use.insert(self.uses, (reader, key.clone()));
        self.bytes += bytes;
    }

    fn shrink(&mut self, limit: u64) {
        while self.bytes > limit
            && let Some((_, (reader, key))) = self.by_use.pop_first()
        {
            if let Some(of_reader) = self.by_reader.get_mut(&reader)
                && let Some(entry) = of_reader.remove(&key)
            {
                self.bytes -= entry.bytes;
                entry.shard.remove(entry.bytes);
                if of_reader.is_empty() {
                    self.by_reader.remove(&reader);
                }
            }
        }
    }

    fn forget(&mut self, reader: u64) {
        for entry in self.by_reader.remove(&reader).into_iter().flatten() {
            let (_, entry) = entry;
            self.by_use.remove(&entry.used);
            self.bytes -= entry.bytes;
            entry.shard.remove(entry.bytes);
        }
    }
}

/// The part of [`FILTERS`] that belongs to one open segment, and goes with it.
#[derive(Debug)]
pub(super) struct SegmentFilters(u64);

impl SegmentFilters {
    /// Of a segment that was just opened.
    pub fn new() -> SegmentFilters {
        SegmentFilters(FILTERS.readers.fetch_add(1, Relaxed))
    }

    /// What a filter finds, if that is kept; dead documents included.
    pub fn get(&self, key: &FilterKey) -> Option<Arc<DocSet>> {
        FILTERS.get(self.0, key)
    }

    /// Keeps what a filter finds, unless it is larger than the whole cache may be.
    pub fn put(&self, key: &FilterKey, set: Arc<DocSet>, shard: Arc<ShardFilters>) {
        FILTERS.put(self.0, key, set, shard);
    }

    /// Forgets all.
    pub fn clear(&self) {
        FILTERS.forget(self.0);
    }
}

impl Drop for SegmentFilters {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What a shard's searches asked the filter cache.
#[derive(Debug, Default)]
pub struct ShardFilters {
    recent: Mutex<Recent>,
    hits: AtomicU64,
    misses: AtomicU64,
    bytes: AtomicU64,
    entries: AtomicU64,
    entries_ever: AtomicU64,
}

/// The filters used last.
#[derive(Debug, Default)]
struct Recent {
    order: VecDeque<u64>,
    counts: HashMap<u64, u32>,
}

/// Counters of the filter cache, of one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterCacheStats {
    /// Bytes that its sets take.
    pub memory_bytes: u64,
    /// Times a set was there, by segment.
    pub hits: u64,
    /// Times it was not.
    pub misses: u64,
    /// Sets kept now.
    pub entries: u64,
    /// Sets ever kept.
    pub entries_ever: u64,
}

impl FilterCacheStats {
    /// Sets that were given up, be it that their segment went. Another node's figures need not fit each other.
    pub fn evictions(&self) -> u64 {
        self.entries_ever.saturating_sub(self.entries)
    }

    /// Adds another shard's.
    pub fn add(&mut self, more: &FilterCacheStats) {
        self.memory_bytes += more.memory_bytes;
        self.hits += more.hits;
        self.misses += more.misses;
        self.entries += more.entries;
        self.entries_ever += more.entries_ever;
    }
}

impl ShardFilters {
    /// Remembers that a search uses a filter.
    pub(crate) fn use_one(&self, key: &FilterKey) {
        let hash = hash64(key.bytes());
        let mut recent = self.recent.lock();
        let Recent { order, counts } = &mut *recent;
        order.push_back(hash);
        *counts.entry(hash).or_default() += 1;
        if order.len() > REMEMBERED
            && let Some(oldest) = order.pop_front()
            && let Some(count) = counts.get_mut(&oldest)
        {
            *count -= 1;
            if *count == 0 {
                counts.remove(&oldest);
            }
        }
    }

    /// How often the filter is among those used last.
    pub(crate) fn uses(&self, key: &FilterKey) -> u32 {
        let recent = self.recent.lock();
        recent
            .counts
            .get(&hash64(key.bytes()))
            .copied()
            .unwrap_or(0)
    }

    /// Counts a question.
    pub(crate) fn asked(&self, found: bool) {
        let counter = if found { &self.hits } else { &self.misses };
        counter.fetch_add(1, Relaxed);
    }

    /// Counters so far.
    pub fn stats(&self) -> FilterCacheStats {
        let entries = self.entries.load(Relaxed);
        FilterCacheStats {
            memory_bytes: self.bytes.load(Relaxed),
            hits: self.hits.load(Relaxed),
            misses: self.misses.load(Relaxed),
            entries,
            // read later, so that it is not less
            entries_ever: self.entries_ever.load(Relaxed).max(entries),
        }
    }

    fn add(&self, bytes: u64) {
        self.entries_ever.fetch_add(1, Relaxed);
        self.entries.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    fn remove(&self, bytes: u64) {
        self.entries.fetch_sub(1, Relaxed);
        self.bytes.fetch_sub(bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> FilterKey {
        FilterKey::new(name.as_bytes())
    }

    fn set(docs: u32) -> Arc<DocSet> {
        Arc::new(DocSet::List((0..docs).collect()))
    }

    #[test]
    fn what_was_asked_for_longest_ago_goes_first() {
        let cache = FilterCache::new(3 * (ENTRY_BYTES + 41));
        let shard = Arc::new(ShardFilters::default());
        for name in ["a", "b", "c"] {
            cache.put(1, &key(name), set(10), shard.clone());
        }
        assert!(cache.get(1, &key("a")).is_some());
        cache.put(2, &key("a"), set(10), shard.clone());
        let is_kept = |reader, name| cache.get(reader, &key(name)).is_some();
        assert!(!is_kept(1, "b"), "it was used longest ago");
        assert!(is_kept(1, "a") && is_kept(1, "c") && is_kept(2, "a"));
        let stats = shard.stats();
        assert_eq!((stats.entries, stats.evictions()), (3, 1));
        assert_eq!(stats.memory_bytes, cache.used_bytes());
        cache.set_limit(cache.used_bytes() - 1);
        assert_eq!(shard.stats().entries, 2);
    }

    #[test]
    fn a_segment_takes_its_sets_along_and_no_others() {
        let cache = FilterCache::new(1 << 20);
        let shard = Arc::new(ShardFilters::default());
        cache.put(1, &key("a"), set(10), shard.clone());
        cache.put(2, &key("a"), set(20), shard.clone());
        cache.forget(1);
        assert!(cache.get(1, &key("a")).is_none());
        assert_eq!(cache.get(2, &key("a")).map(|set| set.len()), Some(20));
        cache.forget(2);
        assert_eq!((cache.used_bytes(), shard.stats().memory_bytes), (0, 0));
        assert_eq!(shard.stats().evictions(), 2);
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_kept() {
        let cache = FilterCache::new(1000);
        let shard = Arc::new(ShardFilters::default());
        cache.put(1, &key("small"), set(1), shard.clone());
        cache.put(1, &key("large"), set(1000), shard.clone());
        assert!(cache.get(1, &key("large")).is_none());
        assert!(cache.get(1, &key("small")).is_some(), "nothing made way");
    }

    #[test]
    fn only_the_last_uses_count() {
        let shard = ShardFilters::default();
        for _ in 0..3 {
            shard.use_one(&key("often"));
        }
        for number in 0..REMEMBERED - 2 {
            shard.use_one(&key(&number.to_string()));
        }
        assert_eq!(shard.uses(&key("often")), 2);
        assert_eq!(shard.uses(&key("5")), 1);
        shard.use_one(&key("5"));
        shard.use_one(&key("5"));
        assert_eq!((shard.uses(&key("often")), shard.uses(&key("5"))), (0, 3));
    }
}
