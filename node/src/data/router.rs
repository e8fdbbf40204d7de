//! Where the shards of the cluster are, and the way to them: those of this node at once, others over gRPC.

use std::sync::Arc;

use super::channels::Channels;
use super::copies::ServingCopy;
use super::ranks::Ranks;
use super::remote::RemoteCopy;
use super::search::{SearchService, ShardSearchError};
use super::service::{ShardError, ShardService, ShardTarget};
use crate::cluster::{ClusterState, NodeId};
use crate::master::Masters;
use crate::wire::data::Seen;

/// What a router is made of.
pub struct RouterParts {
    /// This node.
    pub node: NodeId,
    /// Knows the cluster.
    pub masters: Arc<dyn Masters>,
    /// Connections to other nodes.
    pub channels: Arc<Channels>,
    /// The shards of this node; `None`: it holds none.
    pub shards: Option<Arc<dyn ShardService>>,
    /// Searches of the shards of this node.
    pub search: Option<Arc<dyn SearchService>>,
}

/// Finds the way to copies of shards.
pub struct Router {
    pub(super) node: NodeId,
    pub(super) masters: Arc<dyn Masters>,
    channels: Arc<Channels>,
    shards: Option<Arc<dyn ShardService>>,
    search: Option<Arc<dyn SearchService>>,
    pub(super) ranks: Arc<Ranks>,
}

impl Router {
    /// Knows all copies at once; connections are made when they are used. Those to nodes that leave are closed, by a task that
    /// ends with the router.
    pub fn start(parts: RouterParts) -> Arc<Router> {
        let router = Arc::new(Router {
            node: parts.node,
            masters: parts.masters,
            channels: parts.channels,
            shards: parts.shards,
            search: parts.search,
            ranks: Arc::default(),
        });
        tokio::spawn(forget_nodes(Arc::downgrade(&router)));
        router
    }

    /// The primary that serves, to be asked as such.
    pub(super) fn primary(
        &self,
        target: &ShardTarget,
    ) -> Result<Arc<dyn ShardService>, ShardError> {
        let state = self.masters.state();
        let index = state
            .index(&target.index)
            .filter(|index| index.uuid == target.index_uuid)
            .ok_or_else(|| index_not_found(&target.index))?;
        let primary = state.routing.primary(&target.index, target.shard);
        let Some((copy, node)) = primary
            .filter(|copy| copy.state.is_active())
            .and_then(|copy| Some((copy, copy.node.as_ref()?)))
        else {
            return Err(not_found(target));
        };
        let seen = Seen {
            primary_term: index.primary_terms.get(target.shard as usize).copied(),
            allocation_id: copy.allocation_id.clone(),
        };
        self.shards_at(&state, node, seen, target)
    }

    /// The shards of a node.
    pub(super) fn shards_at(
        &self,
        state: &ClusterState,
        node: &NodeId,
        seen: Seen,
        target: &ShardTarget,
    ) -> Result<Arc<dyn ShardService>, ShardError> {
        if *node == self.node {
            return self.shards.clone().ok_or_else(|| not_found(target));
        }
        match self.remote(state, node, seen) {
            Some(copy) => Ok(Arc::new(copy)),
            None => Err(not_found(target)),
        }
    }

    /// The way to a copy for searches.
    pub(super) fn search_at(
        &self,
        state: &ClusterState,
        node: &NodeId,
        copy: Option<&ServingCopy>,
    ) -> Result<Arc<dyn SearchService>, ShardSearchError> {
        let unreachable = |reason: &str| ShardSearchError::Unreachable {
            node: node.clone(),
            reason: reason.to_owned(),
        };
        if *node == self.node {
            return self
                .search
                .clone()
                .ok_or_else(|| unreachable("this node holds no shards"));
        }
        let seen = Seen {
            primary_term: None,
            allocation_id: copy.and_then(|serving| serving.copy.allocation_id.clone()),
        };
        match self.remote(state, node, seen) {
            Some(copy) => Ok(Arc::new(copy)),
            None => Err(unreachable("the node is not in the cluster")),
        }
    }

    /// A copy on another node; `None`: the node is not in the cluster.
    pub(super) fn remote(
        &self,
        state: &ClusterState,
        node: &NodeId,
        seen: Seen,
    ) -> Option<RemoteCopy> {
        let node = state.nodes.get(node)?;
        let states = self.masters.watch();
        Some(RemoteCopy::new(&self.channels, state, node, seen, states))
    }

    /// What is known of nodes by the searches that were sent to them.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }
}

pub(super) fn not_found(target: &ShardTarget) -> ShardError {
    ShardError::NotFound {
        index: target.index.clone(),
        shard: target.shard,
    }
}

fn index_not_found(name: &str) -> ShardError {
    ShardError::Other {
        status: 404,
        kind: "index_not_found_exception".to_owned(),
        reason: format!("no such index [{name}]"),
        caused_by: None,
    }
}

async fn forget_nodes(router: std::sync::Weak<Router>) {
    let Some(mut states) = router.upgrade().map(|router| router.masters.watch()) else {
        return;
    };
    while states.changed().await.is_ok() {
        let Some(router) = router.upgrade() else {
            return;
        };
        let state = states.borrow_and_update().clone();
        let is_known = |address: &str| {
            let mut nodes = state.nodes.values();
            nodes.any(|node| node.transport_address == address)
        };
        router.channels.retain(is_known);
        router.ranks.retain(&state);
    }
}
