//! `health`: how a process is.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use anyhow::{Context, bail};
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::ask::{ANSWER_TIMEOUT, block_on, grpc_address, reachable};
use crate::config::Config;

/// Asks the process how it is, so that a container's check needs no other program.
pub(super) fn health(config: &Config) -> anyhow::Result<()> {
    match config.role.has_rest() {
        true => {
            let (host, port) = reachable(config.http_host(), config.http_port)?;
            rest_health(host, port)
        }
        false => grpc_health(config),
    }
}

/// One plain HTTP/1.1 request, about this node alone: one that only lacks a leader is not to be restarted for it.
fn rest_health(host: &str, port: u16) -> anyhow::Result<()> {
    let shown = format!("{host}:{port}");
    let address = (host, port)
        .to_socket_addrs()
        .ok()
        .and_then(|mut found| found.next())
        .with_context(|| format!("{shown}: no such address"))?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)
        .with_context(|| format!("{shown}: nobody answers; is the server running?"))?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    write!(
        stream,
        "GET /_cluster/health?local=true HTTP/1.1\r\nHost: {shown}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream
        .take(64 << 10)
        .read_to_end(&mut answer)
        .with_context(|| format!("{shown}: the answer broke off"))?;
    let answer = String::from_utf8_lossy(&answer);
    let line = answer.lines().next().unwrap_or("");
    if line.split(' ').nth(1) != Some("200") {
        bail!("{shown}: answered [{line}]");
    }
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    println!("{}", body.trim());
    Ok(())
}

/// The standard health check of gRPC, for the server as a whole.
fn grpc_health(config: &Config) -> anyhow::Result<()> {
    let shown = grpc_address(config)?;
    let check = async {
        let channel = Endpoint::from_shared(format!("http://{shown}"))
            .with_context(|| format!("{shown}: no such address"))?
            .connect_timeout(ANSWER_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .connect()
            .await
            .with_context(|| format!("{shown}: nobody answers; is the process running?"))?;
        let asked = HealthCheckRequest {
            service: String::new(),
        };
        let answer = HealthClient::new(channel).check(asked).await;
        let answer = answer.map_err(|status| anyhow::anyhow!("{shown}: answered [{status}]"))?;
        anyhow::Ok(answer.into_inner().status())
    };
    let status: ServingStatus = block_on(check)??;
    println!("{}", status.as_str_name());
    match status {
        ServingStatus::Serving => Ok(()),
        _ => bail!("{shown}: is {}", status.as_str_name()),
    }
}
