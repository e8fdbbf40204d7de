//! Copies that fail to take operations, primaries that take over, and what readers see meanwhile.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use quidditch_engine::shard::FileName;
use tokio::time::Instant;

use super::peers::{CopyId, PeerError, ReadFile, RecoveryPlan, StartRecovery};
use super::primary;
use crate::cluster::NodeId;
use crate::data::local::LocalShard;
use crate::data::pool::{Pool, Pools};
use crate::data::recovery::target;
use crate::data::replication_testing::{Copies, unreachable};
use crate::data::service::{RefreshPolicy, ShardError, ShardService, VersionRule, WriteOp};
use crate::master::{Command, Masters};

#[tokio::test(start_paused = true)]
async fn a_copy_that_missed_a_write_which_nobody_could_be_told_of_gets_it_later() {
    let copies = Copies::start(&["a", "b"], 1).await;
    let replica = copies.replicas().remove(0);
    copies.put("before").await.unwrap();
    copies.peers.cut(&replica);
    copies.masters.refuse(true);
    let failed = copies.put("x").await.unwrap_err();
    assert!(failed.to_string().contains("could not be told"), "{failed}");
    let read = copies.finds("x").await;
    assert!(
        matches!(read, Err(ShardError::NotPrimary { .. })),
        "it may be lost with this primary: {read:?}"
    );
    copies.peers.heal();
    copies.put("y").await.unwrap();
    copies.until_same(&replica).await;
    assert!(copies.finds("x").await.unwrap());
    copies.masters.refuse(false);
    copies.die(&copies.primary()).await;
    copies
        .until("the replica takes over", || copies.primary() == replica)
        .await;
    copies
        .until("it does", || copies.copy(&replica).role().group().is_some())
        .await;
    assert!(copies.finds("x").await.unwrap(), "it was read");
}

#[tokio::test(start_paused = true)]
async fn a_new_primary_answers_nothing_that_the_other_copies_lack() {
    let copies = Copies::start(&["a", "b", "c"], 2).await;
    let primary = copies.primary();
    copies.put("before").await.unwrap();
    let lacks = copies.replicas().remove(1);
    copies.peers.cut(&lacks);
    copies.masters.refuse(true);
    copies.put("m").await.unwrap_err();
    copies.masters.refuse(false);
    copies.die(&primary).await;
    copies.masters.refuse(true);
    copies
        .until("another one reigns", || {
            let next = copies.primary();
            next != primary && next != lacks && copies.copy(&next).role().group().is_some()
        })
        .await;
    let read = copies.finds("m").await;
    assert!(
        matches!(read, Err(ShardError::NotPrimary { .. })),
        "{read:?}"
    );
    let create = WriteOp::Index {
        id: "m".to_owned(),
        routing: None,
        source: "{}".into(),
        version: VersionRule::Any,
        create_only: true,
    };
    let shards = copies.shards(&copies.primary());
    let target = copies.target();
    let refused = shards
        .write(&target, vec![create], RefreshPolicy::None)
        .await;
    assert!(
        matches!(refused, Err(ShardError::Unconfirmed { .. })),
        "{refused:?}"
    );
    copies.peers.heal();
    copies.until_same(&lacks).await;
    assert!(copies.finds("m").await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_resync_comes_in_batches() {
    let copies = Copies::start(&["a", "b"], 1).await;
    let replica = copies.replicas().remove(0);
    copies.peers.cut(&replica);
    copies.masters.refuse(true);
    let long = format!("{{\"text\": \"{}\"}}", "x".repeat(700 << 10));
    for id in ["1", "2", "3"] {
        copies.put_text(id, &long).await.unwrap_err();
    }
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    copies.peers.fail(move |_, call| {
        if call == "replicate" {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        None
    });
    copies.until_same(&replica).await;
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_resync_waits_for_a_thread_and_is_not_given_up() {
    let copies = Copies::start(&["a", "b"], 1).await;
    let pools = Arc::new(Pools {
        management: Pool::new("management", 1, 0),
        ..Pools::inline()
    });
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (started, starting) = tokio::sync::oneshot::channel();
    let busy = tokio::spawn({
        let pools = pools.clone();
        async move {
            let work = move || {
                started.send(()).unwrap();
                held.recv().unwrap();
            };
            pools.management.run(work).await
        }
    });
    starting.await.unwrap();
    let (shard, group) = copies.reigning();
    let shards = copies.shards(&copies.primary());
    let resync = tokio::spawn(async move {
        let cluster = shards.cluster().unwrap();
        primary::resync(cluster, &pools, &shard, &group).await
    });
    tokio::task::yield_now().await;
    release.send(()).unwrap();
    busy.await.unwrap().unwrap();
    assert_eq!(resync.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn masters_that_refuse_hear_of_a_failed_shard_again() {
    let copies = Copies::start(&["a", "b"], 1).await;
    let primary = copies.primary();
    copies.masters.refuse(true);
    let shard = copies.copy(&primary);
    let shards = copies.shards(&primary);
    shards.give_up(&shard, "damaged".to_owned(), true);
    tokio::time::sleep(Duration::from_secs(5)).await;
    copies.masters.refuse(false);
    copies
        .until("the other takes over", || copies.primary() != primary)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_file_that_does_not_come_is_asked_for_again() {
    let copies = Copies::start(&["a", "b"], 1).await;
    let replica = copies.replicas().remove(0);
    copies.die(&replica).await;
    copies.put("x").await.unwrap();
    copies.flush().await;
    let (parts, begun) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (parts_asked, recoveries) = (parts.clone(), begun.clone());
    copies.peers.fail(move |_, call| match call {
        "read_file" => (parts_asked.fetch_add(1, Ordering::SeqCst) < 3).then(unreachable),
        "start_recovery" => {
            recoveries.fetch_add(1, Ordering::SeqCst);
            None
        }
        _ => None,
    });
    copies.come_back(&replica);
    copies.until_green().await;
    assert!(parts.load(Ordering::SeqCst) > 3);
    assert_eq!(begun.load(Ordering::SeqCst), 1, "it went on where it was");
}

#[tokio::test(start_paused = true)]
async fn a_long_recovery_may_begin_again_as_long_as_parts_come() {
    let copies = Copies::start(&["a", "b"], 1).await;
    let replica = copies.replicas().remove(0);
    copies.die(&replica).await;
    for id in ["x", "y"] {
        copies.put(id).await.unwrap();
        copies.flush().await;
    }
    let slow = BTreeMap::from([(
        "indices.recovery.max_bytes_per_sec".to_owned(),
        Some("10b".to_owned()),
    )]);
    copies
        .masters
        .submit(Command::UpdateClusterSettings {
            persistent: slow,
            transient: BTreeMap::new(),
        })
        .await
        .unwrap();
    let began = Instant::now();
    let is_over = AtomicBool::new(false);
    copies.peers.fail(move |_, call| {
        // Once, long after the recovery began.
        let is_late = call == "read_file" && began.elapsed() > Duration::from_secs(65);
        (is_late && !is_over.swap(true, Ordering::SeqCst)).then_some(PeerError::NoSession)
    });
    copies.come_back(&replica);
    let id = copies.allocation_id(&replica);
    copies.until_green().await;
    assert!(began.elapsed() > Duration::from_secs(65));
    assert_eq!(
        copies.allocation_id(&replica),
        id,
        "the masters heard of no failure"
    );
}

#[tokio::test(start_paused = true)]
async fn a_replica_whose_files_are_damaged_is_made_anew() {
    let copies = Copies::start(&["a", "b"], 1).await;
    let replica = copies.replicas().remove(0);
    copies.put("x").await.unwrap();
    copies.flush().await;
    copies.until_same(&replica).await;
    copies.die(&replica).await;
    for file in copies.files(&replica, "index") {
        std::fs::write(file, "no index").unwrap();
    }
    copies.come_back(&replica);
    copies.until_green().await;
    copies.until_same(&replica).await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_was_found_damaged_takes_nothing_from_its_files() {
    let copies = Copies::start(&["a", "b"], 1).await;
    let replica = copies.replicas().remove(0);
    // Long, so that what is in the middle of the file is not read when it is opened.
    let words: Vec<String> = (0..50_000u64)
        .map(|n| format!("{:x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
        .collect();
    let source = format!("{{\"text\": \"{}\"}}", words.join(" "));
    copies.put_text("x", &source).await.unwrap();
    copies.flush().await;
    copies.until_same(&replica).await;
    copies.die(&replica).await;
    let files = copies.files(&replica, "index").into_iter();
    let len = |path: &PathBuf| std::fs::metadata(path).unwrap().len();
    let longest = files.max_by_key(len).unwrap();
    let mut bytes = std::fs::read(&longest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&longest, bytes).unwrap();
    copies.come_back(&replica);
    copies.until_green().await;
    let before = copies.copy(&replica);
    let due = before.check_at.lock().take();
    assert!(due.is_some(), "it was not read when the copy was opened");
    copies.shards(&replica).check(&before);
    copies
        .until("it is out of service", || {
            copies.allocation_id(&replica) != Some(before.allocation_id.clone())
        })
        .await;
    copies.until_green().await;
    let after = copies.copy(&replica);
    assert_eq!(*after.check_at.lock(), None, "all of it was just copied");
    copies.shards(&replica).check(&after);
    assert!(copies.shards(&replica).is_open(&after));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_old_session_is_not_that_of_a_copy_that_began_anew() {
    let copies = Copies::start(&["a", "b"], 1).await;
    let (shard, group) = copies.reigning();
    let shards = copies.shards(&copies.primary());
    let start = || start_recovery(&shard);
    let is_tracked = || {
        let members = group.members();
        members.iter().any(|member| member.allocation_id == "new")
    };
    shards.on_start_recovery(start()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(50)).await;
    shards.on_start_recovery(start()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    shards.expire_sessions();
    assert!(is_tracked());
    tokio::time::sleep(Duration::from_secs(50)).await;
    shards.expire_sessions();
    assert!(!is_tracked());
}

#[tokio::test(start_paused = true)]
async fn a_replica_hears_of_what_was_refreshed_while_it_was_told() {
    let copies = Copies::start(&["a", "b"], 1).await;
    let replica = copies.replicas().remove(0);
    let (primary, _) = copies.reigning();
    let shows = || {
        let shown = copies.copy(&replica).shard.searchable_checkpoint();
        shown == primary.shard.max_seq_no()
    };
    copies.peers.hold_answers(true);
    copies.put("x").await.unwrap();
    primary.shard.refresh().unwrap();
    copies.until("the first is shown", shows).await;
    copies.put("y").await.unwrap();
    primary.shard.refresh().unwrap();
    // The word of it is passed over: the copy is being told.
    tokio::time::sleep(Duration::from_secs(1)).await;
    copies.peers.hold_answers(false);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(shows(), "it does not wait until it looks by itself");
}

#[tokio::test(start_paused = true)]
async fn a_session_lives_while_its_segments_are_taken_over() {
    let copies = Copies::start(&["a", "b"], 1).await;
    let (shard, _) = copies.reigning();
    let primary = copies.primary();
    let shards = copies.shards(&primary);
    let plan = shards.on_start_recovery(start_recovery(&shard)).await;
    let Ok(RecoveryPlan::Copy { session, .. }) = plan else {
        panic!("{plan:?}");
    };
    let long = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(30)).await;
            shards.expire_sessions();
        }
    };
    target::keeping_alive(&*copies.peers, &primary, session, long).await;
    shards.on_next_operations(session).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn files_are_not_read_on_the_threads_of_promotions() {
    let copies = Copies::start(&["a", "b"], 1).await;
    let (shard, _) = copies.reigning();
    let shards = copies.shards(&copies.primary());
    copies.put("x").await.unwrap();
    copies.flush().await;
    let plan = shards.on_start_recovery(start_recovery(&shard)).await;
    let Ok(RecoveryPlan::Copy { session, list, .. }) = plan else {
        panic!("{plan:?}");
    };
    let done = || {
        let pools = &shards.pools;
        (
            pools.management.stats().completed,
            pools.recovery.stats().completed,
        )
    };
    let before = done();
    let ask = ReadFile {
        session,
        file: FileName::Segment(list.segments[0].id),
        offset: 0,
        len: 1,
    };
    shards.on_read_file(ask).await.unwrap();
    assert_eq!(done(), (before.0, before.1 + 1));
}

#[tokio::test(start_paused = true)]
async fn a_copy_does_not_count_while_its_segments_hold_what_may_be_rolled_back() {
    let copies = Copies::start(&["a", "b", "c"], 2).await;
    let [lacks, recovers] = [0, 1].map(|at| copies.replicas().remove(at));
    let (primary, group) = copies.reigning();
    copies.put("before").await.unwrap();
    copies.die(&recovers).await;
    copies.peers.cut(&lacks);
    copies.masters.refuse(true);
    copies.put("x").await.unwrap_err();
    primary.shard.refresh().unwrap();
    copies.come_back(&recovers);
    let id = copies.allocation_id(&recovers).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!group.is_required(&id));
    copies.peers.heal();
    copies
        .until("the copy counts", || group.is_required(&id))
        .await;
    let copy = copies.copy(&recovers);
    assert_eq!(copy.shard.global_checkpoint(), primary.shard.max_seq_no());
}

/// A copy that nobody has, about to recover.
fn start_recovery(source: &LocalShard) -> StartRecovery {
    StartRecovery {
        to: CopyId {
            index_uuid: source.target.index_uuid.clone(),
            shard: 0,
            allocation_id: source.allocation_id.clone(),
        },
        target: "new".to_owned(),
        node: NodeId("c".to_owned()),
        state_version: 0,
        history_uuid: None,
    }
}
