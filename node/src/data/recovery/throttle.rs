//! `indices.recovery.max_bytes_per_sec`: what all recoveries of a node may copy together.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Unused time that may be caught up with.
const BURST: Duration = Duration::from_millis(200);

/// Shares out bytes a second.
#[derive(Debug, Default)]
pub struct Throttle {
    /// When the bytes taken so far are paid for.
    paid_until: Mutex<Option<Instant>>,
}

impl Throttle {
    /// Takes bytes that were copied and waits until they are paid for.
    ///
    /// * `bytes_per_second`: the limit in force; 0: none.
    pub async fn take(&self, bytes: u64, bytes_per_second: u64) -> Duration {
        if bytes_per_second == 0 {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let cost = Duration::from_secs_f64(bytes as f64 / bytes_per_second as f64);
        let until = {
            let mut paid = self.paid_until.lock().await;
            let earliest = now.checked_sub(BURST).unwrap_or(now);
            let from = paid.map_or(earliest, |paid| paid.max(earliest));
            let until = from + cost;
            *paid = Some(until);
            until
        };
        let wait = until.saturating_duration_since(now);
        tokio::time::sleep_until(until).await;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_who_take_share_one_limit() {
        let throttle = Throttle::default();
        let began = Instant::now();
        tokio::join!(
            throttle.take(1_000_000, 1_000_000),
            throttle.take(1_000_000, 1_000_000)
        );
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(1790), "{took:?}");
        assert!(took <= Duration::from_millis(1810), "{took:?}");
        assert_eq!(throttle.take(1 << 40, 0).await, Duration::ZERO);
    }
}
