//! How fast documents go in through `_bulk`, synced to disk before each answer, beside the engine alone.
//!
//! `cargo run --release -p quidditch-benches --bin bulk -- --corpus game.jsonl`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use bytes::Bytes;
use clap::Parser;
use quidditch_benches::game::corpus::Documents;
use quidditch_benches::game::usage::Stopwatch;
use quidditch_benches::http::{Connection, JSON, LINES, Server, push_document, request_bytes};
use quidditch_benches::shard_folder::ShardPlan;
use quidditch_benches::threads::on_threads;
use quidditch_engine::shard::{IndexOp, Origin, Shard, VersionCheck};
use serde_json::json;

/// Of the engine's own rate, so much must be left.
const SHARE: f64 = 0.6;

/// Indexes a corpus with its sources, in the engine and over HTTP in turn; the best of several rounds counts.
#[derive(Parser)]
struct Arguments {
    /// JSON lines with `id` and `text`.
    #[arg(long)]
    corpus: PathBuf,
    /// The server to measure.
    #[arg(long, default_value = "target/release/quidditch")]
    binary: PathBuf,
    /// Only the first documents of the corpus.
    #[arg(long, default_value_t = 100_000)]
    docs: u32,
    /// Threads that fill the engine, connections that fill the server.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Documents of one `_bulk`.
    #[arg(long, default_value_t = 1000)]
    bulk: usize,
    /// Rounds of each.
    #[arg(long, default_value_t = 3)]
    iters: usize,
    /// Writes everything here as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        arguments.threads > 0 && arguments.bulk > 0 && arguments.iters > 0,
        "--threads, --bulk and --iters: at least 1"
    );
    let documents = Documents::load(&arguments.corpus, Some(arguments.docs))?;
    let mut parts: Vec<Vec<(String, Bytes)>> = Vec::new();
    for range in documents.parts(arguments.threads) {
        let document = |number| {
            let (id, text) = documents.get(number);
            (
                id.to_owned(),
                Bytes::from(json!({"text": text}).to_string()),
            )
        };
        parts.push(range.map(document).collect());
    }
    let bulks: Vec<Vec<Vec<u8>>> = parts.iter().map(|p| bulks(p, arguments.bulk)).collect();
    let (mut engine, mut http) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..arguments.iters {
        let folder = tempfile::tempdir()?;
        engine = engine.min(fill_engine(&parts, &folder.path().join("engine"))?);
        let server = Server::start(&arguments.binary, &folder.path().join("server"))?;
        http = http.min(fill_server(&bulks, &server)?);
        server.stop()?;
    }
    let rate = |seconds: f64| documents.text_bytes as f64 / 1e6 / seconds;
    let share = engine / http;
    println!(
        "{} documents, {} threads: engine {:.1} MB/s, _bulk {:.1} MB/s, {share:.2} of it (at least {SHARE}){}",
        documents.len(),
        arguments.threads,
        rate(engine),
        rate(http),
        if share < SHARE { " ✗" } else { "" }
    );
    if let Some(path) = &arguments.json {
        let report = json!({
            "docs": documents.len(),
            "threads": arguments.threads,
            "bulk_docs": arguments.bulk,
            "engine_mb_per_s": rate(engine),
            "bulk_mb_per_s": rate(http),
            "share": share,
            "share_min": SHARE,
        });
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}

/// The mapping of both; what is not said is as users get it.
fn mapping() -> serde_json::Value {
    json!({"properties": {"text": {"type": "text"}}})
}

/// Requests of so many documents each.
fn bulks(part: &[(String, Bytes)], docs: usize) -> Vec<Vec<u8>> {
    let bulk = |chunk: &[(String, Bytes)]| {
        let mut body = Vec::new();
        for (id, source) in chunk {
            push_document(&mut body, id, source);
        }
        request_bytes("POST", "/corpus/_bulk", LINES, &body)
    };
    part.chunks(docs).map(bulk).collect()
}

/// Seconds until all documents are searchable, without waiting for the disk.
fn fill_engine(parts: &[Vec<(String, Bytes)>], folder: &Path) -> Result<f64> {
    let plan = ShardPlan {
        mapping: mapping(),
        settings: BTreeMap::new(),
        buffer_bytes: 64 << 20,
        threads: parts.len(),
    };
    let shard = plan.create(folder)?;
    let watch = Stopwatch::start();
    on_threads(parts, |part| index_all(&shard, part))?;
    shard.refresh()?;
    let (seconds, _) = watch.seconds();
    shard.close()?;
    Ok(seconds)
}

fn index_all(shard: &Shard, part: &[(String, Bytes)]) -> Result<()> {
    for (id, source) in part {
        shard.index(IndexOp {
            id: id.clone(),
            routing: None,
            source: source.clone(),
            version: VersionCheck::Internal,
            create_only: false,
            origin: Origin::Primary,
        })?;
    }
    Ok(())
}

/// Seconds until all documents are acknowledged, synced and searchable.
fn fill_server(bulks: &[Vec<Vec<u8>>], server: &Server) -> Result<f64> {
    let index = json!({
        "settings": {"number_of_shards": 1, "number_of_replicas": 0},
        "mappings": mapping(),
    });
    server.send("PUT", "/corpus", JSON, index.to_string().as_bytes())?;
    let watch = Stopwatch::start();
    on_threads(bulks, |requests| {
        let mut connection = Connection::open(&server.address)?;
        requests
            .iter()
            .try_for_each(|request| connection.send(request))
    })?;
    server.send("POST", "/corpus/_refresh", JSON, b"")?;
    Ok(watch.seconds().0)
}
