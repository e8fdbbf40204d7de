//! What the nodes of a local cluster say to each other goes through here, so that it can be cut.
//!
//! Each node's raft and gRPC port has a proxy in front, whose address is the published one. Who is calling is found out
//! from the caller's process, so that one proxy serves all callers and yet every pair of nodes can be cut. A cut swallows
//! nothing: as when packets are lost on a cable, bytes wait until it is healed, or until one side gives up.

mod carry;
mod control;
mod ports;
mod source;

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use control::{Client, serve};

/// Which port of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Between masters.
    Raft,
    /// Everything else.
    Grpc,
}

/// Two nodes, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pair(String, String);

impl Pair {
    /// These two, in whichever order.
    pub fn of(a: &str, b: &str) -> Pair {
        let (first, second) = if a <= b { (a, b) } else { (b, a) };
        Pair(first.to_owned(), second.to_owned())
    }
}

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} and {}", self.0, self.1)
    }
}

/// Which pairs cannot reach each other now.
type Cuts = watch::Receiver<BTreeSet<Pair>>;

/// Proxies in a thread of this process; they end when this is dropped.
#[derive(Debug)]
pub struct ProxyThread {
    client: Client,
    thread: Option<std::thread::JoinHandle<anyhow::Result<()>>>,
}

impl ProxyThread {
    /// Starts them for the cluster in `dir`.
    pub fn start(dir: &Path) -> anyhow::Result<ProxyThread> {
        let (ready, started) = std::sync::mpsc::channel();
        let folder = dir.to_owned();
        let thread = std::thread::Builder::new()
            .name("proxies".to_owned())
            .spawn(move || {
                serve(&folder, move || {
                    // nobody waits any more if the starter gave up
                    let _ = ready.send(());
                })
            })?;
        if started.recv().is_err() {
            match thread.join() {
                Ok(ended) => ended?,
                Err(_) => anyhow::bail!("the thread of the proxies panicked"),
            }
            anyhow::bail!("the proxies ended before they served");
        }
        Ok(ProxyThread {
            client: Client::new(dir),
            thread: Some(thread),
        })
    }
}

impl Drop for ProxyThread {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take()
            && self.client.stop().is_ok()
        {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
