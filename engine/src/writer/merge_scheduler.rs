//! Merges run aside: on their own threads, below searches in priority, throttled, beside writes and deletes.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use roaring::RoaringBitmap;

use super::flush::{StampingWriter, open_written, remove_if_there};
use super::merge::{MergeOutcome, merge_segments};
use super::merge_policy::{Candidate, TieredPolicy};
use crate::directory::FileWriter;
use crate::schema::Reorder;
use crate::segment::{LiveDocs, MergeError, SegmentReader};
use crate::shard::commit::{FileStamp, segment_name};
use crate::shard::inner::{Backing, Inner, SegmentEntry, View};
use crate::shard::versions::SourceKey;
use crate::shard::{CopyRole, ShardError};

/// Background merges of all shards of this process together.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
/// How much below others a merge thread runs.
const NICENESS: i32 = 10;

/// Wait after a merge that failed.
const PAUSE_MS: i64 = 30_000;

/// One place in [`RUNNING`], and a shard's mark that a merge thread runs; given back however the thread ends.
struct MergePlace {
    inner: Arc<Inner>,
}

impl Drop for MergePlace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a merge panicked");
            self.inner.pause_merges();
        }
        self.inner.merge_running.store(false, Ordering::SeqCst);
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What decides the next merge.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MergeGoal {
    /// The policy.
    Policy,
    /// At most so many segments.
    MaxSegments(usize),
    /// No segment with many dead documents.
    Expunge,
}

impl Inner {
    /// Starts a merge thread when there is something to merge, none runs for this shard, and the process has a
    /// place for one more.
    pub(crate) fn start_merging(self: &Arc<Self>) {
        if !self.options.background_merges || self.next_merge(MergeGoal::Policy).is_none() {
            return;
        }
        let places =
            std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        let free = |running: usize| (running < places).then_some(running + 1);
        if self.merge_running.swap(true, Ordering::SeqCst) {
            return;
        }
        if RUNNING
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, free)
            .is_err()
        {
            self.merge_running.store(false, Ordering::SeqCst);
            return;
        }
        let place = MergePlace {
            inner: self.clone(),
        };
        let work = move || {
            let inner = &place.inner;
            // Failing to be nice is no reason not to merge.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            let throttle = inner.options.merge_bytes_per_second;
            while let Ok(true) = inner.merge_once(MergeGoal::Policy, Some(throttle)) {}
        };
        let spawned = std::thread::Builder::new()
            .name("merge".to_owned())
            .spawn(work);
        if let Err(error) = spawned {
            tracing::warn!(%error, "no merge thread could be started");
        }
    }

    /// No merge by itself for a while: the last one failed.
    fn pause_merges(&self) {
        let later = self.clock.now_ms().saturating_add(PAUSE_MS);
        self.next_merge_ms.store(later, Ordering::Relaxed);
    }

    fn next_merge(&self, goal: MergeGoal) -> Option<Vec<SourceKey>> {
        if self.role.get() != CopyRole::Primary {
            return None;
        }
        let view = self.view.load();
        let candidates: Vec<Candidate> = view
            .segments
            .iter()
            .map(|entry| Candidate {
                key: entry.key,
                bytes: entry.reader.size_bytes(),
                max_doc: entry.reader.max_doc(),
                deleted: entry.reader.max_doc() - entry.live_count(),
            })
            .collect();
        let policy = TieredPolicy::of(&self.schema.load().settings);
        match goal {
            MergeGoal::Policy => policy.next_merge(&candidates),
            MergeGoal::MaxSegments(count) => policy.next_forced_merge(&candidates, count),
            MergeGoal::Expunge => policy.next_expunge(&candidates),
        }
    }

    /// Merges until the goal is reached.
    pub(crate) fn merge_to(&self, goal: MergeGoal) -> Result<(), ShardError> {
        while self.merge_once(goal, None)? {}
        Ok(())
    }

    /// Does the next merge towards a goal; false when there is none.
    pub(crate) fn merge_once(
        &self,
        goal: MergeGoal,
        bytes_per_second: Option<u64>,
    ) -> Result<bool, ShardError> {
        let _merging = self.merging.lock();
        self.check()?;
        let Some(keys) = self.next_merge(goal) else {
            return Ok(false);
        };
        let inputs: Vec<SegmentEntry> = {
            let view = self.view.load();
            let chosen = view
                .segments
                .iter()
                .filter(|entry| keys.contains(&entry.key));
            chosen.cloned().collect()
        };
        if inputs.is_empty() {
            return Ok(false);
        }
        let outcome = self
            .counters
            .merge
            .measure(&*self.clock, || self.merge(&inputs, bytes_per_second));
        match &outcome {
            Ok(()) | Err(ShardError::Closed) => {}
            // Damage: what is written from now on would stand on bytes that are wrong.
            Err(error @ (ShardError::Read(_) | ShardError::Corrupt { .. })) => self.fail(error),
            Err(error) => {
                tracing::error!(%error, segments = inputs.len(), "a merge failed");
                self.pause_merges();
            }
        }
        outcome.map(|()| true)
    }

    fn merge(
        &self,
        inputs: &[SegmentEntry],
        bytes_per_second: Option<u64>,
    ) -> Result<(), ShardError> {
        let name = format!("unfinished-merge-{:016x}", inputs[0].key);
        let read: Vec<_> = inputs
            .iter()
            .map(|entry| (entry.reader.clone(), entry.live.clone()))
            .collect();
        let directory = &*self.directory;
        remove_if_there(directory, &name).map_err(ShardError::io(&name))?;
        let file = directory.create(&name).map_err(ShardError::io(&name))?;
        let throttled = Throttled {
            file,
            bytes_per_second,
            since: Instant::now(),
            bytes: 0,
        };
        let mut out = StampingWriter::new(BufWriter::with_capacity(1 << 18, throttled));
        let docs: u64 = inputs.iter().map(|i| u64::from(i.live_count())).sum();
        let reorder = match docs >= self.options.reorder_docs_min {
            true => self.schema.load().settings.reorder,
            false => Reorder::None,
        };
        let merged = merge_segments(&read, reorder, &mut out, &self.merge_cancel);
        let written = merged.map_err(|error| match error {
            MergeError::Cancelled => ShardError::Closed,
            MergeError::Read(error) => ShardError::Read(error),
            MergeError::Write(source) => ShardError::Io {
                file: name.clone(),
                source,
            },
            MergeError::TooLarge(_) => ShardError::Io {
                file: name.clone(),
                source: io::Error::other(error.to_string()),
            },
        });
        let finished = written.and_then(|outcome| {
            let (out, stamp) = out.finish();
            if outcome.max_doc == 0 {
                return Ok((outcome, None));
            }
            let segment = segment_name(outcome.id);
            let finish = || {
                let mut throttled = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                throttled.file.sync()?;
                directory.rename(&name, &segment)
            };
            finish().map_err(ShardError::io(&name))?;
            let reader = open_written(directory, outcome.id, &segment)?;
            Ok((outcome, Some((reader, stamp))))
        });
        match finished {
            Ok((outcome, made)) => {
                if made.is_none() {
                    remove_if_there(directory, &name).map_err(ShardError::io(&name))?;
                }
                self.counters.merge_docs.fetch_add(docs, Ordering::Relaxed);
                let bytes: u64 = inputs.iter().map(|i| i.reader.size_bytes()).sum();
                self.counters
                    .merge_bytes
                    .fetch_add(bytes, Ordering::Relaxed);
                self.publish_merge(inputs, outcome, made);
                Ok(())
            }
            Err(error) => {
                // Gives the room back; what fails here is swept at the next open.
                let _ = remove_if_there(directory, &name);
                Err(error)
            }
        }
    }

    /// Puts the merged segment in the place of its inputs. Documents that died meanwhile die in it too.
    fn publish_merge(
        &self,
        inputs: &[SegmentEntry],
        outcome: MergeOutcome,
        made: Option<(Arc<SegmentReader>, FileStamp)>,
    ) {
        let mut publishing = self.publishing.lock();
        // No operation is between finding a document in an input and noting that it died.
        let _gate = self.gate.write();
        let _half_done = self.fail_on_panic("the end of a merge");
        let view = View::clone(&self.view.load());
        let visible_is_current = self.visible.load().reader.generation == view.reader.generation;
        let key = publishing.next_key;
        publishing.next_key += 1;
        let mut pending = self.pending_deletes.lock();
        let mut died = RoaringBitmap::new();
        let mut dying = RoaringBitmap::new();
        for (input, doc_map) in inputs.iter().zip(&outcome.doc_map) {
            match view.segments.iter().find(|entry| entry.key == input.key) {
                Some(now) => died |= moved(input, now.live.as_deref(), doc_map),
                // It lost its last document and left the list.
                None => died.extend(doc_map.iter().filter(|doc| **doc != u32::MAX)),
            }
            for doc in pending.remove(&input.key).unwrap_or_default() {
                match doc_map.get(doc as usize) {
                    Some(&new) if new != u32::MAX => {
                        dying.insert(new);
                    }
                    _ => {}
                }
            }
        }
        if !dying.is_empty() {
            pending.insert(key, dying);
        }
        drop(pending);
        let merged: HashMap<SourceKey, ()> = inputs.iter().map(|i| (i.key, ())).collect();
        let place = view
            .segments
            .iter()
            .position(|entry| merged.contains_key(&entry.key))
            .unwrap_or(view.segments.len());
        let (gone, mut segments): (Vec<_>, Vec<_>) = view
            .segments
            .into_iter()
            .partition(|entry| merged.contains_key(&entry.key));
        if let Some((reader, stamp)) = made {
            let live = (!died.is_empty()).then(|| Arc::new(LiveDocs::new(reader.max_doc(), died)));
            let ordinal = publishing.next_ordinal;
            publishing.next_ordinal += 1;
            let entry = SegmentEntry {
                key,
                ordinal,
                reader,
                live,
                backing: Backing::File(stamp),
                live_file: None,
                live_stamp: Arc::default(),
            };
            segments.insert(place.min(segments.len()), entry);
        }
        self.bury_segments(&gone);
        self.bury_dead(&mut segments);
        publishing.generation += 1;
        let schema = view.reader.schema.clone();
        let view = Arc::new(View::new(
            segments,
            schema,
            publishing.generation,
            view.reach,
            &self.filters,
        ));
        if visible_is_current {
            self.visible.store(view.clone());
        }
        self.view.store(view);
    }
}

/// Documents alive when the merge began and dead now, by their new numbers.
fn moved(input: &SegmentEntry, now: Option<&LiveDocs>, doc_map: &[u32]) -> RoaringBitmap {
    let Some(now) = now else {
        return RoaringBitmap::new();
    };
    let mut died = now.deleted().clone();
    if let Some(before) = &input.live {
        died -= before.deleted();
    }
    let new = died
        .iter()
        .filter_map(|doc| doc_map.get(doc as usize).copied());
    new.filter(|doc| *doc != u32::MAX).collect()
}

/// Slows a merge down to so many bytes a second, so that searches keep the disk.
struct Throttled {
    file: Box<dyn FileWriter>,
    bytes_per_second: Option<u64>,
    since: Instant,
    bytes: u64,
}

impl Write for Throttled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(rate) = self.bytes_per_second {
            let due = Duration::from_secs_f64(self.bytes as f64 / rate.max(1) as f64);
            let ahead = due.saturating_sub(self.since.elapsed());
            if !ahead.is_zero() {
                std::thread::sleep(ahead.min(Duration::from_secs(1)));
            }
        }
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::directory::faulty::Disk;
    use crate::ids::PrimaryTerm;
    use crate::schema::IndexSchema;
    use crate::shard::{
        DeleteOp, GetOptions, IndexOp, ManualClock, Origin, ShardOptions, ShardParts, VersionCheck,
    };

    fn shard() -> Inner {
        let disk = Disk::new();
        let mapping: BTreeMap<String, String> = BTreeMap::new();
        let schema = IndexSchema::new(&crate::document::MappingUpdate::Null, &mapping).unwrap();
        crate::shard::open_inner(ShardParts {
            directory: disk.directory("index"),
            translog: disk.directory("translog"),
            schema: Arc::new(schema),
            clock: Arc::new(ManualClock::default()),
            primary_term: PrimaryTerm(1),
            options: ShardOptions {
                background_merges: false,
                ..ShardOptions::default()
            },
            allocation_id: "a".to_owned(),
            role: CopyRole::Primary,
            alone: true,
            create: true,
        })
        .unwrap()
    }

    fn put(shard: &Inner, id: &str) {
        let op = IndexOp {
            id: id.to_owned(),
            routing: None,
            source: "{}".into(),
            version: VersionCheck::Internal,
            create_only: false,
            origin: Origin::Primary,
        };
        shard.index(op).unwrap();
    }

    fn remove(shard: &Inner, id: &str) {
        let op = DeleteOp {
            id: id.to_owned(),
            version: VersionCheck::Internal,
            origin: Origin::Primary,
        };
        shard.delete(op).unwrap();
    }

    #[test]
    fn documents_that_die_during_a_merge_stay_dead() {
        let shard = shard();
        for ids in [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]] {
            ids.iter().for_each(|id| put(&shard, id));
            shard.refresh().unwrap();
        }
        remove(&shard, "a");
        shard.refresh().unwrap();
        // The merge begins; what happens from here on it cannot know.
        let inputs = shard.view.load().segments.clone();
        for id in ["b", "g", "h", "i"] {
            remove(&shard, id);
        }
        put(&shard, "d");
        shard.refresh().unwrap();
        remove(&shard, "e");
        shard.merge(&inputs, None).unwrap();
        let alive = |id: &str| shard.get(id, GetOptions::default()).unwrap().is_some();
        let visible = |shard: &Inner| shard.visible.load().reader.doc_count();
        assert_eq!(visible(&shard), 4, "c, d, f, and e until the next refresh");
        shard.refresh().unwrap();
        assert_eq!(visible(&shard), 3);
        for id in ["a", "b", "c", "d", "e", "f", "g", "h", "i"] {
            assert_eq!(alive(id), ["c", "d", "f"].contains(&id), "{id}");
        }
        assert_eq!(shard.view.load().segments.len(), 2);
    }
}
