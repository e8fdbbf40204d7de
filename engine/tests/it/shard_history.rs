//! Operations that another copy decided, and what waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use quidditch_engine::directory::faulty::{Disk, Survivors};
use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::shard::{Origin, Shard, WriteError};
use quidditch_engine::translog::OperationKind;

use crate::shards::{body, delete_op, get, index_op, open, schema, visible};

fn decided(seq_no: i64, primary_term: u64, version: u64) -> Origin {
    Origin::Replica {
        seq_no: SeqNo(seq_no),
        primary_term: PrimaryTerm(primary_term),
        version,
    }
}

fn index_at(shard: &Shard, seq_no: i64, version: u64) -> Result<(), WriteError> {
    let mut op = index_op("a", seq_no as u64);
    op.origin = decided(seq_no, 1, version);
    shard.index(op).map(|_| ())
}

#[test]
fn a_replica_ends_in_the_same_state_whatever_the_order() {
    let schema = schema();
    // Index at 0 and 2, delete at 1: in every order the document of 2 must stay.
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let disk = Disk::new();
        let shard = open(&disk, &schema).unwrap();
        for seq_no in order {
            if seq_no == 1 {
                let mut op = delete_op("a");
                op.origin = decided(1, 1, 2);
                shard.delete(op).unwrap();
            } else {
                index_at(&shard, seq_no, seq_no as u64 + 1).unwrap();
            }
            shard.refresh().unwrap();
        }
        shard.sync_translog().unwrap();
        assert_eq!(get(&shard, "a"), Some((3, body(2))), "{order:?}");
        assert_eq!(shard.local_checkpoint(), SeqNo(2), "{order:?}");
        let after = disk.after_reboot(Survivors::Nothing);
        let shard = open(&after, &schema).unwrap();
        assert_eq!(get(&shard, "a"), Some((3, body(2))), "{order:?} replayed");
        assert_eq!(visible(&shard).len(), 1);
    }
}

#[test]
fn a_reign_that_is_over_is_refused() {
    let schema = schema();
    let shard = open(&Disk::new(), &schema).unwrap();
    let mut op = index_op("a", 1);
    op.origin = decided(0, 3, 1);
    shard.index(op).unwrap();
    assert_eq!(shard.primary_term(), PrimaryTerm(3));
    let refused = index_at(&shard, 1, 2).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "operation primary term [1] is too old (current [3])"
    );
}

#[test]
fn numbers_without_an_operation_are_filled_when_the_shard_opens() {
    let schema = schema();
    let disk = Disk::new();
    let shard = open(&disk, &schema).unwrap();
    index_at(&shard, 1, 1).unwrap();
    shard.noop(SeqNo(4), PrimaryTerm(1), "test").unwrap();
    shard.sync_translog().unwrap();
    assert_eq!(shard.local_checkpoint(), SeqNo::NONE);
    let shard = open(&disk.after_reboot(Survivors::Nothing), &schema).unwrap();
    assert_eq!((shard.max_seq_no().0, shard.local_checkpoint().0), (4, 4));
    let mut noops: Vec<i64> = shard
        .operations()
        .unwrap()
        .map(|operation| operation.unwrap().1)
        .filter(|operation| matches!(operation.kind, OperationKind::NoOp { .. }))
        .map(|operation| operation.seq_no.0)
        .collect();
    noops.sort();
    assert_eq!(noops, [0, 2, 3, 4]);
}

#[test]
fn who_waits_for_a_refresh_is_called_once_the_operation_is_searchable() {
    let schema = schema();
    let shard = Arc::new(open(&Disk::new(), &schema).unwrap());
    let calls = Arc::new(AtomicU32::new(0));
    let wait_for = |seq_no| {
        let calls = calls.clone();
        let call = move || {
            calls.fetch_add(1, Ordering::SeqCst);
        };
        shard.on_refreshed(seq_no, Box::new(call));
    };
    let result = shard.index(index_op("a", 1)).unwrap();
    wait_for(result.seq_no);
    wait_for(SeqNo(result.seq_no.0 + 1));
    assert!(shard.needs_refresh());
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert!(shard.refresh().unwrap());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    wait_for(result.seq_no);
    assert_eq!(calls.load(Ordering::SeqCst), 2, "at once");
    shard.index(index_op("b", 1)).unwrap();
    shard.refresh().unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    assert!(!shard.refresh().unwrap(), "nothing new");
}

#[test]
fn a_reader_keeps_what_it_saw() {
    let schema = schema();
    let shard = open(&Disk::new(), &schema).unwrap();
    for n in 0..4 {
        shard.index(index_op(&n.to_string(), n)).unwrap();
        shard.refresh().unwrap();
    }
    let before = shard.reader();
    shard.delete(delete_op("1")).unwrap();
    shard.index(index_op("2", 7)).unwrap();
    assert_eq!(before.doc_count(), 4);
    shard.force_merge(Some(1), false).unwrap();
    shard.flush(true, true).unwrap();
    assert_eq!((before.doc_count(), before.segments.len()), (4, 4));
    assert_eq!(shard.reader().segments.len(), 1);
    assert_eq!(visible(&shard).len(), 3);
    let names: Vec<String> = shard.segments().into_iter().map(|s| s.name).collect();
    assert_eq!(names.len(), 1, "{names:?}");
}
