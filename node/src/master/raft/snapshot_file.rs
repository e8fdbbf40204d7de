//! # Snapshots of the cluster state on disk, `raft-snapshot-<16 hex digits of the last index>`
//!
//! Written beside under another name, synced, renamed: a snapshot is there whole or not at all. The newest counts, older
//! ones go. Little-endian.
//!
//! | offset | bytes | field    | meaning                                                               |
//! |-------:|------:|----------|-----------------------------------------------------------------------|
//! |      0 |     8 | magic    | `"QDRSN\r\n\x1a"`                                                     |
//! |      8 |     2 | version  | 1                                                                     |
//! |     10 |     2 | reserved | zero                                                                  |
//! |     12 |     8 | length   | of the payload in bytes                                               |
//! |     20 |     … | payload  | protocol message `SnapshotFile`: what it covers, and an encoded image |
//! |    end |     4 | crc32c   | of every byte before it                                               |
//!
//! A snapshot without an entry and without a member, of an image of no bytes, is 30 bytes:
//! ```text
//! 51 44 52 53 4e 0d 0a 1a  01 00  00 00  06 00 00 00 00 00 00 00  0a 04 12 02 12 00  crc32c
//! magic                    v1     0      length 6                 meta
//! ```
//!
//! | version | since | change |
//! |--------:|-------|--------|
//! |       1 | 0.1   | first  |

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use parking_lot::Mutex;
use prost::Message;
use quidditch_engine::directory::Directory;
use quidditch_proto::raft as proto;

use super::types::SnapshotMeta;
use crate::wire::raft::{snapshot_meta_from, snapshot_meta_to};

const MAGIC: &[u8; 8] = b"QDRSN\r\n\x1a";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 20;
const _: () = assert!(HEADER_BYTES == 8 + 2 + 2 + 8);
const FOOTER_BYTES: usize = 4;
const PREFIX: &str = "raft-snapshot-";
const NEW: &str = "raft-new-snapshot";

/// The index in a file's name.
fn index_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok())?
}

fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

fn encode(meta: &SnapshotMeta, image: Bytes) -> Vec<u8> {
    let payload = proto::SnapshotFile {
        meta: Some(snapshot_meta_to(meta)),
        image,
    };
    let len = payload.encoded_len();
    let mut out = Vec::with_capacity(HEADER_BYTES + len + FOOTER_BYTES);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(len as u64).to_le_bytes());
    out.extend_from_slice(&payload.encode_to_vec());
    let crc = crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// The error says what is wrong with the bytes.
fn decode(bytes: &[u8]) -> Result<(SnapshotMeta, Bytes), String> {
    let too_few = || format!("{} bytes are too few", bytes.len());
    let (body, footer) = bytes
        .split_last_chunk::<FOOTER_BYTES>()
        .ok_or_else(too_few)?;
    let (header, payload) = body
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or_else(too_few)?;
    if header[..8] != *MAGIC {
        return Err("the magic bytes are wrong".to_owned());
    }
    let stored = u32::from_le_bytes(*footer);
    let computed = crc32c(body);
    if stored != computed {
        return Err(format!(
            "the checksum is {computed:#010x}, the file says {stored:#010x}"
        ));
    }
    let version = u16::from_le_bytes([header[8], header[9]]);
    if version != VERSION {
        return Err(format!(
            "format v{version}, this build reads v{VERSION}; open it with the release that wrote it"
        ));
    }
    let said = u64::from_le_bytes(
        header[12..20]
            .try_into()
            .expect("the range is eight bytes long, and a header has 20"),
    );
    if header[10..12] != [0, 0] || said != payload.len() as u64 {
        return Err("its header does not fit its content".to_owned());
    }
    let payload = Bytes::copy_from_slice(payload);
    let file = proto::SnapshotFile::decode(payload).map_err(|error| error.to_string())?;
    let meta = snapshot_meta_from(file.meta).map_err(|error| error.0)?;
    Ok((meta, file.image))
}

/// The snapshots of one directory. One is written at a time: raft may have one built while another one arrives.
#[derive(Debug)]
pub struct Snapshots {
    directory: Arc<dyn Directory>,
    writing: Mutex<()>,
}

impl Snapshots {
    /// Those of a directory.
    pub fn of(directory: Arc<dyn Directory>) -> Snapshots {
        Snapshots {
            directory,
            writing: Mutex::new(()),
        }
    }

    /// Puts a snapshot in place, unless a newer one is there, then removes those before it.
    pub fn write(&self, meta: &SnapshotMeta, image: Bytes) -> io::Result<()> {
        let _one = self.writing.lock();
        write(&*self.directory, meta, image)
    }

    /// The newest snapshot.
    pub fn read(&self) -> io::Result<Option<(SnapshotMeta, Bytes)>> {
        // a file that is read is not one that goes meanwhile
        let _one = self.writing.lock();
        read(&*self.directory)
    }
}

fn write(directory: &dyn Directory, meta: &SnapshotMeta, image: Bytes) -> io::Result<()> {
    let index = meta.last_log_id.map_or(0, |id| id.index());
    let name = format!("{PREFIX}{index:016x}");
    let names = directory.list()?;
    if names
        .iter()
        .filter_map(|name| index_of(name))
        .any(|kept| kept > index)
    {
        return Ok(());
    }
    if names.iter().any(|name| name == NEW) {
        directory.delete(NEW)?;
    }
    let mut writer = directory.create(NEW)?;
    writer.write_all(&encode(meta, image))?;
    writer.sync()?;
    directory.rename(NEW, &name)?;
    directory.sync_names()?;
    for old in names {
        if index_of(&old).is_some_and(|old| old < index) {
            directory.delete(&old)?;
        }
    }
    Ok(())
}

fn read(directory: &dyn Directory) -> io::Result<Option<(SnapshotMeta, Bytes)>> {
    let names = directory.list()?;
    let newest = names.iter().filter(|name| index_of(name).is_some()).max();
    let Some(name) = newest else { return Ok(None) };
    let damaged = |reason: String| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{name}: the snapshot of the cluster state is damaged: {reason}; \
                 empty this data directory: the master then joins again, as a new member"
            ),
        )
    };
    decode(&directory.open(name)?).map(Some).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quidditch_engine::directory::faulty::{Disk, Survivors};

    #[test]
    fn the_worked_example_holds() {
        let bytes = encode(&SnapshotMeta::default(), Bytes::new());
        let text: Vec<String> = bytes[..bytes.len() - 4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            text.join(" "),
            "51 44 52 53 4e 0d 0a 1a 01 00 00 00 06 00 00 00 00 00 00 00 0a 04 12 02 12 00"
        );
        assert_eq!(decode(&bytes), Ok((SnapshotMeta::default(), Bytes::new())));
    }

    #[test]
    fn every_flipped_bit_is_seen_and_every_cut() {
        let whole = encode(&SnapshotMeta::default(), Bytes::from_static(b"image"));
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bytes).is_err(), "bit {bit}");
        }
        for len in 0..whole.len() {
            assert!(decode(&whole[..len]).is_err(), "{len} bytes");
        }
    }

    fn image(index: u64) -> Bytes {
        Bytes::from(format!("image {index}"))
    }

    fn meta(index: u64) -> SnapshotMeta {
        let id = openraft::testing::log_id::<super::super::types::TypeConfig>(1, 1, index);
        SnapshotMeta {
            last_log_id: Some(id),
            ..SnapshotMeta::default()
        }
    }

    #[test]
    fn snapshots_that_are_written_at_the_same_time_leave_the_newest_one() {
        for _ in 0..20 {
            let disk = Disk::new();
            let snapshots = Snapshots::of(disk.directory("raft"));
            std::thread::scope(|scope| {
                for index in 1..=4 {
                    let snapshots = &snapshots;
                    scope.spawn(move || snapshots.write(&meta(index), image(index)).unwrap());
                }
            });
            assert_eq!(snapshots.read().unwrap(), Some((meta(4), image(4))));
            assert_eq!(disk.directory("raft").list().unwrap().len(), 1);
        }
    }

    #[test]
    fn a_power_cut_leaves_the_old_snapshot_or_the_new_one() {
        let run = |disk: &Disk| {
            let directory = disk.directory("raft");
            (1..=3)
                .take_while(|index| write(&*directory, &meta(*index), image(*index)).is_ok())
                .count() as u64
        };
        let whole = Disk::new();
        assert_eq!(run(&whole), 3);
        for cut in 0..whole.events() {
            for survivors in [Survivors::Nothing, Survivors::Everything] {
                let disk = Disk::new();
                disk.cut_power_before(cut);
                let written = run(&disk);
                let found = read(&*disk.after_reboot(survivors).directory("raft")).unwrap();
                let index = found.map_or(0, |(found, bytes)| {
                    let index = found.last_log_id.unwrap().index();
                    assert_eq!(bytes, image(index));
                    index
                });
                assert!(
                    index == written || index == written + 1,
                    "cut before event {cut}"
                );
            }
        }
    }
}
