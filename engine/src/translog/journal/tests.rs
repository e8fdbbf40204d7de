use proptest::prelude::*;

use super::*;
use crate::directory::faulty::{Disk, Survivors};
use crate::directory::hooked::HookedDirectory;
use crate::directory::ram::RamDirectory;

fn payloads(journal: &Journal, from: u64) -> Vec<Vec<u8>> {
    journal
        .replay(from)
        .unwrap()
        .map(|record| record.unwrap().payload.to_vec())
        .collect()
}

#[test]
fn records_come_back_in_order_over_generations() {
    let directory: Arc<dyn Directory> = Arc::new(RamDirectory::new());
    let journal = Journal::create(directory.clone()).unwrap();
    assert!(matches!(
        Journal::create(directory.clone()),
        Err(JournalError::Exists)
    ));
    journal.append(b"one").unwrap();
    let two = journal.append(b"two").unwrap();
    journal.sync(two).unwrap();
    assert_eq!(journal.roll().unwrap(), 2);
    let three = journal.append(b"three").unwrap();
    assert!(!journal.is_synced(three));
    assert_eq!(payloads(&journal, 0), [&b"one"[..], b"two", b"three"]);
    assert_eq!(&*journal.read(two).unwrap(), b"two");
    journal.close().unwrap();
    assert!(matches!(
        journal.append(b"x"),
        Err(JournalError::Failed { .. })
    ));

    let journal = Journal::open(directory).unwrap();
    assert_eq!(journal.torn_tail(), None);
    assert_eq!(payloads(&journal, 2), [b"three"]);
    journal.trim_before(2).unwrap();
    journal.append(b"four").unwrap();
    assert_eq!(payloads(&journal, 0), [&b"three"[..], b"four"]);
    assert_eq!(journal.generations().len(), 1);
}

#[test]
fn a_torn_tail_is_cut_whatever_part_of_it_survives() {
    let disk = Disk::new();
    let journal = Journal::create(disk.directory("t")).unwrap();
    let safe = journal.append(b"safe").unwrap();
    journal.sync(safe).unwrap();
    for _ in 0..40 {
        journal.append(&[b'x'; 100]).unwrap();
    }
    journal.write_pending().unwrap();
    for seed in 0..60 {
        let after = disk.after_reboot(Survivors::Some { seed });
        let journal = Journal::open(after.directory("t")).unwrap();
        assert_eq!(payloads(&journal, 0)[0], b"safe", "seed {seed}");
        let next = journal.append(b"next").unwrap();
        journal.sync(next).unwrap();
        let again = Journal::open(after.after_reboot(Survivors::Nothing).directory("t")).unwrap();
        assert_eq!(payloads(&again, 0).last().unwrap(), b"next", "seed {seed}");
    }
}

#[test]
fn every_flipped_bit_of_synced_records_is_refused_by_name() {
    let disk = Disk::new();
    let journal = Journal::create(disk.directory("t")).unwrap();
    journal.append(b"first").unwrap();
    journal.roll().unwrap();
    let last = journal.append(b"second").unwrap();
    journal.sync(last).unwrap();
    drop(journal);
    for (folder, name) in disk.files() {
        for bit in 0..disk.len(&folder, &name) * 8 {
            let copy = disk.after_reboot(Survivors::Everything);
            assert!(copy.flip_bit(&folder, &name, bit));
            let opened = Journal::open(copy.directory("t"));
            let outcome = opened.and_then(|journal| {
                let torn = journal.torn_tail().cloned();
                let records: Result<Vec<_>, _> = journal.replay(0)?.collect();
                records.map(|records| (records.len(), torn))
            });
            match outcome {
                Err(JournalError::Corrupt { file, .. }) => assert_eq!(file, name, "bit {bit}"),
                Err(other) => panic!("{name} bit {bit}: {other}"),
                // The mark behind the last record carries nothing: cut, and said so.
                Ok((records, torn)) => {
                    let torn = torn.unwrap_or_else(|| panic!("{name} bit {bit}: not seen"));
                    assert_eq!((records, torn.file.as_str()), (2, name.as_str()));
                }
            }
        }
    }
}

#[test]
fn a_missing_or_shortened_closed_generation_is_refused() {
    let disk = Disk::new();
    let journal = Journal::create(disk.directory("t")).unwrap();
    let first = journal.append(b"first").unwrap();
    journal.roll().unwrap();
    let copy = disk.after_reboot(Survivors::Everything);
    copy.directory("t")
        .append(&file_name(1), first.offset)
        .unwrap();
    let error = Journal::open(copy.directory("t")).unwrap_err().to_string();
    assert!(error.contains("journal-0000000000000001"), "{error}");
    let copy = disk.after_reboot(Survivors::Everything);
    copy.directory("t").delete(&file_name(1)).unwrap();
    let error = Journal::open(copy.directory("t")).unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
}

#[test]
fn the_first_failed_sync_ends_the_journal() {
    let disk = Disk::new();
    let journal = Journal::create(disk.directory("t")).unwrap();
    let safe = journal.append(b"safe").unwrap();
    journal.sync(safe).unwrap();
    disk.fail_sync(disk.syncs());
    let lost = journal.append(b"lost").unwrap();
    assert!(matches!(journal.sync(lost), Err(JournalError::Io { .. })));
    assert!(matches!(
        journal.sync(lost),
        Err(JournalError::Failed { .. })
    ));
    assert!(matches!(
        journal.append(b"more"),
        Err(JournalError::Failed { .. })
    ));
    journal.sync(safe).unwrap();
    let after = disk.after_reboot(Survivors::Nothing);
    let journal = Journal::open(after.directory("t")).unwrap();
    assert_eq!(payloads(&journal, 0), [b"safe"]);
}

#[test]
fn a_full_disk_refuses_and_loses_nothing_acknowledged() {
    let disk = Disk::new();
    let journal = Journal::create(disk.directory("t")).unwrap();
    let safe = journal.append(b"safe").unwrap();
    journal.sync(safe).unwrap();
    disk.set_capacity(Some(disk.used() + 30));
    let lost = journal.append(&[b'x'; 100]).unwrap();
    let error = journal.sync(lost).unwrap_err();
    assert!(error.is_full(), "{error}");
    disk.set_capacity(None);
    let journal = Journal::open(disk.directory("t")).unwrap();
    assert!(journal.torn_tail().is_some());
    assert_eq!(payloads(&journal, 0), [b"safe"]);
}

#[test]
fn at_any_power_cut_every_synced_record_is_found() {
    let run = |disk: &Disk| {
        let mut acknowledged = 0u32;
        let mut work = || -> Result<(), JournalError> {
            let journal = Journal::create(disk.directory("t"))?;
            for round in 0..6u32 {
                journal.append(&(2 * round).to_le_bytes())?;
                let location = journal.append(&(2 * round + 1).to_le_bytes())?;
                journal.sync(location)?;
                acknowledged = 2 * round + 2;
                if round == 1 {
                    journal.roll()?;
                }
                if round == 3 {
                    journal.roll()?;
                    journal.trim_before(2)?;
                }
            }
            journal.close()
        };
        let _ = work();
        acknowledged
    };
    let whole = Disk::new();
    run(&whole);
    for cut in 0..whole.events() {
        let disk = Disk::new();
        disk.cut_power_before(cut);
        let acknowledged = run(&disk);
        for survivors in [
            Survivors::Nothing,
            Survivors::Everything,
            Survivors::Some { seed: cut },
        ] {
            let after = disk.after_reboot(survivors).directory("t");
            let journal = match Journal::open(after) {
                Ok(journal) => journal,
                Err(JournalError::Missing) if acknowledged == 0 => continue,
                Err(error) => panic!("cut {cut} {survivors:?}: {error}"),
            };
            let found: Vec<u32> = payloads(&journal, 0)
                .iter()
                .map(|bytes| u32::from_le_bytes(bytes[..].try_into().unwrap()))
                .collect();
            let first = *found.first().unwrap_or(&0);
            assert!(first == 0 || first == 4, "trimmed by generation only");
            let expected: Vec<u32> = (first..first + found.len() as u32).collect();
            assert_eq!(found, expected, "cut {cut} {survivors:?}: no holes");
            let end = first + found.len() as u32;
            assert!(end >= acknowledged, "cut {cut} {survivors:?}: lost");
        }
    }
}

#[test]
fn a_file_that_cannot_be_deleted_does_not_bring_back_those_before_it() {
    let directory = Arc::new(HookedDirectory::default());
    let journal = Journal::create(directory.clone()).unwrap();
    for record in [b"1", b"2", b"3"] {
        journal.append(record).unwrap();
        journal.roll().unwrap();
    }
    directory.before(|what, name| match (what, generation_of(name)) {
        ("delete", Some(2)) => Err(io::Error::other("not now")),
        _ => Ok(()),
    });
    journal.trim_before(3).unwrap();
    assert_eq!(payloads(&journal, 0), [b"3"]);
    journal.close().unwrap();
    directory.unhook();
    let journal = Journal::open(directory.clone()).unwrap();
    assert_eq!(payloads(&journal, 0), [b"3"]);
    assert!(!directory.list().unwrap().contains(&file_name(2)), "swept");
}

#[test]
fn who_reads_the_journal_is_not_disturbed_when_files_are_given_up() {
    let journal = Journal::create(Arc::new(RamDirectory::new())).unwrap();
    for record in [b"1", b"2"] {
        journal.append(record).unwrap();
        journal.roll().unwrap();
    }
    journal.append(b"3").unwrap();
    let mut replay = journal.replay(0).unwrap();
    assert_eq!(&*replay.next().unwrap().unwrap().payload, b"1");
    journal.trim_before(3).unwrap();
    let rest: Vec<_> = replay
        .map(|record| record.unwrap().payload.to_vec())
        .collect();
    assert_eq!(rest, [b"2", b"3"]);
}

#[test]
fn what_a_close_made_durable_is_durable_for_those_who_wait() {
    let journal = Journal::create(Arc::new(RamDirectory::new())).unwrap();
    let location = journal.append(b"1").unwrap();
    journal.close().unwrap();
    assert!(journal.is_synced(location));
    journal.sync(location).unwrap();
}

#[test]
fn a_file_without_records_is_not_followed_by_another() {
    let journal = Journal::create(Arc::new(RamDirectory::new())).unwrap();
    assert_eq!(journal.roll().unwrap(), 1);
    journal.append(b"1").unwrap();
    assert_eq!(journal.roll().unwrap(), 2);
    assert_eq!(journal.roll().unwrap(), 2);
    assert_eq!(journal.generations().len(), 2);
}

#[test]
fn threads_share_syncs() {
    let disk = Disk::new();
    let journal = Journal::create(disk.directory("t")).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let journal = &journal;
            scope.spawn(move || {
                for i in 0..25u8 {
                    let location = journal.append(&[thread, i]).unwrap();
                    journal.sync(location).unwrap();
                    if i == 12 {
                        journal.roll().unwrap();
                    }
                }
            });
        }
    });
    let after = disk.after_reboot(Survivors::Nothing);
    let journal = Journal::open(after.directory("t")).unwrap();
    let mut found = payloads(&journal, 0);
    found.sort();
    assert_eq!(found.len(), 100);
    found.dedup();
    assert_eq!(found.len(), 100);
}

/// Files that nobody wrote, with checksums that are right: frames of any content and garbage behind them.
fn forged(
    checkpoint: Checkpoint,
    header: Header,
    frames: &[(u64, Vec<u8>)],
    garbage: &[u8],
) -> Arc<dyn Directory> {
    let directory: Arc<dyn Directory> = Arc::new(RamDirectory::new());
    let place = Place {
        journal_id: checkpoint.journal_id,
        generation: checkpoint.current,
    };
    let mut file = header.encode().to_vec();
    for (synced, payload) in frames {
        let offset = file.len() as u64;
        place.encode(&mut file, offset, *synced, payload);
    }
    file.extend_from_slice(garbage);
    let names = [
        (CHECKPOINT.to_owned(), checkpoint.encode().to_vec()),
        (file_name(header.generation), file),
    ];
    for (name, bytes) in names {
        directory.create(&name).unwrap().write_all(&bytes).unwrap();
    }
    directory
}

proptest! {
    #[test]
    fn files_that_nobody_wrote_open_or_fail(
        oldest in prop_oneof![Just(1), 0u64..4, any::<u64>()],
        current in prop_oneof![Just(1), 0u64..4, any::<u64>()],
        synced in prop_oneof![0u64..200, any::<u64>()],
        previous_end: u64,
        frames in prop::collection::vec((prop_oneof![0u64..200, any::<u64>()], any::<Vec<u8>>()), 0..4),
        garbage in prop::collection::vec(prop_oneof![Just(0xf5), Just(0x51), any::<u8>()], 0..80),
    ) {
        let checkpoint = Checkpoint { journal_id: 7, oldest, current, synced };
        let header = Header { generation: current, journal_id: 7, previous_end };
        let directory = forged(checkpoint, header, &frames, &garbage);
        let wanted: Vec<_> = frames.iter().map(|(_, payload)| payload.clone()).filter(|p| !p.is_empty()).collect();
        if let Ok(journal) = Journal::open(directory.clone()) {
            let found: Vec<_> = payloads(&journal, 0);
            prop_assert!(found.starts_with(&wanted), "sound frames come back");
            let after = journal.append(b"after").unwrap();
            journal.sync(after).unwrap();
            let again = Journal::open(directory).unwrap();
            let found = payloads(&again, 0);
            prop_assert_eq!(found.last().map(Vec::as_slice), Some(&b"after"[..]));
        }
    }
}
