//! The folders of a node's data: the one door to them, which a test can replace by a disk that forgets.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use quidditch_engine::directory::Directory;
use quidditch_engine::directory::fs::FsDirectory;

/// Folders below one root. Paths are relative to it, their parts separated by `/`.
pub trait Folders: Send + Sync {
    /// Opens a folder of files, making it and its parents, durably, where they are missing.
    fn open(&self, path: &str) -> io::Result<Arc<dyn Directory>>;

    /// Names of the folders in a folder; none where it is missing.
    fn children(&self, path: &str) -> io::Result<Vec<String>>;

    /// Gives a folder another name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a folder with all that is in it; a missing one is fine.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// A path as people see it.
    fn shown(&self, path: &str) -> String;
}

/// Folders of the operating system.
#[derive(Debug)]
pub struct FsFolders {
    root: PathBuf,
}

impl FsFolders {
    /// Folders below `root`.
    pub fn new(root: PathBuf) -> FsFolders {
        FsFolders { root }
    }
}

impl Folders for FsFolders {
    fn open(&self, path: &str) -> io::Result<Arc<dyn Directory>> {
        Ok(Arc::new(FsDirectory::open(self.root.join(path))?))
    }

    fn children(&self, path: &str) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(self.root.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match std::fs::remove_dir_all(self.root.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn shown(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }
}
