//! Clients' connections, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many connections there are, and have been.
#[derive(Debug, Default)]
pub struct Connections {
    open: AtomicU64,
    opened: AtomicU64,
}

/// One connection; it counts as open until this is dropped.
#[derive(Debug)]
pub struct OpenConnection(Arc<Connections>);

impl Connections {
    /// Counts one more.
    pub fn open(self: &Arc<Self>) -> OpenConnection {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.opened.fetch_add(1, Ordering::Relaxed);
        OpenConnection(self.clone())
    }

    /// Open now.
    pub fn open_now(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Opened since the start.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
