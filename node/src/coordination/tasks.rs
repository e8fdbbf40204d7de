//! Long operations that users can look at, slow down and stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

use super::rest::RestError;
use crate::nodes::TaskView;
use crate::sys::clock::Clock;

/// How many finished tasks are remembered.
const FINISHED_MAX: usize = 1000;

/// The tasks of this node.
#[derive(Debug)]
pub struct Tasks {
    node_id: String,
    clock: Arc<dyn Clock>,
    next: AtomicU64,
    known: Mutex<BTreeMap<u64, Arc<Task>>>,
}

/// One task.
#[derive(Debug)]
pub struct Task {
    /// Number on this node.
    pub id: u64,
    /// What it does, such as `indices:data/write/reindex`.
    pub action: &'static str,
    /// What it does with what, for people.
    pub description: String,
    /// `X-Opaque-Id` of the request that began it.
    pub opaque_id: Option<String>,
    is_cancellable: bool,
    /// When it began, in ms since the epoch.
    pub start_ms: i64,
    started: Duration,
    cancelled: watch::Sender<bool>,
    /// Requests per second as the bits of an `f32`; infinity: no limit.
    rate: AtomicU32,
    status: Mutex<Value>,
    end: watch::Sender<Option<End>>,
}

/// Ends a task however its work ends: a panic, or a client that went away.
pub struct EndOnDrop {
    /// Who knows the task.
    pub tasks: Arc<Tasks>,
    /// The task.
    pub task: Arc<Task>,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if !self.task.is_done() {
            self.tasks.end(&self.task, Ok(Value::Null), false);
        }
    }
}

/// How a task ended.
#[derive(Clone, Debug)]
struct End {
    running_nanos: u64,
    result: Result<Value, Value>,
}

impl Task {
    /// Whether somebody wants it to stop.
    pub fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Asks it to stop.
    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// Does work until it is done, or until somebody wants the task to stop: then the work is dropped.
    pub async fn unless_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, RestError>>,
    ) -> Result<T, RestError> {
        let mut cancelled = self.cancelled.subscribe();
        tokio::select! {
            biased;
            done = work => done,
            // the task holds the sender, so this never fails
            _ = cancelled.wait_for(|is_cancelled| *is_cancelled) => Err(RestError::new(
                500,
                "task_cancelled_exception",
                "cancelled task with reason: by user request",
            )),
        }
    }

    /// Requests per second; infinity: no limit.
    pub fn rate(&self) -> f32 {
        f32::from_bits(self.rate.load(Ordering::Relaxed))
    }

    /// Changes the requests per second.
    pub fn set_rate(&self, rate: f32) {
        self.rate.store(rate.to_bits(), Ordering::Relaxed);
    }

    /// Shows how far it is.
    pub fn set_status(&self, status: Value) {
        *self.status.lock() = status;
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.end.borrow().is_some()
    }
}

impl Tasks {
    /// None yet.
    pub fn new(node_id: String, clock: Arc<dyn Clock>) -> Tasks {
        Tasks {
            node_id,
            clock,
            next: AtomicU64::new(1),
            known: Mutex::new(BTreeMap::new()),
        }
    }

    /// Begins a task.
    pub fn begin(&self, action: &'static str, description: String, rate: f32) -> Arc<Task> {
        self.add(action, description, rate, None, true)
    }

    /// Begins a task that lasts as long as its request, unless it is stopped before.
    pub fn begin_request(
        &self,
        action: &'static str,
        description: String,
        opaque_id: Option<String>,
    ) -> Arc<Task> {
        self.add(action, description, f32::INFINITY, opaque_id, true)
    }

    /// Begins a task that lasts as long as its request and cannot be stopped.
    pub fn begin_short(&self, action: &'static str, opaque_id: Option<String>) -> Arc<Task> {
        self.add(action, String::new(), f32::INFINITY, opaque_id, false)
    }

    fn add(
        &self,
        action: &'static str,
        description: String,
        rate: f32,
        opaque_id: Option<String>,
        is_cancellable: bool,
    ) -> Arc<Task> {
        let task = Arc::new(Task {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            action,
            description,
            opaque_id,
            is_cancellable,
            start_ms: self.clock.now_ms(),
            started: self.clock.monotonic(),
            cancelled: watch::Sender::new(false),
            rate: AtomicU32::new(rate.to_bits()),
            status: Mutex::new(Value::Null),
            end: watch::Sender::new(None),
        });
        self.known.lock().insert(task.id, task.clone());
        task
    }

    /// Ends a task: with its answer, or with the JSON of an error. `keep`: it can still be looked at.
    pub fn end(&self, task: &Task, result: Result<Value, RestError>, keep: bool) {
        let running = self.clock.monotonic().saturating_sub(task.started);
        let end = End {
            running_nanos: u64::try_from(running.as_nanos()).unwrap_or(u64::MAX),
            result: result.map_err(|error| error.cause_json(false)),
        };
        task.end.send_replace(Some(end));
        let mut known = self.known.lock();
        if !keep {
            known.remove(&task.id);
            return;
        }
        let finished: Vec<u64> = known
            .values()
            .filter(|task| task.is_done())
            .map(|task| task.id)
            .collect();
        for id in finished
            .iter()
            .take(finished.len().saturating_sub(FINISHED_MAX))
        {
            known.remove(id);
        }
    }

    /// `node:number`
    pub fn name(&self, task: &Task) -> String {
        format!("{}:{}", self.node_id, task.id)
    }

    /// The task of a number.
    pub fn get(&self, id: u64) -> Option<Arc<Task>> {
        self.known.lock().get(&id).cloned()
    }

    /// Those that run.
    pub fn running(&self) -> Vec<Arc<Task>> {
        self.known
            .lock()
            .values()
            .filter(|task| !task.is_done())
            .cloned()
            .collect()
    }

    /// Waits until a task has ended, at most so long; false if it runs on.
    pub async fn wait(&self, task: &Task, timeout: Duration) -> bool {
        let mut end = task.end.subscribe();
        let ended = tokio::time::timeout(timeout, end.wait_for(Option::is_some)).await;
        matches!(ended, Ok(Ok(_)))
    }

    /// How long a task has run, or ran.
    pub fn running_time(&self, task: &Task) -> Duration {
        match &*task.end.borrow() {
            Some(end) => Duration::from_nanos(end.running_nanos),
            None => self.clock.monotonic().saturating_sub(task.started),
        }
    }

    /// A task as others see it.
    pub fn view(&self, task: &Task) -> TaskView {
        let running = self.running_time(task).as_nanos();
        TaskView {
            id: task.id,
            action: task.action.to_owned(),
            description: task.description.clone(),
            opaque_id: task.opaque_id.clone(),
            is_cancellable: task.is_cancellable,
            is_cancelled: task.is_cancelled(),
            start_ms: task.start_ms,
            running_nanos: u64::try_from(running).unwrap_or(u64::MAX),
            status: task.status.lock().clone(),
            end: task.end.borrow().as_ref().map(|end| end.result.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::ManualClock;

    #[tokio::test]
    async fn the_request_of_a_cancelled_task_ends_and_is_listed_until_then() {
        let tasks = Arc::new(Tasks::new("n".to_owned(), Arc::new(ManualClock::default())));
        let opaque_id = Some("mine".to_owned());
        let task = tasks.begin_request("indices:data/read/search", "all".to_owned(), opaque_id);
        let guard = EndOnDrop {
            tasks: tasks.clone(),
            task,
        };
        assert_eq!(
            guard.task.unless_cancelled(async { Ok(3) }).await.unwrap(),
            3
        );
        let running = tasks.running();
        assert_eq!(running.len(), 1);
        let view = tasks.view(&running[0]);
        assert_eq!(
            (view.opaque_id.as_deref(), view.is_cancellable),
            (Some("mine"), true)
        );
        let forever = std::future::pending::<Result<(), RestError>>();
        let (ended, ()) = tokio::join!(guard.task.unless_cancelled(forever), async {
            running[0].cancel();
        });
        assert_eq!(ended.unwrap_err().kind, "task_cancelled_exception");
        drop(guard);
        assert!(tasks.running().is_empty());
    }
}
