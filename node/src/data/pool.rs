//! Threads for work that blocks: never more at once than the machine can carry. Short work may borrow a network thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::loans::Loans;
use super::service::ShardError;
use crate::connections::Connections;

/// One class of work: so many at a time, so many waiting.
#[derive(Debug)]
pub struct Pool {
    name: &'static str,
    permits: Arc<Semaphore>,
    threads: usize,
    waiting: AtomicUsize,
    waiting_max: usize,
    active: Arc<AtomicUsize>,
    completed: Arc<AtomicUsize>,
    rejected: AtomicUsize,
    waited_nanos: AtomicU64,
    /// Where work runs if it may run on a network thread.
    loans: Option<Arc<Loans>>,
    /// Work runs where it is asked for, and everybody waits.
    inline: bool,
}

/// Numbers of a pool, as `_cat/thread_pool` and `_nodes/stats` show them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStats {
    /// Name of the class of work.
    pub name: &'static str,
    /// Most at one time.
    pub threads: usize,
    /// Most that may wait.
    pub queue_size: usize,
    /// Running now.
    pub active: usize,
    /// Waiting now.
    pub queue: usize,
    /// Done since the start.
    pub completed: usize,
    /// Refused since the start.
    pub rejected: usize,
    /// How long work waited for a thread since the start, in all, in ns.
    pub waited_nanos: u64,
}

impl Pool {
    /// Makes a pool; threads come into being as they are needed.
    pub fn new(name: &'static str, threads: usize, waiting_max: usize) -> Pool {
        Pool {
            name,
            permits: Arc::new(Semaphore::new(threads)),
            threads,
            waiting: AtomicUsize::new(0),
            waiting_max,
            active: Arc::default(),
            completed: Arc::default(),
            rejected: AtomicUsize::new(0),
            waited_nanos: AtomicU64::new(0),
            loans: None,
            inline: false,
        }
    }

    /// Runs its work on network threads, as far as they are lent: for work that is short as a rule, and never waits for
    /// the disk to sync.
    fn on(self, loans: &Arc<Loans>) -> Pool {
        Pool {
            loans: Some(loans.clone()),
            ..self
        }
    }

    /// Runs work on a thread that may block. A panic of the work is an error, not ours.
    pub async fn run<T, F>(&self, work: F) -> Result<T, ShardError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let permit = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait().await?,
        };
        self.run_with(permit, work).await
    }

    /// The same for the rest of work that was taken already: it waits its turn, and is never refused.
    pub async fn run_on<T, F>(&self, work: F) -> Result<T, ShardError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| ShardError::internal("the node is shutting down"))?;
        self.run_with(permit, work).await
    }

    async fn run_with<T, F>(&self, permit: OwnedSemaphorePermit, work: F) -> Result<T, ShardError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let active = self.active.clone();
        let completed = self.completed.clone();
        let job = move || {
            active.fetch_add(1, Ordering::Relaxed);
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            active.fetch_sub(1, Ordering::Relaxed);
            completed.fetch_add(1, Ordering::Relaxed);
            drop(permit);
            result
        };
        let loan = self.loans.as_ref().and_then(|loans| loans.take());
        let done = match loan {
            Some(loan) => loan.spawn(job).await,
            None if self.inline => Ok(job()),
            None => tokio::task::spawn_blocking(job).await,
        };
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panic)) => {
                let what = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("panic without a message");
                tracing::error!(pool = self.name, panic = %what, "work panicked; please report this");
                Err(ShardError::internal(format!("internal error: {what}")))
            }
            Err(_) => Err(ShardError::internal("the node is shutting down")),
        }
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, ShardError> {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.waiting_max {
            self.rejected.fetch_add(1, Ordering::Relaxed);
            return Err(ShardError::Rejected {
                reason: format!(
                    "rejected execution on pool [{}]: {} at work, queue capacity [{}] is used up",
                    self.name, self.threads, self.waiting_max
                ),
            });
        }
        let began = Instant::now();
        let permit = self.permits.clone().acquire_owned().await;
        let waited = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.waited_nanos.fetch_add(waited, Ordering::Relaxed);
        permit.map_err(|_| ShardError::internal("the node is shutting down"))
    }

    /// Numbers for the monitoring endpoints.
    pub fn stats(&self) -> PoolStats {
        PoolStats {
            name: self.name,
            threads: self.threads,
            queue_size: self.waiting_max,
            active: self.active.load(Ordering::Relaxed),
            queue: self.waiting.load(Ordering::Relaxed),
            completed: self.completed.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
            waited_nanos: self.waited_nanos.load(Ordering::Relaxed),
        }
    }
}

/// The pools of a data node.
#[derive(Debug)]
pub struct Pools {
    /// Writes: they wait for the disk more than they compute.
    pub write: Pool,
    /// Reads of single documents, and the fetch phase.
    pub get: Pool,
    /// The query phase.
    pub search: Pool,
    /// Opening, closing, refreshing, flushing, counting.
    pub management: Pool,
    /// Operations of primaries on other nodes: never behind writes here, which may wait for those nodes.
    pub replicate: Pool,
    /// What recoveries copy, at both ends: it takes long, and no promotion may wait for it.
    pub recovery: Pool,
    /// Merging when asked to: it may take hours, and nothing else may wait for it.
    pub force_merge: Pool,
}

/// Searches at one time on so many processors.
fn searches_max(processors: usize) -> usize {
    processors.max(1) * 3 / 2 + 1
}

/// Network threads that a machine with so many processors needs: some for the network, some to be lent.
pub fn network_threads(processors: usize) -> usize {
    processors.clamp(1, 4) + searches_max(processors)
}

impl Pools {
    /// Pools for a machine with so many processors, on the current runtime.
    ///
    /// * `clients`: whose requests the network threads read.
    pub fn new(processors: usize, clients: &Arc<Connections>) -> std::io::Result<Pools> {
        let searches = searches_max(processors);
        let loans = Arc::new(Loans::new(searches, processors, clients.clone())?);
        Ok(Pools {
            write: Pool::new("write", processors.max(1) * 4, 10_000),
            get: Pool::new("get", processors.max(1), 1_000).on(&loans),
            search: Pool::new("search", searches, 1_000).on(&loans),
            management: Pool::new("management", processors.clamp(2, 5), 10_000),
            replicate: Pool::new("replicate", processors.max(1) * 4, 10_000),
            recovery: Pool::new("recovery", processors.clamp(2, 5), 10_000),
            force_merge: Pool::new("force_merge", 1, 10_000),
        })
    }

    /// Pools whose work runs at once, on the thread that asks: for simulations, in which time stands still meanwhile.
    pub fn inline() -> Pools {
        let pool = |name| Pool {
            inline: true,
            ..Pool::new(name, 1000, 10_000)
        };
        Pools {
            write: pool("write"),
            get: pool("get"),
            search: pool("search"),
            management: pool("management"),
            replicate: pool("replicate"),
            recovery: pool("recovery"),
            force_merge: pool("force_merge"),
        }
    }

    /// Numbers of all pools, by name.
    pub fn stats(&self) -> Vec<PoolStats> {
        [
            &self.force_merge,
            &self.get,
            &self.management,
            &self.recovery,
            &self.replicate,
            &self.search,
            &self.write,
        ]
        .map(Pool::stats)
        .to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn refuses_when_the_queue_is_full() {
        let pool = Arc::new(Pool::new("write", 1, 0));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, starting) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    started.send(()).unwrap();
                    held.recv().unwrap();
                    7
                })
                .await
            }
        });
        starting.await.unwrap();
        let refused = pool.run(|| ()).await.unwrap_err();
        assert!(matches!(refused, ShardError::Rejected { .. }), "{refused}");
        release.send(()).unwrap();
        assert_eq!(first.await.unwrap().unwrap(), 7);
        assert_eq!(pool.stats().rejected, 1);
    }

    #[tokio::test]
    async fn every_pool_is_told_of_by_name() {
        let names: Vec<&str> = Pools::inline()
            .stats()
            .iter()
            .map(|pool| pool.name)
            .collect();
        let all = [
            "force_merge",
            "get",
            "management",
            "recovery",
            "replicate",
            "search",
            "write",
        ];
        assert_eq!(names, all);
    }

    #[tokio::test]
    async fn a_panic_stays_inside() {
        let pool = Pool::new("get", 1, 1);
        let error = pool.run(|| panic!("oh")).await.unwrap_err();
        assert!(error.to_string().contains("oh"));
        assert_eq!(pool.run(|| 1).await.unwrap(), 1);
    }
}
