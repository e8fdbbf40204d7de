//! What a primary gives its replicas: the list of segments that a search sees, and their bytes.
//!
//! A list is compared, never obeyed by its number: a replica asks which files of it are missing, by id, length and
//! checksum, and shows it whole or not at all. The file of deletes has, little-endian, a count (4) and the tombstones as a
//! [commit point](super::commit) has them.

use std::collections::HashMap;
use std::fmt::{Display, Formatter};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::commit::{FileStamp, encode_tombstones, live_docs_name, segment_name};
use super::inner::{Inner, Publishing, SegmentEntry, View};
use super::role::CopyRole;
use crate::ids::{PrimaryTerm, SegmentId, SeqNo};
use crate::writer::flush::TOMBSTONES_MAX;

/// What a search on a copy sees, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentList {
    /// Identity of the history of operations.
    pub history_uuid: String,
    /// The reign of the primary that these segments are of.
    pub primary_term: PrimaryTerm,
    /// Grows with every change of what a search can see, as long as the copy stays open.
    pub generation: u64,
    /// No operation with a higher number is in the segments.
    pub max_seq_no: SeqNo,
    /// All operations up to here are in the segments.
    pub searchable_checkpoint: SeqNo,
    /// The ordinal of the next segment.
    pub next_ordinal: u64,
    /// Oldest first.
    pub segments: Vec<ListedSegment>,
    /// The file of deletes still remembered, if there are any; for copies that did not get them as operations.
    pub tombstones: Option<FileStamp>,
}

/// A segment of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedSegment {
    /// Its id: random, never used again.
    pub id: SegmentId,
    /// Order in which it came to be.
    pub ordinal: u64,
    /// Its file.
    pub file: FileStamp,
    /// Documents, dead ones included.
    pub max_doc: u32,
    /// Which of them are dead; `None`: none is.
    pub live: Option<ListedLiveDocs>,
}

/// Live docs of a listed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedLiveDocs {
    /// Number of dead documents: it only grows.
    pub generation: u64,
    /// The file; its sum is that of all before its last four bytes, which say the same.
    pub file: FileStamp,
}

/// A file of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FileName {
    /// Documents.
    Segment(SegmentId),
    /// Which of them are dead, at a generation.
    LiveDocs(SegmentId, u64),
    /// Deletes still remembered.
    Tombstones,
}

impl Display for FileName {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            FileName::Segment(id) => f.write_str(&segment_name(*id)),
            FileName::LiveDocs(id, generation) => f.write_str(&live_docs_name(*id, *generation)),
            FileName::Tombstones => f.write_str("tombstones"),
        }
    }
}

impl SegmentList {
    /// Whether searches find the same by both lists.
    pub fn shows_the_same(&self, other: &SegmentList) -> bool {
        self.history_uuid == other.history_uuid
            && self.primary_term == other.primary_term
            && self.max_seq_no == other.max_seq_no
            && self.searchable_checkpoint == other.searchable_checkpoint
            && self.segments == other.segments
    }

    /// Bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        let live = |segment: &ListedSegment| segment.live.map_or(0, |live| live.file.len);
        let segments = self.segments.iter().map(|s| s.file.len + live(s));
        segments.sum::<u64>() + self.tombstones.map_or(0, |file| file.len)
    }
}

/// A list and its bytes, readable as long as this is held, whatever merges and flushes do.
#[derive(Debug)]
pub struct Shipment {
    list: SegmentList,
    view: Arc<View>,
    tombstones: Bytes,
    /// Live docs files made so far.
    live: Mutex<HashMap<FileName, Bytes>>,
}

impl Shipment {
    /// What it is made of.
    pub fn list(&self) -> &SegmentList {
        &self.list
    }

    /// Bytes of a file from an offset on: `len` of them, fewer at its end, none beyond.
    pub fn read(&self, file: &FileName, offset: u64, len: usize) -> io::Result<Bytes> {
        let of = |id: &SegmentId| self.view.segments.iter().find(|e| e.reader.id() == *id);
        let missing =
            || io::Error::new(io::ErrorKind::NotFound, format!("{file}: not in the list"));
        match file {
            FileName::Segment(id) => {
                let entry = of(id).ok_or_else(missing)?;
                let bytes = entry.reader.bytes();
                Ok(Bytes::copy_from_slice(
                    &bytes[range(bytes.len(), offset, len)],
                ))
            }
            FileName::LiveDocs(id, generation) => {
                let entry = of(id).ok_or_else(missing)?;
                let live = entry.live.as_ref().ok_or_else(missing)?;
                if u64::from(live.deleted_count()) != *generation {
                    return Err(missing());
                }
                let mut made = self.live.lock();
                let bytes = made.entry(*file).or_insert_with(|| live.encode(*id).into());
                Ok(bytes.slice(range(bytes.len(), offset, len)))
            }
            FileName::Tombstones => {
                self.list.tombstones.ok_or_else(missing)?;
                Ok(self
                    .tombstones
                    .slice(range(self.tombstones.len(), offset, len)))
            }
        }
    }
}

/// The part of so many bytes that is asked for.
fn range(bytes: usize, offset: u64, len: usize) -> std::ops::Range<usize> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes);
    start..start.saturating_add(len).min(bytes)
}

fn listed(entry: &SegmentEntry) -> ListedSegment {
    let live = entry.live.as_ref().zip(entry.live_stamp());
    ListedSegment {
        id: entry.reader.id(),
        ordinal: entry.ordinal,
        file: entry.stamp(),
        max_doc: entry.reader.max_doc(),
        live: live.map(|(live, file)| ListedLiveDocs {
            generation: u64::from(live.deleted_count()),
            file,
        }),
    }
}

impl Inner {
    /// See [`Shard::shipment`](super::Shard::shipment).
    pub fn shipment(&self) -> Shipment {
        let (mut list, view) = self.list_visible();
        let tombstones = self
            .versions
            .tombstones(view.reach.max_seq_no, TOMBSTONES_MAX);
        let mut bytes = Vec::new();
        if !tombstones.is_empty() {
            encode_tombstones(&tombstones, &mut bytes);
            list.tombstones = Some(FileStamp::of(&bytes));
        }
        Shipment {
            list,
            view,
            tombstones: bytes.into(),
            live: Mutex::default(),
        }
    }

    /// What this copy shows, without the deletes it remembers.
    pub fn list_visible(&self) -> (SegmentList, Arc<View>) {
        let (view, next_ordinal, term) = self.shown(&self.publishing.lock());
        (self.list_of(&view, next_ordinal, term), view)
    }

    /// What is shown, the next ordinal, and the reign of the primary that it is of.
    pub(super) fn shown(&self, publishing: &Publishing) -> (Arc<View>, u64, PrimaryTerm) {
        let term = match self.role.get() {
            CopyRole::Primary => self.term(),
            CopyRole::Replica | CopyRole::Promoting => publishing.segments_term,
        };
        (self.visible.load_full(), publishing.next_ordinal, term)
    }

    pub(super) fn list_of(&self, view: &View, next_ordinal: u64, term: PrimaryTerm) -> SegmentList {
        SegmentList {
            history_uuid: self.history_uuid(),
            primary_term: term,
            generation: view.reader.generation,
            max_seq_no: view.reach.max_seq_no,
            searchable_checkpoint: view.reach.local_checkpoint,
            next_ordinal,
            segments: view.segments.iter().map(listed).collect(),
            tombstones: None,
        }
    }
}
