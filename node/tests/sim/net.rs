//! A network that delays, loses and cuts, and the calls of copies through it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use quidditch_node::cluster::NodeId;
use quidditch_node::data::local::LocalShards;
use quidditch_node::data::replication::peers::*;
use quidditch_tools::torture::random::Random;

use crate::world::World;

/// Everybody who talks: `node-0`…, `client-0`…, and [`MASTERS`].
pub type Place = String;

/// The masters, as one place.
pub const MASTERS: &str = "masters";

/// How long a caller waits for an answer that does not come.
const PATIENCE: Duration = Duration::from_secs(5);

/// The network.
pub struct Net {
    random: Mutex<Random>,
    cuts: Mutex<BTreeSet<(Place, Place)>>,
    /// Of a hundred messages so many are lost.
    loss_percent: Mutex<u64>,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It did not arrive.
    Question,
    /// It did, and the answer did not.
    Answer,
}

impl Net {
    pub fn new(seed: u64) -> Net {
        Net {
            random: Mutex::new(Random::new(seed, 1)),
            cuts: Mutex::default(),
            loss_percent: Mutex::new(0),
        }
    }

    pub fn set_loss(&self, percent: u64) {
        *self.loss_percent.lock() = percent;
    }

    /// Nothing goes from `a` to `b` any more.
    pub fn cut(&self, a: &str, b: &str) {
        self.cuts.lock().insert((a.to_owned(), b.to_owned()));
    }

    pub fn heal(&self) {
        self.cuts.lock().clear();
        self.set_loss(0);
    }

    fn passes(&self, a: &str, b: &str) -> bool {
        let is_cut = self.cuts.lock().contains(&(a.to_owned(), b.to_owned()));
        let lost = *self.loss_percent.lock();
        !is_cut && !self.random.lock().percent(lost)
    }

    async fn travel(&self) {
        let micros = {
            let mut random = self.random.lock();
            // mostly quick, sometimes very slow: messages overtake each other
            match random.percent(3) {
                true => random.between(20_000, 400_000),
                false => random.between(100, 3_000),
            }
        };
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }

    /// Carries a question there, and its answer back.
    pub async fn call<T>(
        &self,
        from: &str,
        to: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Lost> {
        self.travel().await;
        if !self.passes(from, to) {
            tokio::time::sleep(PATIENCE).await;
            return Err(Lost::Question);
        }
        let Ok(answer) = tokio::time::timeout(PATIENCE, work).await else {
            return Err(Lost::Answer);
        };
        self.travel().await;
        if !self.passes(to, from) {
            tokio::time::sleep(PATIENCE).await;
            return Err(Lost::Answer);
        }
        Ok(answer)
    }
}

/// The other nodes, as one life of one node reaches them.
pub struct SimPeers {
    pub world: Arc<World>,
    pub own: NodeId,
    /// Which life of the node; an earlier one reaches nobody.
    pub life: u64,
}

impl SimPeers {
    async fn ask<T, F, W>(&self, to: &NodeId, work: W) -> Result<T, PeerError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, PeerError>> + Send + 'static,
        W: FnOnce(Arc<LocalShards>) -> F,
    {
        let unreachable = |why: &str| PeerError::Unreachable(why.to_owned());
        if !self.world.lives(&self.own, self.life) {
            tokio::time::sleep(PATIENCE).await;
            return Err(unreachable("this node died"));
        }
        let Some(shards) = self.world.shards(to) else {
            tokio::time::sleep(Duration::from_millis(1)).await;
            return Err(unreachable("nobody listens there"));
        };
        // What was begun goes on when the asker gives up.
        let work = work(shards);
        let work = async { tokio::spawn(work).await };
        let done = self.world.net.call(&self.own.0, &to.0, work).await;
        match done {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(unreachable("the work there ended")),
            Err(Lost::Question) => Err(unreachable("lost")),
            Err(Lost::Answer) => Err(unreachable("the answer was lost")),
        }
    }
}

#[async_trait]
impl Peers for SimPeers {
    async fn replicate(&self, node: &NodeId, ask: Replicate) -> Result<Progress, PeerError> {
        self.ask(node, |shards| async move { shards.on_replicate(ask).await })
            .await
    }

    async fn catch_up(&self, node: &NodeId, ask: CatchUp) -> Result<Progress, PeerError> {
        self.ask(node, |shards| async move { shards.on_catch_up(ask).await })
            .await
    }

    async fn start_recovery(
        &self,
        node: &NodeId,
        ask: StartRecovery,
    ) -> Result<RecoveryPlan, PeerError> {
        self.ask(
            node,
            |shards| async move { shards.on_start_recovery(ask).await },
        )
        .await
    }

    async fn open_shipment(&self, node: &NodeId, ask: OpenShipment) -> Result<Shipment, PeerError> {
        self.ask(
            node,
            |shards| async move { shards.on_open_shipment(ask).await },
        )
        .await
    }

    async fn read_file(&self, node: &NodeId, ask: ReadFile) -> Result<Bytes, PeerError> {
        self.ask(node, |shards| async move { shards.on_read_file(ask).await })
            .await
    }

    async fn next_operations(
        &self,
        node: &NodeId,
        session: u64,
    ) -> Result<OperationBatch, PeerError> {
        self.ask(node, move |shards| async move {
            shards.on_next_operations(session).await
        })
        .await
    }

    async fn finish_recovery(
        &self,
        node: &NodeId,
        ask: FinishRecovery,
    ) -> Result<Finished, PeerError> {
        self.ask(node, move |shards| async move {
            shards.on_finish_recovery(ask).await
        })
        .await
    }

    async fn close_session(&self, node: &NodeId, session: u64) -> Result<(), PeerError> {
        self.ask(node, move |shards| async move {
            shards.on_close_session(session);
            Ok(())
        })
        .await
    }
}
