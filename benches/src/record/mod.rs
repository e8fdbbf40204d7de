//! Results of the small measurements, kept over time: one file for each processor architecture and instruction set.
//!
//! | file | subject |
//! |---|---|
//! | `criterion` | runs the measurements, reads what criterion wrote |
//! | `compare` | two sets of results, and what exceeds their noise |
//! | `svg` | the history as a picture |

pub mod compare;
pub mod criterion;
pub mod svg;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// One measurement: time for each element (an integer, a document, a row), or without elements for each call.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Nanoseconds, the median.
    pub ns: f64,
    /// The median is this or more.
    pub low: f64,
    /// The median is this or less.
    pub high: f64,
}

/// All measurements of one commit on one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The commit, shortened; with a `+` when files were changed since.
    pub commit: String,
    /// Of the commit, as `2026-11-27`.
    pub date: String,
    /// Model of the processor.
    pub cpu: String,
    /// By name: `kernels/unpack_8`.
    pub entries: BTreeMap<String, Entry>,
    /// Bytes for each integer, by name.
    #[serde(default)]
    pub sizes: BTreeMap<String, f64>,
}

/// A file of records, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// `x86_64`, `aarch64`.
    pub arch: String,
    /// As `QUIDDITCH_SIMD` names it.
    pub level: String,
    /// One a commit.
    pub records: Vec<Record>,
}

impl History {
    /// Reads a file; one that is not there is empty.
    pub fn read(path: &Path, level: &str) -> Result<History> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(History {
                arch: std::env::consts::ARCH.to_owned(),
                level: level.to_owned(),
                records: Vec::new(),
            }),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Puts a record behind the others, in place of one of the same commit and processor.
    pub fn add(&mut self, record: Record) {
        self.records
            .retain(|known| (&known.commit, &known.cpu) != (&record.commit, &record.cpu));
        self.records.push(record);
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// The record of a commit, or the last one.
    pub fn record(&self, commit: Option<&str>) -> Result<&Record> {
        let found = match commit {
            None => self.records.last(),
            Some(commit) => {
                let mut newest = self.records.iter().rev();
                newest.find(|record| record.commit.starts_with(commit))
            }
        };
        match (found, commit) {
            (Some(record), _) => Ok(record),
            (None, None) => bail!("no records"),
            (None, Some(commit)) => bail!("no record of commit [{commit}]"),
        }
    }
}

/// What git says, on one line.
pub fn git(arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").args(arguments).output()?;
    ensure!(
        output.status.success(),
        "git {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The commit that is checked out, as in [`Record::commit`], and its date.
pub fn checked_out() -> Result<(String, String)> {
    let mut commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    if !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty() {
        commit.push('+');
    }
    let date = git(&["show", "--no-patch", "--format=%cs", "HEAD"])?;
    Ok((commit, date))
}

/// The model of this machine's processor.
pub fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(": "));
    name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(commit: &str, ns: f64) -> Record {
        let (low, high) = (ns, ns);
        Record {
            commit: commit.to_owned(),
            date: "2026-11-27".to_owned(),
            cpu: "cpu".to_owned(),
            entries: BTreeMap::from([("kernels/and".to_owned(), Entry { ns, low, high })]),
            sizes: BTreeMap::new(),
        }
    }

    #[test]
    fn a_commit_measured_again_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x86_64-scalar.json");
        let mut history = History::read(&path, "scalar").unwrap();
        for (commit, ns) in [("aaaa", 1.0), ("bbbb", 2.0), ("aaaa", 3.0)] {
            history.add(record(commit, ns));
        }
        history.write(&path).unwrap();
        let read = History::read(&path, "scalar").unwrap();
        assert_eq!(read, history);
        assert_eq!(read.records.len(), 2);
        assert_eq!(read.record(None).unwrap(), &record("aaaa", 3.0));
        assert_eq!(read.record(Some("bb")).unwrap(), &record("bbbb", 2.0));
        assert!(read.record(Some("cc")).is_err());
    }
}
