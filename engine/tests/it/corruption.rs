//! Single bits are flipped in every kind of file: each is found and named, none is served.

use std::collections::BTreeMap;

use quidditch_engine::directory::faulty::{Disk, Survivors};
use quidditch_engine::shard::{GetOptions, Shard};

use crate::shards::{delete_op, durably, index_op, open, schema};

/// At most so many bits of a file are tried, evenly spread.
const FLIPS: u64 = 1500;

/// Segments with and without live docs, a commit point, and a translog with operations behind it.
fn disk() -> (Disk, BTreeMap<String, String>) {
    let schema = schema();
    let disk = Disk::new();
    let shard = open(&disk, &schema).unwrap();
    for n in 0..30 {
        shard.index(index_op(&n.to_string(), n)).unwrap();
    }
    shard.flush(true, true).unwrap();
    for n in 30..40 {
        shard.index(index_op(&n.to_string(), n)).unwrap();
    }
    for n in 0..5 {
        shard.delete(delete_op(&n.to_string())).unwrap();
    }
    shard.flush(true, true).unwrap();
    for n in 35..45 {
        shard.index(index_op(&n.to_string(), n + 100)).unwrap();
    }
    durably(&shard, shard.delete(delete_op("6"))).unwrap();
    let documents = served(&shard).unwrap();
    (disk.after_reboot(Survivors::Everything), documents)
}

/// All documents that lookups find; an error when one of them cannot be read.
fn served(shard: &Shard) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    for n in 0..50 {
        let id = n.to_string();
        let options = GetOptions::default();
        match shard.get(&id, options) {
            Ok(Some(document)) => {
                let source = String::from_utf8_lossy(&document.source).to_string();
                found.insert(id, format!("v{} {source}", document.version));
            }
            Ok(None) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(found)
}

/// Whether a message names the file: segments and their live docs also go by the segment's id.
fn names(message: &str, file: &str) -> bool {
    message.contains(file) || message.contains(file.split(['.', '-']).next().unwrap_or(file))
}

#[test]
fn every_flipped_bit_is_found_and_named() {
    let schema = schema();
    let (disk, documents) = disk();
    let mut kinds = std::collections::BTreeSet::new();
    for (folder, name) in disk.files() {
        kinds.insert((
            folder.clone(),
            name.rsplit_once('.').map(|(_, kind)| kind.to_owned()),
        ));
        let bits = disk.len(&folder, &name) * 8;
        // A stride that meets every position inside a byte.
        let stride = (bits / FLIPS).max(1) | 1;
        for bit in (0..bits).step_by(stride as usize) {
            let copy = disk.after_reboot(Survivors::Everything);
            assert!(copy.flip_bit(&folder, &name, bit));
            let at = format!("{folder}/{name} bit {bit} of {bits}");
            let shard = match open(&copy, &schema) {
                Ok(shard) => shard,
                Err(error) => {
                    let message = error.to_string();
                    assert!(names(&message, &name), "{at}: {message}");
                    continue;
                }
            };
            if let Ok(served) = served(&shard) {
                assert_eq!(served, documents, "{at}: wrong bytes were served");
            }
            match shard.verify() {
                Err(error) => {
                    let message = error.to_string();
                    assert!(names(&message, &name), "{at}: {message}");
                }
                // The mark at the very end of the translog: nothing was lost, the cut was logged.
                Ok(()) => {
                    assert!(name.starts_with("journal-"), "{at}: not found");
                    assert!(bit / 8 + 24 >= bits / 8, "{at}: not found");
                }
            }
        }
    }
    assert!(kinds.len() >= 4, "all kinds of files were tried: {kinds:?}");
}
