//! Counters and listings of an open shard.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering::Relaxed;

use super::OpenShardError;
use super::commit::{io_error, live_docs_name, newest_commit};
use super::inner::{Inner, View};
use super::{SearchStats, SegmentSummary, ShardStats, TranslogStats};
use crate::directory::Directory;
use crate::segment::LiveDocs;

pub(super) fn stats(inner: &Inner) -> ShardStats {
    let reader = inner.visible.load().reader.clone();
    let docs = reader.doc_count();
    let view = inner.view.load();
    let held: u64 = view.segments.iter().map(|s| s.reader.size_bytes()).sum();
    let all = inner.translog.size_from(0);
    let committed_to = inner.committed.load().translog_generation;
    let uncommitted = inner.translog.size_from(committed_to);
    let age = inner.clock.now_ms() - inner.last_flush_ms.load(Relaxed);
    ShardStats {
        docs,
        deleted: reader.max_doc() - docs,
        store_bytes: held + all.bytes,
        indexing: inner.counters.index.get(),
        deletes: inner.counters.delete.get(),
        noops: inner.counters.noops.load(Relaxed),
        get_exists: inner.counters.get_exists.get(),
        get_missing: inner.counters.get_missing.get(),
        refresh: inner.counters.refresh.get(),
        flush: inner.counters.flush.get(),
        merge: inner.counters.merge.get(),
        merge_docs: inner.counters.merge_docs.load(Relaxed),
        merge_bytes: inner.counters.merge_bytes.load(Relaxed),
        search: SearchStats::default(),
        search_groups: BTreeMap::new(),
        segments: view.segments.len() as u64,
        segments_bytes: held,
        buffer_bytes: inner.buffer_bytes() as u64,
        fielddata: fielddata(&view),
        filter_cache: view.reader.filters.stats(),
        version_map_bytes: inner.versions.bytes_used(),
        max_seq_no: inner.checkpoints.max().0,
        local_checkpoint: inner.checkpoints.persisted().0,
        global_checkpoint: inner.checkpoints.global().0,
        translog: TranslogStats {
            operations: uncommitted.operations,
            size_bytes: uncommitted.bytes,
            uncommitted_operations: uncommitted.operations,
            uncommitted_bytes: uncommitted.bytes,
            earliest_age_ms: u64::try_from(age).unwrap_or(0),
        },
    }
}

fn fielddata(view: &View) -> BTreeMap<String, u64> {
    let mut by_field = BTreeMap::new();
    for entry in &view.segments {
        for (path, bytes) in entry.reader.fielddata_loaded() {
            *by_field.entry(path.to_string()).or_default() += bytes;
        }
    }
    by_field
}

/// What a shard that is not open holds, by its last commit point: documents, segments and bytes on disk.
pub(super) fn closed(directory: &dyn Directory) -> Result<ShardStats, OpenShardError> {
    let (commit, len) = newest_commit(directory)?;
    let mut stats = ShardStats {
        store_bytes: len,
        segments: commit.segments.len() as u64,
        max_seq_no: commit.max_seq_no.0,
        local_checkpoint: commit.local_checkpoint.0,
        global_checkpoint: commit.local_checkpoint.0,
        ..ShardStats::default()
    };
    for segment in &commit.segments {
        let mut deleted = 0;
        if let Some(live) = segment.live {
            let name = live_docs_name(segment.id, live.generation);
            let bytes = directory.open(&name).map_err(io_error(&name))?;
            let live = LiveDocs::decode(segment.id, segment.max_doc, &bytes)
                .map_err(|source| OpenShardError::Segment { file: name, source })?;
            deleted = u64::from(live.deleted_count());
            stats.store_bytes += bytes.len() as u64;
        }
        stats.docs += u64::from(segment.max_doc).saturating_sub(deleted);
        stats.deleted += deleted;
        stats.segments_bytes += segment.file.len;
    }
    stats.store_bytes += stats.segments_bytes;
    Ok(stats)
}

pub(super) fn segments(inner: &Inner) -> Vec<SegmentSummary> {
    let commit = inner.committed.load();
    let committed: HashSet<_> = commit.segments.iter().map(|s| s.id).collect();
    let visible = inner.visible.load();
    let searched: HashSet<_> = visible
        .reader
        .segments
        .iter()
        .map(|s| s.reader.id())
        .collect();
    let view = inner.view.load();
    let summary = |entry: &super::inner::SegmentEntry| {
        let live = u64::from(entry.live_count());
        SegmentSummary {
            name: format!("_{}", base36(entry.ordinal)),
            generation: entry.ordinal,
            docs: live,
            deleted: u64::from(entry.reader.max_doc()) - live,
            size_bytes: entry.reader.size_bytes(),
            committed: committed.contains(&entry.reader.id()),
            search: searched.contains(&entry.reader.id()),
        }
    };
    view.segments.iter().map(summary).collect()
}

/// An ordinal as names of segments have it.
pub(crate) fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(number % 36).expect("below 36");
        digits.push(char::from_digit(digit, 36).expect("below 36"));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::base36;

    #[test]
    fn numbers_are_written_to_base_36() {
        let shown: Vec<_> = [0, 9, 10, 35, 36, 1295].map(base36).to_vec();
        assert_eq!(shown, ["0", "9", "a", "z", "10", "zz"]);
    }
}
