//! A shard of our engine in a folder: made once, then opened as often as wanted, by several processes at a time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use quidditch_engine::directory::fs::FsDirectory;
use quidditch_engine::ids::PrimaryTerm;
use quidditch_engine::schema::IndexSchema;
use quidditch_engine::shard::{
    CopyRole, Shard, ShardOptions, ShardParts, ShardReader, SystemClock,
};
use serde_json::Value;

const SEGMENTS: &str = "segments";
const TRANSLOG: &str = "translog";

/// What an index was made by: the release, and the sources that decide the bytes.
pub fn made_by() -> String {
    format!(
        "{}-{}",
        env!("CARGO_PKG_VERSION"),
        env!("QUIDDITCH_INDEX_CODE")
    )
}

/// Mapping and settings of a shard, and the memory that documents may take before they become a segment.
pub struct ShardPlan {
    /// As in `PUT /index`.
    pub mapping: Value,
    /// Flat; nothing is refreshed by itself.
    pub settings: BTreeMap<String, String>,
    /// In bytes.
    pub buffer_bytes: usize,
    /// Threads that fill it.
    pub threads: usize,
}

impl ShardPlan {
    /// Makes the shard.
    pub fn create(&self, folder: &Path) -> Result<Shard> {
        self.open(folder, true)
    }

    fn open(&self, folder: &Path, create: bool) -> Result<Shard> {
        let mut settings = self.settings.clone();
        settings.insert("index.refresh_interval".to_owned(), "-1".to_owned());
        Ok(Shard::open(ShardParts {
            directory: Arc::new(FsDirectory::open(folder.join(SEGMENTS))?),
            translog: Arc::new(FsDirectory::open(folder.join(TRANSLOG))?),
            schema: Arc::new(IndexSchema::new(&self.mapping, &settings)?),
            clock: Arc::new(SystemClock::new()),
            primary_term: PrimaryTerm(1),
            role: CopyRole::Primary,
            alone: true,
            options: ShardOptions {
                buffer_bytes_max: self.buffer_bytes,
                memory_segments_bytes_max: self.buffer_bytes as u64,
                buffer_count: self.threads,
                background_merges: false,
                reorder_docs_min: 0,
                translog_retention_bytes: 0,
                ..ShardOptions::default()
            },
            allocation_id: "bench".to_owned(),
            create,
        })?)
    }

    /// Opens links to the files of a finished shard: the folder stays as it is.
    pub fn open_finished(&self, folder: &Path) -> Result<OpenShard> {
        let links = tempfile::Builder::new()
            .prefix("open-")
            .tempdir_in(folder.parent().context("a folder in a folder")?)?;
        for part in [SEGMENTS, TRANSLOG] {
            fs::create_dir(links.path().join(part))?;
            for entry in fs::read_dir(folder.join(part))? {
                let entry = entry?;
                let to = links.path().join(part).join(entry.file_name());
                // files of the translog are appended to, all others are never changed
                if part == TRANSLOG {
                    fs::copy(entry.path(), to)?;
                } else {
                    fs::hard_link(entry.path(), to)?;
                }
            }
        }
        let shard = self.open(links.path(), false)?;
        Ok(OpenShard {
            reader: shard.reader(),
            _shard: shard,
            _links: links,
        })
    }
}

/// A shard that is only read.
pub struct OpenShard {
    /// What a search sees.
    pub reader: Arc<ShardReader>,
    _shard: Shard,
    // dropped last
    _links: tempfile::TempDir,
}
