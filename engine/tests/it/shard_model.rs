//! Random operations on a shard and on a plain map: both must agree.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quidditch_engine::directory::faulty::{Disk, Survivors};
use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::shard::{GetOptions, Shard, VersionCheck, WriteError, WriteResult};

use crate::shards::{body, delete_op, durably, index_op, open, schema, visible};

#[derive(Clone, Debug)]
enum Step {
    Index(u8),
    Create(u8),
    IndexIfSeqNo(u8, bool),
    IndexExternal(u8, u64),
    Delete(u8),
    Refresh,
    Flush,
    Merge(usize),
    Expunge,
    Close,
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = 0u8..6;
    let step = prop_oneof![
        8 => id.clone().prop_map(Step::Index),
        2 => id.clone().prop_map(Step::Create),
        2 => (id.clone(), any::<bool>()).prop_map(|(id, right)| Step::IndexIfSeqNo(id, right)),
        2 => (id.clone(), 0u64..12).prop_map(|(id, version)| Step::IndexExternal(id, version)),
        4 => id.prop_map(Step::Delete),
        3 => Just(Step::Refresh),
        2 => Just(Step::Flush),
        1 => (1usize..3).prop_map(Step::Merge),
        1 => Just(Step::Expunge),
        1 => Just(Step::Close),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..50)
}

#[derive(Clone, Debug)]
struct Document {
    version: u64,
    seq_no: i64,
    source: Option<String>,
}

#[derive(Default)]
struct Model {
    documents: BTreeMap<String, Document>,
    next_seq_no: i64,
}

impl Model {
    /// What an operation that nothing forbids must answer; then the model has it.
    fn apply(&mut self, id: &str, version: u64, source: Option<String>) -> (i64, u64) {
        let seq_no = self.next_seq_no;
        self.next_seq_no += 1;
        let document = Document {
            version,
            seq_no,
            source,
        };
        self.documents.insert(id.to_owned(), document);
        (seq_no, version)
    }

    fn next_version(&self, id: &str) -> u64 {
        self.documents.get(id).map_or(1, |known| known.version + 1)
    }

    fn alive(&self, id: &str) -> Option<&Document> {
        self.documents
            .get(id)
            .filter(|document| document.source.is_some())
    }

    fn visible(&self) -> BTreeMap<String, String> {
        let alive = self
            .documents
            .iter()
            .filter_map(|(id, document)| Some((id.clone(), document.source.clone()?)));
        alive.collect()
    }

    fn write(&mut self, shard: &Shard, n: u64, step: &Step) -> Option<()> {
        let (id, check, create) = match step {
            Step::Index(id) => (id, VersionCheck::Internal, false),
            Step::Create(id) => (id, VersionCheck::Internal, true),
            Step::IndexIfSeqNo(id, right) => {
                let known = self.documents.get(&id.to_string());
                let seq_no = known.map_or(7, |document| document.seq_no);
                let check = VersionCheck::IfSeqNo {
                    seq_no: SeqNo(seq_no + i64::from(!right)),
                    primary_term: PrimaryTerm(1),
                };
                (id, check, false)
            }
            Step::IndexExternal(id, version) => (id, VersionCheck::External(*version), false),
            Step::Delete(id) => {
                let id = id.to_string();
                let found = self.alive(&id).is_some();
                let result = durably(shard, shard.delete(delete_op(&id))).unwrap();
                assert_eq!(result.found, found);
                let expected = self.apply(&id, self.next_version(&id), None);
                assert_eq!((result.seq_no.0, result.version), expected);
                return Some(());
            }
            _ => return None,
        };
        let id = id.to_string();
        let (known, alive) = (self.documents.get(&id).cloned(), self.alive(&id).cloned());
        let allowed = match check {
            VersionCheck::IfSeqNo { seq_no, .. } => {
                alive.as_ref().is_some_and(|now| now.seq_no == seq_no.0)
            }
            VersionCheck::External(version) => {
                known.as_ref().is_none_or(|now| now.version < version)
            }
            _ => !(create && alive.is_some()),
        };
        let mut op = index_op(&id, n);
        op.version = check;
        op.create_only = create;
        let result: Result<WriteResult, WriteError> = durably(shard, shard.index(op));
        if !allowed {
            let refused = result.unwrap_err();
            assert!(
                matches!(refused, WriteError::VersionConflict { .. }),
                "{refused}"
            );
            return Some(());
        }
        let version = match check {
            VersionCheck::External(version) => version,
            _ => self.next_version(&id),
        };
        let result = result.unwrap();
        assert_eq!(result.created, alive.is_none());
        let expected = self.apply(&id, version, Some(body(n)));
        assert_eq!((result.seq_no.0, result.version), expected);
        Some(())
    }

    fn check_lookups(&self, shard: &Shard) {
        for id in 0..6 {
            let id = id.to_string();
            let found = shard.get(&id, GetOptions::default()).unwrap();
            let found = found.map(|document| {
                let source = String::from_utf8(document.source.to_vec()).unwrap();
                (document.version, document.seq_no.0, source)
            });
            let expected = self.alive(&id).map(|document| {
                let source = document.source.clone().unwrap();
                (document.version, document.seq_no, source)
            });
            assert_eq!(found, expected, "[{id}]");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_shard_does_what_a_map_does(steps in steps()) {
        let schema = schema();
        let mut disk = Disk::new();
        let mut shard = open(&disk, &schema).unwrap();
        let mut model = Model::default();
        // What a search saw at the last refresh.
        let mut seen = BTreeMap::new();
        for (n, step) in steps.iter().enumerate() {
            if model.write(&shard, n as u64, step).is_none() {
                match step {
                    Step::Refresh => { shard.refresh().unwrap(); seen = model.visible(); }
                    Step::Flush => { shard.flush(false, true).unwrap(); }
                    Step::Merge(max) => {
                        shard.force_merge(Some(*max), false).unwrap();
                        seen = model.visible();
                        prop_assert!(shard.reader().segments.len() <= *max);
                    }
                    Step::Expunge => { shard.force_merge(None, true).unwrap(); seen = model.visible(); }
                    Step::Close => {
                        shard.close().unwrap();
                        prop_assert!(shard.index(index_op("0", 1)).is_err());
                        shard = open(&disk, &schema).unwrap();
                        seen = model.visible();
                    }
                    _ => {
                        disk = disk.after_reboot(Survivors::Nothing);
                        shard = open(&disk, &schema).unwrap();
                        seen = model.visible();
                    }
                }
            }
            prop_assert_eq!(visible(&shard), seen.clone());
            prop_assert_eq!(shard.max_seq_no().0, model.next_seq_no - 1);
            prop_assert_eq!(shard.local_checkpoint().0, model.next_seq_no - 1);
            model.check_lookups(&shard);
        }
        shard.verify().unwrap();
    }
}
