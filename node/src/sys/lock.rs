//! One process per data directory.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Why the data directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error(
        "{}: another process{} uses this data directory; stop that process, or choose another directory with --data-dir",
        .dir.display(), .holder
    )]
    Held {
        /// The directory.
        dir: PathBuf,
        /// ` (pid N)`, if known.
        holder: String,
    },
    /// The file system does not let us.
    #[error("{}: cannot use this data directory: {source}; check that it can be written to, or choose another with --data-dir", .dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

/// Holds the directory until dropped or until the process ends, however it ends.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

/// Makes the directory if need be, and takes it.
pub fn lock_data_dir(dir: &Path) -> Result<DataDirLock, LockError> {
    let failed = |source: std::io::Error| LockError::Io {
        dir: dir.to_owned(),
        source,
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join("node.lock"))
        .map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            // only for the message: a lock without a readable pid is a lock all the same
            let _ = (&file).take(32).read_to_string(&mut pid);
            let holder = match pid.trim() {
                "" => String::new(),
                pid => format!(" (pid {pid})"),
            };
            return Err(LockError::Held {
                dir: dir.to_owned(),
                holder,
            });
        }
        Err(errno) => return Err(failed(errno.into())),
    }
    file.set_len(0).map_err(failed)?;
    file.rewind().map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(DataDirLock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_had_once() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock_data_dir(dir.path()).unwrap();
        let text = lock_data_dir(dir.path()).unwrap_err().to_string();
        assert!(
            text.contains(&format!("(pid {})", std::process::id())),
            "{text}"
        );
        assert!(text.contains("--data-dir"), "{text}");
        drop(held);
        lock_data_dir(dir.path()).unwrap();
    }
}
