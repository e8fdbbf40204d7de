//! How far a recovery is, for people.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::data::service::RecoverySummary;

/// Where a recovery stands, in OpenSearch's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Asking the primary.
    Init,
    /// Copying segments.
    Index,
    /// Taking operations.
    Translog,
    /// Waiting to be in sync.
    Finalize,
    /// Over.
    Done,
}

impl Stage {
    /// As `_cat/recovery` shows it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Init => "init",
            Stage::Index => "index",
            Stage::Translog => "translog",
            Stage::Finalize => "finalize",
            Stage::Done => "done",
        }
    }
}

/// A recovery, running or over.
#[derive(Debug)]
pub struct Recovery {
    /// `EMPTY_STORE`, `EXISTING_STORE`, `LOCAL_SHARDS` or `PEER`.
    kind: &'static str,
    /// When it began, in ms since the epoch.
    began_ms: i64,
    /// The node that the data comes from, if it is another one.
    source_node: Option<String>,
    state: Mutex<(Stage, Duration)>,
    files: AtomicU64,
    files_lacking: AtomicU64,
    files_recovered: AtomicU64,
    bytes: AtomicU64,
    bytes_recovered: AtomicU64,
    bytes_reused: AtomicU64,
    operations: AtomicU64,
    throttled_ms: AtomicU64,
}

impl Recovery {
    /// One that begins.
    pub fn begin(kind: &'static str, began_ms: i64, source_node: Option<String>) -> Recovery {
        Recovery {
            kind,
            began_ms,
            source_node,
            state: Mutex::new((Stage::Init, Duration::ZERO)),
            files: AtomicU64::new(0),
            files_lacking: AtomicU64::new(0),
            files_recovered: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            bytes_recovered: AtomicU64::new(0),
            bytes_reused: AtomicU64::new(0),
            operations: AtomicU64::new(0),
            throttled_ms: AtomicU64::new(0),
        }
    }

    /// Enters a stage, so long after the beginning.
    pub fn enter(&self, stage: Stage, took: Duration) {
        *self.state.lock() = (stage, took);
    }

    /// What there is, how many files are lacking, and what is here already. Counts begin anew: it is of the last try.
    pub fn plan(&self, files: u64, files_lacking: u64, bytes: u64, bytes_reused: u64) {
        self.files_recovered.store(0, Ordering::Relaxed);
        self.bytes_recovered.store(0, Ordering::Relaxed);
        self.files.store(files, Ordering::Relaxed);
        self.files_lacking.store(files_lacking, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.bytes_reused.store(bytes_reused, Ordering::Relaxed);
    }

    /// Whether files are in it that were there before.
    pub fn has_reused(&self) -> bool {
        self.bytes_reused.load(Ordering::Relaxed) > 0
    }

    /// Bytes came; `whole`: that file is complete.
    pub fn copied(&self, bytes: u64, whole: bool) {
        self.bytes_recovered.fetch_add(bytes, Ordering::Relaxed);
        self.files_recovered
            .fetch_add(u64::from(whole), Ordering::Relaxed);
    }

    /// Operations came.
    pub fn took_operations(&self, count: u64) {
        self.operations.fetch_add(count, Ordering::Relaxed);
    }

    /// It waited for its share of bytes.
    pub fn throttled(&self, waited: Duration) {
        let waited = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.throttled_ms.fetch_add(waited, Ordering::Relaxed);
    }

    /// As it is now.
    pub fn summary(&self) -> RecoverySummary {
        let (stage, took) = *self.state.lock();
        RecoverySummary {
            kind: self.kind.to_owned(),
            stage: stage.name().to_owned(),
            source_node: self.source_node.clone(),
            began_ms: self.began_ms,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            files: self.files.load(Ordering::Relaxed),
            files_lacking: self.files_lacking.load(Ordering::Relaxed),
            files_recovered: self.files_recovered.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            bytes_recovered: self.bytes_recovered.load(Ordering::Relaxed),
            bytes_reused: self.bytes_reused.load(Ordering::Relaxed),
            operations: self.operations.load(Ordering::Relaxed),
            throttled_ms: self.throttled_ms.load(Ordering::Relaxed),
        }
    }
}
