//! What a shard counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::segment::FilterCacheStats;

/// How often something was done, and how long it took in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationStats {
    /// Times.
    pub total: u64,
    /// Times it was refused.
    pub failed: u64,
    /// Milliseconds.
    pub time_ms: u64,
    /// Under way now.
    pub current: u64,
}

/// The translog's part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranslogStats {
    /// Operations in the files that recovery would replay.
    pub operations: u64,
    /// Bytes of the files that recovery would replay; older files kept for other copies are not counted.
    pub size_bytes: u64,
    /// Operations that no commit point holds yet.
    pub uncommitted_operations: u64,
    /// Bytes of those.
    pub uncommitted_bytes: u64,
    /// Milliseconds since the oldest file kept was begun.
    pub earliest_age_ms: u64,
}

/// Searches of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchStats {
    /// Finding.
    pub query: OperationStats,
    /// Reading what was found.
    pub fetch: OperationStats,
    /// Scrolls: `total` counts those that ended, `time_ms` is how long they were open.
    pub scroll: OperationStats,
    /// Points in time, in the same way.
    pub point_in_time: OperationStats,
    /// Readers that are open now, for whatever purpose.
    pub open_contexts: u64,
}

/// Counters of one shard copy, since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardStats {
    /// Live documents a search sees.
    pub docs: u64,
    /// Dead documents still in segments.
    pub deleted: u64,
    /// Bytes of all segments, in memory or on disk, and of the translog.
    pub store_bytes: u64,
    /// Documents put.
    pub indexing: OperationStats,
    /// Documents removed.
    pub deletes: OperationStats,
    /// Updates that changed nothing.
    pub noops: u64,
    /// Lookups that found the document.
    pub get_exists: OperationStats,
    /// Lookups that did not.
    pub get_missing: OperationStats,
    /// Refreshes.
    pub refresh: OperationStats,
    /// Flushes.
    pub flush: OperationStats,
    /// Merges.
    pub merge: OperationStats,
    /// Documents merged.
    pub merge_docs: u64,
    /// Bytes merged.
    pub merge_bytes: u64,
    /// Searches; counted by whoever runs them, zero from the shard itself.
    pub search: SearchStats,
    /// Searches by the groups that they named.
    pub search_groups: BTreeMap<String, SearchStats>,
    /// Segments, also those that no search sees yet.
    pub segments: u64,
    /// Bytes of those.
    pub segments_bytes: u64,
    /// Memory of documents not refreshed yet, in bytes.
    pub buffer_bytes: u64,
    /// Memory of loaded fielddata, in bytes, by field.
    pub fielddata: BTreeMap<String, u64>,
    /// The filter cache.
    pub filter_cache: FilterCacheStats,
    /// Memory of the live version map, in bytes, roughly.
    pub version_map_bytes: u64,
    /// Highest number given.
    pub max_seq_no: i64,
    /// All operations up to this one are durable here.
    pub local_checkpoint: i64,
    /// All operations up to this one are durable on every in-sync copy.
    pub global_checkpoint: i64,
    /// The translog.
    pub translog: TranslogStats,
}

/// One segment in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentSummary {
    /// `_` and the generation in base 36.
    pub name: String,
    /// Order in which it came to be in this shard.
    pub generation: u64,
    /// Live documents.
    pub docs: u64,
    /// Dead documents.
    pub deleted: u64,
    /// Bytes of its file.
    pub size_bytes: u64,
    /// Part of the last commit point.
    pub committed: bool,
    /// Seen by searches.
    pub search: bool,
}

impl ShardStats {
    /// Memory of all loaded fielddata, in bytes.
    pub fn fielddata_bytes(&self) -> u64 {
        self.fielddata.values().sum()
    }
}
