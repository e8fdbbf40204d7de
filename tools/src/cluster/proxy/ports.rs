//! The published ports: each leads to where its node listens now, or refuses while the node does not run.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::carry::{both_ways, until_open};
use super::source::{CallersEnd, caller};
use super::{Cuts, Pair, Service};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// How often a port is asked for again that its last listener has just given back.
const BINDS: u32 = 50;

/// Names of the nodes by the id of their process.
pub(super) type Processes = Arc<Mutex<BTreeMap<u32, String>>>;

/// All published ports.
pub(super) struct Ports {
    ports: BTreeMap<(String, Service), Port>,
    processes: Processes,
    cuts: Cuts,
}

struct Port {
    address: SocketAddr,
    state: State,
}

enum State {
    /// Held, so that nobody else takes it; connections are refused.
    Closed(#[allow(dead_code, reason = "the port is held by the socket")] TcpSocket),
    Open(JoinHandle<()>),
}

impl Ports {
    pub(super) fn new(processes: Processes, cuts: Cuts) -> Ports {
        Ports {
            ports: BTreeMap::new(),
            processes,
            cuts,
        }
    }

    /// Takes a port for a node: the one that it had before, or a free one.
    pub(super) fn take(
        &mut self,
        node: &str,
        service: Service,
        wanted: Option<SocketAddr>,
    ) -> io::Result<SocketAddr> {
        let key = (node.to_owned(), service);
        if let Some(port) = self.ports.get(&key) {
            return Ok(port.address);
        }
        let socket = bind(wanted.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0))))?;
        let address = socket.local_addr()?;
        let state = State::Closed(socket);
        self.ports.insert(key, Port { address, state });
        Ok(address)
    }

    /// Leads a port to where its node listens; `None`: it does not run.
    pub(super) async fn lead(
        &mut self,
        node: &str,
        service: Service,
        target: Option<SocketAddr>,
    ) -> io::Result<()> {
        let Some(port) = self.ports.get_mut(&(node.to_owned(), service)) else {
            return Err(io::Error::other(format!("no port of {node} is held")));
        };
        if let State::Open(task) = &mut port.state {
            task.abort();
            // its listener is gone when it has ended
            let _ = task.await;
            port.state = State::Closed(bind_again(port.address).await?);
        }
        let Some(target) = target else {
            return Ok(());
        };
        let held = TcpSocket::new_v4()?;
        if let State::Closed(socket) = std::mem::replace(&mut port.state, State::Closed(held)) {
            let listener = socket.listen(BACKLOG)?;
            let accept = accept(
                listener,
                target,
                node.to_owned(),
                self.processes.clone(),
                self.cuts.clone(),
            );
            port.state = State::Open(tokio::spawn(accept));
        }
        Ok(())
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // connections of the last listener may still linger
    socket.set_reuseaddr(true)?;
    socket
        .bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
    Ok(socket)
}

async fn bind_again(address: SocketAddr) -> io::Result<TcpSocket> {
    for _ in 1..BINDS {
        match bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            bound => return bound,
        }
    }
    bind(address)
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    node: String,
    processes: Processes,
    cuts: Cuts,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let connection = connect(
                    stream,
                    peer,
                    target,
                    node.clone(),
                    processes.clone(),
                    cuts.clone(),
                );
                tokio::spawn(connection);
            }
            // out of descriptors: others end, then there are some again
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    target: SocketAddr,
    node: String,
    processes: Processes,
    mut cuts: Cuts,
) {
    let known = move || match processes.lock() {
        Ok(processes) => processes.clone(),
        Err(poisoned) => poisoned.into_inner().clone(),
    };
    let Ok(called) = stream.local_addr() else {
        // the connection is gone already
        return;
    };
    let end = CallersEnd {
        local: peer,
        remote: called,
    };
    let found = tokio::task::spawn_blocking(move || caller(end, &known)).await;
    let pair = found.ok().flatten().map(|caller| Pair::of(&caller, &node));
    until_open(pair.as_ref(), &mut cuts).await;
    // dropped: the caller finds the connection closed, as when a process dies between accepting and answering
    if let Ok(upstream) = TcpStream::connect(target).await {
        // an end with an error is an end
        let _ = both_ways(stream, upstream, pair, cuts).await;
    }
}
