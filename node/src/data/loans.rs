//! Lends network threads to work that may block, so that a short search changes no thread.
//!
//! To wake another thread and to be woken by it costs more than most searches. Work that has a loan is a task of its own,
//! which the runtime runs next on the thread that asked for it. There are more network threads than loans, so some are
//! always free; but of those that sleep only one looks after the sockets, and a thread that it hands work to does not wake
//! another one to take over. Two things do:
//! * a loan wakes one as it begins, where work has taken long lately, there are other clients, and a processor idles;
//! * a watch wakes one as long as some loan lasts longer than a tick, a millisecond.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::connections::Connections;

/// How often the watch looks at the loans.
const TICK: Duration = Duration::from_millis(1);
/// The watch sleeps after so many looks at nothing.
const TICKS_IDLE: u32 = 100;
/// Work that usually takes longer is worth another thread's waking.
const LONG_NANOS: u64 = 100_000;

/// Who may work on a network thread.
#[derive(Debug)]
pub struct Loans {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    runtime: Handle,
    /// Most at one time.
    max: usize,
    processors: usize,
    lent: AtomicUsize,
    clients: Arc<Connections>,
    /// How long work took lately, in ns.
    usual_nanos: AtomicU64,
    /// For each network thread, how often work began or ended there: odd while it lasts.
    turns: Box<[AtomicU64]>,
    watch: OnceLock<Thread>,
    is_asleep: AtomicBool,
    is_over: AtomicBool,
}

/// One network thread, lent until this is dropped.
#[derive(Debug)]
pub struct Loan(Arc<Shared>);

impl Loans {
    /// Lends at most `max` threads of the current runtime, of which one stays back in any case.
    ///
    /// * `clients`: whose requests those threads read.
    pub fn new(max: usize, processors: usize, clients: Arc<Connections>) -> std::io::Result<Loans> {
        let runtime = Handle::current();
        let threads = runtime.metrics().num_workers();
        let shared = Arc::new(Shared {
            runtime,
            max: max.min(threads.saturating_sub(1)),
            processors,
            lent: AtomicUsize::new(0),
            clients,
            usual_nanos: AtomicU64::new(0),
            turns: (0..threads).map(|_| AtomicU64::new(0)).collect(),
            watch: OnceLock::new(),
            is_asleep: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        let loans = Loans { shared };
        if loans.shared.max > 0 {
            let watched = loans.shared.clone();
            let thread = thread::Builder::new()
                .name("quidditch-watch".to_owned())
                .spawn(move || watched.watch())?;
            let _ = loans.shared.watch.set(thread.thread().clone());
        }
        Ok(loans)
    }

    /// A thread to work on; `None` when none is left.
    pub fn take(&self) -> Option<Loan> {
        let before = self.shared.lent.fetch_add(1, Ordering::Relaxed);
        let loan = Loan(self.shared.clone());
        (before < self.shared.max).then_some(loan)
    }
}

impl Drop for Loans {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.shared.wake_watch();
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.0.lent.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Loan {
    /// Works on the thread that calls, as soon as its present task waits, or on another one that is free before.
    pub fn spawn<T, F>(self, work: F) -> JoinHandle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        tokio::spawn(async move {
            let shared = &self.0;
            let turn = tokio::runtime::worker_index().and_then(|thread| shared.turns.get(thread));
            let _turn = turn.map(|turn| Turn::begin(shared, turn));
            work()
        })
    }
}

/// Work on a network thread.
struct Turn<'a> {
    shared: &'a Shared,
    turn: &'a AtomicU64,
    began: Instant,
}

impl<'a> Turn<'a> {
    fn begin(shared: &'a Shared, turn: &'a AtomicU64) -> Turn<'a> {
        turn.fetch_add(1, Ordering::SeqCst);
        if shared.is_asleep.load(Ordering::SeqCst) {
            shared.wake_watch();
        }
        let has_others = shared.clients.open_now() > 1;
        let has_room = shared.lent.load(Ordering::Relaxed) < shared.processors;
        if has_others && has_room && shared.usual_nanos.load(Ordering::Relaxed) > LONG_NANOS {
            shared.wake_network();
        }
        Turn {
            shared,
            turn,
            began: Instant::now(),
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turn.fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        // a change by another thread may be lost: it is an average
        let usual = self.shared.usual_nanos.load(Ordering::Relaxed);
        let usual = usual - usual / 8 + nanos / 8;
        self.shared.usual_nanos.store(usual, Ordering::Relaxed);
    }
}

impl Shared {
    /// Has a network thread that sleeps look after the sockets.
    fn wake_network(&self) {
        drop(self.runtime.spawn(std::future::ready(())));
    }

    fn wake_watch(&self) {
        if self.is_asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.watch.get()
        {
            thread.unpark();
        }
    }

    fn watch(&self) {
        let mut seen: Vec<u64> = vec![0; self.turns.len()];
        let mut idle = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            idle = match self.look(&mut seen) {
                true => 0,
                false => idle + 1,
            };
            if idle < TICKS_IDLE {
                thread::sleep(TICK);
                continue;
            }
            self.is_asleep.store(true, Ordering::SeqCst);
            // a turn that began before this, and saw no sleeper, shows now
            if !self.look(&mut seen) && !self.is_over.load(Ordering::SeqCst) {
                thread::park();
            }
            self.is_asleep.store(false, Ordering::SeqCst);
            idle = 0;
        }
    }

    /// Wakes a network thread if some work has lasted since the last look. Whether any began or lasts.
    fn look(&self, seen: &mut [u64]) -> bool {
        let (mut is_busy, mut is_long) = (false, false);
        for (turn, seen) in self.turns.iter().zip(seen) {
            let now = turn.load(Ordering::SeqCst);
            is_busy |= now != *seen || now % 2 == 1;
            is_long |= now == *seen && now % 2 == 1;
            *seen = now;
        }
        if is_long {
            self.wake_network();
        }
        is_busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::mpsc;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    /// So long a test waits for what must happen.
    const PATIENCE: Duration = Duration::from_secs(60);

    async fn connect(listener: &TcpListener) -> (std::net::TcpStream, TcpStream) {
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    /// Work begins on the thread that read its request, and ends only once another request was read.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn long_work_does_not_keep_others_from_the_network() {
        let loans = Loans::new(1, 1, Arc::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for _ in 0..20 {
            let (mut asks, mut asked) = connect(&listener).await;
            let (mut frees, mut freed) = connect(&listener).await;
            let (free, wait) = mpsc::channel();
            let (began, has_begun) = tokio::sync::oneshot::channel();
            let loan = loans.take().unwrap();
            let working = tokio::spawn(async move {
                asked.read_u8().await.unwrap();
                let work = loan.spawn(move || {
                    began.send(()).unwrap();
                    wait.recv_timeout(PATIENCE)
                });
                work.await.unwrap()
            });
            tokio::spawn(async move {
                freed.read_u8().await.unwrap();
                free.send(()).unwrap();
            });
            let client = thread::spawn(move || {
                asks.write_all(b"x").unwrap();
                has_begun.blocking_recv().unwrap();
                frees.write_all(b"x").unwrap();
            });
            assert_eq!(working.await.unwrap(), Ok(()));
            client.join().unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn one_thread_is_never_lent() {
        let loans = Loans::new(100, 4, Arc::default()).unwrap();
        let taken: Vec<Loan> = std::iter::from_fn(|| loans.take()).collect();
        assert_eq!(taken.len(), 2);
        drop(taken);
        assert!(loans.take().is_some());
    }

    #[tokio::test]
    async fn a_lone_thread_is_not_lent() {
        assert!(Loans::new(8, 4, Arc::default()).unwrap().take().is_none());
    }
}
