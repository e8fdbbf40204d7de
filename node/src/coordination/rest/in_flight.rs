//! Back-pressure: request bodies in memory are counted, and refused beyond a limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::RestError;

/// Counts the bytes of request bodies that are being worked on.
#[derive(Debug)]
pub struct InFlight {
    limit: u64,
    bytes: AtomicU64,
    total: AtomicU64,
    rejections: AtomicU64,
}

/// Gives its bytes back when dropped.
#[derive(Debug)]
pub struct InFlightGuard {
    owner: Arc<InFlight>,
    bytes: u64,
}

impl InFlight {
    /// Lets at most `limit` bytes in; one request alone may always have as much as the limit.
    pub fn new(limit: u64) -> Arc<InFlight> {
        Arc::new(InFlight {
            limit,
            bytes: AtomicU64::new(0),
            total: AtomicU64::new(0),
            rejections: AtomicU64::new(0),
        })
    }

    /// Takes room for so many bytes, or refuses with 429.
    pub fn take(self: &Arc<Self>, bytes: u64) -> Result<InFlightGuard, RestError> {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let guard = InFlightGuard {
            owner: self.clone(),
            bytes,
        };
        let total = before.saturating_add(bytes);
        if total <= self.limit {
            self.total.fetch_add(bytes, Ordering::Relaxed);
            return Ok(guard);
        }
        self.rejections.fetch_add(1, Ordering::Relaxed);
        Err(RestError::new(
            429,
            "rejected_execution_exception",
            format!(
                "rejected execution of coordinating operation [coordinating_and_primary_bytes={before}, replica_bytes=0, \
                 all_bytes={before}, coordinating_operation_bytes={bytes}, max_coordinating_and_primary_bytes={}]",
                self.limit
            ),
        )
        .with_header("retry-after", "1"))
    }

    /// Bytes in flight now.
    pub fn current_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes let in since the start.
    pub fn total_bytes(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// The limit in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Requests refused since the start.
    pub fn rejections(&self) -> u64 {
        self.rejections.load(Ordering::Relaxed)
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.owner.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back() {
        let in_flight = InFlight::new(10);
        let first = in_flight.take(8).unwrap();
        let refused = in_flight.take(3).unwrap_err();
        assert_eq!((refused.status, in_flight.current_bytes()), (429, 8));
        drop(first);
        assert!(in_flight.take(10).is_ok());
        assert_eq!((in_flight.current_bytes(), in_flight.rejections()), (0, 1));
        assert_eq!(in_flight.total_bytes(), 18);
    }
}
