//! Aggregations over many rows: our engine beside tantivy, in one process.
//!
//! `cargo run --release -p quidditch-benches --bin aggs -- --rows 10000000 --index-dir target/aggs`

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;
use quidditch_benches::aggs::truth::Truth;
use quidditch_benches::aggs::{Columns, TARGET, Workload, quidditch, tantivy};
use quidditch_benches::game::rounds::Times;
use quidditch_benches::shard_folder;
use serde_json::{Value, json};

/// Times aggregations; fails when an answer is wrong.
#[derive(Parser)]
struct Arguments {
    /// Rows, made up and the same in every run.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Engines: quidditch, tantivy.
    #[arg(long, value_delimiter = ',', default_values = ["quidditch", "tantivy"])]
    engines: Vec<String>,
    /// Aggregations, default: all.
    #[arg(long, value_delimiter = ',')]
    aggs: Vec<String>,
    /// Rounds that are timed; the best counts.
    #[arg(long, default_value_t = 10)]
    iters: usize,
    /// Keeps the indexes here, and takes those that are there and fit.
    #[arg(long)]
    index_dir: Option<PathBuf>,
    /// Writes everything here as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.rows == 0 {
        bail!("--rows: at least 1");
    }
    let workloads = match arguments.aggs.as_slice() {
        [] => Workload::ALL.to_vec(),
        names => names
            .iter()
            .map(|name| Workload::parse(name))
            .collect::<Result<_>>()?,
    };
    let temporary;
    let root = match &arguments.index_dir {
        Some(folder) => folder.as_path(),
        None => {
            temporary = tempfile::tempdir()?;
            temporary.path()
        }
    };
    let mut engines = Vec::new();
    for name in &arguments.engines {
        engines.push(open(name, arguments.rows, root)?);
    }
    let truth = Truth::of(arguments.rows);
    let mut problems = 0;
    for engine in &engines {
        for &workload in &workloads {
            if let Err(problem) = truth.check(workload, &engine.answer(workload)?) {
                problems += 1;
                println!("WRONG {} {}: {problem}", engine.name(), workload.name());
            }
        }
    }
    let times = time(&engines, &workloads, arguments.iters)?;
    print!("{}", table(&engines, &workloads, &times, arguments.rows));
    if let Some(path) = &arguments.json {
        let report = report(&engines, &workloads, &times, arguments.rows);
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    if problems > 0 {
        bail!("{problems} answers are wrong");
    }
    Ok(())
}

/// Opens an engine's rows, which are made first unless they are there.
fn open(name: &str, rows: u64, root: &Path) -> Result<Box<dyn Columns>> {
    let made_by = match name {
        "quidditch" => shard_folder::made_by(),
        "tantivy" => quidditch_benches::game::tantivy::VERSION.to_owned(),
        _ => bail!("[{name}] is no engine; there are quidditch, tantivy"),
    };
    let folder = root.join(format!("{name}-{made_by}-{rows}"));
    if !folder.exists() {
        eprintln!("building {} …", folder.display());
        std::fs::create_dir_all(root)?;
        let unfinished = tempfile::Builder::new()
            .prefix("unfinished-")
            .tempdir_in(root)?;
        match name {
            "quidditch" => quidditch::build(rows, unfinished.path())?,
            _ => tantivy::build(rows, unfinished.path())?,
        }
        std::fs::rename(unfinished.keep(), &folder)?;
    }
    let at = || folder.display().to_string();
    Ok(match name {
        "quidditch" => Box::new(quidditch::Quidditch::open(&folder).with_context(at)?),
        _ => Box::new(tantivy::Tantivy::open(&folder).with_context(at)?),
    })
}

/// `times[engine][workload]`: engines in turn begin, the first round is not counted.
fn time(
    engines: &[Box<dyn Columns>],
    workloads: &[Workload],
    rounds: usize,
) -> Result<Vec<Vec<Times>>> {
    let mut times = vec![vec![Times::default(); workloads.len()]; engines.len()];
    for round in 0..=rounds {
        for (number, &workload) in workloads.iter().enumerate() {
            for offset in 0..engines.len() {
                let engine = (offset + round) % engines.len();
                let start = Instant::now();
                black_box(engines[engine].run(workload)?);
                if round > 0 {
                    let us = start.elapsed().as_secs_f32() * 1e6;
                    times[engine][number].us.push(us);
                }
            }
        }
    }
    Ok(times)
}

/// Ours divided by tantivy's, by the best times.
fn ratio(engines: &[Box<dyn Columns>], times: &[Vec<Times>], workload: usize) -> Option<f64> {
    let best = |name: &str| {
        let place = engines.iter().position(|engine| engine.name() == name)?;
        Some(times[place][workload].best())
    };
    Some(best("quidditch")? / best("tantivy")?)
}

fn table(
    engines: &[Box<dyn Columns>],
    workloads: &[Workload],
    times: &[Vec<Times>],
    rows: u64,
) -> String {
    let mut out = format!("{:<20}", format!("{rows} rows"));
    for engine in engines {
        out += &format!("{:>24}", format!("{} ms, ns/row", engine.name()));
    }
    out += "   ratio   bar\n";
    for (number, workload) in workloads.iter().enumerate() {
        out += &format!("{:<20}", workload.name());
        for times in times {
            let us = times[number].best();
            out += &format!("{:>15.2}{:>9.2}", us / 1e3, us * 1e3 / rows as f64);
        }
        if let Some(ratio) = ratio(engines, times, number) {
            let mark = if ratio > TARGET { " ✗" } else { "" };
            out += &format!("{ratio:>8.2}{TARGET:>6.2}{mark}");
        }
        out.push('\n');
    }
    out
}

fn report(
    engines: &[Box<dyn Columns>],
    workloads: &[Workload],
    times: &[Vec<Times>],
    rows: u64,
) -> Value {
    let mut results = Vec::new();
    for (number, workload) in workloads.iter().enumerate() {
        let mut result = json!({"aggregation": workload.name()});
        for (engine, times) in engines.iter().zip(times) {
            let (best, median) = (times[number].best(), times[number].median());
            result[engine.name()] = json!({
                "ms_best": best / 1e3,
                "ms_median": median / 1e3,
                "ns_per_row": best * 1e3 / rows as f64,
            });
        }
        if let Some(ratio) = ratio(engines, times, number) {
            result["ratio"] = json!(ratio);
            result["target"] = json!(TARGET);
            result["missed"] = json!(ratio > TARGET);
        }
        results.push(result);
    }
    let engines: Vec<Value> = engines
        .iter()
        .map(|engine| json!({"engine": engine.name(), "version": engine.version()}))
        .collect();
    json!({"rows": rows, "engines": engines, "results": results})
}
