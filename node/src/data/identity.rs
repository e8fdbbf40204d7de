//! Whose data lies in a shard's folder.
//!
//! | file | content |
//! |---|---|
//! | `born` | nothing. Written once the shard exists: from then on missing data is an error, not a new shard |
//! | `allocation` | the allocation id of the copy whose data it is, a blank, the CRC-32C of the id in eight hexadecimal digits, a line end |
//!
//! `allocation` names a copy only while the folder holds everything that this copy ever acknowledged; while a recovery
//! from another copy replaces the data, the id is `-`. Folders of earlier releases have no such file: theirs is whatever
//! copy the masters take it for.

use std::io;

use quidditch_engine::directory::Directory;

const BORN: &str = "born";
const ALLOCATION: &str = "allocation";
const ALLOCATION_NEW: &str = "allocation-new";
/// In place of an id: the data is no copy's for now.
const NOBODY: &str = "-";

fn line(id: &str) -> String {
    format!("{id} {:08x}\n", crc_fast::crc32_iscsi(id.as_bytes()))
}

fn has(folder: &dyn Directory, name: &str) -> io::Result<bool> {
    Ok(folder.list()?.iter().any(|file| file == name))
}

/// The copy whose data is in a folder; `None`: it does not say.
pub(super) fn read(folder: &dyn Directory) -> io::Result<Option<String>> {
    if !has(folder, ALLOCATION)? {
        return Ok(None);
    }
    let bytes = folder.open(ALLOCATION)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    match text.split_once(' ') {
        Some((id, _)) if line(id) == text => Ok(Some(id.to_owned())),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{ALLOCATION}: the file is damaged: it is no allocation id with its checksum"),
        )),
    }
}

/// Says durably whose data it is.
pub(super) fn write(folder: &dyn Directory, id: &str) -> io::Result<()> {
    if has(folder, ALLOCATION_NEW)? {
        folder.delete(ALLOCATION_NEW)?;
    }
    let mut file = folder.create(ALLOCATION_NEW)?;
    file.write_and_sync(line(id).as_bytes())?;
    folder.rename(ALLOCATION_NEW, ALLOCATION)?;
    folder.sync_names()
}

/// Says durably that the data is no copy's for now.
pub(super) fn forget(folder: &dyn Directory) -> io::Result<()> {
    write(folder, NOBODY)
}

/// Whether the folder holds a shard.
pub(super) fn is_born(folder: &dyn Directory) -> io::Result<bool> {
    has(folder, BORN)
}

/// Makes the birth of a shard durable.
pub(super) fn note_birth(folder: &dyn Directory) -> io::Result<()> {
    if !has(folder, BORN)? {
        folder.create(BORN)?.sync()?;
    }
    folder.sync_names()
}

/// Takes the birth back, durably: what else is in the folder counts for nothing then.
pub(super) fn forget_birth(folder: &dyn Directory) -> io::Result<()> {
    if has(folder, BORN)? {
        folder.delete(BORN)?;
    }
    folder.sync_names()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quidditch_engine::directory::ram::RamDirectory;

    #[test]
    fn a_folder_says_whose_data_it_has() {
        let folder = RamDirectory::new();
        assert_eq!(read(&folder).unwrap(), None);
        write(&folder, "first").unwrap();
        write(&folder, "second").unwrap();
        assert_eq!(read(&folder).unwrap().as_deref(), Some("second"));
        forget(&folder).unwrap();
        assert_eq!(read(&folder).unwrap().as_deref(), Some(NOBODY));
        folder.delete(ALLOCATION).unwrap();
        let mut file = folder.create(ALLOCATION).unwrap();
        file.write_and_sync(b"second 00000000\n").unwrap();
        assert!(read(&folder).is_err());
    }

    #[test]
    fn a_shard_is_born_once() {
        let folder = RamDirectory::new();
        assert!(!is_born(&folder).unwrap());
        note_birth(&folder).unwrap();
        note_birth(&folder).unwrap();
        assert!(is_born(&folder).unwrap());
        forget_birth(&folder).unwrap();
        assert!(!is_born(&folder).unwrap());
    }
}
