//! What another process has used so far, by `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Of `/proc/PID/stat`, on every Linux.
const TICKS_A_SECOND: u64 = 100;

/// Processor time, of the user and of the system, of all threads of a process since it began; in steps of 10 ms.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| path.clone())?;
    let ticks = cpu_ticks(&stat).with_context(|| format!("{path}: {stat}"))?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_A_SECOND))
}

/// Fields 14 and 15.
fn cpu_ticks(stat: &str) -> Option<u64> {
    // the name, in parentheses, may hold anything
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Resident memory in bytes, as the kernel counts it.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    let kilobytes: u64 = kilobytes
        .with_context(|| format!("{path}: VmRSS"))?
        .parse()?;
    Ok(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_user_and_system_are_added() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 120 34 0 0 20 0 9 0 55 1000 200";
        assert_eq!(cpu_ticks(stat), Some(154));
        assert_eq!(cpu_ticks("7 (a"), None);
    }
}
