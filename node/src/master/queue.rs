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
/// Bytes of commands after which no more of them are taken into a round: it becomes one entry of the log.
const ROUND_BYTES_MAX: usize = 16 << 20;
/// Bytes of a command that is not even queued, and of a change that is not proposed.
pub(super) const CHANGE_BYTES_MAX: usize = 64 << 20;

type Answer = Result<Arc<ClusterState>, NotDone>;

/// The wall clock, in ms since the epoch.
pub(crate) type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Why a command was not carried out.
#[derive(Clone, Debug)]
pub(super) enum NotDone {
    /// It was refused, or waited for too long and never began.
    Refused(CommandError),
    /// It never began: nobody decides here. It may be asked for again, here or elsewhere.
    NotBegun,
    /// What came of it is not known.
    Unknown,
}

/// A command on its way.
pub(super) struct Submitted {
    number: u64,
    request: RequestId,
    command: Command,
    /// Of its JSON form.
    bytes: usize,
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

/// Counts what is written.
#[derive(Default)]
struct Counted(usize);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Bytes of a command's JSON form. One that has none is refused where it is written.
fn bytes_of(command: &Command) -> usize {
    let mut counted = Counted::default();
    let _ = serde_json::to_writer(&mut counted, command);
    counted.0
}

/// A change that the log does not take.
pub(super) fn too_large(bytes: usize) -> CommandError {
    StateError::illegal_argument(format!(
        "the change of the cluster state takes [{bytes}] bytes, more than [{CHANGE_BYTES_MAX}]; make it in smaller steps"
    ))
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
        let bytes = bytes_of(&command);
        if bytes > CHANGE_BYTES_MAX {
            return Err(NotDone::Refused(too_large(bytes)));
        }
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
            bytes,
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
            None => NotDone::Unknown,
        };
        tokio::select! {
            biased;
            sent = self.sender.send(submitted) => if sent.is_err() {
                return Err(NotDone::NotBegun);
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
            Ok(result) => result,
            Err(_) => {
                self.waiting.remove(number);
                Err(NotDone::Unknown)
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
        let first = self.receiver.recv().await?;
        let mut bytes = first.bytes;
        let mut batch = vec![first];
        while batch.len() < ROUND_MAX
            && bytes < ROUND_BYTES_MAX
            && let Ok(next) = self.receiver.try_recv()
        {
            bytes += next.bytes;
            batch.push(next);
        }
        Some(batch)
    }

    /// Gives commands back that nobody decides here, also to askers that went away: nothing of them waits any more.
    pub(super) fn give_back(&self, batch: Vec<Submitted>) {
        for submitted in batch {
            self.waiting.remove(submitted.number);
            // The asker may have gone away; then nobody has to know.
            let _ = submitted.answer.send(Err(NotDone::NotBegun));
        }
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
    /// Those that were asked for, in order, and what was decided.
    decided: Vec<(Submitted, Result<(), CommandError>)>,
    waiting: WaitingList,
}

impl Round {
    /// Events that were decided elsewhere, for nobody in particular.
    pub(super) fn of(state: &ClusterState, events: Vec<Event>) -> Round {
        let mut round = Round {
            state: state.clone(),
            events: Vec::new(),
            requests: Vec::new(),
            decided: Vec::new(),
            waiting: WaitingList::default(),
        };
        round.push(events);
        round
    }

    /// Decides; what was given up is left out. A request that comes again is not decided again: it is answered as its first
    /// try is.
    ///
    /// * `is_done`: whether a request is part of the state already.
    pub(super) fn decide(
        state: &ClusterState,
        batch: Vec<Submitted>,
        waiting: &WaitingList,
        is_done: &dyn Fn(&RequestId) -> bool,
        now_ms: i64,
        ids: &mut dyn Ids,
    ) -> Round {
        let mut round = Round::of(state, Vec::new());
        round.waiting = waiting.clone();
        for submitted in batch {
            if !waiting.begin(submitted.number) {
                continue;
            }
            let request = submitted.request;
            let is_known = is_done(&request) || round.requests.contains(&request);
            let decided = match is_known {
                true => Ok(()),
                false => round.add(submitted.command.clone(), now_ms, ids),
            };
            if decided.is_ok() && !is_known {
                round.requests.push(request);
            }
            round.decided.push((submitted, decided));
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

    /// How many commands were asked for.
    pub(super) fn len(&self) -> usize {
        self.decided.len()
    }

    /// Answers all: those that were refused with their refusal.
    pub(super) fn answer(mut self, answer: &Result<Arc<ClusterState>, CommandError>) {
        for (asked, decided) in self.take_off() {
            let answer = decided.and_then(|()| answer.clone());
            // The asker may have gone away; then nobody has to know.
            let _ = asked.answer.send(answer.map_err(NotDone::Refused));
        }
    }

    /// Gives back what was asked for, none of which began: it may be decided otherwise.
    pub(super) fn undecided(mut self) -> Vec<Submitted> {
        let decided = std::mem::take(&mut self.decided);
        decided.into_iter().map(|(asked, _)| asked).collect()
    }

    fn take_off(&mut self) -> Vec<(Submitted, Result<(), CommandError>)> {
        for (asked, _) in &self.decided {
            self.waiting.remove(asked.number);
        }
        std::mem::take(&mut self.decided)
    }
}

impl Drop for Round {
    /// Without an answer what was accepted may have happened or not; what was refused never began.
    fn drop(&mut self) {
        for (asked, decided) in self.take_off() {
            if decided.is_err() {
                let _ = asked.answer.send(Err(NotDone::NotBegun));
            }
        }
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
            let round = Round::decide(
                &state,
                batch,
                &end.waiting,
                &|_| false,
                1,
                &mut Counting::default(),
            );
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
        let round = Round::decide(
            &state,
            batch,
            &end.waiting,
            &|_| false,
            1,
            &mut Counting::default(),
        );
        assert!(round.requests.is_empty() && round.events.is_empty());
    }

    /// Submits in the order given, and decides all of them together.
    async fn decided_together(
        asked: &[(RequestId, &str)],
        is_done: &dyn Fn(&RequestId) -> bool,
    ) -> (Vec<RequestId>, ClusterState, usize) {
        let (queue, mut end) = Queue::new(Arc::new(|| 1_000));
        let asking = asked
            .iter()
            .map(|(request, name)| queue.submit(*request, create(name), None));
        let mut asking = std::pin::pin!(futures::future::join_all(asking));
        assert!(futures::poll!(&mut asking).is_pending());
        let batch = end.next().await.unwrap();
        assert_eq!(batch.len(), asked.len());
        let state = Publisher::new(None).newest().state;
        let waiting = &end.waiting;
        let round = Round::decide(&state, batch, waiting, is_done, 1, &mut Counting::default());
        let (requests, after) = (round.requests.clone(), round.state.clone());
        round.answer(&Ok(Arc::new(after.clone())));
        let answers = asking.await;
        assert!(queue.pending().tasks.is_empty());
        let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
        (requests, after, accepted)
    }

    #[tokio::test]
    async fn a_request_that_is_tried_again_is_decided_once_and_answered_each_time() {
        // both tries wait at the same time: the second would be refused, since the index exists
        let twice = [([1; 16], "a"), ([1; 16], "a"), ([2; 16], "b")];
        let (requests, state, accepted) = decided_together(&twice, &|_| false).await;
        assert_eq!((requests, accepted), (vec![[1; 16], [2; 16]], 3));
        assert!(state.index("a").is_some() && state.index("b").is_some());

        // the first try was agreed on while the second waited
        let again = [([1; 16], "a"), ([2; 16], "b")];
        let is_done = |request: &RequestId| *request == [1; 16];
        let (requests, state, accepted) = decided_together(&again, &is_done).await;
        assert_eq!((requests, accepted), (vec![[2; 16]], 2));
        assert!(state.index("a").is_none(), "it is decided a second time");
    }

    #[tokio::test]
    async fn a_refusal_holds_only_when_its_round_is_answered() {
        for is_answered in [true, false] {
            let (queue, mut end) = Queue::new(Arc::new(|| 1_000));
            let asking = [[1; 16], [2; 16]].map(|id| queue.submit(id, create("a"), None));
            let deciding = async {
                let batch = end.next().await.unwrap();
                let state = Publisher::new(None).newest().state;
                let (waiting, ids) = (&end.waiting, &mut Counting::default());
                let round = Round::decide(&state, batch, waiting, &|_| false, 1, ids);
                assert_eq!((round.len(), round.requests.len()), (2, 1));
                let after = Arc::new(round.state.clone());
                match is_answered {
                    true => round.answer(&Ok(after)),
                    false => drop(round),
                }
            };
            let (answers, ()) = tokio::join!(futures::future::join_all(asking), deciding);
            match (&answers[0], &answers[1]) {
                (Ok(_), Err(NotDone::Refused(_))) if is_answered => {}
                (Err(NotDone::Unknown), Err(NotDone::NotBegun)) if !is_answered => {}
                other => panic!("answered: {is_answered}, {other:?}"),
            }
            assert!(queue.pending().tasks.is_empty());
        }
    }

    #[tokio::test]
    async fn commands_that_are_given_back_leave_no_ghosts_though_their_askers_are_gone() {
        let (queue, mut end) = Queue::new(Arc::new(|| 1_000));
        {
            let mut gone = std::pin::pin!(queue.submit([1; 16], create("a"), None));
            assert!(futures::poll!(&mut gone).is_pending());
        }
        let stays = queue.submit([2; 16], create("b"), None);
        let giving = async {
            let batch = end.next().await.unwrap();
            end.give_back(batch);
        };
        let (stays, ()) = tokio::join!(stays, giving);
        assert!(matches!(stays, Err(NotDone::NotBegun)), "{stays:?}");
        assert!(queue.pending().tasks.is_empty());
    }

    #[tokio::test]
    async fn a_round_ends_at_its_bytes_and_what_is_far_too_large_is_not_queued() {
        let large = |bytes: usize| Command::PutStoredScript {
            id: "s".to_owned(),
            script: Some(serde_json::Value::String("x".repeat(bytes))),
        };
        let (queue, mut end) = Queue::new(Arc::new(|| 1_000));
        let half = ROUND_BYTES_MAX / 2 + 1;
        let asking = (0..3).map(|n| queue.submit([n; 16], large(half), None));
        let mut asking = std::pin::pin!(futures::future::join_all(asking));
        assert!(futures::poll!(&mut asking).is_pending());
        assert_eq!(end.next().await.unwrap().len(), 2);
        assert_eq!(end.next().await.unwrap().len(), 1);
        let refused = queue.submit([9; 16], large(CHANGE_BYTES_MAX), None).await;
        let Err(NotDone::Refused(refused)) = refused else {
            panic!("it is queued");
        };
        assert_eq!(refused.status, 400);
    }
}
