//! Shards that fail in the middle of something.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::commit::{Commit, commit_generation, commit_name};
use super::inner::Inner;
use super::{
    Clock, CopyRole, DeleteOp, GetOptions, IndexOp, Origin, Shard, ShardError, ShardOptions,
    ShardParts, VersionCheck, WriteError, open_inner,
};
use crate::directory::Directory;
use crate::directory::hooked::HookedDirectory;
use crate::ids::{PrimaryTerm, SeqNo};
use crate::schema::IndexSchema;
use crate::writer::merge_scheduler::MergeGoal;

/// Panics when asked for the time, if told so: an operation asks for it last of all.
#[derive(Debug, Default)]
struct Trap {
    armed: AtomicBool,
}

impl Clock for Trap {
    fn now_ms(&self) -> i64 {
        assert!(!self.armed.load(Ordering::SeqCst), "the trap");
        0
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

#[derive(Default)]
struct World {
    index: Arc<HookedDirectory>,
    translog: Arc<HookedDirectory>,
    trap: Arc<Trap>,
}

impl World {
    fn open(&self) -> Arc<Inner> {
        self.open_with(ShardOptions {
            background_merges: false,
            ..ShardOptions::default()
        })
    }

    fn open_with(&self, options: ShardOptions) -> Arc<Inner> {
        let names = self.index.list().unwrap();
        let parts = ShardParts {
            directory: self.index.clone(),
            translog: self.translog.clone(),
            schema: Arc::new(IndexSchema::new(&serde_json::Value::Null, &BTreeMap::new()).unwrap()),
            clock: self.trap.clone(),
            primary_term: PrimaryTerm(1),
            role: CopyRole::Primary,
            alone: true,
            options,
            allocation_id: "a".to_owned(),
            create: names.is_empty(),
        };
        Arc::new(open_inner(parts).unwrap())
    }
}

fn op(id: &str) -> IndexOp {
    IndexOp {
        id: id.to_owned(),
        routing: None,
        source: "{}".into(),
        version: VersionCheck::Internal,
        create_only: false,
        origin: Origin::Primary,
    }
}

fn put(shard: &Inner, id: &str) {
    let location = shard.index(op(id)).unwrap().location.unwrap();
    shard.ensure_synced(location).unwrap();
}

fn has(shard: &Inner, id: &str) -> bool {
    shard.get(id, GetOptions::default()).unwrap().is_some()
}

#[test]
fn an_operation_that_panics_ends_the_shard_and_loses_nothing_acknowledged() {
    let world = World::default();
    let shard = world.open();
    put(&shard, "a");
    world.trap.armed.store(true, Ordering::SeqCst);
    let outcome = catch_unwind(AssertUnwindSafe(|| shard.index(op("b"))));
    world.trap.armed.store(false, Ordering::SeqCst);
    assert!(outcome.is_err());
    let later = shard.index(op("c")).unwrap_err();
    assert!(matches!(later, WriteError::Failed { .. }), "{later}");
    assert!(matches!(
        shard.flush(true, true),
        Err(ShardError::Failed { .. })
    ));
    shard.close().unwrap();
    let shard = world.open();
    assert!(has(&shard, "a"));
    put(&shard, "c");
}

#[test]
fn a_flush_that_panics_ends_the_shard_and_loses_nothing_acknowledged() {
    let world = World::default();
    let shard = world.open();
    put(&shard, "a");
    world.index.before(|what, name| {
        assert!(
            !(what == "rename" && name.starts_with("commit")),
            "the trap"
        );
        Ok(())
    });
    assert!(catch_unwind(AssertUnwindSafe(|| shard.flush(true, true))).is_err());
    world.index.unhook();
    assert!(shard.failure().unwrap().contains("a flush panicked"));
    shard.close().unwrap();
    assert!(has(&world.open(), "a"));
}

#[test]
fn a_flush_of_a_shard_that_fails_meanwhile_publishes_nothing() {
    let world = World::default();
    let shard = world.open();
    put(&shard, "a");
    let failing = Arc::downgrade(&shard);
    world.index.before(move |_, name| {
        if let Some(shard) = failing.upgrade()
            && name.ends_with(".qsg")
        {
            shard.fail("found out elsewhere");
        }
        Ok(())
    });
    let commits = || {
        let names = world.index.list().unwrap();
        names
            .into_iter()
            .filter(|name| name.starts_with("commit"))
            .collect::<Vec<_>>()
    };
    let before = commits();
    assert!(matches!(
        shard.flush(true, true),
        Err(ShardError::Failed { .. })
    ));
    assert_eq!(commits(), before);
}

#[test]
fn nothing_is_removed_while_the_last_commit_point_is_unknown() {
    let world = World::default();
    let shard = world.open();
    for id in ["a", "b"] {
        put(&shard, id);
        shard.refresh().unwrap();
    }
    let merging = Arc::downgrade(&shard);
    let seen = AtomicBool::new(false);
    let index = Arc::downgrade(&world.index);
    world.index.before(move |what, name| {
        let (Some(shard), Some(index)) = (merging.upgrade(), index.upgrade()) else {
            return Ok(());
        };
        if what == "rename" && name.starts_with("commit") && !seen.swap(true, Ordering::SeqCst) {
            // Segments of the new commit point are merged away; then its name arrives, and the news of it does not.
            shard.merge_to(MergeGoal::MaxSegments(1)).unwrap();
            shard.refresh().unwrap();
            index.rename("unfinished-commit", name)?;
            return Err(io::Error::other("who knows"));
        }
        Ok(())
    });
    assert!(shard.flush(true, true).is_err());
    world.index.unhook();
    shard.close().unwrap();
    let shard = world.open();
    assert!(has(&shard, "a") && has(&shard, "b"));
}

#[test]
fn a_failed_shard_closes_after_its_flush() {
    let world = World::default();
    let shard = world.open();
    shard.fail("for the test");
    std::thread::scope(|scope| {
        let gate = shard.gate.read();
        scope.spawn(|| shard.close().unwrap());
        // Refused as soon as somebody waits to have the gate alone.
        while shard.gate.try_read().is_some() {
            std::thread::yield_now();
        }
        assert!(shard.flushing.is_locked());
        drop(gate);
    });
    assert!(matches!(shard.check(), Err(ShardError::Closed)));
}

#[test]
fn a_document_too_large_for_the_translog_is_refused_alone() {
    let shard = World::default().open();
    let large = IndexOp {
        source: vec![0; 256 << 20].into(),
        ..op("a")
    };
    let error = shard.index(large).unwrap_err();
    assert!(matches!(error, WriteError::Invalid { .. }), "{error}");
    assert_eq!(shard.failure(), None);
    put(&shard, "b");
    assert_eq!(shard.checkpoints.global().0, 0, "the first number is b's");
}

#[test]
fn whoever_waits_for_a_refresh_that_never_comes_is_given_up() {
    let end: [fn(&Shard); 2] = [
        |shard| shard.close().unwrap(),
        |shard| {
            shard.inner.fail("for the test");
        },
    ];
    for end in end {
        let world = World::default();
        let shard = Shard {
            inner: world.open(),
        };
        let waiting = Arc::new(());
        let wait = || {
            let held = waiting.clone();
            let never = SeqNo(99);
            shard.on_refreshed(never, Box::new(move || drop(held)));
        };
        wait();
        assert_eq!(Arc::strong_count(&waiting), 2);
        end(&shard);
        assert_eq!(Arc::strong_count(&waiting), 1);
        wait();
        assert_eq!(Arc::strong_count(&waiting), 1, "nor does one begin to wait");
    }
}

#[test]
fn writers_flush_when_nobody_else_does() {
    let world = World::default();
    let options = ShardOptions {
        memory_segments_bytes_max: 0,
        background_merges: false,
        ..ShardOptions::default()
    };
    let shard = world.open_with(options.clone());
    put(&shard, "a");
    shard.refresh().unwrap();
    assert!(shard.view.load().memory_bytes() > 0);
    put(&shard, "b");
    assert_eq!(shard.view.load().memory_bytes(), 0);
    put(&shard, "c");
    shard.refresh().unwrap();
    drop(shard);
    let shard = world.open_with(options);
    for id in ["a", "b", "c"] {
        assert!(has(&shard, id), "{id}");
    }
}

#[test]
fn a_merge_thread_that_panics_leaves_its_place() {
    let world = World::default();
    let shard = world.open_with(ShardOptions::default());
    for n in 0..30 {
        put(&shard, &n.to_string());
        shard.refresh().unwrap();
    }
    world.index.before(|_, name| {
        assert!(!name.starts_with("unfinished-merge"), "the trap");
        Ok(())
    });
    shard.start_merging();
    while shard.merge_running.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    assert!(shard.next_merge_ms.load(Ordering::SeqCst) > 0, "a pause");
    world.index.unhook();
    shard.start_merging();
    while shard.merge_running.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    assert!(shard.view.load().segments.len() < 30);
}

fn decided(seq_no: i64, version: u64) -> Origin {
    Origin::Replica {
        seq_no: SeqNo(seq_no),
        primary_term: PrimaryTerm(1),
        version,
    }
}

#[test]
fn a_write_that_the_commit_point_has_is_not_done_again_when_its_delete_is_forgotten() {
    let world = World::default();
    let shard = world.open();
    // A replica hears of the delete first.
    let delete = DeleteOp {
        id: "a".to_owned(),
        version: VersionCheck::Internal,
        origin: decided(1, 2),
    };
    shard.delete(delete).unwrap();
    shard.flush(true, true).unwrap();
    let mut late = op("a");
    late.origin = decided(0, 1);
    shard.index(late).unwrap();
    assert!(!has(&shard, "a"));
    let replayed_from = shard.translog.range().1;
    shard.close().unwrap();
    // The late write was logged while the flush ran: in a file that is read again. The delete is forgotten meanwhile.
    let names = world.index.list().unwrap();
    let last = names
        .iter()
        .filter_map(|name| commit_generation(name))
        .max();
    let name = commit_name(last.unwrap());
    let mut commit = Commit::decode(&world.index.open(&name).unwrap()).unwrap();
    assert_eq!(commit.local_checkpoint, SeqNo(1));
    commit.translog_generation = replayed_from;
    commit.tombstones.clear();
    world.index.delete(&name).unwrap();
    let mut file = world.index.create(&name).unwrap();
    file.write_all(&commit.encode()).unwrap();
    let shard = world.open();
    assert!(!has(&shard, "a"));
}

#[test]
fn two_may_close_a_shard_at_once() {
    for _ in 0..20 {
        let world = World::default();
        let shard = world.open();
        put(&shard, "a");
        std::thread::scope(|scope| {
            let closing = [(); 2].map(|()| scope.spawn(|| shard.close()));
            for thread in closing {
                thread.join().unwrap().unwrap();
            }
        });
        assert!(has(&world.open(), "a"));
    }
}
