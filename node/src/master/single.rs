//! One voter in this process: every change is on disk before it is answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use quidditch_engine::directory::Directory;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};

use super::apply::apply;
use super::command::{Command, CommandError};
use super::decide::decide;
use super::event::Event;
use super::ids::{Ids, RandomIds};
use super::journal::{StateJournal, StateJournalError};
use super::shards::{AppliedState, StateApplier};
use super::{Masters, PendingTask, PendingTasks};
use crate::cluster::error::StateError;
use crate::cluster::setting_values::show_ms;
use crate::cluster::{ClusterState, NodeInfo};

/// Commands that may wait; beyond it, submitting waits.
const QUEUE_MAX: usize = 1024;
/// Commands that share one write to disk.
const BATCH_MAX: usize = 64;

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

struct Submitted {
    number: u64,
    command: Command,
    answer: oneshot::Sender<Result<Arc<ClusterState>, CommandError>>,
}

/// The only voter of a cluster of one.
pub struct SingleMaster {
    states: watch::Sender<Arc<ClusterState>>,
    queue: mpsc::Sender<Submitted>,
    waiting: Arc<Mutex<BTreeMap<u64, Waiting>>>,
    next_number: AtomicU64,
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
    now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
}

#[derive(Debug)]
struct Waiting {
    source: String,
    since_ms: i64,
    executing: bool,
}

/// Takes a command off the list of those that wait, also when its asker goes away before it was queued.
struct Unqueued<'a> {
    waiting: &'a Mutex<BTreeMap<u64, Waiting>>,
    number: u64,
    is_queued: bool,
}

impl Drop for Unqueued<'_> {
    fn drop(&mut self) {
        if !self.is_queued {
            self.waiting.lock().remove(&self.number);
        }
    }
}

/// What the loop owns.
struct Worker {
    journal: Arc<Mutex<StateJournal>>,
    state: ClusterState,
    ids: RandomIds,
    applier: Arc<dyn StateApplier>,
    states: watch::Sender<Arc<ClusterState>>,
    waiting: Arc<Mutex<BTreeMap<u64, Waiting>>>,
    now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
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
        let (states, _) = watch::channel(Arc::new(state.clone()));
        let waiting = Arc::new(Mutex::new(BTreeMap::new()));
        let mut worker = Worker {
            journal: Arc::new(Mutex::new(journal)),
            state,
            ids: RandomIds,
            applier,
            states: states.clone(),
            waiting: waiting.clone(),
            now_ms: now_ms.clone(),
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
        let (queue, receiver) = mpsc::channel(QUEUE_MAX);
        let (stop, stopping) = watch::channel(false);
        let (done, stopped) = watch::channel(false);
        tokio::spawn(async move {
            worker.serve(receiver, stopping).await;
            let _ = done.send(true);
        });
        Ok(Arc::new(SingleMaster {
            states,
            queue,
            waiting,
            next_number: AtomicU64::new(1),
            stop,
            stopped,
            now_ms,
        }))
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
    async fn serve(
        &mut self,
        mut queue: mpsc::Receiver<Submitted>,
        mut stopping: watch::Receiver<bool>,
    ) {
        let mut is_stopping = false;
        loop {
            let first = tokio::select! {
                biased;
                first = queue.recv() => first,
                // An error means that nobody can submit any more either.
                _ = stopping.changed(), if !is_stopping => {
                    is_stopping = true;
                    queue.close();
                    continue;
                }
            };
            let Some(first) = first else { break };
            let mut batch = vec![first];
            while batch.len() < BATCH_MAX
                && let Ok(next) = queue.try_recv()
            {
                batch.push(next);
            }
            self.carry_out(batch).await;
        }
        let journal = self.journal.clone();
        let closed = tokio::task::spawn_blocking(move || journal.lock().close()).await;
        if let Ok(Err(err)) = closed {
            warn!(error = %err, "the journal of the cluster state did not close well");
        }
    }

    /// Decides on some commands, makes them durable together, has them applied, answers.
    async fn carry_out(&mut self, batch: Vec<Submitted>) {
        let before = self.state.clone();
        let mut numbers = Vec::with_capacity(batch.len());
        let mut accepted = Vec::with_capacity(batch.len());
        let mut events: Vec<Event> = Vec::new();
        for submitted in batch {
            match self.waiting.lock().get_mut(&submitted.number) {
                Some(waiting) => waiting.executing = true,
                // it has waited for too long, and was told so
                None => continue,
            }
            numbers.push(submitted.number);
            match decide(
                &self.state,
                submitted.command,
                (self.now_ms)(),
                &mut self.ids,
            ) {
                Err(refused) => {
                    // The asker may have gone away; then nobody has to know.
                    let _ = submitted.answer.send(Err(refused));
                }
                Ok(decided) => {
                    self.advance(&decided);
                    events.extend(decided);
                    accepted.push(submitted.answer);
                }
            }
        }
        let result = if events.is_empty() {
            Ok(())
        } else {
            self.persist(events).await
        };
        match result {
            Ok(()) => {
                if self.state.version != before.version {
                    self.follow().await;
                }
                let state = Arc::new(self.state.clone());
                for answer in accepted {
                    let _ = answer.send(Ok(state.clone()));
                }
            }
            Err(refused) => {
                self.state = before;
                for answer in accepted {
                    let _ = answer.send(Err(refused.clone()));
                }
            }
        }
        let mut waiting = self.waiting.lock();
        for number in numbers {
            waiting.remove(&number);
        }
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

impl SingleMaster {
    /// Takes a command that has waited for too long off the list, so that it never begins; `None` when it has begun.
    fn give_up(&self, number: u64, wait: Option<Duration>) -> Option<CommandError> {
        let mut waiting = self.waiting.lock();
        waiting.get(&number).filter(|command| !command.executing)?;
        let source = waiting.remove(&number)?.source;
        let wait_ms = i64::try_from(wait.unwrap_or_default().as_millis()).unwrap_or(i64::MAX);
        Some(StateError::new(
            503,
            "process_cluster_event_timeout_exception",
            format!(
                "failed to process cluster event ({source}) within {}",
                show_ms(wait_ms)
            ),
        ))
    }
}

#[async_trait]
impl Masters for SingleMaster {
    async fn submit_within(
        &self,
        command: Command,
        wait: Option<Duration>,
    ) -> Result<Arc<ClusterState>, CommandError> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        self.waiting.lock().insert(
            number,
            Waiting {
                source: command.source(),
                since_ms: (self.now_ms)(),
                executing: false,
            },
        );
        let mut unqueued = Unqueued {
            waiting: &self.waiting,
            number,
            is_queued: false,
        };
        let (answer, answered) = oneshot::channel();
        let submitted = Submitted {
            number,
            command,
            answer,
        };
        let is_over = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        let mut is_over = std::pin::pin!(is_over);
        tokio::select! {
            biased;
            sent = self.queue.send(submitted) => if sent.is_err() {
                return Err(gone());
            },
            () = &mut is_over => return Err(self.give_up(number, wait).unwrap_or_else(gone)),
        }
        unqueued.is_queued = true;
        let mut answered = answered;
        let result = tokio::select! {
            biased;
            result = &mut answered => result,
            () = &mut is_over => match self.give_up(number, wait) {
                Some(late) => return Err(late),
                None => answered.await,
            }
        };
        match result {
            Ok(result) => result,
            Err(_) => {
                self.waiting.lock().remove(&number);
                Err(gone())
            }
        }
    }

    fn state(&self) -> Arc<ClusterState> {
        self.states.borrow().clone()
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.states.subscribe()
    }

    fn pending(&self) -> PendingTasks {
        let now = (self.now_ms)();
        let mut tasks = Vec::new();
        for (number, waiting) in self.waiting.lock().iter() {
            tasks.push(PendingTask {
                insert_order: *number,
                source: waiting.source.clone(),
                waited_ms: u64::try_from(now - waiting.since_ms).unwrap_or(0),
                executing: waiting.executing,
            });
        }
        PendingTasks { tasks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::ShardReport;
    use crate::master::testing::{create, node};
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

    async fn open(directory: &Arc<RamDirectory>) -> Arc<SingleMaster> {
        open_with(directory, Arc::new(StartsAll)).await
    }

    async fn open_with(
        directory: &Arc<RamDirectory>,
        applier: Arc<dyn StateApplier>,
    ) -> Arc<SingleMaster> {
        SingleMaster::open(MasterParts {
            directory: directory.clone(),
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
        let master = open(&directory).await;
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

        let master = open(&directory).await;
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
    async fn a_command_that_waits_for_too_long_never_begins() {
        let slow = Arc::new(Slow(tokio::sync::Semaphore::new(1)));
        let master = open_with(&Arc::new(RamDirectory::new()), slow.clone()).await;
        let permit = slow.0.acquire().await.unwrap();
        let first = tokio::spawn({
            let master = master.clone();
            async move { master.submit(create("first")).await }
        });
        let begun = loop {
            let tasks = master.pending().tasks;
            match tasks.iter().find(|task| task.executing) {
                Some(task) => break task.insert_order,
                None => tokio::task::yield_now().await,
            }
        };
        assert!(master.give_up(begun, None).is_none(), "it has begun");
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
