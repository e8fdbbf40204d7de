//! The way to the process that the settings describe.

use std::time::Duration;

use anyhow::bail;

use crate::config::Config;

/// How long a connection may take, and a short answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Where to connect to what listens at `host`.
pub(super) fn reachable(host: &str, port: u16) -> anyhow::Result<(&str, u16)> {
    if port == 0 {
        bail!(
            "the port is 0: the system chose one, and the first line that the process printed names it; set it with -E"
        );
    }
    Ok(match host {
        "0.0.0.0" => ("127.0.0.1", port),
        "::" => ("::1", port),
        host => (host, port),
    })
}

/// `HOST:PORT` of the process' gRPC.
pub(super) fn grpc_address(config: &Config) -> anyhow::Result<String> {
    let (host, port) = reachable(&config.host, config.grpc_port)?;
    Ok(match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    })
}

/// Runs something short that waits for the network.
pub(super) fn block_on<F: Future>(work: F) -> std::io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}
