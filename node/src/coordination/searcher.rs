//! What every search on this node shares.

use std::sync::Arc;

use crate::cluster::state::ClusterState;
use crate::data::search::SearchService;
use crate::master::Masters;
use crate::sys::clock::Clock;

use super::scroll::Scrolls;

/// The coordinating half of searches.
pub struct Searcher {
    /// Knows the cluster.
    pub masters: Arc<dyn Masters>,
    /// Shards, wherever they are.
    pub service: Arc<dyn SearchService>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Id of this node, named in shard failures.
    pub node_id: String,
    /// Scrolls that began here.
    pub scrolls: Scrolls,
}

impl Searcher {
    /// No scroll yet.
    pub fn new(
        masters: Arc<dyn Masters>,
        service: Arc<dyn SearchService>,
        clock: Arc<dyn Clock>,
        node_id: String,
    ) -> Searcher {
        let scrolls = Scrolls::new(clock.clone());
        Searcher {
            masters,
            service,
            clock,
            node_id,
            scrolls,
        }
    }

    /// The cluster as it is now.
    pub fn state(&self) -> Arc<ClusterState> {
        self.masters.state()
    }
}
