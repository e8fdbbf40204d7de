//! A full disk, a failed sync, and what a shard does then.

use quidditch_engine::directory::faulty::{Disk, Survivors};
use quidditch_engine::shard::WriteError;

use crate::shards::{body, durably, get, index_op, open, schema, visible};

#[test]
fn a_full_disk_refuses_operations_and_loses_nothing_acknowledged() {
    let schema = schema();
    let disk = Disk::new();
    let shard = open(&disk, &schema).unwrap();
    for n in 0..20 {
        durably(&shard, shard.index(index_op(&n.to_string(), n))).unwrap();
    }
    disk.set_capacity(Some(disk.used() + 50));
    assert!(shard.flush(true, true).is_err());
    assert!(durably(&shard, shard.index(index_op("lost", 1))).is_err());
    let later = shard.index(index_op("later", 1)).unwrap_err();
    assert!(matches!(later, WriteError::Failed { .. }), "{later}");
    assert!(later.to_string().contains("no space left"), "{later}");
    assert_eq!(get(&shard, "3").unwrap().1, body(3), "reads go on");
    assert!(shard.close().is_ok());
    disk.set_capacity(None);
    for survivors in [Survivors::Nothing, Survivors::Everything] {
        let shard = open(&disk.after_reboot(survivors), &schema).unwrap();
        for n in 0..20 {
            assert_eq!(get(&shard, &n.to_string()), Some((1, body(n))));
        }
        assert_eq!(get(&shard, "later"), None);
        durably(&shard, shard.index(index_op("later", 2))).unwrap();
        shard.flush(true, true).unwrap();
    }
}

#[test]
fn a_flush_without_room_can_be_repeated_later() {
    let schema = schema();
    let disk = Disk::new();
    let shard = open(&disk, &schema).unwrap();
    for n in 0..50 {
        durably(&shard, shard.index(index_op(&n.to_string(), n))).unwrap();
    }
    // Room for the new translog file, not for the segment.
    disk.set_capacity(Some(disk.used() + 300));
    assert!(shard.flush(true, true).is_err());
    assert_eq!(shard.failure(), None);
    disk.set_capacity(None);
    durably(&shard, shard.index(index_op("more", 1))).unwrap();
    shard.flush(true, true).unwrap();
    let shard = open(&disk.after_reboot(Survivors::Nothing), &schema).unwrap();
    assert_eq!(visible(&shard).len(), 51);
}

#[test]
fn a_failed_sync_is_never_taken_for_success() {
    let schema = schema();
    let disk = Disk::new();
    let shard = open(&disk, &schema).unwrap();
    durably(&shard, shard.index(index_op("safe", 1))).unwrap();
    disk.fail_sync(disk.syncs());
    let lost = shard.index(index_op("lost", 2)).unwrap();
    let location = lost.location.unwrap();
    assert!(shard.ensure_synced(location).is_err());
    assert!(
        shard.ensure_synced(location).is_err(),
        "not by trying again"
    );
    assert!(shard.index(index_op("more", 3)).is_err());
    assert!(shard.flush(true, true).is_err());
    assert!(shard.failure().is_some());
    let shard = open(&disk.after_reboot(Survivors::Nothing), &schema).unwrap();
    assert_eq!(get(&shard, "safe"), Some((1, body(1))));
    assert_eq!(visible(&shard).len(), 1);
}

#[test]
fn every_failed_sync_leaves_what_was_acknowledged() {
    let schema = schema();
    for failing in 0.. {
        let disk = Disk::new();
        disk.fail_sync(failing);
        let mut acknowledged = Vec::new();
        if let Ok(shard) = open(&disk, &schema) {
            for n in 0..6 {
                let id = n.to_string();
                if durably(&shard, shard.index(index_op(&id, n))).is_ok() {
                    acknowledged.push(n);
                }
                if n % 2 == 1 {
                    let _ = shard.flush(true, true);
                }
            }
        }
        let shard = open(&disk.after_reboot(Survivors::Nothing), &schema).unwrap();
        for n in &acknowledged {
            assert_eq!(
                get(&shard, &n.to_string()),
                Some((1, body(*n))),
                "sync {failing} failed"
            );
        }
        if failing >= disk.syncs() {
            assert_eq!(acknowledged.len(), 6);
            break;
        }
    }
}
