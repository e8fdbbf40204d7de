//! The masters: they decide how the cluster state changes.
//!
//! [`decide`] turns a [`Command`] into [`Event`]s and [`apply`] turns an event into the next state; both are
//! pure. What keeps the events safe and shows the states to everybody is behind the [`Masters`] trait.

mod aliases;
mod apply;
mod command;
mod copies;
mod create_index;
mod decide;
mod event;
mod ids;
mod journal;
#[cfg(test)]
mod laws;
mod links;
mod nodes;
mod outcome;
mod publish;
mod queue;
pub mod raft;
pub mod remote;
mod resize;
mod rollover;
mod settings_update;
mod shards;
mod single;
mod templates;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use aliases::AliasAction;
pub use apply::apply;
pub use command::{
    Command, CommandError, CreateIndex, ResizeIndex, ResizeKind, Rollover, UpdateSettings,
};
pub use create_index::{check_auto_create, simulate_index};
pub use decide::decide;
pub use event::Event;
pub use ids::{Ids, RandomIds};
pub use journal::StateJournalError;
pub use shards::{AppliedState, ShardReport, StateApplier};
pub use single::{MasterParts, OpenMasterError, SingleMaster};
pub use templates::{Composed, compose, matching_index_template, matching_legacy_templates};

use crate::cluster::ClusterState;

/// Who keeps the cluster state: one voter in this process, or a group that agrees over the network.
#[async_trait]
pub trait Masters: Send + Sync {
    /// Has the state changed. Returns the state after it when the change is on disk and the shards of this node
    /// have followed it, so that an answer `acknowledged: true` is true.
    ///
    /// * `wait`: how long it may stand in the queue; one that has not begun by then is refused and never begins.
    ///   `None`: as long as it takes.
    async fn submit_within(
        &self,
        command: Command,
        wait: Option<Duration>,
    ) -> Result<Arc<ClusterState>, CommandError>;

    /// The same, however long the queue is.
    async fn submit(&self, command: Command) -> Result<Arc<ClusterState>, CommandError> {
        self.submit_within(command, None).await
    }

    /// The same as [`Masters::submit_within`], and whether all nodes follow the state that is returned.
    async fn change_within(
        &self,
        command: Command,
        wait: Option<Duration>,
    ) -> Result<Changed, CommandError> {
        let state = self.submit_within(command, wait).await?;
        Ok(Changed {
            state,
            acknowledged: true,
        })
    }

    /// The newest state.
    fn state(&self) -> Arc<ClusterState>;

    /// Tells each new state.
    fn watch(&self) -> tokio::sync::watch::Receiver<Arc<ClusterState>>;

    /// The commands that wait to be decided by this process.
    fn pending(&self) -> PendingTasks {
        PendingTasks::default()
    }

    /// The commands that wait to be decided, wherever that is done; refused when nobody leads.
    async fn pending_at_leader(&self) -> Result<PendingTasks, CommandError> {
        Ok(self.pending())
    }

    /// A state that has every change that was acknowledged before this call; refused when no leader tells of it in time.
    ///
    /// * `wait`: by when; the leader is asked once at least.
    async fn current(&self, wait: Duration) -> Result<Arc<ClusterState>, CommandError> {
        let _ = wait;
        Ok(self.state())
    }

    /// Who votes among the masters.
    async fn electorate(&self) -> Result<Electorate, CommandError> {
        let state = self.state();
        let leader = state.nodes.get(&state.master);
        Ok(Electorate {
            term: 1,
            voters: leader.map(|node| node.name.clone()).into_iter().collect(),
        })
    }

    /// Whether a master that leads is known, and heard of this process lately.
    fn has_leader(&self) -> bool {
        true
    }
}

/// What came of a command that was carried out.
#[derive(Clone, Debug)]
pub struct Changed {
    /// A state that has the change.
    pub state: Arc<ClusterState>,
    /// Whether every live node followed it in time (`cluster.publish.timeout`).
    pub acknowledged: bool,
}

/// The masters that vote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Electorate {
    /// The reign.
    pub term: u64,
    /// Their names.
    pub voters: Vec<String>,
}

/// Commands not yet decided.
#[derive(Clone, Debug, Default)]
pub struct PendingTasks {
    /// In the order of their arrival.
    pub tasks: Vec<PendingTask>,
}

/// One command not yet decided.
#[derive(Clone, Debug)]
pub struct PendingTask {
    /// Number in the order of arrival.
    pub insert_order: u64,
    /// What it is, e.g. `create-index [a]`.
    pub source: String,
    /// How long it has waited, in ms.
    pub waited_ms: u64,
    /// Whether it is being worked on.
    pub executing: bool,
}
