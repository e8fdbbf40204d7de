//! # The journal's files
//!
//! A journal is a row of *generation* files, `journal-<16 hex digits>`, and one `journal-checkpoint`. Generations
//! are numbered from 1, only the last one grows, and a number is never used twice. Little-endian throughout;
//! all checksums are CRC-32C.
//!
//! ## Header of a generation, 48 bytes
//! | offset | bytes | field        | meaning                                                              |
//! |-------:|------:|--------------|----------------------------------------------------------------------|
//! |      0 |     8 | magic        | `"QDJNL\r\n\x1a"`                                                    |
//! |      8 |     2 | version      | 1                                                                    |
//! |     10 |     2 | reserved     | zero                                                                 |
//! |     12 |     8 | generation   | the number in the file's name                                        |
//! |     20 |    16 | journal id   | random; a file of another journal is refused                         |
//! |     36 |     8 | previous end | length of the generation before this one when it was closed, or 0    |
//! |     44 |     4 | crc32c       | of the 44 bytes before it                                            |
//!
//! ## Frame, 24 bytes and its payload
//! Frames follow the header and one another without gaps.
//!
//! | offset | bytes | field      | meaning                                                                |
//! |-------:|------:|------------|------------------------------------------------------------------------|
//! |      0 |     4 | marker     | `f5 51 44 46`                                                          |
//! |      4 |     4 | length     | of the payload in bytes; 0: a *mark*, which carries no record          |
//! |      8 |     8 | synced     | so many bytes of this file were on the device when this frame was made |
//! |     16 |     4 | header crc | of journal id, generation, offset of this frame, length, synced        |
//! |     20 |     4 | crc32c     | of the payload                                                         |
//! |     24 |     … | payload    |                                                                        |
//!
//! A mark is written, without a sync of its own, after each sync. It is how a later reader knows which bytes were
//! on the device even when nothing else was written after them.
//!
//! ## Checkpoint, 56 bytes
//! Replaced by an atomic rename when a generation begins, when old ones are given up, and at close.
//!
//! | offset | bytes | field        | meaning                                                    |
//! |-------:|------:|--------------|------------------------------------------------------------|
//! |      0 |     8 | magic        | `"QDJCP\r\n\x1a"`                                          |
//! |      8 |     2 | version      | 1                                                          |
//! |     10 |     2 | reserved     | zero                                                       |
//! |     12 |    16 | journal id   |                                                            |
//! |     28 |     8 | oldest       | first generation kept                                      |
//! |     36 |     8 | current      | last generation; files beyond it are leftovers             |
//! |     44 |     8 | synced       | so many bytes of the current generation were on the device |
//! |     52 |     4 | crc32c       | of the 52 bytes before it                                  |
//!
//! ## Torn or damaged?
//! A crash may leave the bytes written since the last sync half written, in any order; nobody was told that they
//! are safe. Damage to bytes that *were* on the device is another matter. A bad frame at offset `p` is
//! - **damage** when the checkpoint, or the intact header of any frame behind it, says that more than `p` bytes
//!   had been synced, or when it lies in a generation that was closed: the journal refuses to open and names
//!   file and offset;
//! - **torn** otherwise: the tail from `p` on is cut, and the cut is logged.
//!
//! ## Worked example
//! A frame with the payload `"hi"`, the first one of generation 1 (offset 48) of the journal with the id
//! `000102030405060708090a0b0c0d0e0f`, made when 48 bytes were synced:
//! ```text
//! f5 51 44 46  02 00 00 00  30 00 00 00 00 00 00 00  62 cd 89 c1  c2 d9 9d f5  68 69
//! marker       length 2     synced 48                header crc   payload crc  h  i
//! ```
//!
//! | version | since | change |
//! |--------:|-------|--------|
//! |       1 | 0.1   | first  |

use crc_fast::{CrcAlgorithm, Digest};

/// Bytes of a generation's header.
pub const HEADER_BYTES: usize = 48;
const _: () = assert!(HEADER_BYTES == 8 + 2 + 2 + 8 + 16 + 8 + 4);
/// Bytes of a frame before its payload.
pub const FRAME_BYTES: usize = 24;
const _: () = assert!(FRAME_BYTES == 4 + 4 + 8 + 4 + 4);
/// Bytes of the checkpoint file.
pub const CHECKPOINT_BYTES: usize = 56;
const _: () = assert!(CHECKPOINT_BYTES == 8 + 2 + 2 + 16 + 8 + 8 + 8 + 4);
/// Longest payload: 256 MiB.
pub const PAYLOAD_BYTES_MAX: usize = 256 << 20;

const HEADER_MAGIC: &[u8; 8] = b"QDJNL\r\n\x1a";
const CHECKPOINT_MAGIC: &[u8; 8] = b"QDJCP\r\n\x1a";
const MARKER: [u8; 4] = [0xf5, b'Q', b'D', b'F'];
const VERSION: u16 = 1;

/// CRC-32C of bytes.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// Start of a generation file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number of the generation.
    pub generation: u64,
    /// Which journal it belongs to.
    pub journal_id: u128,
    /// Length of the generation before it, 0 for the first.
    pub previous_end: u64,
}

impl Header {
    /// The bytes of the header.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[0..8].copy_from_slice(HEADER_MAGIC);
        out[8..10].copy_from_slice(&VERSION.to_le_bytes());
        out[12..20].copy_from_slice(&self.generation.to_le_bytes());
        out[20..36].copy_from_slice(&self.journal_id.to_le_bytes());
        out[36..44].copy_from_slice(&self.previous_end.to_le_bytes());
        let crc = crc32c(&out[..44]);
        out[44..48].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a header; the error says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Header, String> {
        let Some(bytes) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(format!("{} bytes are too few for the header", bytes.len()));
        };
        check_envelope(bytes, HEADER_MAGIC, 44)?;
        Ok(Header {
            generation: u64_at(bytes, 12),
            journal_id: u128_at(bytes, 20),
            previous_end: u64_at(bytes, 36),
        })
    }
}

/// What the checkpoint file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which journal it belongs to.
    pub journal_id: u128,
    /// First generation kept.
    pub oldest: u64,
    /// Last generation.
    pub current: u64,
    /// Bytes of the current generation known to be on the device.
    pub synced: u64,
}

impl Checkpoint {
    /// The bytes of the file.
    pub fn encode(&self) -> [u8; CHECKPOINT_BYTES] {
        let mut out = [0; CHECKPOINT_BYTES];
        out[0..8].copy_from_slice(CHECKPOINT_MAGIC);
        out[8..10].copy_from_slice(&VERSION.to_le_bytes());
        out[12..28].copy_from_slice(&self.journal_id.to_le_bytes());
        out[28..36].copy_from_slice(&self.oldest.to_le_bytes());
        out[36..44].copy_from_slice(&self.current.to_le_bytes());
        out[44..52].copy_from_slice(&self.synced.to_le_bytes());
        let crc = crc32c(&out[..52]);
        out[52..56].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a checkpoint; the error says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Checkpoint, String> {
        let Ok(bytes) = <&[u8; CHECKPOINT_BYTES]>::try_from(bytes) else {
            return Err(format!(
                "the file has {} bytes, expected {CHECKPOINT_BYTES}",
                bytes.len()
            ));
        };
        check_envelope(bytes, CHECKPOINT_MAGIC, 52)?;
        let checkpoint = Checkpoint {
            journal_id: u128_at(bytes, 12),
            oldest: u64_at(bytes, 28),
            current: u64_at(bytes, 36),
            synced: u64_at(bytes, 44),
        };
        let range = 1..=checkpoint.current;
        if !range.contains(&checkpoint.oldest) || checkpoint.current == u64::MAX {
            return Err(format!(
                "generations {} to {} are no range",
                checkpoint.oldest, checkpoint.current
            ));
        }
        Ok(checkpoint)
    }
}

/// Magic, version, reserved bytes and the checksum at `crc_at` of all before it.
fn check_envelope(bytes: &[u8], magic: &[u8; 8], crc_at: usize) -> Result<(), String> {
    if bytes[..8] != *magic {
        return Err("the magic bytes are wrong".to_owned());
    }
    let (stored, computed) = (u32_at(bytes, crc_at), crc32c(&bytes[..crc_at]));
    if stored != computed {
        return Err(format!(
            "the checksum is {computed:#010x}, the file says {stored:#010x}"
        ));
    }
    let version = u16::from_le_bytes([bytes[8], bytes[9]]);
    if version != VERSION {
        return Err(format!(
            "format v{version}, this build reads v{VERSION}; open it with the release that wrote it"
        ));
    }
    if bytes[10..12] != [0, 0] {
        return Err("reserved bytes are not zero".to_owned());
    }
    Ok(())
}

/// Where frames stand: part of their checksum, so that a frame is valid in one place only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub journal_id: u128,
    pub generation: u64,
}

/// A frame found in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub payload_start: usize,
    pub payload_len: usize,
    pub synced: u64,
}

impl Frame {
    pub fn end(&self) -> usize {
        self.payload_start + self.payload_len
    }
}

impl Place {
    fn header_crc(&self, offset: u64, fields: &[u8]) -> u32 {
        let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        digest.update(&self.journal_id.to_le_bytes());
        digest.update(&self.generation.to_le_bytes());
        digest.update(&offset.to_le_bytes());
        digest.update(fields);
        digest.finalize() as u32
    }

    /// Appends a frame that will stand at `offset`. The caller has checked the payload's length.
    pub fn encode(&self, out: &mut Vec<u8>, offset: u64, synced: u64, payload: &[u8]) {
        let mut header = [0; FRAME_BYTES];
        header[0..4].copy_from_slice(&MARKER);
        header[4..8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        header[8..16].copy_from_slice(&synced.to_le_bytes());
        let header_crc = self.header_crc(offset, &header[4..16]);
        header[16..20].copy_from_slice(&header_crc.to_le_bytes());
        header[20..24].copy_from_slice(&crc32c(payload).to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(payload);
    }

    /// Reads the header of the frame at `offset` of a file; its payload may reach past the end.
    fn decode_header(&self, file: &[u8], offset: usize) -> Result<Frame, String> {
        let rest = file.get(offset..).unwrap_or_default();
        let Some(header) = rest.first_chunk::<FRAME_BYTES>() else {
            return Err(format!("{} bytes are too few for a frame", rest.len()));
        };
        if header[..4] != MARKER {
            return Err("no frame begins here".to_owned());
        }
        let (stored, computed) = (
            u32_at(header, 16),
            self.header_crc(offset as u64, &header[4..16]),
        );
        if stored != computed {
            return Err(format!(
                "the frame header's checksum is {computed:#010x}, the frame says {stored:#010x}"
            ));
        }
        Ok(Frame {
            payload_start: offset + FRAME_BYTES,
            payload_len: u32_at(header, 4) as usize,
            synced: u64_at(header, 8),
        })
    }

    /// Reads the frame at `offset` of a file, with its payload checked.
    pub fn decode(&self, file: &[u8], offset: usize) -> Result<Frame, String> {
        let frame = self.decode_header(file, offset)?;
        let Some(payload) = file.get(frame.payload_start..frame.end()) else {
            return Err(format!(
                "the frame says {} bytes, the file has {}",
                frame.payload_len,
                file.len() - frame.payload_start
            ));
        };
        let (stored, computed) = (u32_at(file, offset + 20), crc32c(payload));
        if stored != computed {
            return Err(format!(
                "the payload's checksum is {computed:#010x}, the frame says {stored:#010x}"
            ));
        }
        Ok(frame)
    }

    /// Looks behind a bad frame at `offset` for a frame that was made when the bad one had been synced.
    pub fn was_synced(&self, file: &[u8], offset: usize) -> bool {
        let first = MARKER[0];
        (offset + 1..file.len()).any(|at| {
            file[at] == first
                && self
                    .decode_header(file, at)
                    .is_ok_and(|frame| frame.synced > offset as u64)
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn u128_at(bytes: &[u8], at: usize) -> u128 {
    u128::from_le_bytes(bytes[at..at + 16].try_into().expect("sixteen bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACE: Place = Place {
        journal_id: u128::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
        generation: 1,
    };

    #[test]
    fn the_worked_example_holds() {
        let mut file = vec![0; 48];
        PLACE.encode(&mut file, 48, 48, b"hi");
        let text: Vec<String> = file[48..].iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            text.join(" "),
            "f5 51 44 46 02 00 00 00 30 00 00 00 00 00 00 00 62 cd 89 c1 c2 d9 9d f5 68 69"
        );
        let frame = PLACE.decode(&file, 48).unwrap();
        assert_eq!((frame.payload_start, frame.payload_len), (72, 2));
        assert!(PLACE.decode(&file[1..], 47).is_err(), "another place");
    }

    proptest! {
        #[test]
        fn headers_and_checkpoints_come_back(generation in 1..u64::MAX - 9, journal_id: u128, length: u64, more in 0u64..9) {
            let header = Header { generation, journal_id, previous_end: length };
            prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
            let checkpoint =
                Checkpoint { journal_id, oldest: generation, current: generation + more, synced: length };
            prop_assert_eq!(Checkpoint::decode(&checkpoint.encode()), Ok(checkpoint));
        }

        #[test]
        fn every_flipped_bit_is_seen(payload in proptest::collection::vec(any::<u8>(), 0..40), bit: prop::sample::Index) {
            let mut file = Vec::new();
            PLACE.encode(&mut file, 0, 0, &payload);
            let bit = bit.index(file.len() * 8);
            file[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(PLACE.decode(&file, 0).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..220) {
            let _ = Header::decode(&bytes);
            let _ = Checkpoint::decode(&bytes);
            let _ = PLACE.decode(&bytes, at);
            PLACE.was_synced(&bytes, at);
        }
    }
}
