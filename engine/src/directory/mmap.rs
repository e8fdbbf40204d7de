//! Maps files into memory.
#![allow(unsafe_code)] // a map of a file: the one use says why its bytes stay

use std::fs::File;
use std::io::{self, Read};

use memmap2::{Mmap, MmapOptions};

use super::ByteView;

/// Files up to this size are read instead: a map costs a system call, a page table entry and a page.
const READ_MAX: u64 = 16 * 1024;

/// The bytes of an open file as they stand now.
pub(super) fn view(mut file: File) -> io::Result<ByteView> {
    let len = file.metadata()?.len();
    if len <= READ_MAX {
        let mut bytes = Vec::with_capacity(len as usize);
        file.read_to_end(&mut bytes)?;
        return Ok(ByteView::new(bytes));
    }
    // SAFETY: published files are never written again, and journal files only grow while a view of them
    // exists, so the mapped range keeps its bytes. Nobody else writes here: the node holds the lock of the
    // data directory.
    let map: Mmap = unsafe { MmapOptions::new().map(&file)? };
    Ok(ByteView::of_map(map))
}
