//! Tables for people, JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::build::BuildReport;
use super::cells::{Cell, Pair, Ratio};
use super::peer::Peer;
use super::queries::{Command, GameQuery};
use super::rounds::AllTimes;

/// The times of all engines, the ratios, and a `✗` where a bar is missed.
pub fn table(cells: &[Cell]) -> String {
    let mut out = String::new();
    let Some(first) = cells.first() else {
        return out;
    };
    let _ = write!(out, "{:<14}{:<19}{:>4}", "command", "class", "n");
    for (engine, _) in &first.times {
        let _ = write!(out, "{:>21}", format!("{engine} avg, med"));
    }
    let _ = write!(out, "  {:<36}", "/ tantivy avg, med (spread) bar");
    if first.fastest.is_some() {
        let _ = write!(out, "/ fastest peer");
    }
    out.push('\n');
    for cell in cells {
        let (command, class) = (cell.command.name(), cell.class.name());
        let _ = write!(out, "{command:<14}{class:<19}{:>4}", cell.queries);
        for (_, pair) in &cell.times {
            let _ = write!(out, "{:>12.1}{:>9.1}", pair.avg, pair.median);
        }
        if let Some(ratio) = &cell.tantivy {
            let _ = write!(out, "  {:<36}", ratio_text(ratio, cell.spread));
        }
        if let Some(ratio) = &cell.fastest {
            let _ = write!(out, "{}", ratio_text(ratio, None));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out
}

fn ratio_text(ratio: &Ratio, spread: Option<(f64, f64)>) -> String {
    let Some(Pair { avg, median }) = ratio.ratio else {
        return "tie".to_owned();
    };
    let mark = if ratio.missed() { "✗" } else { " " };
    let spread = spread.map_or_else(String::new, |(low, high)| format!(" ({low:.2}-{high:.2})"));
    format!("{avg:.2} {median:.2}{spread} {:.2} {mark}", ratio.target)
}

/// What making the indexes took.
pub fn build_table(builds: &[(String, BuildReport)]) -> String {
    let mut out = format!(
        "{:<12}{:>10}{:>10}{:>10}{:>8}{:>12}{:>13}\n",
        "build", "docs", "seconds", "cpu s", "MB/s", "peak MB", "index bytes"
    );
    for (engine, build) in builds {
        let _ = writeln!(
            out,
            "{engine:<12}{:>10}{:>10.1}{:>10.1}{:>8.1}{:>12.0}{:>13}",
            build.docs,
            build.seconds,
            build.cpu_seconds,
            build.mb_per_s,
            build.peak_rss_mb,
            build.index_bytes
        );
    }
    for (engine, build) in builds {
        let _ = write!(out, "{engine}:");
        let mut parts: Vec<_> = build.bytes_by_section.iter().collect();
        parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(**bytes));
        for (name, bytes) in parts {
            let _ = write!(out, " {name} {bytes},");
        }
        out.pop();
        out.push('\n');
    }
    out
}

/// Everything, for programs.
pub fn json(
    peers: &[Box<dyn Peer>],
    builds: &[(String, BuildReport)],
    cells: &[Cell],
    queries: &[GameQuery],
    commands: &[Command],
    times: &AllTimes,
) -> Value {
    let engines = peers.iter().zip(builds).map(|(peer, (_, build))| {
        json!({
            "engine": peer.name(),
            "version": peer.version(),
            "docs": peer.doc_count(),
            "segments": peer.segment_count(),
            "build": build,
        })
    });
    let mut results = Vec::new();
    for (peer, times) in peers.iter().zip(times) {
        for (query, times) in queries.iter().zip(times) {
            for (command, times) in commands.iter().zip(times) {
                results.push(json!({
                    "engine": peer.name(),
                    "command": command.name(),
                    "query": query.text,
                    "tags": query.tags,
                    "count": command.counts().then_some(times.answer),
                    "us_best": times.best(),
                    "us_median": times.median(),
                }));
            }
        }
    }
    json!({
        "engines": engines.collect::<Vec<_>>(),
        "cells": cells.iter().map(Cell::json).collect::<Vec<_>>(),
        "results": results,
    })
}
