//! Which process holds the other end of a connection on this machine.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

/// A caller whose socket is there is looked for so long among the known processes: one that just started may not be known
/// yet. Who calls from outside of the cluster waits for it.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// A socket is looked for so long: a read of the kernel's table misses some while others come and go.
const MISSING_FOR: Duration = Duration::from_secs(5);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// In the table, the number of a socket that its process has closed.
const NOBODYS: u64 = 0;

/// A connection as its caller has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallersEnd {
    /// The caller's own address.
    pub local: SocketAddr,
    /// The address that was called.
    pub remote: SocketAddr,
}

/// The node whose process called; `None`: nobody of ours, or gone already.
///
/// * `nodes`: names of the nodes by process id, asked anew for each look.
pub(super) fn caller(end: CallersEnd, nodes: &dyn Fn() -> BTreeMap<u32, String>) -> Option<String> {
    // a table that cannot be read lacks the socket like one that was read at a bad moment
    let table = || fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    caller_by(end, &table, nodes)
}

fn caller_by(
    end: CallersEnd,
    table: &dyn Fn() -> String,
    nodes: &dyn Fn() -> BTreeMap<u32, String>,
) -> Option<String> {
    let inode = until(MISSING_FOR, || inode_in(&table(), end))?;
    if inode == NOBODYS {
        return None;
    }
    let wanted = format!("socket:[{inode}]");
    until(UNKNOWN_FOR, || {
        let mut nodes = nodes().into_iter();
        nodes.find_map(|(pid, name)| holds(pid, &wanted).then_some(name))
    })
}

/// Looks until there is something, at least twice; `None` if there is nothing after so long.
fn until<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        // read first: however long the last look waited for the processor, it was a late one
        let is_last = began.elapsed() > limit;
        let found = look();
        if found.is_some() || is_last {
            return found;
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// The socket's number in the kernel; `None`: the table lacks it.
///
/// A line is `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`, addresses as
/// `0100007F:1F90`: the four bytes of the address as one number of this machine, then the port. One port of a caller's may
/// stand there several times, with other remote addresses.
fn inode_in(table: &str, end: CallersEnd) -> Option<u64> {
    let (local, remote) = (in_table(end.local)?, in_table(end.remote)?);
    table.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let is_it = words.next()? == local && words.next()? == remote;
        if is_it {
            words.nth(6)?.parse().ok()
        } else {
            None
        }
    })
}

fn in_table(address: SocketAddr) -> Option<String> {
    let IpAddr::V4(ip) = address.ip() else {
        return None;
    };
    let number = match cfg!(target_endian = "little") {
        true => ip.to_bits().swap_bytes(),
        false => ip.to_bits(),
    };
    Some(format!("{number:08X}:{:04X}", address.port()))
}

fn holds(pid: u32, wanted: &str) -> bool {
    let folder = Path::new("/proc").join(pid.to_string()).join("fd");
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|link| link.as_os_str() == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::net::{TcpListener, TcpStream};

    /// A connection within this process, and its caller's end.
    fn connection() -> (TcpStream, TcpStream, CallersEnd) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, local) = listener.accept().unwrap();
        let remote = server.local_addr().unwrap();
        (client, server, CallersEnd { local, remote })
    }

    fn us() -> BTreeMap<u32, String> {
        BTreeMap::from([(std::process::id(), "us".to_owned())])
    }

    #[test]
    fn the_caller_is_the_process_that_holds_the_socket() {
        let (_client, _server, end) = connection();
        assert_eq!(caller(end, &us).as_deref(), Some("us"));
        let others = || BTreeMap::from([(1, "init".to_owned())]);
        assert_eq!(caller(end, &others), None);
    }

    #[test]
    fn a_socket_that_one_read_missed_and_a_node_not_known_yet_are_looked_for_again() {
        let (_client, _server, end) = connection();
        let reads = Cell::new(0);
        let table = || {
            reads.set(reads.get() + 1);
            match reads.get() {
                1 | 2 => String::new(),
                _ => fs::read_to_string("/proc/net/tcp").unwrap(),
            }
        };
        let looks = Cell::new(0);
        let nodes = || {
            looks.set(looks.get() + 1);
            match looks.get() {
                1 | 2 => BTreeMap::new(),
                _ => us(),
            }
        };
        assert_eq!(caller_by(end, &table, &nodes).as_deref(), Some("us"));
        assert!(reads.get() > 2 && looks.get() > 2);
    }

    #[test]
    fn a_connection_is_found_by_both_addresses_in_the_kernels_form() {
        let at = |local: &str, remote: &str| CallersEnd {
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
        };
        let table = "  sl  local_address rem_address   st\n   \
                     0: 0100007F:1F90 0100007F:0050 06 00000000:00000000 00:00000000 00000000     0        0 0 3\n   \
                     1: 0100007F:1F90 0100007F:0051 01 00000000:00000000 00:00000000 00000000     0        0 4711 1\n";
        let found = |local, remote| inode_in(table, at(local, remote));
        assert_eq!(found("127.0.0.1:8080", "127.0.0.1:81"), Some(4711));
        assert_eq!(found("127.0.0.1:8080", "127.0.0.1:80"), Some(NOBODYS));
        assert_eq!(found("127.0.0.1:8081", "127.0.0.1:81"), None);
        assert_eq!(found("[::1]:8080", "127.0.0.1:81"), None);
    }
}
