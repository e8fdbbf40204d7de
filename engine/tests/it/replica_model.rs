//! Three copies of a shard driven at random, beside a plain list of operations: writes, refreshes, flushes, merges,
//! shipments, power cuts, promotions, roll backs. What every in-sync copy had synced is never lost; what a replica shows
//! is what the primary showed, and nothing that it has not synced; whoever becomes the primary goes on with the list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::shard::{
    CopyRole, FileName, GetOptions, InstallError, RollBack, Shard, Shipment, VersionCheck,
    WriteError,
};
use quidditch_engine::translog::{Operation, OperationKind};

use crate::copies::{Copy, copy_files, replicate};
use crate::shards::{body, delete_op, durably, index_op, schema, visible};

const COPIES: usize = 3;
const IDS: u8 = 6;

#[derive(Clone, Debug)]
enum Step {
    Index(u8),
    Delete(u8),
    /// With a version of the client's.
    IndexExternal(u8, u64),
    /// Operations of the primary reach a copy: those whose bit is set, in this or the other order; synced or not.
    Replicate(usize, u8, bool, bool),
    /// The primary tells a copy what all in-sync copies have.
    Heartbeat(usize),
    Refresh,
    Merge,
    Flush(usize, bool),
    Ship(usize),
    /// A bit of what is shipped is turned.
    ShipDamaged(usize, u16),
    /// A replica loses power.
    Crash(usize),
    /// All lose power; the primary is the primary again.
    CrashAll,
    /// Another copy becomes the primary; the old one lost power or not.
    Promote(usize, bool),
    /// A replica is no longer waited for.
    Drop(usize),
    /// A replica is brought up to date, and waited for again.
    Recover(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (id, copy) = (0..IDS, 0..COPIES);
    let step = prop_oneof![
        8 => id.clone().prop_map(Step::Index),
        4 => id.clone().prop_map(Step::Delete),
        3 => (id, 0u64..9).prop_map(|(id, version)| Step::IndexExternal(id, version)),
        8 => (copy.clone(), any::<u8>(), any::<bool>(), any::<bool>())
            .prop_map(|(copy, which, turned, sync)| Step::Replicate(copy, which, turned, sync)),
        4 => copy.clone().prop_map(|copy| Step::Replicate(copy, 255, false, true)),
        3 => copy.clone().prop_map(Step::Heartbeat),
        4 => Just(Step::Refresh),
        1 => Just(Step::Merge),
        3 => (copy.clone(), any::<bool>()).prop_map(|(copy, force)| Step::Flush(copy, force)),
        5 => copy.clone().prop_map(Step::Ship),
        1 => (copy.clone(), any::<u16>()).prop_map(|(copy, bit)| Step::ShipDamaged(copy, bit)),
        2 => copy.clone().prop_map(Step::Crash),
        1 => Just(Step::CrashAll),
        3 => (copy.clone(), any::<bool>()).prop_map(|(copy, crash)| Step::Promote(copy, crash)),
        1 => copy.clone().prop_map(Step::Drop),
        3 => copy.prop_map(Step::Recover),
    ];
    proptest::collection::vec(step, 1..70)
}

/// A document as the last operation on it left it.
#[derive(Clone, Debug, PartialEq)]
struct Document {
    version: u64,
    seq_no: i64,
    source: Option<String>,
}

/// The documents after the operations up to a number.
fn documents(history: &[Operation], to: i64) -> BTreeMap<String, Document> {
    let mut documents = BTreeMap::new();
    for operation in history.iter().filter(|operation| operation.seq_no.0 <= to) {
        let (id, source) = match &operation.kind {
            OperationKind::Index { id, source, .. } => {
                (id, Some(String::from_utf8(source.to_vec()).unwrap()))
            }
            OperationKind::Delete { id } => (id, None),
            OperationKind::NoOp { .. } => continue,
        };
        let document = Document {
            version: operation.version,
            seq_no: operation.seq_no.0,
            source,
        };
        documents.insert(id.clone(), document);
    }
    documents
}

fn sources(documents: BTreeMap<String, Document>) -> BTreeMap<String, String> {
    let alive = documents
        .into_iter()
        .filter_map(|(id, document)| Some((id, document.source?)));
    alive.collect()
}

struct World {
    schema: Arc<IndexSchema>,
    copies: Vec<Copy>,
    primary: usize,
    term: u64,
    in_sync: BTreeSet<usize>,
    /// Copies with a damaged file that was not found yet.
    damaged: BTreeSet<usize>,
    /// Copies that follow this term already.
    told: BTreeSet<usize>,
    /// By number, as the primary knows it.
    history: Vec<Operation>,
    /// By number and term, whatever became of them.
    ever: BTreeMap<(i64, u64), Operation>,
    /// The operations in what each copy was given to show.
    shown: Vec<Vec<Operation>>,
    /// Every in-sync copy had the operations up to here at some time.
    acknowledged: i64,
    n: u64,
}

impl World {
    fn new() -> World {
        let schema = schema();
        let role = |copy| match copy {
            0 => CopyRole::Primary,
            _ => CopyRole::Replica,
        };
        let mut world = World {
            copies: (0..COPIES)
                .map(|copy| Copy::new(&schema, role(copy)))
                .collect(),
            schema,
            primary: 0,
            term: 1,
            in_sync: [0].into(),
            damaged: BTreeSet::new(),
            told: (0..COPIES).collect(),
            history: Vec::new(),
            ever: BTreeMap::new(),
            shown: vec![Vec::new(); COPIES],
            acknowledged: -1,
            n: 0,
        };
        (1..COPIES).for_each(|copy| world.recover(copy));
        world
    }

    fn primary(&self) -> &Shard {
        &self.copies[self.primary].shard
    }

    fn replica(&self, copy: usize) -> &Shard {
        &self.copies[copy].shard
    }

    fn is_replica(&self, copy: usize) -> bool {
        copy != self.primary
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Index(id) => self.index(id, None),
            Step::IndexExternal(id, version) => self.index(id, Some(version)),
            Step::Delete(id) => self.delete(id),
            Step::Refresh => {
                self.primary().refresh().unwrap();
                let all = documents(&self.history, i64::MAX);
                assert_eq!(visible(self.primary()), sources(all));
            }
            Step::Merge => self.primary().force_merge(Some(1), false).unwrap(),
            Step::Flush(copy, force) => {
                self.replica(copy).flush(force, true).unwrap();
            }
            Step::CrashAll => self.crash_all(),
            Step::Promote(copy, crash) if self.can_be_promoted(copy) => self.promote(copy, crash),
            Step::Replicate(copy, which, turned, sync) if self.is_replica(copy) => {
                self.replicate(copy, which, turned, sync);
            }
            Step::Heartbeat(copy) if self.is_replica(copy) => {
                self.tell(copy);
                replicate(self.replica(copy), self.term, &[], self.acknowledged);
            }
            Step::Ship(copy) if self.is_replica(copy) => self.ship(copy),
            Step::ShipDamaged(copy, bit) if self.is_replica(copy) => self.ship_damaged(copy, bit),
            Step::Crash(copy) if self.is_replica(copy) => {
                self.copies[copy].crash(&self.schema, CopyRole::Replica, self.term);
            }
            Step::Drop(copy) if self.is_replica(copy) => {
                self.in_sync.remove(&copy);
            }
            Step::Recover(copy) if self.is_replica(copy) => self.recover(copy),
            _ => {}
        }
        self.acknowledge();
        self.check();
    }

    fn index(&mut self, id: u8, external: Option<u64>) {
        self.n += 1;
        let id = id.to_string();
        let known = documents(&self.history, i64::MAX).get(&id).cloned();
        let mut op = index_op(&id, self.n);
        if let Some(version) = external {
            op.version = VersionCheck::External(version);
        }
        let result = durably(self.primary(), self.primary().index(op));
        if let (Some(given), Some(known)) = (external, &known)
            && known.version >= given
        {
            let refused = result.unwrap_err();
            assert!(
                matches!(refused, WriteError::VersionConflict { .. }),
                "{refused}"
            );
            return;
        }
        let result = result.unwrap();
        let version = external.unwrap_or(known.map_or(1, |known| known.version + 1));
        assert_eq!(result.version, version, "[{id}]");
        let source = body(self.n).into();
        self.wrote(
            result.seq_no,
            version,
            OperationKind::Index {
                id,
                routing: None,
                source,
            },
        );
    }

    fn delete(&mut self, id: u8) {
        let id = id.to_string();
        let known = documents(&self.history, i64::MAX).get(&id).cloned();
        let result = durably(self.primary(), self.primary().delete(delete_op(&id))).unwrap();
        let version = known.map_or(1, |known| known.version + 1);
        assert_eq!(result.version, version, "[{id}]");
        self.wrote(result.seq_no, version, OperationKind::Delete { id });
    }

    fn wrote(&mut self, seq_no: SeqNo, version: u64, kind: OperationKind) {
        assert_eq!(seq_no.0, self.history.len() as i64);
        let operation = Operation {
            seq_no,
            primary_term: PrimaryTerm(self.term),
            version,
            kind,
        };
        self.history.push(operation.clone());
        let before = self.ever.insert((seq_no.0, self.term), operation);
        assert_eq!(before, None, "a number was given twice in a term");
    }

    /// The first message of a term; for a copy in sync sometimes by itself, sometimes along with operations.
    fn tell(&mut self, copy: usize) {
        let in_sync = self.in_sync.contains(&copy);
        if self.told.insert(copy) && !(in_sync && self.n.is_multiple_of(2)) {
            let known = match in_sync {
                true => SeqNo(self.acknowledged),
                false => self.replica(copy).global_checkpoint(),
            };
            self.replica(copy)
                .roll_back(PrimaryTerm(self.term), known)
                .unwrap();
        }
    }

    fn lacks(&self, copy: usize) -> Vec<Operation> {
        let from = self.replica(copy).local_checkpoint().0 + 1;
        let lacks = self.primary().operations_from(SeqNo(from)).unwrap();
        // The primary may itself have got them in segments only: the copy must be recovered.
        let Some(lacks) = lacks else {
            return Vec::new();
        };
        let lacks: Vec<_> = lacks.collect();
        assert_eq!(lacks, self.history[from as usize..]);
        lacks
    }

    fn replicate(&mut self, copy: usize, which: u8, turned: bool, sync: bool) {
        self.tell(copy);
        replicate(self.replica(copy), self.term, &[], self.acknowledged);
        let mut sent = self.lacks(copy);
        sent.retain(|operation| which >> (operation.seq_no.0 % 8) & 1 == 1);
        if turned {
            sent.reverse();
        }
        let (term, known) = (PrimaryTerm(self.term), SeqNo(self.acknowledged));
        let replica = self.replica(copy);
        let location = replica.append_replicated(term, &sent, known).unwrap();
        if let (Some(location), true) = (location, sync) {
            replica.ensure_synced(location).unwrap();
        }
    }

    fn ship(&mut self, copy: usize) {
        let shipment = self.primary().shipment();
        let list = shipment.list();
        let installed = self.install(copy, &shipment, false);
        let replica = self.replica(copy);
        match installed {
            Ok(_) => {
                assert_eq!(visible(replica), self.sources_to(list.max_seq_no));
                assert!(replica.installed_list().shows_the_same(list));
                self.note_shown(copy, list.max_seq_no);
            }
            Err(InstallError::NotYet { .. }) => {
                assert!(list.max_seq_no > replica.local_checkpoint());
            }
            Err(refused) => panic!("{refused}"),
        }
    }

    /// Copies and installs, once more where that must help.
    fn install(
        &mut self,
        copy: usize,
        shipment: &Shipment,
        is_base: bool,
    ) -> Result<bool, InstallError> {
        loop {
            let replica = self.replica(copy);
            copy_files(shipment, replica);
            let installed = match is_base {
                false => replica.install(shipment.list()),
                true => replica.install_base(shipment.list()),
            };
            let was_told = !self.told.insert(copy);
            match installed {
                // The first list of a term may have made it give up what it had.
                Err(InstallError::Missing { .. }) if !was_told => {}
                Err(InstallError::Corrupt { .. }) if self.damaged.remove(&copy) => {}
                other => return other,
            }
        }
    }

    fn note_shown(&mut self, copy: usize, to: SeqNo) {
        self.shown[copy] = self.history[..(to.0 + 1) as usize].to_vec();
    }

    fn sources_to(&self, to: SeqNo) -> BTreeMap<String, String> {
        sources(documents(&self.history, to.0))
    }

    fn ship_damaged(&mut self, copy: usize, bit: u16) {
        if self.damaged.contains(&copy) {
            return;
        }
        let shipment = self.primary().shipment();
        let replica = self.replica(copy);
        let Some(wanted) = replica.missing(shipment.list()).pop() else {
            return;
        };
        let bytes = shipment
            .read(&wanted.file, wanted.staged, wanted.len as usize)
            .unwrap();
        let mut bytes = bytes.to_vec();
        if bytes.is_empty() {
            return;
        }
        let bit = usize::from(bit) % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        replica.stage(&wanted.file, wanted.staged, &bytes).unwrap();
        copy_files(&shipment, replica);
        let before = visible(replica);
        match replica.install(shipment.list()) {
            // The operations are durable by now, and the deletes among them known.
            Ok(_) if wanted.file == FileName::Tombstones => {
                self.told.insert(copy);
                return self.ship(copy);
            }
            Err(InstallError::Corrupt { file, .. }) => assert_eq!(file, wanted.file),
            // It will be found later.
            Err(InstallError::NotYet { .. } | InstallError::Missing { .. }) => {
                self.damaged.insert(copy);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(visible(self.replica(copy)), before);
    }

    fn recover(&mut self, copy: usize) {
        let (term, known) = (PrimaryTerm(self.term), SeqNo(self.acknowledged));
        let replica = self.replica(copy);
        if !self.in_sync.contains(&copy) {
            // What it has beyond what it knows to be everywhere may have been given up since.
            let own = replica.global_checkpoint();
            replica.roll_back(term, own).unwrap();
        }
        let shipment = self.primary().shipment();
        self.install(copy, &shipment, true).unwrap();
        let replica = self.replica(copy);
        let shown = shipment.list().max_seq_no;
        assert_eq!(visible(replica), self.sources_to(shown));
        let from = replica.local_checkpoint().0 + 1;
        let lacks = &self.history[from as usize..];
        let location = replica.append_replicated(term, lacks, known).unwrap();
        if let Some(location) = location {
            replica.ensure_synced(location).unwrap();
        }
        assert!(!replica.needs_segments());
        self.in_sync.insert(copy);
        self.note_shown(copy, shown);
    }

    fn acknowledge(&mut self) {
        let all = self.in_sync.iter().map(|copy| self.replica(*copy));
        let checkpoint = all.map(|copy| copy.local_checkpoint().0).min().unwrap();
        // A copy that was not told of this term counts for nothing new.
        let is_told = |copy: &usize| self.told.contains(copy) || *copy == self.primary;
        if checkpoint > self.acknowledged && self.in_sync.iter().all(is_told) {
            self.acknowledged = checkpoint;
            self.primary().advance_global_checkpoint(SeqNo(checkpoint));
        }
    }

    fn can_be_promoted(&self, copy: usize) -> bool {
        self.is_replica(copy)
            && self.in_sync.contains(&copy)
            && !self.replica(copy).needs_segments()
    }

    fn promote(&mut self, copy: usize, crash: bool) {
        self.term += 1;
        let (old, term) = (self.primary, PrimaryTerm(self.term));
        self.in_sync.remove(&old);
        self.told.clear();
        let searchable = self.replica(copy).searchable_checkpoint();
        self.shown[copy].truncate((searchable.0 + 1) as usize);
        self.replica(copy).promote(term).unwrap();
        self.primary = copy;
        self.go_on();
        if crash {
            self.copies[old].crash(&self.schema, CopyRole::Replica, self.term);
        } else {
            self.replica(old).demote(term).unwrap();
            let late = self.replica(old).index(index_op("0", 0)).unwrap_err();
            assert!(matches!(late, WriteError::NotPrimary), "{late}");
        }
    }

    fn crash_all(&mut self) {
        self.term += 1;
        self.told.clear();
        for copy in 0..COPIES {
            let role = if copy == self.primary {
                CopyRole::Primary
            } else {
                CopyRole::Replica
            };
            self.copies[copy].crash(&self.schema, role, self.term);
        }
        self.go_on();
    }

    /// Whoever is the primary now has all that was acknowledged, and of the rest whatever it had.
    fn go_on(&mut self) {
        let max = self.primary().max_seq_no().0;
        assert!(max >= self.acknowledged);
        let mut history = self.history[..(self.acknowledged + 1) as usize].to_vec();
        let shown = &self.shown[self.primary];
        for operation in shown.iter().skip(history.len()) {
            history.push(operation.clone());
        }
        for from in [self.acknowledged + 1, history.len() as i64] {
            if let Some(rest) = self.primary().operations_from(SeqNo(from)).unwrap() {
                history.truncate(from as usize);
                history.extend(rest);
                break;
            }
        }
        self.check_history(&history, max);
        for operation in &history {
            let key = (operation.seq_no.0, operation.primary_term.0);
            self.ever.insert(key, operation.clone());
        }
        self.history = history;
        let now = documents(&self.history, i64::MAX);
        assert_eq!(visible(self.primary()), sources(now.clone()));
        self.check_lookups(&now);
        assert_eq!(self.primary().searchable_checkpoint().0, max);
    }

    /// Every number has an operation that some primary did, or a filling of this term. What a primary gave a number when it
    /// had nothing beyond it, no operation of an earlier term comes after.
    fn check_history(&self, history: &[Operation], max: i64) {
        assert_eq!(history.len() as i64, max + 1);
        let mut term = PrimaryTerm(0);
        for (operation, seq_no) in history.iter().zip(0..) {
            assert_eq!(operation.seq_no.0, seq_no);
            if matches!(operation.kind, OperationKind::NoOp { .. }) {
                continue;
            }
            let known = self.ever.get(&(seq_no, operation.primary_term.0));
            assert_eq!(known, Some(operation));
            assert!(operation.primary_term >= term, "{operation:?} was given up");
            term = operation.primary_term;
        }
    }

    fn check_lookups(&self, documents: &BTreeMap<String, Document>) {
        for id in 0..IDS {
            let id = id.to_string();
            let found = self.primary().get(&id, GetOptions::default()).unwrap();
            let found = found.map(|document| Document {
                version: document.version,
                seq_no: document.seq_no.0,
                source: Some(String::from_utf8(document.source.to_vec()).unwrap()),
            });
            let expected = documents.get(&id).filter(|known| known.source.is_some());
            assert_eq!(found.as_ref(), expected, "[{id}]");
        }
    }

    fn check(&self) {
        for copy in (0..COPIES).filter(|copy| self.is_replica(*copy)) {
            let replica = self.replica(copy);
            assert_eq!(replica.role(), CopyRole::Replica);
            assert!(
                replica.searchable_checkpoint() <= replica.local_checkpoint()
                    || replica.needs_segments()
            );
            assert!(replica.global_checkpoint() <= replica.local_checkpoint());
        }
        assert_eq!(self.primary().max_seq_no().0, self.history.len() as i64 - 1);
        self.check_lookups(&documents(&self.history, i64::MAX));
    }

    /// Everybody comes together.
    fn heal(&mut self) {
        self.primary().refresh().unwrap();
        for copy in (0..COPIES)
            .filter(|copy| self.is_replica(*copy))
            .collect::<Vec<_>>()
        {
            self.recover(copy);
        }
        self.acknowledge();
        assert_eq!(self.acknowledged, self.history.len() as i64 - 1);
        for copy in (0..COPIES)
            .filter(|copy| self.is_replica(*copy))
            .collect::<Vec<_>>()
        {
            assert_eq!(visible(self.replica(copy)), visible(self.primary()));
            self.replica(copy).verify().unwrap();
            self.promote(copy, true);
            self.acknowledge();
            let term = PrimaryTerm(self.term);
            let others = (0..COPIES).filter(|other| *other != copy && self.in_sync.contains(other));
            for other in others {
                let done = self
                    .replica(other)
                    .roll_back(term, SeqNo(self.acknowledged))
                    .unwrap();
                assert_eq!(done, RollBack::Done);
            }
        }
        self.primary().verify().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn copies_of_a_shard_do_what_a_list_of_operations_does(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.heal();
    }
}
