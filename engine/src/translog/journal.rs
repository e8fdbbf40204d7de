//! A journal: records appended to files, made durable in groups, read back after a crash.
//!
//! [`Journal::append`] only copies a record into memory and says where it will stand; [`Journal::sync`] returns
//! when it is on the device. Whoever comes first writes and syncs for all who wait. The first failed write or sync
//! ends the journal: what the device holds is then unknown, so every later call fails until it is opened anew.
//!
//! The files are specified in [`frame`](super::frame).

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::frame::{Checkpoint, HEADER_BYTES, Header, PAYLOAD_BYTES_MAX, Place};
use crate::directory::{ByteView, Directory, FileWriter};
use crate::random;

const CHECKPOINT: &str = "journal-checkpoint";
const CHECKPOINT_NEW: &str = "journal-checkpoint-new";
const GENERATION_PREFIX: &str = "journal-";
/// Appended bytes that may wait in memory before somebody writes them, synced or not.
const PENDING_BYTES_MAX: usize = 1 << 20;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// Number of the file.
    pub generation: u64,
    /// Where its frame begins, in bytes.
    pub offset: u64,
    /// Bytes of the payload.
    pub len: u32,
}

impl Location {
    fn end(&self) -> u64 {
        self.offset + super::frame::FRAME_BYTES as u64 + u64::from(self.len)
    }
}

/// Why a journal could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Bytes that had been durable are not what was written.
    #[error(
        "{file}: damaged at offset {offset}: {reason}; recover from another copy or a snapshot"
    )]
    Corrupt {
        /// The file.
        file: String,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// An earlier write or sync failed, or the journal was closed.
    #[error("the journal takes no more records: {reason}")]
    Failed {
        /// What happened.
        reason: String,
    },
    /// [`Journal::create`] found one.
    #[error("{CHECKPOINT}: a journal exists here already")]
    Exists,
    /// [`Journal::open`] found none.
    #[error("{CHECKPOINT}: no journal exists here")]
    Missing,
    /// A record that cannot be stored.
    #[error("a record has 1 to {PAYLOAD_BYTES_MAX} bytes, not {len}")]
    RecordSize {
        /// Its bytes.
        len: usize,
    },
}

impl JournalError {
    fn io(file: &str) -> impl FnOnce(io::Error) -> JournalError + '_ {
        move |source| JournalError::Io {
            file: file.to_owned(),
            source: Arc::new(source),
        }
    }

    /// True when the device has no room left.
    pub fn is_full(&self) -> bool {
        matches!(self, JournalError::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// A half-written end that [`Journal::open`] cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The file.
    pub file: String,
    /// Where the cut was made, in bytes.
    pub offset: u64,
    /// Bytes dropped.
    pub dropped: u64,
    /// What was wrong with the first of them.
    pub reason: String,
}

/// A record read back.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it stands.
    pub location: Location,
    /// Its bytes.
    pub payload: ByteView,
}

/// The journal of one directory. One instance at a time; shared by threads.
#[derive(Debug)]
pub struct Journal {
    directory: Arc<dyn Directory>,
    journal_id: u128,
    torn_tail: Option<TornTail>,
    /// Locked before `tail`, never after it.
    device: Mutex<Device>,
    tail: Mutex<Tail>,
    /// A sync ended.
    synced: Condvar,
}

struct Device {
    writer: Box<dyn FileWriter>,
    oldest: u64,
    /// Lengths of the closed generations.
    closed: BTreeMap<u64, u64>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device(generations {:?} and the current)", self.closed)
    }
}

/// What appending threads touch.
#[derive(Debug)]
struct Tail {
    generation: u64,
    /// Frames not yet handed to the system.
    pending: Vec<u8>,
    /// Where `pending` begins in the file.
    pending_start: u64,
    /// Bytes of the current generation on the device.
    synced: u64,
    /// End of the last record (not of the last mark).
    records_end: u64,
    /// One thread writes and syncs for all.
    syncing: bool,
    failed: Option<String>,
}

impl Tail {
    fn new(generation: u64, end: u64) -> Tail {
        Tail {
            generation,
            pending: Vec::new(),
            pending_start: end,
            synced: end,
            records_end: end,
            syncing: false,
            failed: None,
        }
    }

    fn end(&self) -> u64 {
        self.pending_start + self.pending.len() as u64
    }

    fn push(&mut self, journal_id: u128, payload: &[u8]) -> u64 {
        let offset = self.end();
        let place = Place {
            journal_id,
            generation: self.generation,
        };
        place.encode(&mut self.pending, offset, self.synced, payload);
        offset
    }

    fn take(&mut self) -> Vec<u8> {
        let bytes = std::mem::take(&mut self.pending);
        self.pending_start += bytes.len() as u64;
        bytes
    }

    fn is_synced(&self, location: Location) -> bool {
        location.generation < self.generation
            || (location.generation == self.generation && location.end() <= self.synced)
    }

    fn check(&self) -> Result<(), JournalError> {
        match &self.failed {
            None => Ok(()),
            Some(reason) => Err(JournalError::Failed {
                reason: reason.clone(),
            }),
        }
    }
}

fn file_name(generation: u64) -> String {
    format!("{GENERATION_PREFIX}{generation:016x}")
}

fn generation_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(GENERATION_PREFIX)?;
    if digits.len() != 16 {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

impl Journal {
    /// Tells whether a directory holds a journal.
    pub fn exists(directory: &dyn Directory) -> io::Result<bool> {
        Ok(directory.list()?.iter().any(|name| name == CHECKPOINT))
    }

    /// The file in which a record stands.
    pub fn file_name(location: Location) -> String {
        file_name(location.generation)
    }

    /// Removes the journal of a directory, if there is one; other files stay.
    pub fn remove(directory: &dyn Directory) -> Result<(), JournalError> {
        let names = directory.list().map_err(JournalError::io(CHECKPOINT))?;
        if names.iter().any(|name| name == CHECKPOINT) {
            // First of all: without it the rest is no journal, whatever of it is left by a crash.
            directory
                .delete(CHECKPOINT)
                .and_then(|()| directory.sync_names())
                .map_err(JournalError::io(CHECKPOINT))?;
        }
        for name in names {
            if name == CHECKPOINT_NEW || generation_of(&name).is_some() {
                directory.delete(&name).map_err(JournalError::io(&name))?;
            }
        }
        Ok(())
    }

    /// Makes an empty journal; leftovers of an unfinished creation are removed.
    pub fn create(directory: Arc<dyn Directory>) -> Result<Journal, JournalError> {
        let names = directory.list().map_err(JournalError::io(CHECKPOINT))?;
        if names.iter().any(|name| name == CHECKPOINT) {
            return Err(JournalError::Exists);
        }
        for name in names {
            if name.starts_with(GENERATION_PREFIX) {
                directory.delete(&name).map_err(JournalError::io(&name))?;
            }
        }
        let journal_id = random::draw_u128().map_err(JournalError::io(CHECKPOINT))?;
        let writer = create_generation(&*directory, journal_id, 1, 0)?;
        let checkpoint = Checkpoint {
            journal_id,
            oldest: 1,
            current: 1,
            synced: HEADER_BYTES as u64,
        };
        write_checkpoint(&*directory, &checkpoint)?;
        Ok(Journal {
            directory,
            journal_id,
            torn_tail: None,
            device: Mutex::new(Device {
                writer,
                oldest: 1,
                closed: BTreeMap::new(),
            }),
            tail: Mutex::new(Tail::new(1, HEADER_BYTES as u64)),
            synced: Condvar::new(),
        })
    }

    /// Opens a journal, checks its last generation and cuts a torn tail. Closed generations are checked by their
    /// headers and lengths now, frame by frame in [`Journal::replay`].
    pub fn open(directory: Arc<dyn Directory>) -> Result<Journal, JournalError> {
        let names = directory.list().map_err(JournalError::io(CHECKPOINT))?;
        if !names.iter().any(|name| name == CHECKPOINT) {
            return Err(JournalError::Missing);
        }
        let checkpoint = read_checkpoint(&*directory)?;
        let kept = checkpoint.oldest..=checkpoint.current;
        for name in &names {
            let leftover = match generation_of(name) {
                Some(generation) => !kept.contains(&generation),
                None => name == CHECKPOINT_NEW,
            };
            if leftover {
                directory.delete(name).map_err(JournalError::io(name))?;
            }
        }
        let mut closed = BTreeMap::new();
        let mut last = None;
        for generation in kept {
            let name = file_name(generation);
            let bytes = open_generation(&*directory, &name)?;
            let header = check_header(&name, &bytes, checkpoint.journal_id, generation)?;
            if let Some((&before, &len)) = closed.last_key_value()
                && len != header.previous_end
            {
                return Err(JournalError::Corrupt {
                    file: file_name(before),
                    offset: len,
                    reason: format!(
                        "the file has {len} bytes, it had {} when it was closed",
                        header.previous_end
                    ),
                });
            }
            if generation == checkpoint.current {
                last = Some((name, bytes));
            } else {
                closed.insert(generation, bytes.len() as u64);
            }
        }
        let (name, bytes) = last.expect("the checkpoint's range is not empty: checked in decode()");
        let (end, torn_tail) = find_end(&name, &bytes, &checkpoint)?;
        drop(bytes);
        let mut writer = directory
            .append(&name, end)
            .map_err(JournalError::io(&name))?;
        writer.sync().map_err(JournalError::io(&name))?;
        if let Some(torn) = &torn_tail {
            tracing::warn!(
                file = torn.file,
                offset = torn.offset,
                dropped_bytes = torn.dropped,
                reason = torn.reason,
                "cut the half-written end of a journal"
            );
        }
        Ok(Journal {
            directory,
            journal_id: checkpoint.journal_id,
            torn_tail,
            device: Mutex::new(Device {
                writer,
                oldest: checkpoint.oldest,
                closed,
            }),
            tail: Mutex::new(Tail::new(checkpoint.current, end)),
            synced: Condvar::new(),
        })
    }

    /// The half-written end that was cut when the journal was opened.
    pub fn torn_tail(&self) -> Option<&TornTail> {
        self.torn_tail.as_ref()
    }

    /// Takes a record. It is durable once [`Journal::sync`] returned for its location.
    pub fn append(&self, payload: &[u8]) -> Result<Location, JournalError> {
        if payload.is_empty() || payload.len() > PAYLOAD_BYTES_MAX {
            return Err(JournalError::RecordSize { len: payload.len() });
        }
        let mut tail = self.tail.lock();
        tail.check()?;
        let offset = tail.push(self.journal_id, payload);
        tail.records_end = tail.end();
        let location = Location {
            generation: tail.generation,
            offset,
            len: payload.len() as u32,
        };
        let much = tail.pending.len() >= PENDING_BYTES_MAX;
        drop(tail);
        if much {
            self.write_pending()?;
        }
        Ok(location)
    }

    /// Returns when the record at `location` is on the device; one device sync serves all who wait.
    pub fn sync(&self, location: Location) -> Result<(), JournalError> {
        let mut tail = self.tail.lock();
        loop {
            if tail.is_synced(location) {
                return Ok(());
            }
            tail.check()?;
            if tail.syncing {
                self.synced.wait(&mut tail);
                continue;
            }
            tail.syncing = true;
            drop(tail);
            let outcome = self.write_and_sync();
            tail = self.tail.lock();
            tail.syncing = false;
            self.synced.notify_all();
            // A journal that was closed meanwhile may have synced the record as its last deed.
            if !tail.is_synced(location) {
                outcome?;
            }
        }
    }

    /// Makes all records appended so far durable.
    pub fn sync_all(&self) -> Result<(), JournalError> {
        let last = {
            let tail = self.tail.lock();
            Location {
                generation: tail.generation,
                offset: tail
                    .records_end
                    .saturating_sub(super::frame::FRAME_BYTES as u64),
                len: 0,
            }
        };
        self.sync(last)
    }

    /// Tells whether a record is on the device.
    pub fn is_synced(&self, location: Location) -> bool {
        self.tail.lock().is_synced(location)
    }

    /// Whether there are records that are not on the device.
    pub fn has_unsynced(&self) -> bool {
        let tail = self.tail.lock();
        tail.records_end > tail.synced
    }

    /// The reason why the journal takes no more records.
    pub fn failure(&self) -> Option<String> {
        self.tail.lock().failed.clone()
    }

    /// Hands pending frames to the system without a sync.
    fn write_pending(&self) -> Result<(), JournalError> {
        let mut device = self.device.lock();
        let (name, bytes) = {
            let mut tail = self.tail.lock();
            tail.check()?;
            (file_name(tail.generation), tail.take())
        };
        let outcome = device.writer.write_all(&bytes);
        outcome.map_err(|error| self.fail(&name, error))
    }

    /// Writes and syncs what is pending, then leaves a mark that says so.
    fn write_and_sync(&self) -> Result<(), JournalError> {
        let mut device = self.device.lock();
        let (name, bytes, end) = {
            let mut tail = self.tail.lock();
            tail.check()?;
            let bytes = tail.take();
            let end = tail.pending_start;
            // Stands before all records that come meanwhile; written only if the sync succeeds.
            let before = std::mem::replace(&mut tail.synced, end);
            tail.push(self.journal_id, &[]);
            tail.synced = before;
            (file_name(tail.generation), bytes, end)
        };
        let outcome = device.writer.write_and_sync(&bytes);
        outcome.map_err(|error| self.fail(&name, error))?;
        let mark = {
            let mut tail = self.tail.lock();
            tail.synced = end;
            self.synced.notify_all();
            tail.take()
        };
        // Whoever waited has what he asked for; a failure here is for those who come next.
        if let Err(error) = device.writer.write_all(&mark) {
            self.fail(&name, error);
        }
        Ok(())
    }

    /// Ends the journal: what the device holds is unknown now.
    fn fail(&self, file: &str, error: io::Error) -> JournalError {
        let error = JournalError::io(file)(error);
        let mut tail = self.tail.lock();
        if tail.failed.is_none() {
            tail.failed = Some(error.to_string());
            tracing::error!(%error, "a journal failed and takes no more records");
        }
        self.synced.notify_all();
        error
    }

    /// Closes the current file and begins the next; returns its number. All earlier records are durable then.
    ///
    /// A current file without a record is as good as the next one, and stays.
    pub fn roll(&self) -> Result<u64, JournalError> {
        // Most of the work before anybody has to wait.
        self.sync_all()?;
        let mut device = self.device.lock();
        let mut tail = self.tail.lock();
        tail.check()?;
        if tail.records_end == HEADER_BYTES as u64 {
            return Ok(tail.generation);
        }
        let bytes = tail.take();
        let (closing, end) = (tail.generation, tail.pending_start);
        let generation = closing + 1;
        let outcome = device
            .writer
            .write_and_sync(&bytes)
            .map_err(JournalError::io(&file_name(closing)))
            .and_then(|()| create_generation(&*self.directory, self.journal_id, generation, end))
            .and_then(|writer| {
                let checkpoint = Checkpoint {
                    journal_id: self.journal_id,
                    oldest: device.oldest,
                    current: generation,
                    synced: HEADER_BYTES as u64,
                };
                write_checkpoint(&*self.directory, &checkpoint).map(|()| writer)
            });
        match outcome {
            Ok(writer) => {
                device.writer = writer;
                device.closed.insert(closing, end);
                let syncing = tail.syncing;
                *tail = Tail::new(generation, HEADER_BYTES as u64);
                tail.syncing = syncing;
                self.synced.notify_all();
                Ok(generation)
            }
            Err(error) => {
                tail.failed = Some(error.to_string());
                tracing::error!(%error, "a journal failed and takes no more records");
                self.synced.notify_all();
                Err(error)
            }
        }
    }

    /// Removes all generations before this one; the current one always stays.
    pub fn trim_before(&self, generation: u64) -> Result<(), JournalError> {
        let mut device = self.device.lock();
        let (current, synced) = {
            let tail = self.tail.lock();
            tail.check()?;
            (tail.generation, tail.synced)
        };
        let generation = generation.min(current);
        if generation <= device.oldest {
            return Ok(());
        }
        let checkpoint = Checkpoint {
            journal_id: self.journal_id,
            oldest: generation,
            current,
            synced,
        };
        write_checkpoint(&*self.directory, &checkpoint)?;
        // From here on the files are no part of the journal, whether they go or not: no later checkpoint names them.
        let before = std::mem::replace(&mut device.oldest, generation);
        device.closed = device.closed.split_off(&generation);
        for old in before..generation {
            let name = file_name(old);
            match self.directory.delete(&name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(file = name, %error, "a file that the journal gave up stays until the next open");
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Number of the file that grows.
    pub fn generation(&self) -> u64 {
        self.tail.lock().generation
    }

    /// Generations kept, oldest first, with their bytes.
    pub fn generations(&self) -> Vec<(u64, u64)> {
        let device = self.device.lock();
        let tail = self.tail.lock();
        let mut all: Vec<(u64, u64)> = device.closed.iter().map(|(&g, &len)| (g, len)).collect();
        all.push((tail.generation, tail.end()));
        all
    }

    /// Bytes of all generations kept.
    pub fn size_bytes(&self) -> u64 {
        self.generations().iter().map(|(_, len)| len).sum()
    }

    /// Reads the records from the start of a generation (or of the oldest kept) to those appended last, in order.
    pub fn replay(&self, from_generation: u64) -> Result<Replay, JournalError> {
        self.write_pending()?;
        let device = self.device.lock();
        let (current, written) = {
            let tail = self.tail.lock();
            (tail.generation, tail.pending_start)
        };
        // Opened while nobody can give them up: a file stays readable when its name goes.
        let mut files = VecDeque::new();
        for generation in from_generation.max(device.oldest)..=current {
            let name = file_name(generation);
            let bytes = open_generation(&*self.directory, &name)?;
            let end = match device.closed.get(&generation) {
                Some(len) => *len,
                None => written,
            };
            files.push_back(ReplayFile {
                generation,
                bytes,
                offset: 0,
                end,
            });
        }
        Ok(Replay {
            journal_id: self.journal_id,
            files,
        })
    }

    /// The first record of a generation, if it has one.
    pub fn first_of(&self, generation: u64) -> Result<Option<Record>, JournalError> {
        let bytes = open_generation(&*self.directory, &file_name(generation))?;
        let end = match self.device.lock().closed.get(&generation) {
            Some(len) => *len,
            None => self.tail.lock().pending_start,
        };
        let mut file = ReplayFile {
            generation,
            bytes,
            offset: 0,
            end,
        };
        file.step(self.journal_id)
    }

    /// Reads one record back.
    pub fn read(&self, location: Location) -> Result<ByteView, JournalError> {
        self.write_pending()?;
        let name = file_name(location.generation);
        let bytes = open_generation(&*self.directory, &name)?;
        let place = Place {
            journal_id: self.journal_id,
            generation: location.generation,
        };
        let corrupt = |reason| JournalError::Corrupt {
            file: name.clone(),
            offset: location.offset,
            reason,
        };
        let offset = usize::try_from(location.offset).unwrap_or(usize::MAX);
        let frame = place.decode(&bytes, offset).map_err(corrupt)?;
        let payload = bytes.slice(frame.payload_start..frame.end());
        payload.ok_or_else(|| corrupt("the payload reaches past the end".to_owned()))
    }

    /// Makes everything durable and takes no more records; the next open needs no search for a torn tail.
    pub fn close(&self) -> Result<(), JournalError> {
        self.sync_all()?;
        let mut device = self.device.lock();
        let mut tail = self.tail.lock();
        tail.check()?;
        let bytes = tail.take();
        let name = file_name(tail.generation);
        tail.failed = Some("it was closed".to_owned());
        self.synced.notify_all();
        device
            .writer
            .write_and_sync(&bytes)
            .map_err(JournalError::io(&name))?;
        tail.synced = tail.pending_start;
        let checkpoint = Checkpoint {
            journal_id: self.journal_id,
            oldest: device.oldest,
            current: tail.generation,
            synced: tail.pending_start,
        };
        write_checkpoint(&*self.directory, &checkpoint)
    }
}

/// Reads records in order; made by [`Journal::replay`]. The first error ends it.
#[derive(Debug)]
pub struct Replay {
    journal_id: u128,
    /// What is still to be read.
    files: VecDeque<ReplayFile>,
}

#[derive(Debug)]
struct ReplayFile {
    generation: u64,
    bytes: ByteView,
    /// The next frame; 0 before the header was checked.
    offset: usize,
    /// Where its records end.
    end: u64,
}

impl ReplayFile {
    /// The next record; `None` at the end.
    fn step(&mut self, journal_id: u128) -> Result<Option<Record>, JournalError> {
        let name = file_name(self.generation);
        if self.offset == 0 {
            check_header(&name, &self.bytes, journal_id, self.generation)?;
            self.offset = HEADER_BYTES;
        }
        let place = Place {
            journal_id,
            generation: self.generation,
        };
        while (self.offset as u64) < self.end {
            let offset = self.offset;
            let corrupt = |reason| JournalError::Corrupt {
                file: name.clone(),
                offset: offset as u64,
                reason,
            };
            let frame = place.decode(&self.bytes, offset).map_err(corrupt)?;
            self.offset = frame.end();
            if frame.payload_len == 0 {
                continue;
            }
            let payload = self.bytes.slice(frame.payload_start..frame.end());
            let payload =
                payload.ok_or_else(|| corrupt("the payload reaches past the end".to_owned()))?;
            let location = Location {
                generation: self.generation,
                offset: offset as u64,
                len: frame.payload_len as u32,
            };
            return Ok(Some(Record { location, payload }));
        }
        Ok(None)
    }
}

impl Iterator for Replay {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(file) = self.files.front_mut() {
            match file.step(self.journal_id) {
                Ok(Some(record)) => return Some(Ok(record)),
                Ok(None) => {
                    self.files.pop_front();
                }
                Err(error) => {
                    self.files.clear();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

fn create_generation(
    directory: &dyn Directory,
    journal_id: u128,
    generation: u64,
    previous_end: u64,
) -> Result<Box<dyn FileWriter>, JournalError> {
    let name = file_name(generation);
    let header = Header {
        generation,
        journal_id,
        previous_end,
    };
    let make = || {
        let mut writer = directory.create(&name)?;
        writer.write_and_sync(&header.encode())?;
        directory.sync_names()?;
        Ok(writer)
    };
    make().map_err(JournalError::io(&name))
}

fn write_checkpoint(
    directory: &dyn Directory,
    checkpoint: &Checkpoint,
) -> Result<(), JournalError> {
    let write = || {
        match directory.delete(CHECKPOINT_NEW) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut writer = directory.create(CHECKPOINT_NEW)?;
        writer.write_and_sync(&checkpoint.encode())?;
        directory.rename(CHECKPOINT_NEW, CHECKPOINT)?;
        directory.sync_names()
    };
    write().map_err(JournalError::io(CHECKPOINT))
}

fn read_checkpoint(directory: &dyn Directory) -> Result<Checkpoint, JournalError> {
    let bytes = directory
        .open(CHECKPOINT)
        .map_err(JournalError::io(CHECKPOINT))?;
    Checkpoint::decode(&bytes).map_err(|reason| JournalError::Corrupt {
        file: CHECKPOINT.to_owned(),
        offset: 0,
        reason,
    })
}

fn open_generation(directory: &dyn Directory, name: &str) -> Result<ByteView, JournalError> {
    directory.open(name).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            return JournalError::Corrupt {
                file: name.to_owned(),
                offset: 0,
                reason: "the file is missing".to_owned(),
            };
        }
        JournalError::io(name)(error)
    })
}

fn check_header(
    name: &str,
    bytes: &[u8],
    journal_id: u128,
    generation: u64,
) -> Result<Header, JournalError> {
    let corrupt = |reason| JournalError::Corrupt {
        file: name.to_owned(),
        offset: 0,
        reason,
    };
    let header = Header::decode(bytes).map_err(corrupt)?;
    if header.journal_id != journal_id {
        return Err(corrupt("the file belongs to another journal".to_owned()));
    }
    if header.generation != generation {
        return Err(corrupt(format!(
            "the file says generation {}, its name {generation}",
            header.generation
        )));
    }
    Ok(header)
}

/// Goes through the frames of the last generation and decides what a bad one means.
fn find_end(
    name: &str,
    bytes: &[u8],
    checkpoint: &Checkpoint,
) -> Result<(u64, Option<TornTail>), JournalError> {
    let place = Place {
        journal_id: checkpoint.journal_id,
        generation: checkpoint.current,
    };
    let mut offset = HEADER_BYTES;
    while offset < bytes.len() {
        match place.decode(bytes, offset) {
            Ok(frame) => offset = frame.end(),
            Err(reason) => {
                if (offset as u64) < checkpoint.synced || place.was_synced(bytes, offset) {
                    return Err(JournalError::Corrupt {
                        file: name.to_owned(),
                        offset: offset as u64,
                        reason,
                    });
                }
                let torn = TornTail {
                    file: name.to_owned(),
                    offset: offset as u64,
                    dropped: (bytes.len() - offset) as u64,
                    reason,
                };
                return Ok((offset as u64, Some(torn)));
            }
        }
    }
    if (offset as u64) < checkpoint.synced {
        return Err(JournalError::Corrupt {
            file: name.to_owned(),
            offset: offset as u64,
            reason: format!(
                "the file ends here, {} bytes had been synced",
                checkpoint.synced
            ),
        });
    }
    Ok((offset as u64, None))
}

#[cfg(test)]
mod tests;
