//! # The raft log on disk
//!
//! One journal ([`quidditch_engine::translog::journal`]: framed, checksummed, torn tails told from damage) holds votes
//! and entries in the order in which they happened, one protocol message (`proto/quidditch/raft.proto`, `LogRecord`) a
//! frame. Nothing counts before it is on the device: a thread syncs for all who wait, then tells raft.
//!
//! | record | meaning | synced before it counts |
//! |---|---|---|
//! | `Born` | the first: random number of this data directory, format of the records | yes |
//! | `Vote` | for whom this member voted, in which term | yes |
//! | `Entry` | one entry; its index is one higher than the last one's | yes |
//! | `Truncate` | entries behind this one are gone | with the entry after it |
//! | `Purged` | entries up to this one are gone: a snapshot has them | no |
//! | `Committed` | entries up to this one are agreed on | no |
//! | `Whole` | all that the records before it amount to; older generations go | yes |
//!
//! A member whose records are lost is another member: `Born` is drawn anew (see `formation`).
//!
//! | format | since | change |
//! |-------:|-------|--------|
//! | 1 | 0.1 | first |

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::sync::mpsc;

use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use parking_lot::Mutex;
use prost::Message;
use quidditch_engine::directory::Directory;
use quidditch_engine::translog::journal::{Journal, JournalError, Location};
use quidditch_proto::raft as proto;
use quidditch_proto::raft::log_record::Record;
use tokio::sync::oneshot;

use super::types::{Entry, LogId, TypeConfig, Vote};
use crate::sys::rng;
use crate::wire::raft::{
    Malformed, entry_from, entry_to, log_id_from, log_id_to, vote_from, vote_to,
};

/// Format of the records that this build writes and reads.
const FORMAT: u32 = 1;
/// The journal is rewritten when it has this many bytes more than twice what it holds.
const COMPACT_AFTER_BYTES: u64 = 1 << 20;

/// Why the log of a directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenLogError {
    /// The journal below.
    #[error("raft log: {0}")]
    Journal(#[from] JournalError),
    /// The file system.
    #[error("raft log: {0}")]
    Io(#[from] io::Error),
    /// A record that was written whole makes no sense.
    #[error(
        "raft log: record {number} does not read: {reason}; start the release that wrote it, \
         or empty this data directory: the master then joins again, as a new member"
    )]
    Record {
        /// Which one, from 1.
        number: u64,
        /// What is wrong.
        reason: String,
    },
}

/// What the records amount to.
#[derive(Debug, Default)]
struct Memory {
    raft_id: u64,
    vote: Option<Vote>,
    purged: Option<LogId>,
    committed: Option<LogId>,
    entries: BTreeMap<u64, Entry>,
    /// Bytes of the records of `entries`.
    entry_bytes: u64,
}

impl Memory {
    fn last(&self) -> Option<LogId> {
        let last = self
            .entries
            .last_key_value()
            .map(|(_, entry)| entry.log_id());
        last.or(self.purged)
    }

    /// Follows a record; the error says why it cannot stand here.
    fn take(&mut self, record: Record) -> Result<(), Malformed> {
        match record {
            Record::Born(born) => self.raft_id = check_born(Some(born))?,
            Record::Vote(vote) => self.vote = Some(vote_from(Some(vote))?),
            Record::Entry(entry) => self.push(entry_from(entry)?)?,
            Record::Truncate(truncate) => self.truncate(log_id_from(truncate.last)?),
            Record::Purged(id) => self.purge(log_id_from(Some(id))?),
            Record::Committed(id) => self.committed = log_id_from(Some(id))?,
            Record::Whole(whole) => {
                *self = Memory {
                    raft_id: check_born(whole.born)?,
                    vote: whole.vote.map(|vote| vote_from(Some(vote))).transpose()?,
                    purged: log_id_from(whole.purged)?,
                    committed: log_id_from(whole.committed)?,
                    ..Memory::default()
                };
                for entry in whole.entries {
                    self.push(entry_from(entry)?)?;
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, entry: Entry) -> Result<(), Malformed> {
        let index = entry.index();
        if let Some(last) = self.last()
            && !self.entries.is_empty()
            && index != last.index() + 1
        {
            let last = last.index();
            return Err(Malformed(format!("entry {index} follows entry {last}")));
        }
        self.entry_bytes += entry_bytes(&entry);
        self.entries.insert(index, entry);
        Ok(())
    }

    fn truncate(&mut self, last: Option<LogId>) {
        let from = last.map_or(0, |last| last.index() + 1);
        for entry in self.entries.split_off(&from).values() {
            self.entry_bytes -= entry_bytes(entry);
        }
    }

    fn purge(&mut self, upto: Option<LogId>) {
        let Some(upto) = upto else { return };
        let kept = self.entries.split_off(&(upto.index() + 1));
        for entry in std::mem::replace(&mut self.entries, kept).values() {
            self.entry_bytes -= entry_bytes(entry);
        }
        self.purged = self.purged.max(Some(upto));
    }

    fn whole(&self) -> Record {
        Record::Whole(proto::Whole {
            born: Some(born(self.raft_id)),
            vote: self.vote.as_ref().map(vote_to),
            purged: self.purged.as_ref().map(log_id_to),
            committed: self.committed.as_ref().map(log_id_to),
            entries: self.entries.values().map(entry_to).collect(),
        })
    }
}

/// What an entry takes in the journal, about.
fn entry_bytes(entry: &Entry) -> u64 {
    const AROUND: u64 = 64;
    match &entry.payload {
        openraft::EntryPayload::Normal(proposal) => AROUND + proposal.0.len() as u64,
        _ => AROUND,
    }
}

fn born(raft_id: u64) -> proto::Born {
    proto::Born {
        raft_id,
        format: FORMAT,
    }
}

fn check_born(born: Option<proto::Born>) -> Result<u64, Malformed> {
    let born = born.ok_or_else(|| Malformed("the number of the directory is missing".into()))?;
    match born.format {
        FORMAT => Ok(born.raft_id),
        other => Err(Malformed(format!(
            "its format is {other}, this build reads {FORMAT}"
        ))),
    }
}

fn encode(record: Record) -> Vec<u8> {
    let record = proto::LogRecord {
        record: Some(record),
    };
    record.encode_to_vec()
}

struct Shared {
    journal: Journal,
    /// Locked while a record goes to the journal too, so that both have the same order.
    memory: Mutex<Memory>,
}

/// What waits for the device.
enum Job {
    /// Entries.
    Flushed(Location, IOFlushed<TypeConfig>),
    /// A vote.
    Synced(Location, oneshot::Sender<io::Result<()>>),
    /// The journal is worth rewriting.
    Compact,
}

/// The log of one member. Clones share it; the last one to go ends the thread.
#[derive(Clone)]
pub struct LogStore {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
}

impl Debug for LogStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogStore({:?})", self.shared.journal)
    }
}

impl LogStore {
    /// Opens the log of a directory, or begins one. Blocks on the disk.
    pub fn open(directory: Arc<dyn Directory>) -> Result<LogStore, OpenLogError> {
        let journal = match Journal::exists(&*directory)? {
            true => Journal::open(directory)?,
            false => Journal::create(directory)?,
        };
        let memory = replay(&journal)?;
        let shared = Arc::new(Shared {
            journal,
            memory: Mutex::new(memory),
        });
        let (jobs, waiting) = mpsc::channel();
        let worker = shared.clone();
        std::thread::Builder::new()
            .name("quidditch-raft-log".to_owned())
            .spawn(move || work(&worker, &waiting))?;
        Ok(LogStore { shared, jobs })
    }

    /// The random number of this data directory: who this member is.
    pub fn raft_id(&self) -> u64 {
        self.shared.memory.lock().raft_id
    }

    /// Whether this member has a vote or an entry, or had one: it belongs to a cluster.
    pub fn is_initialized(&self) -> bool {
        let memory = self.shared.memory.lock();
        memory.vote.is_some() || memory.last().is_some()
    }

    /// Whether an entry that is kept says that this member belongs to the group, or belonged to it. Nothing comes after the
    /// entries that take a member out, so they are kept.
    pub fn was_member(&self) -> bool {
        let memory = self.shared.memory.lock();
        let mut entries = memory.entries.values();
        entries.any(|entry| match &entry.payload {
            openraft::EntryPayload::Membership(membership) => {
                membership.get_node(&memory.raft_id).is_some()
            }
            _ => false,
        })
    }

    /// Bytes of the entries that no snapshot has made superfluous.
    pub fn entry_bytes(&self) -> u64 {
        self.shared.memory.lock().entry_bytes
    }

    /// Index of the last entry before the newest ones that together have so many bytes at most.
    pub fn last_before(&self, bytes_max: u64) -> Option<u64> {
        let memory = self.shared.memory.lock();
        let mut bytes = 0;
        let mut newest = memory.entries.iter().rev();
        let before = newest.find(|(_, entry)| {
            bytes += entry_bytes(entry);
            bytes > bytes_max
        });
        before.map(|(index, _)| *index)
    }

    /// Index of the first entry that is kept.
    pub fn first_index(&self) -> Option<u64> {
        let memory = self.shared.memory.lock();
        memory.entries.first_key_value().map(|(index, _)| *index)
    }

    /// Makes everything durable and takes no more records.
    pub fn close(&self) -> Result<(), JournalError> {
        self.shared.journal.close()
    }

    /// Writes a record and follows it, both or, when the disk fails, neither.
    fn record(&self, record: Record, memory: &mut Memory) -> io::Result<Location> {
        let bytes = encode(record.clone());
        let location = self.shared.journal.append(&bytes).map_err(io_error)?;
        memory.take(record).map_err(io::Error::other)?;
        Ok(location)
    }

    fn send(&self, job: Job) -> io::Result<()> {
        let sent = self.jobs.send(job);
        sent.map_err(|_| io::Error::other("the thread of the raft log is gone"))
    }
}

fn io_error(error: JournalError) -> io::Error {
    io::Error::other(error)
}

/// Reads all records back; a directory without one is born now.
fn replay(journal: &Journal) -> Result<Memory, OpenLogError> {
    let mut memory = Memory::default();
    let mut count = 0u64;
    for record in journal.replay(0)? {
        let record = record?;
        count += 1;
        let bad = |reason: String| OpenLogError::Record {
            number: count,
            reason,
        };
        let message = proto::LogRecord::decode(&record.payload[..])
            .map_err(|error| bad(error.to_string()))?;
        let unknown = || bad("it is of no kind that this build knows".to_owned());
        let record = message.record.ok_or_else(unknown)?;
        if count == 1 && !matches!(record, Record::Born(_) | Record::Whole(_)) {
            return Err(bad("the first record is missing".to_owned()));
        }
        memory.take(record).map_err(|error| bad(error.0))?;
    }
    if count == 0 {
        let mut id = [0; 8];
        rng::fill(&mut id);
        memory.raft_id = u64::from_le_bytes(id);
        let location = journal.append(&encode(Record::Born(born(memory.raft_id))))?;
        journal.sync(location)?;
    }
    Ok(memory)
}

/// Syncs for all who wait, until nobody can come any more.
fn work(shared: &Shared, waiting: &mpsc::Receiver<Job>) {
    while let Ok(first) = waiting.recv() {
        let mut jobs = vec![first];
        jobs.extend(waiting.try_iter());
        let last = jobs.iter().filter_map(|job| match job {
            Job::Flushed(location, _) | Job::Synced(location, _) => Some(*location),
            Job::Compact => None,
        });
        let outcome = match last.max() {
            Some(location) => shared.journal.sync(location),
            None => Ok(()),
        };
        let outcome = || outcome.clone().map_err(io_error);
        let mut is_compaction_due = false;
        for job in jobs {
            match job {
                Job::Flushed(_, callback) => callback.io_completed(outcome()),
                // whoever asked may have gone away
                Job::Synced(_, answer) => drop(answer.send(outcome())),
                Job::Compact => is_compaction_due = true,
            }
        }
        if is_compaction_due && let Err(error) = compact(shared) {
            // the journal takes nothing more after a failure: the next append tells raft
            tracing::warn!(%error, "could not shorten the raft log");
        }
    }
}

/// Rewrites the journal when most of it is of no use any more.
fn compact(shared: &Shared) -> Result<(), JournalError> {
    // most of the work before anybody has to wait
    shared.journal.sync_all()?;
    let (generation, location) = {
        let memory = shared.memory.lock();
        if shared.journal.size_bytes() < COMPACT_AFTER_BYTES + 2 * memory.entry_bytes {
            return Ok(());
        }
        let generation = shared.journal.roll()?;
        (generation, shared.journal.append(&encode(memory.whole()))?)
    };
    shared.journal.sync(location)?;
    shared.journal.trim_before(generation)
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> io::Result<Vec<Entry>>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let memory = self.shared.memory.lock();
        let found = memory.entries.range(range);
        Ok(found.map(|(_, entry)| entry.clone()).collect())
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.shared.memory.lock().vote)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        /// So much goes into one request; a single entry may have more.
        const BYTES_MAX: u64 = 1 << 20;
        let memory = self.shared.memory.lock();
        let mut entries = Vec::new();
        let mut bytes = 0;
        for entry in memory.entries.range(start..end).map(|(_, entry)| entry) {
            bytes += entry_bytes(entry);
            if bytes > BYTES_MAX && !entries.is_empty() {
                break;
            }
            entries.push(entry.clone());
        }
        Ok(entries)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let memory = self.shared.memory.lock();
        Ok(LogState {
            last_purged_log_id: memory.purged,
            last_log_id: memory.last(),
        })
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let location = {
            let mut memory = self.shared.memory.lock();
            self.record(Record::Vote(vote_to(vote)), &mut memory)?
        };
        let (answer, synced) = oneshot::channel();
        self.send(Job::Synced(location, answer))?;
        let gone = |_| io::Error::other("the thread of the raft log is gone");
        synced.await.map_err(gone)?
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let Some(committed) = committed else {
            return Ok(());
        };
        let mut memory = self.shared.memory.lock();
        let record = Record::Committed(log_id_to(&committed));
        self.record(record, &mut memory).map(|_| ())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.shared.memory.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let last = {
            let mut memory = self.shared.memory.lock();
            let mut last = None;
            for entry in entries {
                last = Some(self.record(Record::Entry(entry_to(&entry)), &mut memory)?);
            }
            last
        };
        match last {
            Some(location) => self.send(Job::Flushed(location, callback)),
            None => {
                callback.io_completed(Ok(()));
                Ok(())
            }
        }
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let mut memory = self.shared.memory.lock();
        let record = Record::Truncate(proto::Truncate {
            last: last.as_ref().map(log_id_to),
        });
        self.record(record, &mut memory).map(|_| ())
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        {
            let mut memory = self.shared.memory.lock();
            self.record(Record::Purged(log_id_to(&upto)), &mut memory)?;
        }
        self.send(Job::Compact)
    }
}
