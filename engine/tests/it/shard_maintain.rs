//! What a shard does by itself as time goes by.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quidditch_engine::directory::faulty::{Disk, Survivors};
use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::shard::{ManualClock, Origin, Shard};

use crate::shards::{delete_op, index_op, open, parts, schema, visible};

fn shard(disk: &Disk, settings: &[(&str, &str)], buffer_bytes: usize) -> (Shard, Arc<ManualClock>) {
    let settings: BTreeMap<String, String> = settings
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let schema =
        Arc::new(IndexSchema::new(&serde_json::json!({"dynamic": "false"}), &settings).unwrap());
    let clock = Arc::new(ManualClock::default());
    let mut parts = parts(disk, &schema, true);
    parts.clock = clock.clone();
    parts.options.buffer_bytes_max = buffer_bytes;
    parts.options.memory_segments_bytes_max = buffer_bytes as u64;
    (Shard::open(parts).unwrap(), clock)
}

/// Puts a document of about 200 bytes that hardly compress.
fn put(shard: &Shard, id: u64) {
    let noise = |n: u64| {
        (id * 10 + n)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_string()
    };
    let noise: String = (0..10).map(noise).collect();
    let mut op = index_op(&id.to_string(), id);
    op.source = format!(r#"{{"x": "{noise}"}}"#).into();
    shard.index(op).unwrap();
}

#[test]
fn operations_become_searchable_and_durable_in_time() {
    let disk = Disk::new();
    let (shard, clock) = shard(
        &disk,
        &[
            ("index.refresh_interval", "2s"),
            ("index.translog.durability", "async"),
            ("index.translog.sync_interval", "5s"),
        ],
        1 << 20,
    );
    put(&shard, 1);
    clock.advance(Duration::from_secs(1));
    shard.maintain().unwrap();
    assert_eq!(visible(&shard).len(), 0);
    clock.advance(Duration::from_secs(1));
    shard.maintain().unwrap();
    assert_eq!(visible(&shard).len(), 1);
    assert_eq!(shard.local_checkpoint().0, -1);
    clock.advance(Duration::from_secs(3));
    shard.maintain().unwrap();
    assert_eq!(shard.local_checkpoint().0, 0);
    let shard = open(&disk.after_reboot(Survivors::Nothing), &schema()).unwrap();
    assert_eq!(visible(&shard).len(), 1);
}

#[test]
fn without_an_interval_nothing_is_refreshed_but_memory_stays_bounded() {
    let disk = Disk::new();
    let (shard, clock) = shard(&disk, &[("index.refresh_interval", "-1")], 100_000);
    for n in 0..3000 {
        put(&shard, n);
        if n % 500 == 0 {
            clock.advance(Duration::from_secs(10));
            shard.flush_if_due().unwrap();
        }
    }
    assert_eq!(visible(&shard).len(), 0);
    assert!(shard.stats().buffer_bytes < 200_000);
    assert!(shard.stats().flush.total > 0, "segments went to disk");
    assert!(shard.get("77", Default::default()).unwrap().is_some());
    shard.refresh().unwrap();
    assert_eq!(visible(&shard).len(), 3000);
}

#[test]
fn what_lies_in_the_translog_is_flushed_when_the_shard_is_idle() {
    let disk = Disk::new();
    let (shard, clock) = shard(&disk, &[], 1 << 20);
    put(&shard, 1);
    clock.advance(Duration::from_secs(299));
    shard.flush_if_due().unwrap();
    assert_eq!(shard.stats().translog.uncommitted_operations, 1);
    clock.advance(Duration::from_secs(1));
    shard.flush_if_due().unwrap();
    assert_eq!(shard.stats().translog.uncommitted_operations, 0);
    assert_eq!(shard.stats().flush.total, 1);
}

#[test]
fn deletes_are_forgotten_after_gc_deletes() {
    let disk = Disk::new();
    let (shard, clock) = shard(&disk, &[("index.gc_deletes", "60s")], 1 << 20);
    let version = |shard: &Shard| {
        shard.delete(delete_op("a")).unwrap();
        shard.refresh().unwrap();
        shard.delete(delete_op("a")).unwrap().version
    };
    assert_eq!(version(&shard), 2);
    shard.refresh().unwrap();
    clock.advance(Duration::from_secs(59));
    shard.maintain().unwrap();
    assert_eq!(version(&shard), 4);
    shard.refresh().unwrap();
    clock.advance(Duration::from_secs(66));
    shard.maintain().unwrap();
    assert_eq!(version(&shard), 2);
}

#[test]
fn a_write_that_comes_long_after_its_delete_does_not_bring_the_document_back() {
    let disk = Disk::new();
    let (shard, clock) = shard(&disk, &[("index.gc_deletes", "60s")], 1 << 20);
    let decided = |seq_no, version| Origin::Replica {
        seq_no: SeqNo(seq_no),
        primary_term: PrimaryTerm(1),
        version,
    };
    let mut delete = delete_op("a");
    delete.origin = decided(1, 2);
    shard.delete(delete).unwrap();
    shard.refresh().unwrap();
    clock.advance(Duration::from_secs(600));
    shard.maintain().unwrap();
    let mut late = index_op("a", 1);
    late.origin = decided(0, 1);
    shard.index(late).unwrap();
    shard.refresh().unwrap();
    assert_eq!(visible(&shard).len(), 0);
}
