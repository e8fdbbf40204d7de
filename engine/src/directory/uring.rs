//! Write and sync as one request of io_uring, where the kernel offers it.
//!
//! A write linked to an `fdatasync`: one system call instead of two, and nothing runs between them. Containers
//! often forbid io_uring, so it is tried once, with a real write; whatever goes wrong then, plain calls are used.
#![allow(unsafe_code)] // requests with bare addresses: each use says who keeps the bytes alive

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, opcode, squeue};
use parking_lot::Mutex;

/// Rings at rest; as many as there were writers at one time.
static RINGS: Mutex<Vec<IoUring>> = Mutex::new(Vec::new());
static AVAILABLE: OnceLock<bool> = OnceLock::new();

const ENTRIES: u32 = 4;
const WRITE: u64 = 1;
const SYNC: u64 = 2;
/// Longest write of one request.
const WRITE_MAX: usize = 1 << 30;

/// Whether io_uring is in use: known after the first call.
pub(super) fn available() -> bool {
    *AVAILABLE.get_or_init(|| match probe() {
        Ok(()) => true,
        Err(error) => {
            tracing::info!(%error, "io_uring is not available; plain writes are used");
            false
        }
    })
}

/// Writes to an unnamed file in memory, as a journal would to a disk, and looks whether the bytes arrived.
fn probe() -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let file = File::from(rustix::fs::memfd_create("io_uring probe", flags)?);
    let ring = IoUring::new(ENTRIES)?;
    match request(ring, &file, 3, b"probe") {
        Outcome::Refused(error) => Err(error),
        Outcome::Done(outcome) => {
            outcome?;
            let mut found = [0; 8];
            file.read_exact_at(&mut found, 0)?;
            if found != *b"\0\0\0probe" {
                return Err(io::Error::other("the probe wrote something else"));
            }
            Ok(())
        }
    }
}

/// Writes all bytes at an offset and syncs the file; `None` when io_uring cannot be used and nothing was done.
pub(super) fn write_and_sync(file: &File, offset: u64, bytes: &[u8]) -> Option<io::Result<()>> {
    if bytes.is_empty() || !available() {
        return None;
    }
    let idle = RINGS.lock().pop();
    let ring = match idle {
        Some(ring) => ring,
        None => IoUring::new(ENTRIES).ok()?,
    };
    match request(ring, file, offset, bytes) {
        Outcome::Done(outcome) => Some(outcome),
        Outcome::Refused(_) => None,
    }
}

enum Outcome {
    /// The kernel took the request; this is how it ended.
    Done(io::Result<()>),
    /// The kernel did not take it.
    Refused(io::Error),
}

fn request(mut ring: IoUring, file: &File, offset: u64, bytes: &[u8]) -> Outcome {
    let mut written = 0;
    while written < bytes.len() {
        let rest = &bytes[written..bytes.len().min(written + WRITE_MAX)];
        let (write, sync) = match linked(&mut ring, file, offset + written as u64, rest) {
            Ok(results) => results,
            Err(error) if written == 0 => return Outcome::Refused(error),
            Err(error) => return Outcome::Done(Err(error)),
        };
        match write {
            ..0 => return Outcome::Done(Err(io::Error::from_raw_os_error(-write))),
            0 => return Outcome::Done(Err(io::ErrorKind::WriteZero.into())),
            _ => written += write as usize,
        }
        // A short write breaks the link; the sync comes with the rest.
        if written == bytes.len() && sync < 0 {
            return Outcome::Done(Err(io::Error::from_raw_os_error(-sync)));
        }
    }
    RINGS.lock().push(ring);
    Outcome::Done(Ok(()))
}

/// Submits the pair and waits for both results. An error means that the kernel took neither.
fn linked(ring: &mut IoUring, file: &File, offset: u64, bytes: &[u8]) -> io::Result<(i32, i32)> {
    let fd = Fd(file.as_raw_fd());
    let write = opcode::Write::new(fd, bytes.as_ptr(), bytes.len() as u32)
        .offset(offset)
        .build()
        .flags(squeue::Flags::IO_LINK)
        .user_data(WRITE);
    let sync = opcode::Fsync::new(fd)
        .flags(FsyncFlags::DATASYNC)
        .build()
        .user_data(SYNC);
    // SAFETY: `bytes` and `file` outlive the requests: this function returns an error only when the kernel took
    // none of them, and otherwise not before both have ended.
    unsafe { ring.submission().push_multiple(&[write, sync]) }
        .map_err(|_| io::Error::other("the ring is full"))?;
    let (mut written, mut synced) = (None, None);
    let mut taken = 0;
    while written.is_none() || synced.is_none() {
        match ring.submit_and_wait(1) {
            Ok(count) => taken += count,
            // The call takes requests or fails, never both.
            Err(error) if taken == 0 && !is_passing(&error) => return Err(error),
            Err(_) => std::thread::yield_now(),
        }
        for entry in ring.completion() {
            match entry.user_data() {
                WRITE => written = Some(entry.result()),
                _ => synced = Some(entry.result()),
            }
        }
    }
    Ok((written.unwrap_or(0), synced.unwrap_or(0)))
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, ResourceBusy, WouldBlock};
    matches!(error.kind(), Interrupted | ResourceBusy | WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_kernel_are_told() {
        if !available() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, b"x").unwrap();
        let read_only = File::open(&path).unwrap();
        let outcome = write_and_sync(&read_only, 0, b"y").unwrap();
        assert_eq!(outcome.unwrap_err().raw_os_error(), Some(9));
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
    }
}
