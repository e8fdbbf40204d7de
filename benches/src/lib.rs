//! Shared parts of the measurements: the game, a server under test and a plain HTTP client.

pub mod aggs;
pub mod game;
pub mod random;
pub mod record;
pub mod shard_folder;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A running server, killed when dropped.
pub struct Server {
    child: Child,
    /// `host:port` of its REST face.
    pub address: String,
    /// From starting the process to its first answer over HTTP.
    pub ready_after: Duration,
}

impl Server {
    /// Starts `binary` over `data` on a free loopback port and waits until it answers `GET /`.
    pub fn start(binary: &Path, data: &Path) -> Result<Server> {
        let started = Instant::now();
        let mut child = Command::new(binary)
            .arg("--data-dir")
            .arg(data)
            .args(["--http-addr", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| {
                format!(
                    "cannot start {}; build it with `cargo build --release`",
                    binary.display()
                )
            })?;
        let output = child.stdout.take().context("the server's output")?;
        let mut lines = BufReader::new(output).lines();
        let address = loop {
            let Some(line) = lines.next() else {
                bail!("the server ended before it was ready")
            };
            let line = line?;
            if let Some((_, rest)) = line.split_once("http://") {
                break rest
                    .split([' ', '/', ','])
                    .next()
                    .unwrap_or_default()
                    .to_string();
            }
        };
        let mut server = Server {
            child,
            address,
            ready_after: Duration::ZERO,
        };
        server.request("GET", "/", "", b"")?;
        server.ready_after = started.elapsed();
        std::thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }

    /// Sends one request on a connection of its own; the answer's status and body.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            self.address,
            body.len()
        )?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let head = answer
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .context("an HTTP head")?;
        let status = std::str::from_utf8(answer.get(9..12).context("a status line")?)?.parse()?;
        Ok((status, answer.split_off(head + 4)))
    }

    /// Resident memory in bytes, as the kernel counts it.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .context("VmRSS")?;
        let kilobytes: u64 = line
            .split_whitespace()
            .nth(1)
            .context("a number")?
            .parse()?;
        Ok(kilobytes * 1024)
    }

    /// Ends the process in order (SIGTERM), so that it flushes.
    pub fn stop(mut self) -> Result<()> {
        Command::new("kill")
            .arg("-TERM")
            .arg(self.child.id().to_string())
            .status()?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
