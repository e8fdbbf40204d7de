//! One voter in this process: every change is on disk before it is answered.

use std::sync::Arc;

use async_trait::async_trait;
use quidditch_engine::directory::Directory;
use tokio::sync::watch;

use super::Masters;
use super::command::{Command, CommandError};
use super::shards::StateApplier;
use crate::cluster::{ClusterState, NodeInfo};

/// What a single master is made of.
pub struct MasterParts {
    /// Where the journal of the state lives; nobody else's files are in it.
    pub directory: Arc<dyn Directory>,
    /// Name of a new cluster; an existing one keeps its uuid and takes this name.
    pub cluster_name: String,
    /// This process; its `id` comes from [`crate::cluster::identity`].
    pub node: NodeInfo,
    /// Who makes shards follow the state.
    pub applier: Arc<dyn StateApplier>,
    /// The wall clock, in ms since the epoch.
    pub now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
}

/// Why a single master cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenMasterError {
    /// The directory does not answer.
    #[error("cluster state: {0}")]
    Io(#[from] std::io::Error),
}

/// The only voter of a cluster of one.
pub struct SingleMaster {
    states: watch::Sender<Arc<ClusterState>>,
}

#[allow(clippy::todo)]
impl SingleMaster {
    /// Reads the state from disk, or founds a new cluster; has the shards opened; then serves commands until dropped.
    /// Call it inside a tokio runtime.
    pub async fn open(_parts: MasterParts) -> Result<Arc<SingleMaster>, OpenMasterError> {
        todo!()
    }

    /// Stops taking commands and returns when the last one is on disk.
    pub async fn close(&self) {
        todo!()
    }
}

#[async_trait]
impl Masters for SingleMaster {
    #[allow(clippy::todo)]
    async fn submit(&self, _command: Command) -> Result<Arc<ClusterState>, CommandError> {
        todo!()
    }

    fn state(&self) -> Arc<ClusterState> {
        self.states.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.states.subscribe()
    }
}
