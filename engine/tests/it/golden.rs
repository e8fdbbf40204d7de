//! A shard that an earlier build wrote, kept in the repository byte for byte: this build opens it, finds the same in it,
//! replays its translog, merges it and writes on.
//!
//! The files are never written again for format v1; a new format gets a folder of its own beside `v1`. `commit_v2` is a copy
//! whose commit point has version 2 and whose translog has marks: a replica that was told of a second reign.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use quidditch_engine::directory::Directory;
use quidditch_engine::directory::faulty::Disk;
use quidditch_engine::directory::fs::FsDirectory;
use quidditch_engine::ids::{PrimaryTerm, SeqNo};
use quidditch_engine::query::*;
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::search::{self, FetchRequest, MemoryAccount, SearchContext, SearchRequest};
use quidditch_engine::shard::{CopyRole, Shard};
use quidditch_engine::translog::{Operation, OperationKind};
use quidditch_engine::value::Value;

use crate::copies::{recover_from, replicate};
use crate::shards::{INDEX, TRANSLOG, delete_op, durably, index_op, open, parts, visible};

/// What the build that wrote the files found: see [`scores`].
const SCORES: [(f32, usize); 7] = [
    (1.0399315, 6),
    (1.0346879, 7),
    (1.0124253, 7),
    (0.95705706, 8),
    (0.20023358, 37),
    (0.1793394, 45),
    (0.13658261, 39),
];
/// Documents ever written; those in `gone` are dead.
const DOCS: u64 = 210;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

fn schema() -> Arc<IndexSchema> {
    let mapping = serde_json::json!({
        "dynamic": "false",
        "properties": {
            "text": {"type": "text"},
            "tag": {"type": "keyword", "store": true},
            "count": {"type": "long"},
            "ratio": {"type": "double"},
            "when": {"type": "date"},
            "from": {"type": "ip"},
            "used": {"type": "boolean"},
            "blob": {"type": "binary", "doc_values": true}
        }
    });
    Arc::new(IndexSchema::new(&mapping, &BTreeMap::new()).unwrap())
}

fn source(n: u64) -> String {
    serde_json::json!({
        "text": format!("every hat has a number {} {}", n % 7, "brim ".repeat(n as usize % 4)),
        "tag": [format!("t{}", n % 5), format!("u{}", n % 3)],
        "count": [n, n * n],
        "ratio": n as f64 / 4.0,
        "when": 1_600_000_000_000u64 + n * 86_400_000,
        "from": format!("10.0.0.{n}"),
        "used": n.is_multiple_of(2),
        "blob": "aGF0"
    })
    .to_string()
}

fn gone(n: u64) -> bool {
    n % 10 == 3 && n < 160
}

/// Three segments, one with dead documents, and operations that only the translog has.
fn write(shard: &Shard) {
    let put = |n: u64| {
        let mut op = index_op(&n.to_string(), n);
        op.routing = n.is_multiple_of(50).then(|| "r".to_owned());
        op.source = source(n).into();
        durably(shard, shard.index(op)).unwrap();
    };
    (0..150).for_each(put);
    shard.flush(true, true).unwrap();
    (150..180).for_each(put);
    for n in (0..150).filter(|n| gone(*n)) {
        durably(shard, shard.delete(delete_op(&n.to_string()))).unwrap();
    }
    shard.flush(true, true).unwrap();
    (180..195).for_each(put);
    shard.flush(true, true).unwrap();
    (195..DOCS).for_each(put);
    for n in (150..160).filter(|n| gone(*n)) {
        durably(shard, shard.delete(delete_op(&n.to_string()))).unwrap();
    }
}

/// Makes the folder. By hand, once for each format: `cargo test -p quidditch-engine -- --ignored makes_the_golden`
#[test]
#[ignore = "the files are frozen"]
fn makes_the_golden_shard() {
    assert!(!folder().exists(), "the files are frozen");
    let disk = Disk::new();
    let mut new = parts(&disk, &schema(), true);
    for (name, place) in [(INDEX, &mut new.directory), (TRANSLOG, &mut new.translog)] {
        std::fs::create_dir_all(folder().join(name)).unwrap();
        *place = Arc::new(FsDirectory::open(folder().join(name)).unwrap());
    }
    new.options.buffer_count = 1;
    write(&Shard::open(new).unwrap());
}

/// A simulated disk with frozen files.
pub(crate) fn disk_of(folder: &Path) -> Disk {
    let disk = Disk::new();
    for name in [INDEX, TRANSLOG] {
        let from = FsDirectory::open(folder.join(name)).unwrap();
        let to = disk.directory(name);
        for file in from.list().unwrap() {
            let mut writer = to.create(&file).unwrap();
            writer.write_and_sync(&from.open(&file).unwrap()).unwrap();
        }
        to.sync_names().unwrap();
    }
    disk
}

fn find(shard: &Shard, query: Query) -> BTreeSet<u64> {
    let reader = shard.reader();
    let (cancelled, memory) = (AtomicBool::new(false), MemoryAccount::new(1 << 30));
    let context = SearchContext::new("hats", 0, &cancelled, &memory);
    let mut request = SearchRequest::new(query);
    request.size = 1000;
    let result = search::query(&reader, &request, &context).unwrap();
    let docs: Vec<_> = result.hits.iter().map(|hit| hit.doc).collect();
    let hits = search::fetch(&reader, &docs, &FetchRequest::default(), &context).unwrap();
    let found = hits.into_iter().map(|hit| {
        let n = hit.id.parse().unwrap();
        assert_eq!(hit.source.as_deref(), Some(source(n).as_bytes()));
        assert_eq!(hit.routing.as_deref(), (n % 50 == 0).then_some("r"));
        n
    });
    found.collect()
}

fn check(shard: &Shard) {
    shard.verify().unwrap();
    let word = |text: &str| Value::Str(text.to_owned());
    let term = |field: &str, value: Value| Query::Term(TermQuery::new(field, value));
    let expect = |query: Query, wanted: &dyn Fn(u64) -> bool| {
        let living = (0..DOCS).filter(|n| !gone(*n));
        let wanted: BTreeSet<u64> = living.filter(|n| wanted(*n)).collect();
        assert_eq!(find(shard, query.clone()), wanted, "{query:?}");
    };
    expect(term("text", word("hat")), &|_| true);
    expect(
        Query::MatchPhrase(MatchPhraseQuery::new("text", word("number 3 brim brim"))),
        &|n| n % 7 == 3 && n % 4 >= 2,
    );
    expect(term("tag", word("u2")), &|n| n % 3 == 2);
    expect(term("count", Value::I64(144)), &|n| n == 12 || n == 144);
    expect(term("ratio", Value::F64(2.5)), &|n| n == 10);
    expect(term("from", word("10.0.0.0/28")), &|n| n < 16);
    expect(term("used", Value::Bool(true)), &|n| n % 2 == 0);
    expect(Query::Exists(ExistsQuery::new("blob")), &|_| true);
    let bounds = (
        Bound::Included(word("2020-09-13")),
        Bound::Excluded(word("2020-10-13T12:26:40Z")),
    );
    expect(
        Query::Range(RangeQuery::new("when", bounds.0, bounds.1)),
        &|n| n < 30,
    );
}

/// The scores of a query, best first, each with the number of documents that have it.
fn scores(shard: &Shard) -> Vec<(f32, usize)> {
    let reader = shard.reader();
    let (cancelled, memory) = (AtomicBool::new(false), MemoryAccount::new(1 << 30));
    let context = SearchContext::new("hats", 0, &cancelled, &memory);
    let brim = MatchQuery::new("text", Value::Str("brim 4".to_owned()));
    let mut request = SearchRequest::new(Query::Match(brim));
    request.size = 1000;
    let result = search::query(&reader, &request, &context).unwrap();
    let mut classes: Vec<(f32, usize)> = Vec::new();
    for hit in result.hits {
        match classes.last_mut() {
            Some((score, count)) if *score == hit.score => *count += 1,
            _ => classes.push((hit.score, 1)),
        }
    }
    classes
}

#[test]
fn a_shard_of_format_v1_is_read_merged_and_written_on() {
    let disk = disk_of(&folder());
    let shard = open(&disk, &schema()).unwrap();
    assert!(shard.reader().segments.len() > 2, "several segments");
    check(&shard);
    assert_eq!(scores(&shard), SCORES);

    shard.force_merge(Some(1), false).unwrap();
    shard.refresh().unwrap();
    assert_eq!(shard.reader().segments.len(), 1);
    check(&shard);

    durably(&shard, shard.index(index_op("new", 1))).unwrap();
    shard.flush(true, true).unwrap();
    shard.close().unwrap();
    drop(shard);
    let shard = open(&disk, &schema()).unwrap();
    assert_eq!(
        shard
            .reader()
            .segments
            .iter()
            .map(|s| s.reader.max_doc() as u64)
            .sum::<u64>(),
        DOCS - (0..DOCS).filter(|n| gone(*n)).count() as u64 + 1
    );
}

/// Where the files of the replica are.
fn replica_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/commit_v2")
}

fn operation(seq_no: i64, term: u64, id: &str) -> Operation {
    Operation {
        seq_no: SeqNo(seq_no),
        primary_term: PrimaryTerm(term),
        version: 1,
        kind: OperationKind::Index {
            id: id.to_owned(),
            routing: None,
            source: source(seq_no as u64).into(),
        },
    }
}

/// Makes the folder. By hand, once for each format: `cargo test -p quidditch-engine -- --ignored makes_the_golden_replica`
#[test]
#[ignore = "the files are frozen"]
fn makes_the_golden_replica() {
    assert!(!replica_folder().exists(), "the files are frozen");
    let primary = Shard::open(parts(&Disk::new(), &schema(), true)).unwrap();
    for n in 0..3 {
        let mut op = index_op(&n.to_string(), n);
        op.source = source(n).into();
        durably(&primary, primary.index(op)).unwrap();
    }
    durably(&primary, primary.delete(delete_op("1"))).unwrap();
    primary.refresh().unwrap();

    let mut new = parts(&Disk::new(), &schema(), true);
    for (name, place) in [(INDEX, &mut new.directory), (TRANSLOG, &mut new.translog)] {
        std::fs::create_dir_all(replica_folder().join(name)).unwrap();
        *place = Arc::new(FsDirectory::open(replica_folder().join(name)).unwrap());
    }
    new.role = CopyRole::Replica;
    let replica = Shard::open(new).unwrap();
    recover_from(&primary, &replica);
    // The operation with the number 4 is sent by a second primary, the one with 5 is not.
    let of_the_first = [operation(4, 1, "x"), operation(5, 1, "y")];
    replicate(&replica, 1, &of_the_first, 3);
    replica.roll_back(PrimaryTerm(2), SeqNo(3)).unwrap();
    replicate(&replica, 2, &[operation(4, 2, "z")], 3);
}

#[test]
fn a_replica_of_commit_format_v2_goes_on_and_becomes_the_primary() {
    let disk = disk_of(&replica_folder());
    let mut old = parts(&disk, &schema(), false);
    old.role = CopyRole::Replica;
    old.alone = false;
    let replica = Shard::open(old).unwrap();
    assert_eq!(replica.searchable_checkpoint(), SeqNo(3));
    assert_eq!(replica.local_checkpoint(), SeqNo(4));
    assert_eq!(replica.global_checkpoint(), SeqNo(3));
    assert_eq!(replica.primary_term(), PrimaryTerm(2));
    replica.promote(PrimaryTerm(3)).unwrap();
    let there: Vec<String> = visible(&replica).into_keys().collect();
    assert_eq!(there, ["0", "2", "z"]);
    let back = durably(&replica, replica.index(index_op("1", 1))).unwrap();
    assert_eq!(
        (back.version, back.seq_no),
        (3, SeqNo(5)),
        "the delete is remembered"
    );
}
