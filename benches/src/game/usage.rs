//! Time and memory of this process.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};

/// From here on, wall clock and processor time of all threads.
pub struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    /// Starts it.
    pub fn start() -> Stopwatch {
        Stopwatch {
            wall: Instant::now(),
            cpu: cpu_time(),
        }
    }

    /// Seconds by the wall, and of all processors, since the start.
    pub fn seconds(&self) -> (f64, f64) {
        let wall = self.wall.elapsed();
        (wall.as_secs_f64(), (cpu_time() - self.cpu).as_secs_f64())
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Forgets the highest memory so far; true where the system can (Linux).
pub fn reset_peak() -> bool {
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// A figure of `/proc/self/status` in MB, such as `VmRSS` or `VmHWM`.
pub fn memory_mb(name: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    let kilobytes: f64 = kilobytes.with_context(|| name.to_owned())?.parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}
