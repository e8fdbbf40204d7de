//! Flush: segments and live docs are written and synced, a commit point is published, the translog is trimmed.
//!
//! The order makes every crash harmless: a commit point gets its name only when everything it names is on the
//! device, and nothing that the last commit point needs is removed before the next one is.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::directory::Directory;
use crate::ids::{PrimaryTerm, SeqNo};
use crate::random;
use crate::segment::SegmentReader;
use crate::shard::commit::{
    Commit, CommittedLiveDocs, CommittedSegment, FileStamp, UNFINISHED, commit_name,
    live_docs_name, segment_name,
};
use crate::shard::inner::{self, Backing, Flushing, Grave, Inner, Reach, SegmentEntry, View};
use crate::shard::versions::Tombstone;
use crate::shard::{CopyRole, ShardError};

/// Deletes remembered over a restart; the oldest beyond are forgotten before `index.gc_deletes` is over.
pub(crate) const TOMBSTONES_MAX: usize = 100_000;

impl Inner {
    /// See [`Shard::flush`](crate::shard::Shard::flush).
    pub(crate) fn flush(&self, force: bool, wait: bool) -> Result<bool, ShardError> {
        let mut flushing = if wait {
            self.flushing.lock()
        } else {
            match self.flushing.try_lock() {
                Some(flushing) => flushing,
                None => return Ok(false),
            }
        };
        self.flush_holding(&mut flushing, force)
    }

    fn flush_holding(&self, flushing: &mut Flushing, force: bool) -> Result<bool, ShardError> {
        self.check()?;
        let rolled_back = self.following.lock().needs_segments.is_some();
        if rolled_back || (!force && !self.needs_flush(flushing)) {
            return Ok(false);
        }
        let outcome = self
            .counters
            .flush
            .measure(&*self.clock, || self.flush_now(flushing));
        self.sweep(flushing);
        outcome.map(|()| true)
    }

    /// See [`Shard::begin_history`](crate::shard::Shard::begin_history).
    pub(crate) fn begin_history(&self) -> Result<(), ShardError> {
        let mut flushing = self.flushing.lock();
        self.check()?;
        if self.role.get() != CopyRole::Primary {
            return Err(ShardError::NotPrimary);
        }
        let history = random::draw_u128().map_err(ShardError::io("history id"))?;
        let before = std::mem::replace(&mut *self.history_id.lock(), history);
        let flushed = self.flush_holding(&mut flushing, true);
        if flushed.is_err() {
            *self.history_id.lock() = before;
        }
        flushed.map(|_| ())
    }

    /// Bounds the memory of segments that no file has yet: whoever finds twice as much as a flush is due for
    /// flushes, or waits for the one who does.
    pub(crate) fn flush_if_far_behind(&self) -> Result<(), ShardError> {
        let far = self.options.memory_segments_bytes_max.saturating_mul(2);
        let is_far_behind = || self.view.load().memory_bytes() > far;
        if !is_far_behind() {
            return Ok(());
        }
        let mut flushing = self.flushing.lock();
        let now = self.clock.now_ms();
        // Somebody may have flushed meanwhile; and after a failure the next try has its time.
        if !is_far_behind() || now < self.next_flush_ms.load(Ordering::Relaxed) {
            return Ok(());
        }
        let outcome = self.flush_holding(&mut flushing, false);
        if outcome.is_err() {
            self.pause_flushes(now);
        }
        outcome.map(|_| ())
    }

    /// Whether anything differs from the last commit point.
    fn needs_flush(&self, flushing: &Flushing) -> bool {
        let commit = &flushing.commit;
        let view = self.view.load();
        if self.role.get() != CopyRole::Primary {
            return self.replica_needs_flush(commit, &view);
        }
        self.checkpoints.max() != commit.max_seq_no
            || self.checkpoints.processed() != commit.local_checkpoint
            || !same_segments(commit, &view)
    }

    /// The same for a replica. What another copy may lack is better not in its commit point: a later primary may not have
    /// it, and there would be no way back.
    fn replica_needs_flush(&self, commit: &Commit, view: &View) -> bool {
        let settled = view.reach.max_seq_no <= self.checkpoints.global();
        let reach = Reach {
            max_seq_no: commit.max_seq_no,
            local_checkpoint: commit.local_checkpoint,
        };
        settled && (view.reach != reach || !same_segments(commit, view))
    }
    fn flush_now(&self, flushing: &mut Flushing) -> Result<(), ShardError> {
        // Every operation in an earlier translog file is in a buffer or segment when the buffers are swapped.
        let rolled = self.translog.roll();
        let translog_generation = rolled.inspect_err(|error| self.fail(error))?;
        self.note_durable();
        match self.role.get() {
            CopyRole::Primary => {
                let reach = self.freeze_buffers()?;
                let (view, next_ordinal) = {
                    let publishing = self.publishing.lock();
                    (self.view.load_full(), publishing.next_ordinal)
                };
                let content = CommitContent {
                    segments: view.segments.clone(),
                    reach,
                    translog_generation,
                    primary_term: self.term(),
                    segments_term: self.term(),
                    next_ordinal,
                };
                let written = self.commit(flushing, content)?;
                self.publish_written(written);
                if !self.alone.load(Ordering::SeqCst) {
                    // Replicas can trim their translogs only when they are sent what this one now did without.
                    self.refresh()?;
                }
            }
            CopyRole::Replica => {
                let content = {
                    let publishing = self.publishing.lock();
                    let view = self.view.load_full();
                    let (term, ordinal) = (publishing.segments_term, publishing.next_ordinal);
                    self.content_of_list(view.segments.clone(), view.reach, term, ordinal)
                };
                let written = self.commit(flushing, content)?;
                self.publish_written(written);
            }
            CopyRole::Promoting => unreachable!("a promotion holds `flushing`"),
        }
        Ok(())
    }

    /// A replica's commit point: what it shows, and of its translog what that lacks.
    fn content_of_list(
        &self,
        segments: Vec<SegmentEntry>,
        reach: Reach,
        segments_term: PrimaryTerm,
        next_ordinal: u64,
    ) -> CommitContent {
        let lacks_from = SeqNo(reach.local_checkpoint.0 + 1);
        CommitContent {
            segments,
            reach,
            translog_generation: self.translog.first_generation_with(lacks_from),
            primary_term: self.following.lock().followed,
            segments_term,
            next_ordinal,
        }
    }

    /// Makes a list of segments a commit point; they come back with their files.
    pub(crate) fn commit_list(
        &self,
        flushing: &mut Flushing,
        segments: Vec<SegmentEntry>,
        reach: Reach,
        segments_term: PrimaryTerm,
        next_ordinal: u64,
    ) -> Result<Vec<SegmentEntry>, ShardError> {
        self.translog.roll().inspect_err(|error| self.fail(error))?;
        self.note_durable();
        let content = self.content_of_list(segments, reach, segments_term, next_ordinal);
        let written = self.commit(flushing, content)?;
        Ok(written.into_iter().map(Written::into_entry).collect())
    }

    fn commit(
        &self,
        flushing: &mut Flushing,
        content: CommitContent,
    ) -> Result<Vec<Written>, ShardError> {
        let generation = flushing.last_generation + 1;
        flushing.last_generation = generation;
        let mut written = Vec::new();
        for entry in &content.segments {
            written.push(self.write_segment(entry, generation)?);
        }
        let (reach, translog_generation) = (content.reach, content.translog_generation);
        let commit = Commit {
            generation,
            max_seq_no: reach.max_seq_no,
            local_checkpoint: reach.local_checkpoint,
            translog_generation,
            primary_term: content.primary_term,
            history_id: *self.history_id.lock(),
            next_ordinal: content.next_ordinal,
            segments_term: content.segments_term,
            global_checkpoint: self.checkpoints.global(),
            segments: written.iter().map(|segment| segment.committed).collect(),
            tombstones: self.tombstones_of(&content.segments, reach)?,
        };
        // A shard that failed meanwhile may hold half of an operation, and may be about to be opened anew.
        self.check()?;
        prepare_commit(&*self.directory, &commit)?;
        self.check()?;
        let _half_done = self.fail_on_panic("a flush");
        publish_commit(&*self.directory, generation).inspect_err(|error| self.fail(error))?;
        self.committed.store(Arc::new(commit.clone()));
        let before = std::mem::replace(&mut flushing.commit, commit);
        self.bury_files(&before, &flushing.commit);
        self.last_flush_ms
            .store(self.clock.now_ms(), Ordering::Relaxed);
        let retained = self.options.translog_retention_bytes;
        let trimmed = self
            .translog
            .trim(translog_generation, retained, self.kept_from());
        if let Err(error) = trimmed {
            // Costs room, no data; the next flush tries again.
            tracing::warn!(%error, "the translog could not be trimmed");
        }
        Ok(written)
    }

    /// The deletes that a commit point remembers. Operations come to a replica in any order, so it may remember one of a
    /// document that is there again.
    fn tombstones_of(
        &self,
        segments: &[SegmentEntry],
        reach: Reach,
    ) -> Result<Vec<(String, Tombstone)>, ShardError> {
        let all = self.versions.tombstones(reach.max_seq_no, TOMBSTONES_MAX);
        if self.role.get() == CopyRole::Primary {
            return Ok(all);
        }
        let mut standing = Vec::with_capacity(all.len());
        for (id, tombstone) in all {
            if inner::find(segments, &id)?.is_none() {
                standing.push((id, tombstone));
            }
        }
        Ok(standing)
    }

    /// Writes what of a segment is not in a synced file yet.
    fn write_segment(&self, entry: &SegmentEntry, generation: u64) -> Result<Written, ShardError> {
        let id = entry.reader.id();
        let (file, reader) = match &entry.backing {
            Backing::File(file) => (*file, None),
            Backing::Unsynced(file) => {
                sync_file(&*self.directory, &segment_name(id), file.len)?;
                (*file, None)
            }
            Backing::Memory(memory) => {
                let name = segment_name(id);
                let file = write_file(&*self.directory, &name, &memory.bytes)?;
                (file, Some(open_written(&*self.directory, id, &name)?))
            }
        };
        let live = match (&entry.live, entry.live_file) {
            (None, _) => None,
            (Some(_), Some(written)) => Some(written),
            (Some(live), None) => {
                let name = live_docs_name(id, generation);
                let bytes = live.encode(id);
                let file = write_file(&*self.directory, &name, &bytes)?;
                Some(CommittedLiveDocs { generation, file })
            }
        };
        Ok(Written {
            entry: entry.clone(),
            reader,
            committed: CommittedSegment {
                id,
                ordinal: entry.ordinal,
                file,
                max_doc: entry.reader.max_doc(),
                live,
            },
        })
    }

    /// Lets views read from the files just written; the memory goes when its last reader goes.
    fn publish_written(&self, written: Vec<Written>) {
        let mut publishing = self.publishing.lock();
        let mut view = View::clone(&self.view.load());
        let visible_is_current = self.visible.load().reader.generation == view.reader.generation;
        for segment in written {
            let Some(entry) = view
                .segments
                .iter_mut()
                .find(|entry| entry.key == segment.entry.key)
            else {
                continue;
            };
            if let Some(reader) = segment.reader {
                entry.reader = reader;
            }
            entry.backing = Backing::File(segment.committed.file);
            let same_live = match (&entry.live, &segment.entry.live) {
                (Some(now), Some(then)) => Arc::ptr_eq(now, then),
                _ => false,
            };
            if same_live {
                entry.live_file = segment.committed.live;
            }
        }
        publishing.generation += 1;
        let schema = view.reader.schema.clone();
        let generation = publishing.generation;
        let view = Arc::new(View::new(
            view.segments,
            schema,
            generation,
            view.reach,
            &self.filters,
        ));
        if visible_is_current {
            self.visible.store(view.clone());
        }
        self.view.store(view);
    }

    /// Files of a commit point that the next one no longer names.
    fn bury_files(&self, before: &Commit, after: &Commit) {
        let kept = after.files();
        let mut graveyard = self.graveyard.lock();
        for file in before.files() {
            // Segment files are buried when their segment leaves the list.
            if !kept.contains(&file) && !file.ends_with(".qsg") {
                graveyard.push(Grave {
                    file,
                    reader: std::sync::Weak::new(),
                });
            }
        }
    }

    /// Notes that segments left the list.
    pub(crate) fn bury_segments(&self, segments: &[SegmentEntry]) {
        let mut graveyard = self.graveyard.lock();
        for entry in segments {
            let id = entry.reader.id();
            graveyard.push(Grave {
                file: segment_name(id),
                reader: Arc::downgrade(&entry.reader),
            });
            if let Some(live) = entry.live_file {
                graveyard.push(Grave {
                    file: live_docs_name(id, live.generation),
                    reader: std::sync::Weak::new(),
                });
            }
        }
    }

    /// Takes files of segments back out of the graveyard.
    pub(crate) fn unbury(&self, segments: &[SegmentEntry]) {
        let live = |entry: &SegmentEntry| {
            let written = entry.live_file?;
            Some(live_docs_name(entry.reader.id(), written.generation))
        };
        let names = |entry: &SegmentEntry| [Some(segment_name(entry.reader.id())), live(entry)];
        let needed: HashSet<_> = segments.iter().flat_map(names).flatten().collect();
        self.graveyard
            .lock()
            .retain(|grave| !needed.contains(&grave.file));
    }

    /// Removes files that neither the last commit point nor any reader needs.
    pub(crate) fn sweep(&self, flushing: &Flushing) {
        // Which commit point is the last is unknown after a failure, and a closed shard owns its folder no more.
        if self.check().is_err() {
            return;
        }
        let needed = flushing.commit.files();
        let mut graveyard = self.graveyard.lock();
        graveyard.retain(|grave| {
            if grave.reader.strong_count() > 0 || needed.contains(&grave.file) {
                return true;
            }
            match self.directory.delete(&grave.file) {
                Ok(()) => false,
                // It was never written, or a commit point and a segment both buried it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => {
                    tracing::warn!(file = grave.file, %error, "an unused file could not be removed");
                    true
                }
            }
        });
    }
}

/// Whether a commit point has these very segments and live docs.
fn same_segments(commit: &Commit, view: &View) -> bool {
    let mut pairs = view.segments.iter().zip(&commit.segments);
    view.segments.len() == commit.segments.len()
        && pairs.all(|(entry, committed)| entry.is_committed_as(committed))
}

/// What a commit point is made of.
struct CommitContent {
    segments: Vec<SegmentEntry>,
    reach: Reach,
    translog_generation: u64,
    primary_term: PrimaryTerm,
    segments_term: PrimaryTerm,
    next_ordinal: u64,
}

struct Written {
    entry: SegmentEntry,
    /// Reads from the new file.
    reader: Option<Arc<SegmentReader>>,
    committed: CommittedSegment,
}

impl Written {
    fn into_entry(self) -> SegmentEntry {
        SegmentEntry {
            reader: self.reader.unwrap_or(self.entry.reader),
            backing: Backing::File(self.committed.file),
            live_file: self.committed.live,
            ..self.entry
        }
    }
}

/// Makes a file durable that was written without.
fn sync_file(directory: &dyn Directory, name: &str, len: u64) -> Result<(), ShardError> {
    let synced = directory.append(name, len).and_then(|mut file| file.sync());
    synced.map_err(ShardError::io(name))
}

/// Writes a file whole and syncs it; one of the same name, left by a flush that failed, is replaced.
pub(crate) fn write_file(
    directory: &dyn Directory,
    name: &str,
    bytes: &[u8],
) -> Result<FileStamp, ShardError> {
    let write = || {
        remove_if_there(directory, name)?;
        let mut writer = directory.create(name)?;
        let outcome = writer.write_and_sync(bytes);
        if outcome.is_err() {
            // Gives the room back; what fails here is swept at the next open.
            let _ = directory.delete(name);
        }
        outcome
    };
    write().map_err(ShardError::io(name))?;
    Ok(FileStamp::of(bytes))
}

pub(crate) fn remove_if_there(directory: &dyn Directory, name: &str) -> io::Result<()> {
    match directory.delete(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a segment file just written.
pub(crate) fn open_written(
    directory: &dyn Directory,
    id: crate::ids::SegmentId,
    name: &str,
) -> Result<Arc<SegmentReader>, ShardError> {
    let bytes = directory.open(name).map_err(ShardError::io(name))?;
    let reader = SegmentReader::open(id, bytes).map_err(|error| ShardError::Corrupt {
        file: name.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(Arc::new(reader))
}

/// Writes a commit point under a name that means nothing yet.
pub(crate) fn prepare_commit(directory: &dyn Directory, commit: &Commit) -> Result<(), ShardError> {
    let write = || {
        remove_if_there(directory, UNFINISHED)?;
        directory
            .create(UNFINISHED)?
            .write_and_sync(&commit.encode())
    };
    write().map_err(ShardError::io(UNFINISHED))
}

/// Gives a prepared commit point its name. All files it names must be synced; their names are made durable here.
/// After an error nobody knows which commit point is the last.
pub(crate) fn publish_commit(directory: &dyn Directory, generation: u64) -> Result<(), ShardError> {
    let name = commit_name(generation);
    let publish = || {
        directory.sync_names()?;
        directory.rename(UNFINISHED, &name)?;
        directory.sync_names()
    };
    publish().map_err(ShardError::io(&name))
}

/// Counts and sums up what passes through on its way to a file.
pub(crate) struct StampingWriter<W> {
    out: W,
    len: u64,
    digest: crc_fast::Digest,
}

impl<W: Write> StampingWriter<W> {
    pub(crate) fn new(out: W) -> StampingWriter<W> {
        StampingWriter {
            out,
            len: 0,
            digest: crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi),
        }
    }

    pub(crate) fn finish(self) -> (W, FileStamp) {
        let crc = self.digest.finalize() as u32;
        let stamp = FileStamp { len: self.len, crc };
        (self.out, stamp)
    }
}

impl<W: Write> Write for StampingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
