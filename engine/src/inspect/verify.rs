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

/// How often a check is made of a shard that goes on meanwhile.
const TRIES: usize = 3;

/// Checks anew what is not sound if the folder has changed meanwhile: a shard in use gives up the files that it needs no more.
fn steady<T>(
    directory: &dyn Directory,
    check: impl Fn(&dyn Directory) -> io::Result<T>,
    is_sound: impl Fn(&T) -> bool,
) -> io::Result<T> {
    for _ in 1..TRIES {
        let before = directory.list()?;
        let checked = check(directory);
        if checked.as_ref().is_ok_and(&is_sound) || directory.list()? == before {
            return checked;
        }
    }
    check(directory)
}

fn are_sound(files: &[CheckedFile]) -> bool {
    files.iter().all(|file| file.damage.is_empty())
}

/// Checks an index folder: its newest commit point and all that this names; where the commit point cannot be read, every
/// segment that is there.
pub fn verify(directory: &dyn Directory) -> io::Result<Vec<CheckedFile>> {
    steady(directory, verify_now, |files| are_sound(files))
}

fn verify_now(directory: &dyn Directory) -> io::Result<Vec<CheckedFile>> {
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
    steady(directory, translog_now, |shape| are_sound(&shape.files))
}

fn translog_now(directory: &dyn Directory) -> io::Result<TranslogShape> {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::directory::FileWriter;
    use crate::ids::{PrimaryTerm, SeqNo};
    use crate::shard::commit::{Commit, CommittedSegment, FileStamp, commit_name};

    /// A folder that has another commit point, and none of the segments of the first, from some listing on.
    #[derive(Debug)]
    struct MovingOn {
        commits: [Commit; 2],
        listed: AtomicUsize,
        until: usize,
    }

    impl Directory for MovingOn {
        fn list(&self) -> io::Result<Vec<String>> {
            let later = self.listed.fetch_add(1, Ordering::Relaxed) >= self.until;
            Ok(vec![commit_name(
                self.commits[usize::from(later)].generation,
            )])
        }

        fn open(&self, name: &str) -> io::Result<ByteView> {
            let mut commits = self.commits.iter();
            let commit = commits.find(|commit| commit_name(commit.generation) == name);
            let commit = commit.ok_or(io::ErrorKind::NotFound)?;
            Ok(ByteView::new(commit.encode()))
        }

        fn create(&self, _: &str) -> io::Result<Box<dyn FileWriter>> {
            unreachable!("nothing is written")
        }

        fn append(&self, _: &str, _: u64) -> io::Result<Box<dyn FileWriter>> {
            unreachable!("nothing is written")
        }

        fn rename(&self, _: &str, _: &str) -> io::Result<()> {
            unreachable!("nothing is written")
        }

        fn delete(&self, _: &str) -> io::Result<()> {
            unreachable!("nothing is written")
        }

        fn sync_names(&self) -> io::Result<()> {
            unreachable!("nothing is written")
        }
    }

    fn moving_on(until: usize) -> MovingOn {
        let commit = |generation, segments| Commit {
            generation,
            max_seq_no: SeqNo(0),
            local_checkpoint: SeqNo(0),
            translog_generation: 1,
            primary_term: PrimaryTerm(1),
            history_id: 1,
            next_ordinal: 1,
            segments_term: PrimaryTerm(1),
            global_checkpoint: SeqNo(0),
            segments,
            tombstones: Vec::new(),
        };
        let gone = CommittedSegment {
            id: SegmentId(7),
            ordinal: 0,
            file: FileStamp { len: 1, crc: 1 },
            max_doc: 1,
            live: None,
        };
        MovingOn {
            commits: [commit(1, vec![gone]), commit(2, Vec::new())],
            listed: AtomicUsize::new(0),
            until,
        }
    }

    #[test]
    fn a_file_given_up_meanwhile_is_no_damage() {
        // The first two listings are those of the first check.
        let checked = verify(&moving_on(2)).unwrap();
        assert_eq!(checked.len(), 1);
        assert_eq!(checked[0].name, commit_name(2));
        assert!(are_sound(&checked));

        let checked = verify(&moving_on(usize::MAX)).unwrap();
        let what = &checked[1].damage[0].what;
        assert_eq!(what, "is missing", "who stays that way is damaged");
    }
}
