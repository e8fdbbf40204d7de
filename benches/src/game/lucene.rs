//! Times that Lucene took in a process of its own, over the same corpus and queries.
//!
//! The file is JSON: `engine`, `version`, `settings` (`docs`, `segments`, …) and `results`, each with `command`, `query`,
//! `count` (`null` for commands that do not count), `us_best` and `us_median`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use hashbrown::HashMap;
use serde::Deserialize;

use super::queries::Command;

#[derive(Deserialize)]
struct File {
    engine: String,
    version: String,
    settings: Settings,
    results: Vec<Line>,
}

#[derive(Deserialize)]
struct Settings {
    docs: u64,
    segments: usize,
}

#[derive(Deserialize)]
struct Line {
    command: String,
    query: String,
    count: Option<u64>,
    us_best: f64,
}

/// Another process's run.
pub struct OtherRun {
    /// What it calls itself.
    pub engine: String,
    /// Its release.
    pub version: String,
    /// Live documents.
    pub docs: u64,
    /// Segments.
    pub segments: usize,
    times: HashMap<(String, String), (Option<u64>, f64)>,
}

impl OtherRun {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<OtherRun> {
        let at = || path.display().to_string();
        let bytes = fs::read(path).with_context(at)?;
        let file: File = serde_json::from_slice(&bytes).with_context(at)?;
        let lines = file.results.into_iter();
        let times = lines.map(|line| ((line.command, line.query), (line.count, line.us_best)));
        Ok(OtherRun {
            engine: file.engine,
            version: file.version,
            docs: file.settings.docs,
            segments: file.settings.segments,
            times: times.collect(),
        })
    }

    /// Count, where the command counts, and best time in microseconds.
    pub fn time(&self, command: Command, query: &str) -> Option<(Option<u64>, f64)> {
        let key = (command.name().to_owned(), query.to_owned());
        self.times.get(&key).copied()
    }
}
