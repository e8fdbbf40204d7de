//! Compares scores and order with a run of Lucene over a judged collection.
//!
//!     judged <collection> <run> <analyzer>
//!
//! * `<collection>`: a folder with `corpus.jsonl` {id, title, text} and `queries.jsonl` {id, text}.
//! * `<run>`: lines `query Q0 document rank score tag`, best first, scores as the shortest decimals of
//!   their `f32`, unpacked. They are compared bit by bit.
//! * `<analyzer>`: `standard` or `english`, as the run was made.
//!
//! All documents go into one segment, in the order of the file; a query is an OR of its terms. Every difference in document
//! or score is shown; the exit code says whether there was one.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use clap::Parser;
use quidditch_engine::directory::ram::RamDirectory;
use quidditch_engine::ids::PrimaryTerm;
use quidditch_engine::query::{MatchQuery, Query};
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::search::{
    FetchRequest, MemoryAccount, SearchContext, SearchRequest, fetch, query,
};
use quidditch_engine::shard::{
    CopyRole, IndexOp, Origin, Shard, ShardOptions, ShardParts, SystemClock, VersionCheck,
};
use quidditch_engine::value::Value;

#[derive(Parser)]
struct Arguments {
    collection: PathBuf,
    run: PathBuf,
    analyzer: String,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let shard = index(&arguments)?;
    let reader = shard.reader();
    let mut expected: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for line in fs::read_to_string(&arguments.run)?.lines() {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [query, _, document, _, score, _] = parts.as_slice() else {
            bail!("not a line of a run: {line}");
        };
        let list = expected.entry((*query).to_owned()).or_default();
        list.push(((*document).to_owned(), (*score).to_owned()));
    }
    let (mut compared, mut differences) = (0, 0);
    for line in fs::read_to_string(arguments.collection.join("queries.jsonl"))?.lines() {
        let parsed: serde_json::Value = serde_json::from_str(line)?;
        let (id, text) = (string(&parsed, "id")?, string(&parsed, "text")?);
        let Some(wanted) = expected.get(&id) else {
            continue;
        };
        let (cancelled, memory) = (AtomicBool::new(false), MemoryAccount::new(1 << 30));
        let context = SearchContext::new("judged", 0, &cancelled, &memory);
        let mut request =
            SearchRequest::new(Query::Match(MatchQuery::new("text", Value::Str(text))));
        request.size = 1000;
        let result = query(&reader, &request, &context)?;
        let docs: Vec<_> = result.hits.iter().map(|hit| hit.doc).collect();
        let fetched = fetch(&reader, &docs, &FetchRequest::default(), &context)?;
        if fetched.len() != wanted.len() {
            println!(
                "query {id}: {} hits, expected {}",
                fetched.len(),
                wanted.len()
            );
            differences += 1;
        }
        for (rank, (hit, (document, score))) in fetched.iter().zip(wanted).enumerate() {
            compared += 1;
            let found = result.hits[rank].score;
            if hit.id != *document || found != score.parse::<f32>()? {
                differences += 1;
                if differences <= 20 {
                    println!(
                        "query {id}, rank {}: {} {found}, expected {document} {score}",
                        rank + 1,
                        hit.id
                    );
                }
            }
        }
    }
    println!("{compared} hits compared, {differences} differences");
    if differences > 0 || compared == 0 {
        bail!("the run differs");
    }
    Ok(())
}

fn index(arguments: &Arguments) -> Result<Shard> {
    let mapping = serde_json::json!({
        "properties": {"text": {"type": "text", "analyzer": arguments.analyzer}}
    });
    let schema = IndexSchema::new(&mapping, &BTreeMap::new())?;
    let shard = Shard::open(ShardParts {
        directory: Arc::new(RamDirectory::new()),
        translog: Arc::new(RamDirectory::new()),
        schema: Arc::new(schema),
        clock: Arc::new(SystemClock::new()),
        primary_term: PrimaryTerm(1),
        role: CopyRole::Primary,
        alone: true,
        options: ShardOptions {
            buffer_count: 1,
            background_merges: false,
            buffer_bytes_max: 1 << 30,
            ..ShardOptions::default()
        },
        allocation_id: "judged".to_owned(),
        create: true,
    })?;
    for line in fs::read_to_string(arguments.collection.join("corpus.jsonl"))?.lines() {
        let parsed: serde_json::Value = serde_json::from_str(line)?;
        let text = format!("{} {}", string(&parsed, "title")?, string(&parsed, "text")?);
        shard.index(IndexOp {
            id: string(&parsed, "id")?,
            routing: None,
            source: serde_json::json!({"text": text.trim()}).to_string().into(),
            version: VersionCheck::Internal,
            create_only: false,
            origin: Origin::Primary,
        })?;
    }
    shard.refresh()?;
    let segments = shard.reader().segments.len();
    if segments != 1 {
        bail!("{segments} segments; the run was made with one");
    }
    Ok(shard)
}

fn string(parsed: &serde_json::Value, name: &str) -> Result<String> {
    let value = parsed[name].as_str();
    Ok(value
        .with_context(|| format!("[{name}] is missing"))?
        .to_owned())
}
