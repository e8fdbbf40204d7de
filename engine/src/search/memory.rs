//! Accounts of memory: who holds how much, and when it is too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::SearchError;

/// A counter of bytes with a limit, possibly inside a larger one. A request has one of its own, which gives all back when
/// it is dropped.
#[derive(Debug)]
pub struct MemoryAccount {
    used: AtomicU64,
    limit: AtomicU64,
    parent: Option<Arc<MemoryAccount>>,
}

impl MemoryAccount {
    /// An account of its own.
    pub fn new(limit_bytes: u64) -> Self {
        MemoryAccount {
            used: AtomicU64::new(0),
            limit: AtomicU64::new(limit_bytes),
            parent: None,
        }
    }

    /// An account inside another one: what it takes, it takes there too.
    pub fn within(parent: Arc<MemoryAccount>, limit_bytes: u64) -> Self {
        MemoryAccount {
            used: AtomicU64::new(0),
            limit: AtomicU64::new(limit_bytes),
            parent: Some(parent),
        }
    }

    /// Bytes taken now.
    pub fn used_bytes(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Changes the limit; what is taken already stays.
    pub fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Takes bytes, or refuses when that would pass a limit. `what` names the taker in the error.
    pub fn take(&self, bytes: u64, what: &str) -> Result<(), SearchError> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let wanted = before.saturating_add(bytes);
        let limit = self.limit.load(Ordering::Relaxed);
        if wanted > limit {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(SearchError::TooMuchMemory {
                reason: format!(
                    "[request] Data too large, data for [{what}] would be [{wanted}/{}], which is larger than the limit of [{limit}/{}]",
                    human(wanted),
                    human(limit),
                ),
                wanted_bytes: wanted,
                limit_bytes: limit,
            });
        }
        if let Some(parent) = &self.parent
            && let Err(error) = parent.take(bytes, what)
        {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(error);
        }
        Ok(())
    }

    /// Takes bytes until the answer is dropped.
    pub(crate) fn borrow(&self, bytes: u64, what: &str) -> Result<Borrowed<'_>, SearchError> {
        self.take(bytes, what)?;
        Ok(Borrowed {
            account: self,
            bytes,
        })
    }

    /// Gives bytes back that were taken here.
    pub fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(parent) = &self.parent {
            parent.give_back(bytes);
        }
    }
}

/// Bytes that go back when this is dropped.
#[derive(Debug)]
pub(crate) struct Borrowed<'a> {
    account: &'a MemoryAccount,
    bytes: u64,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        self.account.give_back(self.bytes);
    }
}

impl Drop for MemoryAccount {
    fn drop(&mut self) {
        if let Some(parent) = &self.parent {
            parent.give_back(self.used.load(Ordering::Relaxed));
        }
    }
}

fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["b", "kb", "mb", "gb", "tb"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let tenths = (value * 10.0).floor() / 10.0;
    format!("{tenths}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_past_its_limit_and_its_parents() {
        let node = Arc::new(MemoryAccount::new(100));
        let request = MemoryAccount::within(node.clone(), 80);
        request.take(60, "a").unwrap();
        assert!(request.take(30, "b").is_err(), "own limit");
        let other = MemoryAccount::within(node.clone(), 80);
        assert!(other.take(50, "c").is_err(), "parent's limit");
        assert_eq!((request.used_bytes(), node.used_bytes()), (60, 60));
        drop(request);
        assert_eq!(node.used_bytes(), 0);
        other.take(50, "c").unwrap();
        node.set_limit(60);
        assert!(other.take(20, "d").is_err(), "the new limit");
        let borrowed = other.borrow(10, "e").unwrap();
        assert_eq!(node.used_bytes(), 60);
        drop(borrowed);
        assert_eq!((other.used_bytes(), node.used_bytes()), (50, 50));
    }

    #[test]
    fn the_error_names_sizes() {
        let error = MemoryAccount::new(1024).take(2048, "<agg>").unwrap_err();
        assert_eq!(
            error.reason(),
            "[request] Data too large, data for [<agg>] would be [2048/2kb], which is larger than the limit of [1024/1kb]"
        );
    }
}
