//! A folder of the operating system.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{ByteView, Directory, FileWriter, check_name, mmap, uring};

/// Files of one folder; reading maps them into memory.
#[derive(Debug)]
pub struct FsDirectory {
    path: PathBuf,
}

impl FsDirectory {
    /// Opens the folder, making it and its parents when missing.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<FsDirectory> {
        let path = path.into();
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
            .collect();
        fs::create_dir_all(&path).map_err(|error| name_path(error, &path))?;
        for made in missing {
            // The name of a new folder is durable once its parent is synced.
            let parent = match made.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            File::open(parent)
                .and_then(|folder| folder.sync_all())
                .map_err(|error| name_path(error, parent))?;
        }
        Ok(FsDirectory { path })
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn file(&self, name: &str) -> io::Result<PathBuf> {
        check_name(name)?;
        Ok(self.path.join(name))
    }
}

/// Adds the path to an error of the operating system, keeping its kind.
fn name_path(error: io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Directory for FsDirectory {
    fn create(&self, name: &str) -> io::Result<Box<dyn FileWriter>> {
        let path = self.file(name)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| name_path(error, &path))?;
        Ok(Box::new(FsWriter {
            file,
            path,
            position: 0,
        }))
    }

    fn open(&self, name: &str) -> io::Result<ByteView> {
        let path = self.file(name)?;
        File::open(&path)
            .and_then(mmap::view)
            .map_err(|error| name_path(error, &path))
    }

    fn append(&self, name: &str, len: u64) -> io::Result<Box<dyn FileWriter>> {
        let path = self.file(name)?;
        let open = || {
            let file = OpenOptions::new().write(true).open(&path)?;
            let present = file.metadata()?.len();
            if present < len {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the file has {present} bytes, expected at least {len}"),
                ));
            }
            if present > len {
                file.set_len(len)?;
            }
            Ok(file)
        };
        let file = open().map_err(|error| name_path(error, &path))?;
        Ok(Box::new(FsWriter {
            file,
            path,
            position: len,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.file(from)?, self.file(to)?);
        fs::rename(&from, &to).map_err(|error| name_path(error, &from))
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        let path = self.file(name)?;
        fs::remove_file(&path).map_err(|error| name_path(error, &path))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(|error| name_path(error, &self.path))? {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            // What we could not have written is not ours to see.
            if let Ok(name) = entry.file_name().into_string()
                && check_name(&name).is_ok()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| name_path(error, &self.path))
    }
}

#[derive(Debug)]
struct FsWriter {
    file: File,
    path: PathBuf,
    /// Where the next byte goes.
    position: u64,
}

impl Write for FsWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self
            .file
            .write_at(bytes, self.position)
            .map_err(|error| name_path(error, &self.path))?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for FsWriter {
    fn sync(&mut self) -> io::Result<()> {
        self.file
            .sync_data()
            .map_err(|error| name_path(error, &self.path))
    }

    fn write_and_sync(&mut self, bytes: &[u8]) -> io::Result<()> {
        match uring::write_and_sync(&self.file, self.position, bytes) {
            Some(outcome) => {
                outcome.map_err(|error| name_path(error, &self.path))?;
                self.position += bytes.len() as u64;
                Ok(())
            }
            None => {
                self.write_all(bytes)?;
                self.sync()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_renamed_cut_and_listed() {
        let folder = tempfile::tempdir().unwrap();
        let directory = FsDirectory::open(folder.path().join("a/b")).unwrap();
        let mut writer = directory.create("one").unwrap();
        writer.write_and_sync(b"hello world").unwrap();
        assert_eq!(
            directory.create("one").map(|_| ()).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        directory.rename("one", "two").unwrap();
        directory.sync_names().unwrap();
        let mut writer = directory.append("two", 5).unwrap();
        writer.write_all(b"!").unwrap();
        assert_eq!(&*directory.open("two").unwrap(), b"hello!");
        assert_eq!(directory.list().unwrap(), ["two"]);
        directory.delete("two").unwrap();
        assert!(directory.open("two").is_err());
    }

    #[test]
    fn large_files_are_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let directory = FsDirectory::open(folder.path()).unwrap();
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        directory.create("big").unwrap().write_all(&bytes).unwrap();
        assert_eq!(&*directory.open("big").unwrap(), bytes);
    }

    #[test]
    fn names_cannot_reach_outside() {
        let folder = tempfile::tempdir().unwrap();
        let directory = FsDirectory::open(folder.path()).unwrap();
        for name in ["../x", "a/b", "", ".", "..", "a\0b"] {
            assert!(directory.create(name).is_err(), "{name:?}");
        }
    }
}
