//! Copies of one shard, each on its own simulated disk, for the tests beside this file.

use std::sync::Arc;

use quidditch_engine::directory::faulty::{Disk, Survivors};
use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::shard::{CopyRole, InstallError, SegmentList, Shard, Shipment};
use quidditch_engine::translog::Operation;

use crate::shards::{INDEX, parts};

/// Bytes of a file that are sent at once.
const PART_BYTES: usize = 700;

/// One copy of a shard.
pub struct Copy {
    pub disk: Disk,
    pub shard: Shard,
}

pub fn open_as(disk: &Disk, schema: &Arc<IndexSchema>, role: CopyRole, term: u64) -> Shard {
    let create = !Shard::exists(&*disk.directory(INDEX)).unwrap();
    let mut parts = parts(disk, schema, create);
    parts.role = role;
    parts.alone = false;
    parts.primary_term = PrimaryTerm(term);
    Shard::open(parts).unwrap()
}

impl Copy {
    pub fn new(schema: &Arc<IndexSchema>, role: CopyRole) -> Copy {
        let disk = Disk::new();
        let shard = open_as(&disk, schema, role, 1);
        Copy { disk, shard }
    }

    /// Loses power, and everything that was not synced with it.
    pub fn crash(&mut self, schema: &Arc<IndexSchema>, role: CopyRole, term: u64) {
        self.disk = self.disk.after_reboot(Survivors::Nothing);
        self.shard = open_as(&self.disk, schema, role, term);
    }
}

/// The operations of a copy from a number on, which must all be there.
pub fn operations_from(shard: &Shard, seq_no: i64) -> Vec<Operation> {
    let history = shard.operations_from(SeqNo(seq_no)).unwrap();
    history.expect("they were retained").collect()
}

/// Sends operations, and waits for them to be durable.
pub fn replicate(to: &Shard, term: u64, operations: &[Operation], global: i64) {
    let location = to
        .append_replicated(PrimaryTerm(term), operations, SeqNo(global))
        .unwrap();
    if let Some(location) = location {
        to.ensure_synced(location).unwrap();
    }
}

/// Copies the files of a list that a replica lacks; answers how many bytes that were.
pub fn copy_files(shipment: &Shipment, to: &Shard) -> u64 {
    let mut copied = 0;
    for wanted in to.missing(shipment.list()) {
        let mut offset = to.staged_len(&wanted.file);
        assert_eq!(offset, wanted.staged);
        while offset < wanted.len {
            let part = shipment.read(&wanted.file, offset, PART_BYTES).unwrap();
            to.stage(&wanted.file, offset, &part).unwrap();
            offset += part.len() as u64;
            copied += part.len() as u64;
        }
    }
    copied
}

/// Has a replica show what the primary shows.
pub fn ship(from: &Shard, to: &Shard) -> Result<bool, InstallError> {
    let shipment = from.shipment();
    copy_files(&shipment, to);
    to.install(shipment.list())
}

/// Gives a replica all that the primary shows, whatever it has.
pub fn recover_from(from: &Shard, to: &Shard) -> SegmentList {
    let shipment = from.shipment();
    copy_files(&shipment, to);
    to.install_base(shipment.list()).unwrap();
    shipment.list().clone()
}
