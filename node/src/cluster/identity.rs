//! Who this node is, across restarts.
//!
//! The file `node-id` is one line of text, written once: 22 characters of base64url, a blank, the CRC-32C of those
//! characters in eight hexadecimal digits, a line end. `aaaaaaaaaaaaaaaaaaaaaa e1a3f0c2\n` is one. Earlier releases wrote
//! the 22 characters alone; such a file is written anew when it is read.

use std::io::{self, Write};

use quidditch_engine::directory::Directory;

use super::node::NodeId;

const FILE: &str = "node-id";
const FILE_NEW: &str = "node-id-new";
/// Characters of an id.
const ID_LEN: usize = 22;

/// The id of the node that owns a directory; a new directory takes `fresh`, for good.
pub fn node_id(directory: &dyn Directory, fresh: &str) -> io::Result<NodeId> {
    let names = directory.list()?;
    if names.iter().any(|name| name == FILE_NEW) {
        directory.delete(FILE_NEW)?;
    }
    if !names.iter().any(|name| name == FILE) {
        write(directory, fresh)?;
        return Ok(NodeId(fresh.to_owned()));
    }
    let bytes = directory.open(FILE)?;
    if bytes.len() == ID_LEN {
        let id = checked(&bytes).ok_or_else(damaged)?.to_owned();
        write(directory, &id)?;
        return Ok(NodeId(id));
    }
    let id = bytes.get(..ID_LEN).and_then(checked).ok_or_else(damaged)?;
    match *bytes == *line(id).as_bytes() {
        true => Ok(NodeId(id.to_owned())),
        false => Err(damaged()),
    }
}

/// The file's content.
fn line(id: &str) -> String {
    format!("{id} {:08x}\n", crc_fast::crc32_iscsi(id.as_bytes()))
}

/// The text, if it has the letters of an id.
fn checked(bytes: &[u8]) -> Option<&str> {
    bytes
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
        .then(|| std::str::from_utf8(bytes).ok())
        .flatten()
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "{FILE}: the file is damaged: it is no node id with its checksum; restore the file, or remove it to let the node take a new id"
        ),
    )
}

/// Puts the file in place, whole or not at all.
fn write(directory: &dyn Directory, id: &str) -> io::Result<()> {
    let mut writer = directory.create(FILE_NEW)?;
    writer.write_all(line(id).as_bytes())?;
    writer.sync()?;
    directory.rename(FILE_NEW, FILE)?;
    directory.sync_names()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quidditch_engine::directory::ram::RamDirectory;

    const FIRST: &str = "aaaaaaaaaaaaaaaaaaaaaa";
    const SECOND: &str = "bbbbbbbbbbbbbbbbbbbbbb";

    fn put(directory: &RamDirectory, bytes: &[u8]) {
        let mut writer = directory.create(FILE_NEW).unwrap();
        writer.write_all(bytes).unwrap();
        writer.sync().unwrap();
        directory.rename(FILE_NEW, FILE).unwrap();
    }

    #[test]
    fn the_first_id_stays() {
        let directory = RamDirectory::new();
        assert_eq!(node_id(&directory, FIRST).unwrap().0, FIRST);
        assert_eq!(node_id(&directory, SECOND).unwrap().0, FIRST);
    }

    #[test]
    fn an_id_without_a_checksum_is_taken_once_and_written_anew() {
        let directory = RamDirectory::new();
        put(&directory, FIRST.as_bytes());
        assert_eq!(node_id(&directory, SECOND).unwrap().0, FIRST);
        assert_eq!(*directory.open(FILE).unwrap(), *line(FIRST).as_bytes());
    }

    #[test]
    fn a_flipped_bit_is_found_and_the_file_named() {
        let whole = line(FIRST).into_bytes();
        for bit in 0..whole.len() * 8 {
            let directory = RamDirectory::new();
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            put(&directory, &bytes);
            let error = node_id(&directory, SECOND).unwrap_err();
            assert!(error.to_string().contains(FILE), "bit {bit}: {error}");
        }
        let directory = RamDirectory::new();
        put(&directory, &whole[..whole.len() - 1]);
        assert!(node_id(&directory, SECOND).is_err(), "a cut file");
    }
}
