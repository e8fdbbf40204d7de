//! A loop over every moment at which the power can go.

use std::collections::BTreeMap;
use std::sync::Arc;

use quidditch_engine::directory::faulty::{Disk, Survivors};
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::shard::{IndexOp, Shard};

use crate::shards::{body, delete_op, durably, get, index_op, open, schema, visible};

#[derive(Clone, Copy, Debug)]
enum Step {
    Index(u8),
    Delete(u8),
    Refresh,
    Flush,
    Merge,
}

/// Updates, deletes and comebacks of few documents, with everything that writes files between them.
fn workload() -> Vec<Step> {
    use Step::*;
    let mut steps = Vec::new();
    for round in 0..4u8 {
        for id in 0..4 {
            steps.push(Index(id));
        }
        steps.extend([Refresh, Delete(round), Index(4 + round), Delete(9)]);
        steps.push(if round % 2 == 0 { Flush } else { Refresh });
        steps.push(Delete((round + 1) % 4));
        if round == 2 {
            steps.extend([Merge, Index(1), Flush]);
        }
    }
    steps.push(Merge);
    steps
}

/// What a client knows of a document: its version, and its body unless it was deleted.
type Known = (u64, Option<String>);

#[derive(Default)]
struct Client {
    acknowledged: BTreeMap<String, Known>,
    /// The operation that was under way: it may have happened or not.
    in_flight: Option<(String, Option<String>)>,
    max_seq_no: i64,
}

impl Client {
    fn run(disk: &Disk, schema: &Arc<IndexSchema>) -> Client {
        let mut client = Client {
            max_seq_no: -1,
            ..Client::default()
        };
        if let Ok(shard) = open(disk, schema) {
            for (n, step) in workload().into_iter().enumerate() {
                if !client.step(&shard, n as u64, step) {
                    break;
                }
            }
        }
        client
    }

    fn step(&mut self, shard: &Shard, n: u64, step: Step) -> bool {
        let (id, source, result) = match step {
            Step::Refresh => return shard.refresh().is_ok(),
            Step::Flush => return shard.flush(false, true).is_ok(),
            Step::Merge => return shard.force_merge(Some(1), false).is_ok(),
            Step::Index(id) => {
                let id = id.to_string();
                self.in_flight = Some((id.clone(), Some(body(n))));
                let result = durably(shard, shard.index(index_op(&id, n)));
                (id, Some(body(n)), result)
            }
            Step::Delete(id) => {
                let id = id.to_string();
                self.in_flight = Some((id.clone(), None));
                let result = durably(shard, shard.delete(delete_op(&id)));
                (id, None, result)
            }
        };
        let Ok(result) = result else { return false };
        self.in_flight = None;
        self.max_seq_no = result.seq_no.0;
        let before = self.acknowledged.insert(id, (result.version, source));
        if let Some((version, _)) = before {
            assert_eq!(result.version, version + 1);
        }
        true
    }

    fn check(&self, shard: &Shard, at: &str) {
        assert!(
            shard.max_seq_no().0 >= self.max_seq_no,
            "{at}: seq_nos went back"
        );
        let visible = visible(shard);
        let mut ids: Vec<String> = self.acknowledged.keys().cloned().collect();
        ids.extend(self.in_flight.iter().map(|(id, _)| id.clone()));
        for id in &ids {
            let acknowledged = self.acknowledged.get(id).cloned();
            let (version, source) = acknowledged.unwrap_or((0, None));
            let found = get(shard, id);
            assert_eq!(
                found.as_ref().map(|found| &found.1),
                visible.get(id),
                "{at}: [{id}] differs between lookup and search"
            );
            let happened = match &self.in_flight {
                Some((in_flight, new)) if in_flight == id => {
                    let now = found.as_ref().map(|found| found.1.clone());
                    now == *new && now != source
                }
                _ => false,
            };
            match (&found, &source) {
                _ if happened => {
                    let now = found.as_ref().map_or(version + 1, |found| found.0);
                    assert_eq!(now, version + 1, "{at}: version of [{id}]");
                }
                (Some((now, text)), Some(expected)) => {
                    assert_eq!((now, text), (&version, expected), "{at}: [{id}]");
                }
                (None, None) => {}
                _ => panic!("{at}: [{id}] is {found:?}, acknowledged {source:?} v{version}"),
            }
        }
        assert!(
            visible.keys().all(|id| ids.contains(id)),
            "{at}: unknown documents"
        );
    }

    /// Versions go on where they were, also those of deleted documents.
    fn check_versions(&self, shard: &Shard, at: &str) {
        for (id, (version, _)) in &self.acknowledged {
            let in_flight = self.in_flight.iter().any(|(in_flight, _)| in_flight == id);
            let next = durably(shard, shard.index(index_op(id, 1))).unwrap();
            let expected = version + 1..=version + 1 + u64::from(in_flight);
            assert!(
                expected.contains(&next.version),
                "{at}: [{id}] was v{version}, is now v{}",
                next.version
            );
            assert!(
                next.seq_no.0 > self.max_seq_no,
                "{at}: a seq_no was used twice"
            );
        }
    }
}

#[test]
fn whenever_the_power_goes_nothing_acknowledged_is_lost() {
    let schema = schema();
    let whole = Disk::new();
    let client = Client::run(&whole, &schema);
    assert!(client.in_flight.is_none(), "without faults all goes well");
    let events = whole.events();
    assert!(events > 100, "the workload writes: {events} events");
    for cut in 0..=events {
        let disk = Disk::new();
        disk.cut_power_before(cut);
        let client = Client::run(&disk, &schema);
        for survivors in [
            Survivors::Nothing,
            Survivors::Some { seed: cut },
            Survivors::Everything,
        ] {
            let at = format!("cut before event {cut} of {events}, {survivors:?}");
            let after = disk.after_reboot(survivors);
            let shard = open(&after, &schema).unwrap_or_else(|error| panic!("{at}: {error}"));
            client.check(&shard, &at);
            client.check_versions(&shard, &at);
            // It can crash again at once.
            drop(shard);
            let again = after.after_reboot(Survivors::Nothing);
            let shard = open(&again, &schema).unwrap_or_else(|error| panic!("{at}: {error}"));
            for id in client.acknowledged.keys() {
                assert_eq!(get(&shard, id).map(|found| found.1), Some(body(1)), "{at}");
            }
        }
    }
}

#[test]
fn unused_files_are_removed() {
    let schema = schema();
    let disk = Disk::new();
    Client::run(&disk, &schema);
    let shard = open(&disk, &schema).unwrap();
    let held = shard.reader();
    shard.force_merge(Some(1), false).unwrap();
    shard.flush(true, true).unwrap();
    drop(held);
    shard.flush(true, true).unwrap();
    let names: Vec<String> = disk
        .files()
        .into_iter()
        .filter(|(folder, _)| folder == crate::shards::INDEX)
        .map(|(_, name)| name)
        .collect();
    let count = |ending: &str| names.iter().filter(|name| name.ends_with(ending)).count();
    assert_eq!(names.len(), 1 + count(".qsg") + count(".qld"), "{names:?}");
    assert!(count(".qsg") <= 1 && count(".qld") == 0, "{names:?}");
    assert_eq!(shard.stats().translog.uncommitted_operations, 0);
}

#[test]
fn a_mapping_that_would_refuse_what_was_acknowledged_keeps_it() {
    let schema_of = |mapping: serde_json::Value| {
        Arc::new(IndexSchema::new(&mapping, &BTreeMap::new()).unwrap())
    };
    let disk = Disk::new();
    let before = serde_json::json!({"dynamic": "false", "properties": {"n": {"type": "long"}}});
    let shard = open(&disk, &schema_of(before)).unwrap();
    let source = r#"{"n": 7, "x": ["abc", 5], "o": {"p": 1}}"#;
    let op = IndexOp {
        source: source.into(),
        ..index_op("a", 0)
    };
    durably(&shard, shard.index(op)).unwrap();
    let after = disk.after_reboot(Survivors::Nothing);
    let now = serde_json::json!({
        "dynamic": "strict",
        "properties": {"n": {"type": "long"}, "x": {"type": "integer"}}
    });
    let shard = open(&after, &schema_of(now)).unwrap();
    assert_eq!(get(&shard, "a"), Some((1, source.to_owned())));
    let reader = shard.reader();
    let segment = &reader.segments[0].reader;
    let has = |field: &str, term: &[u8]| {
        let terms = segment.terms(field).unwrap();
        terms.is_some_and(|terms| terms.get(term).unwrap().is_some())
    };
    assert!(has("_ignored", b"x") && has("_ignored", b"o"));
    assert!(!has("_ignored", b"n"));
    let values = |field: &str| segment.points(field).unwrap().is_some();
    assert!(values("n") && values("x"), "what fits is indexed");
}
