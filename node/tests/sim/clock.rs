//! Time of the simulation: tokio's, which stands still until everybody waits.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use quidditch_node::sys::clock::Clock;
use tokio::time::Instant;

/// What a node takes for the time.
#[derive(Debug)]
pub struct SimClock {
    start: Instant,
    /// How far the wall clock is off, in ms. The monotonic one never is.
    off_ms: AtomicI64,
}

impl SimClock {
    pub fn new(start: Instant) -> SimClock {
        SimClock {
            start,
            off_ms: AtomicI64::new(0),
        }
    }

    /// The wall clock jumps.
    pub fn jump(&self, by_ms: i64) {
        self.off_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> i64 {
        const START_MS: i64 = 1_700_000_000_000;
        START_MS + self.monotonic().as_millis() as i64 + self.off_ms.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}
