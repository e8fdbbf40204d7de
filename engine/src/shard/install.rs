//! A replica and the segments of its primary: staging files, checking them, showing them.
//!
//! Files come in parts under the name `unfinished-copy-<segment>`; live docs and deletes are small and come into memory.
//! Nothing of a list is shown before all of it is here and its checksums are right. What was shown before stays readable.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::MutexGuard;

use super::ShardError;
use super::commit::{FileStamp, decode_tombstones, segment_name};
use super::inner::{Backing, Inner, Publishing, Reach, SegmentEntry, View, live_docs_stamp};
use super::role::CopyRole;
use super::shipment::{FileName, ListedSegment, SegmentList};
use super::versions::Tombstone;
use crate::directory::{Directory, FileWriter};
use crate::ids::{SegmentId, SeqNo};
use crate::segment::{LiveDocs, SegmentReader};
use crate::writer::flush::remove_if_there;

/// A segment that is being copied has this before its id.
pub(super) const UNFINISHED_COPY: &str = "unfinished-copy-";

/// A file that a list needs and this copy lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedFile {
    /// Which.
    pub file: FileName,
    /// Its bytes.
    pub len: u64,
    /// CRC-32C of them, as the list has it.
    pub crc: u32,
    /// So many of them are here: go on from there.
    pub staged: u64,
}

/// Why a list was not installed. Nothing changed then, except that a file found damaged must be staged anew.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The list comes from a reign that is over.
    #[error("list of primary term [{found}] is too old (current [{current}])")]
    StaleTerm {
        /// The list's.
        found: u64,
        /// The copy's.
        current: u64,
    },
    /// The list contradicts itself.
    #[error("list of primary term [{primary_term}]: {reason}")]
    Invalid {
        /// The list's.
        primary_term: u64,
        /// What is wrong.
        reason: String,
    },
    /// The list is of another history of operations.
    #[error("list of history [{found}], this copy has history [{own}]: it must be made anew")]
    OtherHistory {
        /// The list's.
        found: String,
        /// The copy's.
        own: String,
    },
    /// The list has operations that are not durable here.
    #[error("list with operations up to [{needs}], this copy has them up to [{has}]")]
    NotYet {
        /// The list's.
        needs: i64,
        /// The copy's.
        has: i64,
    },
    /// The list has less than what is shown.
    #[error("list with operations up to [{found}], up to [{shown}] are shown")]
    Backward {
        /// The list's.
        found: i64,
        /// The copy's.
        shown: i64,
    },
    /// A file of the list is not here, or not whole.
    #[error("{file}: not staged")]
    Missing {
        /// The file.
        file: FileName,
    },
    /// A file is not what the list says. It was dropped.
    #[error("{file}: {reason}; it must be copied again")]
    Corrupt {
        /// The file.
        file: FileName,
        /// What is wrong.
        reason: String,
    },
    /// The copy itself could not.
    #[error(transparent)]
    Shard(#[from] ShardError),
}

/// Files on their way here.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    files: HashMap<FileName, Staged>,
}

#[derive(Debug)]
struct Staged {
    wanted: FileStamp,
    len: u64,
    content: Content,
}

enum Content {
    Memory(Vec<u8>),
    /// `None` before the first part.
    File(Option<Box<dyn FileWriter>>),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Content::Memory(_) => "Memory",
            Content::File(_) => "File",
        })
    }
}

fn staged_name(id: SegmentId) -> String {
    format!("{UNFINISHED_COPY}{id}")
}

impl Staged {
    fn new(file: FileName, wanted: FileStamp) -> Staged {
        Staged {
            wanted,
            len: 0,
            content: match file {
                FileName::Segment(_) => Content::File(None),
                FileName::LiveDocs(..) | FileName::Tombstones => Content::Memory(Vec::new()),
            },
        }
    }

    fn add(&mut self, file: &FileName, directory: &dyn Directory, bytes: &[u8]) -> io::Result<()> {
        match (&mut self.content, file) {
            (Content::Memory(content), _) => content.extend_from_slice(bytes),
            (Content::File(writer), FileName::Segment(id)) => {
                if writer.is_none() {
                    let name = staged_name(*id);
                    remove_if_there(directory, &name)?;
                    *writer = Some(directory.create(&name)?);
                }
                let writer = writer
                    .as_mut()
                    .expect("it is made above when there is none");
                writer.write_all(bytes)?;
            }
            (Content::File(_), _) => unreachable!("only segments are staged in files: see new()"),
        }
        self.len += bytes.len() as u64;
        Ok(())
    }
}

/// What a list is made of, checked.
struct Ready {
    segments: HashMap<SegmentId, Arc<SegmentReader>>,
    live: HashMap<FileName, LiveDocs>,
    tombstones: Vec<(String, Tombstone)>,
}

impl Inner {
    /// See [`Shard::missing`](super::Shard::missing).
    pub fn missing(&self, list: &SegmentList) -> Vec<WantedFile> {
        let mut staging = self.staging.lock();
        let wanted = self.lacks(list);
        let is_wanted = |file: &FileName, stamp: FileStamp| {
            wanted
                .iter()
                .any(|(name, wanted)| name == file && *wanted == stamp)
        };
        staging.files.retain(|file, staged| {
            let kept = is_wanted(file, staged.wanted);
            if !kept {
                self.discard(file);
            }
            kept
        });
        let begin = |(file, stamp): (FileName, FileStamp)| {
            let staged = staging.files.entry(file);
            let staged = staged.or_insert_with(|| Staged::new(file, stamp));
            WantedFile {
                file,
                len: stamp.len,
                crc: stamp.crc,
                staged: staged.len,
            }
        };
        wanted.into_iter().map(begin).collect()
    }

    /// The files of a list that what is shown has not.
    fn lacks(&self, list: &SegmentList) -> Vec<(FileName, FileStamp)> {
        let mut lacks = Vec::new();
        for segment in &list.segments {
            let shown = self.find_listed(segment);
            if shown.is_none() {
                lacks.push((FileName::Segment(segment.id), segment.file));
            }
            let has = shown.as_ref().and_then(SegmentEntry::live_stamp);
            if let Some(live) = segment.live
                && has != Some(live.file)
            {
                lacks.push((FileName::LiveDocs(segment.id, live.generation), live.file));
            }
        }
        let rolled_back = self.following.lock().needs_segments.is_some();
        if let Some(file) = list.tombstones
            && (rolled_back || list.max_seq_no > self.checkpoints.persisted())
        {
            lacks.push((FileName::Tombstones, file));
        }
        lacks
    }

    /// The entry of a listed segment, whatever its live docs.
    fn find_listed(&self, listed: &ListedSegment) -> Option<SegmentEntry> {
        let is_it =
            |entry: &&SegmentEntry| entry.reader.id() == listed.id && entry.stamp() == listed.file;
        let find = |view: &View| view.segments.iter().find(is_it).cloned();
        find(&self.view.load()).or_else(|| find(&self.visible.load()))
    }

    /// Gives up all files that are on their way.
    pub(super) fn discard_all(&self, staging: &mut MutexGuard<'_, Staging>) {
        for (file, _) in staging.files.drain() {
            self.discard(&file);
        }
    }

    /// Removes what was staged of a file.
    fn discard(&self, file: &FileName) {
        if let FileName::Segment(id) = file {
            // What fails here is swept at the next open, or replaced.
            let _ = remove_if_there(&*self.directory, &staged_name(*id));
        }
    }

    /// See [`Shard::stage`](super::Shard::stage).
    pub fn stage(&self, file: &FileName, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut staging = self.staging.lock();
        self.check().map_err(io::Error::other)?;
        if self.role.get() != CopyRole::Replica {
            return Err(io::Error::other(ShardError::NotReplica));
        }
        let refused = |reason: String| io::Error::new(io::ErrorKind::InvalidInput, reason);
        let Some(staged) = staging.files.get_mut(file) else {
            return Err(refused(format!("{file}: nobody asked for this file")));
        };
        if offset != staged.len {
            return Err(refused(format!(
                "{file}: the next part begins at [{}], not at [{offset}]",
                staged.len
            )));
        }
        if bytes.len() as u64 > staged.wanted.len - staged.len {
            return Err(refused(format!(
                "{file}: it has [{}] bytes, this part ends beyond them",
                staged.wanted.len
            )));
        }
        let added = staged.add(file, &*self.directory, bytes);
        if added.is_err() {
            // Nobody knows how much of the part was written.
            *staged = Staged::new(*file, staged.wanted);
            self.discard(file);
        }
        added
    }

    /// See [`Shard::staged_len`](super::Shard::staged_len).
    pub fn staged_len(&self, file: &FileName) -> u64 {
        let staging = self.staging.lock();
        staging.files.get(file).map_or(0, |staged| staged.len)
    }

    /// See [`Shard::install`](super::Shard::install) and [`Shard::install_base`](super::Shard::install_base).
    pub fn install(&self, list: &SegmentList, is_base: bool) -> Result<bool, InstallError> {
        let mut staging = self.staging.lock();
        let history = self.check_list(list)?;
        self.roll_back_holding(&staging, list.primary_term, SeqNo::NONE)?;
        if !is_base && list.max_seq_no > self.checkpoints.persisted() {
            self.sync_translog().map_err(ShardError::from)?;
        }
        self.check_direction(list, is_base)?;
        let ready = self.ready(&mut staging, list)?;
        // What was rolled back is in the last commit point as well. If it stayed there, a copy that becomes the primary and then
        // loses power could not be opened again.
        let is_stale = self.following.lock().needs_segments.is_some();
        let installed = match is_base || is_stale {
            false => self.install_ready(list, ready),
            true => self.install_durably(list, ready, history),
        };
        let changed = installed?;
        self.discard_all(&mut staging);
        drop(staging);
        self.call_listeners(self.shown_to());
        Ok(changed)
    }

    /// Refuses a list that is none for this copy; answers the history that it is of.
    fn check_list(&self, list: &SegmentList) -> Result<u128, InstallError> {
        self.check()?;
        if self.role.get() != CopyRole::Replica {
            return Err(ShardError::NotReplica.into());
        }
        let current = self.term();
        if list.primary_term < current {
            return Err(InstallError::StaleTerm {
                found: list.primary_term.0,
                current: current.0,
            });
        }
        check_numbers(list).map_err(|reason| InstallError::Invalid {
            primary_term: list.primary_term.0,
            reason,
        })?;
        let own = *self.history_id.lock();
        match u128::from_str_radix(&list.history_uuid, 16) {
            Ok(found) if found == own || self.is_fresh() => Ok(found),
            _ => Err(InstallError::OtherHistory {
                found: list.history_uuid.clone(),
                own: self.history_uuid(),
            }),
        }
    }

    /// Whether no primary gave this copy anything but, perhaps, operations that it will give segments for.
    fn is_fresh(&self) -> bool {
        let view = self.view.load();
        let commit = self.committed.load();
        let empty = Reach {
            max_seq_no: SeqNo::NONE,
            local_checkpoint: SeqNo::NONE,
        };
        view.segments.is_empty() && view.reach == empty && commit.max_seq_no == SeqNo::NONE
    }

    /// Refuses a list with operations that are not durable here, and one without operations that only the segments
    /// have.
    fn check_direction(&self, list: &SegmentList, is_base: bool) -> Result<(), InstallError> {
        let has = self.checkpoints.persisted();
        if !is_base && list.max_seq_no > has {
            return Err(InstallError::NotYet {
                needs: list.max_seq_no.0,
                has: has.0,
            });
        }
        let segments_term = self.publishing.lock().segments_term;
        let rolled_back_to = self.following.lock().needs_segments;
        let reach = self.view.load().reach;
        let floor =
            rolled_back_to.map_or(reach.local_checkpoint, |to| to.min(reach.local_checkpoint));
        let same_term = list.primary_term == segments_term && rolled_back_to.is_none();
        let (found, shown) = if list.searchable_checkpoint < floor {
            (list.searchable_checkpoint, floor)
        } else if same_term && list.max_seq_no < reach.max_seq_no {
            (list.max_seq_no, reach.max_seq_no)
        } else {
            return Ok(());
        };
        Err(InstallError::Backward {
            found: found.0,
            shown: shown.0,
        })
    }

    /// Checks what was staged for a list. What is damaged is dropped, to be staged anew.
    fn ready(
        &self,
        staging: &mut MutexGuard<'_, Staging>,
        list: &SegmentList,
    ) -> Result<Ready, InstallError> {
        let mut ready = Ready {
            segments: HashMap::new(),
            live: HashMap::new(),
            tombstones: Vec::new(),
        };
        let lacks = self.lacks(list);
        let is_whole = |file: &FileName, stamp: &FileStamp| {
            let staged = staging.files.get(file);
            staged.is_some_and(|staged| staged.wanted == *stamp && staged.len == stamp.len)
        };
        if let Some((file, _)) = lacks.iter().find(|(file, stamp)| !is_whole(file, stamp)) {
            return Err(InstallError::Missing { file: *file });
        }
        for (file, stamp) in &lacks {
            let checked = self.check_staged(&staging.files[file], file, *stamp, list, &mut ready);
            if let Err(reason) = checked {
                staging.files.insert(*file, Staged::new(*file, *stamp));
                self.discard(file);
                return Err(InstallError::Corrupt {
                    file: *file,
                    reason,
                });
            }
        }
        let view = self.view.load();
        let twice = |segment: &&ListedSegment| {
            let id = segment.id;
            ready.segments.contains_key(&id) && view.segments.iter().any(|e| e.reader.id() == id)
        };
        match list.segments.iter().find(twice) {
            None => Ok(ready),
            Some(segment) => Err(InstallError::Corrupt {
                file: FileName::Segment(segment.id),
                reason: "a segment of this id is shown, with other bytes".to_owned(),
            }),
        }
    }

    fn check_staged(
        &self,
        staged: &Staged,
        file: &FileName,
        stamp: FileStamp,
        list: &SegmentList,
        ready: &mut Ready,
    ) -> Result<(), String> {
        let compare = |found: FileStamp| match found == stamp {
            true => Ok(()),
            false => Err(format!(
                "it has {} bytes and checksum {:#010x}, the list says {} and {:#010x}",
                found.len, found.crc, stamp.len, stamp.crc
            )),
        };
        let max_doc = |id: SegmentId| {
            let listed = list.segments.iter().find(|segment| segment.id == id);
            listed.map_or(0, |segment| segment.max_doc)
        };
        match (&staged.content, *file) {
            (Content::File(_), FileName::Segment(id)) => {
                let bytes = self.directory.open(&staged_name(id));
                let bytes = bytes.map_err(|error| error.to_string())?;
                compare(FileStamp::of(&bytes))?;
                let reader = SegmentReader::open(id, bytes).map_err(|error| error.to_string())?;
                if reader.max_doc() != max_doc(id) {
                    let (has, says) = (reader.max_doc(), max_doc(id));
                    return Err(format!("it has {has} documents, the list says {says}"));
                }
                ready.segments.insert(id, Arc::new(reader));
            }
            (Content::Memory(bytes), FileName::LiveDocs(id, generation)) => {
                compare(live_docs_stamp(bytes))?;
                let live = LiveDocs::decode(id, max_doc(id), bytes);
                let live = live.map_err(|error| error.to_string())?;
                if u64::from(live.deleted_count()) != generation {
                    return Err(format!("it has {} dead documents", live.deleted_count()));
                }
                ready.live.insert(*file, live);
            }
            (Content::Memory(bytes), FileName::Tombstones) => {
                compare(FileStamp::of(bytes))?;
                ready.tombstones = decode_tombstones(bytes)?;
            }
            _ => unreachable!("only segments are staged in files: see new()"),
        }
        Ok(())
    }

    /// The entries of a list, by what is shown and what is ready.
    fn entries_of(
        &self,
        list: &SegmentList,
        ready: &mut Ready,
        publishing: &mut Publishing,
    ) -> Vec<SegmentEntry> {
        let mut entry_of = |listed: &ListedSegment| {
            let mut entry = match self.find_listed(listed) {
                Some(shown) => shown,
                None => {
                    let reader = ready.segments.remove(&listed.id);
                    publishing.next_key += 1;
                    SegmentEntry {
                        key: publishing.next_key - 1,
                        ordinal: listed.ordinal,
                        reader: reader.expect("ready() refuses a list with a segment that is neither shown nor staged"),
                        live: None,
                        backing: match self.is_committed(listed.id) {
                            true => Backing::File(listed.file),
                            false => Backing::Unsynced(listed.file),
                        },
                        live_file: None,
                        live_stamp: Arc::default(),
                    }
                }
            };
            match listed.live {
                None => {
                    entry.live = None;
                    entry.live_file = None;
                    entry.live_stamp = Arc::default();
                }
                Some(live) if entry.live_stamp() == Some(live.file) => {}
                Some(live) => {
                    let docs = ready
                        .live
                        .remove(&FileName::LiveDocs(listed.id, live.generation));
                    entry.set_live(docs.expect(
                        "ready() refuses a list with live docs that are neither shown nor staged",
                    ));
                    let _ = entry.live_stamp.set(live.file);
                }
            }
            entry
        };
        list.segments.iter().map(&mut entry_of).collect()
    }

    /// Gives staged segments their names. A file that the last commit point has is durable, and stays in its place.
    fn name_segments(&self, ready: &Ready) -> Result<(), ShardError> {
        for id in ready.segments.keys() {
            let name = segment_name(*id);
            // Before anything else: nobody removes the name from here on.
            self.graveyard.lock().retain(|grave| grave.file != name);
            if self.is_committed(*id) {
                self.discard(&FileName::Segment(*id));
                continue;
            }
            let named = self.directory.rename(&staged_name(*id), &name);
            named.map_err(ShardError::io(&name))?;
        }
        Ok(())
    }

    fn is_committed(&self, id: SegmentId) -> bool {
        let commit = self.committed.load();
        commit.segments.iter().any(|segment| segment.id == id)
    }

    fn install_ready(&self, list: &SegmentList, mut ready: Ready) -> Result<bool, InstallError> {
        let mut publishing = self.publishing.lock();
        let _half_done = self.fail_on_panic("an installation");
        if self.shows(list, &publishing) {
            return Ok(false);
        }
        self.name_segments(&ready)?;
        for (id, tombstone) in &ready.tombstones {
            self.versions.note_delete(id, *tombstone);
        }
        let segments = self.entries_of(list, &mut ready, &mut publishing);
        self.show_list(list, segments, &mut publishing);
        Ok(true)
    }

    fn shows(&self, list: &SegmentList, publishing: &Publishing) -> bool {
        let (view, next_ordinal, term) = self.shown(publishing);
        let shown = self.list_of(&view, next_ordinal, term);
        shown.shows_the_same(list)
    }

    fn show_list(
        &self,
        list: &SegmentList,
        segments: Vec<SegmentEntry>,
        publishing: &mut Publishing,
    ) {
        publishing.segments_term = list.primary_term;
        publishing.next_ordinal = publishing.next_ordinal.max(list.next_ordinal);
        self.show(publishing, segments, reach_of(list));
        // Following the list's reign was the first thing done: what was rolled back is not in its segments.
        self.following.lock().needs_segments = None;
    }

    /// Makes a list a commit point before anybody sees it.
    fn install_durably(
        &self,
        list: &SegmentList,
        mut ready: Ready,
        history: u128,
    ) -> Result<bool, InstallError> {
        let mut flushing = self.flushing.lock();
        self.check()?;
        let mut publishing = self.publishing.lock();
        let _half_done = self.fail_on_panic("an installation");
        let changes = !self.shows(list, &publishing);
        self.name_segments(&ready)?;
        for (id, tombstone) in &ready.tombstones {
            self.versions.note_delete(id, *tombstone);
        }
        let segments = self.entries_of(list, &mut ready, &mut publishing);
        *self.history_id.lock() = history;
        publishing.next_ordinal = publishing.next_ordinal.max(list.next_ordinal);
        let segments = self.commit_list(
            &mut flushing,
            segments,
            reach_of(list),
            list.primary_term,
            publishing.next_ordinal,
        )?;
        self.checkpoints
            .cover(list.searchable_checkpoint, list.max_seq_no);
        self.show_list(list, segments, &mut publishing);
        Ok(changes)
    }
}

/// Refuses a list that no copy can have made.
fn check_numbers(list: &SegmentList) -> Result<(), String> {
    let (checkpoint, max) = (list.searchable_checkpoint.0, list.max_seq_no.0);
    if checkpoint < SeqNo::NONE.0 || checkpoint > max || max == i64::MAX {
        return Err(format!(
            "it says that operations up to [{checkpoint}] of up to [{max}] are in it"
        ));
    }
    let mut ids = HashSet::new();
    match list.segments.iter().find(|segment| !ids.insert(segment.id)) {
        Some(segment) => Err(format!("segment [{}] is in it twice", segment.id)),
        None => Ok(()),
    }
}

fn reach_of(list: &SegmentList) -> Reach {
    Reach {
        max_seq_no: list.max_seq_no,
        local_checkpoint: list.searchable_checkpoint,
    }
}
