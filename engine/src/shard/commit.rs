//! # Commit point, `commit-<16 hex digits>`
//! What a shard is made of at one moment: written whole, synced, then given its name by an atomic rename. The
//! number in the name grows with each commit and is never used twice. Little-endian.
//!
//! | bytes | field               | meaning                                                              |
//! |------:|---------------------|----------------------------------------------------------------------|
//! |     8 | magic               | `"QDCMT\r\n\x1a"`                                                    |
//! |     2 | version             | 2                                                                    |
//! |     2 | reserved            | zero                                                                 |
//! |     8 | generation          | the number in the name                                               |
//! |     8 | max seq_no          | highest operation number given out; -1: none                         |
//! |     8 | local checkpoint    | all operations up to here are in the segments; -1: none              |
//! |     8 | translog generation | operations from this translog file on may be missing in the segments |
//! |     8 | primary term        | the reign that the copy followed, or was the primary of              |
//! |    16 | history id          | random; a new one when operations may have been lost                 |
//! |     8 | next ordinal        | of segments                                                          |
//! |     8 | segments' term      | since version 2: the reign of the primary that these segments are of; before: as primary term |
//! |     8 | global checkpoint   | since version 2: every in-sync copy had the operations up to here; -1: not known |
//! |     4 | segment count       |                                                                      |
//! |     … | segments            | 41 or 61 bytes each, see below                                       |
//! |     4 | tombstone count     |                                                                      |
//! |     … | tombstones          | 34 bytes and the `_id` each, see below                               |
//! |     4 | crc32c              | of every byte before it                                              |
//!
//! A segment: id (16), ordinal (8: order of creation), length of its file (8), CRC-32C of its file (4), max_doc (4), has
//! live docs (1: 0 or 1); if 1: generation in the name of the live docs file (8), its length (8), its CRC-32C (4).
//! Its files are `<id>.qsg` and `<id>-<generation>.qld`, in hexadecimal digits.
//!
//! A tombstone, a delete still remembered: version (8), seq_no (8), primary term (8), time in ms since 1970 (8),
//! length of the `_id` (2), the `_id` in UTF-8.
//!
//! The empty commit point of a new shard, generation 1, is 104 bytes long: 12 of magic, version and reserved,
//! 80 of fixed fields up to `global checkpoint`, two counts of 4 zero bytes, and the checksum.
//!
//! Bytes in which the local checkpoint is below -1 or above max seq_no, max seq_no is the highest number that there is, or the
//! global checkpoint is below -1, are refused.
//!
//! | version | since | change                                                    | golden index |
//! |--------:|-------|-----------------------------------------------------------|--------------|
//! |       1 | 0.1   | first; read, no longer written                            | `golden/v1/` |
//! |       2 | 0.1   | segments' term, global checkpoint: a copy may be a replica | `golden/commit_v2/` |

use std::io;

use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::ids::{PrimaryTerm, SegmentId, SeqNo};
use crate::translog::frame::crc32c;

use super::OpenShardError;
use super::versions::{Stamp, Tombstone};

const MAGIC: &[u8; 8] = b"QDCMT\r\n\x1a";
const VERSION: u16 = 2;
const OLDEST: u16 = 1;
const PREFIX: &str = "commit-";
/// A commit point has this name until it is complete.
pub(crate) const UNFINISHED: &str = "unfinished-commit";

/// A commit point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub generation: u64,
    pub max_seq_no: SeqNo,
    pub local_checkpoint: SeqNo,
    pub translog_generation: u64,
    pub primary_term: PrimaryTerm,
    pub history_id: u128,
    pub next_ordinal: u64,
    pub segments_term: PrimaryTerm,
    pub global_checkpoint: SeqNo,
    pub segments: Vec<CommittedSegment>,
    pub tombstones: Vec<(String, Tombstone)>,
}

/// A file as a commit point, or another copy, knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// Its bytes.
    pub len: u64,
    /// CRC-32C of all of them.
    pub crc: u32,
}

impl FileStamp {
    pub(crate) fn of(bytes: &[u8]) -> FileStamp {
        FileStamp {
            len: bytes.len() as u64,
            crc: crc32c(bytes),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommittedSegment {
    pub id: SegmentId,
    pub ordinal: u64,
    pub file: FileStamp,
    pub max_doc: u32,
    pub live: Option<CommittedLiveDocs>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommittedLiveDocs {
    pub generation: u64,
    pub file: FileStamp,
}

pub(crate) fn commit_name(generation: u64) -> String {
    format!("{PREFIX}{generation:016x}")
}

pub(crate) fn segment_name(id: SegmentId) -> String {
    format!("{id}.qsg")
}

pub(crate) fn live_docs_name(id: SegmentId, generation: u64) -> String {
    format!("{id}-{generation:016x}.qld")
}

/// The number in the name of a commit point.
pub(crate) fn commit_generation(name: &str) -> Option<u64> {
    hex(name.strip_prefix(PREFIX)?)
}

/// The number in the name of a live docs file.
pub(crate) fn live_docs_generation(name: &str) -> Option<u64> {
    hex(name.strip_suffix(".qld")?.rsplit_once('-')?.1)
}

fn hex(digits: &str) -> Option<u64> {
    if digits.len() != 16 {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

/// The last commit point of a shard that need not be open, and how long its file is.
pub(crate) fn newest_commit(directory: &dyn Directory) -> Result<(Commit, u64), OpenShardError> {
    let names = directory.list().map_err(io_error("directory"))?;
    let generations = names.iter().filter_map(|name| commit_generation(name));
    let name = commit_name(generations.max().ok_or(OpenShardError::Missing)?);
    let bytes = directory.open(&name).map_err(io_error(&name))?;
    let commit = Commit::decode(&bytes);
    let commit = commit.map_err(|reason| OpenShardError::Corrupt { file: name, reason })?;
    Ok((commit, bytes.len() as u64))
}

/// Names the file in an error of the operating system.
pub(super) fn io_error(file: &str) -> impl FnOnce(io::Error) -> OpenShardError {
    let file = file.to_owned();
    move |source| OpenShardError::Io { file, source }
}

impl Commit {
    /// All file names that this commit point needs, its own included.
    pub fn files(&self) -> Vec<String> {
        let mut names = vec![commit_name(self.generation)];
        for segment in &self.segments {
            names.push(segment_name(segment.id));
            if let Some(live) = segment.live {
                names.push(live_docs_name(segment.id, live.generation));
            }
        }
        names
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(104 + 80 * self.segments.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.max_seq_no.0.to_le_bytes());
        out.extend_from_slice(&self.local_checkpoint.0.to_le_bytes());
        out.extend_from_slice(&self.translog_generation.to_le_bytes());
        out.extend_from_slice(&self.primary_term.0.to_le_bytes());
        out.extend_from_slice(&self.history_id.to_le_bytes());
        out.extend_from_slice(&self.next_ordinal.to_le_bytes());
        out.extend_from_slice(&self.segments_term.0.to_le_bytes());
        out.extend_from_slice(&self.global_checkpoint.0.to_le_bytes());
        out.extend_from_slice(&(self.segments.len() as u32).to_le_bytes());
        for segment in &self.segments {
            out.extend_from_slice(&segment.id.0.to_le_bytes());
            out.extend_from_slice(&segment.ordinal.to_le_bytes());
            out.extend_from_slice(&segment.file.len.to_le_bytes());
            out.extend_from_slice(&segment.file.crc.to_le_bytes());
            out.extend_from_slice(&segment.max_doc.to_le_bytes());
            match segment.live {
                None => out.push(0),
                Some(live) => {
                    out.push(1);
                    out.extend_from_slice(&live.generation.to_le_bytes());
                    out.extend_from_slice(&live.file.len.to_le_bytes());
                    out.extend_from_slice(&live.file.crc.to_le_bytes());
                }
            }
        }
        encode_tombstones(&self.tombstones, &mut out);
        let crc = crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a commit point; the error says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Commit, String> {
        let Some((body, stored)) = bytes.split_last_chunk::<4>() else {
            return Err(format!("{} bytes are too few", bytes.len()));
        };
        let (stored, computed) = (u32::from_le_bytes(*stored), crc32c(body));
        if !body.starts_with(MAGIC) {
            return Err("the magic bytes are wrong".to_owned());
        }
        if stored != computed {
            return Err(format!(
                "the checksum is {computed:#010x}, the file says {stored:#010x}"
            ));
        }
        let mut rest = Fields(&body[MAGIC.len()..]);
        let version = u16::from_le_bytes(rest.take()?);
        if !(OLDEST..=VERSION).contains(&version) {
            return Err(format!(
                "format v{version}, this build reads v{OLDEST} to v{VERSION}; open it with the release that wrote it"
            ));
        }
        if rest.take::<2>()? != [0, 0] {
            return Err("reserved bytes are not zero".to_owned());
        }
        let mut commit = Commit {
            generation: rest.u64()?,
            max_seq_no: SeqNo(rest.i64()?),
            local_checkpoint: SeqNo(rest.i64()?),
            translog_generation: rest.u64()?,
            primary_term: PrimaryTerm(rest.u64()?),
            history_id: u128::from_le_bytes(rest.take()?),
            next_ordinal: rest.u64()?,
            segments_term: PrimaryTerm(0),
            global_checkpoint: SeqNo::NONE,
            segments: Vec::new(),
            tombstones: Vec::new(),
        };
        commit.segments_term = commit.primary_term;
        if version > 1 {
            commit.segments_term = PrimaryTerm(rest.u64()?);
            commit.global_checkpoint = SeqNo(rest.i64()?);
        }
        commit.check_numbers()?;
        for _ in 0..rest.u32()? {
            commit.segments.push(rest.segment()?);
        }
        commit.tombstones = rest.tombstones()?;
        if !rest.0.is_empty() {
            return Err(format!("{} bytes too many", rest.0.len()));
        }
        Ok(commit)
    }

    /// Refuses what no shard can have written: who counts on from such numbers would run out of them.
    fn check_numbers(&self) -> Result<(), String> {
        let (local, max) = (self.local_checkpoint.0, self.max_seq_no.0);
        if local < SeqNo::NONE.0 || local > max || max == i64::MAX {
            return Err(format!(
                "it says that operations up to [{local}] of up to [{max}] are in it"
            ));
        }
        match self.global_checkpoint < SeqNo::NONE {
            true => Err(format!(
                "its global checkpoint is [{}]",
                self.global_checkpoint.0
            )),
            false => Ok(()),
        }
    }
}

/// As a commit point and a [shipment](super::shipment) have them.
pub(super) fn encode_tombstones(tombstones: &[(String, Tombstone)], out: &mut Vec<u8>) {
    out.extend_from_slice(&(tombstones.len() as u32).to_le_bytes());
    for (id, tomb) in tombstones {
        out.extend_from_slice(&tomb.stamp.version.to_le_bytes());
        out.extend_from_slice(&tomb.stamp.seq_no.0.to_le_bytes());
        out.extend_from_slice(&tomb.stamp.primary_term.0.to_le_bytes());
        out.extend_from_slice(&tomb.at_ms.to_le_bytes());
        out.extend_from_slice(&(id.len() as u16).to_le_bytes());
        out.extend_from_slice(id.as_bytes());
    }
}

/// Reads what [`encode_tombstones`] wrote, and nothing behind it.
pub(super) fn decode_tombstones(bytes: &[u8]) -> Result<Vec<(String, Tombstone)>, String> {
    let mut rest = Fields(bytes);
    let tombstones = rest.tombstones()?;
    match rest.0.len() {
        0 => Ok(tombstones),
        more => Err(format!("{more} bytes too many")),
    }
}

/// Bytes not read yet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let Some((head, tail)) = self.0.split_first_chunk::<N>() else {
            return Err("the file ends too early".to_owned());
        };
        self.0 = tail;
        Ok(*head)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.take().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Result<i64, String> {
        self.take().map(i64::from_le_bytes)
    }

    fn file(&mut self) -> Result<FileStamp, String> {
        Ok(FileStamp {
            len: self.u64()?,
            crc: self.u32()?,
        })
    }

    fn segment(&mut self) -> Result<CommittedSegment, String> {
        let mut segment = CommittedSegment {
            id: SegmentId(u128::from_le_bytes(self.take()?)),
            ordinal: self.u64()?,
            file: self.file()?,
            max_doc: self.u32()?,
            live: None,
        };
        match self.take::<1>()? {
            [0] => {}
            [1] => {
                segment.live = Some(CommittedLiveDocs {
                    generation: self.u64()?,
                    file: self.file()?,
                });
            }
            [other] => return Err(format!("{other} is neither 0 (no live docs) nor 1")),
        }
        Ok(segment)
    }

    fn tombstones(&mut self) -> Result<Vec<(String, Tombstone)>, String> {
        let mut tombstones = Vec::new();
        for _ in 0..self.u32()? {
            tombstones.push(self.tombstone()?);
        }
        Ok(tombstones)
    }

    fn tombstone(&mut self) -> Result<(String, Tombstone), String> {
        let version = self.u64()?;
        let seq_no = SeqNo(self.i64()?);
        let primary_term = PrimaryTerm(self.u64()?);
        let at_ms = self.i64()?;
        let len = u16::from_le_bytes(self.take()?) as usize;
        let Some((id, tail)) = self.0.split_at_checked(len) else {
            return Err("the file ends too early".to_owned());
        };
        self.0 = tail;
        let id =
            std::str::from_utf8(id).map_err(|error| format!("an _id is not UTF-8: {error}"))?;
        let stamp = Stamp {
            seq_no,
            primary_term,
            version,
        };
        Ok((id.to_owned(), Tombstone { stamp, at_ms }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(seed: u64) -> FileStamp {
        FileStamp {
            len: seed * 7,
            crc: seed as u32 ^ 0xffff,
        }
    }

    fn example(segments: u64) -> Commit {
        let segment = |n: u64| CommittedSegment {
            id: SegmentId(u128::from(n) << 70 | 5),
            ordinal: n,
            file: file(n),
            max_doc: n as u32 + 1,
            live: (n % 2 == 1).then(|| CommittedLiveDocs {
                generation: n + 9,
                file: file(n + 1),
            }),
        };
        let stamp = Stamp {
            seq_no: SeqNo(3),
            primary_term: PrimaryTerm(1),
            version: 4,
        };
        Commit {
            generation: 1,
            max_seq_no: SeqNo(-1),
            local_checkpoint: SeqNo(-1),
            translog_generation: 1,
            primary_term: PrimaryTerm(1),
            history_id: 77,
            next_ordinal: segments,
            segments_term: PrimaryTerm(3),
            global_checkpoint: SeqNo(2),
            segments: (0..segments).map(segment).collect(),
            tombstones: (0..segments)
                .map(|n| (format!("ä{n}"), Tombstone { stamp, at_ms: 5 }))
                .collect(),
        }
    }

    #[test]
    fn an_empty_commit_point_has_104_bytes() {
        assert_eq!(example(0).encode().len(), 104);
    }

    #[test]
    fn names_carry_their_numbers() {
        assert_eq!(commit_generation(&commit_name(300)), Some(300));
        let name = live_docs_name(SegmentId(9), 300);
        assert_eq!(live_docs_generation(&name), Some(300));
        assert_eq!(commit_generation("commit-12"), None);
    }

    #[test]
    fn numbers_that_no_shard_gives_out_are_refused() {
        for (local, max, global) in [(-1, -1, -1), (3, 7, 9), (3, i64::MAX - 1, -1)] {
            let commit = numbered(local, max, global);
            assert_eq!(Commit::decode(&commit.encode()), Ok(commit));
        }
        for (local, max, global, wrong) in [
            (-2, 7, -1, "up to [-2] of up to [7]"),
            (i64::MIN, i64::MIN, -1, "up to [-9223372036854775808]"),
            (8, 7, -1, "up to [8] of up to [7]"),
            (3, i64::MAX, -1, "of up to [9223372036854775807]"),
            (i64::MAX, i64::MAX, -1, "of up to [9223372036854775807]"),
            (3, 7, -2, "global checkpoint is [-2]"),
        ] {
            let why = Commit::decode(&numbered(local, max, global).encode()).unwrap_err();
            assert!(why.contains(wrong), "{why}");
        }
    }

    fn numbered(local: i64, max: i64, global: i64) -> Commit {
        Commit {
            local_checkpoint: SeqNo(local),
            max_seq_no: SeqNo(max),
            global_checkpoint: SeqNo(global),
            ..example(2)
        }
    }

    proptest! {
        #[test]
        fn commit_points_come_back_and_flipped_bits_are_seen(segments in 0u64..5, bit: prop::sample::Index) {
            let commit = example(segments);
            let mut bytes = commit.encode();
            prop_assert_eq!(Commit::decode(&bytes), Ok(commit));
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Commit::decode(&bytes).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            bytes: Vec<u8>,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut: prop::sample::Index,
        ) {
            let _ = Commit::decode(&bytes);
            // Bytes behind a checksum that is right reach further.
            let mut body = example(3).encode();
            body.truncate(body.len() - 4);
            for (place, value) in changes {
                let place = place.index(body.len());
                body[place] = value;
            }
            for len in [body.len(), cut.index(body.len())] {
                let mut file = body[..len].to_vec();
                file.extend_from_slice(&crc32c(&body[..len]).to_le_bytes());
                let _ = Commit::decode(&file);
            }
        }
    }
}
