//! The translog of a shard: operations on a [`Journal`], and how far they are durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::journal::{Replay, TornTail};
use super::{Journal, JournalError, Location, Operation};
use crate::directory::Directory;
use crate::ids::SeqNo;

/// Files that no flush needs any more, kept for other copies: at most so many, however small they are.
const FILES_RETAINED_MAX: usize = 100;

/// Operations since the last flush, and some before it.
#[derive(Debug)]
pub struct Translog {
    journal: Journal,
    /// Operations by generation.
    counts: Mutex<BTreeMap<u64, u64>>,
    /// Appended, not yet known to be durable.
    unsynced: Mutex<Vec<(Location, SeqNo)>>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TranslogSize {
    /// Operations.
    pub operations: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Translog {
    /// Makes an empty translog; what an unfinished creation left is removed.
    pub fn create(directory: Arc<dyn Directory>) -> Result<Translog, JournalError> {
        Journal::remove(&*directory)?;
        Ok(Translog::on(Journal::create(directory)?))
    }

    /// Opens a translog.
    pub fn open(directory: Arc<dyn Directory>) -> Result<Translog, JournalError> {
        Ok(Translog::on(Journal::open(directory)?))
    }

    fn on(journal: Journal) -> Translog {
        Translog {
            journal,
            counts: Mutex::new(BTreeMap::new()),
            unsynced: Mutex::new(Vec::new()),
        }
    }

    /// The half-written end that was cut at open.
    pub fn torn_tail(&self) -> Option<&TornTail> {
        self.journal.torn_tail()
    }

    /// Takes an operation.
    pub fn append(&self, operation: &Operation) -> Result<Location, JournalError> {
        let location = self.journal.append(&operation.encode())?;
        self.count(location.generation);
        self.unsynced.lock().push((location, operation.seq_no));
        Ok(location)
    }

    fn count(&self, generation: u64) {
        *self.counts.lock().entry(generation).or_insert(0) += 1;
    }

    /// Returns when the operation at `location` is on the device.
    pub fn sync(&self, location: Location) -> Result<(), JournalError> {
        self.journal.sync(location)
    }

    /// Returns when all operations so far are on the device.
    pub fn sync_all(&self) -> Result<(), JournalError> {
        self.journal.sync_all()
    }

    /// The numbers of operations that became durable since the last call.
    pub fn newly_durable(&self) -> Vec<SeqNo> {
        let mut durable = Vec::new();
        let mut unsynced = self.unsynced.lock();
        unsynced.retain(|&(location, seq_no)| {
            let synced = self.journal.is_synced(location);
            if synced {
                durable.push(seq_no);
            }
            !synced
        });
        durable
    }

    /// Whether there are operations that are not known to be durable.
    pub fn has_unsynced(&self) -> bool {
        !self.unsynced.lock().is_empty()
    }

    /// Begins a new generation and returns its number.
    pub fn roll(&self) -> Result<u64, JournalError> {
        self.journal.roll()
    }

    /// Gives up what is older than `needed` (a generation), but keeps up to `retained_bytes` of it for other copies,
    /// in a bounded number of files.
    pub fn trim(&self, needed: u64, retained_bytes: u64) -> Result<(), JournalError> {
        let mut keep_from = needed;
        let mut bytes = 0;
        let generations = self.journal.generations().into_iter().rev();
        let older = generations.filter(|(generation, _)| *generation < needed);
        for (generation, len) in older.take(FILES_RETAINED_MAX) {
            bytes += len;
            if bytes > retained_bytes {
                break;
            }
            keep_from = generation;
        }
        self.journal.trim_before(keep_from)?;
        self.counts
            .lock()
            .retain(|&generation, _| generation >= keep_from);
        Ok(())
    }

    /// Operations and bytes from a generation on.
    pub fn size_from(&self, generation: u64) -> TranslogSize {
        let operations = self.counts.lock().range(generation..).map(|(_, n)| n).sum();
        let generations = self.journal.generations();
        let bytes = generations
            .iter()
            .filter(|(number, _)| *number >= generation)
            .map(|(_, len)| len)
            .sum();
        TranslogSize { operations, bytes }
    }

    /// Oldest generation kept, and the one that grows.
    pub fn range(&self) -> (u64, u64) {
        let generations = self.journal.generations();
        let oldest = generations.first().map_or(0, |(number, _)| *number);
        let current = generations.last().map_or(0, |(number, _)| *number);
        (oldest, current)
    }

    /// Reads operations in the order in which they were appended, from the start of a generation.
    pub fn operations(&self, from_generation: u64) -> Result<Operations, JournalError> {
        Ok(Operations {
            replay: self.journal.replay(from_generation)?,
        })
    }

    /// Counts an operation found by [`Translog::operations`] when the translog was opened.
    pub(crate) fn count_replayed(&self, location: Location) {
        self.count(location.generation);
    }

    /// Why it takes no more operations.
    pub fn failure(&self) -> Option<String> {
        self.journal.failure()
    }

    /// Makes everything durable and takes no more operations.
    pub fn close(&self) -> Result<(), JournalError> {
        self.journal.close()
    }
}

/// Operations read back; the first error ends it.
#[derive(Debug)]
pub struct Operations {
    replay: Replay,
}

impl Iterator for Operations {
    type Item = Result<(Location, Operation), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = match self.replay.next()? {
            Ok(record) => record,
            Err(error) => return Some(Err(error)),
        };
        let operation =
            Operation::decode(&record.payload).map_err(|reason| JournalError::Corrupt {
                file: Journal::file_name(record.location),
                offset: record.location.offset,
                reason,
            });
        Some(operation.map(|operation| (record.location, operation)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::ram::RamDirectory;
    use crate::ids::PrimaryTerm;
    use crate::translog::OperationKind;

    #[test]
    fn small_files_are_not_kept_without_end() {
        let translog = Translog::create(Arc::new(RamDirectory::new())).unwrap();
        for n in 0..150 {
            let operation = Operation {
                seq_no: SeqNo(n),
                primary_term: PrimaryTerm(1),
                version: 0,
                kind: OperationKind::NoOp {
                    reason: String::new(),
                },
            };
            translog.append(&operation).unwrap();
            let needed = translog.roll().unwrap();
            translog.trim(needed, u64::MAX).unwrap();
        }
        let (oldest, current) = translog.range();
        assert_eq!(current - oldest, FILES_RETAINED_MAX as u64);
        assert_eq!(translog.size_from(0).operations, FILES_RETAINED_MAX as u64);
    }
}
