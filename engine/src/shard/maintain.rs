//! What a shard does by itself, and how it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::ShardError;
use super::inner::Inner;
use crate::schema::IndexSchema;
use crate::translog::{JournalError, Location};

/// Without writes for so long, what is in the translog is flushed.
const FLUSH_AFTER_IDLE: Duration = Duration::from_secs(300);
/// Wait after a flush that failed, and between rounds of forgetting deletes.
const PAUSE: Duration = Duration::from_secs(5);

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// See [`Shard::maintain`](super::Shard::maintain).
pub(super) fn maintain(inner: &Arc<Inner>) -> Result<(), ShardError> {
    inner.check()?;
    let now = inner.clock.now_ms();
    let schema = inner.schema.load_full();
    let settings = &schema.settings;
    let since = |then: i64| now.saturating_sub(then);
    let refreshed = inner.last_refresh_ms.load(Ordering::Relaxed);
    if let Some(interval) = settings.refresh_interval
        && since(refreshed) >= ms(interval)
        && inner.needs_refresh()
    {
        inner.refresh()?;
    }
    let synced = inner.last_sync_ms.load(Ordering::Relaxed);
    if since(synced) >= ms(settings.sync_interval) {
        inner.last_sync_ms.store(now, Ordering::Relaxed);
        inner.note_progress()?;
        if inner.translog.has_unsynced() {
            inner.sync_translog()?;
        }
    }
    if since(inner.last_gc_ms.load(Ordering::Relaxed)) >= ms(PAUSE) {
        inner.last_gc_ms.store(now, Ordering::Relaxed);
        let oldest = now.saturating_sub(ms(settings.gc_deletes));
        let settled = inner.checkpoints.processed();
        inner.versions.forget_deletes_before(oldest, settled);
    }
    if now >= inner.next_merge_ms.load(Ordering::Relaxed) {
        inner.start_merging();
    }
    if !inner.graveyard.lock().is_empty()
        && let Some(flushing) = inner.flushing.try_lock()
    {
        inner.sweep(&flushing);
    }
    Ok(())
}

/// See [`Shard::flush_if_due`](super::Shard::flush_if_due).
pub(super) fn flush_if_due(inner: &Arc<Inner>) -> Result<(), ShardError> {
    inner.check()?;
    let now = inner.clock.now_ms();
    let threshold_bytes = inner.schema.load().settings.flush_threshold_bytes;
    if now >= inner.next_flush_ms.load(Ordering::Relaxed)
        && flush_is_due(inner, threshold_bytes, now)
        && let Err(error) = inner.flush(false, false)
    {
        inner.pause_flushes(now);
        return Err(error);
    }
    Ok(())
}

fn flush_is_due(inner: &Inner, threshold_bytes: u64, now: i64) -> bool {
    let committed_to = inner.committed.load().translog_generation;
    let uncommitted = inner.translog.size_from(committed_to);
    let idle = now.saturating_sub(inner.last_write_ms.load(Ordering::Relaxed));
    uncommitted.bytes >= threshold_bytes
        || inner.view.load().memory_bytes() >= inner.options.memory_segments_bytes_max
        || (uncommitted.operations > 0 && idle >= ms(FLUSH_AFTER_IDLE))
}

impl Inner {
    pub fn needs_refresh(&self) -> bool {
        self.unrefreshed.load(Ordering::SeqCst) > 0
            || self.view.load().reader.generation != self.visible.load().reader.generation
    }

    /// No flush by itself for a while: the last one failed.
    pub fn pause_flushes(&self, now_ms: i64) {
        let later = now_ms.saturating_add(ms(PAUSE));
        self.next_flush_ms.store(later, Ordering::Relaxed);
    }

    pub fn update_schema(&self, schema: Arc<IndexSchema>) {
        self.schema.store(schema);
        // Nothing to index, but a search must see the new mapping.
        self.unrefreshed.fetch_add(1, Ordering::SeqCst);
    }

    pub fn ensure_synced(&self, location: Location) -> Result<(), JournalError> {
        let outcome = self.translog.sync(location);
        self.after_sync(outcome)
    }

    pub fn sync_translog(&self) -> Result<(), JournalError> {
        let outcome = self.translog.sync_all();
        self.after_sync(outcome)
    }

    fn after_sync(&self, outcome: Result<(), JournalError>) -> Result<(), JournalError> {
        match outcome {
            Ok(()) => {
                self.note_durable();
                Ok(())
            }
            Err(error) => {
                if !self.closed.load(Ordering::SeqCst) {
                    self.fail(&error);
                }
                Err(error)
            }
        }
    }

    /// See [`Shard::close`](super::Shard::close).
    pub fn close(&self) -> Result<(), ShardError> {
        if self.closed.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.merge_cancel.store(true, Ordering::SeqCst);
        // Ends when the merge thread notices.
        let _merging = self.merging.lock();
        // Two may have come at once.
        if self.closed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let healthy = self.failure().is_none();
        let flushed = if healthy {
            self.flush(false, true)
        } else {
            Ok(false)
        };
        {
            // A flush under way writes to the folder, which may be opened anew as soon as this returns.
            let _flushing = self.flushing.lock();
            let _gate = self.gate.write();
            self.closed.store(true, Ordering::SeqCst);
        }
        self.drop_listeners();
        // The same holds for syncs. What the translog of a failed shard has is what the next open begins with.
        let ended = self.translog.close();
        if healthy {
            // A flush that failed lost nothing as long as this succeeds.
            ended?;
        }
        flushed.map(|_| ())
    }
}
