//! A primary and its replicas: what is sent, what is shown, and what is left when the primary is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use quidditch_engine::directory::faulty::Survivors;
use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::shard::{
    CopyRole, FileName, InstallError, OpenShardError, RollBack, Shard, ShardError, VersionCheck,
    WriteError,
};
use quidditch_engine::translog::{Operation, OperationKind};

use crate::copies::{Copy, copy_files, operations_from, recover_from, replicate, ship};
use crate::shards::{INDEX, body, delete_op, durably, get, index_op, parts, schema, visible};

/// A primary with some documents that its replica has as well, by operations and by segments.
fn pair(schema: &Arc<IndexSchema>) -> (Copy, Copy) {
    let primary = Copy::new(schema, CopyRole::Primary);
    let replica = Copy::new(schema, CopyRole::Replica);
    recover_from(&primary.shard, &replica.shard);
    for n in 0..4 {
        put(&primary.shard, &n.to_string(), n);
    }
    catch_up(&primary.shard, &replica.shard, 1);
    primary.shard.refresh().unwrap();
    ship(&primary.shard, &replica.shard).unwrap();
    (primary, replica)
}

fn put(shard: &Shard, id: &str, n: u64) {
    durably(shard, shard.index(index_op(id, n))).unwrap();
}

fn remove(shard: &Shard, id: &str) {
    durably(shard, shard.delete(delete_op(id))).unwrap();
}

/// Sends a replica what it lacks; then everybody knows that it has it.
fn catch_up(primary: &Shard, replica: &Shard, term: u64) {
    let from = replica.local_checkpoint().0 + 1;
    let global = primary.global_checkpoint().0;
    replicate(replica, term, &operations_from(primary, from), global);
    primary.advance_global_checkpoint(replica.local_checkpoint());
    replicate(replica, term, &[], primary.global_checkpoint().0);
}

fn noops(shard: &Shard) -> Vec<i64> {
    let all = operations_from(shard, 0);
    let noops = all
        .iter()
        .filter(|op| matches!(op.kind, OperationKind::NoOp { .. }));
    noops.map(|op| op.seq_no.0).collect()
}

fn index_at(seq_no: i64, term: u64, id: &str, n: u64) -> Operation {
    Operation {
        seq_no: SeqNo(seq_no),
        primary_term: PrimaryTerm(term),
        version: 1,
        kind: OperationKind::Index {
            id: id.to_owned(),
            routing: None,
            source: body(n).into(),
        },
    }
}

#[test]
fn a_replica_shows_what_its_primary_shows_and_takes_no_writes_of_clients() {
    let schema = schema();
    let (primary, replica) = pair(&schema);
    assert_eq!(visible(&replica.shard), visible(&primary.shard));
    assert_eq!(visible(&replica.shard).len(), 4);
    remove(&primary.shard, "1");
    put(&primary.shard, "2", 7);
    catch_up(&primary.shard, &replica.shard, 1);
    assert_eq!(replica.shard.local_checkpoint(), SeqNo(5));
    assert_eq!(replica.shard.searchable_checkpoint(), SeqNo(3));
    assert_eq!(
        get(&replica.shard, "2"),
        Some((1, body(2))),
        "what it shows"
    );
    primary.shard.refresh().unwrap();
    let before = replica.shard.reader();
    assert!(ship(&primary.shard, &replica.shard).unwrap());
    assert!(
        !ship(&primary.shard, &replica.shard).unwrap(),
        "nothing new"
    );
    assert_eq!(replica.shard.searchable_checkpoint(), SeqNo(5));
    assert_eq!(visible(&replica.shard), visible(&primary.shard));
    assert_eq!(before.doc_count(), 4, "who reads goes on reading the same");
    let refused = replica.shard.index(index_op("9", 9)).unwrap_err();
    assert!(matches!(refused, WriteError::NotPrimary), "{refused}");
    let refused = replica.shard.delete(delete_op("1")).unwrap_err();
    assert!(matches!(refused, WriteError::NotPrimary), "{refused}");
    assert!(!replica.shard.refresh().unwrap());
}

#[test]
fn only_what_a_replica_lacks_is_copied() {
    let schema = schema();
    let (primary, replica) = pair(&schema);
    remove(&primary.shard, "1");
    catch_up(&primary.shard, &replica.shard, 1);
    primary.shard.refresh().unwrap();
    let shipment = primary.shard.shipment();
    let wanted = replica.shard.missing(shipment.list());
    assert_eq!(wanted.len(), 1, "live docs and no segment: {wanted:?}");
    assert!(matches!(wanted[0].file, FileName::LiveDocs(..)));
    assert!(copy_files(&shipment, &replica.shard) < 100);
    replica.shard.install(shipment.list()).unwrap();
    assert_eq!(visible(&replica.shard).len(), 3);
    // The primary writes its segments to files: the very same bytes.
    primary.shard.flush(true, true).unwrap();
    assert!(!ship(&primary.shard, &replica.shard).unwrap());
    primary.shard.force_merge(Some(1), false).unwrap();
    assert!(ship(&primary.shard, &replica.shard).unwrap());
    assert_eq!(replica.shard.reader().segments.len(), 1);
    assert_eq!(visible(&replica.shard), visible(&primary.shard));
}

#[test]
fn a_list_is_shown_whole_or_not_at_all() {
    let schema = schema();
    let (primary, replica) = pair(&schema);
    put(&primary.shard, "4", 4);
    remove(&primary.shard, "0");
    primary.shard.refresh().unwrap();
    let shipment = primary.shard.shipment();
    let list = shipment.list();
    let before = visible(&replica.shard);
    let early = replica.shard.install(list).unwrap_err();
    assert!(
        matches!(early, InstallError::NotYet { needs: 5, has: 3 }),
        "{early}"
    );
    catch_up(&primary.shard, &replica.shard, 1);
    let missing = replica.shard.install(list).unwrap_err();
    assert!(matches!(missing, InstallError::Missing { .. }), "{missing}");

    let wanted = replica.shard.missing(list);
    assert_eq!(wanted.len(), 2);
    for wanted in &wanted {
        // All of it, with one bit turned.
        let mut bytes = shipment
            .read(&wanted.file, 0, wanted.len as usize)
            .unwrap()
            .to_vec();
        bytes[wanted.len as usize / 2] ^= 4;
        replica.shard.stage(&wanted.file, 0, &bytes).unwrap();
    }
    for _ in &wanted {
        let refused = replica.shard.install(list).unwrap_err();
        let InstallError::Corrupt { file, .. } = refused else {
            panic!("{refused}");
        };
        assert_eq!(
            replica.shard.staged_len(&file),
            0,
            "it must be copied again"
        );
        let len = list.size_bytes() as usize;
        let bytes = shipment.read(&file, 0, len).unwrap();
        replica.shard.missing(list);
        replica.shard.stage(&file, 0, &bytes[..9]).unwrap();
        assert!(
            replica.shard.stage(&file, 10, &bytes[10..]).is_err(),
            "a hole"
        );
        assert!(replica.shard.stage(&file, 9, &bytes).is_err(), "too long");
        assert_eq!(replica.shard.staged_len(&file), 9);
        replica.shard.stage(&file, 9, &bytes[9..]).unwrap();
    }
    assert_eq!(visible(&replica.shard), before);
    assert!(replica.shard.install(list).unwrap());
    assert_eq!(visible(&replica.shard), visible(&primary.shard));
    let unknown = FileName::Tombstones;
    assert!(
        replica.shard.stage(&unknown, 0, b"x").is_err(),
        "nobody asked"
    );
}

#[test]
fn a_list_that_is_behind_what_is_shown_is_refused() {
    let schema = schema();
    let (primary, replica) = pair(&schema);
    let old = primary.shard.shipment();
    put(&primary.shard, "4", 4);
    catch_up(&primary.shard, &replica.shard, 1);
    primary.shard.refresh().unwrap();
    ship(&primary.shard, &replica.shard).unwrap();
    copy_files(&old, &replica.shard);
    let refused = replica.shard.install(old.list()).unwrap_err();
    assert!(
        matches!(refused, InstallError::Backward { .. }),
        "{refused}"
    );
    let other = Copy::new(&schema, CopyRole::Primary);
    let refused = ship(&other.shard, &replica.shard).unwrap_err();
    assert!(
        matches!(refused, InstallError::OtherHistory { .. }),
        "{refused}"
    );
    assert_eq!(visible(&replica.shard).len(), 5);
}

#[test]
fn a_shipment_is_readable_whatever_the_primary_does_meanwhile() {
    let schema = schema();
    let (primary, replica) = pair(&schema);
    let shipment = primary.shard.shipment();
    let shown = visible(&primary.shard);
    for round in 0..3 {
        for n in 0..4 {
            put(&primary.shard, &n.to_string(), 10 * round + n);
        }
        primary.shard.refresh().unwrap();
        primary.shard.force_merge(Some(1), false).unwrap();
        primary.shard.flush(true, true).unwrap();
    }
    let fresh = Copy::new(&schema, CopyRole::Replica);
    copy_files(&shipment, &fresh.shard);
    fresh.shard.install_base(shipment.list()).unwrap();
    assert_eq!(visible(&fresh.shard), shown);
    drop(shipment);
    catch_up(&primary.shard, &replica.shard, 1);
    ship(&primary.shard, &replica.shard).unwrap();
    assert_eq!(visible(&replica.shard), visible(&primary.shard));
}

#[test]
fn what_a_replica_synced_is_there_when_it_becomes_the_primary() {
    let schema = schema();
    let (primary, mut replica) = pair(&schema);
    remove(&primary.shard, "0");
    put(&primary.shard, "0", 10);
    put(&primary.shard, "1", 11);
    remove(&primary.shard, "2");
    put(&primary.shard, "5", 5);
    catch_up(&primary.shard, &replica.shard, 1);
    replica.shard.sync_translog().unwrap();
    replica.crash(&schema, CopyRole::Replica, 2);
    assert_eq!(replica.shard.local_checkpoint(), SeqNo(8));
    assert_eq!(replica.shard.global_checkpoint(), SeqNo(8), "it was noted");
    replica.shard.promote(PrimaryTerm(2)).unwrap();
    assert_eq!(replica.shard.role(), CopyRole::Primary);
    assert_eq!(replica.shard.searchable_checkpoint(), SeqNo(8));
    let expected: BTreeMap<String, String> = [("0", 10), ("1", 11), ("3", 3), ("5", 5)]
        .map(|(id, n)| (id.to_owned(), body(n)))
        .into();
    assert_eq!(visible(&replica.shard), expected);
    assert_eq!(get(&replica.shard, "0"), Some((3, body(10))));
    // Versions, sequence numbers and terms go on where they were.
    let result = durably(&replica.shard, replica.shard.index(index_op("2", 2))).unwrap();
    assert_eq!((result.version, result.seq_no), (3, SeqNo(9)));
    assert_eq!(
        (result.primary_term, result.created),
        (PrimaryTerm(2), true)
    );
    let mut op = index_op("1", 12);
    op.version = VersionCheck::IfSeqNo {
        seq_no: SeqNo(6),
        primary_term: PrimaryTerm(1),
    };
    replica.shard.index(op).unwrap();
    replica.shard.flush(true, true).unwrap();
    replica.crash(&schema, CopyRole::Primary, 3);
    assert_eq!(get(&replica.shard, "1"), Some((3, body(12))));
}

#[test]
fn a_promoted_copy_remembers_deletes_that_only_the_old_primary_did() {
    let schema = schema();
    let primary = Copy::new(&schema, CopyRole::Primary);
    put(&primary.shard, "a", 1);
    let mut op = delete_op("a");
    op.version = VersionCheck::External(17);
    durably(&primary.shard, primary.shard.delete(op)).unwrap();
    primary.shard.refresh().unwrap();
    let replica = Copy::new(&schema, CopyRole::Replica);
    let list = recover_from(&primary.shard, &replica.shard);
    assert!(list.tombstones.is_some());
    assert_eq!(replica.shard.local_checkpoint(), SeqNo(1));
    let mut replica = replica;
    replica.crash(&schema, CopyRole::Replica, 1);
    assert_eq!(replica.shard.history_uuid(), primary.shard.history_uuid());
    replica.shard.promote(PrimaryTerm(2)).unwrap();
    let mut late = index_op("a", 2);
    late.version = VersionCheck::External(17);
    let refused = replica.shard.index(late).unwrap_err();
    assert!(
        matches!(refused, WriteError::VersionConflict { .. }),
        "{refused}"
    );
}

#[test]
fn operations_that_come_in_any_order_are_done_in_theirs() {
    let schema = schema();
    for order in [
        [4, 5, 6],
        [4, 6, 5],
        [5, 4, 6],
        [5, 6, 4],
        [6, 4, 5],
        [6, 5, 4],
    ] {
        let (primary, mut replica) = pair(&schema);
        put(&primary.shard, "0", 10);
        remove(&primary.shard, "0");
        put(&primary.shard, "0", 12);
        let operations = operations_from(&primary.shard, 4);
        for seq_no in order {
            let operation = operations[seq_no - 4].clone();
            let twice = [operation.clone(), operation];
            replicate(&replica.shard, 1, &twice, -1);
        }
        assert_eq!(operations_from(&replica.shard, 4), operations, "{order:?}");
        replica.crash(&schema, CopyRole::Replica, 1);
        replica.shard.promote(PrimaryTerm(2)).unwrap();
        assert_eq!(get(&replica.shard, "0"), Some((4, body(12))), "{order:?}");
    }
}

#[test]
fn numbers_that_never_came_are_filled_and_sent_on() {
    let schema = schema();
    let (_, replica) = pair(&schema);
    replicate(&replica.shard, 1, &[index_at(6, 1, "x", 6)], -1);
    assert_eq!(replica.shard.local_checkpoint(), SeqNo(3));
    replica.shard.promote(PrimaryTerm(2)).unwrap();
    assert_eq!(replica.shard.local_checkpoint(), SeqNo(6));
    assert_eq!(noops(&replica.shard), [4, 5]);
    assert_eq!(visible(&replica.shard).len(), 5);
}

#[test]
fn a_reign_that_is_over_is_refused_also_after_a_crash() {
    let schema = schema();
    let (_, mut replica) = pair(&schema);
    replicate(&replica.shard, 3, &[], 3);
    replica.crash(&schema, CopyRole::Replica, 1);
    let term = replica.shard.primary_term();
    assert_eq!(term, PrimaryTerm(3));
    let late = [index_at(4, 2, "x", 4)];
    let refused = replica
        .shard
        .append_replicated(PrimaryTerm(2), &late, SeqNo(3))
        .unwrap_err();
    assert!(
        matches!(
            refused,
            WriteError::StaleTerm {
                found: 2,
                current: 3
            }
        ),
        "{refused}"
    );
    for refused in [
        replica.shard.promote(PrimaryTerm(2)).unwrap_err(),
        replica
            .shard
            .roll_back(PrimaryTerm(2), SeqNo(3))
            .unwrap_err(),
    ] {
        assert!(matches!(refused, ShardError::StaleTerm { .. }), "{refused}");
    }
}

#[test]
fn what_only_the_lost_primary_had_is_rolled_back_when_it_returns() {
    let schema = schema();
    let (primary, mut replica) = pair(&schema);
    // Nobody was told that these are safe.
    put(&primary.shard, "0", 100);
    put(&primary.shard, "8", 8);
    primary.shard.refresh().unwrap();
    replica.crash(&schema, CopyRole::Replica, 2);
    replica.shard.promote(PrimaryTerm(2)).unwrap();
    put(&replica.shard, "0", 50);
    replica.shard.refresh().unwrap();

    // The old primary was not told at once.
    primary.shard.demote(PrimaryTerm(2)).unwrap();
    assert_eq!(visible(&primary.shard).len(), 5, "for now");
    let done = primary.shard.roll_back(PrimaryTerm(2), SeqNo(3)).unwrap();
    assert_eq!(done, RollBack::Done, "its last commit point is older");
    assert_eq!(primary.shard.local_checkpoint(), SeqNo(3));
    assert_eq!(primary.shard.searchable_checkpoint(), SeqNo::NONE);
    assert_eq!(
        visible(&primary.shard).len(),
        5,
        "until the next list comes"
    );
    catch_up(&replica.shard, &primary.shard, 2);
    ship(&replica.shard, &primary.shard).unwrap();
    assert_eq!(visible(&primary.shard), visible(&replica.shard));
    let mut primary = primary;
    primary.crash(&schema, CopyRole::Replica, 3);
    primary.shard.promote(PrimaryTerm(3)).unwrap();
    assert_eq!(get(&primary.shard, "0"), Some((2, body(50))));
    assert_eq!(get(&primary.shard, "8"), None);
    assert_eq!(
        operations_from(&primary.shard, 0),
        operations_from(&replica.shard, 0)
    );
}

#[test]
fn an_unflushed_list_is_given_up_for_the_last_commit_point() {
    let schema = schema();
    let (primary, replica) = pair(&schema);
    assert!(replica.shard.flush(false, true).unwrap());
    put(&primary.shard, "0", 100);
    let sent = operations_from(&primary.shard, 4);
    replicate(&replica.shard, 1, &sent, 3);
    primary.shard.refresh().unwrap();
    ship(&primary.shard, &replica.shard).unwrap();
    assert!(
        !replica.shard.flush(false, true).unwrap(),
        "others may lack it"
    );
    let reading = replica.shard.reader();
    let done = replica.shard.roll_back(PrimaryTerm(2), SeqNo(3)).unwrap();
    assert_eq!(done, RollBack::Done);
    assert_eq!(replica.shard.searchable_checkpoint(), SeqNo(3));
    assert_eq!(reading.doc_count(), 4);
    // It was never safe, but it may be all that is left.
    replica.shard.promote(PrimaryTerm(2)).unwrap();
    assert_eq!(get(&replica.shard, "0"), Some((2, body(100))));
    assert_eq!(replica.shard.max_seq_no(), SeqNo(4));
}

#[test]
fn segments_with_what_was_rolled_back_are_never_promoted() {
    let schema = schema();
    let (primary, mut replica) = pair(&schema);
    put(&primary.shard, "0", 100);
    let sent = operations_from(&primary.shard, 4);
    replicate(&replica.shard, 1, &sent, 3);
    primary.shard.refresh().unwrap();
    ship(&primary.shard, &replica.shard).unwrap();
    replica.shard.flush(true, true).unwrap();
    let done = replica.shard.roll_back(PrimaryTerm(2), SeqNo(3)).unwrap();
    assert_eq!(done, RollBack::NeedsSegments);
    let again = replica.shard.roll_back(PrimaryTerm(2), SeqNo(0)).unwrap();
    assert_eq!(
        again,
        RollBack::NeedsSegments,
        "that reign is followed already"
    );
    for restart in [false, true] {
        if restart {
            replica.crash(&schema, CopyRole::Replica, 2);
        }
        assert!(replica.shard.needs_segments());
        assert_eq!(replica.shard.local_checkpoint(), SeqNo(3));
        let refused = replica.shard.promote(PrimaryTerm(2)).unwrap_err();
        assert!(matches!(refused, ShardError::NeedsSegments), "{refused}");
        assert!(!replica.shard.flush(true, true).unwrap());
    }
    let disk = replica.disk.after_reboot(Survivors::Nothing);
    let refused = Shard::open(parts(&disk, &schema, false)).unwrap_err();
    assert!(
        matches!(refused, OpenShardError::NeedsSegments),
        "{refused}"
    );
    // The primary of the new reign never heard of the operation.
    let (mut other, _) = pair(&schema);
    other.crash(&schema, CopyRole::Primary, 2);
    let shipment = other.shard.shipment();
    let mut list = shipment.list().clone();
    list.history_uuid = replica.shard.history_uuid();
    copy_files(&shipment, &replica.shard);
    replica.shard.install_base(&list).unwrap();
    assert!(!replica.shard.needs_segments());
    replica.crash(&schema, CopyRole::Replica, 2);
    replica.shard.promote(PrimaryTerm(3)).unwrap();
    assert_eq!(get(&replica.shard, "0"), Some((1, body(0))));
}

#[test]
fn operations_are_kept_for_a_copy_that_needs_them() {
    let schema = schema();
    let (primary, _) = pair(&schema);
    primary.shard.flush(true, true).unwrap();
    assert!(
        primary.shard.operations_from(SeqNo(0)).unwrap().is_none(),
        "trimmed"
    );
    primary.shard.retain_from(SeqNo(5));
    for n in 0..4 {
        put(&primary.shard, "x", n);
        primary.shard.advance_global_checkpoint(SeqNo(4 + n as i64));
        primary.shard.flush(true, true).unwrap();
    }
    let numbers = |from| {
        let all = primary.shard.operations_from(SeqNo(from)).unwrap()?;
        Some(all.map(|op| op.seq_no.0).collect::<Vec<_>>())
    };
    assert_eq!(numbers(4), None);
    assert_eq!(numbers(5), Some(vec![5, 6, 7]));
    assert_eq!(numbers(8), Some(Vec::new()));
    primary.shard.retain_from(SeqNo(i64::MAX));
    put(&primary.shard, "x", 8);
    primary.shard.flush(true, true).unwrap();
    assert_eq!(numbers(5), None);
    assert_eq!(
        numbers(8),
        Some(vec![8]),
        "not every copy is known to have it"
    );
}

#[test]
fn a_replica_trims_its_translog_when_its_segments_are_durable() {
    let schema = schema();
    let (primary, mut replica) = pair(&schema);
    assert!(replica.shard.flush(false, true).unwrap());
    assert!(!replica.shard.flush(false, true).unwrap(), "nothing new");
    assert_eq!(replica.shard.stats().translog.uncommitted_operations, 0);
    replica.shard.verify().unwrap();
    put(&primary.shard, "4", 4);
    catch_up(&primary.shard, &replica.shard, 1);
    replica.crash(&schema, CopyRole::Replica, 1);
    assert_eq!(visible(&replica.shard).len(), 4);
    assert_eq!(replica.shard.local_checkpoint(), SeqNo(4));
    let folder = replica.disk.directory(INDEX);
    let names = folder.list().unwrap();
    assert_eq!(
        names.iter().filter(|name| name.ends_with(".qsg")).count(),
        1
    );
    let wanted = replica.shard.missing(primary.shard.shipment().list());
    assert!(
        wanted.is_empty(),
        "what is committed is not copied again: {wanted:?}"
    );
}

#[test]
fn who_waits_on_a_replica_is_called_when_the_list_is_installed() {
    let schema = schema();
    let (primary, replica) = pair(&schema);
    put(&primary.shard, "4", 4);
    catch_up(&primary.shard, &replica.shard, 1);
    let (send, called) = std::sync::mpsc::channel();
    for seq_no in [3, 4] {
        let send = send.clone();
        let call = move || send.send(seq_no).unwrap();
        replica.shard.on_refreshed(SeqNo(seq_no), Box::new(call));
    }
    replica.shard.refresh().unwrap();
    assert_eq!(called.try_iter().collect::<Vec<_>>(), [3]);
    primary.shard.refresh().unwrap();
    ship(&primary.shard, &replica.shard).unwrap();
    assert_eq!(called.try_iter().collect::<Vec<_>>(), [4]);
}

#[test]
fn a_copy_can_be_primary_and_replica_by_turns() {
    let schema = schema();
    let (a, b) = pair(&schema);
    let (mut primary, mut replica) = (a, b);
    for term in 2..6 {
        put(&primary.shard, &format!("t{term}"), term);
        catch_up(&primary.shard, &replica.shard, term - 1);
        primary.shard.refresh().unwrap();
        ship(&primary.shard, &replica.shard).unwrap();
        primary.shard.demote(PrimaryTerm(term)).unwrap();
        replica.shard.promote(PrimaryTerm(term)).unwrap();
        std::mem::swap(&mut primary, &mut replica);
        let global = primary.shard.global_checkpoint();
        let done = replica.shard.roll_back(PrimaryTerm(term), global).unwrap();
        assert_eq!(done, RollBack::Done);
        ship(&primary.shard, &replica.shard).unwrap();
        assert_eq!(visible(&primary.shard), visible(&replica.shard));
        assert_eq!(visible(&primary.shard).len() as u64, 4 + term - 1);
    }
}
