//! The commit point of a shard that is not open, and what its files are.

use crate::directory::Directory;
use crate::ids::{PrimaryTerm, SegmentId, SeqNo};
use crate::shard::commit::{
    self, Commit, commit_generation, commit_name, live_docs_generation, live_docs_name,
    segment_name,
};
use crate::shard::{OpenShardError, base36};

/// What a file of a shard's index folder is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// Says which files make up the shard.
    Commit,
    /// Documents.
    Segment,
    /// Which documents of a segment are dead.
    LiveDocs,
    /// Left by a crash; removed when the shard is opened.
    Unfinished,
    /// None of ours.
    Other,
}

impl FileKind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Commit => "commit point",
            FileKind::Segment => "segment",
            FileKind::LiveDocs => "live docs",
            FileKind::Unfinished => "unfinished",
            FileKind::Other => "unknown",
        }
    }
}

/// What a file is.
pub fn file_kind(name: &str) -> FileKind {
    if commit_generation(name).is_some() {
        FileKind::Commit
    } else if name.ends_with(".qsg") {
        FileKind::Segment
    } else if live_docs_generation(name).is_some() {
        FileKind::LiveDocs
    } else if name.starts_with("unfinished-") {
        FileKind::Unfinished
    } else {
        FileKind::Other
    }
}

/// A file as the commit point knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub len: u64,
    /// CRC-32C of all of it.
    pub crc32c: u32,
}

/// A segment as the commit point knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedSegmentShape {
    /// Its id.
    pub id: SegmentId,
    /// Its short name, as `_cat/segments` shows it.
    pub name: String,
    /// Documents, dead ones included.
    pub max_doc: u32,
    /// Where they are.
    pub file: CommittedFile,
    /// Which of them are dead; `None`: none.
    pub live_docs: Option<CommittedFile>,
}

/// A commit point: what a shard is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitShape {
    /// Its file.
    pub file: String,
    /// How long that is.
    pub bytes: u64,
    /// The number in its name.
    pub generation: u64,
    /// Highest operation number given out.
    pub max_seq_no: SeqNo,
    /// All operations up to here are in the segments.
    pub local_checkpoint: SeqNo,
    /// Operations from this translog file on may be missing in the segments.
    pub translog_generation: u64,
    /// The reign of the copy that wrote it.
    pub primary_term: PrimaryTerm,
    /// Identity of the history of operations.
    pub history_uuid: String,
    /// Deletes still remembered.
    pub tombstones: u64,
    /// In order of creation.
    pub segments: Vec<CommittedSegmentShape>,
}

impl CommitShape {
    /// Whether the shard needs a file of its index folder.
    pub fn needs(&self, name: &str) -> bool {
        name == self.file
            || self.segments.iter().any(|segment| {
                let live_docs = segment.live_docs.as_ref();
                segment.file.name == name || live_docs.is_some_and(|live| live.name == name)
            })
    }
}

/// Reads the newest commit point of an index folder.
pub fn newest_commit(directory: &dyn Directory) -> Result<CommitShape, OpenShardError> {
    let (commit, bytes) = commit::newest_commit(directory)?;
    Ok(shape_of(&commit, bytes))
}

fn shape_of(commit: &Commit, bytes: u64) -> CommitShape {
    let segments = commit.segments.iter().map(|segment| CommittedSegmentShape {
        id: segment.id,
        name: format!("_{}", base36(segment.ordinal)),
        max_doc: segment.max_doc,
        file: CommittedFile {
            name: segment_name(segment.id),
            len: segment.file.len,
            crc32c: segment.file.crc,
        },
        live_docs: segment.live.map(|live| CommittedFile {
            name: live_docs_name(segment.id, live.generation),
            len: live.file.len,
            crc32c: live.file.crc,
        }),
    });
    CommitShape {
        file: commit_name(commit.generation),
        bytes,
        generation: commit.generation,
        max_seq_no: commit.max_seq_no,
        local_checkpoint: commit.local_checkpoint,
        translog_generation: commit.translog_generation,
        primary_term: commit.primary_term,
        history_uuid: format!("{:032x}", commit.history_id),
        tombstones: commit.tombstones.len() as u64,
        segments: segments.collect(),
    }
}
