//! Counters that threads add to.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::{Clock, OperationStats};

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub index: Counter,
    pub delete: Counter,
    pub noops: AtomicU64,
    pub get_exists: Counter,
    pub get_missing: Counter,
    pub refresh: Counter,
    pub flush: Counter,
    pub merge: Counter,
    pub merge_docs: AtomicU64,
    pub merge_bytes: AtomicU64,
}

/// Times something was done, and how long it took.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    total: AtomicU64,
    failed: AtomicU64,
    nanos: AtomicU64,
    current: AtomicU64,
}

impl Counter {
    /// Does it, and counts it.
    pub fn measure<T, E>(
        &self,
        clock: &dyn Clock,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let start = clock.monotonic();
        self.current.fetch_add(1, Relaxed);
        let outcome = work();
        self.current.fetch_sub(1, Relaxed);
        match outcome {
            Ok(_) => self.add(clock.monotonic().saturating_sub(start)),
            Err(_) => {
                self.failed.fetch_add(1, Relaxed);
            }
        }
        outcome
    }

    pub fn add(&self, took: Duration) {
        self.total.fetch_add(1, Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Relaxed);
    }

    pub fn get(&self) -> OperationStats {
        OperationStats {
            total: self.total.load(Relaxed),
            failed: self.failed.load(Relaxed),
            time_ms: self.nanos.load(Relaxed) / 1_000_000,
            current: self.current.load(Relaxed),
        }
    }
}
