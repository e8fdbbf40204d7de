//! How much faster segments are merged than their documents are indexed.
//!
//! `cargo run --release -p quidditch-benches --bin merging -- --corpus game.jsonl --docs 1000000`

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use quidditch_benches::game::corpus::Documents;
use quidditch_benches::game::quidditch::index_and_merge;

/// Indexes documents as several segments, merges these into one, and prints the seconds of both.
#[derive(Parser)]
struct Arguments {
    /// JSON lines with `id` and `text`.
    #[arg(long)]
    corpus: PathBuf,
    /// Only the first documents of the corpus.
    #[arg(long)]
    docs: Option<u32>,
    /// Segments, of equally many documents each.
    #[arg(long, default_value_t = 10)]
    segments: usize,
    /// How often all is done; the best time of each part counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Least times that a merge has to be faster.
const GOAL: f64 = 3.0;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let documents = Documents::load(&arguments.corpus, arguments.docs)?;
    let mut best = [(f64::INFINITY, f64::INFINITY); 2];
    for round in 1..=arguments.rounds {
        eprintln!("round {round} of {}", arguments.rounds);
        let folder = tempfile::tempdir()?;
        let times = index_and_merge(&documents, arguments.segments, folder.path())?;
        for (best, (wall, cpu)) in best.iter_mut().zip(times) {
            *best = (best.0.min(wall), best.1.min(cpu));
        }
    }
    let [indexed, merged] = best;
    println!("            seconds     cpu s");
    println!("indexing {:>10.2} {:>9.2}", indexed.0, indexed.1);
    println!("merging  {:>10.2} {:>9.2}", merged.0, merged.1);
    println!(
        "faster   {:>9.2}x {:>8.2}x   (goal {GOAL}x)",
        indexed.0 / merged.0,
        indexed.1 / merged.1
    );
    Ok(())
}
