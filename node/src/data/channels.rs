//! Connections to other nodes, and what became of a call that ended without an answer.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, ConnectError, Status};

/// Connections to one address: a large answer on one holds up nothing on the others. Each is made when it is first used.
const PER_ADDRESS: usize = 3;
/// A node that does not take a connection by then is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a connection with calls on it is tried, and by when it must answer: calls on one that is dead end after
/// both. Together they are as long as a node's lease: one that halts longer is lost to the masters as well.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes in flight that a call, and all calls of a connection, may have before the other side takes them.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 4 << 20;
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// Longest message, in bytes: a document of 100 MB passes, and so does a `_bulk` of such; a shard's page of hits may be longer.
pub const MESSAGE_BYTES_MAX: usize = 512 << 20;

/// Connections to other nodes, by address.
#[derive(Debug, Default)]
pub struct Channels {
    open: Mutex<HashMap<String, Arc<Line>>>,
}

#[derive(Debug)]
struct Line {
    channels: Vec<Channel>,
    next: AtomicUsize,
}

impl Channels {
    /// None yet.
    pub fn new() -> Arc<Channels> {
        Arc::default()
    }

    /// A connection to an address (`host:port`), made as soon as it is used. Fails when that is no address.
    pub fn to(&self, address: &str) -> Result<Channel, Status> {
        let line = self.line(address)?;
        let at = line.next.fetch_add(1, Ordering::Relaxed) % line.channels.len();
        Ok(line.channels[at].clone())
    }

    fn line(&self, address: &str) -> Result<Arc<Line>, Status> {
        let mut open = self.open.lock();
        if let Some(line) = open.get(address) {
            return Ok(line.clone());
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| {
            Status::failed_precondition(format!("[{address}] is no address: {error}"))
        })?;
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(false)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        let channels = (0..PER_ADDRESS).map(|_| endpoint.connect_lazy()).collect();
        let line = Arc::new(Line {
            channels,
            next: AtomicUsize::new(0),
        });
        open.insert(address.to_owned(), line.clone());
        Ok(line)
    }

    /// Closes the connections to all other addresses.
    pub fn retain(&self, is_known: impl Fn(&str) -> bool) {
        self.open.lock().retain(|address, _| is_known(address));
    }
}

/// Whether the call of a status may have been carried out. `false`: it never began, and may be sent again.
pub fn is_maybe_done(status: &Status) -> bool {
    // what a node says before it does anything
    let refused = [
        Code::FailedPrecondition,
        Code::InvalidArgument,
        Code::Unimplemented,
    ];
    if refused.contains(&status.code()) {
        return false;
    }
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return false;
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && error.is_canceled()
        {
            // the connection closed before it took the request
            return false;
        }
        if let Some(error) = error.downcast_ref::<h2::Error>()
            && error.is_remote()
            && (error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR)
                || error.reason() == Some(h2::Reason::REFUSED_STREAM))
        {
            // the other side closes in peace: it ends what it has taken, and has not taken this
            return false;
        }
        source = error.source();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use quidditch_proto::data::v1 as proto;
    use quidditch_proto::data::v1::shards_client::ShardsClient;
    use tokio::net::TcpListener;

    async fn refresh_at(channels: &Channels, address: &str) -> Status {
        let mut client = ShardsClient::new(channels.to(address).unwrap());
        let sent = client.refresh(proto::ShardRequest::default()).await;
        sent.unwrap_err()
    }

    #[tokio::test]
    async fn a_call_to_nobody_was_never_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let status = refresh_at(&Channels::new(), &address).await;
        assert!(!is_maybe_done(&status), "{status:?}");
    }

    #[tokio::test]
    async fn a_call_whose_connection_breaks_may_have_been_done() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // an empty SETTINGS frame, then silence until the request is here
            stream
                .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
                .await
                .unwrap();
            let mut seen = Vec::new();
            let mut part = [0; 1024];
            while !seen.windows(7).any(|bytes| bytes == b"Refresh") && seen.len() < 400 {
                let count = stream.read(&mut part).await.unwrap();
                seen.extend_from_slice(&part[..count]);
            }
        });
        let status = refresh_at(&Channels::new(), &address).await;
        assert!(is_maybe_done(&status), "{status:?}");
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused() {
        assert!(Channels::new().to("a b").is_err());
    }
}
