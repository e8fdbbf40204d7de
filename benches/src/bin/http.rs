//! What HTTP costs on top of the engine, and what a server carries: `TOP_10` over loopback.
//!
//! `cargo run --release -p quidditch-benches --bin http -- --corpus game.jsonl --queries queries.txt`

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use quidditch_benches::game::build::{IndexSpec, build_if_asked, ensure_built, open};
use quidditch_benches::game::corpus::for_each;
use quidditch_benches::game::peer::Peer;
use quidditch_benches::game::queries::{Class, Clause, Command, GameQuery, Occur, load};
use quidditch_benches::game::quidditch;
use quidditch_benches::game::rounds::Times;
use quidditch_benches::game::usage::Stopwatch;
use quidditch_benches::http::{Connection, JSON, LINES, Server, push_document, request_bytes};
use quidditch_benches::random::Random;
use serde_json::{Value, json};

/// Microseconds that HTTP may add to the engine's time.
const OVERHEAD_US: f64 = 150.0;
/// Of the requests that the processors allow, so many must be answered.
const THROUGHPUT: f64 = 0.9;
/// Documents of one `_bulk`.
const BULK_DOCS: u32 = 1000;

/// Times searches over HTTP and, in turn, in the engine; then many connections at a time. Fails when answers differ.
#[derive(Parser)]
struct Arguments {
    /// JSON lines with `id` and `text`.
    #[arg(long)]
    corpus: PathBuf,
    /// JSON lines with `query` and `tags`.
    #[arg(long)]
    queries: PathBuf,
    /// The server to measure.
    #[arg(long, default_value = "target/release/quidditch")]
    binary: PathBuf,
    /// Only the first documents of the corpus.
    #[arg(long, default_value_t = 100_000)]
    docs: u32,
    /// Rounds with one connection.
    #[arg(long, default_value_t = 10)]
    iters: usize,
    /// Connections of the measurement of throughput.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// How long that is measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Keeps the engine's index here, as the game does.
    #[arg(long)]
    index_dir: Option<PathBuf>,
    /// Writes everything here as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    if build_if_asked()? {
        return Ok(());
    }
    let arguments = Arguments::parse();
    ensure!(
        arguments.iters > 0 && arguments.connections > 0 && arguments.seconds > 0,
        "--iters, --connections and --seconds: at least 1"
    );
    let queries = load(&arguments.queries, &Class::ALL)?;
    let temporary = tempfile::tempdir()?;
    let root = arguments.index_dir.as_deref().unwrap_or(temporary.path());
    let corpus = arguments.corpus.canonicalize()?;
    let spec = IndexSpec {
        corpus_bytes: corpus.metadata()?.len(),
        corpus: corpus.clone(),
        docs: Some(arguments.docs),
        segments: 1,
        reorder: "none".to_owned(),
        deletes: 0.0,
    };
    let (folder, _) = ensure_built(quidditch::NAME, &spec, root, false)?;
    let mut engine = open(quidditch::NAME, &spec, &folder)?;
    engine.prepare(&queries)?;
    let server = Server::start(&arguments.binary, &temporary.path().join("server"))?;
    fill(&server, &corpus, arguments.docs)?;
    let requests: Vec<Vec<u8>> = queries.iter().map(request).collect();
    check(&server, &requests, engine.as_ref(), &queries)?;
    let latency = latency(&server, &requests, engine.as_ref(), arguments.iters)?;
    let throughput = throughput(&server, &requests, &arguments)?;
    print(&latency, &throughput, arguments.connections);
    if let Some(path) = &arguments.json {
        let report = report(&latency, &throughput, &arguments);
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    server.stop()
}

/// Fills an index as the engine's own was filled: one shard, one segment, no `_source`.
fn fill(server: &Server, corpus: &Path, docs: u32) -> Result<()> {
    let index = json!({
        "settings": {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"},
        "mappings": {
            "dynamic": false,
            "_source": {"enabled": false},
            "properties": {"text": {"type": "text", "analyzer": "whitespace"}}
        }
    });
    server.send("PUT", "/game", JSON, index.to_string().as_bytes())?;
    let mut bulk = Vec::new();
    for_each(corpus, Some(docs), |number, line| {
        let source = json!({"text": line.text}).to_string();
        push_document(&mut bulk, &line.id, source.as_bytes());
        if (number + 1) % BULK_DOCS == 0 {
            server.send("POST", "/game/_bulk", LINES, &bulk)?;
            bulk.clear();
        }
        Ok(())
    })?;
    if !bulk.is_empty() {
        server.send("POST", "/game/_bulk", LINES, &bulk)?;
    }
    server.send("POST", "/game/_forcemerge?max_num_segments=1", JSON, b"")?;
    server.send("POST", "/game/_refresh", JSON, b"")
}

/// `TOP_10` as a client asks it.
fn request(query: &GameQuery) -> Vec<u8> {
    let clause = |clause: &Clause| match clause.terms.as_slice() {
        [term] => json!({"term": {"text": term}}),
        terms => json!({"match_phrase": {"text": terms.join(" ")}}),
    };
    let body = match query.clauses.as_slice() {
        [only] => clause(only),
        clauses => {
            let those = |occur| -> Vec<Value> {
                let those = clauses.iter().filter(|clause| clause.occur == occur);
                those.map(clause).collect()
            };
            json!({"bool": {
                "must": those(Occur::Must),
                "should": those(Occur::Should),
                "must_not": those(Occur::MustNot),
            }})
        }
    };
    let body = json!({"query": body, "size": 10, "track_total_hits": false});
    request_bytes("POST", "/game/_search", JSON, body.to_string().as_bytes())
}

/// Number of hits and best score must be the engine's.
fn check(
    server: &Server,
    requests: &[Vec<u8>],
    engine: &dyn Peer,
    queries: &[GameQuery],
) -> Result<()> {
    let mut connection = Connection::open(&server.address)?;
    let engine = engine.checked().context("our own engine")?;
    for (number, request) in requests.iter().enumerate() {
        let text = &queries[number].text;
        let status = connection.ask(request)?;
        let answer: Value = serde_json::from_slice(&connection.body)?;
        ensure!(status == 200, "[{text}] answers {status}: {answer}");
        let hits = answer["hits"]["hits"].as_array().context("hits")?;
        let best = engine.best(number, Command::Top10)?;
        let scores = (
            hits.first().and_then(|hit| hit["_score"].as_f64()),
            best.first().map(|hit| hit.1),
        );
        let same_score = scores.0.map(|score| score as f32) == scores.1;
        if hits.len() != best.len() || !same_score {
            bail!(
                "[{text}]: {} hits, {scores:?}; the engine has {}",
                hits.len(),
                best.len()
            );
        }
    }
    Ok(())
}

/// Medians over all queries, in microseconds.
struct Latency {
    engine: f64,
    http: f64,
    /// Of what HTTP adds to a query.
    overhead: f64,
}

/// One connection: each query over HTTP and in the engine, in turn.
fn latency(
    server: &Server,
    requests: &[Vec<u8>],
    engine: &dyn Peer,
    rounds: usize,
) -> Result<Latency> {
    let mut connection = Connection::open(&server.address)?;
    let mut times = vec![[Times::default(), Times::default()]; requests.len()];
    let mut order: Vec<usize> = (0..requests.len()).collect();
    let mut random = Random::new(1);
    for round in 0..=rounds {
        random.shuffle(&mut order);
        for &query in &order {
            let start = Instant::now();
            let status = connection.ask(&requests[query])?;
            let over_http = start.elapsed();
            ensure!(status == 200, "an answer of status {status}");
            let start = Instant::now();
            engine.run(query, Command::Top10)?;
            let in_engine = start.elapsed();
            if round > 0 {
                for (times, took) in times[query].iter_mut().zip([over_http, in_engine]) {
                    times.us.push(took.as_secs_f32() * 1e6);
                }
            }
        }
    }
    let median = |of: &dyn Fn(&[Times; 2]) -> f64| {
        let us = times.iter().map(|times| of(times) as f32).collect();
        Times { us, answer: 0 }.median()
    };
    Ok(Latency {
        http: median(&|times| times[0].median()),
        engine: median(&|times| times[1].median()),
        overhead: median(&|times| times[0].median() - times[1].median()),
    })
}

/// What some connections got answered.
struct Load {
    requests: u64,
    seconds: f64,
    /// Of the server.
    cpu_seconds: f64,
    /// Of the clients.
    client_cpu_seconds: f64,
}

/// One connection, and many.
struct Throughput {
    one: Load,
    many: Load,
}

impl Throughput {
    /// Requests that the processors allow in the time of `many`: what the clients leave, at the price of one connection.
    fn allowed(&self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let left = cores * self.many.seconds - self.many.client_cpu_seconds;
        left / (self.one.cpu_seconds / self.one.requests as f64)
    }

    fn share(&self) -> f64 {
        self.many.requests as f64 / self.allowed()
    }
}

fn throughput(server: &Server, requests: &[Vec<u8>], arguments: &Arguments) -> Result<Throughput> {
    let length = Duration::from_secs(arguments.seconds);
    Ok(Throughput {
        one: load_with(server, requests, 1, length)?,
        many: load_with(server, requests, arguments.connections, length)?,
    })
}

fn load_with(
    server: &Server,
    requests: &[Vec<u8>],
    connections: usize,
    length: Duration,
) -> Result<Load> {
    let cpu_before = server.cpu_time()?;
    let watch = Stopwatch::start();
    let deadline = Instant::now() + length;
    let answered: Result<Vec<u64>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|seed| {
                scope.spawn(move || ask_until(&server.address, requests, seed as u64, deadline))
            })
            .collect();
        let joined = clients.into_iter().map(|client| {
            let joined = client.join();
            joined.unwrap_or_else(|_| bail!("a client panicked"))
        });
        joined.collect()
    });
    let (seconds, client_cpu_seconds) = watch.seconds();
    let cpu = server.cpu_time()? - cpu_before;
    Ok(Load {
        requests: answered?.iter().sum(),
        seconds,
        cpu_seconds: cpu.as_secs_f64(),
        client_cpu_seconds,
    })
}

fn ask_until(address: &str, requests: &[Vec<u8>], seed: u64, deadline: Instant) -> Result<u64> {
    let mut connection = Connection::open(address)?;
    let mut random = Random::new(seed);
    let mut answered = 0;
    while Instant::now() < deadline {
        let request = &requests[random.below(requests.len() as u64) as usize];
        let status = connection.ask(request)?;
        ensure!(status == 200, "an answer of status {status}");
        answered += 1;
    }
    Ok(answered)
}

fn print(latency: &Latency, throughput: &Throughput, connections: usize) {
    let mark = |missed: bool| if missed { " ✗" } else { "" };
    println!(
        "one connection, p50: {:.0} µs over HTTP, {:.0} µs in the engine, {:.0} µs on top (at most {OVERHEAD_US}){}",
        latency.http,
        latency.engine,
        latency.overhead,
        mark(latency.overhead > OVERHEAD_US)
    );
    for (connections, load) in [(1, &throughput.one), (connections, &throughput.many)] {
        println!(
            "{connections:>2} connections: {:.0} requests a second, {:.0} µs of processor each",
            load.requests as f64 / load.seconds,
            load.cpu_seconds * 1e6 / load.requests as f64
        );
    }
    let share = throughput.share();
    println!(
        "that is {share:.2} of what the processors allow (at least {THROUGHPUT}){}",
        mark(share < THROUGHPUT)
    );
}

fn report(latency: &Latency, throughput: &Throughput, arguments: &Arguments) -> Value {
    let load = |connections: usize, load: &Load| {
        json!({
            "connections": connections,
            "requests": load.requests,
            "seconds": load.seconds,
            "cpu_seconds": load.cpu_seconds,
            "client_cpu_seconds": load.client_cpu_seconds,
        })
    };
    json!({
        "docs": arguments.docs,
        "p50_us": {"http": latency.http, "engine": latency.engine, "overhead": latency.overhead},
        "overhead_us_max": OVERHEAD_US,
        "load": [
            load(1, &throughput.one),
            load(arguments.connections, &throughput.many),
        ],
        "share_of_allowed": throughput.share(),
        "share_min": THROUGHPUT,
    })
}
