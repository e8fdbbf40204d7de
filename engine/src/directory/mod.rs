//! The one door to files: everything that the engine reads or writes goes through a [`Directory`].

pub mod faulty;
pub mod fs;
#[cfg(test)]
pub(crate) mod hooked;
mod mmap;
pub mod ram;
mod uring;

use std::fmt::Debug;
use std::io;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A flat folder of files. Names hold no separators; a name is never used twice for different bytes.
///
/// Durability is explicit: bytes survive a crash after [`FileWriter::sync`], names (created, renamed, deleted)
/// after [`Directory::sync_names`].
pub trait Directory: Send + Sync + Debug {
    /// Makes a new, empty file; an existing one is an error (`AlreadyExists`).
    fn create(&self, name: &str) -> io::Result<Box<dyn FileWriter>>;
    /// Opens the bytes of a file for reading; later writes are not seen.
    fn open(&self, name: &str) -> io::Result<ByteView>;
    /// Opens a file to append behind its first `len` bytes; what stands after them is cut off.
    fn append(&self, name: &str, len: u64) -> io::Result<Box<dyn FileWriter>>;
    /// Gives a file another name, atomically replacing what had that name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn delete(&self, name: &str) -> io::Result<()>;
    /// The names of all files, sorted.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes creations, renames and deletions durable.
    fn sync_names(&self) -> io::Result<()>;
}

/// Writes one file from its start (or its end, after [`Directory::append`]) forward.
pub trait FileWriter: io::Write + Send {
    /// Returns when all bytes written so far are on the device (`fdatasync`).
    fn sync(&mut self) -> io::Result<()>;

    /// Writes all of `bytes` and returns when they, and all bytes before them, are on the device.
    fn write_and_sync(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.sync()
    }
}

/// How journals are written on this machine: `io_uring`, or `pread/pwrite` where the kernel or the container forbids
/// it. Found out once, by trying.
pub fn io_mode() -> &'static str {
    if uring::available() {
        "io_uring"
    } else {
        "pread/pwrite"
    }
}

/// Refuses names that could reach outside a directory, or that no file system holds.
fn check_name(name: &str) -> io::Result<()> {
    let plain = !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if plain {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("[{name}] is not a file name: letters, digits, '-', '_' and '.' only"),
    ))
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{name}: no such file"))
}

fn already_exists(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!("{name}: file exists already"),
    )
}

/// Immutable bytes, in memory or mapped; cheap to clone and to cut.
#[derive(Clone)]
pub struct ByteView {
    owner: Owner,
    range: Range<usize>,
}

/// Who holds the bytes; maps apart, so that reading one costs no virtual call.
#[derive(Clone)]
enum Owner {
    Map(Arc<memmap2::Mmap>),
    Other(Arc<dyn AsRef<[u8]> + Send + Sync>),
}

impl Owner {
    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Owner::Map(map) => map,
            Owner::Other(other) => (**other).as_ref(),
        }
    }
}

impl ByteView {
    /// Takes over what holds the bytes.
    pub fn new(owner: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        let range = 0..owner.as_ref().len();
        ByteView {
            owner: Owner::Other(Arc::new(owner)),
            range,
        }
    }

    /// Takes over a mapped file.
    fn of_map(map: memmap2::Mmap) -> Self {
        ByteView {
            range: 0..map.len(),
            owner: Owner::Map(Arc::new(map)),
        }
    }

    /// A part of these bytes; `None` when it reaches past their end.
    pub fn slice(&self, range: Range<usize>) -> Option<ByteView> {
        if range.start > range.end || range.end > self.range.len() {
            return None;
        }
        let start = self.range.start + range.start;
        Some(ByteView {
            owner: self.owner.clone(),
            range: start..start + range.len(),
        })
    }
}

impl Deref for ByteView {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        &self.owner.bytes()[self.range.clone()]
    }
}

impl std::fmt::Debug for ByteView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ByteView({} bytes)", self.range.len())
    }
}
