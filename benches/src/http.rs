//! A server under test, and a plain HTTP client that costs next to nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process;

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
        let request = request_bytes(method, path, content_type, body);
        let mut connection = Connection::open(&self.address)?;
        let status = connection.ask(&request)?;
        Ok((status, connection.body))
    }

    /// Sends a request that must succeed; a `_bulk` in all its items.
    pub fn send(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Result<()> {
        let request = request_bytes(method, path, content_type, body);
        Connection::open(&self.address)?
            .send(&request)
            .with_context(|| format!("{method} {path}"))
    }

    /// Processor time of all its threads since it began.
    pub fn cpu_time(&self) -> Result<Duration> {
        process::cpu_time(self.child.id())
    }

    /// Resident memory in bytes, as the kernel counts it.
    pub fn resident_bytes(&self) -> Result<u64> {
        process::resident_bytes(self.child.id())
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

/// The content type of most requests.
pub const JSON: &str = "application/json";
/// The content type of a `_bulk`.
pub const LINES: &str = "application/x-ndjson";

/// Appends a document to the body of a `_bulk`.
pub fn push_document(bulk: &mut Vec<u8>, id: &str, source: &[u8]) {
    let action = serde_json::json!({"index": {"_id": id}});
    bulk.extend_from_slice(action.to_string().as_bytes());
    bulk.push(b'\n');
    bulk.extend_from_slice(source);
    bulk.push(b'\n');
}

/// A request, ready to be sent.
pub fn request_bytes(method: &str, path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A connection that is kept open.
pub struct Connection {
    stream: BufReader<TcpStream>,
    head: String,
    /// The body of the last answer.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(address: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream: BufReader::with_capacity(1 << 16, stream),
            head: String::new(),
            body: Vec::new(),
        })
    }

    /// Sends a request of [`request_bytes`] and reads the answer; its status.
    pub fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.get_mut().write_all(request)?;
        self.line()?;
        let status = self.head.get(9..12).context("a status line")?.parse()?;
        let mut length = None;
        loop {
            self.line()?;
            if self.head.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = self.head.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = Some(value.trim().parse()?);
            }
        }
        let Some(length) = length else {
            bail!("an answer without content-length");
        };
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body)?;
        Ok(status)
    }

    /// Sends a request that must succeed; a `_bulk` in all its items.
    pub fn send(&mut self, request: &[u8]) -> Result<()> {
        let status = self.ask(request)?;
        let answer = String::from_utf8_lossy(&self.body);
        let start: String = answer.chars().take(500).collect();
        if status != 200 || start.contains("\"errors\":true") {
            bail!("the answer is {status}: {start}");
        }
        Ok(())
    }

    fn line(&mut self) -> Result<()> {
        self.head.clear();
        if self.stream.read_line(&mut self.head)? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}
