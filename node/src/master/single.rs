//! One voter in this process: every change is on disk before it is answered.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use quidditch_engine::directory::Directory;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::apply::apply;
use super::command::{Command, CommandError};
use super::decide::decide;
use super::event::Event;
use super::ids::{Ids, RandomIds, random_request};
use super::journal::{StateJournal, StateJournalError};
use super::queue::{NotDone, NowMs, Queue, QueueEnd, Round};
use super::shards::{AppliedState, StateApplier};
use super::{Masters, PendingTasks};
use crate::cluster::error::StateError;
use crate::cluster::{ClusterState, NodeInfo};
use crate::wire::batch::RequestId;

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
    pub now_ms: NowMs,
}

/// Why a single master cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenMasterError {
    /// The state does not come back from disk.
    #[error(transparent)]
    State(#[from] StateJournalError),
    /// What the start changed could not be made durable.
    #[error("cluster state: {0}")]
    NotWritten(StateError),
    /// Opening was cut off, e.g. by the end of the process.
    #[error("cluster state: opening was cut off")]
    Aborted,
}

/// The only voter of a cluster of one.
pub struct SingleMaster {
    states: watch::Sender<Arc<ClusterState>>,
    queue: Queue,
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
    unwritten: Arc<OnceLock<String>>,
}

/// What the loop owns.
struct Worker {
    journal: Arc<Mutex<StateJournal>>,
    state: ClusterState,
    ids: RandomIds,
    applier: Arc<dyn StateApplier>,
    states: watch::Sender<Arc<ClusterState>>,
    now_ms: NowMs,
    /// Why the journal takes nothing more.
    unwritten: Arc<OnceLock<String>>,
}

impl SingleMaster {
    /// Reads the state from disk, or founds a new cluster; has the shards opened; then serves commands until dropped.
    /// Call it inside a tokio runtime.
    pub async fn open(parts: MasterParts) -> Result<Arc<SingleMaster>, OpenMasterError> {
        let MasterParts {
            directory,
            cluster_name,
            node,
            applier,
            now_ms,
        } = parts;
        let id = node.id.clone();
        let opened = tokio::task::spawn_blocking(move || {
            StateJournal::open(directory, &cluster_name, &id, &mut RandomIds)
        });
        let (journal, state) = opened.await.map_err(|_| OpenMasterError::Aborted)??;
        info!(
            cluster_uuid = %state.cluster_uuid,
            version = state.version,
            indices = state.indices.len(),
            "cluster state is open"
        );
        let unwritten = Arc::new(OnceLock::new());
        let (states, _) = watch::channel(Arc::new(state.clone()));
        let mut worker = Worker {
            journal: Arc::new(Mutex::new(journal)),
            state,
            ids: RandomIds,
            applier,
            states: states.clone(),
            now_ms: now_ms.clone(),
            unwritten: unwritten.clone(),
        };
        let now = now_ms();
        match decide(&worker.state, Command::JoinNode(node), now, &mut worker.ids) {
            Ok(events) => {
                worker.advance(&events);
                // the new reigns of the shards, before one of them gives out a sequence number
                let persisted = worker.persist(events).await;
                persisted.map_err(OpenMasterError::NotWritten)?;
            }
            Err(refused) => error!(error = %refused, "this node could not join"),
        }
        worker.follow().await;
        let (queue, waiting) = Queue::new(now_ms);
        let (stop, stopping) = watch::channel(false);
        let (done, stopped) = watch::channel(false);
        tokio::spawn(async move {
            worker.serve(waiting, stopping).await;
            let _ = done.send(true);
        });
        Ok(Arc::new(SingleMaster {
            states,
            queue,
            stop,
            stopped,
            unwritten,
        }))
    }

    /// Why no change of the state is taken until a restart; `None`: changes are taken.
    pub fn failure(&self) -> Option<&str> {
        self.unwritten.get().map(String::as_str)
    }

    /// Stops taking commands and returns when the last one is on disk.
    pub async fn close(&self) {
        let _ = self.stop.send(true);
        let mut stopped = self.stopped.clone();
        // An error means that the loop is gone, which is what is waited for.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }
}

impl Worker {
    async fn serve(&mut self, mut queue: QueueEnd, mut stopping: watch::Receiver<bool>) {
        let mut is_stopping = false;
        loop {
            let batch = tokio::select! {
                biased;
                batch = queue.next() => batch,
                // An error means that nobody can submit any more either.
                _ = stopping.changed(), if !is_stopping => {
                    is_stopping = true;
                    queue.close();
                    continue;
                }
            };
            let Some(batch) = batch else { break };
            let now_ms = (self.now_ms)();
            // nobody tries a request again here: whoever asks is in this process, and waits
            let is_done = |_: &RequestId| false;
            let waiting = &queue.waiting;
            let ids = &mut self.ids;
            let round = Round::decide(&self.state, batch, waiting, &is_done, now_ms, ids);
            self.carry_out(round).await;
        }
        let journal = self.journal.clone();
        let closed = tokio::task::spawn_blocking(move || journal.lock().close()).await;
        if let Ok(Err(err)) = closed {
            warn!(error = %err, "the journal of the cluster state did not close well");
        }
    }

    /// Makes what was decided durable, has it applied, answers.
    async fn carry_out(&mut self, mut round: Round) {
        let events = std::mem::take(&mut round.events);
        if !events.is_empty() {
            let before = self.state.clone();
            self.advance(&events);
            if let Err(refused) = self.persist(events).await {
                self.state = before;
                return round.answer(&Err(refused));
            }
            self.follow().await;
        }
        round.answer(&Ok(Arc::new(self.state.clone())));
    }

    fn advance(&mut self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let mut state = self.state.clone();
        for event in events {
            state = apply(state, event);
        }
        state.version += 1;
        state.state_uuid = self.ids.next_uuid();
        self.state = state;
    }

    async fn persist(&mut self, events: Vec<Event>) -> Result<(), CommandError> {
        let journal = self.journal.clone();
        let version = self.state.version;
        let state = self.state.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut journal = journal.lock();
            journal.append(version, &events)?;
            if let Err(err) = journal.compact_if_due(&state) {
                // The batch itself is durable; a journal that failed refuses the next one.
                warn!(error = %err, "could not shorten the journal of the cluster state");
            }
            Ok::<(), StateJournalError>(())
        })
        .await;
        let reason = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(err)) => err.to_string(),
            Err(err) => err.to_string(),
        };
        // the first reason is the cause of those that follow
        let _ = self.unwritten.set(reason.clone());
        error!(error = %reason, "the cluster state could not be written; changes are refused until a restart");
        Err(StateError::new(
            503,
            "failed_to_commit_cluster_state_exception",
            format!("the change could not be written to disk: {reason}"),
        ))
    }

    /// Has the shards follow the state, notes what came of it, shows the state to everybody.
    async fn follow(&mut self) {
        let AppliedState { reports } = self.applier.apply(&Arc::new(self.state.clone())).await;
        if !reports.is_empty() {
            match decide(
                &self.state,
                Command::ReportShards(reports),
                (self.now_ms)(),
                &mut self.ids,
            ) {
                Ok(events) => {
                    self.advance(&events);
                    // Shards that started for the first time. When it is not written the journal takes nothing more,
                    // and the marker beside each shard's data stands in for it.
                    let _ = self.persist(events).await;
                }
                Err(refused) => error!(error = %refused, "a report of shards was refused"),
            }
        }
        self.states.send_replace(Arc::new(self.state.clone()));
    }
}

fn gone() -> CommandError {
    StateError::new(
        503,
        "cluster_manager_not_discovered_exception",
        "the cluster manager is stopping",
    )
}

#[async_trait]
impl Masters for SingleMaster {
    async fn submit_within(
        &self,
        command: Command,
        wait: Option<Duration>,
    ) -> Result<Arc<ClusterState>, CommandError> {
        let answered = self.queue.submit(random_request(), command, wait).await;
        answered.map_err(|not_done| match not_done {
            NotDone::Refused(refused) => refused,
            NotDone::NotBegun | NotDone::Unknown => gone(),
        })
    }

    fn state(&self) -> Arc<ClusterState> {
        self.states.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.states.subscribe()
    }

    fn pending(&self) -> PendingTasks {
        self.queue.pending()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::ShardReport;
    use crate::master::testing::{create, node};
    use quidditch_engine::directory::faulty::Disk;
    use quidditch_engine::directory::ram::RamDirectory;

    /// Starts every copy at once.
    struct StartsAll;

    #[async_trait]
    impl StateApplier for StartsAll {
        async fn apply(&self, state: &Arc<ClusterState>) -> AppliedState {
            let mut reports = Vec::new();
            for (name, shards) in &state.routing.indices {
                for (shard, copies) in shards.iter().enumerate() {
                    for copy in copies {
                        if copy.state == crate::cluster::ShardState::Initializing {
                            reports.push(ShardReport {
                                index_uuid: state.indices[name].uuid.clone(),
                                shard: shard as u32,
                                allocation_id: copy.allocation_id.clone().unwrap(),
                                primary_term: None,
                                failure: None,
                            });
                        }
                    }
                }
            }
            AppliedState { reports }
        }
    }

    /// Begins to start copies when it is let.
    struct Slow(tokio::sync::Semaphore);

    #[async_trait]
    impl StateApplier for Slow {
        async fn apply(&self, state: &Arc<ClusterState>) -> AppliedState {
            let _permit = self.0.acquire().await;
            StartsAll.apply(state).await
        }
    }

    async fn open(directory: Arc<dyn Directory>) -> Arc<SingleMaster> {
        open_with(directory, Arc::new(StartsAll)).await
    }

    async fn open_with(
        directory: Arc<dyn Directory>,
        applier: Arc<dyn StateApplier>,
    ) -> Arc<SingleMaster> {
        SingleMaster::open(MasterParts {
            directory,
            cluster_name: "c".to_owned(),
            node: node("n1"),
            applier,
            now_ms: Arc::new(|| 1_000),
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn an_answer_comes_after_the_shards_started_and_survives_a_restart() {
        let directory = Arc::new(RamDirectory::new());
        let master = open(directory.clone()).await;
        let uuid = master.state().cluster_uuid.clone();
        let state = master.submit(create("a")).await.unwrap();
        assert_eq!(
            state.routing.primary("a", 0).unwrap().state,
            crate::cluster::ShardState::Started
        );
        let refused = master.submit(create("a")).await.unwrap_err();
        assert_eq!(refused.kind, "resource_already_exists_exception");
        assert_eq!(master.state().version, state.version);
        master.close().await;
        assert_eq!(master.submit(create("b")).await.unwrap_err().status, 503);

        let master = open(directory).await;
        let again = master.state();
        assert_eq!(again.cluster_uuid, uuid);
        assert_eq!(again.indices["a"].uuid, state.indices["a"].uuid);
        assert_eq!(
            again.routing.primary("a", 0).unwrap().state,
            crate::cluster::ShardState::Started
        );
        master.close().await;
    }

    #[tokio::test]
    async fn a_full_disk_refuses_changes_and_is_told_of() {
        let disk = Disk::new();
        let master = open(disk.directory("state")).await;
        master.submit(create("before")).await.unwrap();
        assert_eq!(master.failure(), None);
        disk.set_capacity(Some(disk.used()));
        let refused = master.submit(create("late")).await.unwrap_err();
        assert_eq!(refused.kind, "failed_to_commit_cluster_state_exception");
        assert!(master.failure().is_some());
        let state = master.state();
        assert!(state.index("late").is_none() && state.index("before").is_some());
        master.close().await;
    }

    #[tokio::test]
    async fn a_command_that_waits_for_too_long_never_begins() {
        let slow = Arc::new(Slow(tokio::sync::Semaphore::new(1)));
        let master = open_with(Arc::new(RamDirectory::new()), slow.clone()).await;
        let permit = slow.0.acquire().await.unwrap();
        let first = tokio::spawn({
            let master = master.clone();
            async move { master.submit(create("first")).await }
        });
        while !master.pending().tasks.iter().any(|task| task.executing) {
            tokio::task::yield_now().await;
        }
        let wait = Some(Duration::from_millis(1));
        let late = master.submit_within(create("late"), wait).await;
        let refused = late.unwrap_err();
        assert_eq!(
            (refused.status, refused.kind.as_str()),
            (503, "process_cluster_event_timeout_exception")
        );
        assert!(
            refused.reason.ends_with(") within 1ms"),
            "{}",
            refused.reason
        );
        drop(permit);
        first.await.unwrap().unwrap();
        let state = master.submit(create("next")).await.unwrap();
        assert!(state.index("late").is_none() && state.index("first").is_some());
        assert!(master.pending().tasks.is_empty());
        master.close().await;
    }
}
