//! A folder in memory that a test looks into: before every change of a name it is asked what shall happen.

use std::fmt::{Debug, Formatter};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::ram::RamDirectory;
use super::{ByteView, Directory, FileWriter};

type Hook = Arc<dyn Fn(&str, &str) -> io::Result<()> + Send + Sync>;

/// Calls its hook with `create`, `rename` (the new name) or `delete` and the file's name; an error stops the change.
#[derive(Default)]
pub(crate) struct HookedDirectory {
    files: RamDirectory,
    hook: Mutex<Option<Hook>>,
}

impl HookedDirectory {
    /// Replaces the hook.
    pub fn before(&self, hook: impl Fn(&str, &str) -> io::Result<()> + Send + Sync + 'static) {
        *self.hook.lock() = Some(Arc::new(hook));
    }

    /// Changes go through again.
    pub fn unhook(&self) {
        *self.hook.lock() = None;
    }

    fn ask(&self, what: &str, name: &str) -> io::Result<()> {
        let hook = self.hook.lock().clone();
        hook.map_or(Ok(()), |hook| hook(what, name))
    }
}

impl Debug for HookedDirectory {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.files.fmt(f)
    }
}

impl Directory for HookedDirectory {
    fn create(&self, name: &str) -> io::Result<Box<dyn FileWriter>> {
        self.ask("create", name)?;
        self.files.create(name)
    }

    fn open(&self, name: &str) -> io::Result<ByteView> {
        self.files.open(name)
    }

    fn append(&self, name: &str, len: u64) -> io::Result<Box<dyn FileWriter>> {
        self.files.append(name, len)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.ask("rename", to)?;
        self.files.rename(from, to)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.ask("delete", name)?;
        self.files.delete(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }

    fn sync_names(&self) -> io::Result<()> {
        self.files.sync_names()
    }
}
