//! What the process and the machine use: memory, processor time, disk.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// Space on the device of a folder, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// All of it.
    pub total: u64,
    /// Not used, also by nobody's reserve.
    pub free: u64,
    /// What this process could still take.
    pub available: u64,
}

impl Disk {
    /// Used part in percent, 0 to 100.
    pub fn used_percent(&self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        100.0 * self.total.saturating_sub(self.available) as f64 / self.total as f64
    }
}

/// The device of a folder; zeros when the system does not tell.
pub fn disk(path: &Path) -> Disk {
    let Ok(stat) = rustix::fs::statvfs(path) else {
        return Disk::default();
    };
    Disk {
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
        free: stat.f_bfree.saturating_mul(stat.f_frsize),
        available: stat.f_bavail.saturating_mul(stat.f_frsize),
    }
}

/// What `/proc` tells about this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Memory in use, in bytes.
    pub resident: u64,
    /// Address space, in bytes.
    pub virtual_size: u64,
    /// Threads.
    pub threads: u64,
    /// Processor time since the start, in ms.
    pub cpu_ms: u64,
    /// Open file descriptors.
    pub open_files: u64,
    /// Most that may be open.
    pub open_files_max: u64,
}

/// This process now; zeros for what the system does not tell.
pub fn process() -> Process {
    let mut process = Process::default();
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        process.resident = kilobytes(&status, "VmRSS:");
        process.virtual_size = kilobytes(&status, "VmSize:");
        process.threads = number_after(&status, "Threads:");
    }
    if let Ok(stat) = std::fs::read_to_string("/proc/self/stat") {
        // The name in parentheses may hold blanks; the 14th and 15th fields are ticks in user and system mode.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |at: usize| {
            fields
                .get(at)
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(0)
        };
        // Linux counts 100 ticks a second on every platform we run on.
        process.cpu_ms = (ticks(11) + ticks(12)) * 10;
    }
    process.open_files =
        std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    process.open_files_max = limit.current.unwrap_or(u64::MAX);
    process
}

/// The machine's memory and load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// All memory, in bytes.
    pub memory_total: u64,
    /// Memory that could be had without swapping, in bytes.
    pub memory_free: u64,
    /// Swap space, in bytes.
    pub swap_total: u64,
    /// Swap space not used, in bytes.
    pub swap_free: u64,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: [f64; 3],
}

impl Machine {
    /// Used memory in percent, 0 to 100.
    pub fn memory_used_percent(&self) -> u64 {
        if self.memory_total == 0 {
            return 0;
        }
        100 * self.memory_total.saturating_sub(self.memory_free) / self.memory_total
    }
}

/// The machine now; zeros for what the system does not tell.
pub fn machine() -> Machine {
    let mut machine = Machine::default();
    if let Ok(info) = std::fs::read_to_string("/proc/meminfo") {
        machine.memory_total = kilobytes(&info, "MemTotal:");
        machine.memory_free = kilobytes(&info, "MemAvailable:");
        machine.swap_total = kilobytes(&info, "SwapTotal:");
        machine.swap_free = kilobytes(&info, "SwapFree:");
    }
    if let Ok(load) = std::fs::read_to_string("/proc/loadavg") {
        for (i, text) in load.split_whitespace().take(3).enumerate() {
            machine.load[i] = text.parse().unwrap_or(0.0);
        }
    }
    machine
}

fn kilobytes(text: &str, key: &str) -> u64 {
    number_after(text, key).saturating_mul(1024)
}

fn number_after(text: &str, key: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_files() {
        let process = process();
        assert!(process.resident > 0 && process.threads > 0 && process.open_files > 0);
        assert!(machine().memory_total > process.resident);
        assert!(disk(Path::new("/")).total > 0);
    }
}
