//! Files in memory: for tests and for work that needs no disk.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{ByteView, Directory, FileWriter, already_exists, check_name, not_found};

type Content = Arc<Mutex<Vec<u8>>>;

/// A folder that ends with the process.
#[derive(Debug, Default)]
pub struct RamDirectory {
    files: Mutex<BTreeMap<String, Content>>,
}

impl RamDirectory {
    /// An empty folder.
    pub fn new() -> RamDirectory {
        RamDirectory::default()
    }
}

impl Directory for RamDirectory {
    fn create(&self, name: &str) -> io::Result<Box<dyn FileWriter>> {
        check_name(name)?;
        let mut files = self.files.lock();
        if files.contains_key(name) {
            return Err(already_exists(name));
        }
        let content = Content::default();
        files.insert(name.to_owned(), content.clone());
        Ok(Box::new(RamWriter { content }))
    }

    fn open(&self, name: &str) -> io::Result<ByteView> {
        let files = self.files.lock();
        let content = files.get(name).ok_or_else(|| not_found(name))?;
        let bytes = content.lock().clone();
        Ok(ByteView::new(bytes))
    }

    fn append(&self, name: &str, len: u64) -> io::Result<Box<dyn FileWriter>> {
        let files = self.files.lock();
        let content = files.get(name).ok_or_else(|| not_found(name))?.clone();
        cut(name, &mut content.lock(), len)?;
        Ok(Box::new(RamWriter { content }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(to)?;
        let mut files = self.files.lock();
        let content = files.remove(from).ok_or_else(|| not_found(from))?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        let removed = self.files.lock().remove(name);
        removed.map(|_| ()).ok_or_else(|| not_found(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().keys().cloned().collect())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Drops what stands behind the first `len` bytes.
pub(super) fn cut(name: &str, content: &mut Vec<u8>, len: u64) -> io::Result<()> {
    match usize::try_from(len) {
        Ok(len) if len <= content.len() => {
            content.truncate(len);
            Ok(())
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "{name}: the file has {} bytes, expected at least {len}",
                content.len()
            ),
        )),
    }
}

struct RamWriter {
    content: Content,
}

impl Write for RamWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for RamWriter {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_keeps_the_bytes_it_saw() {
        let directory = RamDirectory::new();
        let mut writer = directory.create("a").unwrap();
        writer.write_all(b"one").unwrap();
        let seen = directory.open("a").unwrap();
        writer.write_all(b" two").unwrap();
        directory.delete("a").unwrap();
        assert_eq!(&*seen, b"one");
        assert!(directory.list().unwrap().is_empty());
    }
}
