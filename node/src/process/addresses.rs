//! Where a process listens, and what it tells others about how to reach it.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::server;
use crate::sys::{machine, net};

/// Listens at the host of the settings.
///
/// * `setting`: the key of the port, for whoever has to choose another one.
pub(super) async fn listen(
    config: &Config,
    port: u16,
    setting: &str,
) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let host = &config.host;
    let bound = server::bind(host, port).await;
    let listener = bound.with_context(|| {
        format!("cannot listen at {host}:{port}; choose another port with -E {setting}=PORT")
    })?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Listens for REST.
pub(super) async fn listen_http(config: &Config) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let (host, port) = (config.http_host(), config.http_port);
    let bound = server::bind(host, port).await;
    let listener = bound.with_context(|| {
        format!("cannot listen at {host}:{port}; choose another address with --http-addr")
    })?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// The host under which other nodes reach this one.
///
/// * `others`: some of them, as `HOST:PORT`: when all addresses are listened at, the one that leads there is told.
pub(super) fn publish_host(config: &Config, others: &[String]) -> String {
    config.publish_host().unwrap_or_else(|| {
        let towards = others
            .iter()
            .filter_map(|other| net::address_towards(other));
        match towards.into_iter().find(|address| !address.is_loopback()) {
            Some(address) => address.to_string(),
            None => machine::host_name(),
        }
    })
}

/// The address of a host, for what goes by addresses (`_ip` in allocation filters, `_cat/nodes`). A name that does not resolve
/// on this machine stands for itself.
pub(super) fn ip_of(host: &str) -> String {
    net::address_of(host).map_or_else(|| host.to_owned(), |address| address.to_string())
}

/// The address that others are told: the one of the settings, or the publish host and the port that is listened at.
pub(super) fn published(set: &str, host: &str, listened: SocketAddr) -> String {
    match set {
        "" => join(host, listened.port()),
        set => set.to_owned(),
    }
}

/// `HOST:PORT`, with brackets where an address needs them.
pub(super) fn join(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;

    #[test]
    fn what_is_set_is_told_and_else_what_leads_to_the_others() {
        let mut config = Config::of(Role::Data);
        let listened = "0.0.0.0:9303".parse().unwrap();
        assert_eq!(publish_host(&config, &[]), "127.0.0.1");
        assert_eq!(published("proxy:1", "10.0.0.1", listened), "proxy:1");
        assert_eq!(published("", "::1", listened), "[::1]:9303");
        config.host = "0.0.0.0".to_owned();
        // a cluster of one machine: its name is as good as anything
        let others = ["127.0.0.1:9301".to_owned()];
        assert_eq!(publish_host(&config, &others), machine::host_name());
        config.publish_host = "data-1".to_owned();
        assert_eq!(publish_host(&config, &others), "data-1");
    }

    #[test]
    fn a_host_is_shown_by_its_address() {
        assert_eq!(ip_of("localhost"), "127.0.0.1");
        assert_eq!(ip_of("::1"), "::1");
        assert_eq!(ip_of("nowhere.invalid"), "nowhere.invalid");
    }
}
