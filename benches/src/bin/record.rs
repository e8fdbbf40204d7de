//! Runs the small measurements at every instruction set of this machine and keeps the results.
//!
//! `cargo run --release -p quidditch-benches --bin record`

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use clap::Parser;
use quidditch_benches::record::{History, Record, checked_out, cpu, criterion, svg};
use quidditch_engine::bench_api;

/// Adds a record of this commit to `<results>/<arch>-<level>.json` and draws the history beside it.
#[derive(Parser)]
struct Arguments {
    /// Instruction sets, default: all that this machine can run.
    #[arg(long, value_delimiter = ',')]
    levels: Vec<String>,
    /// Only measurements whose names hold this, such as `kernels/`.
    #[arg(long)]
    filter: Option<String>,
    /// Where the records are.
    #[arg(long, default_value = "benches/results")]
    results: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut available: Vec<&str> = Vec::new();
    for row in bench_api::kernels() {
        if !available.contains(&row.level) {
            available.push(row.level);
        }
    }
    let levels = match arguments.levels.as_slice() {
        [] => available.iter().map(|level| (*level).to_owned()).collect(),
        levels => levels.to_vec(),
    };
    for level in &levels {
        ensure!(
            available.contains(&level.as_str()),
            "[{level}] is no instruction set of this machine; there are {}",
            available.join(", ")
        );
    }
    let (commit, date) = checked_out()?;
    std::fs::create_dir_all(&arguments.results)?;
    for level in &levels {
        let mut cargo = Command::new("cargo");
        cargo.args(["bench", "--profile", "measure", "-p", "quidditch-benches"]);
        cargo.args(["--bench", "micro", "--"]);
        let (entries, sizes) = criterion::run(&mut cargo, arguments.filter.as_deref(), level)?;
        let name = format!("{}-{level}", std::env::consts::ARCH);
        let path = arguments.results.join(format!("{name}.json"));
        let mut history = History::read(&path, level)?;
        println!("{}: {} measurements", path.display(), entries.len());
        history.add(Record {
            commit: commit.clone(),
            date: date.clone(),
            cpu: cpu(),
            entries,
            sizes,
        });
        history.write(&path)?;
        let picture = arguments.results.join(format!("{name}.svg"));
        std::fs::write(picture, svg::draw(std::slice::from_ref(&history)))?;
    }
    Ok(())
}
