//! The full check of a shard's files: every checksum, and every structure decoded. Unlike the check of an open shard it does not
//! stop at the first damage.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::{
    CommitShape, CommittedFile, CommittedSegmentShape, FileKind, file_kind, newest_commit,
};
use crate::directory::ram::RamDirectory;
use crate::directory::{ByteView, Directory};
use crate::ids::SegmentId;
use crate::segment::{LiveDocs, OpenSegmentError, SegmentReader, damaged_sections};
use crate::shard::OpenShardError;
use crate::translog::frame::crc32c;
use crate::translog::{JournalError, Translog};

/// What is wrong, and where in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The part of the file.
    pub section: String,
    /// What is wrong there.
    pub what: String,
}

/// A file that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedFile {
    /// Its name.
    pub name: String,
    /// What it is: `commit point`, `segment`, `live docs`, `translog`.
    pub kind: &'static str,
    /// Its length; 0 where it is missing.
    pub bytes: u64,
    /// Everything that is wrong with it, as far as it could be read; nothing if it is sound.
    pub damage: Vec<Damage>,
}

/// Checks an index folder: its newest commit point and all that this names; where the commit point cannot be read, every
/// segment that is there.
pub fn verify(directory: &dyn Directory) -> io::Result<Vec<CheckedFile>> {
    let names = directory.list()?;
    let mut checked = Vec::new();
    match newest_commit(directory) {
        Ok(commit) => {
            checked.push(sound(&commit.file, "commit point", commit.bytes));
            commit_files(directory, &commit, &mut checked);
        }
        Err(OpenShardError::Missing) => {
            checked.push(damaged("commit-…", "commit point", 0, whole("is missing")));
            segments_alone(directory, &names, &mut checked);
        }
        Err(OpenShardError::Corrupt { file, reason }) => {
            let bytes = directory.open(&file)?.len() as u64;
            checked.push(damaged(&file, "commit point", bytes, whole(&reason)));
            segments_alone(directory, &names, &mut checked);
        }
        Err(other) => return Err(io::Error::other(other)),
    }
    Ok(checked)
}

fn sound(name: &str, kind: &'static str, bytes: u64) -> CheckedFile {
    CheckedFile {
        name: name.to_owned(),
        kind,
        bytes,
        damage: Vec::new(),
    }
}

fn damaged(name: &str, kind: &'static str, bytes: u64, damage: Damage) -> CheckedFile {
    CheckedFile {
        damage: vec![damage],
        ..sound(name, kind, bytes)
    }
}

fn whole(what: &str) -> Damage {
    Damage {
        section: "file".to_owned(),
        what: what.to_owned(),
    }
}

fn commit_files(directory: &dyn Directory, commit: &CommitShape, checked: &mut Vec<CheckedFile>) {
    for segment in &commit.segments {
        let file = &segment.file;
        checked.push(one_file(directory, file, "segment", |bytes| {
            let mut damage = segment_damage(segment.id, bytes);
            if damage.is_empty() && max_doc_of(segment.id, bytes) != Some(segment.max_doc) {
                damage.push(whole(
                    "has another number of documents than the commit point says",
                ));
            }
            damage
        }));
        if let Some(file) = &segment.live_docs {
            checked.push(one_file(directory, file, "live docs", |bytes| {
                live_docs_damage(segment, bytes)
            }));
        }
    }
}

/// Checks a file by `check`, and, if that finds nothing, against what the commit point knows of it.
fn one_file(
    directory: &dyn Directory,
    file: &CommittedFile,
    kind: &'static str,
    check: impl FnOnce(&ByteView) -> Vec<Damage>,
) -> CheckedFile {
    let bytes = match directory.open(&file.name) {
        Ok(bytes) => bytes,
        Err(error) => {
            let what = match error.kind() {
                io::ErrorKind::NotFound => "is missing".to_owned(),
                _ => error.to_string(),
            };
            return damaged(&file.name, kind, 0, whole(&what));
        }
    };
    let mut damage = check(&bytes);
    let (len, crc) = (bytes.len() as u64, crc32c(&bytes));
    if damage.is_empty() && (len != file.len || crc != file.crc32c) {
        damage.push(whole(&format!(
            "has {len} bytes and checksum {crc:#010x}, the commit point says {} and {:#010x}",
            file.len, file.crc32c
        )));
    }
    CheckedFile {
        damage,
        ..sound(&file.name, kind, len)
    }
}

/// Checks segments by what they say of themselves.
fn segments_alone(directory: &dyn Directory, names: &[String], checked: &mut Vec<CheckedFile>) {
    for name in names
        .iter()
        .filter(|name| file_kind(name) == FileKind::Segment)
    {
        checked.push(match directory.open(name) {
            Ok(bytes) => verify_segment(name, bytes),
            Err(error) => damaged(name, "segment", 0, whole(&error.to_string())),
        });
    }
}

/// Checks a segment file by what it says of itself.
pub fn verify_segment(name: &str, bytes: ByteView) -> CheckedFile {
    CheckedFile {
        damage: match SegmentReader::id_of(&bytes) {
            Some(id) => segment_damage(id, &bytes),
            None => vec![Damage {
                section: "footer".to_owned(),
                what: "is not that of a segment".to_owned(),
            }],
        },
        ..sound(name, "segment", bytes.len() as u64)
    }
}

fn max_doc_of(id: SegmentId, bytes: &ByteView) -> Option<u32> {
    let reader = SegmentReader::open(id, bytes.clone()).ok()?;
    Some(reader.max_doc())
}

/// Every section with a wrong checksum; if there is none, the first structure that is not what it should be.
fn segment_damage(id: SegmentId, bytes: &ByteView) -> Vec<Damage> {
    let mut errors = match damaged_sections(id, bytes.clone()) {
        Ok(errors) => errors,
        Err(error) => return vec![open_damage(error)],
    };
    if errors.is_empty() {
        match SegmentReader::open(id, bytes.clone()) {
            Ok(reader) => errors.extend(reader.verify().err()),
            Err(error) => return vec![open_damage(error)],
        }
    }
    let damage = errors.into_iter().map(|error| Damage {
        section: error.section,
        what: error.what,
    });
    damage.collect()
}

fn open_damage(error: OpenSegmentError) -> Damage {
    match error {
        OpenSegmentError::Damaged { section, what, .. } => Damage { section, what },
        OpenSegmentError::UnsupportedFormat {
            found,
            oldest,
            newest,
            ..
        } => Damage {
            section: "footer".to_owned(),
            what: format!("says format v{found}, this build reads v{oldest}..=v{newest}"),
        },
        OpenSegmentError::OtherSegment { found, .. } => Damage {
            section: "footer".to_owned(),
            what: format!("says that it is segment {found}"),
        },
    }
}

fn live_docs_damage(segment: &CommittedSegmentShape, bytes: &[u8]) -> Vec<Damage> {
    let decoded = LiveDocs::decode(segment.id, segment.max_doc, bytes);
    decoded.err().map(open_damage).into_iter().collect()
}

/// What is in a translog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranslogShape {
    /// Operations that can be read.
    pub operations: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The half-written end that opening the shard would cut: nothing acknowledged is in it.
    pub torn_tail: Option<String>,
    /// Each file, and what is wrong with it.
    pub files: Vec<CheckedFile>,
}

/// Reads a translog folder from its first operation to its last.
pub fn translog(directory: &dyn Directory) -> io::Result<TranslogShape> {
    // Opening a translog tidies its folder up: that is done to a copy in memory.
    let copy = Arc::new(RamDirectory::new());
    let mut files = BTreeMap::new();
    for name in directory.list()? {
        let bytes = directory.open(&name)?;
        io::Write::write_all(&mut copy.create(&name)?, &bytes)?;
        files.insert(name.clone(), sound(&name, "translog", bytes.len() as u64));
    }
    let mut shape = TranslogShape {
        bytes: files.values().map(|file| file.bytes).sum(),
        ..TranslogShape::default()
    };
    if let Err(error) = read_all(copy, &mut shape) {
        let (name, damage) = match error {
            JournalError::Corrupt {
                file,
                offset,
                reason,
            } => {
                let section = format!("byte {offset}");
                (
                    file,
                    Damage {
                        section,
                        what: reason,
                    },
                )
            }
            JournalError::Io { file, source } => (file, whole(&source.to_string())),
            other => ("journal-checkpoint".to_owned(), whole(&other.to_string())),
        };
        let missing = sound(&name, "translog", 0);
        files.entry(name).or_insert(missing).damage.push(damage);
    }
    shape.files = files.into_values().collect();
    Ok(shape)
}

fn read_all(copy: Arc<RamDirectory>, shape: &mut TranslogShape) -> Result<(), JournalError> {
    let translog = Translog::open(copy)?;
    shape.torn_tail = translog.torn_tail().map(|torn| {
        let (file, offset, dropped) = (&torn.file, torn.offset, torn.dropped);
        format!(
            "{file}: {dropped} bytes from byte {offset} on: {}",
            torn.reason
        )
    });
    for operation in translog.operations(0)? {
        operation?;
        shape.operations += 1;
    }
    Ok(())
}
