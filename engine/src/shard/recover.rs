//! Opening a shard: the last commit point, then the translog.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};

use super::checkpoints::Checkpoints;
use super::commit::{
    Commit, CommittedSegment, UNFINISHED, commit_generation, commit_name, io_error,
    live_docs_generation, live_docs_name, segment_name,
};
use super::counters::Counters;
use super::follow::Following;
use super::inner::{Backing, Flushing, Inner, Publishing, Reach, SegmentEntry, Slot, View};
use super::install::{Staging, UNFINISHED_COPY};
use super::role::{CopyRole, Role};
use super::versions::Versions;
use super::{DeleteOp, IndexOp, OpenShardError, Origin, ShardParts, VersionCheck, WriteError};
use crate::buffer::Buffer;
use crate::directory::{ByteView, Directory};
use crate::ids::{PrimaryTerm, SeqNo};
use crate::random;
use crate::segment::{LiveDocs, SegmentReader};
use crate::translog::frame::crc32c;
use crate::translog::{Entry, JournalError, Mark, Operation, OperationKind, Translog};
use crate::writer::flush::{prepare_commit, publish_commit};

fn corrupt(file: &str, reason: impl ToString) -> OpenShardError {
    OpenShardError::Corrupt {
        file: file.to_owned(),
        reason: reason.to_string(),
    }
}

/// Tells whether a folder holds a shard.
pub(super) fn exists(directory: &dyn Directory) -> io::Result<bool> {
    let names = directory.list()?;
    Ok(names.iter().any(|name| commit_generation(name).is_some()))
}

/// Makes a shard or recovers one.
pub(crate) fn open(parts: ShardParts) -> Result<Inner, OpenShardError> {
    let names = parts.directory.list().map_err(io_error("directory"))?;
    let last_commit = names
        .iter()
        .filter_map(|name| commit_generation(name))
        .max();
    match (last_commit, parts.create) {
        (Some(_), true) => Err(OpenShardError::Exists),
        (None, false) => Err(OpenShardError::Missing),
        (None, true) => create(parts, &names),
        (Some(generation), false) => recover(parts, &names, generation),
    }
}

fn create(parts: ShardParts, names: &[String]) -> Result<Inner, OpenShardError> {
    for name in names.iter().filter(|name| is_ours(name)) {
        parts.directory.delete(name).map_err(io_error(name))?;
    }
    let translog = Translog::create(parts.translog.clone())?;
    let history_id = random::draw_u128().map_err(io_error("history id"))?;
    let commit = Commit {
        generation: 1,
        max_seq_no: SeqNo::NONE,
        local_checkpoint: SeqNo::NONE,
        translog_generation: translog.range().1,
        primary_term: parts.primary_term,
        history_id,
        next_ordinal: 0,
        segments_term: parts.primary_term,
        global_checkpoint: SeqNo::NONE,
        segments: Vec::new(),
        tombstones: Vec::new(),
    };
    // The shard exists once its first commit point does.
    let publish = |directory: &dyn Directory| {
        prepare_commit(directory, &commit)?;
        publish_commit(directory, commit.generation)
    };
    publish(&*parts.directory).map_err(|error| {
        io_error(&commit_name(commit.generation))(io::Error::other(error.to_string()))
    })?;
    Ok(assemble(parts, translog, commit, 1, Vec::new()))
}

fn recover(parts: ShardParts, names: &[String], generation: u64) -> Result<Inner, OpenShardError> {
    let name = commit_name(generation);
    let bytes = parts.directory.open(&name).map_err(io_error(&name))?;
    let commit = Commit::decode(&bytes).map_err(|reason| corrupt(&name, reason))?;
    if commit.generation != generation {
        return Err(corrupt(
            &name,
            format!("the file says generation {}", commit.generation),
        ));
    }
    let mut segments = Vec::new();
    for (key, committed) in commit.segments.iter().enumerate() {
        segments.push(open_segment(&*parts.directory, key as u64, committed)?);
    }
    let kept = commit.files();
    let mut last_generation = generation;
    for name in names {
        let numbers = [commit_generation(name), live_docs_generation(name)];
        last_generation = numbers
            .into_iter()
            .flatten()
            .fold(last_generation, u64::max);
        if is_ours(name) && !kept.contains(name) {
            parts.directory.delete(name).map_err(io_error(name))?;
        }
    }
    let translog = Translog::open(parts.translog.clone())?;
    let (oldest, current) = translog.range();
    if !(oldest..=current).contains(&commit.translog_generation) {
        return Err(corrupt(
            &name,
            format!(
                "it needs translog generation {}, the translog has {oldest} to {current}",
                commit.translog_generation
            ),
        ));
    }
    translog.bound(commit.translog_generation, commit.max_seq_no);
    let (from, has_all_up_to) = (commit.translog_generation, commit.local_checkpoint);
    let inner = assemble(parts, translog, commit, last_generation, segments);
    match inner.role.get() {
        CopyRole::Replica => follow_on(&inner, from)?,
        CopyRole::Primary | CopyRole::Promoting => replay(&inner, from, has_all_up_to)?,
    }
    Ok(inner)
}

/// Whether a file is one that a shard writes; others are left alone.
fn is_ours(name: &str) -> bool {
    name == UNFINISHED
        || name.starts_with("unfinished-merge-")
        || name.starts_with(UNFINISHED_COPY)
        || name.ends_with(".qsg")
        || name.ends_with(".qld")
        || commit_generation(name).is_some()
}

fn open_file(directory: &dyn Directory, name: &str, len: u64) -> Result<ByteView, OpenShardError> {
    let bytes = match directory.open(name) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(corrupt(name, "the file is missing"));
        }
        Err(error) => return Err(io_error(name)(error)),
    };
    if bytes.len() as u64 != len {
        return Err(corrupt(
            name,
            format!("it has {} bytes, the commit point says {len}", bytes.len()),
        ));
    }
    Ok(bytes)
}

pub(super) fn open_segment(
    directory: &dyn Directory,
    key: u64,
    committed: &CommittedSegment,
) -> Result<SegmentEntry, OpenShardError> {
    let name = segment_name(committed.id);
    let bytes = open_file(directory, &name, committed.file.len)?;
    let reader =
        SegmentReader::open(committed.id, bytes).map_err(|source| OpenShardError::Segment {
            file: name.clone(),
            source,
        })?;
    if reader.max_doc() != committed.max_doc {
        return Err(corrupt(
            &name,
            format!(
                "it has {} documents, the commit point says {}",
                reader.max_doc(),
                committed.max_doc
            ),
        ));
    }
    let live = match committed.live {
        None => None,
        Some(file) => {
            let name = live_docs_name(committed.id, file.generation);
            let bytes = open_file(directory, &name, file.file.len)?;
            let computed = crc32c(&bytes);
            if computed != file.file.crc {
                return Err(corrupt(
                    &name,
                    format!(
                        "its checksum is {computed:#010x}, the commit point says {:#010x}",
                        file.file.crc
                    ),
                ));
            }
            let live = LiveDocs::decode(committed.id, committed.max_doc, &bytes)
                .map_err(|source| OpenShardError::Segment { file: name, source })?;
            Some(Arc::new(live))
        }
    };
    Ok(SegmentEntry {
        key,
        ordinal: committed.ordinal,
        reader: Arc::new(reader),
        live,
        backing: Backing::File(committed.file),
        live_file: committed.live,
        live_stamp: Arc::default(),
    })
}

fn assemble(
    parts: ShardParts,
    translog: Translog,
    commit: Commit,
    last_generation: u64,
    segments: Vec<SegmentEntry>,
) -> Inner {
    let versions = Versions::new();
    for (id, tombstone) in &commit.tombstones {
        versions.restore(id, *tombstone);
    }
    let next_key = segments.len() as u64;
    let buffer_count = parts.options.buffer_count.max(1);
    let buffers = (0..buffer_count as u64).map(|index| {
        Mutex::new(Slot {
            key: next_key + index,
            buffer: Buffer::new(),
        })
    });
    let reach = Reach {
        max_seq_no: commit.max_seq_no,
        local_checkpoint: commit.local_checkpoint,
    };
    let filters = Arc::default();
    let view = Arc::new(View::new(
        segments,
        parts.schema.clone(),
        1,
        reach,
        &filters,
    ));
    let term = parts.primary_term.max(commit.primary_term);
    let now = parts.clock.now_ms();
    Inner {
        filters,
        directory: parts.directory,
        translog,
        clock: parts.clock,
        options: parts.options,
        allocation_id: parts.allocation_id,
        history_id: Mutex::new(commit.history_id),
        primary_term: AtomicU64::new(term.0),
        role: Role::new(parts.role),
        alone: AtomicBool::new(parts.alone),
        retained_from: AtomicI64::new(i64::MAX),
        staging: Mutex::new(Staging::default()),
        following: Mutex::new(Following {
            followed: commit.primary_term,
            needs_segments: None,
            noted_global: commit.global_checkpoint,
        }),
        schema: ArcSwap::new(parts.schema),
        checkpoints: Checkpoints::new(
            commit.local_checkpoint,
            commit.max_seq_no,
            commit.global_checkpoint,
        ),
        versions,
        buffers: buffers.collect(),
        pending_deletes: Mutex::default(),
        gate: RwLock::new(()),
        publishing: Mutex::new(Publishing {
            next_key: next_key + buffer_count as u64,
            next_ordinal: commit.next_ordinal,
            segments_term: commit.segments_term,
            generation: 1,
        }),
        visible: ArcSwap::new(view.clone()),
        view: ArcSwap::new(view),
        committed: ArcSwap::from_pointee(commit.clone()),
        flushing: Mutex::new(Flushing {
            commit,
            last_generation,
        }),
        listeners: Mutex::default(),
        graveyard: Mutex::default(),
        merging: Mutex::new(()),
        merge_cancel: AtomicBool::new(false),
        merge_running: AtomicBool::new(false),
        closed: AtomicBool::new(false),
        failed: Mutex::new(None),
        counters: Counters::default(),
        unrefreshed: AtomicU64::new(0),
        last_refresh_ms: AtomicI64::new(now),
        last_sync_ms: AtomicI64::new(now),
        last_write_ms: AtomicI64::new(now),
        last_flush_ms: AtomicI64::new(now),
        last_gc_ms: AtomicI64::new(now),
        next_flush_ms: AtomicI64::new(now),
        next_merge_ms: AtomicI64::new(now),
    }
}

/// Does again what the translog has and the commit point may not have: operations beyond `has_all_up_to`. Of these,
/// what the commit point has already is known by its number and left alone; of those before, it may have forgotten a
/// delete, and an older write of the document must not come back.
///
/// They are done in the order in which they were appended; where some of them may not stand, in the order of their numbers.
fn replay(inner: &Inner, from_generation: u64, has_all_up_to: SeqNo) -> Result<(), OpenShardError> {
    let mut count = 0u64;
    let mut global = inner.checkpoints.global();
    let all_stand = !inner.translog.has_doubts();
    for entry in inner.translog.entries(from_generation)? {
        let operation = match entry? {
            (record, Entry::Operation(operation)) => {
                inner
                    .translog
                    .count_replayed(record.location, operation.seq_no);
                operation
            }
            (_, Entry::Mark(mark)) => {
                if is_stale(inner, &mark) {
                    return Err(OpenShardError::NeedsSegments);
                }
                see_term(inner, mark.primary_term);
                global = global.max(mark.global_checkpoint);
                continue;
            }
        };
        if all_stand && operation.seq_no > has_all_up_to {
            replay_one(inner, operation)?;
            count += 1;
        }
    }
    if !all_stand {
        let lacks_from = SeqNo(has_all_up_to.0 + 1);
        let settled = inner.committed.load().segments_term;
        for operation in inner.translog.history_from(lacks_from, settled)? {
            replay_one(inner, operation)?;
            count += 1;
        }
    }
    if count > 0 {
        tracing::info!(
            operations = count,
            max_seq_no = inner.checkpoints.max().0,
            "replayed the translog"
        );
    }
    if inner.fill_gaps(inner.term())? {
        inner.translog.sync_all()?;
    }
    inner.note_durable();
    inner.checkpoints.advance_global(global);
    if count > 0 {
        inner.refresh().map_err(|error| OpenShardError::Replay {
            seq_no: inner.checkpoints.max().0,
            id: String::new(),
            reason: error.to_string(),
        })?;
    }
    Ok(())
}

fn see_term(inner: &Inner, term: PrimaryTerm) {
    inner.primary_term.fetch_max(term.0, Ordering::SeqCst);
}

/// Whether the segments of the commit point have what this mark makes doubtful.
fn is_stale(inner: &Inner, mark: &Mark) -> bool {
    let commit = inner.committed.load();
    mark.sure_to < commit.max_seq_no && mark.primary_term > commit.segments_term
}

/// Takes note of what the translog of a replica has: nothing is done with it before another primary sends segments, or
/// this copy becomes the primary.
fn follow_on(inner: &Inner, from_generation: u64) -> Result<(), OpenShardError> {
    let mut following = inner.following.lock();
    let mut global = inner.checkpoints.global();
    let commit = inner.committed.load_full();
    for entry in inner.translog.entries(from_generation)? {
        match entry? {
            (record, Entry::Operation(operation)) => {
                let seq_no = operation.seq_no;
                inner.translog.count_replayed(record.location, seq_no);
                following.followed = following.followed.max(operation.primary_term);
                inner.checkpoints.advance_max(seq_no);
                inner.checkpoints.mark_processed(seq_no);
                inner.checkpoints.mark_persisted(&[seq_no]);
            }
            (_, Entry::Mark(mark)) => {
                following.followed = following.followed.max(mark.primary_term);
                global = global.max(mark.global_checkpoint);
                following.noted_global = global;
                if mark.sure_to != Mark::ALL {
                    // What comes after the mark counts again, and what the segments have of that reign's.
                    let covered = match mark.primary_term > commit.segments_term {
                        true => mark.sure_to,
                        false => mark.sure_to.max(commit.local_checkpoint),
                    };
                    inner.checkpoints.roll_back(covered);
                }
                if is_stale(inner, &mark) {
                    let before = following.needs_segments.unwrap_or(Mark::ALL);
                    following.needs_segments = Some(before.min(mark.sure_to));
                }
            }
        }
    }
    see_term(inner, following.followed);
    inner.checkpoints.advance_global(global);
    let lacks_from = SeqNo(commit.local_checkpoint.0 + 1);
    let history = inner
        .translog
        .history_from(lacks_from, commit.segments_term)?;
    for operation in history.sure() {
        inner.remember_delete(&operation);
    }
    Ok(())
}

impl Inner {
    /// Gives an operation to the numbers whose own was never acknowledged and is lost; tells whether there were any.
    pub(super) fn fill_gaps(&self, term: PrimaryTerm) -> Result<bool, OpenShardError> {
        let gaps = self.checkpoints.gaps();
        let gaps = gaps.map_err(|highest| OpenShardError::Replay {
            seq_no: highest.0,
            id: String::new(),
            reason: "far too many operations before it are missing; the number cannot be right"
                .to_owned(),
        })?;
        let any = !gaps.is_empty();
        for seq_no in gaps {
            let done = self.noop(seq_no, term, "filling gaps");
            done.map_err(|error| replay_error(seq_no, "", &error))?;
        }
        Ok(any)
    }
}

pub(super) fn replay_one(inner: &Inner, operation: Operation) -> Result<(), OpenShardError> {
    let Operation {
        seq_no,
        primary_term,
        version,
        kind,
    } = operation;
    let origin = Origin::Replay {
        seq_no,
        primary_term,
        version,
    };
    see_term(inner, primary_term);
    let (id, done) = match kind {
        OperationKind::Index {
            id,
            routing,
            source,
        } => {
            let op = IndexOp {
                id: id.clone(),
                routing,
                source,
                version: VersionCheck::Internal,
                create_only: false,
                origin,
            };
            (id, inner.index(op))
        }
        OperationKind::Delete { id } => {
            let op = DeleteOp {
                id: id.clone(),
                version: VersionCheck::Internal,
                origin,
            };
            (id, inner.delete(op))
        }
        OperationKind::NoOp { .. } => {
            inner.checkpoints.advance_max(seq_no);
            inner.checkpoints.mark_processed(seq_no);
            inner.checkpoints.mark_persisted(&[seq_no]);
            return Ok(());
        }
    };
    match done {
        Ok(_) => Ok(()),
        Err(WriteError::Read(error)) => Err(OpenShardError::Read(error)),
        Err(error) => Err(replay_error(seq_no, &id, &error)),
    }
}

fn replay_error(seq_no: SeqNo, id: &str, error: &WriteError) -> OpenShardError {
    if let WriteError::Translog(error) = error {
        return OpenShardError::Translog(JournalError::clone(error));
    }
    OpenShardError::Replay {
        seq_no: seq_no.0,
        id: id.to_owned(),
        reason: error.to_string(),
    }
}
