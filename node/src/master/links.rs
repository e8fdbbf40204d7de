//! Connections to masters: one for each address, kept alive, so that a dead one is noticed within seconds.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use quidditch_proto::master_client::MasterClient;
use quidditch_proto::raft::raft_client::RaftClient;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// A master that does not take a connection by then is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a connection is tried, and by when it must answer.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest message between masters, and between nodes and masters, in bytes: one entry with the largest of states.
pub(super) const MESSAGE_BYTES_MAX: usize = 256 << 20;

/// Connections to masters, by address; each is made when it is first used.
#[derive(Debug, Default)]
pub struct Links {
    open: Mutex<HashMap<String, Channel>>,
    /// Addresses that a test has cut off.
    #[cfg(test)]
    cut: Mutex<std::collections::HashSet<String>>,
}

impl Links {
    /// A connection to an address (`host:port`). Fails when that is no address.
    fn to(&self, address: &str) -> Result<Channel, Status> {
        #[cfg(test)]
        if self.cut.lock().contains(address) {
            return Err(Status::unavailable("cut off"));
        }
        let mut open = self.open.lock();
        if let Some(channel) = open.get(address) {
            return Ok(channel.clone());
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|error| Status::invalid_argument(format!("[{address}]: {error}")))?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        let channel = endpoint.connect_lazy();
        open.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }

    /// The raft of a master.
    pub(super) fn raft(&self, address: &str) -> Result<RaftClient<Channel>, Status> {
        let client = RaftClient::new(self.to(address)?);
        Ok(client
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// What nodes ask of a master.
    pub(super) fn master(&self, address: &str) -> Result<MasterClient<Channel>, Status> {
        let client = MasterClient::new(self.to(address)?);
        Ok(client
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// Lets nothing through to some addresses any more, or, when there are none, everything again.
    #[cfg(test)]
    pub(super) fn cut(&self, addresses: &[String]) {
        *self.cut.lock() = addresses.iter().cloned().collect();
    }
}

/// Whether a call failed before anybody could have heard of it: there was no connection.
pub(super) fn never_sent(status: &Status) -> bool {
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Ends a call that takes too long.
pub(super) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Status> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer.map(tonic::Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded(format!(
            "no answer within {} ms",
            limit.as_millis()
        ))),
    }
}
