//! What surrounds one search on one shard.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::{MemoryAccount, SearchError, TermStatistics};

/// Limits and names that a search needs besides its request.
#[derive(Clone, Copy, Debug)]
pub struct SearchContext<'a> {
    /// What `now` means in dates, in milliseconds since the epoch.
    pub now_ms: i64,
    /// When to stop and answer with what was found; `None`: never.
    pub deadline: Option<Instant>,
    /// Set by whoever gave up on the answer; the search then fails with [`SearchError::Cancelled`].
    pub cancelled: &'a AtomicBool,
    /// Pays for what the search holds in memory.
    pub memory: &'a MemoryAccount,
    /// Name of the index, which `_index` queries and error texts show.
    pub index_name: &'a str,
    /// Statistics of all shards together in place of the shard's own.
    pub statistics: Option<&'a TermStatistics>,
    /// Number of the shard in its index.
    pub shard: u32,
    /// Number of shards of the index.
    pub shard_count: u32,
    /// `indices.query.bool.max_clause_count`.
    pub max_clause_count: usize,
    /// `indices.query.bool.max_nested_depth`.
    pub max_nested_depth: usize,
    /// `search.allow_expensive_queries`.
    pub allow_expensive_queries: bool,
    /// `search.max_buckets`.
    pub max_buckets: u64,
}

impl<'a> SearchContext<'a> {
    /// A context without deadline, with the default limits, for an index of one shard.
    pub fn new(
        index_name: &'a str,
        now_ms: i64,
        cancelled: &'a AtomicBool,
        memory: &'a MemoryAccount,
    ) -> Self {
        SearchContext {
            now_ms,
            deadline: None,
            cancelled,
            memory,
            index_name,
            statistics: None,
            shard: 0,
            shard_count: 1,
            max_clause_count: 1024,
            max_nested_depth: 20,
            allow_expensive_queries: true,
            max_buckets: crate::aggs::MAX_BUCKETS_DEFAULT,
        }
    }

    /// Whether the deadline has passed.
    pub fn timed_out(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// An error once the search was cancelled.
    pub fn check_cancelled(&self) -> Result<(), SearchError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(SearchError::Cancelled);
        }
        Ok(())
    }
}
