//! What a cluster costs as it grows, by the processor time of its processes: more nodes, more shards, nothing to do.
//!
//! `cargo run --release -p quidditch-benches --bin growth -- --corpus game.jsonl --queries queries.txt`

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use quidditch_benches::game::corpus::Documents;
use quidditch_benches::growth::cluster::{ByRole, Idle, Running, idle};
use quidditch_benches::growth::index::{Answers, Costs, Effort, Layout, create, measure};
use quidditch_benches::growth::line_through;
use quidditch_benches::growth::load::Load;
use quidditch_benches::growth::workload::{Workload, queries_of_documents, queries_of_file};
use serde::Serialize;
use serde_json::json;

/// Starts clusters of processes on this machine, fills, asks and watches them. Fails when an answer is not what another
/// cluster says.
#[derive(Parser)]
struct Arguments {
    /// JSON lines with `id` and `text`; made-up documents without it.
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// JSON lines with `query` and `tags`, asked as `match`; without it, words of the documents.
    #[arg(long)]
    queries: Option<PathBuf>,
    /// Where the programs are: `quidditch`, and those that start it in a role.
    #[arg(long, default_value = "target/release")]
    bin_dir: PathBuf,
    /// What is measured.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["nodes", "shards", "idle"])]
    parts: Vec<Part>,
    /// Only the first documents of the corpus.
    #[arg(long, default_value_t = 100_000)]
    docs: u32,
    /// Documents of one `_bulk`.
    #[arg(long, default_value_t = 500)]
    bulk: usize,
    /// Connections of the `_bulk` and of the second load of searches; the first one has one.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Different queries.
    #[arg(long, default_value_t = 300)]
    texts: usize,
    /// Searches of one load.
    #[arg(long, default_value_t = 3000)]
    searches: usize,
    /// The cheapest of so many rounds of each load counts.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Data nodes of the clusters that are filled.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4")]
    data_nodes: Vec<usize>,
    /// Shards of the index while nodes are added.
    #[arg(long, default_value_t = 4)]
    shards: usize,
    /// Shards of the index on one data node.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,16,32")]
    shard_counts: Vec<usize>,
    /// Data nodes of the clusters that have nothing to do.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8")]
    idle_nodes: Vec<usize>,
    /// Empty shards of a cluster of one data node that has nothing to do.
    #[arg(long, value_delimiter = ',', default_value = "32,128,512")]
    idle_shards: Vec<usize>,
    /// How long a cluster with nothing to do is watched; after half of that to settle.
    #[arg(long, default_value_t = 30)]
    idle_seconds: u64,
    /// Where the clusters live, each as long as it is measured; should be a disk.
    #[arg(long, default_value = "target/growth")]
    folder: PathBuf,
    /// Writes everything here as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One index, more and more data nodes.
    Nodes,
    /// One data node, more and more shards.
    Shards,
    /// Clusters without requests.
    Idle,
}

/// An index on so many data nodes.
#[derive(Serialize)]
struct OnNodes {
    data_nodes: usize,
    #[serde(flatten)]
    costs: Costs,
}

/// A cluster without requests.
#[derive(Serialize)]
struct WithoutRequests {
    data_nodes: usize,
    empty_shards: usize,
    #[serde(flatten)]
    idle: Idle,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        [
            arguments.docs as usize,
            arguments.bulk,
            arguments.connections,
            arguments.texts,
            arguments.searches,
            arguments.rounds,
        ]
        .iter()
        .all(|number| *number > 0),
        "--docs, --bulk, --connections, --texts, --searches and --rounds: at least 1"
    );
    let is_wanted = |part| arguments.parts.contains(&part);
    let (mut nodes, mut shards, mut quiet) = (Vec::new(), Vec::new(), Vec::new());
    if is_wanted(Part::Nodes) || is_wanted(Part::Shards) {
        let workload = workload(&arguments)?;
        let mut answers = Answers::default();
        if is_wanted(Part::Nodes) {
            nodes = more_nodes(&arguments, &workload, &mut answers)?;
        }
        if is_wanted(Part::Shards) {
            shards = more_shards(&arguments, &workload, &mut answers)?;
        }
    }
    if is_wanted(Part::Idle) {
        quiet = without_requests(&arguments)?;
    }
    if let Some(path) = &arguments.json {
        let report = json!({
            "docs": arguments.docs,
            "bulk_docs": arguments.bulk,
            "cores": std::thread::available_parallelism().map_or(1, usize::from),
            "nodes": nodes,
            "shards": shards,
            "idle": quiet,
        });
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}

fn workload(arguments: &Arguments) -> Result<Workload> {
    let documents = match &arguments.corpus {
        Some(path) => Documents::load(path, Some(arguments.docs))?,
        None => Documents::made_up(arguments.docs),
    };
    let queries = match &arguments.queries {
        Some(path) => queries_of_file(path, arguments.texts)?,
        None => queries_of_documents(&documents, arguments.texts)?,
    };
    println!(
        "{} documents, {:.1} MB of text, {} in a _bulk; {} different queries",
        documents.len(),
        documents.text_bytes as f64 / 1e6,
        arguments.bulk,
        queries.len()
    );
    Ok(Workload::new(&documents, arguments.bulk, queries))
}

fn effort(arguments: &Arguments) -> Effort {
    Effort {
        connections: arguments.connections,
        searches: arguments.searches,
        rounds: arguments.rounds,
    }
}

/// The same index on more and more data nodes, without and with replicas.
fn more_nodes(
    arguments: &Arguments,
    workload: &Workload,
    answers: &mut Answers,
) -> Result<Vec<OnNodes>> {
    println!("\nMore data nodes, {} shards", arguments.shards);
    print_load_head("nodes copies");
    let mut all = Vec::new();
    for &data_nodes in &arguments.data_nodes {
        let running = Running::up(&arguments.bin_dir, data_nodes, &arguments.folder)?;
        // a copy needs a node of its own
        for replicas in 0..=usize::from(data_nodes > 1) {
            let layout = Layout {
                shards: arguments.shards,
                replicas,
            };
            let costs = measure(&running, workload, layout, effort(arguments), answers)?;
            print_costs(&format!("{data_nodes:>5} {:>6}", 1 + replicas), &costs);
            all.push(OnNodes { data_nodes, costs });
        }
        running.down()?;
    }
    Ok(all)
}

/// The same documents in more and more shards of one data node.
fn more_shards(
    arguments: &Arguments,
    workload: &Workload,
    answers: &mut Answers,
) -> Result<Vec<Costs>> {
    println!("\nMore shards, one data node");
    print_load_head("      shards");
    let running = Running::up(&arguments.bin_dir, 1, &arguments.folder)?;
    let mut all = Vec::new();
    for &shards in &arguments.shard_counts {
        let layout = Layout {
            shards,
            replicas: 0,
        };
        let costs = measure(&running, workload, layout, effort(arguments), answers)?;
        print_costs(&format!("{shards:>12}"), &costs);
        all.push(costs);
    }
    running.down()?;
    print_slopes("a bulk document", &all, |costs| &costs.bulk);
    print_slopes("a search, 1 connection", &all, |costs| &costs.search_one);
    print_slopes("a search, several connections", &all, |costs| {
        &costs.search_many
    });
    Ok(all)
}

fn print_load_head(first: &str) {
    println!(
        "{first}  {:<12} {:>9} {:>9} {:>9}   CPU seconds of 1,000: {:>8} {:>8} {:>8} {:>8} {:>8}",
        "", "per s", "p50 ms", "p99 ms", "masters", "coord", "data", "sum", "client"
    );
}

fn print_costs(first: &str, costs: &Costs) {
    let several = costs.search_many.connections;
    for (what, load) in [
        ("documents".to_owned(), &costs.bulk),
        ("searches, 1".to_owned(), &costs.search_one),
        (format!("searches, {several}"), &costs.search_many),
    ] {
        let cpu = load.cpu_seconds_by_1000;
        println!(
            "{first}  {what:<12} {:>9.0} {:>9.2} {:>9.2} {:>24} {:>8.4} {:>8.4} {:>8.4} {:>8.4} {:>8.4}",
            load.rate(),
            load.p50_ms,
            load.p99_ms,
            "",
            cpu.master,
            cpu.coordination,
            cpu.data,
            cpu.sum(),
            load.client_cpu_seconds_by_1000
        );
    }
}

/// What one more shard adds to an operation: microseconds, since seconds of 1,000 are milliseconds of one.
fn print_slopes(what: &str, all: &[Costs], load: impl Fn(&Costs) -> &Load) {
    let slope = |figure: &dyn Fn(ByRole) -> f64| {
        let point = |costs: &Costs| {
            let cpu = load(costs).cpu_seconds_by_1000;
            (costs.layout.shards as f64, figure(cpu) * 1000.0)
        };
        line_through(&all.iter().map(point).collect::<Vec<_>>())
    };
    let lines = (
        slope(&|cpu| cpu.coordination),
        slope(&|cpu| cpu.data),
        slope(&ByRole::sum),
    );
    if let (Some(coordination), Some(data), Some(sum)) = lines {
        println!(
            "one more shard, {what}: {:.2} µs (coordination {:.2}, data {:.2}) on top of {:.1} µs",
            sum.0, coordination.0, data.0, sum.1
        );
    }
}

/// Clusters to which nobody says anything.
fn without_requests(arguments: &Arguments) -> Result<Vec<WithoutRequests>> {
    println!("\nNothing to do");
    println!(
        "nodes empty shards   CPU seconds a minute: {:>8} {:>8} {:>8}   MB resident: {:>8} {:>8} {:>8}",
        "masters", "coord", "data", "masters", "coord", "data"
    );
    let by_nodes = arguments.idle_nodes.iter().map(|nodes| (*nodes, 0));
    let by_shards = arguments.idle_shards.iter().map(|shards| (1, *shards));
    let length = Duration::from_secs(arguments.idle_seconds);
    let mut all = Vec::new();
    for (data_nodes, empty_shards) in by_nodes.chain(by_shards) {
        let running = Running::up(&arguments.bin_dir, data_nodes, &arguments.folder)?;
        if empty_shards > 0 {
            let layout = Layout {
                shards: empty_shards,
                replicas: 0,
            };
            create(&running, layout)?;
        }
        let idle = idle(&running, length / 2, length)?;
        running.down()?;
        let (cpu, bytes) = (idle.cpu_seconds_a_minute, idle.resident_bytes);
        println!(
            "{data_nodes:>5} {empty_shards:>12} {:>23} {:>8.2} {:>8.2} {:>8.2} {:>14} {:>8.1} {:>8.1} {:>8.1}",
            "",
            cpu.master,
            cpu.coordination,
            cpu.data,
            "",
            bytes.master / 1e6,
            bytes.coordination / 1e6,
            bytes.data / 1e6
        );
        all.push(WithoutRequests {
            data_nodes,
            empty_shards,
            idle,
        });
    }
    print_node_line(&all);
    Ok(all)
}

/// What one more data node adds to a cluster without requests.
fn print_node_line(all: &[WithoutRequests]) {
    let slope = |figure: &dyn Fn(&Idle) -> f64| {
        let rows = all.iter().filter(|row| row.empty_shards == 0);
        let points = rows.map(|row| (row.data_nodes as f64, figure(&row.idle)));
        line_through(&points.collect::<Vec<_>>()).map(|line| line.0)
    };
    let masters = slope(&|idle| idle.cpu_seconds_a_minute.master);
    let coordination = slope(&|idle| idle.cpu_seconds_a_minute.coordination);
    let data = slope(&|idle| idle.cpu_seconds_a_minute.data);
    let bytes = slope(&|idle| idle.resident_bytes.sum());
    if let (Some(masters), Some(coordination), Some(data), Some(bytes)) =
        (masters, coordination, data, bytes)
    {
        println!(
            "one more data node: {masters:.3} CPU seconds a minute on the masters, {coordination:.3} on coordination, {data:.3} on itself; {:.1} MB",
            bytes / 1e6
        );
    }
}
