//! What the machine has: memory, processors, a name.

/// Bytes of memory of the machine.
pub fn total_memory() -> u64 {
    let info = rustix::system::sysinfo();
    (info.totalram as u64).saturating_mul(u64::from(info.mem_unit.max(1)))
}

/// Bytes of which the circuit breakers give parts away: half the machine's memory, the rest is for files; at most 31 GB.
pub fn search_memory() -> u64 {
    (total_memory() / 2).min(31 << 30)
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
