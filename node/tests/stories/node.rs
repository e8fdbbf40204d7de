//! The real binary as a child process, and a plain HTTP client for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::blocking::{Client, Response};
use serde_json::Value;

/// A running server; killed when dropped.
pub struct Node {
    child: Child,
    url: String,
    metrics: Option<String>,
    client: Client,
}

impl Node {
    /// Starts the server over a data directory, on a free port, and waits until it is ready.
    pub fn start(data: &Path) -> Node {
        Node::start_with(data, &[])
    }

    /// The same, with more `key=value` settings.
    pub fn start_with(data: &Path, settings: &[&str]) -> Node {
        match Node::try_start(data, settings) {
            Ok(node) => node,
            Err(output) => panic!("the server ended before it was ready: {output}"),
        }
    }

    /// The same; what a server said that ended before it was ready.
    pub fn try_start(data: &Path, settings: &[&str]) -> Result<Node, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quidditch"));
        command
            .arg("--data-dir")
            .arg(data)
            .args(["--http-addr", "127.0.0.1:0"]);
        for setting in settings {
            command.args(["-E", setting]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut seen = String::new();
        let (url, metrics) = loop {
            let Some(Ok(line)) = lines.next() else {
                let output = child.wait_with_output().expect("an ended server");
                let errors = String::from_utf8_lossy(&output.stderr).to_string();
                return Err(format!("{seen}{errors}"));
            };
            if let Some((_, rest)) = line.split_once("is ready: ") {
                let mut places = rest.split(", ");
                let url = places.next().expect("an address").to_owned();
                let metrics = places.find_map(|place| place.strip_prefix("metrics "));
                break (url, metrics.map(str::to_owned));
            }
            seen.push_str(&line);
            seen.push('\n');
        };
        // Both pipes are read to their end, so that the server never waits for its log.
        std::thread::spawn(move || lines.for_each(drop));
        let errors = BufReader::new(child.stderr.take().expect("its errors"));
        std::thread::spawn(move || errors.lines().for_each(drop));
        let client = Client::builder()
            .timeout(Duration::from_secs(120))
            .build()
            .expect("a client");
        Ok(Node {
            child,
            url,
            metrics,
            client,
        })
    }

    /// The address, without a path: `http://127.0.0.1:…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of its metrics, if there is one.
    pub fn metrics_url(&self) -> Option<&str> {
        self.metrics.as_deref()
    }

    /// Sends a request; an error when the server is gone before it answered.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> reqwest::Result<Response> {
        let method = method.parse().expect("a method");
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if !body.is_empty() {
            request = request.header("content-type", content_type).body(body);
        }
        request.send()
    }

    /// Sends a request without a body whose path arrives as it is written here: a client tidies away `..` and `%2e`.
    /// The answer's status and body.
    pub fn send_verbatim(&self, method: &str, path: &str) -> std::io::Result<(u16, String)> {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok((status.unwrap_or(0), body.to_owned()))
    }

    /// Sends a JSON body (an empty text: none); the answer's status and JSON (`null` when there is none).
    pub fn send(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let content_type = match path.contains("_bulk") || path.contains("_msearch") {
            true => "application/x-ndjson",
            false => "application/json",
        };
        let answer = self
            .try_send(method, path, content_type, body.as_bytes().to_vec())
            .unwrap_or_else(|err| panic!("{method} {path}: {err}"));
        let status = answer.status().as_u16();
        let text = answer.text().expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// The same for a request that has to succeed.
    #[track_caller]
    pub fn ok(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, answer) = self.send(method, path, body);
        assert!(
            (200..300).contains(&status),
            "{method} {path} answered {status}: {answer}"
        );
        answer
    }

    /// Ends the process at once, while others may still be talking to it; what it gave to the kernel stays.
    pub fn signal_kill(&self) {
        let status = Command::new("kill")
            .args(["-KILL", &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success());
    }

    /// Asks for an orderly end (SIGTERM) and expects it to go well.
    pub fn stop(mut self) {
        let status = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success());
        let ended = self.child.wait().expect("an end");
        assert!(ended.success(), "the server ended with {ended}");
    }

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("a status").is_none()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
