//! Everything that a handler may reach.

use std::sync::Arc;

use crate::config::Config;
use crate::sys::clock::Clock;

use super::in_flight::InFlight;

/// What this node is, as it tells others.
#[derive(Clone, Debug)]
pub struct NodeIdentity {
    /// 22 characters of base64url; drawn once, kept in the data directory.
    pub id: String,
    /// Drawn at each start.
    pub ephemeral_id: String,
    /// `node.name`.
    pub name: String,
    /// Where REST is bound, `host:port`.
    pub http_address: String,
    /// The IP address of the same.
    pub ip: String,
    /// When the process started, milliseconds since 1970.
    pub started_ms: i64,
}

/// The services of a coordination node, shared by all requests.
pub struct App {
    /// The settings of the process.
    pub config: Arc<Config>,
    /// This node.
    pub node: NodeIdentity,
    /// Counts request bodies; the server takes from it.
    pub in_flight: Arc<InFlight>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl App {
    /// Name of the cluster for machines.
    pub fn cluster_uuid(&self) -> String {
        "_na_".to_owned()
    }
}
