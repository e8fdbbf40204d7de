//! Tells those who wait that something has changed, in the order in which they began to wait.
//!
//! Tokio's `watch` wakes its receivers in a random order, which a simulation could not repeat.

use std::pin::pin;

use tokio::sync::Notify;

/// Something that changes now and then.
#[derive(Debug, Default)]
pub struct Signal(Notify);

impl Signal {
    /// It has changed: all who wait look again.
    pub fn raise(&self) {
        self.0.notify_waiters();
    }

    /// Returns once `holds` does. No change is missed between a look and the wait that follows.
    pub async fn until(&self, mut holds: impl FnMut() -> bool) {
        loop {
            let mut changed = pin!(self.0.notified());
            changed.as_mut().enable();
            if holds() {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn nobody_misses_a_change() {
        let signal = Arc::new(Signal::default());
        let count = Arc::new(AtomicU32::new(0));
        let waiting = tokio::spawn({
            let (signal, count) = (signal.clone(), count.clone());
            async move { signal.until(|| count.load(Ordering::SeqCst) >= 3).await }
        });
        for _ in 0..3 {
            tokio::task::yield_now().await;
            count.fetch_add(1, Ordering::SeqCst);
            signal.raise();
        }
        waiting.await.unwrap();
    }
}
