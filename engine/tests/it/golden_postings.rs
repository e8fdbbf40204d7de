//! Postings of codec 2, whose positions are one stream a term, as an earlier build wrote them: this build reads them, and merges
//! them into what it writes itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use quidditch_engine::directory::faulty::Disk;
use quidditch_engine::directory::fs::FsDirectory;
use quidditch_engine::query::*;
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::search::{self, FetchRequest, MemoryAccount, SearchContext, SearchRequest};
use quidditch_engine::shard::Shard;
use quidditch_engine::value::Value;

use crate::golden::disk_of;
use crate::shards::{INDEX, TRANSLOG, delete_op, index_op, open, parts};

/// Enough for lists of bitmaps.
const DOCS: u64 = 4300;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/postings_v2")
}

fn schema(reorder: &str) -> Arc<IndexSchema> {
    let mapping = serde_json::json!({"properties": {"text": {"type": "text"}}});
    let settings = BTreeMap::from([("index.reorder".to_owned(), reorder.to_owned())]);
    Arc::new(IndexSchema::new(&mapping, &settings).unwrap())
}

fn put(shard: &Shard, n: u64) {
    let mut op = index_op(&n.to_string(), n);
    op.source = serde_json::json!({ "text": words(n).join(" ") })
        .to_string()
        .into();
    shard.index(op).unwrap();
}

fn open_new(schema: &Arc<IndexSchema>) -> Shard {
    Shard::open(parts(&Disk::new(), schema, true)).unwrap()
}

/// Words that nearly all documents have, many, some, few and one; several times each, in turns.
fn words(n: u64) -> Vec<&'static str> {
    let mut words = vec!["all"];
    for turn in 0..1 + n % 4 {
        if n.is_multiple_of(2) {
            words.push("half");
        }
        if n % 16 == turn {
            words.extend(["some", "all"]);
        }
        if n.is_multiple_of(61) {
            words.extend(["few", "half", "some"]);
        }
    }
    if n == 4001 {
        words.extend(["one", "all", "one"]);
    }
    words
}

fn gone(n: u64) -> bool {
    n % 97 == 5
}

/// Two segments, one of them large.
fn write(shard: &Shard) {
    for n in 0..DOCS {
        put(shard, n);
        if n + 40 == DOCS {
            shard.flush(true, true).unwrap();
        }
    }
    for n in (0..DOCS).filter(|n| gone(*n)) {
        shard.delete(delete_op(&n.to_string())).unwrap();
    }
    shard.flush(true, true).unwrap();
}

/// Makes the folder. By hand, with a build that writes codec 2.
#[test]
#[ignore = "the files are frozen"]
fn makes_the_golden_postings() {
    assert!(!folder().exists(), "the files are frozen");
    let mut new = parts(&Disk::new(), &schema("none"), true);
    for (name, place) in [(INDEX, &mut new.directory), (TRANSLOG, &mut new.translog)] {
        std::fs::create_dir_all(folder().join(name)).unwrap();
        *place = Arc::new(FsDirectory::open(folder().join(name)).unwrap());
    }
    new.options.buffer_count = 1;
    write(&Shard::open(new).unwrap());
}

fn find(shard: &Shard, query: Query) -> BTreeSet<u64> {
    found(shard, query).into_iter().map(|(n, _)| n).collect()
}

fn found(shard: &Shard, query: Query) -> Vec<(u64, f32)> {
    let reader = shard.reader();
    let (cancelled, memory) = (AtomicBool::new(false), MemoryAccount::new(1 << 30));
    let context = SearchContext::new("hats", 0, &cancelled, &memory);
    let mut request = SearchRequest::new(query);
    request.size = DOCS as usize;
    let result = search::query(&reader, &request, &context).unwrap();
    let docs: Vec<_> = result.hits.iter().map(|hit| hit.doc).collect();
    let hits = search::fetch(&reader, &docs, &FetchRequest::default(), &context).unwrap();
    let scores = result.hits.iter().map(|hit| hit.score);
    let numbers = hits.into_iter().map(|hit| hit.id.parse().unwrap());
    numbers.zip(scores).collect()
}

fn check(shard: &Shard) {
    shard.verify().unwrap();
    for phrase in [
        "all half",
        "half half",
        "half half half",
        "some all",
        "half half some all",
        "few half some",
        "some few",
        "one all one",
        "all one",
    ] {
        let wanted: Vec<&str> = phrase.split(' ').collect();
        let expected: BTreeSet<u64> = (0..DOCS)
            .filter(|n| !gone(*n) && words(*n).windows(wanted.len()).any(|found| found == wanted))
            .collect();
        assert!(!expected.is_empty(), "{phrase}");
        let exact = MatchPhraseQuery::new("text", Value::Str(phrase.to_owned()));
        assert_eq!(find(shard, Query::MatchPhrase(exact)), expected, "{phrase}");
        let word = TermQuery::new("text", Value::Str(wanted[0].to_owned()));
        let having = (0..DOCS).filter(|n| !gone(*n) && words(*n).contains(&wanted[0]));
        assert_eq!(
            find(shard, Query::Term(word)),
            having.collect::<BTreeSet<u64>>(),
        );
    }
}

/// Documents, best first, and their scores.
fn ranked(shard: &Shard, phrase: &str) -> BTreeMap<u64, f32> {
    let exact = MatchPhraseQuery::new("text", Value::Str(phrase.to_owned()));
    found(shard, Query::MatchPhrase(exact))
        .into_iter()
        .collect()
}

#[test]
fn postings_of_codec_2_are_read_and_merged_with_others() {
    for reorder in ["none", "full"] {
        let disk = disk_of(&folder());
        let shard = open(&disk, &schema(reorder)).unwrap();
        assert_eq!(shard.reader().segments.len(), 2);
        check(&shard);
        // Again, by this build: one document is replaced, the others are what they were.
        put(&shard, 6);
        shard.refresh().unwrap();
        check(&shard);
        shard.force_merge(Some(1), false).unwrap();
        shard.refresh().unwrap();
        assert_eq!(shard.reader().segments.len(), 1);
        check(&shard);

        // An index made anew finds the same phrases equally often.
        let anew = open_new(&schema(reorder));
        (0..DOCS).filter(|n| !gone(*n)).for_each(|n| put(&anew, n));
        anew.force_merge(Some(1), false).unwrap();
        anew.refresh().unwrap();
        for phrase in ["all half", "half half", "some all", "few half some"] {
            assert_eq!(ranked(&shard, phrase), ranked(&anew, phrase), "{phrase}");
        }
    }
}
