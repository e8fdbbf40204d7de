//! The log and the state machine keep what raft relies on, whatever happens to the power.

use std::sync::Arc;

use bytes::Bytes;
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::type_config::TypeConfigExt;
use openraft::{RaftLogReader, StorageError};
use quidditch_engine::directory::faulty::{Disk, Survivors};
use quidditch_engine::directory::ram::RamDirectory;

use super::log_store::LogStore;
use super::state_machine::StateMachine;
use super::types::{Entry, LogId, Proposal, TypeConfig, Vote};

struct Stores;

impl StoreBuilder<TypeConfig, LogStore, StateMachine> for Stores {
    async fn build(&self) -> Result<((), LogStore, StateMachine), StorageError<TypeConfig>> {
        let directory = Arc::new(RamDirectory::new());
        let log = LogStore::open(directory.clone()).unwrap();
        Ok(((), log, StateMachine::open(directory).unwrap()))
    }
}

#[tokio::test]
async fn the_suite_of_raft_itself_passes() {
    Suite::test_all(Stores).await.unwrap();
}

fn log_id(term: u64, index: u64) -> LogId {
    openraft::testing::log_id::<TypeConfig>(term, 1, index)
}

/// So large that the journal is rewritten within a few of them.
fn entry(term: u64, index: u64) -> Entry {
    let bytes = Bytes::from(vec![index as u8; 300 << 10]);
    Entry::new(
        log_id(term, index),
        openraft::EntryPayload::Normal(Proposal(bytes)),
    )
}

/// What a member was told to be safe.
#[derive(Debug, Default)]
struct Promised {
    raft_id: Option<u64>,
    vote: Option<Vote>,
    last: Option<LogId>,
    purged: Option<LogId>,
}

async fn append(log: &mut LogStore, entries: Vec<Entry>) -> std::io::Result<()> {
    let (told, flushed) = TypeConfig::oneshot();
    log.append(entries, IOFlushed::signal(told)).await?;
    flushed.await.map_err(std::io::Error::other)?
}

/// A life of a log: votes, entries, a conflict, a snapshot; until the power goes.
async fn live(log: &mut LogStore, promised: &mut Promised) -> std::io::Result<()> {
    promised.raft_id = Some(log.raft_id());
    let vote = Vote::new(1, 1);
    log.save_vote(&vote).await?;
    promised.vote = Some(vote);
    append(log, (0..4).map(|index| entry(1, index)).collect()).await?;
    promised.last = Some(log_id(1, 3));
    let vote = Vote::new(2, 1);
    log.save_vote(&vote).await?;
    promised.vote = Some(vote);
    // a new leader has another entry 3: until its own is safe, either may be found
    promised.last = Some(log_id(1, 2));
    log.truncate_after(Some(log_id(1, 2))).await?;
    for index in 3..9 {
        append(log, vec![entry(2, index)]).await?;
        promised.last = Some(log_id(2, index));
        log.save_committed(Some(log_id(2, index))).await?;
        if index % 3 == 2 {
            promised.purged = Some(log_id(2, index - 1));
            log.purge(log_id(2, index - 1)).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_was_promised_survives_a_power_cut_at_any_moment() {
    let whole = Disk::new();
    let mut promised = Promised::default();
    let mut log = LogStore::open(whole.directory("raft")).unwrap();
    live(&mut log, &mut promised).await.unwrap();
    assert_eq!(promised.last, Some(log_id(2, 8)));
    drop(log);
    for cut in 1..whole.events() {
        for survivors in [
            Survivors::Nothing,
            Survivors::Some { seed: cut },
            Survivors::Everything,
        ] {
            let disk = Disk::new();
            disk.cut_power_before(cut);
            let mut promised = Promised::default();
            if let Ok(mut log) = LogStore::open(disk.directory("raft")) {
                let _ = live(&mut log, &mut promised).await;
            }
            let disk = disk.after_reboot(survivors);
            let mut log = LogStore::open(disk.directory("raft"))
                .unwrap_or_else(|error| panic!("cut before event {cut}: {error}"));
            let case = format!("cut before event {cut}, {survivors:?}: {promised:?}");
            assert!(
                promised.raft_id.is_none_or(|id| id == log.raft_id()),
                "{case}"
            );
            assert!(log.read_vote().await.unwrap() >= promised.vote, "{case}");
            let state = log.get_log_state().await.unwrap();
            assert!(state.last_log_id >= promised.last, "{case}: {state:?}");
            assert!(
                state.last_purged_log_id <= promised.purged,
                "{case}: {state:?}"
            );
            let entries = log.try_get_log_entries(0..).await.unwrap();
            let first = entries.first().map_or(0, |entry| entry.index());
            for (found, index) in entries.iter().zip(first..) {
                assert_eq!(found.index(), index, "{case}: a hole");
                let other = entry(found.log_id.leader_id.term, index);
                assert!(found.payload == other.payload, "{case}: other bytes");
            }
            let kept_from = state
                .last_purged_log_id
                .map_or(0, |purged| purged.index() + 1);
            assert!(
                entries.is_empty() || first == kept_from,
                "{case}: {state:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_is_found_and_named() {
    let disk = Disk::new();
    let mut log = LogStore::open(disk.directory("raft")).unwrap();
    append(&mut log, vec![entry(1, 0), entry(1, 1)])
        .await
        .unwrap();
    log.close().unwrap();
    drop(log);
    let files = disk.files().into_iter();
    let (folder, name) = files
        .filter(|(_, name)| !name.contains("checkpoint"))
        .max()
        .unwrap();
    assert!(disk.flip_bit(&folder, &name, disk.len(&folder, &name) * 8 / 2));
    let refused = LogStore::open(disk.directory("raft")).err().unwrap();
    assert!(refused.to_string().contains(&name), "{refused}");
}
