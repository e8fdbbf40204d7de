//! Which node is likely to answer a search soonest: by how many searches it has of us, and how long it took lately.
//!
//! Suresh et al., "C3: Cutting Tail Latency in Cloud Data Stores via Adaptive Replica Selection" (2015): the expected wait
//! grows with the cube of the queue, so that a node that is fast but busy is left alone for a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::cluster::{ClusterState, NodeId};

/// Part of a new measurement in the average.
const ALPHA: f64 = 0.3;
/// What a search that failed counts as, at least: the next one looks elsewhere first.
const FAILED: Duration = Duration::from_secs(1);

/// What this node knows of others.
#[derive(Debug, Default)]
pub struct Ranks {
    nodes: Mutex<HashMap<NodeId, Rank>>,
    turn: AtomicUsize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rank {
    /// Searches without an answer yet.
    outstanding: u32,
    /// Average time of a search, in ns; `None`: none ended yet.
    response_nanos: Option<f64>,
}

impl Rank {
    /// Less is better.
    fn cost(self) -> f64 {
        let queue = 1.0 + f64::from(self.outstanding);
        // one that nobody knows is tried
        self.response_nanos.unwrap_or(0.0) * queue.powi(3)
    }

    fn observe(&mut self, nanos: f64) {
        let before = self.response_nanos.unwrap_or(nanos);
        self.response_nanos = Some(ALPHA * nanos + (1.0 - ALPHA) * before);
    }
}

/// A search under way on a node. One that ends neither in [`Outstanding::succeed`] nor in [`Outstanding::fail`], since nobody
/// waits for it any more, says nothing of the node.
#[derive(Debug)]
pub struct Outstanding {
    ranks: Arc<Ranks>,
    node: NodeId,
    began: Instant,
    /// `None`: given up by the one who asked, which says nothing of the node.
    has_failed: Option<bool>,
}

impl Ranks {
    /// Puts nodes into the order in which they should be asked; those that are alike take turns.
    ///
    /// * `is_adaptive`: else all are alike.
    pub fn order<T>(&self, copies: &mut [T], is_adaptive: bool, node: impl Fn(&T) -> &NodeId) {
        if copies.len() < 2 {
            return;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        copies.rotate_left(turn % copies.len());
        if !is_adaptive {
            return;
        }
        let mut nodes = self.nodes.lock();
        let cost = |copy: &T| nodes.get(node(copy)).copied().unwrap_or_default().cost();
        copies.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
        // those that are not asked come nearer to the one that is, or they would never be asked again
        let best = nodes
            .get(node(&copies[0]))
            .and_then(|rank| rank.response_nanos);
        let Some(best) = best else { return };
        for copy in &copies[1..] {
            if let Some(rank) = nodes.get_mut(node(copy))
                && let Some(own) = rank.response_nanos
            {
                rank.observe(f64::midpoint(own, best));
            }
        }
    }

    /// Begins a search on a node.
    pub fn begin(self: &Arc<Ranks>, node: &NodeId) -> Outstanding {
        self.nodes
            .lock()
            .entry(node.clone())
            .or_default()
            .outstanding += 1;
        Outstanding {
            ranks: self.clone(),
            node: node.clone(),
            began: Instant::now(),
            has_failed: None,
        }
    }

    /// Forgets nodes that left.
    pub fn retain(&self, state: &ClusterState) {
        self.nodes
            .lock()
            .retain(|node, rank| rank.outstanding > 0 || state.nodes.contains_key(node));
    }

    /// Each node with its searches under way and its average time.
    pub fn shown(&self) -> Vec<(NodeId, u32, Duration)> {
        let nodes = self.nodes.lock();
        let mut shown: Vec<_> = nodes
            .iter()
            .map(|(node, rank)| {
                let nanos = rank.response_nanos.unwrap_or(0.0) as u64;
                (node.clone(), rank.outstanding, Duration::from_nanos(nanos))
            })
            .collect();
        shown.sort();
        shown
    }
}

impl Outstanding {
    /// The node answered.
    pub fn succeed(mut self) {
        self.has_failed = Some(false);
    }

    /// The node did not answer.
    pub fn fail(mut self) {
        self.has_failed = Some(true);
    }
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let mut nodes = self.ranks.nodes.lock();
        let Some(rank) = nodes.get_mut(&self.node) else {
            return;
        };
        rank.outstanding = rank.outstanding.saturating_sub(1);
        let took = match self.has_failed {
            Some(false) => took,
            Some(true) => took.max(FAILED),
            None => return,
        };
        rank.observe(took.as_nanos() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodeId {
        NodeId(name.to_owned())
    }

    fn order(ranks: &Ranks) -> Vec<String> {
        let mut nodes = [node("a"), node("b")];
        ranks.order(&mut nodes, true, |node| node);
        nodes.map(|node| node.0).to_vec()
    }

    #[test]
    fn nodes_that_nobody_knows_take_turns() {
        let ranks = Ranks::default();
        assert_ne!(order(&ranks), order(&ranks));
    }

    #[test]
    fn a_node_that_failed_is_asked_last_and_again_after_a_while() {
        let ranks = Arc::new(Ranks::default());
        ranks.begin(&node("b")).succeed();
        ranks.begin(&node("a")).fail();
        assert_eq!(order(&ranks), ["b", "a"]);
        assert_eq!(order(&ranks), ["b", "a"]);
        // its average falls towards the other's, which is not at rest meanwhile
        let mut turns = 0;
        while order(&ranks) == ["b", "a"] {
            let slow = ranks.begin(&node("b"));
            let busy = ranks.begin(&node("b"));
            assert_eq!(order(&ranks).len(), 2);
            drop((slow, busy));
            ranks.nodes.lock().get_mut(&node("b")).unwrap().observe(1e7);
            turns += 1;
            assert!(turns < 1000, "{:?}", ranks.shown());
        }
    }

    #[test]
    fn a_busy_node_is_left_alone() {
        let ranks = Arc::new(Ranks::default());
        for name in ["a", "b"] {
            ranks.begin(&node(name)).succeed();
            let mut nodes = ranks.nodes.lock();
            nodes.get_mut(&node(name)).unwrap().response_nanos = Some(1000.0);
        }
        let _busy = [ranks.begin(&node("a")), ranks.begin(&node("a"))];
        assert_eq!(order(&ranks), ["b", "a"]);
    }
}
