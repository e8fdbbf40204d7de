//! Indexes: made once, each in a process of its own so that time and memory are its own, and kept for the next run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::peer::Peer;
use super::{quidditch, tantivy};
use crate::shard_folder;

/// Memory for documents that are not in a segment yet: the same for every engine.
pub const BUFFER_BYTES: usize = 500_000_000;
const REPORT: &str = "build.json";
const INDEX: &str = "index";
/// Where a process finds its [`Order`].
const ORDER: &str = "QUIDDITCH_BENCH_BUILD";

/// What an index is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexSpec {
    /// The corpus.
    pub corpus: PathBuf,
    /// Its length, so that another file of the same name is another corpus.
    pub corpus_bytes: u64,
    /// Only the first documents.
    pub docs: Option<u32>,
    /// Segments, of equally many documents.
    pub segments: usize,
    /// `none`, `light` or `full`: documents that share terms are numbered side by side.
    pub reorder: String,
    /// How many documents of a hundred are deleted once all are indexed.
    pub deletes: f64,
}

impl IndexSpec {
    /// The name of a folder for this specification.
    fn folder(&self) -> String {
        let stem = self.corpus.file_stem().unwrap_or_default();
        let docs = self
            .docs
            .map_or_else(|| "all".to_owned(), |n| n.to_string());
        format!(
            "{}-{docs}-{}s-{}-{}d",
            stem.to_string_lossy(),
            self.segments,
            self.reorder,
            self.deletes
        )
    }
}

/// What making an index took, without reading the corpus; deletes are made afterwards and not counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BuildReport {
    /// Live documents.
    pub docs: u64,
    /// By the wall clock.
    pub seconds: f64,
    /// Of all threads.
    pub cpu_seconds: f64,
    /// Bytes of text a second, in millions.
    pub mb_per_s: f64,
    /// Above what the corpus in memory takes.
    pub peak_rss_mb: f64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Their parts, by the engine's own names.
    pub bytes_by_section: BTreeMap<String, u64>,
}

/// A finished index.
#[derive(Serialize, Deserialize)]
pub struct Built {
    /// What was asked.
    pub spec: IndexSpec,
    /// What it took.
    pub report: BuildReport,
}

/// The engines that can be named.
pub const ENGINES: [&str; 2] = [quidditch::NAME, tantivy::NAME];

/// The specification as an engine takes it: only ours reorders.
fn spec_for(engine: &str, spec: &IndexSpec) -> IndexSpec {
    let mut spec = spec.clone();
    if engine != quidditch::NAME {
        spec.reorder = "none".to_owned();
    }
    spec
}

fn made_by(engine: &str) -> Result<String> {
    match engine {
        quidditch::NAME => Ok(shard_folder::made_by()),
        tantivy::NAME => Ok(tantivy::VERSION.to_owned()),
        _ => bail!("[{engine}] is no engine; there are {}", ENGINES.join(", ")),
    }
}

/// An index that a process is to make.
#[derive(Serialize, Deserialize)]
struct Order {
    engine: String,
    spec: IndexSpec,
    folder: PathBuf,
}

/// Makes the index that the parent process wants, if this process is there for that: true when it was. To be called first
/// by every program that uses [`ensure_built`].
pub fn build_if_asked() -> Result<bool> {
    let Ok(order) = std::env::var(ORDER) else {
        return Ok(false);
    };
    let Order {
        engine,
        spec,
        folder,
    } = serde_json::from_str(&order).context(ORDER)?;
    let index = folder.join(INDEX);
    let report = match engine.as_str() {
        quidditch::NAME => quidditch::build(&spec, &index)?,
        tantivy::NAME => tantivy::build(&spec, &index)?,
        _ => bail!("[{engine}] is no engine"),
    };
    let built = Built { spec, report };
    fs::write(folder.join(REPORT), serde_json::to_vec_pretty(&built)?)?;
    Ok(true)
}

/// The index of one engine under `root`: the one that is there, else a new one, made by a process of its own.
pub fn ensure_built(
    engine: &str,
    spec: &IndexSpec,
    root: &Path,
    anew: bool,
) -> Result<(PathBuf, BuildReport)> {
    let spec = spec_for(engine, spec);
    let parent = root.join(spec.folder());
    let folder = parent.join(format!("{engine}-{}", made_by(engine)?));
    if anew && folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    if let Some(built) = read(&folder)?
        && built.spec == spec
    {
        return Ok((folder, built.report));
    }
    fs::create_dir_all(&parent)?;
    let unfinished = tempfile::Builder::new()
        .prefix("unfinished-")
        .tempdir_in(&parent)?;
    eprintln!("building {} …", folder.display());
    let order = Order {
        engine: engine.to_owned(),
        spec: spec.clone(),
        folder: unfinished.path().to_owned(),
    };
    let status = Command::new(std::env::current_exe()?)
        .env(ORDER, serde_json::to_string(&order)?)
        .status()?;
    ensure!(
        status.success(),
        "building the index of {engine} ended with {status}"
    );
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::rename(unfinished.keep(), &folder)?;
    let built = read(&folder)?.context("the index that was just made")?;
    Ok((folder, built.report))
}

fn read(folder: &Path) -> Result<Option<Built>> {
    match fs::read(folder.join(REPORT)) {
        // one of another shape is of another release of this program
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| folder.display().to_string()),
    }
}

/// Opens the index in a folder that [`ensure_built`] gave.
pub fn open(engine: &str, spec: &IndexSpec, folder: &Path) -> Result<Box<dyn Peer>> {
    let index = folder.join(INDEX);
    Ok(match engine {
        quidditch::NAME => Box::new(quidditch::Quidditch::open(&spec_for(engine, spec), &index)?),
        _ => Box::new(tantivy::Tantivy::open(&index)?),
    })
}
