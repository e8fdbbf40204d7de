//! Which process holds the other end of a connection on this machine.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// How often a caller is looked for that is not among the known processes: one that just started may not be known yet.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The node whose process has the socket bound to `peer`; `None`: nobody of ours.
///
/// * `nodes`: names of the nodes by process id, asked anew for each look.
pub(super) fn caller(
    peer: SocketAddr,
    nodes: &dyn Fn() -> BTreeMap<u32, String>,
) -> Option<String> {
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let inode = socket_inode(peer)?;
        let wanted = format!("socket:[{inode}]");
        for (pid, name) in nodes() {
            if holds(pid, &wanted) {
                return Some(name);
            }
        }
    }
    None
}

/// The socket's number in the kernel; `None`: there is no such socket any more.
fn socket_inode(local: SocketAddr) -> Option<u64> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    inode_in(&table, local)
}

/// A line is `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`, addresses as
/// `0100007F:1F90`: the four bytes of the address as one number of this machine, then the port.
fn inode_in(table: &str, local: SocketAddr) -> Option<u64> {
    let IpAddr::V4(ip) = local.ip() else {
        return None;
    };
    let number = match cfg!(target_endian = "little") {
        true => ip.to_bits().swap_bytes(),
        false => ip.to_bits(),
    };
    let wanted = format!("{number:08X}:{:04X}", local.port());
    let line = table
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(wanted.as_str()))?;
    line.split_whitespace().nth(9)?.parse().ok()
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
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn the_caller_is_the_process_that_holds_the_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_server, peer) = listener.accept().unwrap();
        let own = std::process::id();
        let us = move || BTreeMap::from([(own, "us".to_owned())]);
        assert_eq!(caller(peer, &us).as_deref(), Some("us"));
        let others = || BTreeMap::from([(1, "init".to_owned())]);
        assert_eq!(caller(peer, &others), None);
        drop(client);
    }

    #[test]
    fn addresses_are_found_in_the_kernels_form() {
        let table = "  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 \
                     00:00000000 00000000     0        0 4711 1\n";
        let at = |text: &str| text.parse().unwrap();
        assert_eq!(inode_in(table, at("127.0.0.1:8080")), Some(4711));
        assert_eq!(inode_in(table, at("127.0.0.1:8081")), None);
        assert_eq!(inode_in(table, at("[::1]:8080")), None);
    }
}
