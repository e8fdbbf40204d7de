//! The translog of a shard: operations on a [`Journal`], and how far they are durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::journal::{Record, Replay, TornTail};
use super::{Journal, JournalError, Location, Mark, Operation};
use crate::directory::Directory;
use crate::ids::SeqNo;

/// Files that no flush needs any more, kept for other copies: at most so many, however small they are.
const FILES_RETAINED_MAX: usize = 100;

/// Operations since the last flush, and some before it.
#[derive(Debug)]
pub struct Translog {
    journal: Journal,
    /// What is known of each generation.
    contents: Mutex<BTreeMap<u64, Content>>,
    /// Appended, not yet known to be durable.
    unsynced: Mutex<Vec<(Location, SeqNo)>>,
    /// The generations that begin with a mark that makes operations doubtful.
    doubts: Mutex<BTreeSet<u64>>,
}

/// What a generation holds.
#[derive(Clone, Copy, Debug)]
struct Content {
    operations: u64,
    /// No operation in it has a higher number.
    max_seq_no: SeqNo,
}

/// What a record of a translog is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Operation(Operation),
    Mark(Mark),
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
        let translog = Translog::on(Journal::open(directory)?);
        translog.find_doubts()?;
        Ok(translog)
    }

    fn on(journal: Journal) -> Translog {
        Translog {
            journal,
            contents: Mutex::new(BTreeMap::new()),
            unsynced: Mutex::new(Vec::new()),
            doubts: Mutex::new(BTreeSet::new()),
        }
    }

    /// Looks at the first record of each file.
    fn find_doubts(&self) -> Result<(), JournalError> {
        for (generation, _) in self.journal.generations() {
            let Some(record) = self.journal.first_of(generation)? else {
                continue;
            };
            if let Entry::Mark(mark) = decode(&record)?
                && mark.sure_to != Mark::ALL
            {
                self.doubts.lock().insert(generation);
            }
        }
        Ok(())
    }

    /// The half-written end that was cut at open.
    pub fn torn_tail(&self) -> Option<&TornTail> {
        self.journal.torn_tail()
    }

    /// Takes an operation.
    pub fn append(&self, operation: &Operation) -> Result<Location, JournalError> {
        let location = self.journal.append(&operation.encode())?;
        self.count(location, operation.seq_no);
        self.unsynced.lock().push((location, operation.seq_no));
        Ok(location)
    }

    /// Takes a mark that makes nothing doubtful.
    pub fn note(&self, mark: Mark) -> Result<Location, JournalError> {
        debug_assert!(mark.sure_to == Mark::ALL, "see `doubt`");
        self.journal.append(&mark.encode())
    }

    /// Takes a mark that makes operations doubtful; it is durable when this returns. No operation may come meanwhile.
    pub fn doubt(&self, mark: Mark) -> Result<(), JournalError> {
        let generation = self.journal.roll()?;
        let location = self.journal.append(&mark.encode())?;
        debug_assert_eq!(location.generation, generation);
        self.journal.sync(location)?;
        self.doubts.lock().insert(generation);
        Ok(())
    }

    /// Whether some operation was ever doubtful: then they are done in the order of [`Translog::history_from`].
    pub(crate) fn has_doubts(&self) -> bool {
        !self.doubts.lock().is_empty()
    }

    fn count(&self, location: Location, seq_no: SeqNo) {
        let mut contents = self.contents.lock();
        let content = contents.entry(location.generation).or_insert(Content {
            operations: 0,
            max_seq_no: seq_no,
        });
        content.operations += 1;
        content.max_seq_no = content.max_seq_no.max(seq_no);
    }

    /// Tells that no file before this generation has an operation beyond a number.
    pub(crate) fn bound(&self, before: u64, max_seq_no: SeqNo) {
        let mut contents = self.contents.lock();
        for (generation, _) in self.journal.generations() {
            if generation < before {
                contents.entry(generation).or_insert(Content {
                    operations: 0,
                    max_seq_no,
                });
            }
        }
    }

    /// The oldest file kept that may have an operation of this number or a higher one; the current one if none may.
    pub(crate) fn first_generation_with(&self, seq_no: SeqNo) -> u64 {
        let contents = self.contents.lock();
        let generations = self.journal.generations();
        let may_have = |generation: u64| match contents.get(&generation) {
            Some(content) => content.max_seq_no >= seq_no,
            None => false,
        };
        let first = generations.iter().find(|(number, _)| may_have(*number));
        let last = generations.last();
        first.or(last).map_or(0, |(number, _)| *number)
    }

    /// Returns when the operation at `location` is on the device.
    pub fn sync(&self, location: Location) -> Result<(), JournalError> {
        self.journal.sync(location)
    }

    /// Returns when all operations so far are on the device.
    pub fn sync_all(&self) -> Result<(), JournalError> {
        self.journal.sync_all()
    }

    /// Tells the numbers of operations that became durable since the last call.
    pub fn newly_durable(&self, tell: impl FnOnce(&[SeqNo])) {
        let mut durable = Vec::new();
        let mut unsynced = self.unsynced.lock();
        unsynced.retain(|&(location, seq_no)| {
            let synced = self.journal.is_synced(location);
            if synced {
                durable.push(seq_no);
            }
            !synced
        });
        // Still locked: whoever doubts operations finds none of them on its way.
        tell(&durable);
    }

    /// Where the last operation that is not known to be durable stands.
    pub fn last_unsynced(&self) -> Option<Location> {
        let unsynced = self.unsynced.lock();
        unsynced.iter().map(|(location, _)| *location).max()
    }

    /// Whether there is anything that is not known to be durable.
    pub fn has_unsynced(&self) -> bool {
        !self.unsynced.lock().is_empty() || self.journal.has_unsynced()
    }

    /// Begins a new generation and returns its number.
    pub fn roll(&self) -> Result<u64, JournalError> {
        self.journal.roll()
    }

    /// Gives up what is older than `needed` (a generation), but keeps up to `retained_bytes` of it for other copies,
    /// in a bounded number of files, and every operation from `keep_seq_nos_from` on.
    pub fn trim(
        &self,
        needed: u64,
        retained_bytes: u64,
        keep_seq_nos_from: SeqNo,
    ) -> Result<(), JournalError> {
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
        let keep_from = keep_from.min(self.first_generation_with(keep_seq_nos_from));
        self.journal.trim_before(keep_from)?;
        let is_kept = |generation: u64| generation >= keep_from;
        self.contents.lock().retain(|&number, _| is_kept(number));
        self.doubts.lock().retain(|&number| is_kept(number));
        Ok(())
    }

    /// Operations and bytes from a generation on.
    pub fn size_from(&self, generation: u64) -> TranslogSize {
        let contents = self.contents.lock();
        let operations = contents.range(generation..).map(|(_, c)| c.operations);
        let operations = operations.sum();
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
            entries: self.entries(from_generation)?,
        })
    }

    /// The same with the marks between them.
    pub(crate) fn entries(&self, from_generation: u64) -> Result<Entries, JournalError> {
        Ok(Entries {
            replay: self.journal.replay(from_generation)?,
        })
    }

    /// Counts an operation found when the translog was opened.
    pub(crate) fn count_replayed(&self, location: Location, seq_no: SeqNo) {
        self.count(location, seq_no);
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

fn decode(record: &Record) -> Result<Entry, JournalError> {
    let entry = match Mark::decode(&record.payload) {
        Some(mark) => mark.map(Entry::Mark),
        None => Operation::decode(&record.payload).map(Entry::Operation),
    };
    entry.map_err(|reason| JournalError::Corrupt {
        file: Journal::file_name(record.location),
        offset: record.location.offset,
        reason,
    })
}

/// Records read back; the first error ends it.
#[derive(Debug)]
pub(crate) struct Entries {
    replay: Replay,
}

impl Iterator for Entries {
    type Item = Result<(Record, Entry), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = match self.replay.next()? {
            Ok(record) => record,
            Err(error) => return Some(Err(error)),
        };
        Some(decode(&record).map(|entry| (record, entry)))
    }
}

/// Operations read back; the first error ends it.
#[derive(Debug)]
pub struct Operations {
    entries: Entries,
}

impl Iterator for Operations {
    type Item = Result<(Location, Operation), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.entries.next()? {
                Ok((record, Entry::Operation(operation))) => {
                    return Some(Ok((record.location, operation)));
                }
                Ok((_, Entry::Mark(_))) => {}
                Err(error) => return Some(Err(error)),
            }
        }
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
            translog.trim(needed, u64::MAX, Mark::ALL).unwrap();
        }
        let (oldest, current) = translog.range();
        assert_eq!(current - oldest, FILES_RETAINED_MAX as u64);
        assert_eq!(translog.size_from(0).operations, FILES_RETAINED_MAX as u64);
    }
}
