//! Commands that wait to be decided, in the order of their arrival.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::apply::apply;
use super::command::{Command, CommandError};
use super::decide::decide;
use super::event::Event;
use super::ids::Ids;
use super::{PendingTask, PendingTasks};
use crate::cluster::ClusterState;
use crate::cluster::error::StateError;
use crate::cluster::setting_values::show_ms;
use crate::wire::batch::RequestId;

/// Commands that may wait; beyond it, submitting waits.
const QUEUE_MAX: usize = 1024;
/// Commands that are decided together.
const ROUND_MAX: usize = 64;

type Answer = Result<Arc<ClusterState>, CommandError>;

/// The wall clock, in ms since the epoch.
pub(crate) type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Why a command has no answer of the masters' own.
#[derive(Debug)]
pub(super) enum NotDone {
    /// It was refused, or waited for too long and never began.
    Refused(CommandError),
    /// Whoever decides went away, and what came of it is not known.
    Dropped,
}

/// A command on its way.
pub(super) struct Submitted {
    number: u64,
    request: RequestId,
    command: Command,
    answer: oneshot::Sender<Answer>,
}

#[derive(Debug)]
struct Waiting {
    source: String,
    since_ms: i64,
    executing: bool,
}

/// What people see of the commands that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitingList(Arc<Mutex<BTreeMap<u64, Waiting>>>);

impl WaitingList {
    fn remove(&self, number: u64) -> Option<Waiting> {
        self.0.lock().remove(&number)
    }

    /// Takes a command that has waited for too long off the list, so that it never begins; `None` when it has begun.
    fn give_up(&self, number: u64, wait: Option<Duration>) -> Option<CommandError> {
        let mut waiting = self.0.lock();
        waiting.get(&number).filter(|command| !command.executing)?;
        let source = waiting.remove(&number)?.source;
        Some(timed_out(&source, wait.unwrap_or_default()))
    }

    /// Tells that a command begins; `false` when it was given up.
    fn begin(&self, number: u64) -> bool {
        match self.0.lock().get_mut(&number) {
            Some(waiting) => {
                waiting.executing = true;
                true
            }
            None => false,
        }
    }
}

/// A command that did not begin in time.
pub(super) fn timed_out(source: &str, wait: Duration) -> CommandError {
    let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    StateError::new(
        503,
        "process_cluster_event_timeout_exception",
        format!(
            "failed to process cluster event ({source}) within {}",
            show_ms(wait_ms)
        ),
    )
}

/// Takes a command off the list of those that wait, also when its asker goes away before it was queued.
struct Unqueued<'a> {
    waiting: &'a WaitingList,
    number: u64,
    is_queued: bool,
}

impl Drop for Unqueued<'_> {
    fn drop(&mut self) {
        if !self.is_queued {
            self.waiting.remove(self.number);
        }
    }
}

/// Where commands come in.
pub(super) struct Queue {
    sender: mpsc::Sender<Submitted>,
    waiting: WaitingList,
    next_number: AtomicU64,
    now_ms: NowMs,
}

/// Where they are taken out.
pub(super) struct QueueEnd {
    receiver: mpsc::Receiver<Submitted>,
    pub(super) waiting: WaitingList,
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(now_ms: NowMs) -> (Queue, QueueEnd) {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let waiting = WaitingList::default();
        let end = QueueEnd {
            receiver,
            waiting: waiting.clone(),
        };
        let queue = Queue {
            sender,
            waiting,
            next_number: AtomicU64::new(1),
            now_ms,
        };
        (queue, end)
    }

    /// Puts a command at the end and waits for its answer.
    ///
    /// * `wait`: how long it may stand here; `None`: as long as it takes.
    pub(super) async fn submit(
        &self,
        request: RequestId,
        command: Command,
        wait: Option<Duration>,
    ) -> Result<Arc<ClusterState>, NotDone> {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        self.waiting.0.lock().insert(
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
        let (answer, mut answered) = oneshot::channel();
        let submitted = Submitted {
            number,
            request,
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
        let late = |number| match self.waiting.give_up(number, wait) {
            Some(late) => NotDone::Refused(late),
            None => NotDone::Dropped,
        };
        tokio::select! {
            biased;
            sent = self.sender.send(submitted) => if sent.is_err() {
                return Err(NotDone::Dropped);
            },
            () = &mut is_over => return Err(late(number)),
        }
        unqueued.is_queued = true;
        let result = tokio::select! {
            biased;
            result = &mut answered => result,
            () = &mut is_over => match self.waiting.give_up(number, wait) {
                Some(late) => return Err(NotDone::Refused(late)),
                None => answered.await,
            }
        };
        match result {
            Ok(result) => result.map_err(NotDone::Refused),
            Err(_) => {
                self.waiting.remove(number);
                Err(NotDone::Dropped)
            }
        }
    }

    /// How many commands wait, and for how long.
    pub(super) fn pending(&self) -> PendingTasks {
        let now = (self.now_ms)();
        let mut tasks = Vec::new();
        for (number, waiting) in self.waiting.0.lock().iter() {
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

impl QueueEnd {
    /// Waits for commands; takes as many as are decided together. `None`: nobody can submit any more.
    pub(super) async fn next(&mut self) -> Option<Vec<Submitted>> {
        let mut batch = vec![self.receiver.recv().await?];
        while batch.len() < ROUND_MAX
            && let Ok(next) = self.receiver.try_recv()
        {
            batch.push(next);
        }
        Some(batch)
    }

    /// Takes nothing more; what waits already can still be taken out.
    pub(super) fn close(&mut self) {
        self.receiver.close();
    }
}

/// Commands that are decided together, one after the other.
pub(super) struct Round {
    /// The state after them; its version is that of the state before.
    pub(super) state: ClusterState,
    /// What happens.
    pub(super) events: Vec<Event>,
    /// What was asked for.
    pub(super) requests: Vec<RequestId>,
    accepted: Vec<oneshot::Sender<Answer>>,
    numbers: Vec<u64>,
    waiting: WaitingList,
}

impl Round {
    /// Events that were decided elsewhere, for nobody in particular.
    pub(super) fn of(state: &ClusterState, events: Vec<Event>) -> Round {
        let mut round = Round {
            state: state.clone(),
            events: Vec::new(),
            requests: Vec::new(),
            accepted: Vec::new(),
            numbers: Vec::new(),
            waiting: WaitingList::default(),
        };
        round.push(events);
        round
    }

    /// Decides; what is refused is answered at once, what was given up is left out.
    pub(super) fn decide(
        state: &ClusterState,
        batch: Vec<Submitted>,
        waiting: &WaitingList,
        now_ms: i64,
        ids: &mut dyn Ids,
    ) -> Round {
        let mut round = Round::of(state, Vec::new());
        round.waiting = waiting.clone();
        for submitted in batch {
            if !waiting.begin(submitted.number) {
                continue;
            }
            round.numbers.push(submitted.number);
            match round.add(submitted.command, now_ms, ids) {
                Ok(()) => {
                    round.requests.push(submitted.request);
                    round.accepted.push(submitted.answer);
                }
                // The asker may have gone away; then nobody has to know.
                Err(refused) => drop(submitted.answer.send(Err(refused))),
            }
        }
        round
    }

    /// Decides one more command, that nobody waits for.
    pub(super) fn add(
        &mut self,
        command: Command,
        now_ms: i64,
        ids: &mut dyn Ids,
    ) -> Result<(), CommandError> {
        let decided = decide(&self.state, command, now_ms, ids)?;
        self.push(decided);
        Ok(())
    }

    fn push(&mut self, events: Vec<Event>) {
        self.state = events.iter().fold(self.state.clone(), apply);
        self.events.extend(events);
    }

    /// Answers all that were accepted.
    pub(super) fn answer(mut self, answer: &Answer) {
        self.take_off();
        for asker in self.accepted.drain(..) {
            // The asker may have gone away; then nobody has to know.
            let _ = asker.send(answer.clone());
        }
    }
}

impl Round {
    fn take_off(&mut self) {
        for number in self.numbers.drain(..) {
            self.waiting.remove(number);
        }
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.take_off();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::publish::Publisher;
    use crate::master::testing::{Counting, create};

    #[tokio::test]
    async fn a_command_that_began_is_not_given_up_and_one_that_was_given_up_does_not_begin() {
        let (queue, mut end) = Queue::new(Arc::new(|| 1_000));
        let wait = Some(Duration::from_secs(3_600));
        let submitting = queue.submit([1; 16], create("a"), wait);
        let deciding = async {
            let batch = end.next().await.unwrap();
            let number = batch[0].number;
            let state = Publisher::new(None).newest().state;
            let round = Round::decide(&state, batch, &end.waiting, 1, &mut Counting::default());
            assert!(end.waiting.give_up(number, wait).is_none(), "it has begun");
            assert_eq!((round.requests.len(), round.events.is_empty()), (1, false));
            let after = Arc::new(round.state.clone());
            round.answer(&Ok(after));
        };
        let (answered, ()) = tokio::join!(submitting, deciding);
        assert!(answered.unwrap().index("a").is_some());
        assert!(queue.pending().tasks.is_empty());

        let late = queue
            .submit([2; 16], create("b"), Some(Duration::ZERO))
            .await;
        let Err(NotDone::Refused(late)) = late else {
            panic!("it waited for too long");
        };
        assert_eq!(late.kind, "process_cluster_event_timeout_exception");
        let batch = end.next().await.unwrap();
        let state = Publisher::new(None).newest().state;
        let round = Round::decide(&state, batch, &end.waiting, 1, &mut Counting::default());
        assert!(round.requests.is_empty() && round.events.is_empty());
    }
}
