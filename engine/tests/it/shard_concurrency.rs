//! Many threads on one shard.

use std::sync::atomic::{AtomicBool, Ordering};

use quidditch_engine::directory::faulty::{Disk, Survivors};
use quidditch_engine::shard::Shard;

use crate::shards::{body, delete_op, get, index_op, open, parts, schema, visible};

const WRITERS: u64 = 4;
const ROUNDS: u64 = 150;

#[test]
fn writers_refreshes_flushes_and_merges_do_not_disturb_each_other() {
    let schema = schema();
    let disk = Disk::new();
    let mut parts = parts(&disk, &schema, true);
    parts.options.background_merges = true;
    parts.options.buffer_bytes_max = 20_000;
    let shard = Shard::open(parts).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn({
                    let shard = &shard;
                    move || write(shard, writer)
                })
            })
            .collect();
        let (shard, done) = (&shard, &done);
        scope.spawn(move || {
            let mut round = 0;
            while !done.load(Ordering::SeqCst) {
                shard.refresh().unwrap();
                // An update is never seen half: no document twice, checked inside.
                visible(shard);
                match round % 3 {
                    0 => drop(shard.flush(false, true).unwrap()),
                    1 => shard.force_merge(Some(2), false).unwrap(),
                    _ => {
                        shard.maintain().unwrap();
                        shard.flush_if_due().unwrap();
                    }
                }
                round += 1;
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    shard.refresh().unwrap();
    check(&shard);
    shard.sync_translog().unwrap();
    let stats = shard.stats();
    assert_eq!(stats.local_checkpoint, stats.max_seq_no);
    drop(shard);
    let shard = open(&disk.after_reboot(Survivors::Nothing), &schema).unwrap();
    check(&shard);
    shard.verify().unwrap();
}

/// Each writer has documents of its own, and one that all of them update.
fn write(shard: &Shard, writer: u64) {
    for round in 0..ROUNDS {
        let id = format!("{writer}-{}", round % 7);
        if round % 5 == 4 {
            shard.delete(delete_op(&id)).unwrap();
        } else {
            shard.index(index_op(&id, round)).unwrap();
        }
        shard.index(index_op("shared", round)).unwrap();
        let now = get(shard, &id).map(|found| found.1);
        assert_eq!(
            now,
            (round % 5 != 4).then(|| body(round)),
            "own write is read"
        );
    }
}

fn check(shard: &Shard) {
    let visible = visible(shard);
    for writer in 0..WRITERS {
        for number in 0..7 {
            let last = (0..ROUNDS).rev().find(|round| round % 7 == number).unwrap();
            let id = format!("{writer}-{number}");
            let expected = (last % 5 != 4).then(|| body(last));
            assert_eq!(visible.get(&id), expected.as_ref(), "[{id}]");
        }
    }
    let (version, _) = get(shard, "shared").unwrap();
    assert_eq!(version, WRITERS * ROUNDS);
    assert!(visible.contains_key("shared"));
}
