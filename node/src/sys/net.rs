//! Names, and which address of this machine leads where.

use std::net::{IpAddr, ToSocketAddrs, UdpSocket};

/// The address of this machine from which `HOST:PORT` is reached. Nothing is sent. `None`: the name does not resolve, or no
/// way leads there.
pub fn address_towards(target: &str) -> Option<IpAddr> {
    let target = target.to_socket_addrs().ok()?.next()?;
    let any = match target.is_ipv4() {
        true => "0.0.0.0:0",
        false => "[::]:0",
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The address of a host, one of IPv4 if it has one. `None`: the name does not resolve.
pub fn address_of(host: &str) -> Option<IpAddr> {
    let found = (host, 0).to_socket_addrs().ok()?;
    let addresses = found.map(|address| address.ip());
    addresses.min_by_key(IpAddr::is_ipv6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_leads_to_itself() {
        let address = address_towards("127.0.0.1:9").unwrap();
        assert!(address.is_loopback());
        assert_eq!(address_towards("nowhere.invalid:9"), None);
    }
}
