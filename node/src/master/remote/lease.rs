//! For how long this node may act as if it were still part of the cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::sys::clock::Clock;

/// A lease from the leader of the masters, counted from when it was asked for. While it lasts nobody else is given this
/// node's shards.
#[derive(Debug)]
pub struct Lease {
    clock: Arc<dyn Clock>,
    /// When it ends, in ns of the monotonic clock; 0: there is none.
    until_ns: AtomicU64,
}

impl Lease {
    /// None yet.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Lease> {
        Arc::new(Lease {
            clock,
            until_ns: AtomicU64::new(0),
        })
    }

    /// Whether it lasts. Ask before *and* after what must not be done without it: a process may be stopped in between.
    pub fn is_valid(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// How long it lasts still; zero when it is over.
    pub fn remaining(&self) -> Duration {
        let until = Duration::from_nanos(self.until_ns.load(Ordering::Acquire));
        until.saturating_sub(self.clock.monotonic())
    }

    /// Takes a lease that was asked for at `asked`; an earlier answer that comes later does not shorten it.
    pub(super) fn extend(&self, asked: Duration, length: Duration) {
        let until = u64::try_from((asked + length).as_nanos()).unwrap_or(u64::MAX);
        self.until_ns.fetch_max(until, Ordering::AcqRel);
    }

    /// Gives it up.
    pub(super) fn end(&self) {
        self.until_ns.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::ManualClock;

    #[test]
    fn a_lease_runs_from_when_it_was_asked_for() {
        let clock = Arc::new(ManualClock::default());
        let lease = Lease::new(clock.clone());
        assert!(!lease.is_valid());
        let asked = clock.monotonic();
        clock.advance(Duration::from_secs(2));
        lease.extend(asked, Duration::from_secs(3));
        assert_eq!(lease.remaining(), Duration::from_secs(1));
        lease.extend(asked, Duration::from_secs(1));
        assert!(
            lease.is_valid(),
            "an answer to an earlier question changes nothing"
        );
        clock.advance(Duration::from_secs(1));
        assert!(!lease.is_valid());
    }
}
