//! How light the server is: ready on an empty directory, memory when idle, ready with many documents on disk.
//!
//! `cargo run --release -p quidditch-benches --bin footprint -- --docs 1000000`

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use quidditch_benches::http::Server;

/// Prints the three figures of a light server, and the goal of each.
#[derive(Parser)]
struct Arguments {
    /// The server to measure.
    #[arg(long, default_value = "target/release/quidditch")]
    binary: PathBuf,
    /// How many documents the second directory gets.
    #[arg(long, default_value_t = 1_000_000)]
    docs: usize,
    /// How often each start is repeated; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Where the directories are made; removed afterwards.
    #[arg(long, default_value = "target/footprint")]
    folder: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let _ = std::fs::remove_dir_all(&arguments.folder);

    let mut empty = Vec::new();
    let mut resident = 0;
    for run in 0..arguments.runs {
        let server = Server::start(
            &arguments.binary,
            &arguments.folder.join(format!("empty-{run}")),
        )?;
        empty.push(server.ready_after);
        std::thread::sleep(Duration::from_secs(2));
        resident = resident.max(server.resident_bytes()?);
        server.stop()?;
    }

    let full = arguments.folder.join("full");
    let server = Server::start(&arguments.binary, &full)?;
    fill(&server, arguments.docs)?;
    server.stop()?;
    let mut filled = Vec::new();
    for _ in 0..arguments.runs {
        let server = Server::start(&arguments.binary, &full)?;
        filled.push(server.ready_after);
        let (_, body) = server.request("GET", "/hats/_count?filter_path=count", "", b"")?;
        let wanted = format!("{{\"count\":{}}}", arguments.docs);
        ensure!(
            body == wanted.as_bytes(),
            "expected {wanted}, found {}",
            String::from_utf8_lossy(&body)
        );
        server.stop()?;
    }

    println!(
        "ready, empty directory       {:>7.1} ms   (goal 100 ms)",
        median(&mut empty).as_secs_f64() * 1e3
    );
    println!(
        "resident when idle           {:>7.1} MB   (goal 50 MB)",
        resident as f64 / 1e6
    );
    println!(
        "ready, {:>9} documents   {:>7.1} ms   (goal 300 ms)",
        arguments.docs,
        median(&mut filled).as_secs_f64() * 1e3
    );
    std::fs::remove_dir_all(&arguments.folder)?;
    Ok(())
}

/// Indexes `docs` small documents by `_bulk`, and flushes.
fn fill(server: &Server, docs: usize) -> Result<()> {
    let words = [
        "felt", "straw", "top", "bowler", "cap", "beret", "boater", "fez", "hood", "helmet",
    ];
    let mut body = String::new();
    for number in 0..docs {
        let (a, b, c) = (
            words[number % 10],
            words[number / 10 % 10],
            words[number / 100 % 10],
        );
        writeln!(body, "{{\"index\":{{\"_id\":\"{number}\"}}}}")?;
        writeln!(
            body,
            "{{\"name\":\"{a} {b} {c} number {number}\",\"colour\":\"{a}\",\"price\":{}}}",
            number % 1000
        )?;
        if body.len() > 4_000_000 || number + 1 == docs {
            let (status, answer) = server.request(
                "POST",
                "/hats/_bulk?filter_path=errors",
                "application/x-ndjson",
                body.as_bytes(),
            )?;
            ensure!(
                status == 200 && answer == b"{\"errors\":false}",
                "bulk: {status} {}",
                String::from_utf8_lossy(&answer)
            );
            body.clear();
            eprint!("\rindexed {} of {docs}", number + 1);
        }
    }
    eprintln!();
    let (status, _) = server.request("POST", "/hats/_flush", "", b"")?;
    ensure!(status == 200, "flush: {status}");
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}
