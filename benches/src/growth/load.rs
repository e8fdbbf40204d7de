//! Many requests over some connections, and what they cost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;
use serde::Serialize;

use super::cluster::{ByRole, Meter, Running, Used};
use crate::http::Connection;
use crate::threads::on_threads;

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Load {
    /// How many connections asked, each one request at a time.
    pub connections: usize,
    /// Documents, or searches.
    pub operations: usize,
    /// By the wall.
    pub seconds: f64,
    /// Of a request, milliseconds: half of them took no longer.
    pub p50_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
    /// Processor seconds of 1,000 operations.
    pub cpu_seconds_by_1000: ByRole,
    /// Those of the client.
    pub client_cpu_seconds_by_1000: f64,
}

impl Load {
    pub(super) fn new(
        connections: usize,
        operations: usize,
        mut times_ms: Vec<f64>,
        used: Used,
    ) -> Load {
        times_ms.sort_by(f64::total_cmp);
        let by_1000 = |seconds: f64| seconds * 1000.0 / operations as f64;
        Load {
            connections,
            operations,
            seconds: used.seconds,
            p50_ms: percentile(&times_ms, 0.5),
            p99_ms: percentile(&times_ms, 0.99),
            cpu_seconds_by_1000: used.cpu_seconds.map(by_1000),
            client_cpu_seconds_by_1000: by_1000(used.client_cpu_seconds),
        }
    }

    /// Operations a second, by the wall.
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.seconds
    }

    /// The one that cost the cluster less: what else the machine does makes work dearer, never cheaper.
    pub fn cheaper(self, other: Option<Load>) -> Load {
        match other {
            Some(other) if other.cpu_seconds_by_1000.sum() < self.cpu_seconds_by_1000.sum() => {
                other
            }
            _ => self,
        }
    }
}

/// The smallest of some sorted times that so many of them do not exceed; 0 without any.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// Sends `count` of the requests, from the first on and again from the first after the last; milliseconds of each.
pub fn send_all(
    address: &str,
    connections: usize,
    requests: &[Vec<u8>],
    count: usize,
) -> Result<Vec<f64>> {
    let next = AtomicUsize::new(0);
    let times = Mutex::new(Vec::with_capacity(count));
    on_threads(&vec![(); connections], |()| {
        let mut connection = Connection::open(address)?;
        let mut mine = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            let start = Instant::now();
            connection.send(&requests[number % requests.len()])?;
            mine.push(start.elapsed().as_secs_f64() * 1e3);
            ensure_whole(&connection.body)?;
        }
        times.lock().append(&mut mine);
        Ok(())
    })?;
    let times = times.into_inner();
    ensure!(times.len() == count, "{} of {count} answered", times.len());
    Ok(times)
}

/// An answer of a search holds what all its shards say; other answers are not looked at.
fn ensure_whole(body: &[u8]) -> Result<()> {
    let start = String::from_utf8_lossy(&body[..body.len().min(300)]);
    let is_search = start.contains("\"timed_out\"");
    let is_whole = start.contains("\"timed_out\":false") && start.contains("\"failed\":0");
    ensure!(!is_search || is_whole, "not all shards answered: {start}");
    Ok(())
}

/// Asks `count` searches.
pub fn search(
    running: &Running,
    connections: usize,
    requests: &[Vec<u8>],
    count: usize,
) -> Result<Load> {
    let meter = Meter::start(running)?;
    let times = send_all(&running.address, connections, requests, count).context("searching")?;
    Ok(Load::new(connections, count, times, meter.read()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(
            (percentile(&times, 0.5), percentile(&times, 0.99)),
            (100.0, 198.0)
        );
        assert_eq!(
            (percentile(&[7.0], 0.5), percentile(&[7.0], 0.99)),
            (7.0, 7.0)
        );
        assert_eq!(percentile(&[], 0.5), 0.0);
    }

    #[test]
    fn a_search_that_lacks_a_shard_is_no_answer() {
        let answer = |failed| {
            format!(
                r#"{{"took":1,"timed_out":false,"_shards":{{"total":2,"successful":1,"skipped":0,"failed":{failed}}}}}"#
            )
        };
        assert!(ensure_whole(answer(0).as_bytes()).is_ok());
        assert!(ensure_whole(answer(1).as_bytes()).is_err());
        assert!(ensure_whole(br#"{"took":3,"errors":false,"items":[]}"#).is_ok());
    }
}
