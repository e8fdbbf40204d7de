//! What the machine has: memory, processors, a name.

use std::sync::atomic::{AtomicU64, Ordering};

/// Where the system tells how much memory a container may use: control groups of version 2, then 1.
const CONTAINER_LIMITS: [&str; 2] = [
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
];

/// What the settings leave of the machine's memory, in bytes.
static MEMORY_LIMIT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Lets this process plan with no more than so many bytes of memory.
pub fn limit_memory(bytes: u64) {
    MEMORY_LIMIT.store(bytes, Ordering::Relaxed);
}

/// Bytes of memory that this process may use: the machine's, or less in a container or by the settings.
pub fn usable_memory() -> u64 {
    machine_memory().min(MEMORY_LIMIT.load(Ordering::Relaxed))
}

/// The machine's memory in bytes, or less in a container that has a limit.
pub fn machine_memory() -> u64 {
    let info = rustix::system::sysinfo();
    let machine = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit.max(1)));
    let limit = CONTAINER_LIMITS
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok());
    match limit.and_then(|text| limit_of(&text)) {
        Some(limit) => machine.min(limit),
        None => machine,
    }
}

/// A limit in bytes; `max` is none.
fn limit_of(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|limit| *limit > 0)
}

/// Bytes of which the circuit breakers give parts away: half the usable memory, the rest is for files; at most 31 GB.
pub fn search_memory() -> u64 {
    (usable_memory() / 2).min(31 << 30)
}

/// Processors that this process may use, at least 1.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The host's name, or `quidditch` if it has none.
pub fn host_name() -> String {
    let uname = rustix::system::uname();
    match uname.nodename().to_str() {
        Ok(name) if !name.is_empty() => name.to_owned(),
        _ => "quidditch".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_may_have_a_limit() {
        assert_eq!(limit_of("536870912\n"), Some(512 << 20));
        assert_eq!(limit_of("max\n"), None);
        assert_eq!(limit_of("0"), None);
        assert!(usable_memory() > 0 && search_memory() <= usable_memory() / 2);
    }
}
