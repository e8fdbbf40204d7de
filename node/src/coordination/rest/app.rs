//! Everything that a handler may reach.

use std::sync::Arc;

use crate::cluster::{ClusterState, NodeInfo};
use crate::config::Config;
use crate::connections::Connections;
use crate::coordination::searcher::Searcher;
use crate::coordination::tasks::Tasks;
use crate::data::routed::ShardCopies;
use crate::data::search::SearchService;
use crate::data::service::ShardService;
use crate::master::Masters;
use crate::nodes::NodeService;
use crate::sys::clock::Clock;

use super::in_flight::InFlight;

/// The services of a coordination node, shared by all requests.
pub struct App {
    /// The settings of the process.
    pub config: Arc<Config>,
    /// This node.
    pub node: NodeInfo,
    /// Who keeps the cluster state.
    pub masters: Arc<dyn Masters>,
    /// Shards, wherever they are.
    pub shards: Arc<dyn ShardService>,
    /// Their copies, one by one.
    pub copies: Arc<dyn ShardCopies>,
    /// Searches of shards, wherever they are.
    pub search: Arc<dyn SearchService>,
    /// What coordinated searches share: scrolls, points in time.
    pub searcher: Arc<Searcher>,
    /// Long operations of this node.
    pub tasks: Arc<Tasks>,
    /// What nodes tell about themselves.
    pub nodes: Arc<dyn NodeService>,
    /// Counts connections; the server opens them.
    pub connections: Arc<Connections>,
    /// Counts request bodies; the server takes from it.
    pub in_flight: Arc<InFlight>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl App {
    /// The newest cluster state.
    pub fn state(&self) -> Arc<ClusterState> {
        self.masters.state()
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}
