//! Has every shard do what is due: refresh, flush, merge, sync.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use quidditch_engine::shard::ShardError;
use tracing::error;

use super::local::{LocalShard, LocalShards};

/// How often shards are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How often shards are looked for that nobody has checked yet.
const CHECK_TICK: Duration = Duration::from_secs(1);
/// A long refresh of one shard must not hold up those of the others. Flushes have a thread of their own.
const THREADS: usize = 2;

/// Starts the threads; they end when the shards are dropped.
pub fn start(shards: &Arc<LocalShards>) -> std::io::Result<()> {
    let (due, work) = mpsc::sync_channel::<Arc<LocalShard>>(1024);
    let work = Arc::new(Mutex::new(work));
    for number in 0..THREADS {
        let work = work.clone();
        std::thread::Builder::new()
            .name(format!("quidditch-maintain-{number}"))
            .spawn(move || {
                loop {
                    let next = work.lock().recv();
                    match next {
                        Ok(shard) => maintain(&shard),
                        Err(mpsc::RecvError) => return,
                    }
                }
            })?;
    }
    let shards = Arc::downgrade(shards);
    let flushed = shards.clone();
    std::thread::Builder::new()
        .name("quidditch-flush".to_owned())
        .spawn(move || flush_all(&flushed))?;
    let checked = shards.clone();
    std::thread::Builder::new()
        .name("quidditch-check".to_owned())
        .spawn(move || check_all(&checked))?;
    std::thread::Builder::new()
        .name("quidditch-tick".to_owned())
        .spawn(move || tick(&shards, &due))?;
    Ok(())
}

impl LocalShards {
    /// Does once, in this thread, what the threads do for ever: for simulations.
    pub fn maintain_all(&self) {
        self.contexts.expire();
        self.expire_sessions();
        for shard in self.all() {
            match shard.shard.failure() {
                Some(reason) => self.give_up(&shard, reason, false),
                None => {
                    maintain(&shard);
                    guarded(&shard, "flush", || shard.shard.flush_if_due());
                }
            }
        }
    }
}

fn tick(shards: &Weak<LocalShards>, due: &mpsc::SyncSender<Arc<LocalShard>>) {
    loop {
        std::thread::sleep(TICK);
        let Some(shards) = shards.upgrade() else {
            return;
        };
        shards.contexts.expire();
        shards.expire_sessions();
        for shard in shards.all() {
            if let Some(reason) = shard.shard.failure() {
                shards.give_up(&shard, reason, false);
                continue;
            }
            if shard.maintained.swap(true, Ordering::AcqRel) {
                continue;
            }
            if let Err(mpsc::TrySendError::Full(shard) | mpsc::TrySendError::Disconnected(shard)) =
                due.try_send(shard)
            {
                shard.maintained.store(false, Ordering::Release);
            }
        }
    }
}

/// Checks shards that were there before this process, one after the other, once each.
fn check_all(shards: &Weak<LocalShards>) {
    // Everybody else goes first. A refusal leaves the thread as it is, which is no harm.
    let _ = rustix::process::nice(10);
    loop {
        std::thread::sleep(CHECK_TICK);
        let Some(shards) = shards.upgrade() else {
            return;
        };
        let now = shards.clock.monotonic();
        for shard in shards.all() {
            let is_due = shard.check_at.lock().take_if(|at| *at <= now).is_some();
            if is_due {
                shards.check(&shard);
            }
        }
    }
}

/// Flushes shards whose time has come, one after the other.
fn flush_all(shards: &Weak<LocalShards>) {
    loop {
        std::thread::sleep(TICK);
        let Some(shards) = shards.upgrade() else {
            return;
        };
        for shard in shards.all() {
            guarded(&shard, "flush", || shard.shard.flush_if_due());
        }
    }
}

fn maintain(shard: &LocalShard) {
    guarded(shard, "maintenance", || shard.shard.maintain());
    shard.maintained.store(false, Ordering::Release);
}

/// Does some work on a shard; what goes wrong, a panic too, is logged.
fn guarded(shard: &LocalShard, what: &str, work: impl FnOnce() -> Result<(), ShardError>) {
    let target = &shard.target;
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(Ok(())) | Ok(Err(ShardError::Closed)) => {}
        Ok(Err(failure)) => {
            error!(index = %target.index, shard = target.shard, error = %failure, "{what} failed");
        }
        Err(_) => error!(index = %target.index, shard = target.shard, "{what} panicked"),
    }
}
