//! A simulated disk that fails on demand: it loses power, fills up, or loses a sync. For tests.
//!
//! It keeps two states: what the programs see, and what the device holds. A sync moves the bytes of one file,
//! [`Directory::sync_names`] the names of one folder, from the first to the second. Everything that changes the
//! first state is an *event*; the power can go before any of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;

use super::ram::cut;
use super::{ByteView, Directory, FileWriter, already_exists, check_name, not_found};
use crate::random;

type FileNumber = usize;
/// (folder, name).
type Name = (String, String);

#[derive(Clone, Debug, Default)]
struct File {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// A failed sync: the system forgot that these bytes were never written.
    lost: bool,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<File>,
    seen: BTreeMap<Name, FileNumber>,
    durable: BTreeMap<Name, FileNumber>,
    events: u64,
    power_until: Option<u64>,
    syncs: u64,
    failing_sync: Option<u64>,
    capacity: Option<u64>,
}

/// One simulated disk; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    state: Arc<Mutex<State>>,
}

/// What remains, after a power cut, of changes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// Nothing: the worst case for those who forgot to sync.
    Nothing,
    /// Some blocks of 512 bytes and some names, by a random choice: the worst case for those who rely on order.
    Some {
        /// Decides which.
        seed: u64,
    },
    /// Everything, as when the process dies but not the machine.
    Everything,
}

impl Disk {
    /// An empty disk without faults.
    pub fn new() -> Disk {
        Disk::default()
    }

    /// A folder of this disk.
    pub fn directory(&self, folder: &str) -> Arc<dyn Directory> {
        Arc::new(FaultyDirectory {
            folder: folder.to_owned(),
            disk: self.clone(),
        })
    }

    /// How many events there were so far.
    pub fn events(&self) -> u64 {
        self.state.lock().events
    }

    /// Cuts the power before the event with this number (the first is 0): it and all after it fail.
    pub fn cut_power_before(&self, event: u64) {
        self.state.lock().power_until = Some(event);
    }

    /// Lets the sync with this number (the first after creation is 0) fail, and forgets the bytes it was for.
    pub fn fail_sync(&self, number: u64) {
        self.state.lock().failing_sync = Some(number);
    }

    /// How many file syncs there were so far.
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// Limits the bytes of all files together; more fails with `StorageFull`. `None`: no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// The bytes of all files as programs see them.
    pub fn used(&self) -> u64 {
        self.state.lock().used()
    }

    /// The disk as it is found after the power came back.
    pub fn after_reboot(&self, survivors: Survivors) -> Disk {
        let state = self.state.lock();
        let mut random = Random(match survivors {
            Survivors::Some { seed } => seed,
            _ => 0,
        });
        let mut after = State::default();
        for file in &state.files {
            let content = match survivors {
                Survivors::Nothing => file.durable.clone(),
                Survivors::Everything if file.lost => file.durable.clone(),
                Survivors::Everything => file.seen.clone(),
                Survivors::Some { .. } => torn(file, &mut random),
            };
            after.files.push(File {
                seen: content.clone(),
                durable: content,
                lost: false,
            });
        }
        after.durable = match survivors {
            Survivors::Nothing => state.durable.clone(),
            Survivors::Everything => state.seen.clone(),
            Survivors::Some { .. } => some_names(&state, &mut random),
        };
        after.seen = after.durable.clone();
        Disk {
            state: Arc::new(Mutex::new(after)),
        }
    }

    /// Names of all files as (folder, name).
    pub fn files(&self) -> Vec<(String, String)> {
        self.state.lock().seen.keys().cloned().collect()
    }

    /// Size of a file in bytes; 0 when it does not exist.
    pub fn len(&self, folder: &str, name: &str) -> u64 {
        let state = self.state.lock();
        match state.seen.get(&(folder.to_owned(), name.to_owned())) {
            Some(&number) => state.files[number].seen.len() as u64,
            None => 0,
        }
    }

    /// Turns one bit of a file around, on the device and in what is seen; false when there is no such bit.
    pub fn flip_bit(&self, folder: &str, name: &str, bit: u64) -> bool {
        let mut state = self.state.lock();
        let Some(&number) = state.seen.get(&(folder.to_owned(), name.to_owned())) else {
            return false;
        };
        let file = &mut state.files[number];
        let (byte, mask) = ((bit / 8) as usize, 1u8 << (bit % 8));
        if byte >= file.seen.len() {
            return false;
        }
        file.seen[byte] ^= mask;
        if let Some(durable) = file.durable.get_mut(byte) {
            *durable ^= mask;
        }
        true
    }
}

/// The durable bytes and some of the 512-byte blocks written since; the others read as zeros.
fn torn(file: &File, random: &mut Random) -> Vec<u8> {
    const BLOCK: usize = 512;
    if file.lost || file.seen == file.durable {
        return file.durable.clone();
    }
    let longest = file.seen.len().max(file.durable.len());
    let shortest = file.durable.len().min(file.seen.len());
    let len = shortest + random.below((longest - shortest) as u64 + 1) as usize;
    let mut content = file.durable.clone();
    content.resize(len, 0);
    let mut start = 0;
    while start < len {
        let end = (start + BLOCK).min(len);
        if random.below(2) == 0 && end <= file.seen.len() {
            content[start..end].copy_from_slice(&file.seen[start..end]);
        }
        start = end;
    }
    content
}

/// The durable names and some of the changes since; a rename is whole or not at all.
fn some_names(state: &State, random: &mut Random) -> BTreeMap<Name, FileNumber> {
    let mut names = state.durable.clone();
    let changed: BTreeSet<&Name> = state.seen.keys().chain(state.durable.keys()).collect();
    let mut decided: BTreeMap<FileNumber, bool> = BTreeMap::new();
    for name in changed {
        let (before, now) = (state.durable.get(name), state.seen.get(name));
        if before == now {
            continue;
        }
        let number = *now.or(before).expect("a name of one of the two maps");
        if !*decided
            .entry(number)
            .or_insert_with(|| random.below(2) == 0)
        {
            continue;
        }
        match now {
            Some(&number) => names.insert(name.clone(), number),
            None => names.remove(name),
        };
    }
    names
}

/// The same seed gives the same numbers.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        let (number, state) = random::next(self.0);
        self.0 = state;
        number % limit
    }
}

impl State {
    fn used(&self) -> u64 {
        let named: BTreeSet<FileNumber> = self.seen.values().copied().collect();
        named
            .iter()
            .map(|&number| self.files[number].seen.len() as u64)
            .sum()
    }

    fn event(&mut self) -> io::Result<()> {
        if self.power_until.is_some_and(|limit| self.events >= limit) {
            return Err(io::Error::other("the power is off"));
        }
        self.events += 1;
        Ok(())
    }
}

#[derive(Debug)]
struct FaultyDirectory {
    folder: String,
    disk: Disk,
}

impl FaultyDirectory {
    fn key(&self, name: &str) -> Name {
        (self.folder.clone(), name.to_owned())
    }
}

impl Directory for FaultyDirectory {
    fn create(&self, name: &str) -> io::Result<Box<dyn FileWriter>> {
        check_name(name)?;
        let mut state = self.disk.state.lock();
        state.event()?;
        let key = self.key(name);
        if state.seen.contains_key(&key) {
            return Err(already_exists(name));
        }
        let number = state.files.len();
        state.files.push(File::default());
        state.seen.insert(key, number);
        Ok(Box::new(FaultyWriter {
            number,
            disk: self.disk.clone(),
        }))
    }

    fn open(&self, name: &str) -> io::Result<ByteView> {
        let state = self.disk.state.lock();
        let number = *state
            .seen
            .get(&self.key(name))
            .ok_or_else(|| not_found(name))?;
        Ok(ByteView::new(state.files[number].seen.clone()))
    }

    fn append(&self, name: &str, len: u64) -> io::Result<Box<dyn FileWriter>> {
        let mut state = self.disk.state.lock();
        state.event()?;
        let number = *state
            .seen
            .get(&self.key(name))
            .ok_or_else(|| not_found(name))?;
        cut(name, &mut state.files[number].seen, len)?;
        Ok(Box::new(FaultyWriter {
            number,
            disk: self.disk.clone(),
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(to)?;
        let mut state = self.disk.state.lock();
        state.event()?;
        let number = state
            .seen
            .remove(&self.key(from))
            .ok_or_else(|| not_found(from))?;
        state.seen.insert(self.key(to), number);
        Ok(())
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        state.event()?;
        let removed = state.seen.remove(&self.key(name));
        removed.map(|_| ()).ok_or_else(|| not_found(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.disk.state.lock();
        let in_folder = state.seen.keys().filter(|key| key.0 == self.folder);
        Ok(in_folder.map(|key| key.1.clone()).collect())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        state.event()?;
        let seen: Vec<(Name, FileNumber)> = state
            .seen
            .iter()
            .filter(|(key, _)| key.0 == self.folder)
            .map(|(key, &number)| (key.clone(), number))
            .collect();
        state.durable.retain(|key, _| key.0 != self.folder);
        state.durable.extend(seen);
        Ok(())
    }
}

struct FaultyWriter {
    number: FileNumber,
    disk: Disk,
}

impl Write for FaultyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state.lock();
        state.event()?;
        let mut len = bytes.len();
        if let Some(capacity) = state.capacity {
            let free = capacity.saturating_sub(state.used());
            len = len.min(usize::try_from(free).unwrap_or(usize::MAX));
            if len == 0 && !bytes.is_empty() {
                return Err(io::Error::new(
                    io::ErrorKind::StorageFull,
                    "no space left on device",
                ));
            }
        }
        state.files[self.number]
            .seen
            .extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for FaultyWriter {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        state.event()?;
        let number = state.syncs;
        state.syncs += 1;
        let failing = state.failing_sync == Some(number);
        let file = &mut state.files[self.number];
        if failing {
            file.lost = true;
            return Err(io::Error::other("input/output error during sync"));
        }
        if !file.lost {
            file.durable = file.seen.clone();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_synced_survives() {
        let disk = Disk::new();
        let folder = disk.directory("d");
        let mut kept = folder.create("kept").unwrap();
        kept.write_and_sync(b"safe").unwrap();
        folder.sync_names().unwrap();
        kept.write_all(b" lost").unwrap();
        folder.create("nameless").unwrap().sync().unwrap();
        assert_eq!(&*folder.open("kept").unwrap(), b"safe lost");

        let after = disk.after_reboot(Survivors::Nothing).directory("d");
        assert_eq!(after.list().unwrap(), ["kept"]);
        assert_eq!(&*after.open("kept").unwrap(), b"safe");
        let after = disk.after_reboot(Survivors::Everything).directory("d");
        assert_eq!(after.list().unwrap(), ["kept", "nameless"]);
        assert_eq!(&*after.open("kept").unwrap(), b"safe lost");
    }

    #[test]
    fn a_random_survivor_never_loses_synced_bytes() {
        let disk = Disk::new();
        let folder = disk.directory("d");
        let mut file = folder.create("f").unwrap();
        file.write_and_sync(&[1; 700]).unwrap();
        folder.sync_names().unwrap();
        file.write_all(&[2; 3000]).unwrap();
        for seed in 0..50 {
            let after = disk.after_reboot(Survivors::Some { seed }).directory("d");
            let bytes = after.open("f").unwrap();
            assert!(bytes.len() >= 700);
            assert!(bytes[..700].iter().all(|&b| b == 1), "seed {seed}");
        }
    }

    #[test]
    fn power_capacity_and_syncs_fail_on_demand() {
        let disk = Disk::new();
        let folder = disk.directory("d");
        let mut file = folder.create("f").unwrap();
        folder.sync_names().unwrap();
        disk.set_capacity(Some(4));
        let error = file.write_all(b"12345").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        disk.set_capacity(None);
        disk.fail_sync(0);
        assert!(file.sync().is_err());
        file.sync().unwrap();
        let after = disk.after_reboot(Survivors::Everything).directory("d");
        assert_eq!(&*after.open("f").unwrap(), b"");
        disk.cut_power_before(disk.events());
        assert!(file.write_all(b"x").is_err());
        assert!(folder.delete("f").is_err());
    }
}
